"""The grid, money and units: numbers by hand, from the venue's own definitions."""

from decimal import Decimal

import pytest

from mmbot.core.contracts import TickStep
from mmbot.core.types import Side, to_decimal
from tests.builders import a_linear_perpetual, a_perpetual, an_option

BUY, SELL = Side.BUY, Side.SELL


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


# --- money ------------------------------------------------------------------------------------


def test_an_inverse_option_is_worth_its_premium_in_coin() -> None:
    assert an_option().value(Decimal(3), Decimal("0.02")) == Decimal("0.06")


def test_a_long_inverse_perpetual_earns_the_difference_of_reciprocals() -> None:
    # 1,000 USD bought at 2,000 and sold at 2,500: 1000 (1/2000 - 1/2500) = 0.5 - 0.4 = 0.1 ETH.
    value = a_perpetual().value
    assert value(Decimal(1000), Decimal(2500)) - value(Decimal(1000), Decimal(2000)) == Decimal(
        "0.1"
    )


def test_a_linear_perpetual_is_worth_amount_times_price() -> None:
    assert a_linear_perpetual().value(Decimal("0.5"), Decimal(2850)) == Decimal(1425)


def test_an_option_fee_is_a_rate_of_the_underlying_capped_at_an_eighth_of_the_premium() -> None:
    fee = an_option().fee
    rate, index = Decimal("0.0003"), Decimal(2850)
    assert fee(Decimal(2), Decimal("0.02"), rate, index) == Decimal("0.0006")
    # 0.125 x 0.0016 = 0.0002 a contract, below the rate.
    assert fee(Decimal(2), Decimal("0.0016"), rate, index) == Decimal("0.0004")


def test_a_linear_option_pays_its_rate_on_the_index() -> None:
    # 0.0003 x 2 x 2850 = 1.71 USDC; the cap, 0.125 x 60 x 2 = 15, is far above.
    option = an_option(inverse=False, settlement="USDC")
    assert option.fee(Decimal(2), Decimal(60), Decimal("0.0003"), Decimal(2850)) == Decimal("1.71")


def test_a_perpetual_fee_is_a_rate_of_the_notional_in_its_own_currency() -> None:
    rate, index = Decimal("0.0005"), Decimal(2850)
    # 0.0005 x 1000 USD / 2000 = 0.00025 ETH; 0.0005 x 0.5 ETH x 2000 = 0.5 USDC.
    assert a_perpetual().fee(Decimal(1000), Decimal(2000), rate, index) == Decimal("0.00025")
    assert a_linear_perpetual().fee(Decimal("0.5"), Decimal(2000), rate, index) == Decimal("0.5")


def test_a_rebate_is_a_negative_fee() -> None:
    rate, index = Decimal("-0.0001"), Decimal(2850)
    assert an_option().fee(Decimal(1), Decimal("0.02"), rate, index) == Decimal("-0.0001")
    assert a_perpetual().fee(Decimal(1000), Decimal(2000), rate, index) < 0


def test_unlike_amounts_meet_in_coin() -> None:
    index = Decimal(2500)
    assert a_perpetual().coin(Decimal(-5000), index) == Decimal(-2)
    assert an_option().coin(Decimal(3), index) == Decimal(3)
    assert a_linear_perpetual().coin(Decimal("0.5"), index) == Decimal("0.5")


def test_a_float_becomes_the_decimal_a_person_would_write() -> None:
    assert str(to_decimal(0.1)) == "0.1"
    assert str(to_decimal(0.013000000000000001)) == "0.013"
    assert to_decimal(2850.0) == 2850


def test_sides_have_the_sign_of_the_position_they_add() -> None:
    assert (BUY.sign, SELL.sign) == (1, -1)
    assert (BUY.opposite, SELL.opposite) == (SELL, BUY)
