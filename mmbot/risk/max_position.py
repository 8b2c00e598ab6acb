"""The position limit of one instrument."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.views import Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.registry import Family, register
from mmbot.risk.room import fit


@register(Family.RULE, "max_position")
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPosition:
    """Keep each instrument's position within a limit, long and short.

    Counted is the worst case: the position plus everything of ours resting, in flight or unknown
    on the same side. A target is shrunk to the room left and blocked when there is none; reducing
    is always allowed up to flat, and beyond it within the limit. The unit is the venue's amount
    unit: contracts (coin) for options, US dollars for inverse perpetuals and futures, so a
    perpetual needs a limit of its own.
    """

    limit: Annotated[
        Decimal, Gt(0), doc("largest position either way, venue's unit (perpetuals: USD)")
    ] = Decimal(10)

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, shrink to the room left, or block."""
        return fit(view.instrument, proposal, self.limit, Why.MAX_POSITION)
