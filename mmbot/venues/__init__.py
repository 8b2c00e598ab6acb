"""The venues: one folder each. They touch the world and decide nothing.

What they share lies here: a connection without a socket or a clock (`connection.py`), a session on
it (`public_session.py`, `account_session.py`: a function from frames to events and from intents to
frames), the same over real sockets (`shell.py`, `market.py`, `account_venue.py`). A folder says how
its venue speaks (`dialect.py`), lets in (`signin.py`), spells orders and tells what happened.
Nothing here imports `mmbot.sim.wire`: the client and the simulated venue meet only on the wire.
"""
