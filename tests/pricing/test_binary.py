"""Binary markets: against -dC/dK, tables of the t distribution, drawn averages, and at the end."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from scipy import stats

from mmbot.pricing.binary import SECONDS_PER_YEAR, BinaryValue, Model, Window, value
from mmbot.pricing.black76 import price
from tests.pricing import exact

MINUTES = 300 / SECONDS_PER_YEAR

models = st.sampled_from(list(Model))
spots = st.sampled_from([0.37, 100.0, 61_234.5])
vols = st.floats(0.1, 3.0)
times = st.floats(math.log(1.0), math.log(30 * 86_400)).map(math.exp)
"""Seconds."""
deviations = st.floats(-3.0, 3.0)


def chance(d2: Any, model: Model) -> Any:
    """The distribution function, exact."""
    if model is Model.NORMAL:
        return exact.normal(d2)
    y = d2 * mpmath.sqrt(mpf(5) / 3)
    # Student's t by the incomplete beta function (Abramowitz and Stegun 26.7.1).
    tail = mpmath.betainc(mpf(5) / 2, mpf(1) / 2, 0, 5 / (5 + y * y), regularized=True) / 2
    return 1 - tail if y > 0 else tail


# --- the price ---


def test_by_hand() -> None:
    # S = K: d2 = -w/2. One hour at 60 %: w = 0.6 / sqrt(8760) = 0.00641061, N(-0.00320530) =
    # 0.5 - 0.00320530 x 0.3989423 = 0.4987213.
    found = value(100.0, 100.0, 1 / 8760, 0.6)
    assert found.p_yes == pytest.approx(0.4987213, abs=1e-7)
    assert found.p_no == pytest.approx(0.5012787, abs=1e-7)
    # phi(0.0032) / (S w) = 0.3989402 / 0.641061.
    assert found.delta_per_usd == pytest.approx(0.622313, abs=1e-6)


def test_fat_tails_by_the_table_of_the_t_distribution() -> None:
    # Student's t, 5 degrees: 2.015 is exceeded by 5 %, 4.032 by 0.5 %. d2 = t / sqrt(5/3).
    for t, above in ((2.015048, 0.05), (4.032143, 0.005)):
        d2 = t / math.sqrt(5 / 3)
        w = 0.01
        strike = 100.0 * math.exp(-(d2 + w / 2) * w)
        found = value(100.0, strike, w * w, 1.0, model=Model.T5)
        assert found.p_no == pytest.approx(above, abs=1e-7)


@given(x=st.floats(-30.0, 30.0))
def test_the_closed_form_of_t5_is_scipys(x: float) -> None:
    found = value(math.exp(0.001 * (x + 0.0005)), 1.0, 1e-6, 1.0, model=Model.T5)
    assert found.p_yes == pytest.approx(stats.t.cdf(x * math.sqrt(5 / 3), 5), abs=1e-12)


@given(spot=spots, seconds=times, vol=vols, far=deviations, slope=st.sampled_from([0.0, -0.3, 0.2]))
def test_the_chance_is_what_a_call_loses_by_its_strike(
    spot: float, seconds: float, vol: float, far: float, slope: float
) -> None:
    years = seconds / SECONDS_PER_YEAR
    strike = spot * math.exp(far * vol * math.sqrt(years))
    at = math.log(strike / spot)

    def call(k: Any) -> Any:
        """Of a smile whose slope in ln(K/S) this is, through `vol` at the strike."""
        smile = mpf(vol) + slope * (mpmath.log(k / mpf(spot)) - mpf(at))
        return exact.usd(spot, k, years, smile, 1.0)

    expected = -exact.slope(call, strike)
    found = value(spot, strike, years, vol, skew=slope)
    if 0 < expected < 1:
        assert found.p_yes == pytest.approx(float(expected), abs=1e-9)
        assert found.p_yes + found.p_no == pytest.approx(1.0, abs=1e-12)


def test_the_chance_is_the_slope_of_our_own_call() -> None:
    step = 1e-3
    for slope in (0.0, -0.5):

        def call(k: float, slope: float = slope) -> float:
            vol = 0.6 + slope * math.log(k / 101.0)
            return float(price(100.0, k, 0.05, vol, 1.0, inverse=False))

        minus_slope = (call(101.0 - step) - call(101.0 + step)) / (2 * step)
        found = value(100.0, 101.0, 0.05, 0.6, skew=slope)
        assert found.p_yes == pytest.approx(minus_slope, abs=1e-7)


@given(spot=spots, seconds=times, vol=vols, far=deviations, model=models)
def test_yes_and_no_are_one_and_rise_with_the_spot(
    spot: float, seconds: float, vol: float, far: float, model: Model
) -> None:
    years = seconds / SECONDS_PER_YEAR
    strike = spot * math.exp(far * vol * math.sqrt(years))
    found = value(spot, strike, years, vol, model=model)
    assert found.p_yes + found.p_no == pytest.approx(1.0, abs=1e-12)
    assert 0.0 < found.p_yes < 1.0
    assert found.delta_per_usd > 0.0


# --- greeks ---


def slopes(worth: Callable[..., Any], spot: float, vol: float, years: float) -> tuple[float, ...]:
    """What the greeks are by central differences."""
    return (
        float(exact.slope(lambda s: worth(s=s), spot)),
        float(exact.slope(lambda s: worth(s=s), spot, order=2)),
        float(exact.slope(lambda v: worth(v=v), vol)) / 100,
        -float(exact.slope(lambda t: worth(t=t), years)) / SECONDS_PER_YEAR,
    )


def assert_greeks(found: BinaryValue, expected: tuple[float, ...], spot: float) -> None:
    delta, gamma, vega, theta = expected
    assert found.delta_per_usd == pytest.approx(delta, rel=1e-7)
    curve = max(abs(gamma), delta * delta, delta / spot)
    assert found.gamma_per_usd2 == pytest.approx(gamma, abs=1e-7 * curve)
    assert found.vega_per_vol_point == pytest.approx(vega, rel=1e-7, abs=1e-12)
    assert found.theta_per_second == pytest.approx(theta, rel=1e-7, abs=1e-13)


@given(
    spot=spots,
    seconds=times,
    vol=vols,
    far=st.floats(-2.0, 2.0),
    model=models,
    skew=st.sampled_from([0.0, -0.1, 0.1]),
    share=st.sampled_from([0.0, 0.4]),
)
def test_greeks_are_central_differences(
    spot: float, seconds: float, vol: float, far: float, model: Model, skew: float, share: float
) -> None:
    """`share`: of the time to expiry, a window that has not begun."""
    years = seconds / SECONDS_PER_YEAR
    window = share * years
    strike = spot * math.exp(far * vol * math.sqrt(years))

    def worth(s: Any = spot, v: Any = vol, t: Any = years) -> Any:
        left = mpf(t) - mpf(window) * 2 / 3
        w = mpf(v) * mpmath.sqrt(left)
        d2 = mpmath.log(mpf(s) / strike) / w - w / 2
        density = mpmath.diff(lambda x: chance(x, model), d2) if skew else 0
        return chance(d2, model) - density * mpmath.sqrt(left) * skew

    found = value(spot, strike, years, vol, model=model, skew=skew, window_years=window)
    if 0.001 < found.p_yes < 0.999:
        assert found.p_yes == pytest.approx(float(worth()), abs=1e-9)
        if not skew:
            assert_greeks(found, slopes(worth, spot, vol, years), spot)


@given(vol=vols, far=st.floats(-2.0, 2.0), model=models)
def test_greeks_with_a_smile_are_slopes_too(vol: float, far: float, model: Model) -> None:
    spot, years, skew = 100.0, 0.01, -0.4
    strike = spot * math.exp(far * vol * math.sqrt(years))

    def worth(s: float = spot, v: float = vol, t: float = years) -> float:
        return value(s, strike, t, v, model=model, skew=skew).p_yes

    found = value(spot, strike, years, vol, model=model, skew=skew)
    if not 0.01 < found.p_yes < 0.99:
        return
    step = 1e-5
    delta = (worth(s=spot + step) - worth(s=spot - step)) / (2 * step)
    assert found.delta_per_usd == pytest.approx(delta, rel=1e-6, abs=1e-9)
    up, down = (
        value(s, strike, years, vol, model=model, skew=skew).delta_per_usd
        for s in (spot + step, spot - step)
    )
    scale = found.delta_per_usd**2 + abs(found.gamma_per_usd2)
    assert found.gamma_per_usd2 == pytest.approx((up - down) / (2 * step), abs=1e-5 * scale)
    vega = (worth(v=vol + 1e-6) - worth(v=vol - 1e-6)) / 2e-6 / 100
    assert found.vega_per_vol_point == pytest.approx(vega, rel=1e-5, abs=1e-9)
    second = (worth(t=years + 1e-7) - worth(t=years - 1e-7)) / 2e-7 / SECONDS_PER_YEAR
    assert found.theta_per_second == pytest.approx(-second, rel=1e-5, abs=1e-12)


@given(
    share=st.floats(0.05, 0.95), lead=st.floats(-0.001, 0.001), far=st.floats(-2.0, 2.0),
    vol=vols, model=models,
)  # fmt: skip
def test_inside_a_window_greeks_are_central_differences(
    share: float, lead: float, far: float, vol: float, model: Model
) -> None:
    spot, length = 61_234.5, 60 / SECONDS_PER_YEAR
    years, average = share * length, spot * (1 + lead)
    expected = share * spot + (1 - share) * average
    strike = expected * (1 + far * share * vol * math.sqrt(years / 3))

    def worth(s: Any = spot, v: Any = vol, t: Any = years) -> Any:
        u = mpf(t) / mpf(length)
        known = (1 - mpf(share)) * mpf(average) + (mpf(share) - u) * mpf(spot)
        w = mpf(v) * mpmath.sqrt(mpf(t) / 3)
        return chance(mpmath.log(u * mpf(s) / (strike - known)) / w - w / 2, model)

    found = value(spot, strike, years, vol, model=model, window=Window(years / length, average))
    assert found.p_yes == pytest.approx(float(worth()), abs=1e-9)
    delta, gamma, vega, theta = slopes(worth, spot, vol, years)
    assert found.delta_per_usd == pytest.approx(delta, rel=1e-7)
    assert found.gamma_per_usd2 == pytest.approx(gamma, abs=1e-6 * delta * delta)
    assert found.vega_per_vol_point == pytest.approx(vega, rel=1e-6, abs=1e-9)
    assert found.theta_per_second == pytest.approx(theta, rel=1e-6, abs=1e-7)


# --- the end ---


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize(("spot", "p"), [(100.01, 1.0), (99.99, 0.0), (100.0, 0.0)])
def test_at_expiry_it_is_decided_and_a_tie_pays_no(spot: float, p: float, model: Model) -> None:
    decided = BinaryValue(p, 1.0 - p, 0.0, 0.0, 0.0, 0.0)
    assert value(spot, 100.0, 0.0, 0.6, model=model) == decided
    assert value(spot, 100.0, -1.0, 0.6, model=model, skew=0.2) == decided
    after = Window(share_left=0.0, average=spot)
    assert value(90.0, 100.0, 0.0, 0.6, model=model, window=after) == decided
    assert value(90.0, 100.0, 1e-9, 0.6, model=model, window=after) == decided


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("spot", [99.99, 100.0, 100.01])
def test_greeks_are_finite_down_to_the_end(spot: float, model: Model) -> None:
    for power in range(0, 330, 3):
        found = value(spot, 100.0, 10.0**-power, 0.6, model=model, skew=0.1)
        assert all(math.isfinite(getattr(found, name)) for name in found.__struct_fields__)
        assert 0.0 <= found.p_yes <= 1.0


def test_a_mean_that_is_above_the_strike_already_is_yes() -> None:
    # Of the window half is left, and the mean so far is 201: (1 - u) A > K.
    found = value(100.0, 100.0, MINUTES, 0.6, window=Window(0.5, 201.0))
    assert found == BinaryValue(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_both_cases_meet_where_the_window_begins() -> None:
    before = value(100.0, 100.01, MINUTES, 0.6, window_years=MINUTES)
    inside = value(100.0, 100.01, MINUTES, 0.6, window=Window(1.0, 1.0))
    assert inside.p_yes == pytest.approx(before.p_yes, rel=1e-12)
    assert inside.delta_per_usd == pytest.approx(before.delta_per_usd, rel=1e-12)
    # The mean of five minutes varies as a moment after 100 s.
    at_once = value(100.0, 100.01, MINUTES / 3, 0.6)
    assert inside.p_yes == pytest.approx(at_once.p_yes, rel=1e-12)


def test_a_smile_cannot_push_a_chance_out_of_its_bounds() -> None:
    for skew in (-50.0, 50.0):
        found = value(100.0, 100.0, 1.0, 0.6, skew=skew)
        assert (found.p_yes, found.p_no) in {(0.0, 1.0), (1.0, 0.0)}
        assert found.delta_per_usd == found.theta_per_second == 0.0
