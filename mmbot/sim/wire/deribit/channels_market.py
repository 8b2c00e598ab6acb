"""Channels of market data: books, tickers, quotes, public trades and price indices."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.listing import Listing, Side
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.channels import Channel, Gathering, Interval, Source
from mmbot.sim.wire.deribit.shapes import Json


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

    def _side(self, levels: list[tuple[Decimal, Decimal]], rounding: str) -> list[list[float]]:
        totals: dict[Decimal, Decimal] = {}
        for price, amount in levels:
            if self._group is not None:
                price = (price / self._group).to_integral_value(rounding) * self._group
            if price not in totals and len(totals) == self._depth:
                break
            totals[price] = totals.get(price, Decimal(0)) + amount
        return [[float(price), float(amount)] for price, amount in totals.items()]


class TickerChannel(Channel):
    """ticker.{instrument}.{interval}: the ticker, when something in it has changed."""

    def __init__(self, name: str, source: Source, instrument: str, interval: Interval) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self.interval = interval
        self._sent: Json = {}
        self._looked: object = None  # the state at the last look

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
        glanced = self.source.glanced(self.instrument)
        if glanced is not None and glanced is self._looked:
            return
        state = glanced or self.source.ticker_state(self.instrument)
        if state == self._looked:
            return
        self._looked = state
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
    return {**sent, "timestamp": fresh["timestamp"]} != fresh


class TradesChannel(Gathering):
    """trades.{instrument | kind.currency}.{interval}."""

    def on_trades(self, listing: Listing, trades: list[Json]) -> None:
        """Public trades of the instruments covered."""
        if self.scope.covers(listing):
            self.gather(trades)


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
