"""The grid: numbers by hand, from the venues' own definitions.

Deribit's ladder of options in coin is 0.0001, and 0.0005 from 0.005 up (tick_size_steps of
public/get_instruments). Degen takes 0.01 to 0.99 by the cent and no order below 10 dollars; other
binaries have a finer tick near 0 and 1 (Polymarket: tick_size_change).
"""

from decimal import Decimal
from decimal import Decimal as D

import pytest

from mmbot.core.grid import Grid, TickStep
from mmbot.core.types import Side
from tests.builders import a_binary, a_linear_perpetual, a_perpetual, an_option

BUY, SELL = Side.BUY, Side.SELL

CENTS = Grid(tick=D("0.01"), amount_step=D(1), min_amount=D(1), lowest=D("0.01"), highest=D("0.99"))
FINE_ENDS = Grid(  # a tenth of a cent below 0.04 and from 0.96 up
    tick=D("0.001"),
    tick_steps=(TickStep(D("0.04"), D("0.01")), TickStep(D("0.96"), D("0.001"))),
    amount_step=D(1),
    min_amount=D(5),
    lowest=D("0.001"),
    highest=D("0.999"),
)


# --- prices -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("0.0001", "0.0001"),
        ("0.0049", "0.0001"),
        ("0.005", "0.0005"),  # the step's own price already has the step's tick
        ("0.0200", "0.0005"),
        ("1.5", "0.0005"),
    ],
)
def test_the_largest_step_not_beyond_the_price_decides_the_tick(price: str, tick: str) -> None:
    assert an_option().tick_at(Decimal(price)) == Decimal(tick)


@pytest.mark.parametrize(
    ("price", "side", "snapped"),
    [
        (0.00123, BUY, "0.0012"),
        (0.00123, SELL, "0.0013"),
        (0.0213, BUY, "0.0210"),
        (0.0213, SELL, "0.0215"),
        (0.0215, BUY, "0.0215"),
        (0.0215, SELL, "0.0215"),
        (0.00496, BUY, "0.0049"),
        (0.00496, SELL, "0.0050"),  # up over the edge of the ladder
        (0.00513, BUY, "0.0050"),  # 0.0051 would be on the finer grid below the edge
    ],
)
def test_bids_are_rounded_down_and_asks_up(price: float, side: Side, snapped: str) -> None:
    assert an_option().snap_price(price, side) == Decimal(snapped)


def test_a_snapped_price_is_written_with_the_digits_of_its_tick() -> None:
    assert str(an_option().snap_price(0.02, BUY)) == "0.0200"
    assert str(a_perpetual().snap_price(2850.0, BUY)) == "2850.00"


def test_binary_noise_of_a_float_moves_no_price() -> None:
    noisy = 0.1 * 3 / 10  # 0.030000000000000002
    assert noisy != 0.03
    assert an_option().snap_price(noisy, SELL) == Decimal("0.0300")


