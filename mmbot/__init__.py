"""mmbot: a market maker is a function from events to intents."""

__version__ = "0.1.0"
