"""A mean that forgets by time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.pricing.ewma import Ewma, decay


def test_a_mean_weighs_values_by_how_long_they_stood() -> None:
    mean = Ewma(60.0)
    assert mean.value(0.0) is None
    mean.observe(0.0, 1.0)
    assert mean.value(1e6) == 1.0
    mean.observe(1e6, 3.0)
    assert mean.value(1e6) == 1.0
    assert mean.value(1e6 + 60.0) == pytest.approx(2.0)
    assert mean.value(1e6 + 120.0) == pytest.approx(2.5)
    mean.observe(1e6 + 120.0, 1.0)
    assert mean.value(1e6 + 180.0) == pytest.approx(1.75)


@given(splits=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=8))
def test_saying_the_same_again_changes_nothing(splits: list[float]) -> None:
    once, often = Ewma(60.0), Ewma(60.0)
    for mean in (once, often):
        mean.observe(0.0, 1.0)
        mean.observe(0.0, 2.0)
    for at in sorted(splits):
        often.observe(at, 2.0)
    assert often.value(100.0) == pytest.approx(once.value(100.0))


def test_half_is_left_after_a_half_life_and_nothing_is_lost_where_time_goes_back() -> None:
    assert decay(60.0, 60.0) == pytest.approx(0.5)
    assert decay(180.0, 60.0) == pytest.approx(0.125)
    assert decay(-5.0, 60.0) == 1.0
