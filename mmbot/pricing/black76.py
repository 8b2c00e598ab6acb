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

where w = vol sqrt(years) is the total deviation. At expiry and after it an option is its intrinsic
value: delta is 0, half the sign at the strike, or the sign, and every other greek is 0. Where the
forward is not positive nothing has a value: NaN, without a warning.

`price` and `value` are for whole chains, again and again; `greeks` has all of them, and the time
value to full precision far out of the money.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

Array = NDArray[np.float64]
Floats = float | Array
"""A scalar or an array; results have the broadcast shape."""

DAYS_PER_YEAR = 365.0

_MIN_DEVIATION = 1e-100
"""Stands for a total deviation of zero, so that at expiry the formulas give intrinsic value: so
small that d1 is 0 at the strike alone."""
_NO_BOUND = 1e300
_ROOT_OF_A_DAY = np.sqrt(1.0 / DAYS_PER_YEAR)
_INV_SQRT_2PI = 1.0 / np.sqrt(2.0 * np.pi)

# As arrays, because numpy makes one of every float at every call.
_HALF = np.asarray(0.5)
_PER_POINT = np.asarray(0.01 * _INV_SQRT_2PI)
_PER_DAY = np.asarray(0.5 / DAYS_PER_YEAR * _INV_SQRT_2PI)


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
    """Change of USD value over one day, all else equal; at most 0, and in the last day never more
    than the whole time value."""


class Greeks(NamedTuple):
    """All that is known of one unit of option, as arrays: the derivatives of its USD value V, with
    F the forward, sigma the volatility and t the time that passes."""

    price: Array
    """Coin for inverse options, else the currency of the forward."""
    intrinsic: Array
    """What exercise would bring now; in the unit of the price."""
    time_value: Array
    """The price less that, to full precision however small; in the unit of the price."""
    delta_black: Array
    """dV/dF, coin."""
    delta_net_coin: Array
    """What the holder is long, in coin: the Black delta less the premium where that is paid in coin
    (inverse options: the net transaction delta), the Black delta of a linear option."""
    delta_usd: Array
    """F dV/dF, USD: worth of the coins that hedge it."""
    gamma_per_usd: Array
    """d2V/dF2: change of delta, in coin, for a move of the forward by 1 USD."""
    gamma_coin_per_pct: Array
    """Change of delta, in coin, for a move of the forward by 1 %."""
    vega_usd_per_vol_point: Array
    """dV/dsigma x 0.01: USD for one vol point."""
    theta_usd_per_day: Array
    """dV/dt, USD a day; in the last day never more than the whole time value."""
    vanna: Array
    """d2V/dF dsigma x 0.01: change of delta, in coin, for one vol point."""
    volga: Array
    """d2V/dsigma2 x 0.0001: change of vega, in USD per vol point, for one vol point."""
    charm_per_day: Array
    """d2V/dF dt: change of delta, in coin, over one day, all else equal."""


def price(
    forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats, *, inverse: bool
) -> Array:
    """Option price: coin (inverse) or USD (linear) per unit; intrinsic value at expiry."""
    forward = _positive(forward)
    deviation = np.maximum(vol * np.sqrt(_not_over(years)), _MIN_DEVIATION)
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    in_cash = ndtr(sign * (d1 - deviation)) * strike / forward
    in_coin = sign * (ndtr(sign * d1) - in_cash)
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
    forward = _positive(forward)
    if log_moneyness is None:
        log_moneyness = np.log(forward / strike)
    if sqrt_years is None:
        sqrt_years = np.sqrt(_not_over(years))
    deviation = vol * sqrt_years
    settled = deviation <= 0.0
    any_settled = np.count_nonzero(settled)
    if any_settled:
        deviation = np.maximum(deviation, _MIN_DEVIATION)
    # In place wherever a number has the shape of the results: new arrays cost as much as sums.
    d1 = log_moneyness / deviation
    d1 += _HALF * deviation
    delta = ndtr(sign * d1)
    in_cash = ndtr(sign * (d1 - deviation))
    in_cash *= strike
    in_cash /= forward
    in_coin = sign * (delta - in_cash)
    delta *= sign
    d1 *= d1
    d1 *= -_HALF
    gamma = np.exp(d1)  # the density but for 1 / sqrt(2 pi)
    vega = forward * gamma
    loss = vega / deviation
    loss *= vol
    loss *= vol
    loss *= _PER_DAY
    vega *= sqrt_years
    vega *= _PER_POINT
    gamma /= deviation
    gamma *= _PER_POINT
    in_usd = in_coin * forward
    last_day = sqrt_years < _ROOT_OF_A_DAY
    if np.count_nonzero(last_day):
        # The time value is the price of the option or of its twin, whichever is out of the money.
        whole = np.minimum(in_usd, in_usd - sign * (forward - strike))
        whole = np.abs(whole)  # which is 0 but for the last digits where it is not positive
        whole += ~last_day * _NO_BOUND
        loss = np.minimum(loss, whole)
    if any_settled:
        gamma = np.where(settled, 0.0, gamma)
    return Valuation(np.asarray(in_coin if inverse else in_usd), delta, gamma, vega, -loss)


