"""How many requests beside its orders an account may make, kind by kind.

Theory of operation
-------------------
The venue has a pool for each kind of request: so many at once, so many a second. The pools are the
account's: both links and REST draw on the same ones, and so do the person who has the venue's web
page open and the process that ran here a minute ago. Therefore a pool begins half full.

As in core/budget.py a request refills only once it is *answered*: what is in flight lowers the
level that the pool can refill to, so that however long a line holds requests up, the venue's pool
is never emptier than ours. Its clock and ours may differ by 1 % each way, and one request of the
burst is left alone.

Orders (place, amend, cancel) are the core's business and have no pool here. Proof of life never
waits but is counted.
"""

from collections.abc import Mapping
from enum import Enum

from mmbot.venues.rates import Rate

_RATE_MARGIN = 0.98


class Pools:
    """The pools of one account. Times are seconds of the caller's clock."""

    def __init__(self, now_s: float, rates: Mapping[Enum, Rate]) -> None:
        self._levels = {pool: _level(rate, now_s) for pool, rate in rates.items()}

    def resize(self, pool: Enum, rate: Rate, spent: float | None = None) -> None:
        """The account has told its own limit; `spent`: how much of it is used just now, where it
        says that too."""
        self._levels[pool].resize(rate, spent)

    def take(self, pool: Enum, now_s: float, keep_share: float = 0.0) -> float:
        """Spend one request if that leaves the share `keep_share` of the pool; 0.0, or the seconds
        until it could."""
        level = self._levels[pool]
        level.refill(now_s)
        missing = 1.0 + keep_share * level.full - level.level
        if missing > 0.0:
            # Not sooner than a hundredth of a second: what is in flight may hold the refill up.
            return max(0.01, missing / level.rate)
        level.level -= 1.0
        return 0.0

    def spend(self, pool: Enum, now_s: float) -> None:
        """One request that cannot wait; those that can make up for it, but for a whole pool at
        most: the venue's own is never emptier than empty, as it does not count what it refuses."""
        level = self._levels[pool]
        level.refill(now_s)
        level.level = max(level.level - 1.0, min(level.level, -level.full))

    def sent(self, pool: Enum) -> None:
        """A request that was paid for is in flight."""
        self._levels[pool].in_flight += 1

    def ended(self, pool: Enum, now_s: float) -> None:
        """The venue has counted it by now, perhaps not before (or nobody will ever tell)."""
        level = self._levels[pool]
        level.refill(now_s)
        level.end()

    def left(self, now_s: float) -> dict[Enum, float]:
        """What is left of each pool."""
        for level in self._levels.values():
            level.refill(now_s)
        return {pool: level.level for pool, level in self._levels.items()}


def _level(rate: Rate, now_s: float) -> "_Level":
    return (_Window if rate.windowed else _Level)(rate, now_s)


class _Level:
    """One pool's."""

    __slots__ = ("_at_s", "burst", "in_flight", "level", "rate")

    def __init__(self, limit: Rate, now_s: float) -> None:
        self.rate, self.burst = _RATE_MARGIN * limit.rate, limit.burst
        self.level = max(1.0, 0.5 * self.full)
        self.in_flight = 0
        self._at_s = now_s

    @property
    def full(self) -> float:
        return max(1.0, self.burst - 1.0)

    def resize(self, limit: Rate, spent: float | None = None) -> None:
        share = self.level / self.full
        self.rate, self.burst = _RATE_MARGIN * limit.rate, limit.burst
        self.level = share * self.full if spent is None else self.full - spent

    def end(self) -> None:
        self.in_flight -= 1

    def refill(self, now_s: float) -> None:
        if now_s > self._at_s:
            earned = (now_s - self._at_s) * self.rate
            self.level = min(self.full - self.in_flight, self.level + earned)
            self._at_s = now_s


class _Window(_Level):
    """One pool's, given back all at once when the venue's next window begins. Nobody tells when
    that is, so a request counts for a whole window after it was answered."""

    __slots__ = ("_spent",)

    def __init__(self, limit: Rate, now_s: float) -> None:
        super().__init__(limit, now_s)
        self._spent = [now_s + self._long_s] * round(self.full - self.level)

    @property
    def _long_s(self) -> float:
        return self.burst / self.rate

    def resize(self, limit: Rate, spent: float | None = None) -> None:
        self.rate, self.burst = _RATE_MARGIN * limit.rate, limit.burst
        if spent is not None:
            self._spent = [self._at_s + self._long_s] * max(0, round(spent) - self.in_flight)

    def end(self) -> None:
        super().end()
        self._spent.append(self._at_s + self._long_s)

    def refill(self, now_s: float) -> None:
        self._at_s = max(self._at_s, now_s)
        self._spent = [back_s for back_s in self._spent if back_s > self._at_s]
        self.level = self.full - self.in_flight - len(self._spent)
