"""What each kind of contract is worth, pays, costs and counts as: golden numbers by hand.

Sources: Deribit's fee schedule and units (venue sheet, sections 4 and 5), Derive's fees
("What are the fees to trade on Derive?", with its worked example), Polymarket's taker fee
(shares x rate x p (1 - p), crypto rate 0.07), Degen's payoff (YES wins if and only if the final
price is above the strike; a share of YES pays one dollar).
"""

from dataclasses import replace
from decimal import Decimal
from decimal import Decimal as D

import pytest

from mmbot.core.contracts import Instrument
from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.types import Kind, Right, Side
from tests.builders import a_binary, a_linear_perpetual, a_perpetual, an_option

INDEX = D(2850)
COIN_OPTION = an_option()
USD_OPTION = an_option(inverse=False, settlement="USDC")
INVERSE_FUTURE = a_perpetual(kind=Kind.FUTURE)
LINEAR_FUTURE = a_linear_perpetual(kind=Kind.FUTURE)
BINARY = a_binary()


# --- worth ------------------------------------------------------------------------------------


def test_an_inverse_option_is_worth_its_premium_in_coin() -> None:
    assert COIN_OPTION.value(D(3), D("0.02")) == D("0.06")


def test_a_usdc_option_is_worth_its_premium_in_usdc() -> None:
    assert USD_OPTION.value(D(-3), D("62.5")) == D("-187.5")


@pytest.mark.parametrize("inverse", [a_perpetual(), INVERSE_FUTURE])
def test_a_long_inverse_contract_earns_the_difference_of_reciprocals(inverse: Instrument) -> None:
    # 1,000 USD bought at 2,000 and sold at 2,500: 1000 (1/2000 - 1/2500) = 0.5 - 0.4 = 0.1 ETH.
    assert inverse.value(D(1000), D(2500)) - inverse.value(D(1000), D(2000)) == D("0.1")


@pytest.mark.parametrize("linear", [a_linear_perpetual(), LINEAR_FUTURE])
def test_a_linear_contract_is_worth_amount_times_price(linear: Instrument) -> None:
    assert linear.value(D("0.5"), INDEX) == 1425


def test_a_share_is_worth_its_price_in_dollars() -> None:
    assert BINARY.value(D(100), D("0.42")) == 42
    # 100 NO cost 58 and pay 100 if YES loses: 42 earned. As the sale of 100 YES: 0 - (-42).
    sold = BINARY.value(D(-100), D("0.42"))
    assert BINARY.value(D(-100), D(0)) - sold == 42
    assert BINARY.value(D(-100), D(1)) - sold == -58


# --- expiry -----------------------------------------------------------------------------------


def test_an_option_in_coin_pays_its_intrinsic_value_over_the_delivery_price() -> None:
    # (3200 - 2800) / 3200 = 0.125 ETH
    assert COIN_OPTION.payoff(D(3200)) == D("0.125")
    assert COIN_OPTION.payoff(D(2700)) == 0


def test_an_option_in_usdc_pays_its_intrinsic_value() -> None:
    assert USD_OPTION.payoff(D(3200)) == 400
    assert replace(USD_OPTION, right=Right.PUT).payoff(D(2500)) == 300


@pytest.mark.parametrize("future", [INVERSE_FUTURE, LINEAR_FUTURE])
def test_a_future_is_traded_at_its_delivery_price(future: Instrument) -> None:
    assert future.payoff(D(3200)) == 3200


@pytest.mark.parametrize(
    ("right", "tie_pays", "below", "at", "above"),
    [
        (Right.CALL, False, 0, 0, 1),  # Degen: strictly above
        (Right.CALL, True, 0, 1, 1),  # Polymarket: at or above
        (Right.PUT, False, 1, 0, 0),
        (Right.PUT, True, 1, 1, 0),
    ],
)
def test_a_binary_pays_one_or_nothing_and_its_venue_decides_a_tie(
    right: Right, tie_pays: bool, below: int, at: int, above: int
) -> None:
    binary = a_binary(right=right, tie_pays=tie_pays)
    assert binary.payoff(D("99999.99")) == below
    assert binary.payoff(D("100000.00")) == at
    assert binary.payoff(D("100000.01")) == above


def test_a_tie_is_lost_where_the_venue_does_not_say() -> None:
    assert BINARY.payoff(D(100_000)) == 0


# --- fees -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "amount", "price", "maker", "taker"),
    [
        # 0.0003 x 2 = 0.0006 ETH; the cap, 0.125 x 0.02 x 2 = 0.005, is far above.
        (COIN_OPTION, "2", "0.02", "0.0006", "0.0006"),
        # The cap: 0.125 x 0.0016 = 0.0002 a contract, below the rate.
        (COIN_OPTION, "2", "0.0016", "0.0004", "0.0004"),
        # 0.0003 x 2 x 2850 = 1.71 USDC; the cap, 0.125 x 60 x 2 = 15, is far above.
        (USD_OPTION, "2", "60", "1.71", "1.71"),
        # The cap: 0.125 x 4 x 2 = 1 USDC.
        (USD_OPTION, "2", "4", "1", "1"),
        # 0.0005 x 1000 USD / 2000 = 0.00025 ETH.
        (a_perpetual(), "1000", "2000", "0", "0.00025"),
        # Weekly futures: makers -0.01 %, so 0.0001 x 1000 / 2000 = 0.00005 ETH back.
        (a_perpetual(kind=Kind.FUTURE, maker_fee=D("-0.0001")), "1000", "2000", "-0.00005", None),
        # 0.0005 x 0.5 ETH x 2000 = 0.5 USDC.
        (a_linear_perpetual(), "0.5", "2000", "0", "0.5"),
        # 100 shares x 0.07 x 0.40 x 0.60 = 1.68 USDC; at 0.95: 100 x 0.07 x 0.0475 = 0.3325.
        (BINARY, "100", "0.40", "0", "1.68"),
        (BINARY, "100", "0.95", "0", "0.3325"),
    ],
)
def test_what_a_trade_costs(
    instrument: Instrument, amount: str, price: str, maker: str, taker: str | None
) -> None:
    assert instrument.fee(D(amount), D(price), INDEX) == D(maker)
    if taker is not None:
        assert instrument.fee(D(amount), D(price), INDEX, taker=True) == D(taker)


