"""Every greek, and every implied volatility, against arithmetic of 50 digits."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mpf

from mmbot.pricing.black76 import Greeks, greeks, implied_vol, price, time_value, value
from tests.pricing import exact

CALL, PUT = 1.0, -1.0
SECOND = 1 / (365 * 86_400)

forwards = st.sampled_from([0.37, 100.0, 2850.0, 61_234.5])
times = st.floats(math.log(SECOND), math.log(3.0)).map(math.exp)
vols = st.floats(math.log(0.01), math.log(5.0)).map(math.exp)
signs = st.sampled_from([CALL, PUT])
near = st.floats(-3.0, 3.0)
"""Deviations from the money."""


def strike_at(forward: float, years: float, vol: float, deviations: float) -> float:
    return forward * math.exp(deviations * vol * math.sqrt(years))


def close(ours: Any, theirs: Any, scale: Any, precision: float = 1e-7) -> None:
    """Within a precision of what it is, or of its scale where it is nearly zero."""
    assert abs(float(ours) - float(theirs)) <= precision * max(abs(float(theirs)), float(scale))


@given(forward=forwards, t=times, vol=vols, deviations=near, sign=signs)
def test_every_greek_is_a_central_difference_of_the_exact_price(
    forward: float, t: float, vol: float, deviations: float, sign: float
) -> None:
    strike = strike_at(forward, t, vol, deviations)
    found = greeks(forward, strike, t, vol, sign, inverse=False)

    def usd(f: Any = forward, t: Any = t, v: Any = vol) -> Any:
        return exact.usd(f, strike, t, v, sign)

    def delta(t: Any = t, v: Any = vol) -> Any:
        return exact.slope(lambda f: usd(f, t, v), forward)

    w = vol * math.sqrt(t)
    assert float(found.price) == pytest.approx(float(usd()), rel=1e-9, abs=1e-9 * forward)
    close(found.delta_black, delta(), 0)
    close(found.delta_usd, forward * delta(), 0)
    gamma = exact.slope(lambda f: usd(f=f), forward, order=2)
    close(found.gamma_per_usd, gamma, 0)
    close(found.gamma_coin_per_pct, gamma * forward / 100, 0)
    vega = exact.slope(lambda v: usd(v=v), vol) / 100
    close(found.vega_usd_per_vol_point, vega, 0)
    close(found.vanna, exact.slope(lambda v: delta(v=v), vol) / 100, 0.01 / vol * 1e-3)
    volga = exact.slope(lambda v: usd(v=v), vol, order=2) / 10_000
    close(found.volga, volga, vega / 100 / vol * w * w)
    charm = -exact.slope(lambda t: delta(t=t), t) / 365
    close(found.charm_per_day, charm, w / t / 365 * 1e-3)
    theta = -exact.slope(lambda t: usd(t=t), t) / 365
    if t < 1 / 365:
        intrinsic = max(sign * (mpf(forward) - mpf(strike)), mpf(0))
        theta = max(theta, intrinsic - usd())
    close(found.theta_usd_per_day, theta, 0)


@given(forward=forwards, t=times, vol=vols, deviations=near, sign=signs, inverse=st.booleans())
def test_price_and_greeks_of_the_fast_path_are_those_of_the_full_one(
    forward: float, t: float, vol: float, deviations: float, sign: float, inverse: bool
) -> None:
    strike = strike_at(forward, t, vol, deviations)
    full = greeks(forward, strike, t, vol, sign, inverse=inverse)
    fast = value(forward, strike, t, vol, sign, inverse=inverse)
    unit = 1.0 if inverse else forward
    assert fast.price == pytest.approx(full.price, rel=1e-9, abs=1e-15 * unit)
    assert fast.price == price(forward, strike, t, vol, sign, inverse=inverse)
    assert fast.delta == pytest.approx(full.delta_black, rel=1e-8)
    assert fast.gamma_coin_per_pct == pytest.approx(full.gamma_coin_per_pct, rel=1e-8)
    assert fast.vega_usd_per_vol_point == pytest.approx(full.vega_usd_per_vol_point, rel=1e-8)
    assert fast.theta_usd_per_day == pytest.approx(
        full.theta_usd_per_day, rel=1e-8, abs=1e-14 * forward
    )


@given(forward=forwards, t=times, vol=vols, deviations=st.floats(-8.0, 8.0))
def test_a_time_value_keeps_its_digits_far_out_of_the_money(
    forward: float, t: float, vol: float, deviations: float
) -> None:
    strike = strike_at(forward, t, vol, deviations)
    sign = CALL if strike >= forward else PUT
    worth = exact.usd(forward, strike, t, vol, sign) / mpf(forward)
    assert float(time_value(forward, strike, t, vol)) == pytest.approx(float(worth), rel=1e-11)


@given(forward=forwards, t=times, vol=vols, deviations=st.floats(-8.0, 8.0), inverse=st.booleans())
def test_implied_vol_is_right_to_ten_digits_down_to_1e14_of_the_forward(
    forward: float, t: float, vol: float, deviations: float, inverse: bool
) -> None:
    strike = strike_at(forward, t, vol, deviations)
    sign = CALL if strike >= forward else PUT
    worth = exact.usd(forward, strike, t, vol, sign)
    assume(worth > 1e-14 * forward)
    quoted = float(worth / mpf(forward) if inverse else worth)
    found = implied_vol(quoted, forward, strike, t, sign, inverse=inverse)
    assert float(found) == pytest.approx(vol, rel=1e-10)
    again = price(forward, strike, t, float(found), sign, inverse=False)
    assert float(again) == pytest.approx(float(worth), abs=1e-9 * forward)


@given(forward=forwards, t=times, vol=vols, deviations=near)
def test_call_and_put_differ_by_forward_less_strike(
    forward: float, t: float, vol: float, deviations: float
) -> None:
    strike = strike_at(forward, t, vol, deviations)
    call = greeks(forward, strike, t, vol, CALL, inverse=True)
    put = greeks(forward, strike, t, vol, PUT, inverse=True)
    assert call.price - put.price == pytest.approx(
        (forward - strike) / forward, rel=1e-12, abs=1e-12
    )
    assert call.delta_black - put.delta_black == pytest.approx(1.0, abs=1e-12)
    for name in ("time_value", "gamma_per_usd", "vega_usd_per_vol_point", "vanna", "volga"):
        assert getattr(call, name) == pytest.approx(getattr(put, name), rel=1e-12)


def test_the_net_delta_of_an_inverse_option_is_less_by_its_premium() -> None:
    # Deribit: delta_total counts delta - mark price. By hand with the table, as in test_black76:
    # w = 0.2, d1 = 0.5: N(0.5) = 0.6914625, price 0.6914625 - 0.9231163 x 0.6179114 = 0.1210585.
    forward, strike = 3000.0, 3000.0 * 0.9231163463866358
    coin = greeks(forward, strike, 0.25, 0.4, CALL, inverse=True)
    assert coin.delta_net_coin == pytest.approx(0.6914625 - 0.1210584, abs=2e-7)
    assert coin.delta_usd == pytest.approx(3000 * 0.6914625, abs=1e-3)
    linear = greeks(forward, strike, 0.25, 0.4, CALL, inverse=False)
    assert linear.delta_net_coin == linear.delta_black == pytest.approx(0.6914625, abs=1e-7)
    # A change of the coin price: dP/dF = (delta - P) / F, so F dP/dF is the net delta.
    above = price(forward + 1, strike, 0.25, 0.4, CALL, inverse=True)
    below = price(forward - 1, strike, 0.25, 0.4, CALL, inverse=True)
    assert (above - below) / 2 * forward == pytest.approx(coin.delta_net_coin, rel=1e-6)


def test_second_order_greeks_by_hand() -> None:
    # phi(0.5) = 0.3520653, d1 = 0.5, d2 = 0.3, vol 0.4, T 0.25, F 3000 (test_black76).
    found = greeks(3000.0, 3000.0 * 0.9231163463866358, 0.25, 0.4, CALL, inverse=True)
    assert found.vanna == pytest.approx(-0.01 * 0.3520653 * 0.3 / 0.4, abs=1e-9)
    # vega 5.2809795 USD a point: 0.01 x 5.2809795 x 0.5 x 0.3 / 0.4.
    assert found.volga == pytest.approx(0.01980367, abs=1e-7)
    # phi(d1) d2 / (2 T) / 365 = 0.3520653 x 0.3 / 0.5 / 365.
    assert found.charm_per_day == pytest.approx(0.000578738, abs=1e-8)
    # phi(d1) / (F w) = 0.3520653 / 600.
    assert found.gamma_per_usd == pytest.approx(0.000586775, abs=1e-8)


def test_greeks_of_a_whole_chain_are_those_of_its_options() -> None:
    strikes = np.array([2000.0, 2850.0, 4000.0])
    rights = np.array([PUT, CALL, CALL])
    chain = greeks(2850.0, strikes, 0.05, np.array([0.8, 0.6, 0.7]), rights, inverse=True)
    for place, (strike, sign, vol) in enumerate(zip(strikes, rights, (0.8, 0.6, 0.7), strict=True)):
        alone = greeks(2850.0, strike, 0.05, vol, sign, inverse=True)
        for whole, one in zip(chain, alone, strict=True):
            assert whole[place] == pytest.approx(one, rel=1e-13)


def test_every_greek_has_the_shape_of_its_terms() -> None:
    found = greeks(100.0, np.array([[90.0], [110.0]]), np.array([0.1, 0.2]), 0.5, 1, inverse=False)
    assert {np.shape(of) for of in found} == {(2, 2)}
    assert all(np.shape(of) == () for of in greeks(100, 90, 1, 1, 1, inverse=True))
    assert isinstance(found, Greeks)
