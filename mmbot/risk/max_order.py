"""The size limit of one order."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.views import ALLOW, Block, Proposal, Shrink, Verdict, View
from mmbot.core.why import Why
from mmbot.registry import Family, register


@register(Family.RULE, "max_order")
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxOrder:
    """Shrink any larger order to the limit: the last defense against a size typed wrong.

    A limit below the venue's minimum blocks every order. There is no default, because a sensible
    one depends on the unit: contracts (coin) for options, US dollars for inverse perpetuals.
    """

    limit: Annotated[Decimal, Gt(0), doc("largest order, in the venue's unit (perpetuals: USD)")]

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, shrink to the limit, or block where the limit is below the venue's minimum."""
        if proposal.target.size <= self.limit:
            return ALLOW
        left = view.instrument.snap_size(self.limit)
        return Shrink(left, Why.MAX_ORDER) if left > 0 else Block(Why.MAX_ORDER)
