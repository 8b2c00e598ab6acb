"""What has been traded in an instrument in the last 24 hours."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from mmbot.sim.exchange.accounts import Print
from mmbot.sim.exchange.listing import Kind, Listing

HOUR_MS: Final = 3_600_000
STATS_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Stats:
    """Trading of the last 24 hours; None where nothing traded. `price_change` in percent."""

    high: float | None = None
    low: float | None = None
    price_change: float | None = None
    volume: float = 0.0  # coin
    volume_usd: float = 0.0


@dataclass(slots=True)
class _Hour:
    """One hour's trades of one instrument."""

    number: int
    first: float
    last: float
    high: float
    low: float
    volume: float = 0.0
    volume_usd: float = 0.0


@dataclass(slots=True)
class TradeHistory:
    """The hours with trades of one instrument, oldest first, at most a day's."""

    hours: list[_Hour] = field(default_factory=list)

    def note(self, listing: Listing, trade: Print) -> None:
        """Count one public trade of that instrument."""
        price, amount, index = float(trade.price), float(trade.amount), float(trade.index)
        if listing.kind is Kind.OPTION:
            coins, usd = amount, amount * price * (index if listing.inverse else 1)
        elif listing.inverse:
            coins, usd = amount / price, amount
        else:
            coins, usd = amount, amount * price
        self._add(trade.time_ms // HOUR_MS, price, coins, usd)

    def stats(self, now_ms: int) -> Stats:
        """The last 24 hours, by whole hours."""
        oldest = now_ms // HOUR_MS - STATS_HOURS
        hours = [hour for hour in self.hours if hour.number > oldest]
        if not hours:
            return Stats()
        return Stats(
            max(hour.high for hour in hours),
            min(hour.low for hour in hours),
            round(100 * (hours[-1].last / hours[0].first - 1), 4),
            round(math.fsum(hour.volume for hour in hours), 8),
            round(math.fsum(hour.volume_usd for hour in hours), 2),
        )

    def _add(self, number: int, price: float, coins: float, usd: float) -> None:
        if not self.hours or self.hours[-1].number != number:
            self.hours.append(_Hour(number, price, price, price, price))
            self.hours = [hour for hour in self.hours if hour.number > number - STATS_HOURS]
        hour = self.hours[-1]
        hour.last = price
        hour.high = max(hour.high, price)
        hour.low = min(hour.low, price)
        hour.volume += coins
        hour.volume_usd += usd
