"""Derive, v3: options and perpetuals in USDC, signed. What stands here decides and does no I/O.

signing.py        order, login and REST signatures, word for word
nonces.py         nonces that no two processes share
orders.py         place, replace and cancel as signed calls
catalog.py        what is listed, and what signatures call it: a recipe
paging.py         lists that come in pages
names.py          the venue's names and ccxt's symbols, both ways
messages.py       what we need of each message
parse.py          books, tickers, orders, fills and money as the core's values
flows.py          what moved without a trade
keys.py           whether a session key may trade
errors.py         every error code: how far it reaches
"""
