"""What longs and shorts of a perpetual pay each other, second by second.

With P = mark / index - 1, the rate for 8 hours is max(0.025 %, P) + min(-0.025 %, P), within a cap;
positive: longs pay. Source: the venue's description of its perpetual. A second costs a position
rate x 1 s / 8 h of its size in coin at the index, in settlement currency.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.listing import Listing

DEAD_BAND: Final = 0.00025
RATE_MAX: Final = 0.005
PERIOD_S: Final = 8 * 3_600
HOUR_MS: Final = 3_600_000
HOURS_KEPT: Final = 31 * 24
PERIOD_HOURS: Final = 8
UNIT_STEP: Final = Decimal(
    "1E-20"
)  # of what one unit of amount owes: an inverse one is worth little


def rate_of(premium: float) -> float:
    """The 8-hour rate at a premium of the mark over the index."""
    rate = max(DEAD_BAND, premium) + min(-DEAD_BAND, premium)
    return min(max(rate, -RATE_MAX), RATE_MAX)


@dataclass(frozen=True, slots=True)
class FundingHour:
    """One hour that has ended; interest as a fraction of the position, positive: longs paid."""

    time_ms: int  # when it ended
    index: float
    previous_index: float
    interest_1h: float
    interest_8h: float  # of the eight hours that ended then


class Funding:
    """One perpetual's funding: told once a second, remembers by the hour."""

    def __init__(self, listing: Listing, now_ms: int, index: float) -> None:
        self.listing = listing
        self.rate = 0.0  # for 8 hours, at this moment
        self.mean_8h = 0.0  # trailing
        self.hours: deque[FundingHour] = deque(maxlen=HOURS_KEPT)
        self._hour_ends_ms = now_ms - now_ms % HOUR_MS + HOUR_MS
        self._hour_interest = 0.0
        self._index = index

    def accrue(self, now_ms: int, premium: float, index: float) -> Decimal:
        """One second has passed: what longs owe for it per unit of amount."""
        self.rate = rate_of(premium)
        self.mean_8h += (self.rate - self.mean_8h) / PERIOD_S
        interest = self.rate / PERIOD_S
        self._hour_interest += interest
        if now_ms >= self._hour_ends_ms:
            self._end_hour(index)
        owed = interest / index if self.listing.inverse else interest * index
        return Decimal(repr(owed)).quantize(UNIT_STEP) if owed else Decimal(0)

    def _end_hour(self, index: float) -> None:
        recent = list(self.hours)[-(PERIOD_HOURS - 1) :]
        self.hours.append(
            FundingHour(
                self._hour_ends_ms,
                index,
                self._index,
                self._hour_interest,
                self._hour_interest + sum(hour.interest_1h for hour in recent),
            )
        )
        self._index = index
        self._hour_interest = 0.0
        self._hour_ends_ms += HOUR_MS
