"""simple_spread: width, levels and skew, with the arithmetic beside each number."""

from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.ports import Strategy
from mmbot.core.sizes import Size
from mmbot.core.types import Quote, Side
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.strategies.simple_spread import Center, SimpleSpread
from tests.builders import a_linear_perpetual, a_perpetual, a_view, an_option


def quoted(view: View, **settings: Any) -> dict[Side, list[Quote]]:
    strategy: Strategy = SimpleSpread(**settings)
    quotes = strategy.quotes(view)
    assert not isinstance(quotes, Why), quotes
    found: dict[Side, list[Quote]] = {Side.BUY: [], Side.SELL: []}
    for quote in quotes:
        found[quote.side].append(quote)
    return found


def first(view: View, **settings: Any) -> tuple[float, float]:
    quotes = quoted(view, **settings)
    return quotes[Side.BUY][0].price, quotes[Side.SELL][0].price


def market(**changes: Any) -> View:
    return a_view(a_linear_perpetual(), bid=995.0, ask=1005.0, **changes)


def test_the_width_lies_around_mid() -> None:
    # 20 bps of 1,000 is 2: one on each side.
    assert first(market(), spread_bps=20.0) == pytest.approx((999.0, 1001.0))


def test_the_width_may_lie_around_fair_value() -> None:
    # 20 bps of 1,002 is 2.004.
    view = market(fair=1002.0)
    assert first(view, center=Center.FAIR) == pytest.approx((1000.998, 1003.002))


def test_a_missing_side_leaves_fair_value_as_the_center() -> None:
    view = a_view(a_linear_perpetual(), bid=None, ask=1005.0, fair=1000.0)
    assert first(view) == pytest.approx((999.0, 1001.0))


def test_levels_step_outward_and_grow() -> None:
    # Level n is 999 - n x (10 bps of 1,000), of size 2 x 1.5^n.
    quotes = quoted(
        market(),
        levels=3,
        level_spacing_bps=10.0,
        size=Size(Decimal(2)),
        level_size_factor=Decimal("1.5"),
    )
    assert [q.price for q in quotes[Side.BUY]] == pytest.approx([999.0, 998.0, 997.0])
    assert [q.price for q in quotes[Side.SELL]] == pytest.approx([1001.0, 1002.0, 1003.0])
    assert [q.size for q in quotes[Side.BUY]] == [2.0, 3.0, 4.5]
    assert [q.level for q in quotes[Side.BUY]] == [0, 1, 2]


def test_a_long_position_lowers_both_sides() -> None:
    # 10 bps of 1,000 is 1 at the limit, so half of it at half of the limit.
    view = market(position=Decimal(5), fair=990.0)  # fair value is out of the way of the ask
    bid, ask = first(
        view, skew_bps_at_limit=10.0, max_position=Size(Decimal(10)), center=Center.MID
    )
    assert ask == pytest.approx(1000.5)
    assert bid == pytest.approx(990.0)  # held at fair value

    short = market(position=Decimal(-5), fair=1010.0)
    bid, ask = first(short, skew_bps_at_limit=10.0, max_position=Size(Decimal(10)))
    assert bid == pytest.approx(999.5)
    assert ask == pytest.approx(1010.0)


def test_the_skew_ends_at_the_limit_and_is_told() -> None:
    def asks(position: int) -> Quote:
        return quoted(market(position=Decimal(position), fair=990.0))[Side.SELL][0]

    assert asks(10).price == asks(40).price == pytest.approx(1000.0)
    assert asks(10).why is Why.SKEWED
    assert asks(0).why is Why.QUOTED


def test_the_width_of_an_option_is_never_below_its_costs() -> None:
    # 20 bps of 0.02 is 0.00004, far less than twice the fee of 0.0003.
    view = a_view(bid=0.0190, ask=0.0210)
    assert first(view) == pytest.approx((0.0197, 0.0203))
    assert first(view, edge=Decimal("0.0007")) == pytest.approx((0.0190, 0.0210))
    assert quoted(view)[Side.BUY][0].clamp is Why.COST_FLOOR_CLAMP


def test_levels_of_an_option_stay_apart_on_the_tick_ladder() -> None:
    # Spaced by bps alone they would all round to the same price.
    option = an_option(maker_fee=Decimal(0))
    view = a_view(option, bid=0.0047, ask=0.0049)
    quotes = quoted(view, levels=4, spread_bps=1.0)
    bids = [option.snap_price(q.price, Side.BUY) for q in quotes[Side.BUY]]
    asks = [option.snap_price(q.price, Side.SELL) for q in quotes[Side.SELL]]
    assert bids == [Decimal(p) for p in ("0.0047", "0.0046", "0.0045", "0.0044")]
    assert asks == [Decimal(p) for p in ("0.0049", "0.0050", "0.0055", "0.0060")]


def test_the_smallest_width_still_leaves_a_tick_between_bid_and_ask() -> None:
    option = an_option(maker_fee=Decimal(0))
    bid, ask = first(a_view(option, bid=0.0190, ask=0.0210), spread_bps=1e-6)
    assert option.snap_price(bid, Side.BUY) == Decimal("0.0195")
    assert option.snap_price(ask, Side.SELL) == Decimal("0.0205")


def test_it_stays_behind_the_best_of_the_other_side() -> None:
    # Fair value far above the market: the bid around it would take every ask.
    view = a_view(a_perpetual(), bid=2849.0, ask=2850.0, fair=2860.0)
    bid = quoted(view, center=Center.FAIR)[Side.BUY][0]
    assert bid.price == pytest.approx(2849.95)
    assert bid.clamp is Why.CROSS_CLAMP


def test_no_level_of_a_perpetual_may_overtake_the_one_before_it() -> None:
    # 10 bps of 2850 to the first level, 5 bps from each to the next.
    view = a_view(a_perpetual(), bid=2849.9, ask=2850.1)
    bids = quoted(view, spread_bps=20.0, levels=3, level_spacing_bps=5.0)[Side.BUY]
    assert [bid.danger for bid in bids] == pytest.approx([2.85, 1.425, 1.425])
