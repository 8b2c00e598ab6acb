"""What to quote: pure functions from a view to quotes. They forget everything between calls.

`ground.py` and `draft.py` hold what all of them share; every other file is one strategy.
"""
