"""PRETENDS: the world we do not control, made small enough to hold still.

`matching.py` is one pure exchange (price-time matching in Decimal, no clock, no I/O); `listing.py`
says what a contract is and what a trade in it costs, `settlement.py` what happens to it at 08:00
UTC; `market.py` fills the exchange with a seeded market; `wire/` puts it behind the venues' own
protocols on 127.0.0.1; `state.py` lets a venue end and come back.
"""
