"""The most one run may lose."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "session_loss")
@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLoss:
    """Trip the kill switch when this run has lost too much.

    Counted is trading profit in USD, fees and funding included, open positions at the mark. What
    the account's coins gain or lose by their own price is not in it.
    """

    limit_usd: Annotated[Decimal, Gt(0), doc("largest loss since the start, in USD")] = Decimal(
        5000
    )

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip at the limit."""
        lost, limit = -reading.session_usd, float(self.limit_usd)
        if lost >= limit:
            return Trip(Why.SESSION_LOSS, f"lost {lost:.2f} USD, the limit is {limit:g}")
        return Ok(max(lost, 0.0) / limit)  # in this order what is not a number stays so
