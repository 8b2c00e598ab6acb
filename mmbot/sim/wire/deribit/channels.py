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
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum
from typing import Any, Protocol

import orjson

from mmbot.sim.exchange.effects import BookDelta, InstrumentChanged
from mmbot.sim.exchange.listing import Listing, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.shapes import Json


class Interval(Enum):
    """How often a channel may send; the values are the venue's words."""

    RAW = "raw"
    FAST = "100ms"
    SLOW = "agg2"


class Subscriber(Protocol):
    """A connection, as far as a channel is concerned."""

    account: str | None

    def send(self, payload: bytes, channel: str | None = None) -> None:
        """Write a message of that channel; None for the first of a subscription."""


class Source(Protocol):
    """Where channels ask for the present state."""

    exchange: Exchange

    def now_ms(self) -> int:
        """Venue time."""

    def ticker_of(self, name: str) -> Json:
        """An instrument's ticker."""

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

    def encode(self, data: Any) -> bytes:
        """A message of this channel as a frame."""
        return orjson.dumps(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": self.name, "data": data},
            }
        )

    def publish(self, data: Any) -> None:
        """Send a message to every subscriber."""
        payload = self.encode(data)
        for subscriber in list(self.subscribers):
            subscriber.send(payload, self.name)


class BookChannel(Channel):
    """book.{instrument}.{interval}: a snapshot, then changes."""

    def __init__(self, name: str, source: Source, instrument: str, interval: Interval) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self.interval = interval
        book = source.exchange.book(instrument)
        self._sent = (dict(book.depth(Side.BUY)), dict(book.depth(Side.SELL)))
        self._sent_change_id = book.change_id
        self._pending: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def greeting(self) -> Iterable[Any]:
        """The whole book, as of the change that the others were sent last."""
        assert self.instrument is not None, "a book channel has an instrument"
        self.flush()
        snapshot = shapes.snapshot(self.source.exchange.book(self.instrument), self.source.now_ms())
        if self.interval is not Interval.RAW:
            # The next change will follow on from what the others were sent last.
            snapshot["change_id"] = self._sent_change_id
        yield snapshot

    def on_delta(self, delta: BookDelta) -> None:
        """Raw: every change at once; else its levels wait for the flush."""
        if self.interval is Interval.RAW:
            self.publish(shapes.delta(delta))
            return
        for pending, changes in zip(self._pending, (delta.bids, delta.asks), strict=True):
            for _, price, amount in changes:
                pending[price] = amount

    def flush(self) -> None:
        """One change from what was sent last to what is now."""
        assert self.instrument is not None, "a book channel has an instrument"
        change_id = self.source.exchange.book(self.instrument).change_id
        if self.interval is Interval.RAW or change_id == self._sent_change_id:
            return
        bids, asks = (
            _differences(sent, pending)
            for sent, pending in zip(self._sent, self._pending, strict=True)
        )
        if bids or asks:
            # Changes that cancelled each other out send nothing; the chain simply continues later.
            merged = BookDelta(
                self.instrument,
                self.source.now_ms(),
                self._sent_change_id,
                change_id,
                bids,
                asks,
            )
            self._sent_change_id = change_id
            self.publish(shapes.delta(merged))


def _differences(
    sent: dict[Decimal, Decimal], pending: dict[Decimal, Decimal]
) -> list[tuple[str, Decimal, Decimal]]:
    changes = []
    for price, amount in pending.items():
        before = sent.get(price)
        if not amount:
            if before is not None:
                del sent[price]
                changes.append(("delete", price, amount))
        elif before != amount:
            sent[price] = amount
            changes.append(("new" if before is None else "change", price, amount))
    pending.clear()
    return changes


