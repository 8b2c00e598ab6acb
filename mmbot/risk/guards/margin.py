"""How close to liquidation the account may come."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, Le, doc

from mmbot.core.types import ZERO
from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "margin")
@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Trip the kill switch when the positions need too much of the account.

    Counted is the maintenance margin as a share of equity, currency by currency, as the venue
    states both; at 100 % it liquidates.
    """

    limit_pct: Annotated[
        Decimal, Gt(0), Le(100), doc("largest maintenance margin, percent of equity")
    ] = Decimal(60)

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip at the limit."""
        most = 0.0
        for stated in reading.margins:
            if stated.maintenance * 100 >= self.limit_pct * max(ZERO, stated.equity):
                said = f"{stated.maintenance:f} of {stated.equity:f} {stated.currency}"
                where = reading.at(stated.venue)
                return Trip(Why.MARGIN, f"maintenance margin is {said}{where}")
            most = max(most, float(stated.maintenance * 100 / stated.equity / self.limit_pct))
        return Ok(most)
