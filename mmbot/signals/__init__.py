"""Signals: they remember the market, so that strategies can forget it."""
