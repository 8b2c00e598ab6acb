"""Millions of messages through the real client and engine: nothing may grow."""
