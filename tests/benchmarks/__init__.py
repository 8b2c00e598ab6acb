"""Benchmarks: how fast the bot is, as ratios measured in one run. `python -m tests.benchmarks`.

`bench.py` is the entry, `race.py` the comparison of loops on the scripted venue of `venue.py`
(its opponents are in `rivals.py`), `turns.py` the cost of a turn, `startup.py` of `--help`.
Nothing here is a timed test: the numbers are for people.
"""
