"""One pass over a chain: what every option is worth on the surface of its expiry, with greeks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbot.pricing import black76


class Pass(NamedTuple):
    """Columns as in core.chains.Chain; NaN where an option has no forward or no volatility."""

    fair: list[float]
    sigma: list[float]
    fitted: list[bool]
    delta: list[float]
    gamma_coin_per_pct: list[float]
    vega_usd_per_vol_point: list[float]
    theta_usd_per_day: list[float]
    step_usd: float
    """The least move of the forward that moves an option that counts by its `step`."""


def value_chain(
    *,
    strike: Sequence[float],
    sign: Sequence[float],
    place: Sequence[int],
    iv: Sequence[float],
    step: Sequence[float],
    forward: Sequence[float],
    years: Sequence[float],
    smiles: Sequence[tuple[float, float, float, float, float]],
    inverse: bool,
) -> Pass:
    """Value options: one entry of `strike`, `sign` (+1 call, -1 put), `place`, `iv` and `step` an
    option, one of `forward`, `years` and `smiles` an expiry, `place` says which.

    `smiles`: raw SVI (a, b, rho, m, s) in total variance over what is left until the expiry, NaN
    where there is none: then the option's own `iv`. `step`: a change of price that matters; NaN for
    an option nobody trades.
    """
    at: NDArray[np.int64] = np.array(place, dtype=np.int64)
    k_usd, direction = np.array(strike), np.array(sign)
    f, left = np.array(forward)[at], np.maximum(np.array(years), 0.0)[at]
    a, b, rho, m, s = np.array(smiles, dtype=np.float64).T[:, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(k_usd / f) - m
        sigma = np.sqrt((a + b * (rho * x + np.sqrt(x * x + s * s))) / left)
        fitted = (sigma > 0.0) & (left > 0.0)
        sigma = np.where(fitted, sigma, np.array(iv))
        found = black76.value(f, k_usd, left, sigma, direction, inverse=inverse)
        # dV/dF in the quote unit: of a coin premium V / F it is (delta - premium) / F.
        slope = (found.delta - found.price) / f if inverse else found.delta
        moves = np.array(step) / np.abs(slope)
    least = float(np.nanmin(moves, initial=np.inf))
    return Pass(
        found.price.tolist(),
        sigma.tolist(),
        fitted.tolist(),
        found.delta.tolist(),
        found.gamma_coin_per_pct.tolist(),
        found.vega_usd_per_vol_point.tolist(),
        found.theta_usd_per_day.tolist(),
        least,
    )
