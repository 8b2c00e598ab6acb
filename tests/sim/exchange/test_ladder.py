"""Floats find the price of the ladder that exact decimals find."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmbot.sim.exchange.ladder import PRICE_DIGITS, Ladder
from mmbot.sim.exchange.listing import Listing
from tests.sim.orders import D
from tests.wire.venue import option, perpetual

STEPPED = option(tick=D("0.0001"), tick_steps=((D("0.005"), D("0.0005")), (D("0.1"), D("0.001"))))
LISTINGS = (STEPPED, perpetual(tick=D("0.05")), perpetual(tick=D("0.0001")), option(tick=D("0.2")))


def by_hand(listing: Listing, price: float) -> tuple[str, str]:
    exact = Decimal(repr(round(price, PRICE_DIGITS)))
    return str(listing.snap_down(exact)), str(listing.snap_up(exact))


@pytest.mark.parametrize(
    ("price", "down", "up"),
    [
        (0.00123, "0.0012", "0.0013"),
        (0.0012, "0.0012", "0.0012"),
        (0.00499999, "0.0049", "0.0050"),
        (0.0051, "0.0050", "0.0055"),
        (0.0312, "0.0310", "0.0315"),
        (0.1004, "0.100", "0.101"),
        (0.00003, "0.0000", "0.0001"),
    ],
)
def test_the_prices_around_one_on_a_ladder_of_three_steps(price: float, down: str, up: str) -> None:
    ladder = Ladder(STEPPED)
    assert (str(ladder.down(price)), str(ladder.up(price))) == (down, up)


@given(st.sampled_from(LISTINGS), st.floats(1e-5, 1e5))
@example(STEPPED, 0.005)
@example(STEPPED, 0.004999999999)
@example(STEPPED, 0.0050000000001)
def test_the_price_is_the_exact_one_to_its_last_digit(listing: Listing, price: float) -> None:
    ladder = Ladder(listing)
    assert (str(ladder.down(price)), str(ladder.up(price))) == by_hand(listing, price)


@given(
    st.sampled_from(LISTINGS),
    st.integers(1, 100_000),
    st.sampled_from((0.0, 1e-15, 1e-12, 1e-10, 4.9e-9, 5.1e-9, 1e-8, 2e-8, 1e-7)),
    st.sampled_from((1, -1)),
)
def test_so_it_is_beside_a_rung(listing: Listing, place: int, beside: float, sign: int) -> None:
    rung = float(listing.snap_up(place * listing.tick))
    price = max(rung + sign * beside, 1e-9)
    ladder = Ladder(listing)
    assert (str(ladder.down(price)), str(ladder.up(price))) == by_hand(listing, price)


@pytest.mark.parametrize(
    ("price", "tick"),
    [(0.0001, 0.0001), (0.004999, 0.0001), (0.005, 0.0005), (0.0999, 0.0005), (0.1, 0.001)],
)
def test_the_tick_at_a_price_applies_from_it_upward(price: float, tick: float) -> None:
    assert Ladder(STEPPED).tick_at(price) == tick
