"""The default pricer: the best that is known of each kind of instrument."""

from dataclasses import dataclass

from mmbot.core.chains import Chain
from mmbot.core.types import Nanos
from mmbot.core.views import MarketView, Valuation
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.pricing.mark import Mark
from mmbot.pricing.theoretical import no_surface, of_chain

_MARK = Mark()


@register(Family.PRICER, "auto")
@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """An option on its surface while one stands, else at the mark; the rest by their own book.

    The surface is as `theoretical` has it; the book's price is that of its best prices, each
    weighted by the amount on the other side.
    """

    reads_chain = True

    def fair(self, market: MarketView, chain: Chain | None, now_ns: Nanos) -> Valuation | Why:
        """The value, and what it was built on."""
        if market.instrument.has_vega:
            why = no_surface(market, chain)
            if why is None:
                return of_chain(market, chain, why)
            return _MARK.fair(market, chain, now_ns)._replace(why=why)
        return _MARK.fair(market, chain, now_ns)
