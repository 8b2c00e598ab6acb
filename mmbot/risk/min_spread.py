"""The least width between our own bid and our own ask."""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Annotated

from annotated_types import Ge, Le, doc

from mmbot.core.leeway import UNBOUNDED, Leeway, Prices
from mmbot.core.reads import best_levels
from mmbot.core.types import OPTION, to_decimal
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register

_ROUNDING_PRICE = Decimal("1e-9")
"""A width short of the minimum by this much is short by the float arithmetic behind it."""


@register(Family.RULE, "min_spread")
@dataclass(frozen=True, slots=True, kw_only=True)
class MinSpread:
    """Refuse a quote that comes too close to our own quote on the other side.

    The rule judges perpetuals and futures, in bps of the market's mid. Options are left to
    cost_floor: bps of a premium say nothing about their costs. A lone side has no width to judge.
    """

    bps: Annotated[
        Decimal,
        Ge(0),
        Le(10_000),
        doc("least width between our bid and ask, in bps of mid (not for options)"),
    ] = Decimal(1)

    reads = best_levels

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, or block what is too close."""
        if view.instrument.kind is OPTION or proposal.opposite is None:
            return ALLOW
        target = proposal.target
        width = (proposal.opposite - target.price) * target.side.sign
        if not isfinite(view.mid):
            return Block(Why.NO_FAIR)
        least = to_decimal(view.mid) * self.bps / 10_000
        return ALLOW if width + _ROUNDING_PRICE >= least else Block(Why.MIN_SPREAD)

    def leeway(self, prices: Prices) -> Leeway | None:
        """Anything in an option; elsewhere it takes the book and our own other side."""
        return UNBOUNDED if prices.instrument.kind is OPTION else None
