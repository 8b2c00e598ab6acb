"""The prices an order may have at all."""

from dataclasses import dataclass
from decimal import Decimal
from math import inf, isfinite, isnan
from typing import Annotated

from annotated_types import Ge, Le, doc

from mmbot.core.leeway import Leeway, Prices
from mmbot.core.reads import no_levels
from mmbot.core.types import BUY, to_decimal
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.RULE, "price_band")
@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBand:
    """Refuse prices the venue would refuse, and prices far from the mark.

    The venue rejects buying above its band and selling below it. Besides, a price may be at most
    `max_pct` of the mark, or `max_ticks` ticks, whichever is more, away from the mark: cheap
    options need the ticks, perpetuals the percentage.
    """

    max_pct: Annotated[Decimal, Ge(0), Le(1000), doc("largest distance from the mark, % of it")] = (
        Decimal(5)
    )
    max_ticks: Annotated[
        int, Ge(0), Le(10_000), doc("or in ticks at the mark, whichever is more")
    ] = 20

    reads = no_levels

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, or block what is outside (or when there is no mark)."""
        if not (isfinite(view.mark) and view.mark > 0):
            return Block(Why.NO_MARK)
        price, side = proposal.target.price, proposal.target.side
        venue_bound = view.max_price if side is BUY else view.min_price
        if venue_bound is not None and not float(price) * side.sign <= venue_bound * side.sign:
            return Block(Why.PRICE_BAND)  # also when the bound is not a number
        mark = to_decimal(view.mark)
        away = abs(price - mark)
        if away <= mark * self.max_pct / 100:
            return ALLOW
        in_ticks = self.max_ticks * view.instrument.tick_at(mark)
        return ALLOW if away <= in_ticks else Block(Why.PRICE_BAND)

    def leeway(self, prices: Prices) -> Leeway | None:
        """As far from the mark as is allowed, within the venue's band."""
        most, least = prices.max_price, prices.min_price
        if not 0 < prices.mark < inf:
            return None
        if (most is not None and isnan(most)) or (least is not None and isnan(least)):
            return None
        mark = to_decimal(prices.mark)
        band = max(mark * self.max_pct / 100, self.max_ticks * prices.instrument.tick_at(mark))
        lowest, highest = mark - band, mark + band
        return Leeway(  # a float is an exact number, so nothing is rounded past the venue's bound
            bid_most=highest if most is None else min(highest, Decimal(most)),
            ask_least=lowest if least is None else max(lowest, Decimal(least)),
            lowest=lowest,
            highest=highest,
        )
