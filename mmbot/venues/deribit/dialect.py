"""Deribit's manner of speaking JSON-RPC (`venues/dialect.py`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.errors import PASSING, TIMED_OUT, meaning_of
from mmbot.venues.deribit.pools import Pool, Pools, pool_of
from mmbot.venues.meanings import Meaning


class DeribitDialect:
    """Methods are public/x or private/x, and a subscription is answered by the list of channels."""

    name: Final = "deribit"
    passing: Final = PASSING
    timed_out: Final = frozenset({TIMED_OUT})
    ticker_method: Final = "public/ticker"
    ticker_pool: Final = Pool.OTHER
    subscribe_pool: Final = Pool.SUBSCRIBE

    def meaning_of(self, code: int, data: object = None) -> Meaning:
        """What an error means."""
        return meaning_of(code, data)

    def frame(self, id_: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A request."""
        return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}

    def pools(self, now_s: float) -> Pools:
        """The limits before the account's own are read."""
        return Pools(now_s)

    pool_of = staticmethod(pool_of)

    def is_private(self, channel: str) -> bool:
        """Whether a channel needs signing in whatever its interval."""
        return channel.startswith("user.")

    def subscribing(self, private: bool) -> str:
        """The method that subscribes."""
        return "private/subscribe" if private else "public/subscribe"

    def unsubscribing(self, private: bool) -> str:
        """The method that drops channels."""
        return "private/unsubscribe" if private else "public/unsubscribe"

    def left_out(self, channels: Sequence[str], result: Any) -> dict[str, str] | None:
        """The answer lists what is subscribed."""
        if not isinstance(result, list):
            return None
        return {channel: "" for channel in channels if channel not in result}

    def book_of(self, channel: str) -> Book | None:
        """book.<name>.<interval> and book.<name>.<group>.<depth>.<interval>."""
        if not channel.startswith("book."):
            return None
        return Book(channel, self.instrument_of(channel))

    def has_single_levels(self, channel: str) -> bool:
        """Grouped books have more parts."""
        return channel.count(".") == 2

    def is_ticker(self, channel: str) -> bool:
        """ticker.<name>.<interval>."""
        return channel.startswith("ticker.")

    def is_trades(self, channel: str) -> bool:
        """trades.<name>.<interval>."""
        return channel.startswith("trades.")

    def instrument_of(self, channel: str) -> str:
        """The instrument that a channel (kind.<name>.<interval>) is about."""
        return channel.split(".", 2)[1]


DERIBIT: Final = DeribitDialect()
