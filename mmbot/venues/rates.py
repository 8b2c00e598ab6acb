"""How many requests may be made, and a bucket to spend them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`rate` requests a second, `burst` at once."""

    rate: float
    burst: float
    windowed: bool = False
    """Given back all at once, when the next window of `burst / rate` seconds begins."""


class Bucket:
    """A token bucket. The part `keep` of it can be spent only by those who ask for no reserve."""

    __slots__ = ("_at_s", "_tokens", "limit")

    def __init__(self, limit: Rate, now_s: float) -> None:
        self.limit = limit
        self._tokens = limit.burst
        self._at_s = now_s

    def take(self, now_s: float, keep: float = 0.0) -> float:
        """Spend one token if that leaves `keep`; returns 0.0, or the seconds until it could."""
        refill = max(0.0, now_s - self._at_s) * self.limit.rate
        self._tokens = min(self.limit.burst, self._tokens + refill)
        self._at_s = now_s
        missing = 1.0 + keep - self._tokens
        if missing <= 0.0:
            self._tokens -= 1.0
            return 0.0
        return missing / self.limit.rate
