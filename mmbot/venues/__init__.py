"""The venues: one folder each. They touch the world and decide nothing.

A folder holds `client.py` (the venue's protocol, made safe, in the style of ccxt) and `venue.py`
(that client to and from the core's events). Nothing here imports `mmbot.sim.wire`: the client and
the simulated venue meet only on the wire.
"""
