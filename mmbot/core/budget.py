"""One limit of the venue as a value, a token bucket or a window that never has more than the
venue's own.

Theory of operation
-------------------
The venue takes a token when a request arrives; we know only when it left and when it was answered.
A token of ours therefore begins to refill when its request was *answered*: what is in flight lowers
the level the bucket can refill to. However long a line holds requests up and in whatever bunches
they arrive, the venue's bucket is then at least as full as ours, because whatever it counted, it
counted no later than we do. A request that is never answered is in flight for as long as one may be
on its way: to have given up waiting for it says nothing about where it is. What is left to guard
against are clocks that do not tick alike (the margin of the rate) and requests beside ours on the
same account (one request of the burst).

Where a limit is a window (so many in five seconds, all given back at once), nobody tells when the
venue's windows begin. A request of ours is therefore given back a whole window after it was
answered, or could still arrive: in no window, wherever it begins, are then more than the limit.

A part of the burst is kept for cancels. When even that runs short, one mass cancel does the
work of many (turn), so that no cancel waits for tokens where the venue has mass cancels.
"""

from dataclasses import dataclass, field

from mmbot.core.types import SECOND, Label, Nanos

_RATE_MARGIN = 0.98
"""Of the venue's own rate: its clock and ours may be 1 % apart, each way."""

_ROUNDING = 1e-9
"""A third has no end in binary."""


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
    unanswered: dict[Label, Nanos] = field(default_factory=dict)
    """Requests in flight, by the order they are about, and until when each may still arrive."""
    deferred: int = 0
    """Requests that could not be afforded when they were wanted."""
    windowed: bool = False
    """`burst` in any `burst / rate_per_s` seconds, instead of a bucket."""
    heaviest: float = 1.0
    """The most that one request takes."""
    weights: dict[Label, float] = field(default_factory=dict)
    """Of requests in flight, where that is not one."""
    spent: list[tuple[Nanos, float]] = field(default_factory=list)
    """What is given back at a moment that is known, and how much it is: of a window what the venue
    has counted, of a bucket what may still arrive."""

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
    def outstanding(self) -> float:
        """What is in flight, or not given back yet."""
        weights = self.weights
        if weights:
            traveling = sum(weights.get(label, 1.0) for label in self.unanswered)
        else:
            traveling = len(self.unanswered)
        return traveling + sum(weight for _, weight in self.spent) if self.spent else traveling

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
            self._give_back()
            self.level = self.full - self.outstanding
        elif now_ns > self.at_ns:
            earned = (now_ns - self.at_ns) * self.rate_per_s * _RATE_MARGIN / SECOND
            self.level = min(self.full - self.outstanding, self.level + earned)
            self.at_ns = now_ns
            self._give_back()

    def _give_back(self) -> None:
        """Time is up for what was answered a window ago, or can arrive no more."""
        for about in [one for one, by_ns in self.unanswered.items() if by_ns <= self.at_ns]:
            self._counted(about, self.unanswered[about])
        if self.spent:
            self.spent = [one for one in self.spent if one[0] > self.at_ns]

    def affords(self, weight: float = 1.0, *, cancel: bool = False) -> bool:
        """Whether one more request may be sent; only cancels reach into the reserve."""
        return self.level - weight >= (0.0 if cancel else self.reserve) - _ROUNDING

    def short_for(self, cancels: int, weight: float = 1.0) -> bool:
        """Whether so many single cancels would leave nothing for the next one."""
        return self.reserve >= weight and self.level < (cancels + 1) * weight

    def spend(self, about: Label, by_ns: Nanos, weight: float = 1.0) -> None:
        """One request leaves; it is in flight until `answered`, or until it cannot arrive any
        more."""
        self.level -= weight
        earlier_ns = self.unanswered.pop(about, None)
        if earlier_ns is not None:  # the one before may still arrive all the same
            back_ns = earlier_ns + self.window_ns if self.windowed else earlier_ns
            self.spent.append((back_ns, self.weights.pop(about, 1.0)))
        self.unanswered[about] = by_ns
        if weight != 1.0:
            self.weights[about] = weight

    def answered(self, about: Label, now_ns: Nanos) -> None:
        """The venue has counted it by now, perhaps not before."""
        if about in self.unanswered:
            self.refill(now_ns)
        if about in self.unanswered:
            self._counted(about, now_ns)

    def _counted(self, about: Label, by_ns: Nanos) -> None:
        del self.unanswered[about]
        weight = self.weights.pop(about, 1.0)
        if self.windowed:
            self.spent.append((by_ns + self.window_ns, weight))
