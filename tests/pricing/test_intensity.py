"""Rates by depth. Numbers by hand."""

from math import e, log, sqrt

import pytest

from mmbot.pricing.intensity import intensity


def test_the_decay_is_one_over_the_mean_excess() -> None:
    found = intensity(100.0, 0.5, first=1.0, gap=0.0, n_effective=100.0)
    assert found is not None
    assert found.k == 2.0
    assert found.k_error == pytest.approx(0.2), "k over the root of n"
    assert found.expected == pytest.approx(50 * e**2), "half of them on each side, at depth 0"
    assert found.a_error == pytest.approx(sqrt(0.01 + 0.04))


def test_depths_rounded_down_to_a_grid_are_geometric() -> None:
    found = intensity(100.0, 1.0, first=1.0, gap=1.0, n_effective=100.0)
    assert found is not None
    assert found.k == pytest.approx(log(2)), "half of them go no further, each time"
    assert found.k_error == pytest.approx(1 / sqrt(200))
    fine = intensity(100.0, 0.5, first=0.0, gap=1e-9, n_effective=100.0)
    assert fine is not None
    assert fine.k == pytest.approx(2.0, rel=1e-6)


def test_fewer_that_count_make_the_errors_larger() -> None:
    many = intensity(100.0, 0.5, first=1.0, gap=0.5, n_effective=100.0)
    few = intensity(100.0, 0.5, first=1.0, gap=0.5, n_effective=25.0)
    assert many is not None
    assert few is not None
    assert (few.k_error, few.a_error) == pytest.approx((2 * many.k_error, 2 * many.a_error))
    assert (few.k, few.expected) == (many.k, many.expected)


def test_where_none_went_beyond_nothing_follows() -> None:
    assert intensity(0.0, 0.5, first=1.0, gap=0.0, n_effective=0.0) is None
    assert intensity(100.0, 0.0, first=1.0, gap=0.5, n_effective=100.0) is None
    assert intensity(100.0, 1e-17, first=1.0, gap=0.5, n_effective=100.0) is None
    assert intensity(100.0, 1e-5, first=1.0, gap=0.0, n_effective=100.0) is None, "beyond floats"
