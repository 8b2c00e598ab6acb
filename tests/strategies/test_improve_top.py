"""improve_top: the golden vectors of the behavior it re-implements, then each rule on top of it.

The vectors are of an absolute improvement on a linear instrument without maker fee and with a grid
too fine to matter; they are kept exactly. Where a vector's numbers follow from a formula, the
formula stands beside it.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from mmbot.core.ports import Strategy
from mmbot.core.sizes import Size
from mmbot.core.types import Level, Quote, Side
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.strategies.improve_top import ImprovementUnit, ImproveTop
from tests.builders import a_linear_perpetual, a_perpetual, a_view, an_option


def quoted(view: View, **settings: Any) -> dict[Side, Quote]:
    strategy: Strategy = ImproveTop(**settings)
    quotes = strategy.quotes(view)
    assert not isinstance(quotes, Why), quotes
    return {quote.side: quote for quote in quotes}


def prices(view: View, **settings: Any) -> tuple[float, float]:
    quotes = quoted(view, **settings)
    return quotes[Side.BUY].price, quotes[Side.SELL].price


def snapped(view: View, **settings: Any) -> tuple[Decimal | None, Decimal | None]:
    quotes = quoted(view, **settings)
    bid, ask = quotes[Side.BUY], quotes[Side.SELL]
    snap = view.instrument.snap_price
    return snap(bid.price, Side.BUY), snap(ask.price, Side.SELL)


def linear(bids: Sequence[Level], asks: Sequence[Level], **changes: Any) -> View:
    return a_view(a_linear_perpetual(), bids=bids, asks=asks, **changes)


def top(bid: float, ask: float) -> View:
    return linear([(bid, 1.0)], [(ask, 1.0)])


TENTH = Decimal("0.1")
DUST = ([(100.0, 0.05), (99.5, 2.0)], [(101.0, 0.05), (101.5, 3.0)])
WIDE = ([(100.0, 0.5), (99.5, 1.2)], [(105.0, 0.3), (105.5, 1.5)])


@pytest.mark.parametrize(
    ("view", "settings", "expected"),
    [
        (top(100, 101), {"improvement": TENTH}, (100.1, 100.9)),
        (top(100, 102), {"aggression": 0.5}, (100.5, 101.5)),
        (top(100, 102), {"aggression": 0.9}, (100.9, 101.1)),
        (top(100, 101), {"aggression": 0.0}, (100.0, 101.0)),
        (top(100, 101), {"aggression": 2.0, "improvement": Decimal("0.2")}, (100.2, 100.8)),
        # 100.02 / 100.18 are 16 bps apart: mid 100.1 less and plus half of 1.001.
        (top(100, 100.2), {"aggression": 0.9, "min_spread_bps": 100.0}, (99.5995, 100.6005)),
        (
            linear(*DUST),
            {"improvement": TENTH, "improvement_reference_size": Decimal(1)},
            (99.6, 101.4),
        ),
        (
            linear(*WIDE),
            {"improvement": TENTH, "improvement_reference_size": Decimal(1)},
            (99.6, 105.4),
        ),
        # With a minimum of 1,000 bps the same book gives mid 102.5 less and plus 5.125.
        (
            linear(*WIDE),
            {"improvement_reference_size": Decimal(1), "min_spread_bps": 1000.0},
            (97.375, 107.625),
        ),
        # No level qualifies: mid 100.5 less and plus 100.5 x 25 bps = 0.25125, then improved.
        (
            top(100, 101),
            {"improvement_reference_size": Decimal(5), "spread_bps": 50.0, "improvement": TENTH},
            (100.34875, 100.65125),
        ),
    ],
    ids=[
        "improved by an absolute amount",
        "half way to mid",
        "nine tenths of the way to mid",
        "joined",
        "aggression of 1 and more improves",
        "minimum spread",
        "dust is not a reference",
        "a reference of size behind the best",
        "minimum spread around mid",
        "no level of the reference size",
    ],
)
def test_golden_vector(view: View, settings: dict[str, Any], expected: tuple[float, float]) -> None:
    assert prices(view, **settings) == pytest.approx(expected, abs=1e-9)


def test_golden_vector_of_a_missing_bid_is_built_around_the_mark() -> None:
    # Mark 100.5 less 25 bps of it.
    view = linear([], [(101.0, 1.0)], fair=100.5)
    bid = quoted(view, spread_bps=50.0, improvement=TENTH)[Side.BUY]
    assert bid.terms[0].name == "fallback"
    assert bid.terms[0].value == pytest.approx(100.24875)
    assert bid.why is Why.FALLBACK_WIDTH


def test_without_any_price_it_stands_aside_where_the_vectors_guessed_a_mid_of_one() -> None:
    # Deliberately changed: the original invents a mid of 1.0 without book and mark.
    assert ImproveTop().quotes(a_view(bid=None, ask=None, fair=0.02)) is Why.BOOK_EMPTY


def test_aggression_close_to_one_stops_short_of_mid() -> None:
    assert prices(top(100, 102), aggression=0.99) == pytest.approx((100.9, 101.1))


def test_a_cumulative_reference_counts_the_better_levels() -> None:
    bids, asks = [(100.0, 0.6), (99.5, 0.6)], [(101.0, 0.6), (101.5, 0.6)]
    wanted = {"improvement_reference_size": Decimal(1), "improvement": Decimal(0)}
    together = prices(linear(bids, asks), **wanted, reference_cumulative=True)
    assert together == pytest.approx((99.5, 101.5))
    # Alone, no level is large enough: mid 100.5 less and plus 5 bps of it, 0.05025.
    assert prices(linear(bids, asks), **wanted) == pytest.approx((100.44975, 100.55025))


# Options priced in coin -------------------------------------------------------------------------


def test_a_tenth_of_a_dollar_on_a_coin_premium_is_at_least_one_tick() -> None:
    # 0.1 / 2850 = 0.000035 ETH, less than the tick of 0.0005.
    assert snapped(a_view(bid=0.0200, ask=0.0230)) == (Decimal("0.0205"), Decimal("0.0225"))


def test_a_dollar_improvement_is_converted_at_the_index() -> None:
    # 5.7 USD / 2850 = 0.002 ETH.
    view = a_view(bid=0.0200, ask=0.0300)
    assert prices(view, improvement=Decimal("5.7")) == pytest.approx((0.0220, 0.0280))


@pytest.mark.parametrize(
    ("unit", "improvement", "bid"),
    [
        (ImprovementUnit.TICKS, Decimal(2), 0.0210),
        (ImprovementUnit.PRICE, Decimal("0.0015"), 0.0215),
        (ImprovementUnit.BPS, Decimal(500), 0.0210),  # 5 % of 0.0200
    ],
)
def test_improvement_units(unit: ImprovementUnit, improvement: Decimal, bid: float) -> None:
    view = a_view(bid=0.0200, ask=0.0300)
    settings = {"improvement": improvement, "improvement_unit": unit}
    assert prices(view, **settings)[0] == pytest.approx(bid)


def test_an_improvement_of_zero_joins() -> None:
    quotes = quoted(a_view(bid=0.0200, ask=0.0230), improvement=Decimal(0))
    assert [quote.price for quote in quotes.values()] == [0.0200, 0.0230]
    assert quotes[Side.BUY].why is Why.JOINING


def test_an_ask_on_the_boundary_of_the_tick_ladder_improves_by_the_finer_tick() -> None:
    # From 0.0050 down the tick is 0.0001, from 0.0050 up 0.0005.
    bid, ask = snapped(a_view(bid=0.0040, ask=0.0050))
    assert (bid, ask) == (Decimal("0.0041"), Decimal("0.0049"))
    assert snapped(a_view(bid=0.0050, ask=0.0080))[0] == Decimal("0.0055")


def test_bps_widths_do_not_touch_options() -> None:
    # 1,000 bps of 0.0215 would be 0.00215, wider than what is quoted.
    view = a_view(bid=0.0200, ask=0.0230)
    assert prices(view, min_spread_bps=1000.0) == pytest.approx((0.0205, 0.0225))


def test_a_missing_side_of_an_option_is_quoted_at_fair_less_fee_and_edge() -> None:
    view = a_view(bid=None, ask=0.0300, fair=0.0200)
    bid = quoted(view, improvement=Decimal(0), edge=Decimal("0.0010"))[Side.BUY]
    assert bid.price == pytest.approx(0.0200 - 0.0003 - 0.0010)
    assert bid.why is Why.FALLBACK_WIDTH


# Never improve onto nonsense --------------------------------------------------------------------


def test_it_never_bids_above_fair_less_fee_and_edge() -> None:
    view = a_view(bid=0.0300, ask=0.0400, fair=0.0310)
    bid = quoted(view, edge=Decimal("0.0010"))[Side.BUY]
    assert bid.price == pytest.approx(0.0310 - 0.0003 - 0.0010)
    assert bid.clamp is Why.EDGE_CLAMP


def test_it_never_asks_below_fair_plus_fee_and_edge() -> None:
    view = a_view(bid=0.0100, ask=0.0200, fair=0.0210)
    ask = quoted(view, edge=Decimal("0.0010"))[Side.SELL]
    assert ask.price == pytest.approx(0.0210 + 0.0003 + 0.0010)
    assert ask.clamp is Why.EDGE_CLAMP


def test_a_market_of_two_ticks_is_joined() -> None:
    quotes = quoted(a_view(bid=0.0200, ask=0.0210))
    assert [quote.price for quote in quotes.values()] == [0.0200, 0.0210]
    assert {quote.clamp for quote in quotes.values()} == {Why.TIGHT_MARKET}
    assert {quote.why for quote in quotes.values()} == {Why.JOINING}


def test_a_market_of_three_ticks_is_improved_until_it_is_one_tick_wide() -> None:
    # Free of fees, so that only the ticks are in play.
    view = a_view(an_option(maker_fee=Decimal(0)), bid=0.0200, ask=0.0215)
    assert snapped(view) == (Decimal("0.0205"), Decimal("0.0210"))


def test_a_skew_does_not_meet_the_other_side() -> None:
    # Short at the limit: the bid moves up two ticks but stays a tick below the best ask.
    view = a_view(bid=0.0200, ask=0.0210, fair=0.0300, position=Decimal(-10))
    bid = quoted(view)[Side.BUY]
    assert bid.price == pytest.approx(0.0205)
    assert bid.clamp is Why.CROSS_CLAMP


# Inventory --------------------------------------------------------------------------------------


def test_a_full_long_position_lowers_both_quotes_by_the_skew() -> None:
    flat = prices(a_view(bid=0.0200, ask=0.0300))
    long = prices(a_view(bid=0.0200, ask=0.0300, position=Decimal(10)), lean_ticks=2.0)
    assert long == pytest.approx((flat[0] - 0.0010, flat[1] - 0.0010))


def test_the_skew_is_linear_and_ends_at_the_limit() -> None:
    def bid(position: str) -> float:
        return prices(a_view(bid=0.0200, ask=0.0300, position=Decimal(position)))[0]

    # 0.0205 improved; a skew of two ticks at 10.
    assert [bid(p) for p in ("-5", "0", "5", "10", "25")] == pytest.approx(
        [0.0210, 0.0205, 0.0200, 0.0195, 0.0195]
    )


def test_both_quotes_are_skewed_together_on_the_grid() -> None:
    def both(position: str) -> tuple[Decimal | None, Decimal | None]:
        return snapped(a_view(bid=0.0200, ask=0.0300, position=Decimal(position)))

    # Two ticks at 10: 0.4 of a tick at 2 is none, 0.6 at 3 is one, for both sides alike.
    assert both("2") == both("0") == (Decimal("0.0205"), Decimal("0.0295"))
    assert both("3") == (Decimal("0.0200"), Decimal("0.0290"))
    assert both("-3") == (Decimal("0.0210"), Decimal("0.0300"))


def test_a_skew_by_a_tick_is_told() -> None:
    view = a_view(bid=0.0200, ask=0.0300, position=Decimal(5))
    assert {quote.why for quote in quoted(view).values()} == {Why.SKEWED}


# Perpetuals and the rest ------------------------------------------------------------------------


def test_a_perpetual_keeps_its_minimum_spread() -> None:
    # 5 bps of 2850 is 1.425: mid less and plus 0.7125, rounded outward to the tick of 0.05.
    view = a_view(a_perpetual(), bid=2849.90, ask=2850.10)
    assert snapped(view, min_spread_bps=5.0) == (Decimal("2849.25"), Decimal("2850.75"))
    assert quoted(view, min_spread_bps=5.0)[Side.BUY].clamp is Why.MIN_SPREAD_CLAMP


@pytest.mark.parametrize(
    ("outer", "width"),
    [
        # One at 0.1 and three at 0.5 from a mid of 2850: 0.4 on average, so 0.8 wide.
        (0.5, 0.8),
        (0.1, 0.285),  # 0.2 would be less than 1 bps
        (5.0, 1.425),  # 7.55 would be more than 5 bps
    ],
)
def test_a_perpetual_is_by_default_as_wide_as_the_others_on_average(
    outer: float, width: float
) -> None:
    bids, asks = [(2849.9, 1.0), (2850 - outer, 3.0)], [(2850.1, 1.0), (2850 + outer, 3.0)]
    bid, ask = prices(a_view(a_perpetual(), bids=bids, asks=asks), improvement=Decimal(0))
    assert (bid, ask) == pytest.approx((2850 - width / 2, 2850 + width / 2))


def test_the_size_is_never_below_the_minimum_of_the_venue() -> None:
    btc = a_perpetual(min_amount=Decimal(10), amount_step=Decimal(10))
    view = a_view(btc, bid=104_000.0, ask=104_100.0)
    assert quoted(view, size=Size(Decimal(1)))[Side.BUY].size == 10.0
    assert quoted(view, size=Size(Decimal(30)))[Side.BUY].size == 30.0


def test_an_option_is_moved_from_half_a_percent_behind_or_a_tick_ahead_on() -> None:
    bid = quoted(a_view())[Side.BUY]
    assert bid.requote_threshold == pytest.approx(0.0005)  # a tick: 0.5 % is 0.0001
    assert bid.danger == 0.0


def test_a_perpetual_is_followed_by_its_own_distance_from_the_market() -> None:
    # 10 from the middle: it may fall 15 behind. Fair value is a dollar higher: it may lead by 11.
    view = a_view(a_perpetual(), bid=2000.0, ask=2020.0, fair=2011.0)
    bid = quoted(view, improvement=Decimal(0))[Side.BUY]
    assert (bid.requote_threshold, bid.danger) == pytest.approx((15.0, 11.0))
    # 2 of them are the fee.
    charged = replace(view, instrument=a_perpetual(maker_fee=Decimal(2) / 2011))
    assert quoted(charged, improvement=Decimal(0))[Side.BUY].danger == pytest.approx(9.0)


def test_a_percentage_that_was_given_bounds_both() -> None:
    view = a_view(a_perpetual(), bid=2000.0, ask=2020.0)
    bid = quoted(view, improvement=Decimal(0), requote_pct=0.1)[Side.BUY]
    assert (bid.requote_threshold, bid.danger) == pytest.approx((2.0, 2.0))
    bid = quoted(view, improvement=Decimal(0), requote_pct=2.0)[Side.BUY]
    assert (bid.requote_threshold, bid.danger) == pytest.approx((40.0, 10.0))


def test_one_sided_quoting() -> None:
    assert list(quoted(a_view(), bid_only=True)) == [Side.BUY]
    assert list(quoted(a_view(), ask_only=True)) == [Side.SELL]
    with pytest.raises(ValueError, match="exclude each other"):
        ImproveTop(bid_only=True, ask_only=True)


def test_the_terms_tell_how_the_price_came_about() -> None:
    bid = quoted(a_view(bid=0.0200, ask=0.0300, position=Decimal(5)))[Side.BUY]
    assert [term.name for term in bid.terms] == ["reference", "improvement", "skew"]
    assert [term.value for term in bid.terms] == pytest.approx([0.0200, 0.0005, -0.0005])
