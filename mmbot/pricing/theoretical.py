"""A pricer that values options on their surface and the forward the perpetual leads."""

from dataclasses import dataclass
from math import isnan

from mmbot.core.chains import Chain
from mmbot.core.types import Nanos
from mmbot.core.views import MarketView, Valuation
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.pricing.microprice import microprice

VOL_OFF_MAX = 2.0
"""A fitted volatility so many times the venue's, or so small a part of it, is not believed."""


def prepare() -> None:
    """Import what options are valued with, which takes a while: asked in a thread while something
    else is on its way, so that no turn waits for it."""
    from mmbot.pricing import chain_fit, chain_pass  # noqa: F401  # for its own sake


@register(Family.PRICER, "theoretical")
@dataclass(frozen=True, slots=True, kw_only=True)
class Theoretical:
    """An option by Black's formula, on a fitted surface and a forward that the perpetual leads.

    The surface is fitted to all of the expiry that the desk watches (see `watch`); where none
    stands, the venue's volatility is taken. Everything else is worth the weighted middle of its
    book. The venue's mark follows its index, which is late; this follows the perpetual at once.
    """

    reads_chain = True

    def fair(self, market: MarketView, chain: Chain | None, now_ns: Nanos) -> Valuation | Why:  # noqa: ARG002  # of the port
        """The value, its volatility and delta; none before the option has a forward and one of the
        two volatilities."""
        if not market.instrument.has_vega:
            return Valuation(microprice(market.bids, market.asks, market.mark), model="microprice")
        return of_chain(market, chain, no_surface(market, chain))


def no_surface(market: MarketView, chain: Chain | None) -> Why | None:
    """Why no surface stands for an option; None where one does."""
    if chain is None or not chain.fitted[market.row]:
        return Why.NO_SURFACE
    sigma, iv = chain.sigma[market.row], market.mark_iv
    if iv and not iv / VOL_OFF_MAX < sigma < iv * VOL_OFF_MAX:
        return Why.SURFACE_OFF
    return None


def of_chain(market: MarketView, chain: Chain | None, why: Why | None) -> Valuation | Why:
    """An option's value by the last pass over its chain; `why`: no surface stands for it."""
    if chain is None or why is Why.SURFACE_OFF or isnan(chain.fair[market.row]):
        return why or Why.NO_SURFACE
    row = market.row
    expiry = chain.expiry[row]
    smile = chain.smiles.get(chain.expiries[expiry])
    model = smile.model if why is None and smile is not None else "venue's volatility"
    return Valuation(
        chain.fair[row], chain.sigma[row], chain.delta[row], model, why, chain.forward[expiry]
    )
