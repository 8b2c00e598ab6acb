"""The venue's rate limit as a value: a token bucket that always keeps something for cancels."""

from dataclasses import dataclass

from mmbot.core.types import SECOND, Nanos

_RESERVE_SHARE = 0.25
_SAFETY = 0.9
"""Of the venue's own rate: its clock and ours do not tick alike."""


@dataclass(slots=True)
class Budget:
    """`rate_per_s` requests a second, at most `burst` at once; `level` is what is left.

    The last quarter of the burst is for cancels only, unless it is a single request.
    """

    rate_per_s: float = 5.0
    burst: float = 20.0
    level: float = 20.0
    at_ns: Nanos = 0

    def resize(self, rate_per_s: float, burst: float) -> None:
        """The account's own limits, read from the venue."""
        self.level = min(self.level * burst / self.burst, burst)
        self.rate_per_s, self.burst = rate_per_s * _SAFETY, burst

    @property
    def reserve(self) -> float:
        """Requests kept back for cancels."""
        return min(self.burst * _RESERVE_SHARE, self.burst - 1.0)

    def refill(self, now_ns: Nanos) -> None:
        """Time passed."""
        if now_ns > self.at_ns:
            earned = (now_ns - self.at_ns) * self.rate_per_s / SECOND
            self.level = min(self.burst, self.level + earned)
            self.at_ns = now_ns

    def spend(self, *, cancel: bool) -> bool:
        """Take one request if there is one; only cancels reach into the reserve."""
        if self.level - 1.0 < (0.0 if cancel else self.reserve):
            return False
        self.level -= 1.0
        return True
