"""Deribit's protocol, spoken by the simulated venue.

In layers: `floor.py` (exchange, market, channels), `venue.py` (the floor and what stands on it:
locks, trigger orders, wallet, catalog), `calls_*.py` (the methods), `protocol.py` (frames).
"""
