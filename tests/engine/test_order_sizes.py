"""What a run says about the size of its orders before the first one leaves."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import pytest

from mmbot.config import load_config
from mmbot.core.contracts import Instrument
from mmbot.engine.order_sizes import size_lines
from tests.builders import a_linear_perpetual, a_perpetual, an_option

PRICES = {"ETH": 2850.0, "BTC": 105_000.0}
BTC_PERPETUAL = a_perpetual(
    name="BTC-PERPETUAL", underlying="BTC", min_amount=Decimal(10), amount_step=Decimal(10)
)
BTC_OPTION = an_option(
    name="BTC-6JUN25-105000-C",
    underlying="BTC",
    min_amount=Decimal("0.1"),
    amount_step=Decimal("0.1"),
)


@pytest.mark.parametrize("rounding", [ROUND_HALF_UP, ROUND_DOWN])
def test_a_worth_is_said_alike_whatever_others_do_to_the_rounding(rounding: str) -> None:
    with localcontext() as context:
        context.rounding = rounding
        assert said(a_linear_perpetual()) == ["ETH_USDC-PERPETUAL: orders of 0.01 ETH (28 USD)"]
        assert said(a_linear_perpetual(), size="3 lots")[0].endswith("orders of 0.03 ETH (86 USD)")


def said(*instruments: Instrument, **flags: str) -> list[str]:
    given = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    return size_lines(load_config({"--symbols": "X", **given}).lone, instruments, PRICES)


@pytest.mark.parametrize(
    ("instrument", "line"),
    [
        (an_option(), "ETH-6JUN25-2800-C: orders of 1 ETH (2,850 USD)"),
        (BTC_OPTION, "BTC-6JUN25-105000-C: orders of 0.1 BTC (10,500 USD)"),
        (a_perpetual(), "ETH-PERPETUAL: orders of 1 USD"),
        (BTC_PERPETUAL, "BTC-PERPETUAL: orders of 10 USD"),
        (a_linear_perpetual(), "ETH_USDC-PERPETUAL: orders of 0.01 ETH (28 USD)"),
    ],
)
def test_by_default_an_order_is_the_smallest_of_its_product(
    instrument: Instrument, line: str
) -> None:
    assert said(instrument) == [line]


@pytest.mark.parametrize(
    ("instrument", "size", "line"),
    [
        (an_option(), "500", "size 500 ETH is cut to 1 ETH (2,850 USD) by [risk.max_order] no"),
        (an_option(), "500 ETH", "size 500 ETH is cut to 1 ETH (2,850 USD) by [risk.max_order]"),
        (an_option(), "1.5", "orders of 1 ETH (2,850 USD); size 1.5 ETH rounded down to 1 ETH"),
        (an_option(), "0.5", "orders of 1 ETH (2,850 USD); size 0.5 ETH raised to 1 ETH, the sm"),
        (BTC_PERPETUAL, "25", "orders of 20 USD; size 25 USD rounded down to 20 USD: lots of 10"),
        (BTC_PERPETUAL, "1 BTC", "size 1 BTC is cut to 100 USD by [risk.max_position] limit = 10"),
        (a_linear_perpetual(), "9 lots", "orders of 0.09 ETH (256 USD)"),
    ],
)
def test_a_size_that_is_changed_is_said_with_both_numbers(
    instrument: Instrument, size: str, line: str
) -> None:
    (only,) = said(instrument, size=size)
    assert only.startswith(f"{instrument.name}: {line}")


def test_instruments_that_are_alike_share_a_line() -> None:
    second, third = an_option(name="A"), an_option(name="B")
    assert said(an_option(), second, third, BTC_PERPETUAL) == [
        "ETH-6JUN25-2800-C and 2 more: orders of 1 ETH (2,850 USD)",
        "BTC-PERPETUAL: orders of 10 USD",
    ]


def test_a_size_that_takes_a_price_nobody_knows_is_not_guessed(tmp_path: Path) -> None:
    config = load_config({"--symbols": "X", "--size": "1000 USD"}).lone
    assert size_lines(config, [an_option()], {}) == []
    in_lots = load_config({"--symbols": "X", "--size": "2 lots"}).lone
    assert size_lines(in_lots, [an_option()], {}) == ["ETH-6JUN25-2800-C: orders of 2 ETH"]
