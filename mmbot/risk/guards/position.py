"""The position no rule should have let happen."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import doc

from mmbot.core.sizes import POSITION, Size, amount_of
from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register

_LIMIT = POSITION.times(2)


@register(Family.GUARD, "position")
@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Trip the kill switch when an instrument's position is far beyond what the desk may hold.

    The rule max_position keeps our own orders within its limit; beyond twice that, something else
    trades on the account, or something is broken. A position that was there before us may be
    larger, as long as it does not grow.
    """

    limit: Annotated[
        Size, doc("largest position either way (default: twice max_position's limit)")
    ] = _LIMIT

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip beyond the limit. A limit that takes a price waits for the price."""
        most = 0.0
        for held in reading.positions:
            allowed = amount_of(self.limit, held.instrument, held.index, held.mark)
            if allowed is None:
                continue
            limit = max(allowed, abs(held.opening))
            if abs(held.amount) > limit:
                name = f"{held.instrument.name}{reading.at(held.instrument.venue)}"
                said = f"{held.amount.normalize():+f} {name}"
                return Trip(Why.POSITION, f"{said}, the limit is {limit.normalize():f}")
            most = max(most, float(abs(held.amount) / limit))
        return Ok(most)
