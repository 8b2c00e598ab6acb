"""Deribit. Read `client.py` first; it stands on

wire.py      one WebSocket: bytes in, frames out at once, one way to be lost
requests.py  every request ends exactly once: OK, REFUSED or UNKNOWN
book.py      one order book, right or invalid
orders.py    place, amend and cancel as frames with exact decimals
limits.py    the account's rate limits and a token bucket
unified.py   what ccxt parses or rounds wrongly, put right
"""

from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.limits import Limits, Rate
from mmbot.venues.deribit.link import Socket
from mmbot.venues.deribit.orders import amend, cancel, place
from mmbot.venues.deribit.requests import Outcome, Refusal, Reply

__all__ = [
    "Book",
    "Deribit",
    "Limits",
    "Outcome",
    "Rate",
    "Refusal",
    "Reply",
    "Socket",
    "amend",
    "cancel",
    "place",
]
