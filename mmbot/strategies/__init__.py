"""What to quote: pure functions from a view to quotes. They forget everything between calls.

`quote_context.py` and `quote_builder.py` hold what all of them share; every other file is one
strategy.
"""
