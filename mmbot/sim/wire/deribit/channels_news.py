"""Channels about the venue itself, about listings, candles, and what is listed but not traded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mmbot.sim.exchange.matching import InstrumentChanged, Listing
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.channels import Channel, Interval
from mmbot.sim.wire.deribit.charts import MINUTE_MS, Candle
from mmbot.sim.wire.deribit.shapes import Json

if TYPE_CHECKING:
    from mmbot.sim.wire.deribit.venue import DeribitVenue


class PlatformChannel(Channel):
    """platform_state, platform_state.public_methods_state, user.lock: told by `Locks`, without a
    greeting."""

    interval = Interval.RAW


class InstrumentStateChannel(Channel):
    """instrument.state.{kind}.{currency}: listings as they come and go, combos and spot too."""

    interval = Interval.RAW

    def __init__(self, name: str, source: DeribitVenue, kind: str, currency: str) -> None:
        super().__init__(name, source)
        self._kind = kind
        self._currency = currency

    def on_instrument(self, change: InstrumentChanged) -> None:
        listing = change.listing
        news: Json = {
            "timestamp": change.time_ms,
            "state": change.state.value,
            "instrument_name": listing.name,
        }
        self.hear(shapes.venue_kind(listing), listing.settlement, news)

    def hear(self, kind: str, currency: str, news: Json) -> None:
        """Pass on what has become of an instrument of that kind and currency."""
        kinds = ("any", kind, "combo" if kind.endswith("_combo") else kind)
        if self._kind in kinds and self._currency in ("any", currency):
            self.publish(news)


class ChartChannel(Channel):
    """chart.trades.{instrument}.{resolution}: the period's candle, whenever it has changed.

    A period in which nothing trades is told once, with the close before it.
    """

    def __init__(self, name: str, source: DeribitVenue, instrument: str, minutes: int) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self._venue = source
        self._minutes = minutes
        self._sent: Json = {}

    def greeting(self) -> Iterable[Any]:
        candle = self._now()
        if candle is not None:
            yield candle.shaped()

    def on_trades(self, listing: Listing, trades: list[Json]) -> None:
        if listing.name == self.instrument:
            self.flush()

    def flush(self) -> None:
        candle = self._now()
        if candle is not None and candle.shaped() != self._sent:
            self._sent = candle.shaped()
            self.publish(self._sent)

    def _now(self) -> Candle | None:
        assert self.instrument is not None, "a chart has an instrument"
        now_ms = self._venue.now_ms()
        since_ms = now_ms - now_ms % (self._minutes * MINUTE_MS)
        candles = self._venue.charts.candles(self.instrument, self._minutes, since_ms, now_ms)
        return candles[-1] if candles else None


class UntradedBookChannel(Channel):
    """book.{combo}...: an empty book, told once."""

    def __init__(self, name: str, source: DeribitVenue, instrument: str, *, grouped: bool) -> None:
        super().__init__(name, source)
        self._of = instrument
        self._grouped = grouped

    def greeting(self) -> Iterable[Any]:
        book: Json = {
            "timestamp": self.source.now_ms(),
            "instrument_name": self._of,
            "change_id": 1,
            "bids": [],
            "asks": [],
        }
        yield book if self._grouped else {**book, "type": "snapshot", "prev_change_id": None}


class UntradedTickerChannel(Channel):
    """ticker.{combo}.{interval}, incremental_ticker.{combo}, quote.{combo}: told once."""

    def __init__(self, name: str, source: DeribitVenue, topic: str, instrument: str) -> None:
        super().__init__(name, source)
        self._venue = source
        self._topic = topic
        self._of = instrument

    def greeting(self) -> Iterable[Any]:
        ticker = self._venue.catalog.ticker(self._of)
        if self._topic == "incremental_ticker":
            ticker["type"] = "snapshot"
        elif self._topic == "quote":
            wanted = ("timestamp", "instrument_name")
            ticker = {
                key: value
                for key, value in ticker.items()
                if key in wanted or key.startswith("best_")
            }
        yield ticker


class SilentChannel(Channel):
    """trades.{combo}.{interval}, chart.trades.{combo}.{resolution}: nothing ever trades."""


def untraded_channel(
    source: DeribitVenue, name: str, topic: str, instrument: str, rest: list[str]
) -> Channel | None:
    """A channel of an instrument that is listed and not traded here; None if there is none."""
    match topic, rest:
        case "book", [_]:
            return UntradedBookChannel(name, source, instrument, grouped=False)
        case "book", [_, _, _]:
            return UntradedBookChannel(name, source, instrument, grouped=True)
        case ("ticker", [_]) | (("incremental_ticker" | "quote"), []):
            return UntradedTickerChannel(name, source, topic, instrument)
        case "trades", [_]:
            return SilentChannel(name, source)
        case _:
            return None
