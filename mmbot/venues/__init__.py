"""The venues: one folder each. They touch the world and decide nothing.

A folder holds `session.py` (a function from frames to events and from intents to frames, without a
socket or a clock), `shell.py` and `venue.py` (the same over real sockets), and `client.py` (the
venue's protocol, made safe, in the style of ccxt, for people). Nothing here imports
`mmbot.sim.wire`: the client and the simulated venue meet only on the wire.
"""
