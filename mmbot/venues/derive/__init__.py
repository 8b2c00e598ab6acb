"""Derive, v3: options and perpetuals in USDC, signed. Read `session.py` first.

plugin.py         the door: what everything else may know of this folder
sites.py          where it is, and what opens an account there
simulated.py      what opens one of several simulated accounts
client.py         the venue in ccxt's words, for people
venue.py          for the engine, over real sockets: what anybody may see, and one account
session.py        one account without I/O: intents in, frames and events out; it stands on
public.py         books, tickers, listings and living links as events
looks.py          the venue's word on everything: a recipe
progress.py       how much of each order is filled
connection.py     two links kept up, one logged in, without I/O; it stands on
frames.py         every frame to whom it concerns
signin.py         the login, cancel-on-disconnect, the limits
pings.py          round trips that cost nothing
dialect.py        how requests, channels and errors are spelled
limits.py         how many requests an account may make, and what the venue is like
book.py           one order book, right or invalid
exchange.py       REST
rescue.py         taking back what is ours, whatever the list looks like
canceller.py      the same for another process, over either way
checks.py         what is asked before trading
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
