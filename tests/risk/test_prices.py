"""min_spread, cost_floor, price_band and stale_market: which prices and markets are refused."""

from decimal import Decimal
from math import inf, nan

import pytest

from mmbot.core.types import SECOND, Side
from mmbot.core.views import ALLOW, Block, View
from mmbot.core.why import Why
from mmbot.risk.cost_floor import CostFloor
from mmbot.risk.min_spread import MinSpread
from mmbot.risk.price_band import PriceBand
from mmbot.risk.stale_market import StaleMarket
from tests.builders import a_perpetual, a_proposal, a_view

BUY, SELL = Side.BUY, Side.SELL


def perpetual_view() -> View:
    """Mid, fair and mark at 2850."""
    return a_view(a_perpetual(), bid=2849.50, ask=2850.50)


# Minimum spread ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "price", "opposite", "verdict"),
    [
        # 5 bps of 2850 are 1.425.
        (BUY, "2849.25", "2850.70", ALLOW),
        (BUY, "2849.30", "2850.70", Block(Why.MIN_SPREAD)),
        (SELL, "2850.70", "2849.25", ALLOW),
        (SELL, "2850.70", "2849.30", Block(Why.MIN_SPREAD)),
        (SELL, "2849.00", "2851.00", Block(Why.MIN_SPREAD)),  # through our own bid
    ],
)
def test_our_bid_and_ask_keep_their_distance(
    side: Side, price: str, opposite: str, verdict: object
) -> None:
    view = perpetual_view()
    proposal = a_proposal(view.instrument, side=side, price=price, opposite=opposite)
    assert MinSpread(bps=Decimal(5)).check(view, proposal) == verdict


def test_a_lone_side_and_an_option_have_no_minimum_spread() -> None:
    view = perpetual_view()
    alone = a_proposal(view.instrument, price="2849.95")
    assert MinSpread().check(view, alone) == ALLOW
    assert MinSpread(bps=Decimal(1000)).check(a_view(), a_proposal(opposite="0.0205")) == ALLOW


@pytest.mark.parametrize("bad", [nan, inf])
def test_without_a_middle_no_distance_is_enough(bad: float) -> None:
    view = a_view(a_perpetual(), bid=None, ask=2850.50, fair=bad)
    proposal = a_proposal(view.instrument, side=BUY, price="2800.00", opposite="2850.70")
    assert MinSpread().check(view, proposal) == Block(Why.NO_FAIR)


# Cost floor -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "price", "verdict"),
    [
        # Fair 0.0213 and a fee of 0.0003: at most 0.0210, at least 0.0216.
        (BUY, "0.0210", ALLOW),
        (BUY, "0.0215", Block(Why.COST_FLOOR)),
        (SELL, "0.0220", ALLOW),
        (SELL, "0.0215", Block(Why.COST_FLOOR)),
    ],
)
def test_a_quote_earns_at_least_its_fee(side: Side, price: str, verdict: object) -> None:
    view = a_view(fair=0.0213)
    assert CostFloor().check(view, a_proposal(side=side, price=price)) == verdict


def test_slippage_and_wanted_profit_are_for_the_round_trip() -> None:
    # Break-even spread 2 x 0.0003 + 0.0004 + 0.0006 = 0.0016, so 0.0008 a side: at most 0.0205.
    rule = CostFloor(slippage=Decimal("0.0004"), profit=Decimal("0.0006"))
    view = a_view(fair=0.0213)
    assert rule.check(view, a_proposal(price="0.0205")) == ALLOW
    assert rule.check(view, a_proposal(price="0.0206")) == Block(Why.COST_FLOOR)


def test_a_perpetual_without_fee_may_be_quoted_up_to_fair_value() -> None:
    view = perpetual_view()
    at_fair = a_proposal(view.instrument, price="2850.00")
    above = a_proposal(view.instrument, price="2850.05")
    assert CostFloor().check(view, at_fair) == ALLOW
    assert CostFloor().check(view, above) == Block(Why.COST_FLOOR)


def test_the_strategy_has_no_say_in_what_is_fair() -> None:
    view = a_view(fair=0.0213)
    assert CostFloor().check(view, a_proposal(price="0.0300", fair=0.0400)) == Block(Why.COST_FLOOR)


@pytest.mark.parametrize("bad", [nan, inf, -inf, 0.0])
def test_without_a_fair_value_nothing_passes(bad: float) -> None:
    assert CostFloor().check(a_view(fair=bad, mark=0.02), a_proposal()) == Block(Why.NO_FAIR)
    assert CostFloor().check(a_view(index=bad), a_proposal()) == Block(Why.NO_FAIR)


# Price band -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "price", "verdict"),
    [
        (BUY, "0.0300", ALLOW),
        (BUY, "0.0305", Block(Why.PRICE_BAND)),
        (SELL, "0.0150", ALLOW),
        (SELL, "0.0145", Block(Why.PRICE_BAND)),
        (SELL, "0.0305", ALLOW),  # selling above the band is no concern of the venue
        (BUY, "0.0145", ALLOW),
    ],
)
def test_prices_the_venue_would_refuse_are_not_sent(
    side: Side, price: str, verdict: object
) -> None:
    view = a_view(mark=0.0220, min_price=0.0150, max_price=0.0300)
    assert PriceBand().check(view, a_proposal(side=side, price=price)) == verdict


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        # 20 ticks of 0.0005 are more than 5 % of 0.0200.
        ("0.0300", ALLOW),
        ("0.0305", Block(Why.PRICE_BAND)),
        ("0.0100", ALLOW),
        ("0.0095", Block(Why.PRICE_BAND)),
    ],
)
def test_an_option_stays_within_ticks_of_the_mark(price: str, verdict: object) -> None:
    assert PriceBand().check(a_view(mark=0.0200), a_proposal(price=price)) == verdict


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        ("2992.50", ALLOW),  # 2850 plus 5 %
        ("2992.55", Block(Why.PRICE_BAND)),
        ("2707.50", ALLOW),
        ("2707.45", Block(Why.PRICE_BAND)),
    ],
)
def test_a_perpetual_stays_within_a_percentage_of_the_mark(price: str, verdict: object) -> None:
    view = perpetual_view()
    assert PriceBand().check(view, a_proposal(view.instrument, price=price)) == verdict


@pytest.mark.parametrize("bad", [nan, inf, 0.0])
def test_without_a_mark_nothing_passes(bad: float) -> None:
    assert PriceBand().check(a_view(fair=0.02, mark=bad), a_proposal()) == Block(Why.NO_MARK)


def test_a_band_that_is_not_a_number_refuses() -> None:
    view = a_view(mark=0.02, max_price=nan, min_price=nan)
    assert PriceBand().check(view, a_proposal(side=BUY)) == Block(Why.PRICE_BAND)
    assert PriceBand().check(view, a_proposal(side=SELL)) == Block(Why.PRICE_BAND)


# Stale market -----------------------------------------------------------------------------------


def test_a_market_silent_for_more_than_three_seconds_is_not_quoted() -> None:
    rule = StaleMarket()
    assert rule.check(a_view(book_age_ns=3 * SECOND), a_proposal()) == ALLOW
    assert rule.check(a_view(book_age_ns=3 * SECOND + 1), a_proposal()) == Block(Why.BOOK_STALE)
