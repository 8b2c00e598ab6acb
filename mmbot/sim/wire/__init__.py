"""The simulated exchange behind the venues' real wire protocols, on 127.0.0.1 only.

Nothing here imports `mmbot.venues`: client and simulator meet on the wire, so that neither can
share the other's mistakes.
"""