class GroupedBookChannel(Channel):
    """book.{instrument}.{group}.{depth}.{interval}: the first levels whole, each time."""

    def __init__(
        self,
        name: str,
        source: Source,
        instrument: str,
        group: Decimal | None,
        depth: int,
        interval: Interval,
    ) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self.interval = interval
        self._group = group
        self._depth = depth
        self._dirty = False

    def greeting(self) -> Iterable[Any]:
        """The grouped rows as they are."""
        yield self._rows()

    def on_delta(self, _delta: BookDelta) -> None:
        """Something changed: the rows are due at the next flush."""
        self._dirty = True
        if self.interval is Interval.RAW:
            self.flush()

    def flush(self) -> None:
        """The rows, if the book has changed since."""
        if self._dirty:
            self._dirty = False
            self.publish(self._rows())

    def _rows(self) -> Json:
        assert self.instrument is not None, "a book channel has an instrument"
        book = self.source.exchange.book(self.instrument)
        return {
            "timestamp": self.source.now_ms(),
            "instrument_name": self.instrument,
            "change_id": book.change_id,
            "bids": self._side(book.depth(Side.BUY), ROUND_FLOOR),
            "asks": self._side(book.depth(Side.SELL), ROUND_CEILING),
        }

    def _side(
        self, levels: list[tuple[Decimal, Decimal]], rounding: str
    ) -> list[tuple[float, float]]:
        totals: dict[Decimal, Decimal] = {}
        for price, amount in levels:
            if self._group is not None:
                price = (price / self._group).to_integral_value(rounding) * self._group
            if price not in totals and len(totals) == self._depth:
                break
            totals[price] = totals.get(price, Decimal(0)) + amount
        return [(float(price), float(amount)) for price, amount in totals.items()]


class TickerChannel(Channel):
    """ticker.{instrument}.{interval}: the ticker, when something in it has changed."""

    def __init__(self, name: str, source: Source, instrument: str, interval: Interval) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self.interval = interval
        self._sent: Json = {}

    def greeting(self) -> Iterable[Any]:
        """The whole ticker."""
        assert self.instrument is not None, "a ticker channel has an instrument"
        yield self.source.ticker_of(self.instrument)

    def on_delta(self, _delta: BookDelta) -> None:
        """Raw: a change of the book may move the best prices."""
        if self.interval is Interval.RAW:
            self.flush()

    def on_market(self) -> None:
        """Raw: the mark may have moved."""
        if self.interval is Interval.RAW:
            self.flush()

    def flush(self) -> None:
        """The ticker, if it differs from the last one sent."""
        assert self.instrument is not None, "a ticker channel has an instrument"
        fresh = self.source.ticker_of(self.instrument)
        if _changed(self._sent, fresh):
            self._sent = fresh
            self.publish(self.shown(fresh))

    def shown(self, fresh: Json) -> Json:
        """What is sent of a fresh ticker."""
        return fresh


class IncrementalTickerChannel(TickerChannel):
    """incremental_ticker.{instrument}: a snapshot, then only what changed."""

    def __init__(self, name: str, source: Source, instrument: str) -> None:
        super().__init__(name, source, instrument, Interval.FAST)
        self._shown: Json = {}

    def greeting(self) -> Iterable[Any]:
        """A snapshot of the whole ticker."""
        self.flush()
        for fresh in super().greeting():
            self._shown = fresh
            yield {**fresh, "type": "snapshot"}

    def shown(self, fresh: Json) -> Json:
        """The fields that changed, with the name and the time."""
        changed = {name: now for name, now in fresh.items() if self._shown.get(name) != now}
        self._shown = fresh
        keep = ("instrument_name", "timestamp")
        return {**{name: fresh[name] for name in keep}, **changed, "type": "change"}


class QuoteChannel(Channel):
    """quote.{instrument}: best bid and ask, at once when they change."""

    interval = Interval.RAW

    def __init__(self, name: str, source: Source, instrument: str) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self._sent: Json = {}

    def greeting(self) -> Iterable[Any]:
        """Best bid and ask."""
        yield self._quote()

    def on_delta(self, _delta: BookDelta) -> None:
        """Best bid and ask, if the change moved them."""
        fresh = self._quote()
        if _changed(self._sent, fresh):
            self._sent = fresh
            self.publish(fresh)

    def _quote(self) -> Json:
        assert self.instrument is not None, "a quote channel has an instrument"
        return shapes.quote(self.source.exchange.book(self.instrument), self.source.now_ms())


