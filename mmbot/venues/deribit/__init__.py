"""Deribit. Read `client.py` first; it stands on

plugin.py         the door: what everything else may know of this folder
clients.py        which client a site has
market.py         what anybody may see, for the engine: `public.py` over real sockets
venue.py          one account: the same of `session.py`
session.py        one account without I/O: intents in, frames and events out; it stands on
public.py         books, tickers, listings, locks and living links as events
account.py        what the venue says of our orders and trades
looks.py          the venue's word on everything: a recipe
asking.py         one question and its answer, in recipes
linked.py         ccxt's exchange on two links
shell.py          carries out what a connection or a session wants: sockets, REST, time
wire.py           one WebSocket: bytes in, frames out at once, one way to be lost
connection.py     two links kept up, without I/O: read its theory of operation; it stands on
lives.py          how a link is dialed, entered, looked after and lost
frames.py         every frame to whom it concerns
hooks.py          whom a connection tells
link.py           what is wanted of a link, and what is so on it at present
timers.py         the time of a session
signin.py         being let in, cancel-on-disconnect, the account's limits
subscriptions.py  channels and books: when one is doubted, and how it is asked for anew
contradiction.py  whether a book and a ticker can both be true
tickers.py        tickers that are silent are asked for
calls.py          requests, paced and put out at once; recipes
answers.py        what a question came to where that is no result
in_ccxt.py        the same as ccxt's errors
requests.py       every request ends exactly once: OK, REFUSED or UNKNOWN
pools.py          how many requests beside orders an account may make
limits.py         the account's rate limits and a token bucket
book.py           one order book, right or invalid
errors.py         every error code: how far it reaches
orders.py         place, amend and cancel as frames with exact decimals
rescue.py         taking back what is ours, whatever the list looks like
canceller.py      the same for another process, over either way
checks.py         what is asked before trading
unified.py        what ccxt parses or rounds wrongly, put right
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbot.venues.deribit.book import Book
    from mmbot.venues.deribit.client import Deribit
    from mmbot.venues.deribit.limits import Limits, Rate
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
    "amend",
    "cancel",
    "place",
]

_HOMES = {
    "Book": "book",
    "Deribit": "client",
    "Limits": "limits",
    "Outcome": "requests",
    "Rate": "limits",
    "Refusal": "requests",
    "Reply": "requests",
    "amend": "orders",
    "cancel": "orders",
    "place": "orders",
}


def __getattr__(name: str) -> object:
    """Imported when it is asked for: the plug-in, which lies here too, must not cost a ccxt."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
