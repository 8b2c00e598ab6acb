"""Benchmarks: how fast the bot is, as ratios measured in one run. `python -m tests.benchmarks`.

`bench.py` is the entry and `table.py` what it prints. What is compared is measured in alternating
blocks (`blocks.py`): one contestant after another, drift of the machine would pass for a
difference. One contestant can be the mmbot of another commit (`checkout.py`): its turns and its
simulated seeds are taken by the code here (`driver.py`) on the mmbot there. `race.py` compares
loops on the scripted venue of `venue.py` (its opponents are in `rivals.py`), `turns.py` has the
turns, `startup.py` the start of the commands, `seeds.py` simulated histories.
Nothing here is a timed test: the numbers are for people.
"""