def test_a_rebate_is_capped_like_a_fee() -> None:
    rebated = an_option(maker_fee=D("-0.0001"))
    assert rebated.fee(D(1), D("0.02"), INDEX) == D("-0.0001")
    assert rebated.fee(D(1), D("0.0004"), INDEX) == D("-0.00005")  # 0.125 x 0.0004


def test_a_base_fee_is_for_takers_alone_and_above_the_cap() -> None:
    # The venue's own example: 2 ETH puts, spot 2,200: 0.50 + 0.0004 x 4,400 = 2.26 USD.
    fees = Fees(
        basis=FeeBasis.INDEX, maker=D("0.0003"), taker=D("0.0004"), base=D("0.5"), cap=D("0.125")
    )
    put = replace(USD_OPTION, right=Right.PUT, fees=fees)
    assert put.fee(D(2), D(40), D(2200), taker=True) == D("2.26")
    assert put.fee(D(2), D(40), D(2200)) == D("1.32")
    # An option of 0.80 USD: the rate's part ends at 0.125 x 0.80 x 2 = 0.20.
    assert put.fee(D(2), D("0.80"), D(2200), taker=True) == D("0.70")


def test_a_taker_only_rate_of_the_notional() -> None:
    # 20 bps of what is paid: 0.002 x 250 x 0.48 = 0.24 dollars; makers nothing.
    binary = a_binary(fees=Fees(basis=FeeBasis.NOTIONAL, taker=D("0.002")))
    assert binary.fee(D(250), D("0.48"), INDEX, taker=True) == D("0.24")
    assert binary.fee(D(250), D("0.48"), INDEX) == 0


def test_the_digits_of_a_fee_are_those_of_rate_times_dollars_over_price() -> None:
    fee = a_perpetual().fee(D(1000), D(3), INDEX, taker=True)
    assert fee == D("0.0005") * 1000 / 3


# --- what it counts as ------------------------------------------------------------------------


def test_unlike_amounts_meet_in_coin() -> None:
    index = D(2500)
    assert a_perpetual().coin(D(-5000), index) == -2
    assert INVERSE_FUTURE.coin(D(5000), index) == 2
    assert COIN_OPTION.coin(D(3), index) == 3
    assert USD_OPTION.coin(D(3), index) == 3
    assert a_linear_perpetual().coin(D("0.5"), index) == D("0.5")


def test_shares_are_no_coin() -> None:
    assert BINARY.coin(D(1000), D(100_000)) == 0


@pytest.mark.parametrize(
    ("price", "possible"), [("0", True), ("1", True), ("0.5", True), ("-0.01", False)]
)
def test_a_share_is_worth_nothing_to_one_dollar(price: str, possible: bool) -> None:
    assert BINARY.is_price(D(price)) is possible
    assert not BINARY.is_price(D("1.01"))


def test_only_what_expires_worthless_can_be_worth_nothing() -> None:
    assert COIN_OPTION.is_price(D(0))
    assert not a_perpetual().is_price(D(0))
    assert not LINEAR_FUTURE.is_price(D(0))


@pytest.mark.parametrize(
    ("instrument", "usd", "shares", "coin_price", "premium"),
    [
        (COIN_OPTION, False, False, True, True),
        (USD_OPTION, False, False, False, True),
        (a_perpetual(), True, False, False, False),
        (INVERSE_FUTURE, True, False, False, False),
        (a_linear_perpetual(), False, False, False, False),
        (LINEAR_FUTURE, False, False, False, False),
        (BINARY, False, True, False, True),
    ],
)
def test_units_of_each_kind(
    instrument: Instrument, usd: bool, shares: bool, coin_price: bool, premium: bool
) -> None:
    assert instrument.counted_in_usd is usd
    assert instrument.counted_in_shares is shares
    assert instrument.priced_in_coin is coin_price
    assert instrument.premium_paid is premium


@pytest.mark.parametrize(
    ("instrument", "lowest", "highest"),
    [(COIN_OPTION, "0.0001", None), (a_perpetual(), "0.05", None), (BINARY, "0.01", "0.99")],
)
def test_the_range_of_prices_of_each_kind(
    instrument: Instrument, lowest: str, highest: str | None
) -> None:
    assert instrument.snap_price(Decimal("1e-9"), Side.SELL) == D(lowest)
    far = instrument.snap_price(Decimal(10**6), Side.BUY)
    assert far == (D(10**6) if highest is None else D(highest))
