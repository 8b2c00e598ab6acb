"""Rate credits: buckets that refill with time, and which request is paid from which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


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


class Pool(Enum):
    """What a request is paid from; the venue counts these apart."""

    MATCHING = "matching"
    CANCEL_ALL = "cancel_all"
    INSTRUMENTS = "instruments"
    SUBSCRIBE = "subscribe"
    TRANSACTION_LOG = "transaction_log"
    OTHER = "other"


RATES: Final[Mapping[Pool, Rate]] = {
    Pool.MATCHING: Rate(per_s=5, burst=20),
    Pool.CANCEL_ALL: Rate(per_s=5, burst=20),
    Pool.INSTRUMENTS: Rate(per_s=0.1, burst=5),
    Pool.SUBSCRIBE: Rate(per_s=3.3, burst=10),
    Pool.TRANSACTION_LOG: Rate(per_s=1, burst=8),
    Pool.OTHER: Rate(per_s=20, burst=100),  # 500 credits each, of 50 000, 10 000 more a second
}
"""The lowest tier's."""

_POOL_OF: Final = {
    "private/cancel_all": Pool.CANCEL_ALL,
    "private/get_transaction_log": Pool.TRANSACTION_LOG,
    "private/subscribe": Pool.SUBSCRIBE,
    "public/get_instruments": Pool.INSTRUMENTS,
    "public/subscribe": Pool.SUBSCRIBE,
}


def pool_of(method: str, params: Mapping[str, Any], *, is_matching: bool) -> Pool:
    """What that request is paid from. A label in every currency is billed like cancel_all."""
    if method == "private/cancel_by_label" and params.get("currency") is None:
        return Pool.CANCEL_ALL
    return _POOL_OF.get(method, Pool.MATCHING if is_matching else Pool.OTHER)


class Credits:
    """All the pools of one payer: an account, or the address strangers call from."""

    def __init__(self, rates: Mapping[Pool, Rate], now_ms: int) -> None:
        self._buckets = {pool: Bucket(rates[pool], now_ms) for pool in Pool}

    def take(self, pool: Pool, now_ms: int) -> bool:
        """Spend one request; False when none is left, which spends nothing."""
        return self._buckets[pool].take(now_ms)
