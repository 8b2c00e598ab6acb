"""How far our clock and the venue's may be apart."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le, doc

from mmbot.core.types import SECOND
from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "clock_skew")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew:
    """Trip the kill switch when our clock and the venue's disagree.

    Every order carries the venue's time by which it must have arrived; when an order may be taken
    for dead is decided on that. The time of travel is no skew: counted is only what lies beyond a
    whole round trip.
    """

    limit_s: Annotated[float, Gt(0), Le(1), doc("largest difference, in seconds")] = 1.0

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip at the limit."""
        apart_s = reading.skew_ns / SECOND
        if apart_s >= self.limit_s:
            where = reading.at(reading.skew_venue)
            said = f"at least {apart_s:.2f} s apart{where}: set this machine's clock"
            return Trip(Why.CLOCK_SKEW, said)
        return Ok(apart_s / self.limit_s)