@pytest.mark.parametrize("price", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_price_that_is_no_number_is_no_price(price: float, side: Side) -> None:
    assert an_option().snap_price(price, side) is None


@pytest.mark.parametrize("price", [0.0, -0.01, 0.00009])
def test_a_bid_below_one_tick_is_no_bid(price: float) -> None:
    assert an_option().snap_price(price, BUY) is None


@pytest.mark.parametrize("price", [0.0, -0.01, 0.00009])
def test_an_ask_is_never_below_one_tick(price: float) -> None:
    assert an_option().snap_price(price, SELL) == Decimal("0.0001")


def test_steps_follow_the_ladder_over_its_edge() -> None:
    option = an_option()
    assert option.step_price(Decimal("0.0049"), 1) == Decimal("0.0050")
    assert option.step_price(Decimal("0.0049"), 3) == Decimal("0.0060")
    assert option.step_price(Decimal("0.0060"), -3) == Decimal("0.0049")


@pytest.mark.parametrize("price", ["0.0003", "0.00025"])
def test_steps_end_at_zero(price: str) -> None:
    assert an_option().step_price(Decimal(price), -5) == 0


def test_a_price_between_the_ticks_is_off_the_grid() -> None:
    option = an_option()
    assert option.on_grid(Decimal("0.0049"))
    assert option.on_grid(Decimal("0.0055"))
    assert not option.on_grid(Decimal("0.0051"))
    assert not option.on_grid(Decimal("0"))


def test_a_coarser_tick_than_one_keeps_its_digits() -> None:
    perpetual = a_perpetual(tick=Decimal("2.5"), tick_steps=(TickStep(Decimal(5000), Decimal(5)),))
    assert perpetual.snap_price(2851.0, BUY) == Decimal("2850.0")
    assert perpetual.snap_price(5001.0, SELL) == Decimal(5005)


# --- sizes ------------------------------------------------------------------------------------


def test_a_size_is_rounded_down_to_the_lot() -> None:
    assert a_linear_perpetual().snap_size(0.0199) == Decimal("0.01")
    assert an_option().snap_size(Decimal("2.9")) == Decimal(2)


def test_a_lot_is_not_lost_to_binary_noise() -> None:
    assert a_linear_perpetual().snap_size(0.1 + 0.2) == Decimal("0.30")
    assert a_linear_perpetual().snap_size(0.29) == Decimal("0.29")  # 0.29 / 0.01 = 28.999...


def test_a_size_below_the_minimum_is_nothing() -> None:
    assert an_option().snap_size(0.99) == 0
    assert an_option().snap_size(-3.0) == 0
    assert a_perpetual(min_amount=Decimal(10)).snap_size(Decimal(9)) == 0


@pytest.mark.parametrize("size", [float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity")])
def test_a_size_that_is_no_number_is_nothing(size: float | Decimal) -> None:
    assert an_option().snap_size(size) == 0


# --- the range --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "side", "snapped"),
    [
        (0.416, BUY, "0.41"),
        (0.416, SELL, "0.42"),
        (0.01, BUY, "0.01"),
        (0.99, SELL, "0.99"),
        (0.994, BUY, "0.99"),
        (1.30, BUY, "0.99"),  # away from the market: nobody pays more than the highest price
        (0.006, SELL, "0.01"),
        (-0.30, SELL, "0.01"),
        (0.0099, BUY, None),
        (0.0, BUY, None),
        (0.9901, SELL, None),
        (1.0, SELL, None),
    ],
)
def test_a_binary_is_never_priced_outside_its_range(
    price: float, side: Side, snapped: str | None
) -> None:
    expected = None if snapped is None else D(snapped)
    assert CENTS.snap_price(price, side) == expected
    assert a_binary().snap_price(price, side) == expected
    assert a_binary().snap_price(Decimal(repr(price)), side) == expected


@pytest.mark.parametrize(
    ("price", "side", "snapped"),
    [
        (0.0394, BUY, "0.039"),
        (0.0394, SELL, "0.040"),
        (0.0444, BUY, "0.04"),
        (0.9555, SELL, "0.96"),
        (0.9555, BUY, "0.95"),
        (0.9604, BUY, "0.960"),
        (0.9604, SELL, "0.961"),
        (0.9995, SELL, None),
        (0.0005, BUY, None),
    ],
)
def test_a_ladder_may_be_finer_at_both_ends(price: float, side: Side, snapped: str | None) -> None:
    assert FINE_ENDS.snap_price(price, side) == (None if snapped is None else D(snapped))


def test_steps_follow_a_ladder_that_is_finer_at_both_ends() -> None:
    assert FINE_ENDS.step_price(D("0.039"), 2) == D("0.05")
    assert FINE_ENDS.step_price(D("0.95"), 2) == D("0.961")
    assert FINE_ENDS.step_price(D("0.961"), -2) == D("0.95")
    assert FINE_ENDS.step_price(D("0.05"), -2) == D("0.039")


def test_an_end_of_the_range_that_is_no_tick_is_not_crossed() -> None:
    odd = Grid(
        tick=D("0.02"), amount_step=D(1), min_amount=D(1), lowest=D("0.03"), highest=D("0.95")
    )
    assert odd.snap_price(D("0.99"), BUY) == D("0.94")
    assert odd.snap_price(D("0.01"), SELL) == D("0.04")
    assert odd.snap_price(D("0.95"), SELL) is None
    assert odd.snap_price(D("0.03"), BUY) is None


@pytest.mark.parametrize("price", ["0", "0.005", "1", "0.415"])
def test_what_the_venue_would_refuse_is_off_the_grid(price: str) -> None:
    assert not CENTS.on_grid(D(price))
    assert CENTS.on_grid(D("0.01"))
    assert CENTS.on_grid(D("0.99"))


# --- the least notional -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "side", "least"),
    [
        ("0.50", BUY, 20),  # 20 x 0.50 = 10
        ("0.30", BUY, 34),  # 33 x 0.30 = 9.90, 34 x 0.30 = 10.20
        ("0.99", BUY, 11),  # 10 x 0.99 = 9.90
        ("0.01", BUY, 1000),
        ("0.30", SELL, 15),  # NO at 0.70: 14 x 0.70 = 9.80, 15 x 0.70 = 10.50
        ("0.99", SELL, 1000),  # NO at 0.01
    ],
)
def test_an_order_of_shares_costs_ten_dollars_at_least(price: str, side: Side, least: int) -> None:
    assert a_binary().least_amount(D(price), side) == least


def test_the_least_notional_is_met_in_whole_lots_and_above_the_least_amount() -> None:
    lots = a_binary(amount_step=D(25), min_amount=D(25))
    assert lots.least_amount(D("0.30"), BUY) == 50  # 34 shares
    assert a_binary(min_amount=D(100)).least_amount(D("0.50"), BUY) == 100


def test_contracts_without_a_least_notional_have_their_least_amount() -> None:
    assert a_perpetual(min_amount=D(10)).least_amount(D(2850), BUY) == 10
    assert an_option().least_amount(D("0.0001"), SELL) == 1


def test_a_least_notional_in_dollars_is_the_amount_itself_where_that_is_in_dollars() -> None:
    assert a_perpetual(min_notional=D(100)).least_amount(D(2850), BUY) == 100
    # 100 / 2850 = 0.0351 ETH
    assert a_linear_perpetual(min_notional=D(100)).least_amount(D(2850), BUY) == D("0.04")


def test_no_order_is_large_enough_where_it_costs_nothing() -> None:
    assert a_binary(highest=None).least_amount(D(1), SELL) == Decimal("Infinity")
