"""How many requests this account may make, as the venue itself says.

Deribit counts requests to the matching engine (place, amend, cancel) in a bucket that refills at
`rate` a second up to `burst`. Going below zero ends the session (10028), so nobody may try.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mmbot.core.capabilities import Draws, Gate
from mmbot.venues.rates import Rate

_READS = ((Draws.READ, 1.0),)

READ_GATES: Final = (
    Gate("transaction log", 1.0, 8.0, weights=_READS),
    Gate("subscriptions", 3.3, 10.0, weights=_READS),
    Gate("instruments", 0.1, 5.0, weights=_READS),
    Gate("other requests", 20.0, 100.0, weights=_READS),
)
"""The venue's limits of what is no order, by groups of methods, before the account's own are read.
"""


_LOWEST: Final = Rate(5.0, 20.0)
_LOWEST_READS: Final = Rate(20.0, 100.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """The account's limits. The defaults are Deribit's lowest tier: safe before we know better."""

    matching: Rate = _LOWEST
    cancel_all: Rate = _LOWEST
    quotes: Rate = _LOWEST
    non_matching: Rate = _LOWEST_READS

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
