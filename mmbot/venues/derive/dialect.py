"""Derive's manner of speaking JSON-RPC (`venues/dialect.py`), and its limits of reads.

Requests carry no version, and orders have no place in a pool: their pace is the core's. Beside
them a wallet has one budget for everything private, and an address on the internet one for
everything public; each is a window of five seconds, given back all at once.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

from mmbot.venues.derive.book import Book
from mmbot.venues.derive.errors import NOT_CONFIRMED, PASSING, meaning_of
from mmbot.venues.derive.parse import refused_channels
from mmbot.venues.meanings import Meaning
from mmbot.venues.pools import Pools
from mmbot.venues.rates import Rate
from mmbot.venues.reading import Unread, Unreadable

WINDOW_S: Final = 5.0

UNKNOWN_TPS: Final = 1.0
"""What an account may do of each kind while the venue does not say: the least it gives anybody."""


class Pool(Enum):
    """The kinds of request beside orders that share a limit."""

    PRIVATE = auto()
    PUBLIC = auto()
    LIVE = auto()
    CANCEL_ALL = auto()
    LABELS = auto()


def window(tps: float) -> Rate:
    """So many a second, as the venue counts them."""
    return Rate(tps, tps * WINDOW_S, windowed=True)


RATES: Final[Mapping[Enum, Rate]] = {
    Pool.PRIVATE: window(UNKNOWN_TPS),
    Pool.PUBLIC: window(UNKNOWN_TPS),
    Pool.LIVE: window(UNKNOWN_TPS),
    Pool.CANCEL_ALL: window(UNKNOWN_TPS),
    Pool.LABELS: window(10.0),
}

PING: Final = "ping"

_POOLS: Final[Mapping[str, Pool | None]] = {
    "private/order": None,
    "private/replace": None,
    "private/cancel": None,
    "private/cancel_by_nonce": None,
    "private/cancel_by_instrument": None,
    "private/cancel_by_label": None,
    "private/cancel_all": Pool.CANCEL_ALL,
    "public/get_all_live_instruments": Pool.LIVE,
    PING: None,
}

_PRIVATE_KINDS: Final = frozenset({"orders", "trades", "balances", "quotes", "rfqs"})


class DeriveDialect:
    """Methods are public/x or private/x, but for subscribe and unsubscribe; a subscription is
    answered channel by channel."""

    name: Final = "derive"
    passing: Final = PASSING
    timed_out: Final = frozenset({NOT_CONFIRMED})
    ticker_method: Final = "public/get_ticker"
    ticker_pool: Final = Pool.PUBLIC
    subscribe_pool: Final = Pool.PUBLIC

    def meaning_of(self, code: int, data: object = None) -> Meaning:
        """What an error means."""
        return meaning_of(code, data)

    def frame(self, id_: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A request."""
        return {"id": id_, "method": method, "params": params}

    def pools(self, now_s: float) -> Pools:
        """The limits before the account's own are read."""
        return Pools(now_s, RATES)

    def pool_of(self, method: str) -> Pool | None:
        """The pool that a method draws on."""
        usual = Pool.PRIVATE if method.startswith("private/") else Pool.PUBLIC
        return _POOLS.get(method, usual)

    def is_private(self, channel: str) -> bool:
        """{subaccount}.orders and its like."""
        return channel.split(".")[1] in _PRIVATE_KINDS if "." in channel else False

    def subscribing(self, _private: bool) -> str:
        """One for all."""
        return "subscribe"

    def unsubscribing(self, _private: bool) -> str:
        """One for all."""
        return "unsubscribe"

    def left_out(self, channels: Sequence[str], result: Any) -> dict[str, str] | None:
        """The answer has "ok" or a reason for each."""
        try:
            return refused_channels(result, channels, Unread())
        except Unreadable:
            return None

    def book_of(self, channel: str) -> Book | None:
        """orderbook.{name}.{group}.{depth}."""
        if not channel.startswith("orderbook."):
            return None
        return Book(channel, self.instrument_of(channel))

    def has_single_levels(self, channel: str) -> bool:
        """Whether its levels are grouped by one tick."""
        return channel.split(".")[2] == "1"

    def is_ticker(self, channel: str) -> bool:
        """ticker_slim.{name}.{interval}."""
        return channel.startswith("ticker_slim.")

    def is_trades(self, channel: str) -> bool:
        """trades.{name}."""
        return channel.startswith("trades.")

    def instrument_of(self, channel: str) -> str:
        """The instrument that a channel (kind.{name}.…) is about."""
        return channel.split(".", 2)[1]


DERIVE: Final = DeriveDialect()
