"""What guards need remembered from turn to turn. Plain data, part of the state."""

from dataclasses import dataclass, field

from mmbot.core.profit import Profit
from mmbot.core.types import SECOND, Nanos
from mmbot.core.why import Why

REQUESTS_WINDOW_S = 60
"""How far back refusals are counted."""


@dataclass(slots=True)
class Requests:
    """Places and amends of the last minute and how many of them the venue refused."""

    by_second: dict[int, list[int]] = field(default_factory=dict)
    """Second -> [sent, refused], oldest first."""

    def sent(self, now_ns: Nanos) -> None:
        """One leaves now."""
        counts = self.by_second.get(now_ns // SECOND)
        if counts is None:
            counts = self._now(now_ns)
        counts[0] += 1

    def refused(self, now_ns: Nanos) -> None:
        """The venue said no to one just now."""
        self._now(now_ns)[1] += 1

    def count(self, now_ns: Nanos) -> tuple[int, int]:
        """(sent, refused) in the last minute."""
        oldest = now_ns // SECOND - REQUESTS_WINDOW_S
        while self.by_second and (first := next(iter(self.by_second))) <= oldest:
            del self.by_second[first]
        counts = self.by_second.values()
        return sum(sent for sent, _ in counts), sum(refused for _, refused in counts)

    def _now(self, now_ns: Nanos) -> list[int]:
        second = now_ns // SECOND
        counts = self.by_second.get(second)
        if counts is None:
            counts = self.by_second[second] = [0, 0]
        return counts


@dataclass(slots=True)
class GuardMemory:
    """The guards' memory."""

    due: bool = False
    """Something happened that they should look at in this turn."""
    ticking_ns: Nanos = 0
    """When Ticks began: from then on turns must follow each other, and the guards be asked. 0
    while the venue is being connected to, however long that takes."""
    watched_ns: Nanos = 0
    """When they last looked."""
    paused: Why | None = None
    """Why a guard wants quoting to pause, for as long as it does."""
    slowed: Why | None = None
    """Why a guard wants fewer requests: while it does, nothing is moved that merely lags."""
    heard_ns: Nanos = 0
    """When any market last gave a sign of life."""
    mismatch_ns: Nanos = 0
    """Since when a position has disagreed with our fills; 0 while all agree."""
    requests: Requests = field(default_factory=Requests)
    profit: Profit = field(default_factory=Profit)
