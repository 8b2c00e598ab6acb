"""The size limit of one order."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, doc

from mmbot.core.contracts import Instrument
from mmbot.core.leeway import Leeway, Prices
from mmbot.core.reads import no_levels
from mmbot.core.sizes import Size, amount_of, most, surely_within, unit_price
from mmbot.core.views import ALLOW, Block, Proposal, Shrink, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.RULE, "max_order")
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxOrder:
    """Shrink any larger order to the limit: the last defense against a size typed wrong.

    `notional_usd` bounds what one order is worth: options count their underlying, not their
    premium. The limit is never below the instrument's smallest order, so that whatever is chosen
    can be quoted. `limit` bounds the amount besides; one below the venue's minimum blocks every
    order.
    """

    notional_usd: Annotated[
        Decimal, Gt(0), doc("largest order in USD of notional; never below the smallest order")
    ] = Decimal(5_000)
    limit: Annotated[Size | None, doc("largest order besides, as an amount")] = None

    reads = no_levels

    def most(self, instrument: Instrument, index: float, mark: float) -> Decimal | None:
        """The largest order, in the instrument's amount unit; None without a usable price."""
        cap = most(instrument, self.notional_usd, index, mark)
        if cap is None or self.limit is None:
            return cap
        limit = amount_of(self.limit, instrument, index, mark)
        return None if limit is None else min(cap, limit)

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, shrink to the limit, or block: where the limit is below the venue's minimum, and
        where no price says what an order is worth."""
        size = proposal.target.size
        price = unit_price(view.instrument, view.index, view.mark)
        small = price is not None and surely_within(self.notional_usd, size, price)
        if small and self.limit is None:  # as nearly always
            return ALLOW
        limit = self.most(view.instrument, view.index, view.mark)
        if limit is None:
            return Block(Why.NO_MARK)
        if size <= limit:
            return ALLOW
        left = view.instrument.snap_size(limit)
        return Shrink(left, Why.CUT_ORDER) if left > 0 else Block(Why.MAX_ORDER)

    def leeway(self, prices: Prices) -> Leeway | None:
        """Any order up to the largest."""
        limit = self.most(prices.instrument, prices.index, prices.mark)
        return None if limit is None else Leeway(size=limit)
