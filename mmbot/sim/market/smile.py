"""What an option is worth: Black-76 in plain floats, and a volatility surface without arbitrage.

Black-76 with no interest: F. Black, "The pricing of commodity contracts", J. Financial Economics 3
(1976). The surface is an SSVI: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility
surfaces", Quantitative Finance 14 (2014), with their power-law phi at exponent 1/2:

    w(k, theta) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)),
    phi(theta)  = eta / sqrt(theta (1 + theta)),      k = ln(strike / forward).

It is free of butterfly arbitrage where eta (1 + |rho|) <= 2 (their remark 4.4), and of calendar
arbitrage wherever theta, the total variance at the money, does not fall with the expiry. Theta is
the integral of a forward variance that is positive by construction, so both hold at every moment.

Units: forward, strike and prices in USD, years ACT/365, volatilities as fractions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from mmbot.sim.exchange.listing import Right
from mmbot.sim.market.underlying import (
    FAST_HALF_LIFE_S,
    SECONDS_A_YEAR,
    SLOW_HALF_LIFE_S,
    VolState,
)

RHO: Final = -0.2
ETA: Final = 1.0
SHIFT_HALF_LIFE_DAYS: Final = 7.0  # over which expiries the response to the price fades
VOLATILITY_MAX: Final = 10.0
VOLATILITY_MIN: Final = 0.001

_SQRT_2: Final = math.sqrt(2)
_SQRT_2_PI: Final = math.sqrt(2 * math.pi)
_LN2: Final = math.log(2)
_SLOW: Final = _LN2 * SECONDS_A_YEAR / SLOW_HALF_LIFE_S
_FAST: Final = _LN2 * SECONDS_A_YEAR / FAST_HALF_LIFE_S
_SHIFT: Final = _LN2 * 365 / SHIFT_HALF_LIFE_DAYS
_WEEK: Final = 7 / 365
_DAY: Final = 1 / 365


@dataclass(frozen=True, slots=True)
class Value:
    """An option's price (USD per coin) and greeks as the venue scales them.

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


def black76(forward: float, strike: float, years: float, volatility: float, right: Right) -> Value:
    """Value of a European option on a forward; what is left of it at or after expiry."""
    is_call = right is Right.CALL
    spread = volatility * math.sqrt(years) if years > 0 else 0.0
    if spread <= 0:
        paid = forward - strike if is_call else strike - forward
        delta = (1.0 if is_call else -1.0) if paid > 0 else 0.0
        return Value(max(paid, 0.0), delta, 0.0, 0.0, 0.0, 0.0)
    d1 = math.log(forward / strike) / spread + 0.5 * spread
    d2 = d1 - spread
    density = math.exp(-0.5 * d1 * d1) / _SQRT_2_PI
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
    vega = forward * density * math.sqrt(years)
    theta = -vega * volatility / (2 * years) / 365
    if years < _DAY:
        paid = forward - strike if is_call else strike - forward
        theta = max(paid, 0.0) - price
    return Value(price, delta, density / (forward * spread), vega / 100, theta, rho)


def implied_volatility(
    price: float, forward: float, strike: float, years: float, right: Right, guess: float
) -> float | None:
    """The volatility at which Black-76 gives `price` (USD); None where there is none.

    Newton's steps from `guess`, kept inside a bracket that every step narrows.
    """
    low, high = VOLATILITY_MIN, VOLATILITY_MAX
    if years <= 0:
        return None
    if not (
        black76(forward, strike, years, low, right).price
        < price
        < black76(forward, strike, years, high, right).price
    ):
        return None
    volatility = min(max(guess, low), high)
    for _ in range(100):
        value = black76(forward, strike, years, volatility, right)
        miss = value.price - price
        if miss > 0:
            high = volatility
        else:
            low = volatility
        if abs(miss) < 1e-9 * forward or high - low < 1e-9:
            break
        slope = 100 * value.vega
        volatility = volatility - miss / slope if slope > 0 else low
        if not low < volatility < high:
            volatility = 0.5 * (low + high)
    return volatility


@dataclass(frozen=True, slots=True)
class Smile:
    """One expiry's volatilities: `theta` is the total variance at the money."""

    years: float
    theta: float

    def total_variance(self, k: float) -> float:
        """w at k = ln(strike / forward)."""
        phi_k = ETA * k / math.sqrt(self.theta * (1 + self.theta))
        root = math.sqrt((phi_k + RHO) ** 2 + 1 - RHO * RHO)
        return 0.5 * self.theta * (1 + RHO * phi_k + root)

    def volatility(self, k: float) -> float:
        """Annualized, at k = ln(strike / forward)."""
        return math.sqrt(self.total_variance(k) / self.years)


def smile(state: VolState, years: float) -> Smile:
    """The smile of the expiry `years` away (more than zero)."""
    assert years > 0, "an expired option has no smile"
    lift = math.exp(2 * state.premium)
    week = lift * _base_variance(state, _WEEK)
    volatility_week = math.sqrt(week / _WEEK) + state.shift_points / 100
    bump = volatility_week**2 * _WEEK - week
    fade = (1 - math.exp(-_SHIFT * years)) / (1 - math.exp(-_SHIFT * _WEEK))
    return Smile(years, lift * _base_variance(state, years) + bump * fade)


def _base_variance(state: VolState, years: float) -> float:
    """Total variance before the price's response: the integral, from now to the expiry, of

    diffusion (1 + (slow - 1) exp(-a u)) (1 + (fast - 1) exp(-b u)) + jumps.
    """
    slow = state.slow_ratio - 1
    fast = state.fast_ratio - 1
    diffusion = (
        years
        + slow * (1 - math.exp(-_SLOW * years)) / _SLOW
        + fast * (1 - math.exp(-_FAST * years)) / _FAST
        + slow * fast * (1 - math.exp(-(_SLOW + _FAST) * years)) / (_SLOW + _FAST)
    )
    return state.diffusion_variance * diffusion + state.jump_variance * years
