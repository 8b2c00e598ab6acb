"""Numbers and sides."""

from mmbot.core.types import InstrumentId, Side, to_decimal, told_apart

BUY, SELL = Side.BUY, Side.SELL


def test_a_float_becomes_the_decimal_a_person_would_write() -> None:
    assert str(to_decimal(0.1)) == "0.1"
    assert str(to_decimal(0.013000000000000001)) == "0.013"
    assert to_decimal(2850.0) == 2850


def test_sides_have_the_sign_of_the_position_they_add() -> None:
    assert (BUY.sign, SELL.sign) == (1, -1)
    assert (BUY.opposite, SELL.opposite) == (SELL, BUY)


def test_a_name_that_two_venues_have_is_told_apart_by_the_venue() -> None:
    perp, hedge, call = map(
        InstrumentId, ("deribit:ETH-PERPETUAL", "hedge:ETH-PERPETUAL", "deribit:ETH-6JUN25-2800-C")
    )
    assert told_apart((perp, call, perp)) == {perp: "ETH-PERPETUAL", call: "ETH-6JUN25-2800-C"}
    assert told_apart((perp, hedge, call)) == {
        perp: "deribit:ETH-PERPETUAL",
        hedge: "hedge:ETH-PERPETUAL",
        call: "ETH-6JUN25-2800-C",
    }
