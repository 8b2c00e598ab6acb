"""The bot's mind: pure decisions, no await, clock, random, log, file or socket. Start at turn.py."""