def greeks(
    forward: Floats, strike: Floats, years: Floats, vol: Floats, sign: Floats, *, inverse: bool
) -> Greeks:
    """Price and all greeks up to the second order.

    With n(d1) the normal density at d1 and w = vol sqrt(years):

        gamma = n(d1) / (F w)          vanna = -n(d1) d2 / vol       theta = -vega vol / (2 years)
        vega = F n(d1) sqrt(years)     volga = vega d1 d2 / vol      charm = n(d1) d2 / (2 years)
    """
    forward, strike, years, vol, sign = np.broadcast_arrays(
        _positive(forward), strike, _not_over(years), vol, sign
    )
    root = np.sqrt(years)
    deviation = np.maximum(vol * root, _MIN_DEVIATION)
    d1 = _log_moneyness(forward, strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    density = np.exp(-0.5 * d1 * d1) * _INV_SQRT_2PI
    delta = sign * ndtr(sign * d1)
    vega = forward * density * root
    intrinsic = np.maximum(sign * (forward - strike), 0.0)
    left = forward * time_value(forward, strike, years, vol)
    alive = deviation > _MIN_DEVIATION
    per_width = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=alive)
    per_vol, per_year = per_width * root, per_width * per_width * vol * vol
    theta = vega * vol * per_year * (-0.5 / DAYS_PER_YEAR)
    theta = np.where(root < _ROOT_OF_A_DAY, np.maximum(theta, -left), theta)
    return in_units(
        forward,
        intrinsic=intrinsic,
        left=left,
        delta=delta,
        gamma=density * per_width / forward,
        vega=0.01 * vega,
        theta=theta,
        vanna=-0.01 * density * d2 * per_vol,
        volga=1e-4 * vega * d1 * d2 * per_vol,
        charm=density * d2 * per_year * (0.5 / DAYS_PER_YEAR),
        inverse=inverse,
    )


def in_units(
    forward: Array,
    *,
    intrinsic: Array,
    left: Array,
    delta: Array,
    gamma: Array,
    vega: Array,
    theta: Array,
    vanna: Array,
    volga: Array,
    charm: Array,
    inverse: bool,
) -> Greeks:
    """Greeks from the intrinsic value and what of the price is left beyond it, in the currency of
    the forward, the Black delta and its slope, and the others as they are stated."""
    unit = 1.0 / forward if inverse else 1.0
    whole = (intrinsic + left) * unit
    return Greeks(
        price=whole,
        intrinsic=intrinsic * unit,
        time_value=left * unit,
        delta_black=delta,
        delta_net_coin=delta - whole if inverse else delta,
        delta_usd=forward * delta,
        gamma_per_usd=gamma,
        gamma_coin_per_pct=0.01 * forward * gamma,
        vega_usd_per_vol_point=vega,
        theta_usd_per_day=theta,
        vanna=vanna,
        volga=volga,
        charm_per_day=charm,
    )


def time_value(forward: Floats, strike: Floats, years: Floats, vol: Floats) -> Array:
    """What an option is worth beyond intrinsic value, in coin: the price of the out-of-the-money
    one of call and put, to full precision however far from the money. Method: see implied_vol."""
    forward, strike, years, vol = np.broadcast_arrays(
        _positive(forward), strike, _not_over(years), vol
    )
    log_moneyness = _log_moneyness(forward, strike)
    w = np.clip(vol * np.sqrt(years), _MIN_DEVIATION, _MAX_DEVIATION)
    h = np.abs(log_moneyness) / w
    bell = np.exp(-0.5 * h * h - 0.125 * w * w - 0.5 * log_moneyness) * _INV_SQRT_2PI
    bracket = _bracket(np.atleast_1d(h), np.atleast_1d(w)).reshape(w.shape)
    worth: Array = np.where(w > _MIN_DEVIATION, bell * bracket, 0.0 * bell)
    return worth


