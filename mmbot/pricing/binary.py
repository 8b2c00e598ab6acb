"""What a binary market is worth: 1 if the price ends above the strike, else 0. A tie pays NO.

One market at a time, in plain floats: without numpy, the same to the last bit on every machine.

    spot      S, in USD              strike   K, in USD
    years     T, time to expiry, ACT/365
    vol       sigma, annual volatility, 0.5 = 50 %

With w = sigma sqrt(T):

    d2 = ln(S/K) / w - w/2

    normal    P(S_T > K) = N(d2), of a lognormal price
    t5        P = t5cdf(d2 sqrt(5/3)): Student's t with 5 degrees of freedom, scaled to deviation 1,
              for the fat tails that prices have over minutes
    smile     P = G(d2) - g(d2) sqrt(T) dsigma/dk, with k = ln(K/S), G the distribution above and g
              its density: what -dC/dK is where sigma is one of a smile

Source: D. Breeden and R. Litzenberger, "Prices of state-contingent claims implicit in option
prices", Journal of Business 51 (1978): P = -dC/dK of the undiscounted call.

A market that settles on the mean of a final window is one on the spot at another strike and time,
as in averaging.py: before the window T - 2/3 D; inside it T/3 and (K - (1 - u) A) / u, where u of
the window is left and its mean so far is A.
"""

import math
from enum import Enum

from msgspec import Struct

SECONDS_PER_YEAR = 365.0 * 86_400.0

_LEAST_YEARS = 1e-9 / SECONDS_PER_YEAR
"""Expired: a nanosecond before."""
_LEAST_SHARE = 1e-12
_T5_SCALE = math.sqrt(5.0 / 3.0)
_T5_HEIGHT = 8.0 / (3.0 * math.pi * math.sqrt(5.0)) * _T5_SCALE
"""Of the scaled density at 0: gamma(3) / (sqrt(5 pi) gamma(5/2)) is 8 / (3 pi sqrt(5))."""


class Model(Enum):
    """How returns are distributed."""

    NORMAL = "normal"
    T5 = "t5"


class BinaryValue(Struct, frozen=True, gc=False):
    """Chances and greeks of YES, all else equal: with a smile, volatility and slope stay with the
    strike. At expiry and where the outcome is certain every greek is 0."""

    p_yes: float
    p_no: float
    delta_per_usd: float
    """Change of p for a move of the spot by 1 USD ..."""
    gamma_per_usd2: float
    """... and of that delta."""
    vega_per_vol_point: float
    """Change of p for one vol point."""
    theta_per_second: float
    """Change of p as a second passes; inside a window, more of its mean is known then, too."""


class Window(Struct, frozen=True, gc=False):
    """The final window whose mean settles a market: `share_left` of it, between 0 and 1, and the
    mean so far, USD."""

    share_left: float
    average: float


def value(
    spot: float,
    strike: float,
    years: float,
    vol: float,
    *,
    model: Model = Model.NORMAL,
    skew: float = 0.0,
    window_years: float = 0.0,
    window: Window | None = None,
) -> BinaryValue:
    """Chance and greeks. `skew` is dsigma/dk at the strike; a market that settles on a mean has
    `window_years` until its window has begun, and `window` from then on."""
    if window is not None and years > 0.0:
        return _in_window(spot, strike, years, vol, model, skew, window)
    if window is not None:
        return _certain(window.average, strike)
    before = years - 2.0 / 3.0 * min(window_years, years)
    if before < _LEAST_YEARS:
        return _certain(spot, strike)
    # Of a window that begins now T/3 is left; its own clock starts inside it.
    return _value(spot, strike, before, vol, model, skew, 0.0, 1.0 / before)


def _in_window(
    spot: float, strike: float, years: float, vol: float, model: Model, skew: float, window: Window
) -> BinaryValue:
    share = window.share_left
    known = (1.0 - share) * window.average
    if share < _LEAST_SHARE or years < _LEAST_YEARS:
        return _certain(window.average, strike)
    if strike <= known:
        return BinaryValue(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    moved = (strike - known) / share
    drift = (1.0 - spot / moved) / years
    return _value(spot, moved, years / 3.0, vol, model, skew, drift, 1.0 / years)


def _certain(settled: float, strike: float) -> BinaryValue:
    won = float(settled > strike)
    return BinaryValue(won, 1.0 - won, 0.0, 0.0, 0.0, 0.0)


def _value(
    spot: float,
    strike: float,
    years: float,
    vol: float,
    model: Model,
    skew: float,
    drift: float,
    rate: float,
) -> BinaryValue:
    """On a single moment. Per year of time to expiry ln(S/K) grows by `drift`, and the variance by
    its own `rate`th."""
    root = math.sqrt(years)
    w = vol * root
    x = _log_ratio(spot, strike) / w - 0.5 * w
    tilt = skew * root
    g, g1, g2 = _density(x, model)
    yes = _below(x, model) - tilt * g
    if not 0.0 < yes < 1.0:
        yes = min(max(yes, 0.0), 1.0)
        return BinaryValue(yes, 1.0 - yes, 0.0, 0.0, 0.0, 0.0)
    slope = g - tilt * g1
    curve = g1 - tilt * g2
    per_usd = 1.0 / (spot * w)
    per_w = -(x / w + 1.0)
    per_year = slope * (drift / w + per_w * 0.5 * w * rate) - 0.5 * rate * tilt * g
    return BinaryValue(
        p_yes=yes,
        p_no=_below(-x, model) + tilt * g,
        delta_per_usd=slope * per_usd,
        gamma_per_usd2=(curve * per_usd - slope / spot) * per_usd,
        vega_per_vol_point=0.01 * slope * per_w * root,
        theta_per_second=-per_year / SECONDS_PER_YEAR,
    )


def _log_ratio(spot: float, strike: float) -> float:
    """ln(S/K), to full precision where they are close."""
    apart = (spot - strike) / strike
    return math.log1p(apart) if abs(apart) < 0.1 else math.log(spot) - math.log(strike)


def _below(x: float, model: Model) -> float:
    """The distribution function. Of t5 in closed form: with t = atan(y / sqrt(5)) it is
    1/2 + (t + sin(t) cos(t) (1 + 2/3 cos(t)^2)) / pi (Abramowitz and Stegun 26.7.3)."""
    if model is Model.NORMAL:
        return 0.5 * math.erfc(-x * math.sqrt(0.5))
    t = math.atan(x * _T5_SCALE / math.sqrt(5.0))
    cos = math.cos(t)
    return 0.5 + (t + math.sin(t) * cos * (1.0 + 2.0 / 3.0 * cos * cos)) / math.pi


def _density(x: float, model: Model) -> tuple[float, float, float]:
    """Its density, and the first and second derivative of that."""
    if model is Model.NORMAL:
        g = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        return g, -x * g, (x * x - 1.0) * g
    q = 1.0 + x * x / 3.0
    g = _T5_HEIGHT / (q * q * q)
    first = -2.0 * x * g / q
    return g, first, (16.0 / 3.0 * x * x / q - 2.0) * g / q
