"""Costs as a distance from fair value: numbers by hand from the venue's fee schedule."""

from decimal import Decimal
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.costs import cost_floor, maker_fee_price
from mmbot.core.types import Kind
from tests.builders import a_binary, a_linear_perpetual, a_perpetual, an_option


def test_an_inverse_option_costs_three_ten_thousandths_of_a_coin() -> None:
    assert maker_fee_price(an_option(), fair=0.0215, index=2850.0) == 0.0003


def test_the_fee_of_a_cheap_option_is_capped_at_an_eighth_of_the_premium() -> None:
    # 0.125 x 0.0016 = 0.0002, below the rate of 0.0003.
    assert maker_fee_price(an_option(), fair=0.0016, index=2850.0) == 0.0002


@settings(deadline=None)
@given(
    st.decimals(Decimal("0.0001"), Decimal("0.2"), places=4),
    st.sampled_from([Decimal("0.0003"), Decimal("0.0001"), Decimal(0), Decimal("-0.0002")]),
    st.booleans(),
)
def test_the_fee_of_an_option_is_the_one_that_is_booked(
    fair: Decimal, rate: Decimal, inverse: bool
) -> None:
    option = an_option(maker_fee=rate, inverse=inverse)
    booked = option.fee(Decimal(1), fair, index=Decimal(2850))
    assert maker_fee_price(option, float(fair), 2850.0) == pytest.approx(float(booked))


def test_a_linear_option_pays_its_rate_on_the_index() -> None:
    # 0.0003 x 2850 = 0.855 USDC; the cap, 0.125 x 60 = 7.5, is far above.
    option = an_option(inverse=False, settlement="USDC")
    assert maker_fee_price(option, fair=60.0, index=2850.0) == pytest.approx(0.855)


def test_an_inverse_perpetual_pays_its_rate_on_the_price() -> None:
    # 1,000 USD at 2,000: fee 0.0001 x 1000 / 2000 = 0.00005 ETH. Selling 0.20 USD higher earns
    # 1000 (1/2000 - 1/2000.20) = 0.00005 ETH: the fee as a move of the price is 0.20 USD.
    perpetual = a_perpetual(maker_fee=Decimal("0.0001"))
    assert maker_fee_price(perpetual, fair=2000.0, index=1999.0) == pytest.approx(0.20)


@pytest.mark.parametrize("build", [a_perpetual, a_linear_perpetual])
def test_a_future_is_charged_like_a_perpetual(build: type) -> None:
    future = build(kind=Kind.FUTURE, maker_fee=Decimal("0.0002"))
    assert maker_fee_price(future, fair=1000.0, index=999.0) == pytest.approx(0.20)


def test_a_maker_of_binaries_pays_by_the_variance_where_makers_pay_at_all() -> None:
    # 0.01 x 0.4 x 0.6 = 0.0024 dollars a share.
    binary = a_binary(maker_fee=Decimal("0.01"))
    assert maker_fee_price(binary, fair=0.4, index=nan) == pytest.approx(0.0024)
    assert cost_floor(a_binary(), fair=0.4, index=nan, margin=0.01) == 0.01


def test_the_floor_is_fee_plus_margin() -> None:
    assert cost_floor(an_option(), 0.0215, 2850.0, margin=0.0002) == pytest.approx(0.0005)


def test_a_rebate_pays_for_margin_but_not_for_quoting_through_fair_value() -> None:
    rebated = a_perpetual(maker_fee=Decimal("-0.0001"))  # 0.20 USD at 2,000
    assert cost_floor(rebated, 2000.0, 2000.0, margin=0.5) == pytest.approx(0.30)
    assert cost_floor(rebated, 2000.0, 2000.0, margin=0.1) == 0.0
