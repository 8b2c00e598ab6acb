"""Options that settle on an average of the index over a final window, not on its last value.

Options venues pay by the mean of the index over the last 30 minutes. With sigma the volatility,
T the time to expiry and D the length of the window, all in years:

    before the window   the deviation of ln(average) is sigma sqrt(T - 2/3 D)

    inside it           a share u = T / D of the window is left, and the mean so far is A. The
                        settlement value is (1 - u) A, which is known, and u times the mean of what
                        is left, whose deviation is that of a single moment at T/3:

                            expected value   (1 - u) A + u F
                            deviation        u F sigma sqrt(T / 3)

So an option at K is worth u options on the forward that have the strike K' = (K - (1 - u) A) / u
and expire in T/3; where K' is not above 0 the outcome is certain. Both cases meet at u = 1.

Greeks are by the coin of today's forward: delta and gamma are u times those of the single option.
Time passes in two ways, there is less of it and more of the average is known; theta and charm have
both.

Source: the moments of the mean of a price, S. Turnbull and L. Wakeman, "A quick algorithm for
pricing European average options", Journal of Financial and Quantitative Analysis 26 (1991), to
first order in sigma^2 T, which is below 1e-4 in half an hour.
"""

import numpy as np
from scipy.special import ndtr

from mmbot.pricing.black76 import DAYS_PER_YEAR, Array, Floats, Greeks, greeks, in_units

WINDOW_YEARS = 0.5 / (24.0 * DAYS_PER_YEAR)
"""Thirty minutes."""

_LEAST_SHARE = 1e-12
"""A smaller share of the window moves nothing any more."""


def years_before(years: Floats, window_years: Floats = WINDOW_YEARS) -> Array:
    """The time to expiry at which a single value varies as much as an average that has not begun:
    T - 2/3 D, from the beginning of the window on T/3."""
    return np.asarray(np.maximum(years - 2.0 / 3.0 * np.minimum(years, window_years), 0.0))


def greeks_in_window(
    forward: Floats,
    strike: Floats,
    years: Floats,
    vol: Floats,
    sign: Floats,
    *,
    share_left: Floats,
    average: Floats,
    inverse: bool,
) -> Greeks:
    """As `black76.greeks`, while `share_left` = u of the window is left and its mean so far is
    `average` = A, USD.

    Intrinsic value is that of the expected settlement value; an inverse price is in coin at the
    forward. After the window A settles, and no greek is left.
    """
    forward, strike, years, vol, sign, share, known = np.broadcast_arrays(
        forward, strike, np.maximum(years, 0.0), vol, sign, share_left, average
    )
    u = np.where((years > 0.0) & (share >= _LEAST_SHARE), share, 0.0)
    still = strike - (1.0 - u) * known
    open_ = (u > 0.0) & (still > 0.0)
    moved = np.where(open_, still, forward) / np.where(open_, u, 1.0)
    one = greeks(forward, moved, np.where(open_, years / 3.0, 0.0), vol, sign, inverse=False)
    intrinsic = np.maximum(sign * ((1.0 - u) * known + u * forward - strike), 0.0)
    left = np.where(open_, u * one.time_value, 0.0)
    delta = u * np.where(open_, one.delta_black, sign > 0.0)
    theta, charm = _as_time_passes(forward, moved, np.where(open_, years, 0.0), vol)
    per_year = np.divide(1.0, years, out=np.zeros_like(delta), where=years > 0.0)
    return in_units(
        forward,
        intrinsic=intrinsic,
        left=left,
        delta=delta,
        gamma=np.where(open_, u * one.gamma_per_usd, 0.0),
        vega=np.where(open_, u * one.vega_usd_per_vol_point, 0.0),
        theta=np.maximum(u * theta, -left),
        vanna=np.where(open_, u * one.vanna, 0.0),
        volga=np.where(open_, u * one.volga, 0.0),
        charm=u * charm - delta * per_year / DAYS_PER_YEAR,
        inverse=inverse,
    )


def _as_time_passes(forward: Array, strike: Array, years: Array, vol: Array) -> tuple[Array, Array]:
    """Theta (USD a day) of one option in the window, and of its charm (coin a day) what is not in
    delta / T: from d(ln F/K')/dT = (1 - F/K') / T and dw/dT = w / 2T. Zero where T or w is."""
    w = vol * np.sqrt(years / 3.0)
    alive = w > 0.0
    per_width = np.divide(1.0, w, out=np.zeros_like(w), where=alive)
    per_day = np.divide(1.0, years, out=np.zeros_like(w), where=alive) / DAYS_PER_YEAR
    depth = np.log(forward / strike) * per_width
    d1 = depth + 0.5 * w
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)
    theta = -forward * per_day * (ndtr(d1) - ndtr(d1 - w) + 0.5 * density * w)
    slope = (1.0 - forward / strike) * per_width - 0.5 * depth + 0.25 * w
    return theta, -density * slope * per_day
