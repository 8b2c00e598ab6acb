"""How often the venue may say no."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.views import GuardVerdict, Ok, Pause, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "reject_rate")
@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRate:
    """Pause, then trip the kill switch, when the venue refuses too many places and amends.

    Counted is the last minute. Refusals that belong to quoting do not count: the market moved into
    a post-only order, the order was filled meanwhile, the venue takes no orders for a moment.
    """

    pause_pct: Annotated[float, Gt(0), Le(100), doc("share of refusals that pauses quoting")] = 30.0
    trip_pct: Annotated[float, Gt(0), Le(100), doc("share that trips the kill switch")] = 60.0
    least: Annotated[int, Ge(1), Le(1000), doc("requests before the share is judged")] = 20

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, pause or trip."""
        if reading.sent < self.least:
            return Ok()
        share_pct = 100 * reading.refused / reading.sent
        detail = f"{reading.refused} of {reading.sent} requests refused in the last minute"
        if share_pct >= self.trip_pct:
            return Trip(Why.REJECTS, detail)
        if share_pct >= self.pause_pct:
            return Pause(Why.REJECTS, detail)
        return Ok(share_pct / self.trip_pct)
