"""Rate credits: a bucket that refills with time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second in the long run, so many at once."""

    per_s: float
    burst: int


class Bucket:
    """Requests left under one `Rate`; it is told the time, and starts full."""

    def __init__(self, rate: Rate, now_ms: int) -> None:
        self.rate = rate
        self._left = float(rate.burst)
        self._at_ms = now_ms

    def take(self, now_ms: int) -> bool:
        """Spend one request; False when none is left, which spends nothing."""
        elapsed_s = max(now_ms - self._at_ms, 0) / 1000
        self._left = min(self._left + elapsed_s * self.rate.per_s, float(self.rate.burst))
        self._at_ms = now_ms
        if self._left < 1:
            return False
        self._left -= 1
        return True
