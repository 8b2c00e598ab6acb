"""Channels about the venue itself, about listings, and candles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmbot.sim.exchange.effects import InstrumentChanged
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.channels import Channel, Interval
from mmbot.sim.wire.deribit.charts import MINUTE_MS, Candle
from mmbot.sim.wire.deribit.floor import Floor
from mmbot.sim.wire.deribit.shapes import Json


class PlatformChannel(Channel):
    """platform_state, platform_state.public_methods_state, user.lock: told by `Locks`, without a
    greeting."""

    interval = Interval.RAW


class InstrumentStateChannel(Channel):
    """instrument.state.{kind}.{currency}: listings as they come and go, combos and spot too."""

    interval = Interval.RAW

    def __init__(self, name: str, source: Floor, kind: str, currency: str) -> None:
        super().__init__(name, source)
        self._kind = kind
        self._currency = currency

    def on_instrument(self, change: InstrumentChanged) -> None:
        """A listing that is traded began or ended."""
        listing = change.listing
        news: Json = {
            "timestamp": change.time_ms,
            "state": change.state.value,
            "instrument_name": listing.name,
        }
        self.on_untraded(shapes.venue_kind(listing), listing.settlement, news)

    def on_untraded(self, kind: str, currency: str, news: Json) -> None:
        """A listing of that kind and currency began or ended, if the channel covers them."""
        kinds = ("any", kind, "combo" if kind.endswith("_combo") else kind)
        if self._kind in kinds and self._currency in ("any", currency):
            self.publish(news)


class ChartChannel(Channel):
    """chart.trades.{instrument}.{resolution}: the period's candle, whenever it has changed.

    A period in which nothing trades is told once, with the close before it.
    """

    def __init__(self, name: str, source: Floor, instrument: str, minutes: int) -> None:
        super().__init__(name, source)
        self.instrument = instrument
        self._floor = source
        self._minutes = minutes
        self._sent: Json = {}

    def greeting(self) -> Iterable[Any]:
        """The candle of this period, if there is one."""
        candle = self._now()
        if candle is not None:
            yield candle.shaped()

    def on_trades(self, listing: Listing, _trades: list[Json]) -> None:
        """A trade changes the candle at once."""
        if listing.name == self.instrument:
            self.flush()

    def flush(self) -> None:
        """The candle, if it differs from the last one sent."""
        candle = self._now()
        if candle is not None and candle.shaped() != self._sent:
            self._sent = candle.shaped()
            self.publish(self._sent)

    def _now(self) -> Candle | None:
        assert self.instrument is not None, "a chart has an instrument"
        now_ms = self._floor.now_ms()
        since_ms = now_ms - now_ms % (self._minutes * MINUTE_MS)
        candles = self._floor.charts.candles(self.instrument, self._minutes, since_ms, now_ms)
        return candles[-1] if candles else None
