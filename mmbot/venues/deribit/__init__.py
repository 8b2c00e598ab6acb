"""Deribit. Read `client.py` first; it stands on

plugin.py         the door: what everything else may know of this folder
clients.py        which client a site has
venue.py          for the engine, over real sockets: what anybody may see, and one account
session.py        one account without I/O: intents in, frames and events out; it stands on
public.py         books, tickers, listings, locks and living links as events
looks.py          the venue's word on everything: a recipe
linked.py         ccxt's exchange on two links
connection.py     two links kept up, without I/O; it stands on
frames.py         every frame to whom it concerns
signin.py         being let in, cancel-on-disconnect, the account's limits
dialect.py        how requests, channels and errors are spelled
pools.py          how many requests beside orders an account may make
limits.py         the account's rate limits
book.py           one order book, right or invalid
errors.py         every error code: how far it reaches
orders.py         place, amend and cancel as frames with exact decimals
rescue.py         taking back what is ours, whatever the list looks like
canceller.py      the same for another process, over either way
checks.py         what is asked before trading
unified.py        what ccxt parses or rounds wrongly, put right

What all venues share lies one folder above.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbot.venues.deribit.book import Book
    from mmbot.venues.deribit.client import Deribit
    from mmbot.venues.deribit.limits import Limits
    from mmbot.venues.deribit.orders import amend, cancel, place

__all__ = [
    "Book",
    "Deribit",
    "Limits",
    "amend",
    "cancel",
    "place",
]

_HOMES = {
    "Book": "book",
    "Deribit": "client",
    "Limits": "limits",
    "amend": "orders",
    "cancel": "orders",
    "place": "orders",
}


def __getattr__(name: str) -> object:
    """Imported when it is asked for: the plug-in, which lies here too, must not cost a ccxt."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
