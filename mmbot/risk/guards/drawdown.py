"""The most that may be lost of what was won."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "drawdown")
@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """Trip the kill switch when trading profit has fallen too far below its peak.

    Counted as for session_loss, over all runs on this account since the kill switch was last
    re-armed by hand.
    """

    limit_usd: Annotated[Decimal, Gt(0), doc("largest fall below the peak, in USD")] = Decimal(5000)

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip at the limit."""
        fallen, limit = reading.drawdown_usd, float(self.limit_usd)
        if fallen >= limit:
            return Trip(Why.DRAWDOWN, f"{fallen:.2f} USD below the peak, the limit is {limit:g}")
        return Ok(fallen / limit)
