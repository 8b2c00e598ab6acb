"""Black (1976) for one option on a forward, undiscounted, in plain floats: without numpy.

For who values one option at a time, and for the simulator, whose histories must be the same to the
last bit on every machine: numpy's functions differ between processors. `black76.py` is the same for
whole chains. Arguments, everywhere:

    forward   F, in USD              strike   K, in USD
    years     T, time to expiry, ACT/365
    vol       annual volatility, 0.5 = 50 %

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976),
with the rate at zero:

    call = F N(d1) - K N(d2),   d1 = ln(F/K) / w + w/2,   d2 = d1 - w,   w = vol sqrt(T)
"""

from __future__ import annotations

import math
from typing import NamedTuple

VOL_MIN = 0.001
VOL_MAX = 10.0
"""Between them `implied_vol` looks."""

_SQRT_2 = math.sqrt(2)
_SQRT_2_PI = math.sqrt(2 * math.pi)
_DAY = 1 / 365
_STEPS_MAX = 100


class Value(NamedTuple):
    """An option's price (USD per coin) and greeks as the crypto venues scale them.

    `delta` is coin per coin, `gamma` delta per USD, `vega` USD per volatility point, `theta` USD a
    day (in the last day the whole time value), `rho` USD per percentage point of interest on the
    strike.
    """

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def value(forward: float, strike: float, years: float, vol: float, *, is_call: bool) -> Value:
    """Price and greeks of a European option; what is left of it at or after expiry."""
    deviation = vol * math.sqrt(years) if years > 0 else 0.0
    if deviation <= 0:
        paid = _payoff(forward, strike, is_call=is_call)
        delta = (1.0 if is_call else -1.0) if paid > 0 else 0.0
        return Value(max(paid, 0.0), delta, 0.0, 0.0, 0.0, 0.0)
    d1 = _d1(forward, strike, deviation)
    d2 = d1 - deviation
    density = _density(d1)
    if is_call:
        delta = 0.5 * math.erfc(-d1 / _SQRT_2)
        in_strike = strike * 0.5 * math.erfc(-d2 / _SQRT_2)
        price = forward * delta - in_strike
        rho = years * in_strike / 100
    else:
        delta = -0.5 * math.erfc(d1 / _SQRT_2)
        in_strike = strike * 0.5 * math.erfc(d2 / _SQRT_2)
        price = in_strike + forward * delta
        rho = -years * in_strike / 100
    slope = forward * density * math.sqrt(years)
    theta = -slope * vol / (2 * years) / 365
    if years < _DAY:
        theta = max(_payoff(forward, strike, is_call=is_call), 0.0) - price
    return Value(price, delta, density / (forward * deviation), slope / 100, theta, rho)


def vega(*, forward: float, strike: float, years: float, vol: float, inverse: bool) -> float:
    """Change of the option's price for a change of volatility by 1 (100 vol points).

    F phi(d1) sqrt(T) in the currency of the forward; in coin, for inverse options, that over F.
    Zero at expiry and where an input is not a positive number.
    """
    if not (forward > 0 and strike > 0 and years > 0 and vol > 0):
        return 0.0
    in_coin = _density(_d1(forward, strike, vol * math.sqrt(years))) * math.sqrt(years)
    return in_coin if inverse else in_coin * forward


def implied_vol(
    price: float, forward: float, strike: float, years: float, guess: float, *, is_call: bool
) -> float | None:
    """The volatility at which Black-76 gives `price` (USD); None where there is none.

    Newton's steps from `guess`, kept inside a bracket that every step narrows.
    """
    low, high = VOL_MIN, VOL_MAX
    if years <= 0:
        return None
    if not (
        value(forward, strike, years, low, is_call=is_call).price
        < price
        < value(forward, strike, years, high, is_call=is_call).price
    ):
        return None
    vol = min(max(guess, low), high)
    for _ in range(_STEPS_MAX):
        at_vol = value(forward, strike, years, vol, is_call=is_call)
        miss = at_vol.price - price
        if miss > 0:
            high = vol
        else:
            low = vol
        if abs(miss) < 1e-9 * forward or high - low < 1e-9:
            break
        slope = 100 * at_vol.vega
        vol = vol - miss / slope if slope > 0 else low
        if not low < vol < high:
            vol = 0.5 * (low + high)
    return vol


def _payoff(forward: float, strike: float, *, is_call: bool) -> float:
    """What exercise would bring in; negative where nobody would."""
    return forward - strike if is_call else strike - forward


def _d1(forward: float, strike: float, deviation: float) -> float:
    return math.log(forward / strike) / deviation + 0.5 * deviation


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / _SQRT_2_PI
