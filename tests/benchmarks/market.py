"""The market of the bench: what the others show, and how far it moves."""

TICK = 0.0005
CLOSED_BID, CLOSED_ASK = 0.0330, 0.0370
STEPS_MAX = 12
"""Outward steps of one tick before the market closes again."""
LEVELS = 10
OTHERS_AMOUNT = 25.0
