"""A pricer that believes the venue: what it says an instrument is worth."""

from dataclasses import dataclass

from mmbot.core.chains import Chain
from mmbot.core.types import Nanos
from mmbot.core.views import MarketView, Valuation
from mmbot.plugins.registry import Family, register
from mmbot.pricing.microprice import microprice


@register(Family.PRICER, "mark")
@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The venue's mark price for an option; the weighted middle of the book for the others.

    The mark of a perpetual or future follows an index that is late, by more than such a market is
    wide; the mark of an option is the venue's own model, and its book is too wide to tell more.
    """

    def fair(self, market: MarketView, chain: Chain | None, now_ns: Nanos) -> Valuation:  # noqa: ARG002  # of the port
        """The value, and the venue's volatility and delta."""
        if market.instrument.fair_is_mark:
            return Valuation(market.mark, market.mark_iv, market.delta, "mark")
        return Valuation(microprice(market.bids, market.asks, market.mark), model="microprice")
