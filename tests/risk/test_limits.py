"""Position, exposure and order limits: side-aware, worst case, never in the way of reducing."""

from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.ports import RiskRule
from mmbot.core.sizes import Size
from mmbot.core.types import Side
from mmbot.core.views import ALLOW, Allow, Block, Shrink, Verdict
from mmbot.core.why import Why
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_order import MaxOrder
from mmbot.risk.max_position import MaxPosition
from tests.builders import a_linear_perpetual, a_perpetual, a_proposal, a_view, an_option

BUY, SELL = Side.BUY, Side.SELL


def shrunk(size: str, why: Why) -> Shrink:
    return Shrink(Decimal(size), why)


# The position limit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "worst_position", "size", "verdict"),
    [
        (BUY, 0, 10, ALLOW),
        (BUY, 0, 11, shrunk("10", Why.CUT_POSITION)),
        (BUY, 7, 5, shrunk("3", Why.CUT_POSITION)),
        (BUY, 10, 1, Block(Why.MAX_POSITION)),
        (BUY, 12, 1, Block(Why.MAX_POSITION)),
        (SELL, -7, 5, shrunk("3", Why.CUT_POSITION)),
        (SELL, -10, 1, Block(Why.MAX_POSITION)),
    ],
)
def test_a_target_gets_the_room_that_is_left(
    side: Side, worst_position: int, size: int, verdict: Verdict
) -> None:
    proposal = a_proposal(side=side, size=size, worst_position=worst_position)
    assert MaxPosition(limit=Size(Decimal(10))).check(a_view(), proposal) == verdict


@pytest.mark.parametrize(
    ("side", "worst_position", "size", "verdict"),
    [
        (SELL, 15, 15, ALLOW),
        (SELL, 15, 25, ALLOW),  # flat, then short as far as the limit
        (SELL, 15, 26, shrunk("25", Why.CUT_POSITION)),
        (BUY, -15, 15, ALLOW),
    ],
)
def test_a_position_above_the_limit_can_be_reduced_but_not_turned_into_another(
    side: Side, worst_position: int, size: int, verdict: Verdict
) -> None:
    proposal = a_proposal(side=side, size=size, worst_position=worst_position)
    assert MaxPosition(limit=Size(Decimal(10))).check(a_view(), proposal) == verdict


def test_room_smaller_than_a_lot_is_no_room() -> None:
    rule = MaxPosition(limit=Size(Decimal("10.5")))
    assert rule.check(a_view(), a_proposal(size=2, worst_position=10)) == Block(Why.MAX_POSITION)


def test_a_perpetual_is_limited_in_dollars() -> None:
    view = a_view(a_perpetual(), bid=2849.0, ask=2850.0)
    proposal = a_proposal(view.instrument, price="2849", size=600, worst_position=500)
    rule = MaxPosition(limit=Size(Decimal(1000)))
    assert rule.check(view, proposal) == shrunk("500", Why.CUT_POSITION)


# The exposure limit -----------------------------------------------------------------------------


def test_the_others_on_the_underlying_use_up_the_room() -> None:
    view = a_view(others_coin=Decimal(96))
    rule = MaxExposure(limit=Decimal(100))
    assert rule.check(view, a_proposal(size=4)) == ALLOW
    assert rule.check(view, a_proposal(size=4, worst_position=1)) == shrunk("3", Why.CUT_EXPOSURE)
    assert rule.check(view, a_proposal(size=1, worst_position=4)) == Block(Why.MAX_EXPOSURE)


def test_reducing_is_possible_with_the_limit_exceeded_elsewhere() -> None:
    view = a_view(others_coin=Decimal(130))
    rule = MaxExposure(limit=Decimal(100))
    selling = a_proposal(side=SELL, size=8, worst_position=5)
    assert rule.check(view, selling) == shrunk("5", Why.CUT_EXPOSURE)
    assert rule.check(view, a_proposal(size=1, worst_position=5)) == Block(Why.MAX_EXPOSURE)


def test_dollars_of_an_inverse_perpetual_count_as_coin_at_the_index() -> None:
    # 2 ETH of headroom at 2,850 are 5,700 USD.
    view = a_view(a_perpetual(), bid=2849.0, ask=2850.0, others_coin=Decimal(98))
    proposal = a_proposal(view.instrument, price="2849", size=6000)
    assert MaxExposure(limit=Decimal(100)).check(view, proposal) == shrunk("5700", Why.CUT_EXPOSURE)


@pytest.mark.parametrize("index", [0.0, float("nan"), float("inf")])
def test_exposure_without_an_index_is_not_taken(index: float) -> None:
    view = a_view(a_perpetual(), bid=2849.0, ask=2850.0, index=index)
    proposal = a_proposal(view.instrument, price="2849")
    assert MaxExposure().check(view, proposal) == Block(Why.NO_MARK)


# The order limit --------------------------------------------------------------------------------


BTC_OPTION = an_option(underlying="BTC", min_amount=Decimal("0.1"), amount_step=Decimal("0.1"))


