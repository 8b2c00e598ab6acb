"""Subscriptions: one object a channel, shared by its subscribers, encoded once.

Theory of operation
-------------------
Books are sent whole, every 100 ms in which they have changed; tickers every 100 or 1000 ms, where
something in them has; trades, and what is an account's own, with the request that caused them. A
new subscriber of a book, a ticker or a price is sent it at once. A channel of an account is named
after its subaccount, and only let in is who is logged in for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final, Protocol

from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.wire.derive import shapes
from mmbot.sim.wire.derive.assets import TYPES, type_of
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json
from mmbot.sim.wire.frame import Frame

GROUPS: Final = (1, 10, 100)
DEPTHS: Final = (1, 10, 20, 100)
SETTLED: Final = "Settled"
STATUSES: Final = tuple(
    f"{stage}{end}"
    for end in ("", "Error")
    for stage in ("Batching", "Executing", "Proving", "Settling", SETTLED)
)
SILENT: Final = ("auctions.watch", "margin.watch")
"""Channels of liquidations, of which there is none here."""


class Interval(Enum):
    """How often a channel may send; the values are milliseconds."""

    FAST = 100
    SLOW = 1_000


class Source(Protocol):
    """Where channels ask for the present state."""

    exchange: Exchange

    def now_ms(self) -> int:
        """Venue time."""

    def ticker_of(self, name: str) -> Json:
        """An instrument's ticker."""

    def glanced(self, name: str) -> object:
        """The ticker of an option that is only looked at: another one whenever it changes."""

    def feed_of(self, currency: str) -> Json:
        """A coin's price."""


class Channel:
    """The base: subscribers, and sending to all of them."""

    interval: Interval = Interval.FAST
    instrument: str | None = None  # the one instrument it needs watched, if any

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self.source = source
        self.subscribers: dict[Session, None] = {}

    def greeting(self) -> Iterable[Any]:
        """What a new subscriber is sent first."""
        return ()

    def flush(self) -> None:
        """Send what has changed since the last time."""

    def touch(self) -> None:
        """A book changed."""

    def frame(self, told: Any) -> Frame:
        """A message of this channel as a frame."""
        params = {"channel": self.name, "data": told}
        return Frame({"method": "subscription", "params": params})

    def publish(self, told: Any) -> None:
        """Send a message to every subscriber."""
        frame = self.frame(told)
        for subscriber in list(self.subscribers):
            subscriber.send(frame, self.name)


class BookChannel(Channel):
    """orderbook.{instrument}.{group}.{depth}: the first levels, whole each time."""

    def __init__(self, name: str, source: Source, instrument: str, group: int, depth: int) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self._group = group
        self._depth = depth
        self._changed = False

    def greeting(self) -> Iterable[Any]:
        """The book as it is."""
        yield self._levels()

    def touch(self) -> None:
        """The book is due at the next flush."""
        self._changed = True

    def flush(self) -> None:
        """The book, if it has changed since."""
        if self._changed:
            self._changed = False
            self.publish(self._levels())

    def _levels(self) -> Json:
        assert self.instrument is not None, "a book channel has an instrument"
        book = self.source.exchange.book(self.instrument)
        return shapes.orderbook(book, self._group, self._depth, self.source.now_ms())


class TickerChannel(Channel):
    """ticker_slim.{instrument}.{interval}: the ticker, when something in it has changed."""

    def __init__(self, name: str, source: Source, instrument: str, interval: Interval) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self.interval = interval
        self._sent: Json = {}
        self._looked: object = None  # at the last look, where that tells whether it has changed

    def greeting(self) -> Iterable[Any]:
        """The ticker as it is."""
        assert self.instrument is not None, "a ticker channel has an instrument"
        yield self._told(self.source.ticker_of(self.instrument))

    def flush(self) -> None:
        """The ticker, if it differs from the last one sent."""
        assert self.instrument is not None, "a ticker channel has an instrument"
        glanced = self.source.glanced(self.instrument)
        if glanced is not None and glanced is self._looked:
            return
        self._looked = glanced
        fresh = self.source.ticker_of(self.instrument)
        if {**self._sent, "t": fresh["t"]} != fresh:
            self._sent = fresh
            self.publish(self._told(fresh))

    def _told(self, fresh: Json) -> Json:
        return {"timestamp": self.source.now_ms(), "instrument_ticker": fresh}


class FeedChannel(Channel):
    """spot_feed.{currency}: a coin's price, when it moved."""

    interval = Interval.SLOW

    def __init__(self, name: str, source: Source, currency: str) -> None:
        super().__init__(name, source)
        self._currency = currency
        self._sent: Json = {}

    def greeting(self) -> Iterable[Any]:
        """The price as it is."""
        yield self._told(self.source.feed_of(self._currency))

    def flush(self) -> None:
        """The price, if it moved."""
        fresh = self.source.feed_of(self._currency)
        if fresh != self._sent:
            self._sent = fresh
            self.publish(self._told(fresh))

    def _told(self, fresh: Json) -> Json:
        return {"timestamp": self.source.now_ms(), "feeds": {self._currency: fresh}}


