"""The most one day may lose."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "day_loss")
@dataclass(frozen=True, slots=True, kw_only=True)
class DayLoss:
    """Trip the kill switch when the account has lost too much since 00:00 UTC.

    Counted as for session_loss, over all runs of the day on this account, what open positions lost
    between two runs included. Re-arming the kill switch by hand starts the count anew.
    """

    limit_usd: Annotated[Decimal, Gt(0), doc("largest loss since 00:00 UTC, in USD")] = Decimal(
        5000
    )

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip at the limit."""
        lost, limit = -reading.day_usd, float(self.limit_usd)
        if lost >= limit:
            return Trip(Why.DAY_LOSS, f"lost {lost:.2f} USD today, the limit is {limit:g}")
        return Ok(max(lost, 0.0) / limit)  # in this order what is not a number stays so
