"""A pricer that believes the market: the middle of the others' best prices."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import doc

from mmbot.core.chains import Chain
from mmbot.core.types import Nanos
from mmbot.core.views import MarketView, Valuation
from mmbot.plugins.registry import Family, register
from mmbot.pricing.microprice import microprice


@register(Family.PRICER, "mid")
@dataclass(frozen=True, slots=True, kw_only=True)
class Mid:
    """The middle of the others' best prices, our own orders left out; the mark where a side is
    missing.

    Use it where the venue's mark is worse than its market. On an option whose market is wide, the
    middle moves with every quote of a stranger: the mark is steadier.
    """

    weighted: Annotated[
        bool, doc("each price weighted by the amount on the other side, the microprice")
    ] = False

    def fair(self, market: MarketView, chain: Chain | None, now_ns: Nanos) -> Valuation:  # noqa: ARG002  # of the port
        """The middle as it is now."""
        if not market.bids or not market.asks:
            return Valuation(market.mark, model="mark")
        if self.weighted:
            return Valuation(microprice(market.bids, market.asks, market.mark), model="microprice")
        return Valuation((market.bids[0][0] + market.asks[0][0]) / 2, model="mid")
