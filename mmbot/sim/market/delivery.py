"""The delivery price: the mean of the index over the half hour before 08:00 UTC.

`DeliveryWindow` belongs to one index and is told its value once a second. While it is open, the
delivery price to expect is (1 - u) A + u F, with A the mean so far, F the price of the coin now and
u the share of the half hour that is left. Of the price's variance in that time, a mean takes a
third: an option has a standard deviation of u sigma sqrt(tau / 3) left inside the window, and
before it sigma sqrt(T - 2/3 x 30 min). (The variance of the time average of a Brownian motion over
tau is sigma^2 tau / 3.)
"""

from __future__ import annotations

import math
from typing import Final

from mmbot.sim.market.underlying import SECONDS_A_YEAR

DAY_MS: Final = 86_400_000
SETTLEMENT_OF_DAY_MS: Final = 8 * 3_600_000
WINDOW_MS: Final = 30 * 60_000
SAMPLE_MS: Final = 1_000

_WINDOW_YEARS: Final = WINDOW_MS / 1_000 / SECONDS_A_YEAR


def next_settlement_ms(now_ms: int) -> int:
    """The first 08:00 UTC after `now_ms`."""
    today = now_ms - now_ms % DAY_MS + SETTLEMENT_OF_DAY_MS
    return today if today > now_ms else today + DAY_MS


class DeliveryWindow:
    """The half hour before one 08:00 UTC after another, and the mean of one index in it."""

    def __init__(self, now_ms: int, index: float) -> None:
        self.close_ms = next_settlement_ms(now_ms)
        # A world that begins inside the window takes its index to have stood still until then.
        self._count = max(now_ms - self.open_ms, 0) // SAMPLE_MS
        self._sum = self._count * index

    @property
    def open_ms(self) -> int:
        """When the half hour begins."""
        return self.close_ms - WINDOW_MS

    def observe(self, now_ms: int, index: float) -> None:
        """The index, once a second."""
        if now_ms > self.open_ms:
            self._sum += index
            self._count += 1

    def delivery(self, index: float) -> float:
        """The mean; the `index` itself where it was never observed. Begins the next window."""
        mean = self._sum / self._count if self._count else index
        self.close_ms += DAY_MS
        self._sum = 0.0
        self._count = 0
        return mean

    def share_left(self, now_ms: int) -> float:
        """u: 1 until the window opens, 0 when it closes."""
        return min(max((self.close_ms - now_ms) / WINDOW_MS, 0.0), 1.0)

    def blend(self, now_ms: int, price: float) -> float:
        """The delivery price to expect with the coin at `price`."""
        left = self.share_left(now_ms)
        if left == 1 or not self._count:
            return price
        return (1 - left) * self._sum / self._count + left * price


def averaged_deviation(years: float, volatility: float, left: float) -> float:
    """Standard deviation, in log, of the average that is delivered in `years`.

    `left` is u: below 1, the window is open. Relative to the price of the coin now.
    """
    if left < 1:
        return left * volatility * math.sqrt(years / 3)
    return volatility * math.sqrt(max(years - _WINDOW_YEARS * 2 / 3, 0.0))