def implied_vol(
    price: Floats, forward: Floats, strike: Floats, years: Floats, sign: Floats, *, inverse: bool
) -> Array:
    """The volatility at which `price` is the Black76 price.

    NaN below intrinsic value, from the upper bound on (a call is worth less than the forward: 1
    coin; a put less than its strike: K/F coin), and at expiry. Zero at intrinsic value: where the
    time value is below 4 units in the last place of the price.

    Method: by put-call parity the time value is the price of the out-of-the-money option at that
    strike, so only those are inverted. With h = |ln(F/K)| / w its price b (in coin, over
    sqrt(K/F)) is

        b(w) = exp(-h^2/2 - w^2/8) / sqrt(2 pi) x (M(h - w/2) - M(h + w/2)),   M = N(-z) / phi(z)

    which loses no digits in the wings, and db/dw is the factor before the bracket: a log-concave
    density. Its integral b is then log-concave too, so Newton on ln b climbs to the root from the
    left without ever passing it, and one step from the right lands on the left. Only a step
    towards zero needs care: it stops at half the way.
    """
    price, forward, strike, years, sign = np.broadcast_arrays(
        price, _positive(forward), strike, years, sign
    )
    ratio = strike / forward
    left = _beyond_intrinsic(price, np.maximum(sign * (forward - strike), 0.0), forward, inverse)
    bounded = (left >= 0.0) & (left < np.minimum(1.0, ratio)) & (years > 0.0)
    vol: Array = np.where(bounded, 0.0, np.nan)
    solvable = bounded & (left > 0.0)
    distance = np.abs(_log_moneyness(forward[solvable], strike[solvable]))
    log_price = np.log(left[solvable]) - 0.5 * np.log(ratio[solvable])
    vol[solvable] = _total_deviation(log_price, distance) / np.sqrt(years[solvable])
    return vol


def _beyond_intrinsic(price: Array, intrinsic: Array, forward: Array, inverse: bool) -> Array:
    """The time value in a price, in coin; 0 where it is less than the price's last digits can say.
    `intrinsic` is in USD."""
    left = price - (intrinsic / forward if inverse else intrinsic)
    left = np.where(np.abs(left) < _ULPS * np.spacing(np.abs(price)), 0.0, left)
    return left if inverse else left / forward


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
    forward = _positive(forward)
    point = implied_vol(price, forward, strike, years, sign, inverse=inverse)
    intrinsic = np.maximum(sign * (forward - strike), 0.0) / (forward if inverse else 1.0)
    one_tick = implied_vol(intrinsic + tick, forward, strike, years, sign, inverse=inverse)
    unclear = (price - intrinsic < tick) & ~np.isnan(point)
    return np.where(unclear, 0.0, point), np.where(unclear, one_tick, point)


_SQRT_HALF = np.sqrt(0.5)
_MILLS = np.sqrt(np.pi / 2.0)
_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
_ULPS = 4.0
_MAX_DEVIATION = 70.0
"""From here on a time value is the whole of its upper bound."""
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
        bracket = _bracket(h, w)
        log_b = np.log(bracket) - 0.5 * h * h - 0.125 * w * w - _LOG_SQRT_2PI
        step = (log_price - log_b) * bracket
        w = np.maximum(w + step, 0.5 * w)
        if np.all(np.abs(step) <= _TOLERANCE * w):
            break
    return w


_NARROW = 2e-3
"""Below this w the two terms of the bracket agree in so many digits that a series is better."""


def _bracket(h: Array, w: Array) -> Array:
    """M(h - w/2) - M(h + w/2), see implied_vol."""
    found: Array = _MILLS * (erfcx((h - 0.5 * w) * _SQRT_HALF) - erfcx((h + 0.5 * w) * _SQRT_HALF))
    narrow = w < _NARROW
    if narrow.any():
        # -w M1 - w^3/24 M3 with the derivatives M1 = h M - 1 and M3 at h; the next term is below
        # 1e-13 of it.
        z, width = np.minimum(h[narrow], _FAR), w[narrow]
        mills = _MILLS * erfcx(z * _SQRT_HALF)
        third = (z * z + 3.0) * z * mills - (z * z + 2.0)
        found[narrow] = width * (1.0 - z * mills - width * width / 24.0 * third)
    return found


_FAR = 40.0
"""An h at which the bracket does not matter: the factor before it is 0."""


def _positive(forward: Floats) -> Array:
    """The forward; NaN, which every formula hands on, where there is none."""
    forward = np.asarray(forward, dtype=np.float64)
    there = forward > 0.0
    all_there = np.count_nonzero(there) == forward.size
    return forward if all_there else np.where(there, forward, np.nan)


def _not_over(years: Floats) -> Array:
    """Time to expiry; 0 after it."""
    return np.maximum(years, 0.0)


def _log_moneyness(forward: Array, strike: Array) -> Array:
    """ln(F/K), to full precision where they are close."""
    ratio = forward / strike
    close = np.abs(ratio - 1.0) < 0.1
    apart = np.where(close, (forward - strike) / strike, 0.0)
    return np.where(close, np.log1p(apart), np.log(ratio))
