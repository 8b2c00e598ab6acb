"""PRETENDS: the world we do not control, made small enough to hold still.

`exchange/` is one pure exchange (matching in Decimal, no clock, no I/O): begin with `matching.py`,
which stands on `clearing.py` (money), `admission.py` (which orders enter) and `book.py`;
`settlement.py` is what happens at 08:00 UTC, `state.py` lets a venue end and come back. `market/`
fills it with a seeded market; `wire/` puts it behind the venues' own protocols on 127.0.0.1;
`virtual/` runs it with the real core in virtual time.
"""
