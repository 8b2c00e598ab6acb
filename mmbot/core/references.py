"""Reference prices: what others pay for an asset in USD, told by sources that are no venue of ours.

A price has two clocks: the moment the source stamped it, where it stamps at all, and the moment it
was received here. A source that stalls goes on sending with old stamps, and a line that stalls
sends nothing, so a price is as old as the older of the two says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from mmbot.core.types import MS, SECOND, Nanos

FUTURE_MAX_NS: Nanos = 60 * SECOND
"""A stamp further ahead of its receipt is wrong: kept, nothing could ever be newer."""


class Stamped(Protocol):
    """A price with its two clocks."""

    @property
    def price(self) -> float:
        """USD per coin."""
        ...

    @property
    def source_ms(self) -> int | None:
        """The source's own stamp; None where the source says none."""
        ...

    @property
    def received_ns(self) -> Nanos:
        """When the price was received, in desk time."""
        ...


class Reference(Struct, frozen=True, gc=False):
    """The newest price of one source."""

    price: float
    source_ms: int | None
    received_ns: Nanos

    def age_ns(self, now_ns: Nanos) -> Nanos:
        """By both clocks: the larger of the two ages; negative where both are ahead of ours."""
        age_ns = now_ns - self.received_ns
        if self.source_ms is None:
            return age_ns
        return max(age_ns, now_ns - self.source_ms * MS)


NO_REFERENCES: Mapping[str, Reference] = MappingProxyType({})


def is_sound(told: Stamped) -> bool:
    """Whether that is a price, and its stamp a moment that can have been."""
    if not 0 < told.price < inf:  # false for NaN
        return False
    return told.source_ms is None or told.source_ms * MS <= told.received_ns + FUTURE_MAX_NS


def replaces(told: Stamped, known: Stamped) -> bool:
    """Whether `told` is news: by the source's stamps where both have one and they differ, else by
    receipt."""
    stamp, known_stamp = told.source_ms, known.source_ms
    if stamp is None or known_stamp is None or stamp == known_stamp:
        return told.received_ns >= known.received_ns
    return stamp > known_stamp


@dataclass(slots=True)
class References:
    """The newest reference prices, and what was no price."""

    newest: dict[str, dict[str, Reference]] = field(default_factory=dict)
    """Asset -> source -> its newest price. A view holds the inner mapping: replaced, never changed.
    """
    dropped: dict[str, int] = field(default_factory=dict)
    """Source -> prices of it that were none (NaN, infinite, zero, negative, from the future)."""

    def take(self, source: str, asset: str, told: Stamped) -> bool:
        """Keep what is newer; returns whether the price has moved."""
        if not is_sound(told):
            self.dropped[source] = self.dropped.get(source, 0) + 1
            return False
        sources = self.newest.get(asset, {})
        known = sources.get(source)
        if known is not None and not replaces(told, known):
            return False
        newer = Reference(told.price, told.source_ms, told.received_ns)
        self.newest[asset] = {**sources, source: newer}
        return known is None or known.price != newer.price

    def ages_ns(self, now_ns: Nanos) -> dict[str, Nanos]:
        """By source: the age of the newest of its prices, whatever the asset."""
        ages: dict[str, Nanos] = {}
        for sources in self.newest.values():
            for source, reference in sources.items():
                age_ns = reference.age_ns(now_ns)
                ages[source] = min(age_ns, ages.get(source, age_ns))
        return ages
