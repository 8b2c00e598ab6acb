"""The simulated venue without a wire: the exchange, the line to it and a store, in virtual time.

Each file mirrors one of the real thing, so that the core is told what it would really be told:
`translate.py` and `line.py` the adapter (`venues/deribit`), `store.py` the keeper and its database.
"""
