"""Estimators that see one price at a time: as those that see them all, but that they forget."""

import math

import numpy as np
import pytest

from mmbot.pricing import vol
from mmbot.pricing.vol_stream import (
    SECONDS_PER_YEAR,
    Bar,
    Bars,
    EwmaVariance,
    RangeVariance,
)
from tests.pricing.test_vol import PATHS, PER_S, a_path, three_bars

FOREVER = 1e15


def test_without_forgetting_streams_are_the_arrays() -> None:
    times, prices = a_path(np.random.default_rng(1), dropped=0.3)
    stream, bars, ranges = EwmaVariance(FOREVER), Bars(300.0), RangeVariance()
    made = []
    for at, price in zip(times, prices, strict=True):
        stream.observe(at, price)
        bar = bars.observe(at, price)
        if bar is not None:
            ranges.observe(bar)
            made.append(bar)
    assert stream.realized == pytest.approx(vol.realized(times, prices), rel=1e-9)
    assert stream.bipower == pytest.approx(vol.bipower(times, prices), rel=1e-9)
    array = vol.bars(times, prices, 300.0)
    assert [bar.high for bar in made] == array.highs[:-1].tolist()  # the last is not over yet
    assert [bar.low for bar in made] == array.lows[:-1].tolist()
    assert [bar.seconds for bar in made] == array.seconds[:-1].tolist()
    over = vol.Bars(*(column[:-1] for column in array))
    assert ranges.parkinson == pytest.approx(vol.parkinson(over), rel=1e-9)
    assert ranges.garman_klass == pytest.approx(vol.garman_klass(over), rel=1e-9)
    assert ranges.rogers_satchell == pytest.approx(vol.rogers_satchell(over), rel=1e-9)
    assert ranges.yang_zhang == pytest.approx(vol.yang_zhang(over), rel=1e-9)


def test_yang_zhang_of_a_stream_has_overnight_moves() -> None:
    array, stream = three_bars(), RangeVariance()
    for place, row in enumerate(zip(*array[:4], strict=True)):
        stream.observe(Bar(*row, begun_s=60.0 * place, ended_s=60.0 * place + 60.0))
    assert stream.yang_zhang == pytest.approx(vol.yang_zhang(array), rel=1e-9)


def test_it_forgets_by_time_and_not_by_samples() -> None:
    # An hour of one volatility, then ten minutes of twice that: with a half-life of ten minutes
    # the variance is half the old (of which nearly all was there) and half the new, however often
    # the price was seen.
    for step in (0.25, 4.0):
        stream, price, up = EwmaVariance(600.0), 100.0, 1
        for number in range(int(4200 / step)):
            stream.observe(number * step, price)
            per_s = 1e-8 if number * step < 3600 else 4e-8
            price *= math.exp(up * math.sqrt(per_s * step))
            up = -up
        kept = 0.5 * (1 - 0.5**6) / (1 - 0.5**7)
        assert stream.realized == pytest.approx(kept * 1e-8 + (1 - kept) * 4e-8, rel=0.02)
        assert stream.bipower == pytest.approx(math.pi / 2 * float(stream.realized or 0), rel=0.02)


def test_it_is_unbiased_where_a_third_is_missing() -> None:
    draws = np.random.default_rng(6)
    found, jumpless = [], []
    for _ in range(PATHS // 5):
        stream = EwmaVariance(1800.0)
        for at, price in zip(*a_path(draws, dropped=0.3), strict=True):
            stream.observe(at, price)
        found.append(stream.realized)
        jumpless.append(stream.bipower)
    assert np.mean(np.array(found, float)) / PER_S == pytest.approx(1.0, abs=0.02)
    assert np.mean(np.array(jumpless, float)) / PER_S == pytest.approx(1.0, abs=0.02)


def test_nothing_is_known_before_prices() -> None:
    stream, ranges = EwmaVariance(FOREVER), RangeVariance()
    assert stream.realized is stream.bipower is None
    stream.observe(0.0, 100.0)
    assert stream.realized is None
    stream.observe(0.0, 101.0)
    assert stream.realized is None  # no time has passed
    stream.observe(1.0, 100.0)
    assert stream.realized == pytest.approx(2 * math.log(1.01) ** 2)
    assert stream.bipower is None
    assert ranges.parkinson is ranges.garman_klass is None
    assert ranges.rogers_satchell is ranges.yang_zhang is None


def test_years_are_the_same_everywhere() -> None:
    assert SECONDS_PER_YEAR == vol.SECONDS_PER_YEAR == 365 * 86_400