@pytest.mark.parametrize(
    ("instrument", "index", "mark", "most"),
    [
        (an_option(), 2850.0, 0.02, "1"),  # 5,000 / 2,850 is one lot and a half
        (an_option(), 2400.0, 0.02, "2"),
        (an_option(), 9000.0, 0.02, "1"),  # the smallest order there is
        (BTC_OPTION, 105_000.0, 0.02, "0.1"),
        (a_perpetual(), 2850.0, 2850.0, "5000"),
        (a_linear_perpetual(), 2850.0, 2900.0, "1.72"),
    ],
)
def test_an_order_is_worth_at_most_5000_usd_or_the_smallest_there_is(
    instrument: Instrument, index: float, mark: float, most: str
) -> None:
    view = replace(a_view(instrument), index=index, mark=mark)
    large = a_proposal(instrument, size=10_000)
    assert MaxOrder().check(view, large) == shrunk(most, Why.CUT_ORDER)
    assert MaxOrder().check(view, a_proposal(instrument, size=most)) == ALLOW


def test_the_notional_is_a_setting() -> None:
    rule = MaxOrder(notional_usd=Decimal(30_000))
    assert rule.check(a_view(), a_proposal(size=50)) == shrunk("10", Why.CUT_ORDER)


@pytest.mark.parametrize("price", [0.0, nan, inf])
def test_an_order_of_unknown_worth_is_not_sent(price: float) -> None:
    assert MaxOrder().check(replace(a_view(), index=price), a_proposal()) == Block(Why.NO_MARK)
    linear = replace(a_view(a_linear_perpetual()), mark=price)
    assert MaxOrder().check(linear, a_proposal(linear.instrument)) == Block(Why.NO_MARK)


def test_a_large_order_is_shrunk_to_whole_lots() -> None:
    rule = MaxOrder(limit=Size(Decimal("5.5")), notional_usd=Decimal(100_000))
    assert rule.check(a_view(), a_proposal(size=5)) == ALLOW
    assert rule.check(a_view(), a_proposal(size=50)) == shrunk("5", Why.CUT_ORDER)


def test_a_limit_does_not_lift_the_notional() -> None:
    rule = MaxOrder(limit=Size(Decimal(50)))
    assert rule.check(a_view(), a_proposal(size=50)) == shrunk("1", Why.CUT_ORDER)


def test_an_order_limit_below_the_minimum_of_the_venue_blocks() -> None:
    small = MaxOrder(limit=Size(Decimal("0.5")))
    assert small.check(a_view(), a_proposal(size=1)) == Block(Why.MAX_ORDER)


def test_limits_are_written_in_any_unit_of_the_instrument() -> None:
    view = a_view()  # at 2,850
    for written, most in (("3 ETH", "3"), ("9000 USD", "3"), ("3 lots", "3")):
        rule = MaxPosition(limit=Size.parse(written))
        assert rule.check(view, a_proposal(size=5)) == shrunk(most, Why.CUT_POSITION)
    foreign = MaxPosition(limit=Size.parse("3 BTC"))
    assert foreign.check(view, a_proposal(size=5)) == Block(Why.NO_MARK)


# Laws -------------------------------------------------------------------------------------------

sizes = st.decimals(Decimal("0.1"), Decimal(30), places=1)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("propose"), st.sampled_from(Side), sizes),
        st.tuples(st.just("fill"), st.sampled_from(Side), sizes),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(st.decimals(Decimal(1), Decimal(20), places=1), moves)
def test_no_sequence_of_approved_orders_and_fills_passes_the_position_limit(
    limit: Decimal, sequence: list[tuple[str, Side, Decimal]]
) -> None:
    rule = MaxPosition(limit=Size(limit))
    view = a_view(an_option(min_amount=Decimal("0.1"), amount_step=Decimal("0.1")))
    position = Decimal(0)
    resting = {BUY: Decimal(0), SELL: Decimal(0)}
    for what, side, size in sequence:
        if what == "fill":
            filled = min(size, resting[side])
            resting[side] -= filled
            position += side.sign * filled
        else:
            worst_position = position + side.sign * resting[side]
            proposal = a_proposal(side=side, size=size, worst_position=worst_position)
            match rule.check(view, proposal):
                case Allow():
                    resting[side] += size
                case Shrink(size=less):
                    resting[side] += less
                case Block():
                    pass
        assert abs(position) <= limit


RULES: tuple[RiskRule, ...] = (
    MaxPosition(limit=Size(Decimal(10))),
    MaxExposure(limit=Decimal(10)),
    MaxOrder(limit=Size(Decimal(10))),
)


@settings(deadline=None)
@given(
    st.sampled_from(RULES),
    st.sampled_from(Side),
    st.decimals(Decimal("0.1"), Decimal(50), places=1),
    st.decimals(Decimal(-30), Decimal(30), places=1),
    st.decimals(Decimal(0), Decimal(30), places=1),
)
def test_shrinking_never_enlarges_and_leaves_what_can_be_traded(
    rule: RiskRule, side: Side, size: Decimal, worst_position: Decimal, others_coin: Decimal
) -> None:
    view = a_view(others_coin=others_coin)
    verdict = rule.check(view, a_proposal(side=side, size=size, worst_position=worst_position))
    if isinstance(verdict, Shrink):
        assert 0 < verdict.size < size
        assert view.instrument.snap_size(verdict.size) == verdict.size


@settings(deadline=None)
@given(
    st.sampled_from(RULES[:2]),
    st.sampled_from(Side),
    st.integers(1, 50),
    st.decimals(Decimal(0), Decimal(30), places=1),
)
def test_going_flat_is_always_allowed(
    rule: RiskRule, side: Side, size: int, others_coin: Decimal
) -> None:
    view = a_view(others_coin=others_coin)
    proposal = a_proposal(side=side, size=size, worst_position=-side.sign * size)
    assert rule.check(view, proposal) == ALLOW
