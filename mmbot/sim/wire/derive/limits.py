"""How often may be asked: two tiers, and a few methods that count apart.

Theory of operation
-------------------
1. A wallet (for public methods: an address) has a budget of requests for each window of five
   seconds, which opens with the first request in it. Requests to the matching engine and all others
   count apart.
2. Every instrument has a bucket of its own for matching requests, which refills continuously.
3. A request that does not fit into both is refused and costs nothing. Requests about orders under
   market maker protection cost a third; so everything is counted in thirds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mmbot.sim.wire.rules import Tiers

WINDOW_MS: Final = 5_000
BURST: Final = 5  # seconds' worth
PERPETUAL: Final = "-PERP"
THIRDS: Final = 3


class Pool(Enum):
    """What a request is paid from; the values are the venue's classes and methods."""

    MATCHING = "matching"
    OTHER = "non_matching"
    CANCEL_ALL = "private/cancel_all"
    BY_LABEL = "private/cancel_by_label"
    LIVE_NAMES = "public/get_all_live_instruments"


class Window:
    """A budget for five seconds at a time; told the time."""

    def __init__(self, tps: int) -> None:
        self.capacity = tps * BURST * THIRDS
        self._spent = 0
        self._opened_ms: int | None = None

    def fits(self, cost: int, now_ms: int) -> bool:
        """Whether there is that much left."""
        self._look(now_ms)
        return self._spent + cost <= self.capacity

    def take(self, cost: int, now_ms: int) -> None:
        """Spend it."""
        self._look(now_ms)
        if self._opened_ms is None:
            self._opened_ms = now_ms
        self._spent += cost

    def wait_ms(self, now_ms: int) -> int:
        """How long until the next one opens; 0 where this one is untouched."""
        self._look(now_ms)
        return 0 if self._opened_ms is None else self._opened_ms + WINDOW_MS - now_ms

    def told(self, now_ms: int) -> dict[str, int | bool]:
        """As getRateLimits tells of it: in whole requests."""
        wait_ms = self.wait_ms(now_ms)
        return {
            "remainingPoints": (self.capacity - self._spent) // THIRDS,
            "consumedPoints": -(-self._spent // THIRDS),
            "msBeforeNext": wait_ms,
            "isFirstInDuration": self._spent == 0,
        }

    def _look(self, now_ms: int) -> None:
        if self._opened_ms is not None and now_ms >= self._opened_ms + WINDOW_MS:
            self._opened_ms, self._spent = None, 0


class Bucket:
    """One instrument's: refills as time goes by; told the time, and starts full."""

    def __init__(self, tps: int, now_ms: int) -> None:
        self._capacity = self._left = float(tps * BURST * THIRDS)
        self._per_ms = tps * THIRDS / 1_000
        self._at_ms = now_ms

    def fits(self, cost: int, now_ms: int) -> bool:
        """Whether there is that much left."""
        self._left = min(self._left + (now_ms - self._at_ms) * self._per_ms, self._capacity)
        self._at_ms = now_ms
        return self._left >= cost

    def take(self, cost: int) -> None:
        """Spend it."""
        self._left -= cost

    def wait_ms(self, cost: int) -> int:
        """How long until there is that much."""
        return max(int((cost - self._left) / self._per_ms) + 1, 0)


@dataclass(frozen=True, slots=True)
class Request:
    """What one request is paid from, and whether it is about an order under protection."""

    pool: Pool
    instrument: str | None = None
    mmp: bool = False


class Budget:
    """All the budgets of one payer: a wallet, or an address."""

    def __init__(self, tiers: Tiers, now_ms: int) -> None:
        self._tiers = tiers
        self._now_ms = now_ms
        self._windows = {
            Pool.MATCHING: Window(tiers.matching),
            Pool.OTHER: Window(tiers.other),
            Pool.CANCEL_ALL: Window(tiers.cancel_all),
            Pool.BY_LABEL: Window(tiers.by_label),
            Pool.LIVE_NAMES: Window(tiers.live_names),
        }
        self._buckets: dict[str, Bucket] = {}

    def take(self, request: Request, now_ms: int) -> int | None:
        """Spend it; None where it fits, else how long to wait (ms), and nothing is spent."""
        cost = 1 if request.mmp else THIRDS
        window = self._windows[request.pool]
        if not window.fits(cost, now_ms):
            return window.wait_ms(now_ms)
        if request.pool is Pool.MATCHING and request.instrument is not None:
            bucket = self._buckets.get(request.instrument)
            if bucket is None:
                perpetual = request.instrument.endswith(PERPETUAL)
                tps = self._tiers.in_perpetual if perpetual else self._tiers.instrument
                bucket = Bucket(tps, now_ms)
                self._buckets[request.instrument] = bucket
            if not bucket.fits(cost, now_ms):
                return bucket.wait_ms(cost)
            bucket.take(cost)
        window.take(cost, now_ms)
        return None

    def told(self, now_ms: int, connections: int | None) -> dict[str, object]:
        """The answer of getRateLimits; of the instruments nothing is said."""
        apart = (Pool.CANCEL_ALL, Pool.BY_LABEL, Pool.LIVE_NAMES)
        answer: dict[str, object] = {
            "remaining_matching": self._windows[Pool.MATCHING].told(now_ms),
            "remaining_non_matching": self._windows[Pool.OTHER].told(now_ms),
            "remaining_per_endpoint": {
                pool.value: self._windows[pool].told(now_ms) for pool in apart
            },
            "remaining_connections": None,
        }
        if connections is not None:
            answer["remaining_connections"] = {
                "remainingPoints": max(self._tiers.connections - connections, 0),
                "consumedPoints": connections,
                "msBeforeNext": 0,
                "isFirstInDuration": False,
            }
        return answer
