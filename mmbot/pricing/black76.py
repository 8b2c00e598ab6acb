"""Black (1976) for options on a forward, undiscounted: price, greeks, implied volatility.

Every function takes arrays or scalars and broadcasts. Arguments, everywhere:

    forward   F, in USD              strike   K, in USD
    years     time to expiry, ACT/365, at least 0
    vol       annual volatility, 0.5 = 50 %
    sign      +1 for a call, -1 for a put
    inverse   True: the price is in coin, Black76(F) / F; False: in the currency of F

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976),
with the rate at zero, as the crypto venues quote:

    price = sign (F N(sign d1) - K N(sign d2)),   d1 = ln(F/K) / w + w/2,   d2 = d1 - w

where w = vol sqrt(years) is the total deviation.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

Array = NDArray[np.float64]
Floats = float | Array
"""A scalar or an array; results have the broadcast shape."""

DAYS_PER_YEAR = 365.0

_MIN_DEVIATION = 1e-12
"""Stands for a total deviation of zero, so that at expiry the formulas give intrinsic value."""
_INV_SQRT_2PI = 1.0 / np.sqrt(2.0 * np.pi)


class Valuation(NamedTuple):
    """Price and greeks of one unit of option, as arrays. The greeks are the same for inverse
    and linear options, because both are worth Black76(F) in USD."""

    price: Array
    """Coin for inverse options, else the currency of the forward."""
    delta: Array
    """Black delta sign N(sign d1), in coin. The venue's net transaction delta of an inverse
    option is this minus its price."""
    gamma_coin_per_pct: Array
    """Change of delta for a move of the forward by 1 %."""
    vega_usd_per_vol_point: Array
    """Change of USD value for one vol point (0.01)."""
    theta_usd_per_day: Array
    """Change of USD value over one day, all else equal; at most 0."""


def price(
    forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats, *, inverse: bool
) -> Array:
    """Option price: coin (inverse) or USD (linear) per unit; intrinsic value at expiry."""
    deviation = np.maximum(vol * np.sqrt(years), _MIN_DEVIATION)
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    in_coin = sign * (ndtr(sign * d1) - strike / forward * ndtr(sign * (d1 - deviation)))
    return np.asarray(in_coin if inverse else in_coin * forward)


def value(
    forward: Floats,
    strike: Floats,
    years: Floats,
    vol: Floats,
    sign: Floats,
    *,
    inverse: bool,
    log_moneyness: Array | None = None,
    sqrt_years: Array | None = None,
) -> Valuation:
    """Price and greeks together, for the price of one.

    A caller that values one chain again and again may keep `log_moneyness` = ln(F/K) and
    `sqrt_years` between calls in which the forward and the time have not moved.
    """
    if log_moneyness is None:
        log_moneyness = np.log(forward / strike)
    if sqrt_years is None:
        sqrt_years = np.sqrt(years)
    deviation = np.maximum(vol * sqrt_years, _MIN_DEVIATION)
    d1 = log_moneyness / deviation + 0.5 * deviation
    density = np.exp(-0.5 * d1 * d1) * _INV_SQRT_2PI
    delta = sign * ndtr(sign * d1)
    in_coin = delta - sign * (strike / forward) * ndtr(sign * (d1 - deviation))
    spread_out = forward * density
    return Valuation(
        price=np.asarray(in_coin if inverse else in_coin * forward),
        delta=delta,
        gamma_coin_per_pct=density / (100.0 * deviation),
        vega_usd_per_vol_point=spread_out * sqrt_years * 0.01,
        theta_usd_per_day=spread_out * (vol * vol) / (deviation * (-2.0 * DAYS_PER_YEAR)),
    )


def implied_vol(
    price: Floats, forward: Floats, strike: Floats, years: Floats, sign: Floats, *, inverse: bool
) -> Array:
    """The volatility at which `price` is the Black76 price.

    NaN below intrinsic value, from the upper bound on (a call is worth less than the forward: 1
    coin; a put less than its strike: K/F coin), and at expiry. Zero exactly at intrinsic value.

    Method: by put-call parity the time value is the price of the out-of-the-money option at that
    strike, so only those are inverted. With h = |ln(F/K)| / w its price b (in coin, over
    sqrt(K/F)) is

        b(w) = exp(-h^2/2 - w^2/8) / sqrt(2 pi) x (M(h - w/2) - M(h + w/2)),   M = N(-z) / phi(z)

    which loses no digits in the wings, and db/dw is the factor before the bracket: a log-concave
    density. Its integral b is then log-concave too, so Newton on ln b climbs to the root from the
    left without ever passing it, and one step from the right lands on the left. Only a step
    towards zero needs care: it stops at half the way.
    """
    price, forward, strike, years, sign = np.broadcast_arrays(price, forward, strike, years, sign)
    ratio = strike / forward
    in_coin = price if inverse else price / forward
    time_value = in_coin - np.maximum(sign * (1.0 - ratio), 0.0)
    bounded = (time_value >= 0.0) & (time_value < np.minimum(1.0, ratio)) & (years > 0.0)
    vol: Array = np.where(bounded, 0.0, np.nan)
    solvable = bounded & (time_value > 0.0)
    distance = np.abs(np.log(ratio[solvable]))
    log_price = np.log(time_value[solvable]) - 0.5 * np.log(ratio[solvable])
    vol[solvable] = _total_deviation(log_price, distance) / np.sqrt(years[solvable])
    return vol


def implied_vol_interval(
    price: Floats,
    tick: Floats,
    forward: Floats,
    strike: Floats,
    years: Floats,
    sign: Floats,
    *,
    inverse: bool,
) -> tuple[Array, Array]:
    """Lowest and highest volatility a price on a grid of `tick` may stand for.

    A time value below one tick says no more than "between nothing and one tick": from 0 to the
    volatility at intrinsic value plus one tick. Otherwise both ends are `implied_vol`. NaN where
    that is.
    """
    point = implied_vol(price, forward, strike, years, sign, inverse=inverse)
    intrinsic = np.maximum(sign * (forward - strike), 0.0) / (forward if inverse else 1.0)
    one_tick = implied_vol(intrinsic + tick, forward, strike, years, sign, inverse=inverse)
    unclear = (price - intrinsic < tick) & ~np.isnan(point)
    return np.where(unclear, 0.0, point), np.where(unclear, one_tick, point)


_SQRT_HALF = np.sqrt(0.5)
_MILLS = np.sqrt(np.pi / 2.0)
_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
_MAX_STEPS = 100
_TOLERANCE = 1e-9
"""Relative size of the last step. Convergence is quadratic: the next would be about its square."""


def _total_deviation(log_price: Array, distance: Array) -> Array:
    """The root w of ln b(w) = log_price (see implied_vol); `distance` = |ln(F/K)|."""
    # Far out of the money ln b is about -distance^2 / (2 w^2); near the money b is about
    # w / sqrt(2 pi). Each guess is poor where the other is good, and small where it is poor.
    wing = distance / np.sqrt(2.0 * np.maximum(-log_price, 0.5))
    w: Array = np.maximum(wing, np.exp(np.minimum(log_price, 0.0) + _LOG_SQRT_2PI))
    for _ in range(_MAX_STEPS):
        h = distance / w
        bracket = _MILLS * (erfcx((h - 0.5 * w) * _SQRT_HALF) - erfcx((h + 0.5 * w) * _SQRT_HALF))
        log_b = np.log(bracket) - 0.5 * h * h - 0.125 * w * w - _LOG_SQRT_2PI
        step = (log_price - log_b) * bracket
        w = np.maximum(w + step, 0.5 * w)
        if np.all(np.abs(step) <= _TOLERANCE * w):
            break
    return w
