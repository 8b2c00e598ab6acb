"""Value out of two sides of a book, a perpetual, and what holding it costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.pricing.fair import (
    ExpiryForward,
    basis_carry_per_day,
    funding_8h,
    funding_carry_per_day,
    mid,
    size_weighted,
)

prices = st.floats(1.0, 1e5)
sizes = st.floats(0.01, 1e4)


def test_middles_by_hand() -> None:
    assert mid(100.0, 101.0) == 100.5
    # Three times as much bid as offered: three quarters of the way to the ask.
    assert size_weighted(100.0, 3.0, 101.0, 1.0) == 100.75
    assert size_weighted(100.0, 0.0, 101.0, 0.0) is None


@given(bid=prices, spread=st.floats(0.01, 10.0), bid_size=sizes, ask_size=sizes)
def test_a_weighted_price_lies_between_and_follows_the_larger_side(
    bid: float, spread: float, bid_size: float, ask_size: float
) -> None:
    ask = bid + spread
    found = size_weighted(bid, bid_size, ask, ask_size)
    assert found is not None
    assert bid - 1e-9 * bid <= found <= ask + 1e-9 * ask
    if bid_size > 1.001 * ask_size:
        assert found > mid(bid, ask) - 1e-9 * bid


def test_a_forward_follows_the_perpetual_at_once_and_its_basis_slowly() -> None:
    forward = ExpiryForward()
    assert forward.value(0.0, 60_000.0) is None
    forward.observe(0.0, 60_600.0, 60_000.0)
    assert forward.value(500.0, 61_000.0) == pytest.approx(61_610.0)
    # The basis falls from 1 % to 0: after a minute half of the change is in.
    forward.observe(500.0, 61_000.0, 61_000.0)
    assert forward.value(500.0, 61_000.0) == pytest.approx(61_610.0)
    assert forward.value(560.0, 61_000.0) == pytest.approx(61_305.0)


def test_a_stale_venue_price_moves_a_forward_little() -> None:
    # The perpetual jumps by 1 %, the venue's price of the expiry comes a second later.
    forward = ExpiryForward()
    forward.observe(0.0, 60_600.0, 60_000.0)
    forward.observe(600.0, 60_600.0, 60_600.0)
    forward.observe(601.0, 61_206.0, 60_600.0)
    assert forward.value(602.0, 60_600.0) == pytest.approx(61_206.0, rel=2e-4)


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        (0.0, 0.0),
        (0.0002, 0.0),  # within the dead band
        (-0.00025, 0.0),
        (0.001, 0.00075),  # max(0.025 %, 0.1 %) + min(-0.025 %, 0.1 %)
        (-0.001, -0.00075),
        (0.02, 0.005),  # capped
        (-0.02, -0.005),
    ],
)
def test_funding_is_the_premium_beyond_the_dead_band(premium: float, rate: float) -> None:
    assert funding_8h(60_000.0 * (1 + premium), 60_000.0, cap=0.005) == pytest.approx(rate)


def test_carry_is_what_a_long_earns_in_a_day() -> None:
    # 0.01 % each 8 hours: longs pay 3 bp a day.
    assert funding_carry_per_day(0.0001) == pytest.approx(-0.0003)
    # A forward 1 % above the spot falls to it in 10 days: ln(1.01) / 10.
    assert basis_carry_per_day(60_600.0, 60_000.0, 10 / 365) == pytest.approx(-0.000995033)
    assert basis_carry_per_day(60_000.0, 60_600.0, 10 / 365) == pytest.approx(0.000995033)
    assert basis_carry_per_day(60_600.0, 60_000.0, 0.0) is None
    assert np.isfinite(funding_8h(1.0, 60_000.0))
