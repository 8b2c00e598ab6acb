"""Subscriptions: one object a channel, shared by its subscribers, encoded once.

Theory of operation
-------------------
A channel hears what happened (`on_delta`, `on_trades`, `on_account`, `on_market` ...) and sends
either at once (interval `raw`) or when its interval's `flush` comes (`100ms`, `agg2`). Incremental
books keep what they last sent, so that a flush sends the difference since then as one change, with
`prev_change_id` equal to the `change_id` sent before: the chain holds on every channel by itself.
A new subscriber is greeted with the state the channel has sent to the others, so it flushes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from mmbot.sim.exchange.effects import BookDelta, InstrumentChanged
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.frame import Frame


class Interval(Enum):
    """How often a channel may send; the values are the venue's words."""

    RAW = "raw"
    FAST = "100ms"
    SLOW = "agg2"


class Subscriber(Protocol):
    """A connection, as far as a channel is concerned."""

    account: str | None

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Write a message of that channel; None for the first of a subscription."""


class Source(Protocol):
    """Where channels ask for the present state."""

    exchange: Exchange

    def now_ms(self) -> int:
        """Venue time."""

    def ticker_of(self, name: str) -> Json:
        """An instrument's ticker."""

    def glanced(self, name: str) -> object:
        """The ticker of an option that is only looked at: another one whenever it changes."""

    def ticker_state(self, name: str) -> object:
        """What a ticker says but for its time: where it is equal, nothing has changed."""

    def summary_of(self, account: str, currency: str) -> Json:
        """An account's summary in one currency."""

    def index_of(self, index_name: str) -> float:
        """A price index in USD."""

    def currencies(self) -> list[str]:
        """The settlement currencies."""

    def index_names(self) -> list[str]:
        """The price indices."""


@dataclass(frozen=True, slots=True)
class AccountNews:
    """What one request did to an account in one instrument, shaped.

    `delivered`: the position ended without a trade.
    """

    account: str
    listing: Listing
    orders: list[Json]
    trades: list[Json]
    delivered: bool
    position: Callable[[], Json]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which instruments a channel covers: one by name, or a kind and a currency (or any)."""

    name: str | None = None
    kind: str = "any"
    currency: str = "any"

    def covers(self, listing: Listing) -> bool:
        """Whether an instrument is among them."""
        if self.name is not None:
            return listing.name == self.name
        return self.kind in ("any", shapes.venue_kind(listing)) and self.currency in (
            "any",
            listing.settlement,
        )


class Channel:
    """The base: subscribers, and sending to all of them."""

    interval: Interval = Interval.FAST
    instrument: str | None = None  # the one instrument it needs watched, if any

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self.source = source
        self.subscribers: dict[Subscriber, None] = {}

    def greeting(self) -> Iterable[Any]:
        """What a new subscriber is sent first."""
        return ()

    def flush(self) -> None:
        """Send what has gathered since the last time."""

    def on_delta(self, delta: BookDelta) -> None:
        """A book changed."""

    def on_market(self) -> None:
        """The market moved a step."""

    def on_trades(self, listing: Listing, trades: list[Json]) -> None:
        """Public trades were made."""

    def on_account(self, news: AccountNews) -> None:
        """An account's orders or trades changed."""

    def on_instrument(self, change: InstrumentChanged) -> None:
        """An instrument began or ended."""

    def on_untraded(self, kind: str, currency: str, news: Json) -> None:
        """Something of that kind and currency, listed but not traded here, began or ended."""

    def frame(self, data: Any) -> Frame:
        """A message of this channel as a frame."""
        return Frame(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": self.name, "data": data},
            }
        )

    def publish(self, data: Any) -> None:
        """Send a message to every subscriber."""
        frame = self.frame(data)
        for subscriber in list(self.subscribers):
            subscriber.send(frame, self.name)


class Gathering(Channel):
    """A channel that sends lists: at once, or what gathered since the last flush."""

    def __init__(self, name: str, source: Source, scope: Scope, interval: Interval) -> None:
        super().__init__(name, source)
        self.scope = scope
        self.instrument = scope.name
        self.interval = interval
        self._pending: list[Json] = []

    def gather(self, rows: list[Json]) -> None:
        """Take rows along: sent at once by a raw channel, else by the next flush."""
        if not rows:
            return
        self._pending.extend(rows)
        if self.interval is Interval.RAW:
            self.flush()

    def flush(self) -> None:
        """What has gathered, in one list."""
        if self._pending:
            rows, self._pending = self._pending, []
            self.publish(rows)
