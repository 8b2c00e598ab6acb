"""A volatility surface without arbitrage.

The surface is an SSVI: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces",
Quantitative Finance 14 (2014), with their power-law phi at exponent 1/2:

    w(k, theta) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)),
    phi(theta)  = eta / sqrt(theta (1 + theta)),      k = ln(strike / forward).

The surface is free of butterfly arbitrage where eta (1 + |rho|) <= 2 (their remark 4.4), and of
calendar arbitrage wherever theta, the total variance at the money, does not fall with the expiry.
Theta is the integral of a forward variance that is positive by construction, so both hold at every
moment.

Units: forward, strike and prices in USD, years ACT/365, volatilities as fractions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from mmbot.sim.market.underlying import (
    FAST_HALF_LIFE_S,
    SECONDS_A_YEAR,
    SLOW_HALF_LIFE_S,
    VolState,
)

RHO: Final = -0.2
ETA: Final = 1.0
SHIFT_HALF_LIFE_DAYS: Final = 7.0  # over which expiries the response to the price fades

_LN2: Final = math.log(2)
_SLOW: Final = _LN2 * SECONDS_A_YEAR / SLOW_HALF_LIFE_S
_FAST: Final = _LN2 * SECONDS_A_YEAR / FAST_HALF_LIFE_S
_SHIFT: Final = _LN2 * 365 / SHIFT_HALF_LIFE_DAYS
_WEEK: Final = 7 / 365


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


class _Horizon:
    """How much of each factor has faded so many years from now."""

    __slots__ = ("both", "fast", "shift", "slow", "years")

    def __init__(self, years: float) -> None:
        self.years = years
        self.slow = 1 - math.exp(-_SLOW * years)
        self.fast = 1 - math.exp(-_FAST * years)
        self.both = 1 - math.exp(-(_SLOW + _FAST) * years)
        self.shift = 1 - math.exp(-_SHIFT * years)


_WEEK_AHEAD: Final = _Horizon(_WEEK)


def smile(state: VolState, years: float) -> Smile:
    """The smile of the expiry `years` away (more than zero)."""
    assert years > 0, "an expired option has no smile"
    ahead = _Horizon(years)
    lift = math.exp(2 * state.premium)
    week = lift * _base_variance(state, _WEEK_AHEAD)
    volatility_week = math.sqrt(week / _WEEK) + state.shift_points / 100
    bump = volatility_week**2 * _WEEK - week
    fade = ahead.shift / _WEEK_AHEAD.shift
    return Smile(years, lift * _base_variance(state, ahead) + bump * fade)


def _base_variance(state: VolState, ahead: _Horizon) -> float:
    """Total variance before the price's response: the integral, from now to the horizon, of

    diffusion (1 + (slow - 1) exp(-a u)) (1 + (fast - 1) exp(-b u)) + jumps.
    """
    slow = state.slow_ratio - 1
    fast = state.fast_ratio - 1
    diffusion = (
        ahead.years
        + slow * ahead.slow / _SLOW
        + fast * ahead.fast / _FAST
        + slow * fast * ahead.both / (_SLOW + _FAST)
    )
    return state.diffusion_variance * diffusion + state.jump_variance * ahead.years
