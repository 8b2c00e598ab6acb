"""The venue's rate limit as a value: a token bucket that never has more than the venue's own.

Theory of operation
-------------------
The venue takes a token when a request arrives; we know only when it left and when it was answered.
A token of ours therefore begins to refill when its request was *answered*: what is in flight lowers
the level the bucket can refill to. However long a line holds requests up and in whatever bunches
they arrive, the venue's bucket is then at least as full as ours, because whatever it counted, it
counted no later than we do. What is left to guard against are clocks that do not tick alike (the
margin of the rate) and requests beside ours on the same account, or answered after we gave up
waiting (one request of the burst).

A part of the burst is kept for cancels. When even that runs short, one mass cancel does the
work of many (turn), so that no cancel waits for tokens where the venue has mass cancels.
"""

from dataclasses import dataclass, field

from mmbot.core.types import SECOND, Label, Nanos

_RATE_MARGIN = 0.98
"""Of the venue's own rate: its clock and ours may be 1 % apart, each way."""


@dataclass(slots=True)
class Budget:
    """`rate_per_s` requests a second, `burst` at once, as the venue states them; `level` is what is
    left.

    A share of the burst is for cancels only, where the burst is large enough to be shared.
    """

    rate_per_s: float = 5.0
    burst: float = 20.0
    level: float = 19.0
    reserve_share: float = 0.25
    at_ns: Nanos = 0
    in_flight: dict[Label, None] = field(default_factory=dict)
    """Requests not answered yet, by the order they are about."""
    deferred: int = 0
    """Requests that could not be afforded when they were wanted."""

    @property
    def full(self) -> float:
        """Requests that may be sent at once by one who has sent none for a while."""
        return max(1.0, self.burst - 1.0)

    @property
    def reserve(self) -> float:
        """Requests kept back for cancels."""
        return min(self.burst * self.reserve_share, self.full - 1.0)

    def resize(self, rate_per_s: float, burst: float) -> None:
        """The account's own limits, read from the venue."""
        share = self.level / self.full
        self.rate_per_s, self.burst = rate_per_s, burst
        self.level = min(self.full, share * self.full)

    def inherit(self, idle_ns: Nanos, now_ns: Nanos) -> None:
        """Another run used the same limit until so long ago, and may have left nothing."""
        earned = max(0, idle_ns) * self.rate_per_s * _RATE_MARGIN / SECOND
        self.level, self.at_ns = min(self.level, earned), now_ns

    def refill(self, now_ns: Nanos) -> None:
        """Time passed."""
        if now_ns > self.at_ns:
            earned = (now_ns - self.at_ns) * self.rate_per_s * _RATE_MARGIN / SECOND
            self.level = min(self.full - len(self.in_flight), self.level + earned)
            self.at_ns = now_ns

    def affords(self, *, cancel: bool = False) -> bool:
        """Whether one more request may be sent; only cancels reach into the reserve."""
        return self.level - 1.0 >= (0.0 if cancel else self.reserve)

    def short_for(self, cancels: int) -> bool:
        """Whether so many single cancels would leave nothing for the next one."""
        return self.reserve >= 1.0 and self.level < cancels + 1.0

    def spend(self, about: Label) -> None:
        """One request leaves; it is in flight until `answered`."""
        self.level -= 1.0
        self.in_flight[about] = None

    def answered(self, about: Label, now_ns: Nanos) -> None:
        """The venue has counted it by now (or nobody will ever tell), perhaps not before."""
        self.refill(now_ns)
        self.in_flight.pop(about, None)
