"""Derive's word on everything: what a look asks, and what it makes of the answers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.events import SnapshotFailed, SnapshotTaken
from mmbot.core.intents import Resync
from mmbot.core.order_life import OrderState
from mmbot.core.statements import FlowKind
from mmbot.core.types import InstrumentId, Label
from mmbot.core.why import Why
from mmbot.venues.effects import HttpAnswer
from tests.venues.derive.driven import CALL, NOW_MS, PERP, SUBACCOUNT, Driven, account
from tests.venues.derive.samples import (
    DEPOSIT,
    FUNDING,
    ORDER,
    POSITION,
    SETTLEMENT,
    TRADE,
)
from tests.venues.derive.samples import (
    SUBACCOUNT as STATED,
)
from tests.venues.driven import raising
from tests.wire.scripted import SILENCE, Refused

OPTION = InstrumentId(f"derive:{CALL}")
OURS, LOST = Label("mm7-1"), Label("mm7-2")
RESTS = {**ORDER, "instrument_name": CALL, "label": OURS}
HELD = {**POSITION, "instrument_name": PERP, "amount": "0.5"}
MINE = {**TRADE, "instrument_name": PERP, "label": OURS, "timestamp": NOW_MS - 500}
SINCE_MS = NOW_MS - 60_000


def paged(key: str, *rows: Any, **others: Any) -> dict[str, Any]:
    pagination = {"num_pages": 1, "count": len(rows)}
    return {key: list(rows), "pagination": pagination, "subaccount_id": SUBACCOUNT} | others


ANSWERS: Mapping[str, Any] = {
    "private/get_open_orders": {"orders": [RESTS], "subaccount_id": SUBACCOUNT},
    "private/get_positions": {"positions": [HELD], "subaccount_id": SUBACCOUNT},
    "private/get_subaccount": {**STATED, "positions": [HELD]},
    "private/get_trade_history": paged("trades", MINE),
    "private/get_order_history": paged("orders"),
    "private/get_funding_history": paged("events"),
    "private/get_option_settlement_history": {"settlements": []},
    "private/get_interest_history": {"events": []},
    "private/get_deposit_history": {"deposits": []},
    "private/get_withdrawal_history": {"withdrawals": []},
    "private/get_erc20_transfer_history": {"transfers": []},
}


def look(
    answers: Mapping[str, Any] | None = None, flows: bool = False, *labels: Label
) -> tuple[Driven, SnapshotTaken | SnapshotFailed]:
    driven = account({**ANSWERS, **(answers or {})})
    wanted = tuple((OPTION, label) for label in labels)
    flows_since_ms = SINCE_MS if flows else None
    driven.submit(Resync("derive", SINCE_MS, flows_since_ms, wanted, Why.STARTING))
    driven.wait(30.0)  # reads are one a second
    (told,) = [e for e in driven.events if isinstance(e, SnapshotTaken | SnapshotFailed)]
    return driven, told


def taken(
    answers: Mapping[str, Any] | None = None, flows: bool = False, *labels: Label
) -> SnapshotTaken:
    _, told = look(answers, flows, *labels)
    assert isinstance(told, SnapshotTaken), told
    return told


def asked(driven: Driven) -> list[str]:
    """Private questions over either way, in their order."""
    over_rest = [one.method for one in driven.asked]
    return [m for m in driven.methods() if m.startswith("private/get_")] + over_rest


def test_a_look_is_four_questions_where_nothing_moves() -> None:
    driven, told = look()
    assert sorted(asked(driven)) == [
        "private/get_open_orders",
        "private/get_positions",
        "private/get_subaccount",
        "private/get_trade_history",
    ]
    assert isinstance(told, SnapshotTaken)
    (order,), (position,), (fill,), (equity,) = (
        told.orders,
        told.positions,
        told.fills,
        told.equity,
    )
    assert (order.label, order.instrument, order.price) == (OURS, OPTION, Decimal(12000))
    assert (position.instrument, position.amount) == (f"derive:{PERP}", Decimal("0.5"))
    assert (fill.label, fill.amount, fill.fee_currency) == (OURS, Decimal("0.01"), "USDC")
    assert (equity.currency, equity.equity) == ("USDC", Decimal("5994.257409543261"))


def test_trades_are_asked_for_before_the_last_look_at_positions() -> None:
    sizes = iter(["0.5", "0.7", "0.7"])

    def moved(_: Any) -> Any:
        return {**STATED, "positions": [{**HELD, "amount": next(sizes)}]}

    driven, told = look({"private/get_subaccount": moved, "private/get_positions":
                         {"positions": [{**HELD, "amount": "0.4"}]}})  # fmt: skip
    assert isinstance(told, SnapshotTaken)
    assert [one.amount for one in told.positions] == [Decimal("0.7")]
    assert len(driven.calls("private/get_trade_history")) == 3
    assert len(driven.calls("private/get_positions")) == 1


def test_trades_are_those_since_a_moment_in_pages_each_once() -> None:
    first = [{**MINE, "trade_id": f"T{n}"} for n in range(1000)]
    pages = {1: first, 2: [first[-1], {**MINE, "trade_id": "last"}]}

    def paged_trades(params: Any) -> Any:
        rows = pages[params["page"]]
        return {"trades": rows, "pagination": {"num_pages": 2, "count": 1001}}

    driven, told = look({"private/get_trade_history": paged_trades})
    assert isinstance(told, SnapshotTaken)
    assert len(told.fills) == 1001
    assert driven.calls("private/get_trade_history")[0] == {
        "subaccount_id": SUBACCOUNT,
        "from_timestamp": SINCE_MS,
        "to_timestamp": driven.calls("private/get_trade_history")[0]["to_timestamp"],
        "page": 1,
        "page_size": 1000,
    }


def test_fewer_trades_than_the_venue_counts_are_no_list() -> None:
    short = {"trades": [MINE], "pagination": {"num_pages": 1, "count": 2}}
    _, told = look({"private/get_trade_history": short})
    assert isinstance(told, SnapshotFailed)
    assert told.unreadable


# --- orders that are asked about --------------------------------------------------------------


def test_an_order_that_is_not_open_is_looked_for_in_the_history() -> None:
    ended = {**RESTS, "label": LOST, "order_status": "filled", "filled_amount": "0.1"}
    told = taken({"private/get_order_history": paged("orders", ended)}, False, LOST, OURS)
    ((label, seen),) = told.lookups  # the other one is open
    assert label == LOST
    assert seen is not None
    assert (seen.state, seen.filled) == (OrderState.FILLED, Decimal("0.1"))


def test_an_order_that_is_nowhere_is_absent() -> None:
    assert taken(None, False, LOST).lookups == ((LOST, None),)


@pytest.mark.parametrize(
    "answer",
    [
        paged("orders", {"order_id": 5}),
        {"orders": [], "pagination": {"num_pages": 1, "count": 3}},
        {"orders": None},
    ],
    ids=["a row unread", "rows missing", "no list"],
)
def test_a_history_that_cannot_be_read_proves_no_absence(answer: Any) -> None:
    _, told = look({"private/get_order_history": answer}, False, LOST)
    assert isinstance(told, SnapshotFailed)


def test_a_row_that_cannot_be_read_hides_nothing_of_an_order_that_is_found() -> None:
    ended = {**RESTS, "label": LOST, "order_status": "cancelled"}
    answer = paged("orders", {"order_id": 5}, ended)
    ((_, seen),) = taken({"private/get_order_history": answer}, False, LOST).lookups
    assert seen is not None


# --- what cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("private/get_open_orders", None),
        ("private/get_open_orders", {"orders": None}),
        ("private/get_positions", {"positions": 5}),
        ("private/get_trade_history", []),
    ],
)
def test_an_answer_that_is_no_list_fails_the_look(method: str, answer: Any) -> None:
    _, told = look({method: answer})
    assert isinstance(told, SnapshotFailed)


@pytest.mark.parametrize("answer", [SILENCE, raising(Refused(-32603, "Internal error"))])
def test_a_question_without_an_answer_fails_the_look(answer: Any) -> None:
    _, told = look({"private/get_positions": answer})
    assert isinstance(told, SnapshotFailed)
    assert not told.unreadable


def test_an_account_that_cannot_be_read_is_left_out() -> None:
    told = taken({"private/get_subaccount": {"subaccount_id": SUBACCOUNT}})
    assert told.equity == ()
    assert len(told.positions) == 1


def test_a_row_of_orders_without_a_name_leaves_the_list_open() -> None:
    answer = {"orders": [RESTS, {"label": None}]}
    told = taken({"private/get_open_orders": answer})
    assert len(told.orders) == 1
    assert not told.orders_complete


def test_a_row_of_positions_that_cannot_be_read_makes_ours_unknown() -> None:
    rows = {"positions": [{"instrument_name": 5}]}
    answers = {"private/get_positions": rows, "private/get_subaccount": {**STATED, **rows}}
    told = taken(answers)
    assert {one.instrument: one.amount for one in told.positions} == {
        OPTION: None,
        InstrumentId(f"derive:{PERP}"): None,
    }


# --- money ------------------------------------------------------------------------------------


def test_everything_that_moved_money_is_asked_for_when_it_is_wanted() -> None:
    funding = {**FUNDING[1], "instrument_name": PERP, "timestamp": NOW_MS - 1000}
    settled = {**SETTLEMENT, "expiry": NOW_MS // 1000 - 5}
    old = {**SETTLEMENT, "expiry": SINCE_MS // 1000 - 500}
    deposit = {**DEPOSIT, "timestamp": NOW_MS - 3000}
    told = taken(
        {
            "private/get_funding_history": paged("events", funding),
            "private/get_option_settlement_history": {"settlements": [settled, old]},
            "private/get_deposit_history": {"deposits": [deposit]},
        },
        True,
    )
    assert told.flows_complete
    assert [(flow.kind, flow.money) for flow in told.flows] == [
        (FlowKind.DELIVERY, Decimal("-128.25")),
        (FlowKind.TRANSFER, Decimal(10000)),
        (FlowKind.FUNDING, Decimal("-0.000131801001")),
        (FlowKind.SETTLEMENT, Decimal("-0.124504613742")),
    ]


@pytest.mark.parametrize(
    "method",
    [
        "private/get_funding_history",
        "private/get_option_settlement_history",
        "private/get_interest_history",
        "private/get_deposit_history",
        "private/get_withdrawal_history",
        "private/get_erc20_transfer_history",
    ],
)
@pytest.mark.parametrize("answer", [{}, raising(Refused(-32603, "Internal error"))])
def test_a_history_that_is_not_to_be_had_leaves_the_others(method: str, answer: Any) -> None:
    deposit = {**DEPOSIT, "timestamp": NOW_MS - 3000}
    others = {"private/get_deposit_history": {"deposits": [deposit]}}
    told = taken({**others, method: answer}, True)
    assert not told.flows_complete
    assert len(told.flows) == (method not in others)
    assert len(told.positions) == 1


def test_a_venue_that_says_nothing_is_not_waited_for_six_times() -> None:
    nothing = HttpAnswer(None, why="no answer in 10 s")
    methods = ["funding", "option_settlement", "interest", "deposit", "withdrawal"]
    silent = {f"private/get_{one}_history": nothing for one in methods}
    driven, told = look(silent, True)
    assert isinstance(told, SnapshotTaken)
    assert not told.flows_complete
    waited = [one.method for one in driven.asked if one.method in silent]
    assert waited == ["private/get_funding_history", "private/get_option_settlement_history"]


def test_foreign_orders_that_would_go_along_are_said_once() -> None:
    foreign = {**RESTS, "label": "by hand", "order_id": "x"}
    driven, _ = look({"private/get_open_orders": {"orders": [RESTS, foreign, foreign]}})
    driven.submit(Resync("derive", SINCE_MS, None, (), Why.STARTING))
    driven.wait(30.0)
    (note,) = [note for note in driven.notes if "foreign" in note]
    assert note.endswith("foreign orders on this wallet go with it: 2")
