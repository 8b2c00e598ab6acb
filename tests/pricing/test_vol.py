"""Realized volatility: on paths whose volatility is known, and bar by bar against the formulas."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.pricing import vol
from mmbot.pricing.vol import Array, Bars, whole_bars
from mmbot.pricing.vol_stream import SECONDS_PER_YEAR
from mmbot.research.price_file import read_prices
from tests.pricing.recorded import recorded

VOL = 0.6
PER_S = VOL * VOL / SECONDS_PER_YEAR
PATHS = 500
STEPS = 7_200
"""Of a second each."""

Of = Callable[[Array, Array], float]
OfBars = Callable[[Bars], float]


def a_path(draws: np.random.Generator, dropped: float, per_s: float = PER_S) -> tuple[Array, Array]:
    """Times and prices of a Brownian path of two hours, some of the samples missing."""
    moves = draws.normal(0.0, math.sqrt(per_s), STEPS)
    prices = 60_000.0 * np.exp(np.concatenate([[0.0], np.cumsum(moves)]))
    kept = draws.random(STEPS + 1) >= dropped
    return np.flatnonzero(kept).astype(float), prices[kept]


@pytest.fixture(scope="module")
def paths() -> list[tuple[Array, Array]]:
    draws = np.random.default_rng(20)
    return [a_path(draws, dropped=0.3) for _ in range(PATHS)]


# --- the truth ---


@pytest.mark.parametrize(
    "of",
    [vol.realized, vol.bipower, lambda t, p: vol.subsampled(t, p, 5)],
    ids=["realized", "bipower", "subsampled"],
)
def test_an_estimator_of_samples_is_unbiased_where_a_third_is_missing(
    of: Of, paths: list[tuple[Array, Array]]
) -> None:
    assert np.mean([of(*path) for path in paths]) / PER_S == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("width", [300.0, 1200.0])
def test_estimators_of_bars_are_unbiased_where_a_third_is_missing(
    width: float, paths: list[tuple[Array, Array]]
) -> None:
    made = [vol.unbroken(vol.bars(t, p, width), vol.realized(t, p)) for t, p in paths]
    for of in (vol.parkinson, vol.garman_klass, vol.rogers_satchell, vol.yang_zhang):
        mean = np.mean([of(bars) for bars in made]) / PER_S
        assert mean == pytest.approx(1.0, abs=0.02), of.__name__


def test_what_the_samples_missed_is_what_makes_it_so(paths: list[tuple[Array, Array]]) -> None:
    raw = [vol.bars(t, p, 300.0) for t, p in paths]
    assert np.mean([vol.parkinson(bars) for bars in raw]) / PER_S < 0.92


def test_samples_at_random_times_miss_more_than_even_ones() -> None:
    draws = np.random.default_rng(4)
    even = vol.bars(np.arange(0.0, 6_001.0), np.ones(6_001), 600.0)
    assert even.missed == pytest.approx(0.5826)
    times = np.cumsum(draws.exponential(1.0, 60_001))
    uneven = vol.bars(times, np.ones(60_001), 60_000.0)
    assert uneven.missed[0] == pytest.approx(math.sqrt(0.5), abs=0.01)


def test_a_jump_is_in_realized_variance_and_not_in_bipower() -> None:
    draws = np.random.default_rng(9)
    shares, bipowers = [], []
    for _ in range(200):
        times, prices = a_path(draws, dropped=0.3)
        prices = np.where(np.arange(len(prices)) > 2_000, prices * 1.01, prices)
        shares.append(vol.jump_share(times, prices))
        bipowers.append(vol.bipower(times, prices))
    # A jump of 1 % has the variance 9.9e-5; two hours at 60 % have 8.22e-5: 54.6 % of the whole.
    assert np.mean(shares) == pytest.approx(0.546, abs=0.02)
    assert np.mean(bipowers) / PER_S == pytest.approx(1.0, abs=0.05)


def test_bounce_between_bid_and_ask_falls_out_by_subsampling() -> None:
    draws = np.random.default_rng(9)
    times, prices = a_path(draws, dropped=0.0)
    bounced = prices * np.exp(np.where(draws.random(len(prices)) < 0.5, 1.0, -1.0) * 1e-4)
    # A bounce of 1 bp either way adds 2e-8 a sample, to a variance of 1.14e-8 a second.
    added = vol.realized(times, bounced) - vol.realized(times, prices)
    assert added == pytest.approx(2e-8, rel=0.1)
    added = vol.subsampled(times, bounced, 60) - vol.subsampled(times, prices, 60)
    assert added == pytest.approx(2e-8 / 60, rel=0.3)


def test_hours_have_their_own_share() -> None:
    draws = np.random.default_rng(5)
    times = np.arange(0.0, 30 * 86_400.0, 60.0)
    busy = (times // 3600 % 24 == 14) * 3.0 + 1.0
    moves = draws.normal(0.0, 1.0, len(times) - 1) * np.sqrt(PER_S * 60 * busy[:-1])
    prices = np.exp(np.concatenate([[0.0], np.cumsum(moves)]))
    factors = vol.season(times, prices)
    assert factors.mean() == pytest.approx(1.0)
    # Four times the variance of each of the 23 others: 4 x 24 / 27.
    assert factors[14] == pytest.approx(96 / 27, rel=0.1)
    assert np.delete(factors, 14).mean() == pytest.approx(24 / 27, rel=0.02)


def test_an_hour_without_prices_is_as_any() -> None:
    factors = vol.season(np.array([0.0, 60.0, 120.0]), np.array([1.0, 1.1, 1.2]))
    assert factors.tolist() == [1.0] * 24
    assert vol.season(np.array([0.0, 60.0]), np.array([1.0, 1.0])).tolist() == [1.0] * 24


# --- the formulas ---


def test_realized_and_bipower_by_hand() -> None:
    # Returns 0.01, -0.02, 0.03 over 1, 4, 9 s.
    prices = 100.0 * np.exp(np.array([0.0, 0.01, -0.01, 0.02]))
    times = np.array([0.0, 1.0, 5.0, 14.0])
    assert vol.realized(times, prices) == pytest.approx((0.0001 + 0.0004 + 0.0009) / 14)
    products = 0.01 * 0.02 + 0.02 * 0.03
    expected = math.pi / 2 * products / (math.sqrt(4) + math.sqrt(36))
    assert vol.bipower(times, prices) == pytest.approx(expected)
    # Every second sample: 0 -> 5 s (-0.01) and 1 -> 14 s (0.01).
    assert vol.subsampled(times, prices, 2) == pytest.approx((0.0001 / 5 + 0.0001 / 13) / 2)
    assert vol.annual(4e-8) == pytest.approx(2e-4 * math.sqrt(31_536_000))


def three_bars() -> Bars:
    """Logarithms of open, high, low, close: (0, 2, -1, 1), (1.5, 3, 1, 2), (2, 2.5, 0, 0.5) %."""
    logs = np.array([[0.0, 2.0, -1.0, 1.0], [1.5, 3.0, 1.0, 2.0], [2.0, 2.5, 0.0, 0.5]]) / 100
    opened, high, low, close = np.exp(logs.T)
    return whole_bars(np.array([0.0, 60.0, 120.0]), opened, high, low, close, 60.0)


def test_estimators_of_bars_by_hand() -> None:
    # In squares of a percent. Ranges 3, 2, 2.5; closes less opens 1, 0.5, -1.5.
    bars, unit = three_bars(), 1e-4
    ranges, moves = 9 + 4 + 6.25, 1 + 0.25 + 2.25
    assert vol.parkinson(bars) == pytest.approx(ranges / (4 * math.log(2)) * unit / 180)
    expected = 0.5 * ranges - (2 * math.log(2) - 1) * moves
    assert vol.garman_klass(bars) == pytest.approx(expected * unit / 180)
    # (h - c)(h - o) + (l - c)(l - o): 1 x 2 + -2 x -1 = 4; 1 x 1.5 + -1 x -0.5 = 2;
    # 2 x 0.5 + -0.5 x -2 = 2.
    assert vol.rogers_satchell(bars) == pytest.approx(8 * unit / 180)
    # Closes 1, 2, 0.5.
    assert vol.close_to_close(bars) == pytest.approx((1 + 2.25) * unit / 120)


def test_yang_zhang_by_hand() -> None:
    # Overnight 1.5 - 1 = 0.5 and 2 - 2 = 0: sample variance 0.125. Inside 0.5 and -1.5: 2.
    # k = 0.34 / (1.34 + 3 / 1); Rogers-Satchell of the last two bars 2 each.
    k = 0.34 / 4.34
    assert vol.yang_zhang(three_bars()) == pytest.approx((0.125 + k * 2 + (1 - k) * 2) * 1e-4 / 60)


def test_time_without_a_bar_counts_for_moves_over_it() -> None:
    whole = three_bars()
    gap = whole_bars(np.array([0.0, 60.0, 600.0]), *whole[:4], 60.0)
    assert gap.unseen.tolist() == [0.0, 0.0, 480.0]
    assert vol.close_to_close(gap) == pytest.approx((1 + 2.25) * 1e-4 / 600)
    assert vol.parkinson(gap) == vol.parkinson(whole)


def test_bars_leave_no_time_out() -> None:
    times = np.array([1.0, 30.0, 59.0, 61.0, 200.0, 230.0])
    prices = np.array([10.0, 12.0, 11.0, 9.0, 8.0, 13.0])
    bars = vol.bars(times, prices, 60.0)
    # The first minute; 59 -> 61; 61 -> 230, which opens at 9 and spans two minutes without any.
    assert bars.opens.tolist() == [10.0, 11.0, 9.0]
    assert bars.highs.tolist() == [12.0, 11.0, 13.0]
    assert bars.lows.tolist() == [10.0, 9.0, 8.0]
    assert bars.closes.tolist() == [11.0, 9.0, 13.0]
    assert bars.seconds.tolist() == [58.0, 2.0, 169.0]
    assert bars.seconds.sum() == times[-1] - times[0]


def test_too_little_says_nothing() -> None:
    one, two = np.array([1.0]), np.array([1.0, 2.0])
    assert math.isnan(vol.realized(one, one))
    assert math.isnan(vol.bipower(two, two))
    none = vol.bars(one, one, 60.0)
    assert math.isnan(vol.parkinson(none))
    assert math.isnan(vol.yang_zhang(none))
    assert vol.jump_share(two, np.array([5.0, 5.0])) == 0.0


@given(
    logs=st.lists(st.integers(-1_000, 1_000).map(lambda n: n * 1e-5), min_size=3, max_size=30),
    scale=st.floats(0.1, 10.0),
    stretch=st.floats(0.5, 20.0),
)
def test_volatility_has_no_currency_and_scales_with_time(
    logs: list[float], scale: float, stretch: float
) -> None:
    prices = np.exp(np.cumsum(logs))
    times = np.arange(float(len(logs)))
    for of in (vol.realized, vol.bipower):
        one = of(times, prices)
        assert of(times * stretch, prices * scale) == pytest.approx(
            one / stretch, rel=1e-6, abs=1e-18
        )


# --- the market ---


def test_ranges_agree_with_closes_on_a_recorded_month() -> None:
    path = recorded("nautilus_btcperp_1m_20211231_20220201.csv.gz")
    prices = read_prices(path, None)
    opened, high, low, close = prices.columns
    bars = whole_bars(prices.times_s, opened, high, low, close, 60.0)
    closes = vol.annual(vol.close_to_close(bars))
    for of in (vol.parkinson, vol.garman_klass, vol.rogers_satchell, vol.yang_zhang):
        assert vol.annual(of(bars)) == pytest.approx(closes, rel=0.05), of.__name__
