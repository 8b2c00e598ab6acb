"""What venues' protocols differ in, where everything else about a connection is the same.

The parts of a connection (calls, links, subscriptions, books) are shared; each venue says by one
value of its own how its requests are framed, what its errors mean, and what its channels are.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from mmbot.venues.book import Book
from mmbot.venues.meanings import Meaning
from mmbot.venues.pools import Pools


class Dialect(Protocol):
    """One venue's manner of speaking JSON-RPC."""

    @property
    def name(self) -> str:
        """The venue as it is called in what is said of it."""
        ...

    @property
    def passing(self) -> frozenset[int]:
        """Codes by which the venue says that it cannot now, rather than that it will not."""
        ...

    @property
    def timed_out(self) -> frozenset[int]:
        """Those of them that say that it has waited for long enough."""
        ...

    def meaning_of(self, code: int, data: object = None) -> Meaning:
        """What an error means; `data` is the frame's, for codes that are told apart by it."""
        ...

    # -- Requests --------------------------------------------------------------------------------

    def frame(self, id_: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A request."""
        ...

    def pools(self, now_s: float) -> Pools:
        """The limits of requests beside orders, before the account's own are read."""
        ...

    def pool_of(self, method: str) -> Enum | None:
        """The pool that a method draws on; None: it is an order's."""
        ...

    # -- Channels --------------------------------------------------------------------------------

    def is_private(self, channel: str) -> bool:
        """Whether a channel needs signing in whatever its interval."""
        ...

    def subscribing(self, private: bool) -> str:
        """The method that subscribes to public or private channels."""
        ...

    def unsubscribing(self, private: bool) -> str:
        """The method that drops them."""
        ...

    def left_out(self, channels: Sequence[str], result: Any) -> dict[str, str] | None:
        """Which of the channels asked for the venue did not subscribe, each with the venue's words
        (empty where it has none); None where that is no answer."""
        ...

    def book_of(self, channel: str) -> Book | None:
        """A new book where a channel is one's."""
        ...

    def has_single_levels(self, channel: str) -> bool:
        """Whether a book's prices are those of orders; grouped ones round them."""
        ...

    def is_ticker(self, channel: str) -> bool:
        """Whether a channel tells reference values of an instrument."""
        ...

    def is_trades(self, channel: str) -> bool:
        """Whether a channel tells what anybody has traded. A desk can do without: where the venue
        refuses it, everything else goes on."""
        ...

    def instrument_of(self, channel: str) -> str:
        """The instrument that a channel is about."""
        ...

    @property
    def ticker_method(self) -> str:
        """The method that asks for what a ticker's channel says."""
        ...

    @property
    def ticker_pool(self) -> Enum:
        """What that draws on."""
        ...

    @property
    def subscribe_pool(self) -> Enum:
        """What subscribing draws on."""
        ...
