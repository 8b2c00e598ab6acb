"""The exposure limit of one underlying, over all its instruments."""

from dataclasses import dataclass
from decimal import Decimal
from math import inf, isfinite
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.contracts import Instrument
from mmbot.core.leeway import UNBOUNDED, Leeway, Prices
from mmbot.core.reads import no_levels
from mmbot.core.types import ONE, ZERO, to_decimal
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.risk.headroom import fit


@register(Family.RULE, "max_exposure")
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxExposure:
    """Keep the worst-case exposure of all instruments on one underlying within a limit.

    Every instrument counts as delta-one, in coin: an option contract by its size, an inverse
    perpetual by its US dollars over the index. Longs and shorts are added, not netted, and orders
    count as if filled. So do positions of the account that no desk trades, bought by hand for
    instance. What all others leave of the limit is this one's headroom; reducing is always allowed
    up to flat. The shares of a binary are no coin and count for nothing here: max_position holds
    them.
    """

    limit: Annotated[Decimal, Gt(0), doc("largest exposure per underlying, in coin")] = Decimal(100)

    reads = no_levels

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, shrink to the headroom left, or block (also without a usable index)."""
        if view.instrument.counted_in_shares:
            return ALLOW
        if not (isfinite(view.index) and view.index > 0):
            return Block(Why.NO_MARK)
        headroom = self._headroom(view.instrument, view.index, view.desk.others_coin)
        return fit(view.instrument, proposal, headroom, cut=Why.CUT_EXPOSURE, full=Why.MAX_EXPOSURE)

    def leeway(self, prices: Prices) -> Leeway | None:
        """Any position up to what the others leave of the limit."""
        if prices.instrument.counted_in_shares:
            return UNBOUNDED
        if not 0 < prices.index < inf:
            return None
        return Leeway(position=self._headroom(prices.instrument, prices.index, prices.others_coin))

    def _headroom(self, instrument: Instrument, index: float, others_coin: Decimal) -> Decimal:
        """What the others leave of the limit, in the instrument's amount unit."""
        left_coin = self.limit - others_coin
        if left_coin < 0:
            left_coin = ZERO
        return left_coin / instrument.coin(ONE, to_decimal(index))