class Hub:
    """All channels anybody subscribes to; a channel lives as long as it has a subscriber."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._channels: dict[str, Channel] = {}
        self._by_instrument: dict[str, list[Channel]] = {}

    def subscribe(self, session: Session, name: str) -> Callable[[], None] | str:
        """Join a channel: what sends the greeting, to be called once the reply is out. Or why
        not."""
        channel = self._channels.get(name)
        if channel is None:
            made = self._make(name)
            if isinstance(made, str):
                return made
            channel = self._channels[name] = made
            if made.instrument is not None:
                self._by_instrument.setdefault(made.instrument, []).append(made)
        joined = channel
        session.channels[name] = None
        if session in joined.subscribers:
            return _nothing

        def greet() -> None:
            joined.subscribers[session] = None
            for told in joined.greeting():
                session.send(joined.frame(told))

        return greet

    def unsubscribe(self, session: Session, name: str) -> None:
        """Leave a channel, if it was joined."""
        session.channels.pop(name, None)
        channel = self._channels.get(name)
        if channel is None:
            return
        channel.subscribers.pop(session, None)
        if not channel.subscribers:
            del self._channels[name]
            if channel.instrument is not None:
                left = self._by_instrument[channel.instrument]
                left.remove(channel)
                if not left:
                    del self._by_instrument[channel.instrument]

    def end(self, instrument: str) -> None:
        """The instrument is no more: its channels send what they have, and end."""
        for channel in list(self.of_instrument(instrument)):
            channel.flush()
            for session in list(channel.subscribers):
                self.unsubscribe(session, channel.name)

    def publish(self, name: str, told: Any) -> None:
        """Send a message of a channel, if anybody follows it."""
        channel = self._channels.get(name)
        if channel is not None:
            channel.publish(told)

    def follows(self, name: str) -> bool:
        """Whether anybody follows a channel."""
        return name in self._channels

    def instrument_of(self, name: str) -> str | None:
        """The instrument that a channel needs watched, if it needs one."""
        return self._channels[name].instrument

    def watches(self, instrument: str) -> bool:
        """Whether any channel needs that instrument."""
        return instrument in self._by_instrument

    def books(self, sessions: Iterable[Session]) -> list[str]:
        """The instruments of which some of those sessions follow the book."""
        asking = dict.fromkeys(sessions)
        return [
            name
            for name, channels in self._by_instrument.items()
            if any(
                isinstance(channel, BookChannel)
                and not asking.keys().isdisjoint(channel.subscribers)
                for channel in channels
            )
        ]

    def of_instrument(self, instrument: str) -> list[Channel]:
        """The channels that need that instrument."""
        return self._by_instrument.get(instrument, [])

    def flush(self, interval: Interval) -> None:
        """The interval has passed: let its channels send."""
        for channel in list(self._channels.values()):
            if channel.interval is interval:
                channel.flush()

    # -- which there are -------------------------------------------------------------------------

    def _make(self, name: str) -> Channel | str:
        """The channel of that name, or why there is none."""
        head, *rest = name.split(".")
        if head == "orderbook" and len(rest) == 3:
            return self._book(name, rest)
        if head == "ticker_slim" and len(rest) == 2:
            if rest[1] not in ("100", "1000"):
                return "Invalid channels: interval must be 100 or 1000"
            found = self._listed(rest[0])
            interval = Interval(int(rest[1]))
            return found or TickerChannel(name, self._source, rest[0], interval)
        if head == "trades":
            return self._trades(name, rest)
        if head == "spot_feed" and len(rest) == 1:
            known = {listing.underlying for listing in self._source.exchange.listings.values()}
            if rest[0] not in known:
                return f"Invalid channels: currency {rest[0]} not found"
            return FeedChannel(name, self._source, rest[0])
        if name in SILENT or _OF_ACCOUNT.fullmatch(name) or _OF_WALLET.fullmatch(name):
            return Channel(name, self._source)
        return f"Invalid channels: {name}"

    def _book(self, name: str, parts: list[str]) -> Channel | str:
        instrument, group, depth = parts
        if group not in map(str, GROUPS) or depth not in map(str, DEPTHS):
            return f"Invalid channels: group is one of {GROUPS}, depth one of {DEPTHS}"
        return self._listed(instrument) or BookChannel(
            name, self._source, instrument, int(group), int(depth)
        )

    def _trades(self, name: str, parts: list[str]) -> Channel | str:
        if len(parts) == 1 and parts[0] not in TYPES:
            found = self._listed(parts[0])
            channel = Channel(name, self._source)
            channel.instrument = parts[0]
            return found or channel
        known = len(parts) in (2, 3) and parts[0] in TYPES
        if not known or (len(parts) == 3 and parts[2] not in STATUSES):
            return f"Invalid channels: {name}"
        return Channel(name, self._source)

    def _listed(self, instrument: str) -> str | None:
        """Why there is nothing to follow, where there is not."""
        if instrument in self._source.exchange.listings:
            return None
        return f"Invalid channels: instrument {instrument} not found"


_OF_ACCOUNT: Final = re.compile(
    rf"\d+\.(orders|trades|balances|quotes|best\.quotes|trades\.({'|'.join(STATUSES)}))"
)
_OF_WALLET: Final = re.compile(r"0x[0-9a-fA-F]{40}\.rfqs")


def owner_of(name: str) -> int | str | None:
    """The subaccount or wallet (lower case) that a channel belongs to; None for a public one."""
    head = name.split(".", 1)[0]
    if _OF_ACCOUNT.fullmatch(name):
        return int(head)
    return head.lower() if _OF_WALLET.fullmatch(name) else None


def of_trades(listing: Listing) -> tuple[str, str]:
    """The channels on which the trades of an instrument are told."""
    return f"trades.{listing.name}", f"trades.{type_of(listing)}.{listing.underlying}"


def _nothing() -> None:
    """Who has joined already is not greeted again."""