def _changed(sent: Json, fresh: Json) -> bool:
    if len(sent) != len(fresh):
        return True
    return any(name != "timestamp" and sent.get(name) != now for name, now in fresh.items())


class _Gathering(Channel):
    """A channel that sends lists: at once, or what gathered since the last flush."""

    def __init__(self, name: str, source: Source, scope: Scope, interval: Interval) -> None:
        super().__init__(name, source)
        self.scope = scope
        self.instrument = scope.name
        self.interval = interval
        self._pending: list[Json] = []

    def gather(self, rows: list[Json]) -> None:
        if not rows:
            return
        self._pending.extend(rows)
        if self.interval is Interval.RAW:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            rows, self._pending = self._pending, []
            self.publish(rows)


class TradesChannel(_Gathering):
    """trades.{instrument | kind.currency}.{interval}."""

    def on_trades(self, listing: Listing, trades: list[Json]) -> None:
        """Public trades of the instruments covered."""
        if self.scope.covers(listing):
            self.gather(trades)


class OfAccount(_Gathering):
    """A channel about one account; instruments need not be watched for it."""

    def __init__(
        self, name: str, source: Source, scope: Scope, interval: Interval, account: str
    ) -> None:
        super().__init__(name, source, scope, interval)
        self.instrument = None
        self.account = account

    def concerns(self, news: AccountNews) -> bool:
        """Whether news is of this account and the instruments covered."""
        return news.account == self.account and self.scope.covers(news.listing)


class UserTradesChannel(OfAccount):
    """user.trades.{instrument | kind.currency}.{interval}: a list each time."""

    def on_account(self, news: AccountNews) -> None:
        """The account's trades."""
        if self.concerns(news):
            self.gather(news.trades)


class UserOrdersChannel(OfAccount):
    """user.orders...: `raw` sends one order object a message, the other intervals a list."""

    def on_account(self, news: AccountNews) -> None:
        """The account's orders."""
        if not self.concerns(news):
            return
        if self.interval is Interval.RAW:
            for order in news.orders:
                self.publish(order)
        else:
            self.gather(news.orders)


class UserChangesChannel(OfAccount):
    """user.changes...: one request's orders, trades and position in one message.

    At the slower intervals, what gathered is merged into one message an instrument.
    """

    def on_account(self, news: AccountNews) -> None:
        """Orders, trades and position together."""
        if self.concerns(news):
            # The position is shaped when sent, and only where a trade moved it.
            self.gather([{"news": news}])

    def flush(self) -> None:
        """What has gathered, one message an instrument."""
        pending, self._pending = self._pending, []
        merged: dict[str, Json] = {}
        for row in pending:
            news: AccountNews = row["news"]
            change = merged.setdefault(
                news.listing.name,
                {
                    "instrument_name": news.listing.name,
                    "orders": [],
                    "trades": [],
                    "positions": [],
                },
            )
            change["orders"] += news.orders
            change["trades"] += news.trades
            if news.trades or news.delivered:
                change["positions"] = [news.position()]
        for change in merged.values():
            self.publish(change)


class PortfolioChannel(Channel):
    """user.portfolio.{currency | any}: one account object a currency, when it changed."""

    interval = Interval.SLOW

    def __init__(self, name: str, source: Source, currency: str, account: str) -> None:
        super().__init__(name, source)
        self._currency = currency
        self._account = account
        self._sent: dict[str, Json] = {}

    def greeting(self) -> Iterable[Any]:
        """The summary of every currency covered."""
        for currency in self._currencies():
            yield self.source.summary_of(self._account, currency)

    def on_account(self, news: AccountNews) -> None:
        """A trade or a delivery moved money: what changed is sent at once."""
        if news.account == self._account and (news.trades or news.delivered):
            self.flush()

    def flush(self) -> None:
        """The summaries that have changed."""
        for currency in self._currencies():
            fresh = self.source.summary_of(self._account, currency)
            if fresh != self._sent.get(currency):
                self._sent[currency] = fresh
                self.publish(fresh)

    def _currencies(self) -> list[str]:
        if self._currency == "any":
            return self.source.currencies()
        return [self._currency]


