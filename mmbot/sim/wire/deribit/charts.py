"""Candles: what has traded in a minute, and in longer periods."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing
from mmbot.sim.wire.deribit.shapes import Json

MINUTE_MS: Final = 60_000
MINUTES_KEPT: Final = 7 * 24 * 60
CANDLES_MAX: Final = 5_000  # an answer holds no more

RESOLUTIONS: Final = {
    **{str(minutes): minutes for minutes in (1, 3, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)},
    "1D": 1_440,
    "D": 1_440,
    "W": 7 * 1_440,
    "M": 30 * 1_440,
}
"""The venue's words, in minutes."""


@dataclass(slots=True)
class Candle:
    """One period's trades; `volume` in base currency, `cost` in quote currency."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    cost: float = 0.0

    def take(self, later: Candle) -> None:
        """Add what happened after it."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.cost += later.cost

    def filler(self, start_ms: int) -> Candle:
        """The candle of a later period in which nothing trades."""
        return Candle(start_ms, self.close, self.close, self.close, self.close)

    def shaped(self) -> Json:
        """As `chart.trades` sends it."""
        return {
            "tick": self.start_ms,
            "open": self.open,
            "high": self.high,
            "low": self.low,
            "close": self.close,
            "volume": self.volume,
            "cost": self.cost,
        }


class Charts:
    """The last days' candles of every instrument that has traded."""

    def __init__(self) -> None:
        self._minutes: dict[str, deque[Candle]] = {}

    def note(self, listing: Listing, trades: Iterable[Json]) -> None:
        """Take in public trades, oldest first."""
        minutes = self._minutes.setdefault(listing.name, deque(maxlen=MINUTES_KEPT))
        for trade in trades:
            price, amount = trade["price"], trade["amount"]
            in_usd = listing.inverse and listing.kind is not Kind.OPTION
            volume, cost = (amount / price, amount) if in_usd else (amount, amount * price)
            start_ms = trade["timestamp"] - trade["timestamp"] % MINUTE_MS
            fresh = Candle(start_ms, price, price, price, price, volume, cost)
            if minutes and minutes[-1].start_ms == start_ms:
                minutes[-1].take(fresh)
            else:
                minutes.append(fresh)

    def candles(self, name: str, minutes: int, start_ms: int, end_ms: int) -> Sequence[Candle]:
        """The periods of so many minutes in [start_ms, end_ms], oldest first, without gaps.

        From the first one with a trade on; a period without any repeats the close before it.
        """
        period_ms = minutes * MINUTE_MS
        start_ms = max(start_ms, end_ms - CANDLES_MAX * period_ms)
        first_ms = start_ms - start_ms % period_ms
        recent: list[Candle] = []
        for minute in reversed(self._minutes.get(name, ())):
            recent.append(minute)
            if minute.start_ms < first_ms:
                break  # whose close goes on until somebody trades
        found: list[Candle] = []
        for minute in reversed(recent):
            begins_ms = minute.start_ms - minute.start_ms % period_ms
            if begins_ms > end_ms:
                break
            _fill(found, first_ms, begins_ms, period_ms)
            if found and found[-1].start_ms == begins_ms:
                found[-1].take(minute)
            else:
                found.append(replace(minute, start_ms=begins_ms))
        _fill(found, first_ms, end_ms + 1, period_ms)
        return [one for one in found if one.start_ms >= first_ms]


def _fill(found: list[Candle], first_ms: int, until_ms: int, period_ms: int) -> None:
    """Add fillers for the periods from `first_ms` on that begin before `until_ms`."""
    while found and found[-1].start_ms + period_ms < until_ms:
        begins_ms = max(found[-1].start_ms + period_ms, first_ms)
        if begins_ms >= until_ms:
            return
        found.append(found[-1].filler(begins_ms))
