"""How many requests beside its orders an account may make, kind by kind.

Theory of operation
-------------------
The venue has a pool for each kind of request: so many at once, so many a second. Whoever asks for
more than is in the pool gets 10028, and the session is ended. The pools are the account's: both
links and REST draw on the same ones, and so do the person who has the venue's web page open and
the process that ran here a minute ago. Therefore a pool begins half full.

As in core/budget.py a request refills only once it is *answered*: what is in flight lowers the
level that the pool can refill to, so that however long a line holds requests up, the venue's pool
is never emptier than ours. Its clock and ours may differ by 1 % each way, and one request of the
burst is left alone.

Orders (place, amend, cancel) are the core's business and have no pool here. Proof of life never
waits but is counted.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from mmbot.venues.deribit.limits import READ_GATES, Limits, Rate

_RATE_MARGIN = 0.98


class Pool(Enum):
    """The kinds of request that share a limit."""

    TRANSACTION_LOG = auto()
    SUBSCRIBE = auto()
    INSTRUMENTS = auto()
    CANCEL_ALL = auto()
    OTHER = auto()


_READS: Final = (Pool.TRANSACTION_LOG, Pool.SUBSCRIBE, Pool.INSTRUMENTS, Pool.OTHER)
_NAMES: Final = {pool: gate.name for pool, gate in zip(_READS, READ_GATES, strict=True)}
RATES: Final[Mapping[Pool, Rate]] = {
    pool: Rate(*gate.of_session) for pool, gate in zip(_READS, READ_GATES, strict=True)
} | {Pool.CANCEL_ALL: Limits().cancel_all}
"""The venue's, where the account does not say less (or, for CANCEL_ALL, something else)."""

_POOLS: Final[Mapping[str, Pool | None]] = {
    "private/get_transaction_log": Pool.TRANSACTION_LOG,
    "public/subscribe": Pool.SUBSCRIBE,
    "private/subscribe": Pool.SUBSCRIBE,
    "public/get_instruments": Pool.INSTRUMENTS,
    "private/cancel_all": Pool.CANCEL_ALL,
    "private/cancel_all_by_currency": Pool.CANCEL_ALL,
    "private/cancel_all_by_currency_pair": Pool.CANCEL_ALL,
    "private/cancel_all_by_instrument": Pool.CANCEL_ALL,
    "private/cancel_all_by_kind_or_type": Pool.CANCEL_ALL,
    "private/buy": None,
    "private/sell": None,
    "private/edit": None,
    "private/edit_by_label": None,
    "private/replace": None,
    "private/cancel": None,
    "private/cancel_by_label": None,
    "private/cancel_quotes": None,
    "private/close_position": None,
    "private/mass_quote": None,
    "private/move_positions": None,
}


def pool_of(method: str) -> Pool | None:
    """The pool that `method` (private/x, public/x) draws on; None: it is an order's."""
    return _POOLS.get(method, Pool.OTHER)


class Pools:
    """The pools of one account. Times are seconds of the caller's clock."""

    def __init__(self, now_s: float) -> None:
        self._levels = {pool: _Level(rate, now_s) for pool, rate in RATES.items()}

    def obey(self, limits: Limits) -> None:
        """The account has told its own limits."""
        usual, stated = RATES[Pool.OTHER], limits.non_matching
        least = Rate(min(usual.rate, stated.rate), min(usual.burst, stated.burst))
        self._levels[Pool.OTHER].resize(least)
        self._levels[Pool.CANCEL_ALL].resize(limits.cancel_all)

    def take(self, pool: Pool, now_s: float, keep_share: float = 0.0) -> float:
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

    def spend(self, pool: Pool, now_s: float) -> None:
        """One request that cannot wait; those that can make up for it."""
        level = self._levels[pool]
        level.refill(now_s)
        level.level -= 1.0

    def sent(self, pool: Pool) -> None:
        """A request that was paid for is in flight."""
        self._levels[pool].in_flight += 1

    def ended(self, pool: Pool, now_s: float) -> None:
        """The venue has counted it by now, perhaps not before (or nobody will ever tell)."""
        level = self._levels[pool]
        level.refill(now_s)
        level.in_flight -= 1

    def left(self, now_s: float) -> dict[str, float]:
        """What is left of each pool of reads, by the name of its gate."""
        for level in self._levels.values():
            level.refill(now_s)
        return {_NAMES[pool]: level.level for pool, level in self._levels.items() if pool in _NAMES}


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

    def resize(self, limit: Rate) -> None:
        self.level *= max(1.0, limit.burst - 1.0) / self.full
        self.rate, self.burst = _RATE_MARGIN * limit.rate, limit.burst

    def refill(self, now_s: float) -> None:
        if now_s > self._at_s:
            earned = (now_s - self._at_s) * self.rate
            self.level = min(self.full - self.in_flight, self.level + earned)
            self._at_s = now_s
