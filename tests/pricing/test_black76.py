"""Black76 against the literature, against numbers worked by hand, and against its own laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.pricing.black76 import implied_vol, implied_vol_interval, price, value

CALL, PUT = 1.0, -1.0


def test_haug_futures_option() -> None:
    # E. G. Haug, The Complete Guide to Option Pricing Formulas, section 1.1.3 (Black-76):
    # F = X = 19, T = 0.75, r = 0.10, sigma = 0.28 gives c = p = 1.7011, discounted.
    # Undiscounted: 1.7011 exp(0.10 x 0.75) = 1.8336.
    for sign in (CALL, PUT):
        assert price(19.0, 19.0, 0.75, 0.28, sign, inverse=False) == pytest.approx(1.8336, abs=1e-4)


def test_hull_crude_oil_put() -> None:
    # J. Hull, Options, Futures, and Other Derivatives, "Black's model for valuing futures
    # options": F = K = 20, T = 4/12, sigma = 25 %: d1 = 0.07216, N(-d1) = 0.4712,
    # N(-d2) = 0.5288, so undiscounted 20 (0.5288 - 0.4712) = 1.152.
    assert price(20.0, 20.0, 4 / 12, 0.25, PUT, inverse=False) == pytest.approx(1.152, abs=2e-3)


def test_by_hand_with_the_normal_table() -> None:
    # Choose w = vol sqrt(T) = 0.2 and d1 = 0.5, so d2 = 0.3 and ln(F/K) = 0.5 x 0.2 - 0.02 = 0.08.
    # With T = 0.25, vol = 0.4. Table: N(0.5) = 0.6914625, N(0.3) = 0.6179114,
    # phi(0.5) = 0.3520653, K/F = exp(-0.08) = 0.9231163.
    forward = 3000.0
    strike = forward * 0.9231163463866358
    call = value(forward, strike, 0.25, 0.4, CALL, inverse=True)
    assert call.price == pytest.approx(0.6914625 - 0.9231163 * 0.6179114, abs=2e-7)
    assert call.delta == pytest.approx(0.6914625, abs=1e-7)
    # Delta changes by phi(d1) d(d1) = phi(d1) / w x dF/F: 0.3520653 / 0.2 x 1 % = 0.01760327.
    assert call.gamma_coin_per_pct == pytest.approx(0.01760327, abs=1e-8)
    # F phi(d1) sqrt(T) x 0.01 = 3000 x 0.3520653 x 0.5 x 0.01 = 5.2809795 USD per point.
    assert call.vega_usd_per_vol_point == pytest.approx(5.2809795, abs=2e-6)
    # -F phi(d1) vol / (2 sqrt(T)) / 365 = -3000 x 0.3520653 x 0.4 / 1 / 365 = -1.157475 a day.
    assert call.theta_usd_per_day == pytest.approx(-1.157475, abs=1e-6)

    put = value(forward, strike, 0.25, 0.4, PUT, inverse=True)
    # Parity in coin: C - P = 1 - K/F = 0.0768837.
    assert call.price - put.price == pytest.approx(0.0768837, abs=1e-7)
    assert put.delta == pytest.approx(0.6914625 - 1.0, abs=1e-7)
    assert put.vega_usd_per_vol_point == pytest.approx(call.vega_usd_per_vol_point)


def test_a_linear_price_is_the_coin_price_times_the_forward() -> None:
    coin = price(2850.0, 2900.0, 0.01, 0.6, CALL, inverse=True)
    assert price(2850.0, 2900.0, 0.01, 0.6, CALL, inverse=False) == pytest.approx(2850.0 * coin)


def test_at_expiry_only_intrinsic_value_is_left() -> None:
    strikes = np.array([2800.0, 2900.0])
    assert price(2850.0, strikes, 0.0, 0.6, CALL, inverse=True) == pytest.approx([50 / 2850, 0.0])
    settled = value(2850.0, strikes, 0.0, 0.6, PUT, inverse=False)
    assert settled.price == pytest.approx([0.0, 50.0])
    assert settled.delta == pytest.approx([0.0, -1.0])
    assert settled.theta_usd_per_day == pytest.approx([0.0, 0.0])


def test_values_kept_between_calls_change_nothing() -> None:
    strikes = np.array([2500.0, 2800.0, 3300.0])
    plain = value(2850.0, strikes, 0.02, 0.55, CALL, inverse=True)
    kept = value(
        2850.0,
        strikes,
        0.02,
        0.55,
        CALL,
        inverse=True,
        log_moneyness=np.log(2850.0 / strikes),
        sqrt_years=np.sqrt(np.array(0.02)),
    )
    for a, b in zip(plain, kept, strict=True):
        assert a == pytest.approx(b, rel=1e-12)


def test_greeks_are_the_slopes_of_the_price() -> None:
    f, k, t, v = 2850.0, 2700.0, 0.1, 0.6
    greeks = value(f, k, t, v, PUT, inverse=False)

    def usd(f: float = f, t: float = t, v: float = v) -> float:
        return float(price(f, k, t, v, PUT, inverse=False))

    assert greeks.delta == pytest.approx((usd(f=f + 0.5) - usd(f=f - 0.5)), abs=1e-6)
    second = (usd(f=f + 1) - 2 * usd() + usd(f=f - 1)) * f / 100
    assert greeks.gamma_coin_per_pct == pytest.approx(second, rel=1e-4)
    vega = (usd(v=v + 1e-4) - usd(v=v - 1e-4)) / 2e-4 / 100
    assert greeks.vega_usd_per_vol_point == pytest.approx(vega, rel=1e-6)
    hour = 1 / (365 * 24)
    theta = (usd(t=t - hour) - usd(t=t + hour)) / 2 * 24
    assert greeks.theta_usd_per_day == pytest.approx(theta, rel=1e-4)


strikes = st.floats(500.0, 20_000.0)
years = st.floats(1 / (365 * 24 * 60), 3.0)
vols = st.floats(0.01, 5.0)


@given(strike=strikes, t=years, vol=vols)
def test_put_call_parity_in_coin(strike: float, t: float, vol: float) -> None:
    call = price(3000.0, strike, t, vol, CALL, inverse=True)
    put = price(3000.0, strike, t, vol, PUT, inverse=True)
    assert call - put == pytest.approx(1.0 - strike / 3000.0, abs=1e-12)


@given(strike=strikes, t=years, low=vols, high=vols, sign=st.sampled_from([CALL, PUT]))
def test_a_price_never_falls_as_volatility_rises(
    strike: float, t: float, low: float, high: float, sign: float
) -> None:
    low, high = sorted((low, high))
    cheap, dear = price(3000.0, strike, t, np.array([low, high]), sign, inverse=True)
    assert dear >= cheap - 1e-14


@given(
    vol=vols,
    t=st.floats(1 / (365 * 24), 2.0),
    deviations=st.floats(-3.72, 3.72),
    inverse=st.booleans(),
)
def test_implied_vol_undoes_the_price_from_1_to_500_percent_and_to_delta_1e4(
    vol: float, t: float, deviations: float, inverse: bool
) -> None:
    # N(-3.72) is 1e-4. The strike that far out has d1 = deviations.
    w = vol * t**0.5
    strike = 3000.0 * np.exp(w * w / 2 - deviations * w)
    sign = CALL if strike >= 3000.0 else PUT
    quoted = price(3000.0, strike, t, vol, sign, inverse=inverse)
    # What double precision leaves in the price: its terms are of the size of the delta.
    left = quoted / (1.0 if inverse else 3000.0)
    precision = 1e-9 + 1e-15 / max(float(left), 1e-15)
    found = implied_vol(quoted, 3000.0, strike, t, sign, inverse=inverse)
    assert found == pytest.approx(vol, rel=precision)


def test_implied_vol_in_the_money_is_that_of_the_twin() -> None:
    deep = price(2850.0, 2000.0, 0.25, 0.7, CALL, inverse=True)
    assert implied_vol(deep, 2850.0, 2000.0, 0.25, CALL, inverse=True) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("quoted", "strike", "sign"),
    [
        (0.0175, 2800.0, CALL),  # intrinsic is 50/2850 = 0.01754
        (1.0, 2800.0, CALL),  # a call is worth less than the coin it delivers
        (1.1, 2800.0, CALL),
        (2800.0 / 2850.0, 2800.0, PUT),  # a put is worth less than K/F
        (-0.001, 2900.0, CALL),
        (float("nan"), 2900.0, CALL),
    ],
)
def test_impossible_prices_have_no_implied_vol(quoted: float, strike: float, sign: float) -> None:
    assert np.isnan(implied_vol(quoted, 2850.0, strike, 0.1, sign, inverse=True))


def test_implied_vol_is_zero_at_intrinsic_value_and_undefined_at_expiry() -> None:
    assert implied_vol(0.0, 2850.0, 2900.0, 0.1, CALL, inverse=True) == 0.0
    assert np.isnan(implied_vol(0.01, 2850.0, 2900.0, 0.0, CALL, inverse=True))


def test_a_chain_keeps_its_order_around_impossible_prices() -> None:
    chain = np.array([2600.0, 2850.0, 3100.0])
    quoted = price(2850.0, chain, 0.05, np.array([0.7, 0.5, 0.6]), CALL, inverse=True)
    quoted[1] = -1.0
    found = implied_vol(quoted, 2850.0, chain, 0.05, CALL, inverse=True)
    assert found == pytest.approx([0.7, np.nan, 0.6], nan_ok=True)


def test_a_time_value_below_one_tick_is_an_interval() -> None:
    # One tick of 0.0001 coin on a put quoted at 0.00005: anything from nothing to one tick.
    low, high = implied_vol_interval(0.00005, 0.0001, 2850.0, 2500.0, 0.01, PUT, inverse=True)
    assert low == 0.0
    assert price(2850.0, 2500.0, 0.01, float(high), PUT, inverse=True) == pytest.approx(0.0001)


def test_a_time_value_of_a_tick_or_more_is_a_point() -> None:
    quoted = np.array([0.0001, 0.02])
    low, high = implied_vol_interval(quoted, 0.0001, 2850.0, 2500.0, 0.1, PUT, inverse=True)
    assert low == pytest.approx(high)
    assert np.all(low > 0)


def test_an_impossible_price_has_no_interval_either() -> None:
    low, high = implied_vol_interval(1.2, 0.0001, 2850.0, 2900.0, 0.1, CALL, inverse=True)
    assert np.isnan(low)
    assert np.isnan(high)
