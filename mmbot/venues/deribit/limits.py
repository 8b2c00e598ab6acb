"""How many requests this account may make, as the venue itself says, and a bucket to spend them.

Deribit counts requests to the matching engine (place, amend, cancel) in a bucket that refills at
`rate` a second up to `burst`. Going below zero ends the session (10028), so nobody may try.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mmbot.core.capabilities import Draws, Gate

_READS = ((Draws.READ, 1.0),)

READ_GATES: Final = (
    Gate("transaction log", 1.0, 8.0, weights=_READS),
    Gate("subscriptions", 3.3, 10.0, weights=_READS),
    Gate("instruments", 0.1, 5.0, weights=_READS),
    Gate("other requests", 20.0, 100.0, weights=_READS),
)
"""The venue's limits of what is no order, by groups of methods, before the account's own are read.
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """`rate` requests a second, `burst` at once."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The account's limits. The defaults are Deribit's lowest tier: safe before we know better."""

    matching: Rate = Rate(5.0, 20.0)
    cancel_all: Rate = Rate(5.0, 20.0)
    quotes: Rate = Rate(5.0, 20.0)
    non_matching: Rate = Rate(20.0, 100.0)

    @classmethod
    def from_venue(cls, limits: Mapping[str, Any]) -> "Limits":
        """From the `limits` of private/get_account_summaries; what is missing stays at default."""
        matching = limits.get("matching_engine") or {}
        default = cls()
        return cls(
            matching=_slowest(matching.get("trading"), default.matching),
            cancel_all=_slowest(matching.get("cancel_all"), default.cancel_all),
            quotes=_slowest(matching.get("quotes"), default.quotes),
            non_matching=_slowest(limits.get("non_matching_engine"), default.non_matching),
        )


def _slowest(entry: Any, default: Rate) -> Rate:
    """A {rate, burst}, or the slowest of several of them one level down (total, by currency)."""
    if not isinstance(entry, Mapping):
        return default
    if "rate" in entry and "burst" in entry:
        return Rate(float(entry["rate"]), float(entry["burst"]))
    nested = [_slowest(inner, default) for inner in entry.values() if isinstance(inner, Mapping)]
    return min(nested, key=lambda rate: (rate.rate, rate.burst), default=default)


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
