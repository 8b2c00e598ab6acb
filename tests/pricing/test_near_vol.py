"""Volatilities from the last ones are those that are found from nothing."""

from random import Random

import numpy as np
import pytest

from mmbot.pricing import black76, near_vol
from mmbot.pricing.svi import Array


def options(count: int = 200) -> tuple[Array, Array, Array, Array, Array]:
    rng = Random(3)
    forward = np.array([rng.uniform(2_000, 100_000) for _ in range(count)])
    years = np.array([rng.uniform(0.003, 1.0) for _ in range(count)])
    vol = np.array([rng.uniform(0.3, 1.2) for _ in range(count)])
    k = np.array([rng.gauss(0, 1) for _ in range(count)]) * vol * np.sqrt(years)
    return forward, forward * np.exp(k), years, vol, np.where(k >= 0, 1.0, -1.0)


@pytest.mark.parametrize("inverse", [True, False])
@pytest.mark.parametrize(
    ("moved", "accuracy"), [(0.0, 1e-12), (0.005, 3e-7), (0.02, 2e-5), (0.1, 2e-5)]
)
def test_after_a_small_move_they_are_right(moved: float, accuracy: float, inverse: bool) -> None:
    forward, strike, years, vol, sign = options()
    price = black76.price(forward, strike, years, vol, sign, inverse=inverse)
    for near in (vol * (1 + moved), vol * (1 - moved)):
        found = near_vol.implied_vol(price, forward, strike, years, sign, near, inverse=inverse)
        assert found == pytest.approx(vol, rel=accuracy)


def test_what_has_no_last_one_is_found_from_nothing_and_what_has_none_is_nan() -> None:
    forward, strike = np.full(4, 100.0), np.array([110.0, 110.0, 90.0, 110.0])
    years, vol = np.full(4, 0.1), 0.6
    sign = np.where(strike > forward, 1.0, -1.0)
    price = black76.price(forward, strike, years, vol, sign, inverse=False)
    price[3] = 200.0
    near = np.array([np.nan, 20.0, 0.61, 0.6])
    found = near_vol.implied_vol(price, forward, strike, years, sign, near, inverse=False)
    assert found[:3] == pytest.approx(vol, rel=1e-6)
    assert np.isnan(found[3])
