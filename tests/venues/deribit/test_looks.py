"""The venue's word on everything, asked for by hand: which questions, in which order, and what is
made of answers that are odd."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    ElementsUnread,
    Link,
    LinkAlive,
    OrderSeen,
    SnapshotFailed,
    SnapshotTaken,
)
from mmbot.core.intents import Resync
from mmbot.core.order_life import OrderState
from mmbot.core.statements import FlowKind, HeldPosition
from mmbot.core.types import Label
from mmbot.core.why import Why
from mmbot.venues.effects import HttpAnswer
from tests.builders import NOW_NS, an_option
from tests.venues.deribit.driven import NOW_MS, OPTION, PERPETUAL, Driven, account
from tests.venues.deribit.test_session_orders import PLACED, TRADE
from tests.venues.driven import raising
from tests.wire.scripted import SILENCE, Refused

LOST = Label("mm7-9")
SINCE_MS = NOW_MS - 60_000
TRADES = "private/get_user_trades_by_currency_and_time"
LOG = "private/get_transaction_log"
HELD = {"instrument_name": PERPETUAL.name, "size": 50.0, "mark_price": 2500.0}
QUIET: dict[str, Any] = {
    "private/get_open_orders": [],
    "private/get_order_state_by_label": [],
    "private/get_positions": [],
    "private/get_account_summaries": {"summaries": []},
    TRADES: {"trades": [], "has_more": False},
    LOG: {"logs": [], "continuation": None},
}


def a_look(answers: dict[str, Any] | None = None, **wanted: Any) -> Driven:
    """An account that has been asked for everything, until nothing more happened."""
    driven = account()
    driven.answers |= QUIET | (answers or {})
    driven.submit(resync(**wanted))
    return driven


def resync(**wanted: Any) -> Resync:
    given: dict[str, Any] = {
        "venue": "deribit",
        "fills_since_ms": SINCE_MS,
        "flows_since_ms": SINCE_MS,
        "labels": (),
        "why": Why.RECONCILING,
    }
    return Resync(**given | wanted)


def taken(driven: Driven) -> SnapshotTaken:
    [snapshot] = driven.told(SnapshotTaken)
    return snapshot


def failed(driven: Driven) -> SnapshotFailed:
    assert driven.told(SnapshotTaken) == []
    [failure] = driven.told(SnapshotFailed)
    return failure


def in_turn(*answers: Any) -> Callable[[Any], Any]:
    """One answer after the other; the last one for ever."""
    left = list(answers)

    def answer(_params: Any) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


# --- the questions ----------------------------------------------------------------------------


def test_positions_are_asked_before_and_after_everything_else_and_long_lists_over_rest() -> None:
    driven = a_look(labels=((OPTION.id, LOST),))
    assert [one for one in driven.methods() if one != "public/test"] == [
        "private/get_open_orders",
        "private/get_order_state_by_label",
        "private/get_positions",
        LOG,
        "private/get_account_summaries",
        "private/get_positions",
    ]
    assert [one.method for one in driven.asked] == [TRADES]
    assert driven.calls(TRADES) == [
        {
            "currency": "ETH",
            "start_timestamp": SINCE_MS,
            "end_timestamp": NOW_MS + 1000,
            "count": 1000,
            "sorting": "asc",
            "historical": "false",
        }
    ]
    assert driven.calls(LOG) == [
        {
            "currency": "ETH",
            "start_timestamp": SINCE_MS,
            "end_timestamp": NOW_MS + 1000,
            "count": 250,
        }
    ]


def test_a_look_proves_the_market_link_alive_and_carries_the_moment_it_was_asked_for() -> None:
    driven = a_look()
    assert [one.link.name for one in driven.told(LinkAlive)] == ["MARKET"]
    snapshot = taken(driven)
    assert (snapshot.asked_ns, snapshot.venue) == (NOW_NS, "deribit")
    assert snapshot.orders_complete
    assert snapshot.flows_complete


def test_the_log_is_left_alone_where_it_is_not_wanted() -> None:
    driven = a_look({LOG: SILENCE}, flows_since_ms=None)
    assert taken(driven).flows == ()
    assert LOG not in driven.methods()


def test_old_trades_are_asked_for_among_the_historical_ones_too() -> None:
    driven = a_look(fills_since_ms=NOW_MS - 24 * 3_600_000)
    assert [one["historical"] for one in driven.calls(TRADES)] == ["true", "false"]


# --- orders -----------------------------------------------------------------------------------


def test_a_label_that_the_list_names_is_not_asked_about_again() -> None:
    driven = a_look(
        {"private/get_open_orders": [PLACED]}, labels=((OPTION.id, Label(str(PLACED["label"]))),)
    )
    assert taken(driven).orders[0].label == PLACED["label"]
    assert driven.calls("private/get_order_state_by_label") == []


def test_of_a_label_the_newest_statement_counts() -> None:
    rows = [
        PLACED | {"label": LOST, "last_update_timestamp": NOW_MS},
        PLACED | {"label": LOST, "last_update_timestamp": NOW_MS + 5, "order_state": "cancelled"},
        PLACED | {"label": LOST, "last_update_timestamp": NOW_MS + 1},
    ]
    driven = a_look({"private/get_order_state_by_label": rows}, labels=((OPTION.id, LOST),))
    [(label, seen)] = taken(driven).lookups
    assert isinstance(seen, OrderSeen)
    assert (label, seen.state) == (LOST, OrderState.CANCELLED)
    assert driven.calls("private/get_order_state_by_label") == [{"currency": "ETH", "label": LOST}]


def test_a_label_the_venue_knows_nothing_of_is_absent() -> None:
    driven = a_look({"private/get_order_state_by_label": []}, labels=((OPTION.id, LOST),))
    assert taken(driven).lookups == ((LOST, None),)


def test_a_statement_that_nobody_can_read_is_no_proof_of_absence() -> None:
    driven = a_look({"private/get_order_state_by_label": [{}]}, labels=((OPTION.id, LOST),))
    assert failed(driven).unreadable
    assert failed(driven).detail == f"unreadable answer (Unreadable: what became of {LOST})"


def test_an_order_that_is_not_even_named_leaves_the_list_incomplete() -> None:
    driven = a_look({"private/get_open_orders": [PLACED, {"price": 1.0}]})
    snapshot = taken(driven)
    assert [one.order_id for one in snapshot.orders] == ["ETH-1"]
    assert not snapshot.orders_complete
    assert ("order", 1) in [(one.kind, one.count) for one in driven.told(ElementsUnread)]


@pytest.mark.parametrize("method", ["private/get_open_orders", "private/get_positions"])
@pytest.mark.parametrize("answer", [None, {}, "none"])
def test_a_list_that_is_none_makes_the_look_fail(method: str, answer: Any) -> None:
    failure = failed(a_look({method: answer}))
    assert failure.unreadable
    assert failure.detail.endswith(": no list)")


# --- positions --------------------------------------------------------------------------------


def test_a_fill_in_between_has_everything_after_the_orders_asked_again() -> None:
    driven = a_look(
        {
            "private/get_positions": in_turn([], [HELD]),
            TRADES: in_turn({"trades": []}, {"trades": [TRADE]}),
        }
    )
    snapshot = taken(driven)
    assert [one.amount for one in snapshot.positions] == [Decimal("50.0")]
    assert [one.trade_id for one in snapshot.fills] == ["T1"]
    assert driven.methods().count("private/get_positions") == 3
    assert driven.methods().count("private/get_open_orders") == 1


def test_positions_that_never_stand_still_are_taken_as_they_are_after_three_times() -> None:
    rows = [[HELD | {"size": float(n)}] for n in range(9)]
    driven = a_look({"private/get_positions": in_turn(*rows)})
    assert [one.amount for one in taken(driven).positions] == [Decimal("3.0")]
    assert len(driven.calls(TRADES)) == 3


def test_where_a_row_does_not_say_what_it_is_ours_are_asked_about_by_name() -> None:
    def one(params: Any) -> Any:
        return {"instrument_name": params["instrument_name"], "size": 7.0}

    driven = a_look({"private/get_positions": [HELD, {"size": 1.0}], "private/get_position": one})
    assert {p.instrument: p.amount for p in taken(driven).positions} == {
        PERPETUAL.id: Decimal("50.0"),
        OPTION.id: Decimal("7.0"),
    }


def test_a_size_that_nobody_can_read_is_unknown() -> None:
    driven = a_look({"private/get_positions": [{"size": 1.0}], "private/get_position": None})
    assert set(taken(driven).positions) == {
        HeldPosition(OPTION.id, None),
        HeldPosition(PERPETUAL.id, None),
    }


# --- trades and money -------------------------------------------------------------------------


def test_trades_are_paged_from_the_last_millisecond_and_counted_once() -> None:
    first = TRADE | {"trade_id": "A", "timestamp": SINCE_MS + 1}
    twin = TRADE | {"trade_id": "B", "timestamp": SINCE_MS + 5}
    last = TRADE | {"trade_id": "C", "timestamp": SINCE_MS + 5}
    driven = a_look(
        {
            TRADES: in_turn(
                {"trades": [first, twin], "has_more": True},
                {"trades": [twin, last], "has_more": False},
            )
        }
    )
    assert [one.trade_id for one in taken(driven).fills] == ["A", "B", "C"]
    assert [one["start_timestamp"] for one in driven.calls(TRADES)] == [SINCE_MS, SINCE_MS + 5]


def test_both_executions_of_a_trade_with_ourselves_count() -> None:
    driven = a_look({TRADES: {"trades": [TRADE, TRADE | {"direction": "sell"}]}})
    assert len(taken(driven).fills) == 2


def test_a_list_of_trades_that_goes_round_in_circles_is_no_list() -> None:
    one = TRADE | {"timestamp": SINCE_MS}
    driven = a_look({TRADES: {"trades": [one], "has_more": True}})
    assert failed(driven).unreadable
    assert "ETH trades repeats itself" in failed(driven).detail


def test_a_trade_that_nobody_can_read_is_left_out() -> None:
    driven = a_look({TRADES: {"trades": [TRADE, {"trade_id": "X"}]}})
    assert [one.trade_id for one in taken(driven).fills] == ["T1"]
    assert ("trade", 1) in [(one.kind, one.count) for one in driven.told(ElementsUnread)]


def _transfer(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "transfer",
        "currency": "ETH",
        "timestamp": SINCE_MS + number,
        "change": float(number),
    }


def test_the_log_is_followed_to_its_end() -> None:
    driven = a_look(
        {
            LOG: in_turn(
                {"logs": [_transfer(2)], "continuation": 77},
                {"logs": [_transfer(1)], "continuation": None},
            )
        }
    )
    flows = taken(driven).flows
    assert [(one.kind, one.money) for one in flows] == [
        (FlowKind.TRANSFER, Decimal("1.0")),
        (FlowKind.TRANSFER, Decimal("2.0")),
    ]
    assert [one.get("continuation") for one in driven.calls(LOG)] == [None, 77]


@pytest.mark.parametrize("answer", [None, {"logs": None}])
def test_a_log_that_nobody_can_read_leaves_only_the_flows_incomplete(answer: Any) -> None:
    driven = a_look({LOG: answer})
    assert not taken(driven).flows_complete


def test_what_the_account_is_worth_is_told_as_far_as_it_can_be_read() -> None:
    rows = [{"currency": "ETH", "equity": 10.0, "balance": 9.0}, {"currency": "BTC"}]
    driven = a_look({"private/get_account_summaries": {"summaries": rows}})
    assert [(one.currency, one.equity) for one in taken(driven).equity] == [
        ("ETH", Decimal("10.0"))
    ]
    driven = a_look({"private/get_account_summaries": None})
    assert taken(driven).equity == ()


# --- a venue that does not answer -------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    ["private/get_open_orders", "private/get_positions", LOG, "private/get_account_summaries"],
)
def test_a_question_without_an_answer_in_5_seconds_makes_the_look_fail(method: str) -> None:
    driven = a_look({method: SILENCE})
    driven.wait(4.9)
    assert driven.told(SnapshotFailed) == []
    driven.wait(0.2)
    assert failed(driven) == SnapshotFailed("deribit", f"{method}: no reply in time")


def test_a_refused_question_makes_the_look_fail_in_the_venues_words() -> None:
    driven = a_look({"private/get_positions": raising(Refused(11051, "system_maintenance"))})
    detail = "private/get_positions: 11051 system_maintenance"
    assert failed(driven) == SnapshotFailed("deribit", detail)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (HttpAnswer(None, why="no answer from h:1 in 10 s"), "no answer from h:1 in 10 s"),
        (
            HttpAnswer(503, why="HTTP 503 Service Unavailable from h:1"),
            "HTTP 503 Service Unavailable from h:1",
        ),
        (
            HttpAnswer(
                400,
                {"error": {"code": -32602, "message": "Invalid params", "data": {"reason": "no"}}},
            ),
            "-32602 Invalid params: no",
        ),
    ],
)
def test_a_list_that_does_not_come_over_rest_makes_the_look_fail(
    answer: HttpAnswer, detail: str
) -> None:
    assert failed(a_look({TRADES: answer})) == SnapshotFailed("deribit", detail)


def test_a_link_lost_in_the_middle_makes_the_look_fail() -> None:
    driven = a_look({"private/get_positions": SILENCE})
    driven.lose(Link.TRADING, "reset")
    assert failed(driven).detail == "private/get_positions: reset"


# --- what is only watched -------------------------------------------------------------------------


def a_look_beside(watched: Instrument, answers: dict[str, Any]) -> Driven:
    """An account that also watches something, after it has been asked for everything."""
    driven = account()
    driven.carry_out(driven.session.look_at([watched], driven.now_ns))
    driven.session._terms[watched.name] = watched  # it is listed
    driven.answers |= QUIET | answers
    driven.submit(resync())
    return driven


def test_a_position_in_what_is_only_watched_comes_with_its_terms() -> None:
    watched = an_option(name="ETH-6JUN25-3000-C", id="deribit:ETH-6JUN25-3000-C")
    row = {"instrument_name": watched.name, "size": 2.0, "mark_price": 0.01}
    driven = a_look_beside(watched, {"private/get_positions": [HELD, row]})
    terms = {one.instrument: one.terms for one in taken(driven).positions}
    assert terms == {PERPETUAL.id: None, watched.id: watched}


def test_what_is_only_watched_is_not_asked_about_by_name() -> None:
    watched = an_option(name="ETH-6JUN25-3000-C", id="deribit:ETH-6JUN25-3000-C")
    answers = {"private/get_positions": [{"size": 1.0}], "private/get_position": None}
    driven = a_look_beside(watched, answers)
    asked = [call["instrument_name"] for call in driven.calls("private/get_position")]
    assert set(asked) == {OPTION.name, PERPETUAL.name}
