"""Targets against working orders: what is kept, amended, placed and cancelled, and why."""

from decimal import Decimal

import pytest

from mmbot.core.diff import Action, diff
from mmbot.core.fitting import amended_amount
from mmbot.core.order_life import Request, Status
from mmbot.core.orders import ORPHAN_LEVEL, Order
from mmbot.core.types import SECOND, Approved, Side
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_target, an_order

BUY, SELL = Side.BUY, Side.SELL
PLACE, AMEND, CANCEL = Request.PLACE, Request.AMEND, Request.CANCEL


def actions(
    targets: list[Approved], *orders: Order, why: Why | None = None, settled_ns: int = NOW_NS
) -> list[Action]:
    reasons = {} if why is None else {BUY: why, SELL: why}
    return diff(targets, orders, reasons, settled_ns)


def requests(targets: list[Approved], *orders: Order, settled_ns: int = NOW_NS) -> list[Request]:
    return [action.request for action in actions(targets, *orders, settled_ns=settled_ns)]


# --- one slot ---------------------------------------------------------------------------------


def test_an_empty_slot_with_a_target_gets_a_place() -> None:
    (action,) = actions([a_target(BUY, "0.0200")])
    assert (action.request, action.order, action.why) == (PLACE, None, Why.QUOTED)


def test_an_order_at_its_target_is_kept() -> None:
    assert actions([a_target(BUY, "0.0200", 2)], an_order(BUY, "0.0200", 2)) == []


def test_an_order_elsewhere_is_amended() -> None:
    order, target = an_order(BUY, "0.0190"), a_target(BUY, "0.0200")
    (action,) = actions([target], order)
    assert (action.request, action.order, action.target) == (AMEND, order, target)


def test_an_order_without_a_target_is_cancelled_and_says_why() -> None:
    (action,) = actions([], an_order(), why=Why.BOOK_EMPTY)
    assert (action.request, action.target, action.why) == (CANCEL, None, Why.BOOK_EMPTY)


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.AMENDING, Status.CANCELING, Status.UNKNOWN]
)
def test_a_slot_in_doubt_is_waited_for(status: Status) -> None:
    order = an_order(BUY, "0.0190", status=status)
    assert actions([a_target(BUY, "0.0200")], order) == []
    assert actions([], order) == []


def test_a_finished_order_leaves_its_slot_free() -> None:
    assert requests([a_target()], an_order(status=Status.DONE)) == [PLACE]


# --- what fits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "resting", "wanted", "kept"),
    [
        (BUY, "0.0200", "0.0205", True),  # lags by less than the threshold
        (BUY, "0.0200", "0.0210", False),  # lags by all of it
        (BUY, "0.0205", "0.0200", False),  # too aggressive, if only by a tick
        (SELL, "0.0230", "0.0225", True),
        (SELL, "0.0230", "0.0220", False),
        (SELL, "0.0225", "0.0230", False),
    ],
)
def test_an_order_may_lag_by_less_than_its_threshold_but_never_lead(
    side: Side, resting: str, wanted: str, kept: bool
) -> None:
    target = a_target(side, wanted, requote_threshold="0.0010")
    assert requests([target], an_order(side, resting)) == ([] if kept else [AMEND])


def test_an_order_sent_a_moment_ago_may_lag() -> None:
    order = an_order(BUY, "0.0190", sent_ns=NOW_NS)
    target = a_target(BUY, "0.0200")
    assert requests([target], order, settled_ns=NOW_NS - SECOND) == []
    assert requests([target], order, settled_ns=NOW_NS) == [AMEND]


def test_an_order_sent_a_moment_ago_may_not_lead() -> None:
    order = an_order(BUY, "0.0210", sent_ns=NOW_NS)
    assert requests([a_target(BUY, "0.0200")], order, settled_ns=NOW_NS - SECOND) == [AMEND]


def test_another_size_does_not_fit() -> None:
    assert requests([a_target(size=2)], an_order(amount=3)) == [AMEND]
    assert requests([a_target(size=3)], an_order(amount=2)) == [AMEND]


def test_a_partly_filled_order_keeps_its_place_in_the_queue() -> None:
    assert requests([a_target(size=5)], an_order(amount=5, filled=Decimal(3))) == []


def test_a_partly_filled_order_larger_than_its_target_is_cut() -> None:
    assert requests([a_target(size=1)], an_order(amount=5, filled=Decimal(3))) == [AMEND]


def test_a_filled_up_order_is_neither_moved_nor_replaced_before_the_venue_says_so() -> None:
    full = an_order(amount=5, filled=Decimal(5))
    assert actions([a_target(size=5)], full) == []
    assert actions([], full) == []


def test_partial_fill_then_amend_asks_for_total() -> None:
    # 3 of 5 filled; to have 5 open the total must be 8.
    order = an_order(amount=5, filled=Decimal(3))
    assert amended_amount(order, a_target(price="0.0210", size=5)) == 8


# --- several slots ----------------------------------------------------------------------------


def test_sides_and_levels_are_slots_of_their_own() -> None:
    targets = [a_target(BUY, "0.0200"), a_target(BUY, "0.0190", level=1), a_target(SELL, "0.0230")]
    kept = an_order(BUY, "0.0200", label="mmtest-0")
    moved = an_order(BUY, "0.0185", label="mmtest-1", level=1)
    gone = an_order(SELL, "0.0240", label="mmtest-2", level=1)
    got = {(a.request, a.order and a.order.label) for a in actions(targets, kept, moved, gone)}
    assert got == {(AMEND, "mmtest-1"), (CANCEL, "mmtest-2"), (PLACE, None)}


def test_of_two_orders_in_one_slot_the_newer_goes() -> None:
    older, newer = an_order(label="mmtest-0"), an_order(label="mmtest-1")
    (action,) = actions([a_target()], older, newer)
    assert (action.request, action.order) == (CANCEL, newer)


def test_a_stray_order_is_cancelled_and_takes_no_slot() -> None:
    stray = an_order(level=ORPHAN_LEVEL)
    got = [(a.request, a.why) for a in actions([a_target()], stray)]
    assert got == [(CANCEL, Why.ORPHAN), (PLACE, Why.QUOTED)]
