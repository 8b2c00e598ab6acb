"""PRETENDS: the world we do not control, made small enough to hold still.

`matching.py` is one pure exchange (price-time matching in Decimal, no clock, no I/O); `listing.py`
says what is listed and what a trade costs; `market.py` fills it with a seeded market; `wire/` puts
it behind the venues' own protocols on 127.0.0.1.
"""
