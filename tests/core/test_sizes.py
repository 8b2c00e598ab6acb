"""Sizes as people write them, and what they come to on each product."""

from decimal import Decimal as D
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.core.contracts import Instrument
from mmbot.core.sizes import (
    LOTS,
    POSITION,
    SHARES,
    SMALLEST,
    Size,
    amount_of,
    change,
    in_words,
    most,
    order_size,
    surely_within,
    unit_of,
    units,
    usd_value,
)
from tests.builders import a_binary, a_linear_perpetual, a_perpetual, an_option

INDEX = 2850.0
USDC_OPTION = an_option(inverse=False, settlement="USDC")
BINARY = a_binary()
BTC_PERPETUAL = a_perpetual(underlying="BTC", min_amount=D(10), amount_step=D(10))


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("1 ETH", Size(D(1), "ETH")),
        ("1eth", Size(D(1), "ETH")),
        (" 1000  usd ", Size(D(1000), "USD")),
        ("2 lots", Size(D(2), LOTS)),
        ("1 Lot", Size(D(1), LOTS)),
        ("0.5", Size(D("0.5"))),
        (".5", Size(D("0.5"))),
        ("1e3 USD", Size(D(1000), "USD")),
        (3, Size(D(3))),
        (D("0.1"), Size(D("0.1"))),
        ("smallest", SMALLEST),
    ],
)
def test_a_size_is_read_as_people_write_it(written: object, size: Size) -> None:
    assert Size.parse(written) == size
    assert Size.parse(size) == size


@pytest.mark.parametrize(
    "written", ["", "ETH", "-1", "-1 ETH", "0 ETH", "1 E 2", "1e", True, "nan"]
)
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is no size"):
        Size.parse(written)


@pytest.mark.parametrize(
    ("instrument", "unit", "worth"),
    [
        (an_option(), "ETH", D(5700)),
        (USDC_OPTION, "ETH", D(5700)),
        (a_perpetual(), "USD", D(2)),
        (a_linear_perpetual(), "ETH", D(5800)),  # at its own price of 2,900
    ],
)
def test_the_notional_of_two_units_of_each_product(
    instrument: Instrument, unit: str, worth: D
) -> None:
    assert unit_of(instrument) == unit
    assert usd_value(instrument, D(2), INDEX, 2900.0) == worth
    assert usd_value(instrument, D(-2), INDEX, 2900.0) == -worth


def test_without_a_price_a_notional_is_unknown_but_for_what_is_dollars_already() -> None:
    assert usd_value(an_option(), D(1), nan, nan) is None
    assert usd_value(a_linear_perpetual(), D(1), INDEX, nan) is None
    assert usd_value(a_perpetual(), D(1), nan, nan) == 1


@pytest.mark.parametrize(
    ("instrument", "written", "amount"),
    [
        (an_option(), "3", D(3)),
        (an_option(), "3 ETH", D(3)),
        (an_option(), "5700 USD", D(2)),
        (an_option(), "2 lots", D(2)),
        (an_option(), "1 BTC", None),
        (an_option(), "1 USDC", None),
        (USDC_OPTION, "5700 USDC", D(2)),
        (BTC_PERPETUAL, "50", D(50)),
        (BTC_PERPETUAL, "50 USD", D(50)),
        (BTC_PERPETUAL, "2 lots", D(20)),
        (BTC_PERPETUAL, "2 BTC", D(5700)),
        (a_linear_perpetual(), "2900 USD", D(1)),
        (a_linear_perpetual(), "3 lots", D("0.03")),
        (BINARY, "50", D(50)),
        (BINARY, "50 shares", D(50)),
        (BINARY, "1 share", D(1)),
        (BINARY, "2 lots", D(2)),
        (BINARY, "1 BTC", None),
        (BINARY, "1 ETH", None),
    ],
)
def test_a_size_becomes_an_amount_in_the_instruments_own_unit(
    instrument: Instrument, written: str, amount: D | None
) -> None:
    assert amount_of(Size.parse(written), instrument, INDEX, 2900.0) == amount


