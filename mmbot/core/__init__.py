"""The bot's mind: pure decisions. No await, clock, random, log, file or socket.

Start at turn.py, then orders.py and diff.py.
"""