class PriceIndexChannel(Channel):
    """deribit_price_index.{index}: the index, when it moved."""

    def __init__(self, name: str, source: Source, index_name: str) -> None:
        super().__init__(name, source)
        self._index_name = index_name
        self._sent = 0.0

    def greeting(self) -> Iterable[Any]:
        """The index as it is."""
        yield self._row(self.source.index_of(self._index_name))

    def flush(self) -> None:
        """The index, if it moved."""
        price = self.source.index_of(self._index_name)
        if price != self._sent:
            self._sent = price
            self.publish(self._row(price))

    def _row(self, price: float) -> Json:
        return {
            "index_name": self._index_name,
            "price": price,
            "timestamp": self.source.now_ms(),
        }


class Hub:
    """All channels anybody subscribes to; a channel lives as long as it has a subscriber."""

    def __init__(self, make: Callable[[str, str | None], Channel | None]) -> None:
        self._make = make  # the channel of that name, for that account
        self._channels: dict[tuple[str, str | None], Channel] = {}
        self._by_instrument: dict[str, list[Channel]] = {}

    def subscribe(self, subscriber: Subscriber, name: str) -> Callable[[], None] | None:
        """Join a channel; None if there is no such channel for this subscriber.

        Returns what sends the greeting, to be called once the reply is out.
        """
        account = subscriber.account if name.startswith("user.") else None
        key = (name, account)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._make(name, account)
            if channel is None:
                return None
            self._channels[key] = channel
            if channel.instrument is not None:
                self._by_instrument.setdefault(channel.instrument, []).append(channel)
        if subscriber in channel.subscribers:
            return lambda: None
        joined = channel

        def greet() -> None:
            greetings = [joined.encode(data) for data in joined.greeting()]
            joined.subscribers[subscriber] = None
            for payload in greetings:
                subscriber.send(payload)

        return greet

    def unsubscribe(self, subscriber: Subscriber, name: str) -> bool:
        """Leave a channel; False if the subscriber was not in it."""
        key = (name, subscriber.account if name.startswith("user.") else None)
        channel = self._channels.get(key)
        if channel is None or subscriber not in channel.subscribers:
            return False
        del channel.subscribers[subscriber]
        if not channel.subscribers:
            del self._channels[key]
            if channel.instrument is not None:
                self._by_instrument[channel.instrument].remove(channel)
                if not self._by_instrument[channel.instrument]:
                    del self._by_instrument[channel.instrument]
        return True

    def unsubscribe_all(self, subscriber: Subscriber) -> None:
        """Leave every channel."""
        for name, _ in list(self._channels):
            self.unsubscribe(subscriber, name)

    def end(self, instrument: str) -> None:
        """The instrument is no more: its channels send what they have, and end."""
        for channel in list(self.of_instrument(instrument)):
            channel.flush()
            for subscriber in list(channel.subscribers):
                self.unsubscribe(subscriber, channel.name)

    def watches(self, instrument: str) -> bool:
        """Whether any channel needs that instrument."""
        return instrument in self._by_instrument

    def books(self) -> list[str]:
        """The instruments of which somebody follows the book."""
        return [
            name
            for name, channels in self._by_instrument.items()
            if any(isinstance(channel, BookChannel) for channel in channels)
        ]

    def of_instrument(self, instrument: str) -> list[Channel]:
        """The channels that need that instrument."""
        return self._by_instrument.get(instrument, [])

    def everything(self) -> list[Channel]:
        """Every channel that has a subscriber."""
        return list(self._channels.values())

    def flush(self, interval: Interval) -> None:
        """The interval has passed: let its channels send."""
        for channel in list(self._channels.values()):
            if channel.interval is interval:
                channel.flush()
