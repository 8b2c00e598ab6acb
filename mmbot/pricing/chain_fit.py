"""From the quotes of a chain to its surface: what a worker does, outside of the turn."""

from collections.abc import Sequence

import numpy as np

from mmbot.core.chains import FitSurface, Fitted, Smile
from mmbot.pricing.chain_quotes import ChainQuotes
from mmbot.pricing.surface import Expiry, Memory, fit
from mmbot.pricing.svi import Array


class ChainFitter:
    """Fits surfaces, and remembers of each chain what the next fit begins with."""

    def __init__(self) -> None:
        self._memories: dict[str, Memory] = {}

    def fitted(self, asked: FitSurface) -> Fitted:
        """The surface through these quotes. What goes wrong is said in it."""
        chain = ChainQuotes(
            at_ns=asked.at_ns,
            underlying=asked.chain,
            expiry_ns=np.array(asked.expiry_ns, dtype=np.int64),
            strike=np.array(asked.strike),
            sign=np.array(asked.sign),
            forward=_column(asked.forward),
            bid=_column(asked.bid),
            ask=_column(asked.ask),
            mark_vol=_column(asked.iv),
            synthetic=np.zeros(len(asked.strike), dtype=np.bool_),
            inverse=asked.inverse,
            tick=asked.tick,
        )
        try:
            surface, memory = fit(chain, self._memories.pop(asked.chain, None))
        except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
            return Fitted(asked.chain, asked.at_ns, (), f"{type(error).__name__}: {error}")
        if memory is not None:
            self._memories[asked.chain] = memory
        smiles = tuple(
            Smile(
                one.expiry_ns,
                one.model.value,
                *(one.smile.a, one.smile.b, one.smile.rho, one.smile.m, one.smile.s),
                quotes=one.quotes,
                error=_error(chain, memory, one),
            )
            for one in surface.expiries
            if one.smile is not None
        )
        trouble = "" if smiles else _trouble(surface.expiries)
        return Fitted(asked.chain, asked.at_ns, smiles, trouble)


def _column(values: Sequence[float | None]) -> Array:
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _error(chain: ChainQuotes, memory: Memory | None, expiry: Expiry) -> float | None:
    """Root mean square distance of an expiry's smile to the middle of the quotes that counted."""
    if memory is None:
        return None
    bid_vol, ask_vol = memory.near
    middle = 0.5 * (bid_vol + ask_vol)
    rows = (chain.expiry_ns == expiry.expiry_ns) & np.isfinite(middle)
    if not rows.any():
        return None
    off = expiry.vol(np.log(chain.strike[rows] / chain.forward[rows])) - middle[rows]
    return float(np.sqrt(np.mean(off * off)))


def _trouble(expiries: tuple[Expiry, ...]) -> str:
    """In a few words, why no expiry has a smile: what most of its quotes lack."""
    skipped: dict[str, int] = {}
    for expiry in expiries:
        for reason, rows in expiry.skipped:
            skipped[reason] = skipped.get(reason, 0) + rows
    if not skipped:
        return "no quotes"
    reason = max(skipped, key=lambda one: skipped[one])
    return f"{skipped[reason]} quotes: {reason.replace('_', ' ')}"
