"""One limit of the venue as a value, a token bucket or a window that never has more than the
venue's own.

Theory of operation
-------------------
The venue takes a token when a request arrives; we know only when it left and when it was answered.
A token of ours therefore begins to refill when its request was *answered*: what is in flight lowers
the level the bucket can refill to. However long a line holds requests up and in whatever bunches
they arrive, the venue's bucket is then at least as full as ours, because whatever it counted, it
counted no later than we do. What is left to guard against are clocks that do not tick alike (the
margin of the rate) and requests beside ours on the same account, or answered after we gave up
waiting (one request of the burst).

Where a limit is a window (so many in five seconds, all given back at once), nobody tells when the
venue's windows begin. A request of ours is therefore given back a whole window after it was
answered: in no window, wherever it begins, are then more than the limit.

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
    windowed: bool = False
    """`burst` in any `burst / rate_per_s` seconds, instead of a bucket."""
    heaviest: float = 1.0
    """The most that one request takes."""
    weights: dict[Label, float] = field(default_factory=dict)
    """Of requests in flight, where that is not one."""
    spent: list[tuple[Nanos, float]] = field(default_factory=list)
    """Of a window: when what was answered is given back, and how much it is."""

    @property
    def full(self) -> float:
        """Requests that may be sent at once by one who has sent none for a while."""
        left = self.burst - 1.0
        return left if left > self.heaviest else self.heaviest

    @property
    def reserve(self) -> float:
        """Requests kept back for cancels; of a window whole ones, as it is given back whole."""
        kept = self.burst * self.reserve_share
        if self.windowed and kept:
            kept = max(self.heaviest, kept // self.heaviest * self.heaviest)
        return min(kept, self.full - self.heaviest)

    @property
    def window_ns(self) -> Nanos:
        """How long a request counts, with a margin for clocks."""
        return int(self.burst / self.rate_per_s / _RATE_MARGIN * SECOND)

    @property
    def traveling(self) -> float:
        """What is in flight."""
        if not self.weights:
            return len(self.in_flight)
        return sum(self.weights.get(label, 1.0) for label in self.in_flight)

    def resize(self, rate_per_s: float, burst: float) -> None:
        """The account's own limits, read from the venue."""
        share = self.level / self.full
        self.rate_per_s, self.burst = rate_per_s, burst
        self.level = min(self.full, share * self.full)

    def inherit(self, idle_ns: Nanos, now_ns: Nanos) -> None:
        """Another run used the same limit until so long ago, and may have left nothing."""
        if self.windowed:
            back_ns = now_ns + self.window_ns - max(0, idle_ns)
            if back_ns > now_ns:
                self.spent.append((back_ns, self.full))
            self.refill(now_ns)
            return
        earned = max(0, idle_ns) * self.rate_per_s * _RATE_MARGIN / SECOND
        self.level, self.at_ns = min(self.level, earned), now_ns

    def refill(self, now_ns: Nanos) -> None:
        """Time passed."""
        if self.windowed:
            self.at_ns = max(self.at_ns, now_ns)
            self.spent = [one for one in self.spent if one[0] > self.at_ns]
            self.level = self.full - self.traveling - sum(weight for _, weight in self.spent)
        elif now_ns > self.at_ns:
            earned = (now_ns - self.at_ns) * self.rate_per_s * _RATE_MARGIN / SECOND
            self.level = min(self.full - self.traveling, self.level + earned)
            self.at_ns = now_ns

    def affords(self, weight: float = 1.0, *, cancel: bool = False) -> bool:
        """Whether one more request may be sent; only cancels reach into the reserve."""
        return self.level - weight >= (0.0 if cancel else self.reserve)

    def short_for(self, cancels: int, weight: float = 1.0) -> bool:
        """Whether so many single cancels would leave nothing for the next one."""
        return self.reserve >= weight and self.level < (cancels + 1) * weight

    def spend(self, about: Label, weight: float = 1.0) -> None:
        """One request leaves; it is in flight until `answered`."""
        self.level -= weight
        if self.windowed and about in self.in_flight:
            self._give_back_later(about, self.at_ns)  # the one before counts all the same
        self.in_flight[about] = None
        if weight != 1.0:
            self.weights[about] = weight

    def answered(self, about: Label, now_ns: Nanos) -> None:
        """The venue has counted it by now (or nobody will ever tell), perhaps not before."""
        self.refill(now_ns)
        if about not in self.in_flight:
            return
        if self.windowed:
            self._give_back_later(about, now_ns)
        del self.in_flight[about]
        self.weights.pop(about, None)

    def _give_back_later(self, about: Label, now_ns: Nanos) -> None:
        self.spent.append((now_ns + self.window_ns, self.weights.pop(about, 1.0)))
