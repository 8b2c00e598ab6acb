"""Names and symbols, both ways; ccxt is the judge of symbols."""

from datetime import UTC, datetime
from decimal import Decimal

import ccxt
import pytest

from mmbot.core.types import SECOND, Right
from mmbot.venues.derive.names import is_option, name_of, option_of, symbol_of
from tests.venues.derive import samples

PAIRS = [
    ("ETH-PERP", "ETH/USDC:USDC"),
    ("ETH-20250606-2800-C", "ETH/USDC:USDC-250606-2800-C"),
    ("BTC-20270924-85000-P", "BTC/USDC:USDC-270924-85000-P"),
    ("XRP-20261225-0_5-P", "XRP/USDC:USDC-261225-0.5-P"),
    ("SUI-20261225-2_25-C", "SUI/USDC:USDC-261225-2.25-C"),
]


@pytest.mark.parametrize(("name", "symbol"), PAIRS)
def test_a_name_and_its_symbol_lead_to_each_other(name: str, symbol: str) -> None:
    assert symbol_of(name) == symbol
    assert name_of(symbol) == name


@pytest.mark.parametrize(("name", "symbol"), PAIRS)
def test_ccxt_has_the_same_symbol_for_it(name: str, symbol: str) -> None:
    option = option_of(name)
    listing = samples.ZEC_PERP | {"instrument_name": name, "base_currency": name.split("-")[0]}
    if option is not None:
        details = {
            "expiry": option.expiry_ns // SECOND,
            "strike": str(option.strike),
            "option_type": name[-1],
        }
        listing |= {"instrument_type": "option", "option_details": details}
    market = ccxt.derive().parse_market(listing)
    assert market["symbol"] == symbol
    assert market["id"] == name


def test_an_option_ends_at_eight_in_the_morning_of_its_day() -> None:
    option = option_of("ETH-20250606-2800-C")
    assert option is not None
    assert option.expiry_ns == int(datetime(2025, 6, 6, 8, tzinfo=UTC).timestamp()) * SECOND
    assert (option.currency, option.strike, option.right) == ("ETH", Decimal(2800), Right.CALL)


def test_a_fractional_strike_is_read() -> None:
    option = option_of("XRP-20261225-0_5-P")
    assert option is not None
    assert (option.strike, option.right) == (Decimal("0.5"), Right.PUT)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ETH-USDC",
        "ETH-20250606-2800",
        "ETH-20250606-2800-X",
        "ETH-20250632-2800-C",
        "ETH-2025066-2800-C",
        "ETH-20250606--C",
        "ETH-20250606-2d8-C",
        "eth-perp",
        "ETH-PERP-2",
    ],
)
def test_a_name_of_another_form_tells_nothing(name: str) -> None:
    assert option_of(name) is None
    assert symbol_of(name) is None


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "ETH/USD:ETH",
        "ETH/USDC",
        "ETH/USD:ETH-250606-2800-C",
        "ETH/USDC:USDC-250606",
        "ETH-PERP",
    ],
)
def test_a_symbol_of_something_else_has_no_name(symbol: str) -> None:
    assert name_of(symbol) is None


def test_options_are_told_by_their_name() -> None:
    assert [is_option(name) for name, _ in PAIRS] == [False, True, True, True, True]