def test_the_units_of_each_product() -> None:
    assert units(an_option()) == ("ETH", "USD", "lots")
    assert units(BTC_PERPETUAL) == ("USD", "BTC", "lots")
    assert units(a_linear_perpetual()) == ("ETH", "USD", "USDC", "lots")
    assert units(BINARY) == ("shares", "USD", "USDC", "lots")


def test_a_worth_in_dollars_buys_shares_at_their_price() -> None:
    # 100 USD at 0.42 a share: 238.095...; of the index there is no question.
    assert unit_of(BINARY) == SHARES
    for written in ("100 USD", "100 usdc"):
        assert order_size(Size.parse(written), BINARY, nan, 0.42) == 238
        assert order_size(Size.parse(written), BINARY, INDEX, nan) is None
    assert usd_value(BINARY, D(-200), nan, 0.42) == D("-84.0")
    assert most(BINARY, D(100), nan, 0.42) == 238
    assert in_words(BINARY, D(200), nan, 0.42) == "200 shares (84 USD)"
    assert change(Size.parse("12.5"), BINARY, nan, 0.42) == (
        "size 12.5 shares rounded down to 12 shares: lots of 1 shares"
    )


@pytest.mark.parametrize(
    ("instrument", "written", "order", "said"),
    [
        (an_option(), "1", D(1), ""),
        (an_option(), "smallest", D(1), ""),
        (an_option(), "0.5", D(1), "size 0.5 ETH raised to 1 ETH, the smallest order"),
        (an_option(), "2.5 ETH", D(2), "size 2.5 ETH rounded down to 2 ETH: lots of 1 ETH"),
        (an_option(), "7000 USD", D(2), "size 7000 USD is 2 ETH: lots of 1 ETH"),
        (an_option(), "100 USD", D(1), "size 100 USD raised to 1 ETH, the smallest order"),
        (BTC_PERPETUAL, "1", D(10), "size 1 USD raised to 10 USD, the smallest order"),
        (BTC_PERPETUAL, "smallest", D(10), ""),
    ],
)
def test_an_order_is_whole_lots_and_what_was_changed_is_said(
    instrument: Instrument, written: str, order: D, said: str
) -> None:
    size = Size.parse(written)
    assert order_size(size, instrument, INDEX, 2900.0) == order
    assert change(size, instrument, INDEX, 2900.0) == said


def test_a_size_in_dollars_stands_still_while_the_price_ticks() -> None:
    size = Size.parse("1000 USD")
    orders = {order_size(size, a_linear_perpetual(), INDEX, 2900 + tick / 20) for tick in range(60)}
    assert len(orders) == 1


def test_lots_count_smallest_orders_where_those_are_several_steps() -> None:
    fine = an_option(min_amount=D("0.1"), amount_step=D("0.01"))
    assert amount_of(POSITION, fine, INDEX, 90.0) == D(1)
    assert amount_of(Size(D(2), LOTS), fine, INDEX, 90.0) == D("0.2")
    assert amount_of(POSITION, BTC_PERPETUAL, INDEX, INDEX) == D(100)


def test_an_amount_in_words_names_its_unit_and_its_worth() -> None:
    assert in_words(an_option(), D("2.0"), INDEX, 0.03) == "2 ETH (5,700 USD)"
    assert in_words(an_option(), D(2), nan, nan) == "2 ETH"
    assert in_words(BTC_PERPETUAL, D(1000), INDEX, INDEX) == "1000 USD"


@given(
    lots=st.integers(1, 10_000),
    price=st.floats(0.01, 200_000),
    usd=st.decimals(1, 1_000_000, places=2),
)
def test_what_is_surely_within_a_worth_is_within_it(lots: int, price: float, usd: D) -> None:
    instrument = a_linear_perpetual()
    size = lots * instrument.grid.amount_step
    largest = most(instrument, usd, price, price)
    assert largest is not None
    assert not surely_within(usd, size, price) or size <= largest
