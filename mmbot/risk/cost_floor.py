"""The least distance of a quote from fair value: what a round trip costs."""

from dataclasses import dataclass
from decimal import Decimal
from math import inf, isfinite
from typing import Annotated

from annotated_types import Ge, doc

from mmbot.core import costs
from mmbot.core.contracts import Instrument
from mmbot.core.leeway import Leeway, Prices
from mmbot.core.reads import no_levels
from mmbot.core.types import ZERO, to_decimal
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.RULE, "cost_floor")
@dataclass(frozen=True, slots=True, kw_only=True)
class CostFloor:
    """Refuse a quote that would lose money even if the market never moved.

    Break-even spread = 2 x maker fee + slippage + wanted profit, in price units (options: coin or
    USDC of premium; perpetuals: US dollars). A bid may be at most fair value less half of it, an
    ask at least fair value plus half. The fee is the instrument's own, capped as the venue caps
    it.
    """

    slippage: Annotated[
        Decimal, Ge(0), doc("expected loss of a round trip beyond fees, in price units")
    ] = ZERO
    profit: Annotated[Decimal, Ge(0), doc("wanted profit of a round trip, in price units")] = ZERO

    reads = no_levels

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, or block what is too close to fair value (or when there is none)."""
        if not (isfinite(view.fair) and view.fair > 0 and isfinite(view.index) and view.index > 0):
            return Block(Why.NO_FAIR)
        target = proposal.target
        floor = self._floor(view.instrument, view.fair, view.index)
        # Rounded as snap_price rounds, so that a quote at the very floor passes.
        bound = to_decimal(view.fair - target.side.sign * floor)
        too_good = (target.price - bound) * target.side.sign > 0
        return Block(Why.COST_FLOOR) if too_good else ALLOW

    def leeway(self, prices: Prices) -> Leeway | None:
        """A bid up to the floor below fair value, an ask from the one above."""
        fair, index = prices.fair, prices.index
        if not (0 < fair < inf and 0 < index < inf):
            return None
        floor = self._floor(prices.instrument, fair, index)
        return Leeway(bid_most=to_decimal(fair - floor), ask_least=to_decimal(fair + floor))

    def _floor(self, instrument: Instrument, fair: float, index: float) -> float:
        margin = float((self.slippage + self.profit) / 2)
        return costs.cost_floor(instrument, fair, index, margin)
