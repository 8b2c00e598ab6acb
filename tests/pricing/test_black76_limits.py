"""Black76 where something ends: time, volatility, the forward, the digits of a float."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.pricing.black76 import (
    greeks,
    implied_vol,
    implied_vol_interval,
    price,
    time_value,
    value,
)

CALL, PUT = 1.0, -1.0
NOT_DELTA = (
    "gamma_per_usd",
    "gamma_coin_per_pct",
    "vega_usd_per_vol_point",
    "theta_usd_per_day",
    "vanna",
    "volga",
    "charm_per_day",
)


@pytest.fixture(autouse=True)
def no_warning_is_raised() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- expiry ---


@pytest.mark.parametrize("years", [0.0, -0.01])
@pytest.mark.parametrize("sign", [CALL, PUT])
def test_at_expiry_and_after_it_every_greek_but_delta_is_zero(years: float, sign: float) -> None:
    strikes = np.array([90.0, 100.0, np.nextafter(100.0, 200.0), 110.0])
    full = greeks(100.0, strikes, years, 0.6, sign, inverse=True)
    fast = value(100.0, strikes, years, 0.6, sign, inverse=True)
    in_the_money = sign * (100.0 - strikes) > 0
    delta = sign * np.where(strikes == 100.0, 0.5, in_the_money)
    assert full.delta_black.tolist() == fast.delta.tolist() == delta.tolist()
    for name in NOT_DELTA:
        assert getattr(full, name).tolist() == [0.0] * 4, name
    for greek in fast[2:]:
        assert greek.tolist() == [0.0] * 4
    paid = np.maximum(sign * (100.0 - strikes), 0.0) / 100.0
    assert full.price == pytest.approx(paid, abs=1e-15)
    assert fast.price == pytest.approx(paid, abs=1e-15)
    assert price(100.0, strikes, years, 0.6, sign, inverse=True) == pytest.approx(paid, abs=1e-15)


def test_without_volatility_an_option_is_its_intrinsic_value() -> None:
    found = greeks(100.0, np.array([90.0, 100.0]), 0.5, 0.0, CALL, inverse=False)
    assert found.price.tolist() == [10.0, 0.0]
    assert found.gamma_per_usd.tolist() == [0.0, 0.0]
    assert found.theta_usd_per_day.tolist() == [0.0, 0.0]


# --- the last day ---


def test_theta_of_the_last_day_is_at_most_the_whole_time_value() -> None:
    # Six hours at the money, F 100, 60 %: the time value is F (2 N(w/2) - 1) with
    # w = 0.6 sqrt(0.25/365) = 0.0157027: 100 x 0.0157027 x 0.3989423 = 0.626445. The slope of the
    # price would take 100 x 0.3989 x 0.36 / (2 x 0.0157) / 365 = 1.2529 a day.
    for found in (
        greeks(100.0, 100.0, 0.25 / 365, 0.6, CALL, inverse=False),
        value(100.0, 100.0, 0.25 / 365, 0.6, CALL, inverse=False),
    ):
        assert found.theta_usd_per_day == pytest.approx(-0.626445, abs=1e-5)


def test_theta_before_the_last_day_is_the_slope_of_the_price() -> None:
    # Twenty hours: 0.5 x 100 x 0.3989 x 0.6 / sqrt(20/24/365) / 365 is less than the time value,
    # so even in the last day the slope stands.
    found = value(100.0, 100.0, 20 / 24 / 365, 0.6, CALL, inverse=False)
    assert found.theta_usd_per_day == pytest.approx(-0.68625, abs=1e-4)
    assert found.price == pytest.approx(1.14375, abs=1e-4)


@given(
    strike=st.floats(50.0, 200.0),
    days=st.floats(1e-6, 3.0),
    vol=st.floats(0.05, 3.0),
    sign=st.sampled_from([CALL, PUT]),
)
def test_in_the_last_day_nothing_loses_more_than_it_has(
    strike: float, days: float, vol: float, sign: float
) -> None:
    found = greeks(100.0, strike, days / 365, vol, sign, inverse=False)
    fast = value(100.0, strike, days / 365, vol, sign, inverse=False)
    assert found.theta_usd_per_day <= 0.0
    assert fast.theta_usd_per_day <= 0.0
    if days < 1.0:
        assert -found.theta_usd_per_day <= found.time_value
        assert -fast.theta_usd_per_day <= max(float(fast.price - found.intrinsic), 0.0) + 1e-12


# --- implied volatility at intrinsic value ---


@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize("sign", [CALL, PUT])
def test_intrinsic_value_implies_no_volatility_whatever_its_last_digits(
    inverse: bool, sign: float
) -> None:
    # F 100, K 90 in coin: 0.1 is 2.8e-17 more than 1 - 0.9 in floats.
    strike = 100.0 - sign * 10.0
    intrinsic = 0.1 if inverse else 10.0
    ulp = np.spacing(intrinsic)
    for ulps in (-3, -1, 0, 1, 3):
        quoted = intrinsic + ulps * ulp
        assert implied_vol(quoted, 100.0, strike, 0.25, sign, inverse=inverse) == 0.0
    assert implied_vol(intrinsic + 8 * ulp, 100.0, strike, 0.25, sign, inverse=inverse) > 0.0
    assert np.isnan(implied_vol(intrinsic - 8 * ulp, 100.0, strike, 0.25, sign, inverse=inverse))


@given(strike=st.floats(1.0, 10_000.0), sign=st.sampled_from([CALL, PUT]))
def test_what_exercise_brings_in_implies_no_volatility(strike: float, sign: float) -> None:
    for inverse in (True, False):
        quoted = max(sign * (2850.0 - strike), 0.0) / (2850.0 if inverse else 1.0)
        assert implied_vol(quoted, 2850.0, strike, 0.25, sign, inverse=inverse) == 0.0


# --- no forward ---


@pytest.mark.parametrize("forward", [0.0, -1.0, float("nan")])
def test_without_a_forward_nothing_has_a_value(forward: float) -> None:
    forwards = np.array([forward, 100.0])
    for inverse in (True, False):
        assert np.isnan(price(forward, 90.0, 0.1, 0.5, CALL, inverse=inverse))
        for found in (
            value(forwards, 90.0, 0.1, 0.5, CALL, inverse=inverse),
            greeks(forwards, 90.0, 0.1, 0.5, CALL, inverse=inverse),
        ):
            for of in found:
                assert np.isnan(of).tolist() == [True, False]
        assert np.isnan(implied_vol(0.2, forward, 90.0, 0.1, CALL, inverse=inverse))
        ends = implied_vol_interval(0.2, 0.01, forwards, 90.0, 0.1, CALL, inverse=inverse)
        assert all(np.isnan(end[0]) for end in ends)
    assert np.isnan(time_value(forward, 90.0, 0.1, 0.5))


@pytest.mark.parametrize("quoted", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_price_has_no_volatility(quoted: float) -> None:
    prices = np.array([quoted, 0.2])
    found = implied_vol(prices, 100.0, 90.0, 0.1, CALL, inverse=True)
    assert np.isnan(found).tolist() == [True, False]


# --- far away ---


def test_extremes_stay_within_their_bounds() -> None:
    strikes = np.array([1e-9, 1.0, 99.0, 1e4, 1e12])
    for years in (1e-190, 1e-12, 1.0, 1e3):
        for vol in (1e-6, 1.0, 50.0):
            for sign in (CALL, PUT):
                found = greeks(100.0, strikes, years, vol, sign, inverse=False)
                assert all(np.isfinite(of).all() for of in found), (years, vol)
                assert (found.time_value >= 0.0).all()
                assert (found.price <= (100.0 if sign > 0 else strikes) * (1 + 1e-12)).all()


def test_no_options_have_no_greeks() -> None:
    none = np.zeros(0)
    assert value(none, none, none, none, none, inverse=True).price.shape == (0,)
    assert greeks(none, none, none, none, none, inverse=True).price.shape == (0,)
    assert implied_vol(none, none, none, none, none, inverse=True).shape == (0,)
