"""The simulated venue without a wire: the exchange, the line to it and a store, in virtual time.

Each file mirrors one of the real thing, so that the core is told what it would really be told:
`line.py`, `books.py`, `questions.py` and `translate.py` a venue's adapter (in `venues/`),
`store.py` the store bridge and its database. `world.py` runs one history of it all, `checks.py`
judges it.
"""
