"""Shares of a binary in the parts of the core that count, believe and size."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core.books import Market, book_fault
from mmbot.core.controls import Controls
from mmbot.core.events import BookChanged, TickerChanged
from mmbot.core.off_desk import OffDesk
from mmbot.core.rules import within_rules
from mmbot.core.sizes import Size
from mmbot.core.sizing import on_grid
from mmbot.core.types import ONE, Level, Side, Target
from mmbot.core.views import Shrink, Valuation, Verdict
from mmbot.core.why import Why
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from tests.builders import (
    NOW_NS,
    a_binary,
    a_fill,
    a_perpetual,
    a_proposal,
    a_quote,
    a_view,
    an_option,
)

BINARY = a_binary()


def a_market(mark: float, bids: Sequence[Level], asks: Sequence[Level]) -> Market:
    market = Market(BINARY)
    market.take_book(BookChanged(BINARY.id, tuple(bids), tuple(asks), 0, NOW_NS))
    market.take_ticker(
        TickerChanged(BINARY.id, mark, 100_000.0, None, None, None, None, None, NOW_NS)
    )
    return market


def test_the_worth_of_traded_shares_is_what_was_paid() -> None:
    fill = a_fill(price="0.42", amount=100, instrument=BINARY)
    assert Market(BINARY).notional_usd(fill) == pytest.approx(42.0)


def test_a_share_may_be_marked_at_nothing() -> None:
    market = a_market(0.0, ((0.01, 50.0),), ((0.02, 50.0),))
    assert market.mark == 0.0
    assert book_fault(market, 0, NOW_NS) is None


@pytest.mark.parametrize(
    ("bid", "ask", "fault"),
    [
        (0.48, 0.52, None),
        (0.20, 0.80, None),  # wide, but about the mark
        (0.30, 0.90, None),  # 0.60 is 0.10 from the mark of 0.50, less than 0.30 of it
        (0.70, 0.74, Why.BOOK_IMPLAUSIBLE),  # 0.72 is 0.22 from it
    ],
)
def test_a_wide_book_of_shares_is_believed_and_a_far_one_is_not(
    bid: float, ask: float, fault: Why | None
) -> None:
    market = a_market(0.50, ((bid, 50.0),), ((ask, 50.0),))
    assert book_fault(market, 0, NOW_NS) is fault


def test_a_vol_offset_does_not_move_a_share() -> None:
    market = a_market(0.50, ((0.48, 50.0),), ((0.52, 50.0),))
    market.mark_iv, market.forward = 0.6, 100_000.0
    valued = Valuation(0.50)
    assert Controls(vol_points=5.0).shifted(market, valued, NOW_NS) is valued


def test_shares_held_off_desk_are_no_coin() -> None:
    held = OffDesk()
    held.add(BINARY, Decimal(1000))
    assert held.in_coin(Decimal(100_000)) == 0
    held.add(a_perpetual(), Decimal(-5000))
    held.add(an_option(), Decimal(-3))
    assert held.in_coin(Decimal(2500)) == 5


def test_a_limit_in_coin_does_not_hold_shares_and_one_in_shares_does() -> None:
    view = a_view(BINARY, bid=0.48, ask=0.52, others_coin=Decimal(1_000_000))
    proposal = a_proposal(BINARY, price="0.48", size=500)
    assert within_rules([MaxExposure(limit=Decimal(1))], view, proposal) == proposal.target
    held = within_rules([MaxPosition(limit=Size(Decimal(200)))], view, proposal)
    assert isinstance(held, Target)
    assert held.size == 200


@pytest.mark.parametrize(
    ("side", "price", "size", "left"),
    [
        (Side.BUY, 0.50, 20, 20),
        (Side.BUY, 0.50, 19, None),
        (Side.BUY, 0.90, 12, 12),
        (Side.SELL, 0.90, 12, None),  # NO at 0.10: 1.20 dollars
        (Side.SELL, 0.90, 100, 100),
    ],
)
def test_an_order_below_the_least_notional_is_none(
    side: Side, price: float, size: int, left: int | None
) -> None:
    target = on_grid(Market(BINARY), a_quote(side, price, size, fair=price), ONE)
    if left is None:
        assert target is Why.BELOW_MIN_SIZE
    else:
        assert isinstance(target, Target)
        assert target.size == left


@pytest.mark.parametrize(("left", "kept"), [(20, True), (19, False)])
def test_a_rule_that_leaves_less_than_the_least_notional_leaves_nothing(
    left: int, kept: bool
) -> None:
    class Cut:
        def check(self, view: object, proposal: object) -> Verdict:
            return Shrink(Decimal(left), Why.CUT_POSITION)

    view = a_view(BINARY, bid=0.48, ask=0.52)
    proposal = a_proposal(BINARY, price="0.50", size=100)
    verdict = within_rules([Cut()], view, proposal)
    cut = replace(proposal.target, size=Decimal(20), why=Why.CUT_POSITION)
    assert verdict == (cut if kept else Why.CUT_POSITION)
