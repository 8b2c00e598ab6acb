"""Raw SVI against the literature, against prices, and its proofs against a close look."""

from math import inf, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.pricing import black76
from mmbot.pricing.svi import (
    FAR,
    Array,
    Slice,
    arbitrage_intervals,
    asymptote,
    butterfly_free,
    calendar_free,
    calendar_gap,
    density_factor,
    density_gradient,
    least_density_factor,
    variance,
    variance_gradient,
)

VOGT = Slice(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, s=0.4153)
"""Gatheral and Jacquier 2014, example 3.1 (by Axel Vogt), one year: w > 0, and yet arbitrage."""

PLAIN = Slice(a=0.02, b=0.1, rho=-0.3, m=0.05, s=0.2)


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """With and without arbitrage, from a day to a year."""
    deviation = draw(st.floats(0.01, 0.6))
    s = deviation * draw(st.floats(0.05, 3.0))
    b = deviation * draw(st.floats(0.02, 1.5))
    rho = draw(st.floats(-0.95, 0.95))
    least = deviation**2 * draw(st.floats(0.02, 1.0))
    return Slice(
        a=least - b * s * sqrt(1 - rho * rho),
        b=b,
        rho=rho,
        m=deviation * draw(st.floats(-1.0, 1.0)),
        s=s,
    )


# --- one slice --------------------------------------------------------------------------------


def test_by_hand() -> None:
    # k - m = 0.15 and s = 0.2: R = 0.25, so w = 0.02 + 0.1 (-0.3 x 0.15 + 0.25) = 0.0405, and
    # w' = 0.1 (-0.3 + 0.15 / 0.25) = 0.03. Over half a year: vol = sqrt(0.081).
    assert float(PLAIN.variance(0.2)) == pytest.approx(0.0405, abs=1e-15)
    assert float(PLAIN.slope(0.2)) == pytest.approx(0.03, abs=1e-15)
    assert float(PLAIN.vol(0.2, 0.5)) == pytest.approx(sqrt(0.081), abs=1e-15)
    # d vol / dk = w' / (2 T vol).
    assert float(PLAIN.vol_slope(0.2, 0.5)) == pytest.approx(0.03 / sqrt(0.081), abs=1e-14)
    # The least is at the bottom: 0.02 + 0.1 x 0.2 x sqrt(0.91).
    assert PLAIN.least_variance == pytest.approx(0.02 + 0.02 * sqrt(0.91), abs=1e-15)


@given(slices())
def test_the_wing_form_is_the_same_slice(smile: Slice) -> None:
    again = Slice.of_wings(smile.wings)
    for name in ("a", "b", "rho", "m", "s"):
        assert getattr(again, name) == pytest.approx(getattr(smile, name), rel=1e-12, abs=1e-12)
    k = np.linspace(-1, 1, 5)
    assert variance(smile.wings[None], k[None])[0] == pytest.approx(smile.variance(k), rel=1e-12)


def test_a_flat_slice_has_no_tilt() -> None:
    assert Slice.of_wings(np.array([0.04, 0.0, 0.0, 0.0, 0.0])).rho == 0.0


def test_a_wing_approaches_its_asymptote_from_above() -> None:
    rows = PLAIN.wings[None]
    for side, k in ((1, -FAR), (2, FAR)):
        above = float(PLAIN.variance(k)) - float(asymptote(rows, side, k)[0])
        # b (R - |x|) is about b s^2 / (2 |x|).
        assert above == pytest.approx(0.1 * 0.04 / 2 / abs(k - 0.05), rel=1e-3)


def test_g_is_the_density_of_prices() -> None:
    # The density of ln(S_T / F) at k is K d2C/dK2; by the formula, g exp(-d2^2/2) / sqrt(2 pi w).
    def call(strike: float) -> float:
        vol = np.sqrt(PLAIN.variance(np.log(strike)))
        return float(black76.price(1.0, strike, 1.0, vol, 1.0, inverse=False))

    for k in (-0.6, -0.2, 0.0, 0.3, 0.8):
        strike, step = np.exp(k), 1e-3
        bend = (call(strike + step) - 2 * call(strike) + call(strike - step)) / step**2
        w = float(PLAIN.variance(k))
        d2 = -k / sqrt(w) - sqrt(w) / 2
        g = bend * strike * sqrt(2 * pi * w) * np.exp(d2 * d2 / 2)
        assert float(PLAIN.density_factor(k)[0]) == pytest.approx(g, rel=1e-4)


def _differences(function: object, row: Array, k: Array) -> Array:
    columns = []
    for place in range(5):
        step = np.zeros(5)
        step[place] = 1e-6
        high = function((row + step)[None], k[None])  # type: ignore[operator]
        low = function((row - step)[None], k[None])  # type: ignore[operator]
        columns.append((high - low)[0] / 2e-6)
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("smile", [PLAIN, VOGT])
def test_derivatives_are_those_of_differences(smile: Slice) -> None:
    row, k = smile.wings, np.linspace(-1.2, 1.2, 9)
    w, by_row = variance_gradient(row[None], k[None])
    assert w[0] == pytest.approx(smile.variance(k), rel=1e-12)
    assert by_row[0] == pytest.approx(_differences(variance, row, k), abs=1e-8)
    found = density_gradient(row[None], k[None])[0]
    assert found == pytest.approx(_differences(density_factor, row, k), rel=1e-5, abs=1e-6)


