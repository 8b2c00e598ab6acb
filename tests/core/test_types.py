"""Numbers and sides."""

from mmbot.core.types import Side, to_decimal

BUY, SELL = Side.BUY, Side.SELL


def test_a_float_becomes_the_decimal_a_person_would_write() -> None:
    assert str(to_decimal(0.1)) == "0.1"
    assert str(to_decimal(0.013000000000000001)) == "0.013"
    assert to_decimal(2850.0) == 2850


def test_sides_have_the_sign_of_the_position_they_add() -> None:
    assert (BUY.sign, SELL.sign) == (1, -1)
    assert (BUY.opposite, SELL.opposite) == (SELL, BUY)