# --- butterflies ------------------------------------------------------------------------------


def test_the_published_counter_example_has_arbitrage_where_it_is_known_to() -> None:
    assert VOGT.least_variance > 0
    [(low, high)] = arbitrage_intervals(VOGT)
    assert low == pytest.approx(0.6425, abs=1e-4)
    assert high == pytest.approx(1.2569, abs=1e-4)
    assert not butterfly_free(VOGT.wings[None])[0]
    assert least_density_factor(VOGT, 1.5) < -0.03
    inside, outside = (
        VOGT.density_factor(np.array([0.65, 1.25])),
        VOGT.density_factor(np.array([0.63, 1.27])),
    )
    assert (inside < 0).all()
    assert (outside > 0).all()


def test_a_plain_slice_has_none() -> None:
    assert butterfly_free(PLAIN.wings[None])[0]
    assert arbitrage_intervals(PLAIN) == []


def test_a_slice_that_dips_below_zero_is_none() -> None:
    sunk = Slice(a=-0.03, b=0.1, rho=0.0, m=0.0, s=0.2)
    assert sunk.least_variance < 0
    assert not butterfly_free(sunk.wings[None])[0]
    assert float(sunk.density_factor(0.0)[0]) == -inf


def test_a_wing_steeper_than_lees_bound_is_none() -> None:
    assert not butterfly_free(Slice(a=0.5, b=1.1, rho=0.9, m=0.0, s=1.0).wings[None])[0]


def test_arbitrage_in_the_wings_goes_on_for_ever() -> None:
    # Slopes beyond 2: g tends to 1/4 - slope^2/16 < 0.
    intervals = arbitrage_intervals(Slice(a=0.1, b=2.2, rho=0.0, m=0.0, s=0.3))
    assert intervals[0][0] == -inf
    assert intervals[-1][1] == inf


@settings(max_examples=300, deadline=None)
@given(slices())
def test_the_proof_agrees_with_a_close_look(smile: Slice) -> None:
    proved = bool(butterfly_free(smile.wings[None])[0])
    least = least_density_factor(smile, 60.0)
    if proved:
        assert least >= -1e-9
    elif (smile.wings[1:3] < 2).all():
        # What a grid does not see is smaller than what it may miss between two points.
        assert least < 1e-4


@settings(max_examples=100, deadline=None)
@given(slices(), st.floats(0.0001, 0.9999))
def test_a_shrunk_slice_gains_no_arbitrage(smile: Slice, factor: float) -> None:
    if butterfly_free(smile.wings[None])[0]:
        assert least_density_factor(smile.scaled(factor), 10.0) >= -1e-9


# --- calendars --------------------------------------------------------------------------------


def test_a_later_slice_above_an_earlier_one_passes() -> None:
    later = PLAIN.scaled(1.01)
    assert calendar_free(np.array([PLAIN.wings, later.wings]))[0]
    # The gap is 1 % of the least total variance.
    assert calendar_gap(PLAIN, later) == pytest.approx(0.01 * PLAIN.least_variance, rel=1e-3)


def test_slices_that_cross_do_not() -> None:
    # At the money the later one is above, in the wing it is below: 0.1 |k| against 0.05 |k|.
    early, late = Slice(0.001, 0.1, 0, 0, 0.05), Slice(0.02, 0.05, 0, 0, 0.05)
    assert not calendar_free(np.array([early.wings, late.wings]))[0]
    assert calendar_gap(early, late) == -inf


def test_a_dip_between_the_wings_is_seen() -> None:
    # The later one is flat at 0.05 with steeper wings; the earlier one has a hump of its own there.
    early, late = Slice(0.03, 0.05, 0, 0.5, 0.4), Slice(0.0449, 0.06, 0, 0.0, 0.01)
    gap = calendar_gap(early, late)
    k = np.linspace(-1, 1, 20001)
    assert gap == pytest.approx((late.variance(k) - early.variance(k)).min(), abs=1e-6)
    assert bool(calendar_free(np.array([early.wings, late.wings]))[0]) is (gap >= 0)


def test_a_crossing_far_out_is_seen() -> None:
    # Slopes 0.1 and 0.1001, and the later one starts 0.01 lower: they cross at about k = 100.
    early, late = Slice(0.02, 0.1, 0, 0, 0.1), Slice(0.01, 0.1001, 0, 0, 0.1)
    assert not calendar_free(np.array([early.wings, late.wings]))[0]


@settings(max_examples=200, deadline=None)
@given(slices(), slices())
def test_what_is_proved_of_two_slices_holds_on_a_fine_grid(early: Slice, late: Slice) -> None:
    if calendar_free(np.array([early.wings, late.wings]))[0]:
        k = np.concatenate((np.linspace(-3, 3, 6001), [-1e3, 1e3]))
        assert (late.variance(k) - early.variance(k)).min() >= -1e-12


def test_one_slice_has_no_neighbor() -> None:
    assert calendar_free(PLAIN.wings[None]).shape == (0,)
