"""An account's session driven by hand: intents become frames, and what is said of them events."""

from decimal import Decimal
from typing import Any

import pytest

from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import (
    BookLost,
    ElementsUnread,
    Filled,
    Link,
    LinkChanged,
    MessageLost,
    OrderSeen,
    OutcomeUnknown,
    RequestRefused,
)
from mmbot.core.grid import TickStep
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace, VenueIntent
from mmbot.core.order_life import OrderState, Request
from mmbot.core.types import MS, SECOND, Label, Side, TimeInForce
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_perpetual
from tests.venues.deribit.driven import OPTION, PERPETUAL, Driven, account
from tests.venues.driven import raising
from tests.wire.scripted import SILENCE, Refused, option

BID, ASK = Label("mm7-1"), Label("mm7-2")
DIE_BY_NS = NOW_NS + 4 * SECOND
USER = "user.changes.any.any.raw"
PLACED = {
    "order_id": "ETH-1",
    "order_state": "open",
    "label": BID,
    "instrument_name": OPTION.name,
    "direction": "buy",
    "price": 0.02,
    "amount": 3.0,
    "filled_amount": 0.0,
    "last_update_timestamp": NOW_NS // MS,
}
TRADE = {
    "trade_id": "T1",
    "instrument_name": OPTION.name,
    "direction": "buy",
    "price": 0.02,
    "amount": 1.0,
    "fee": 0.0003,
    "fee_currency": "ETH",
    "timestamp": NOW_NS // MS,
    "order_id": "ETH-1",
    "label": BID,
    "liquidity": "M",
}


def place(**changes: Any) -> Place:
    given: dict[str, Any] = {
        "instrument": OPTION.id,
        "label": BID,
        "side": Side.BUY,
        "price": Decimal("0.0200"),
        "amount": Decimal(3),
        "post_only": True,
        "reduce_only": False,
        "valid_until_ns": DIE_BY_NS,
        "why": Why.QUOTED,
    }
    return Place(**given | changes)


AMEND = Amend(OPTION.id, BID, "ETH-1", Decimal("0.0205"), Decimal(3), True, DIE_BY_NS, Why.MOVED)
CANCEL = Cancel(OPTION.id, BID, "ETH-1", Why.STOPPING)

REPLACE = Replace(
    OPTION.id,
    BID,
    "ETH-1",
    ASK,
    Side.BUY,
    Decimal("0.0205"),
    Decimal(3),
    True,
    False,
    DIE_BY_NS,
    Why.MOVED,
)

EACH: list[tuple[VenueIntent, str, Request]] = [
    (place(), "private/buy", Request.PLACE),
    (AMEND, "private/edit", Request.AMEND),
    (CANCEL, "private/cancel", Request.CANCEL),
]


# --- intents to frames ------------------------------------------------------------------------


def test_a_place_is_one_frame_with_its_own_digits() -> None:
    driven = account()
    driven.submit(place())
    [(link, frame)] = driven.sent
    assert link is Link.TRADING
    assert (frame["jsonrpc"], frame["method"]) == ("2.0", "private/buy")
    assert frame["params"] == {
        "instrument_name": "ETH-6JUN25-2800-C",
        "amount": Decimal(3),
        "type": "limit",
        "time_in_force": "good_til_cancelled",
        "post_only": True,
        "reject_post_only": True,
        "valid_until": DIE_BY_NS // MS,
        "price": Decimal("0.0200"),
        "label": BID,
    }


def test_a_sale_that_reduces_and_does_not_rest_says_so() -> None:
    driven = account()
    driven.submit(
        place(side=Side.SELL, reduce_only=True, post_only=False, time_in_force=TimeInForce.IOC)
    )
    [params] = driven.calls("private/sell")
    assert params["reduce_only"] is True
    assert (params["post_only"], params["reject_post_only"]) == (False, False)
    assert params["time_in_force"] == "immediate_or_cancel"


def test_an_amend_repeats_the_promise_the_order_was_placed_with() -> None:
    driven = account()
    driven.submit(AMEND)
    assert driven.calls("private/edit") == [
        {
            "order_id": "ETH-1",
            "amount": Decimal(3),
            "post_only": True,
            "reject_post_only": True,
            "valid_until": DIE_BY_NS // MS,
            "price": Decimal("0.0205"),
        }
    ]


def test_a_cancel_goes_by_the_id_and_by_the_label_where_none_is_known() -> None:
    driven = account()
    driven.submit(CANCEL, Cancel(OPTION.id, ASK, "", Why.STOPPING))
    assert driven.calls("private/cancel") == [{"order_id": "ETH-1"}]
    assert driven.calls("private/cancel_by_label") == [{"label": ASK}]


def test_a_mass_cancel_is_of_the_venue_or_of_one_instrument() -> None:
    driven = account()
    driven.submit(
        CancelAll("deribit", None, (BID,), Why.STOPPING),
        CancelAll("deribit", PERPETUAL.id, (ASK,), Why.STOPPING),
    )
    assert driven.calls("private/cancel_all") == [{}]
    assert driven.calls("private/cancel_all_by_instrument") == [
        {"instrument_name": "ETH-PERPETUAL"}
    ]


def test_everything_submitted_together_leaves_together_and_in_order() -> None:
    driven = account()
    effects = driven.session.submit([place(), place(label=ASK, side=Side.SELL)], NOW_NS)  # type: ignore[attr-defined]
    assert [effect.frame["method"] for effect in effects] == ["private/buy", "private/sell"]
    ids = [effect.frame["id"] for effect in effects]
    assert len(set(ids)) == 2


# --- answers to events ------------------------------------------------------------------------


def test_what_was_carried_out_is_the_orders_state_and_its_trades_come_first() -> None:
    part = PLACED | {"filled_amount": 1.0}
    nameless = {key: value for key, value in TRADE.items() if key != "label"}
    driven = account({"private/buy": {"order": part, "trades": [nameless]}})
    driven.submit(place())
    filled, seen = driven.events
    assert isinstance(filled, Filled)
    assert isinstance(seen, OrderSeen)
    assert (filled.fill.label, filled.fill.amount) == (BID, Decimal("1.0"))
    assert (seen.label, seen.order_id, seen.state) == (BID, "ETH-1", OrderState.OPEN)
    assert (seen.filled, seen.answers) == (Decimal("1.0"), Request.PLACE)


def test_an_answer_without_a_label_is_about_the_order_that_was_asked_for() -> None:
    bare = {key: value for key, value in PLACED.items() if key != "label"}
    driven = account({"private/edit": {"order": bare, "trades": []}})
    driven.submit(AMEND)
    [seen] = driven.told(OrderSeen)
    assert (seen.label, seen.answers) == (BID, Request.AMEND)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"order": None},
        {"order": PLACED | {"order_state": "odd"}},
        {"order": PLACED | {"label": ASK}},
        {"order": PLACED, "trades": "none"},
    ],
)
def test_an_answer_that_nobody_can_read_leaves_it_open(answer: Any) -> None:
    driven = account({"private/buy": answer})
    driven.submit(place())
    assert driven.events == [OutcomeUnknown(BID, Request.PLACE, Why.REPLY_LOST)]
    driven.wait(1.1)
    assert "answer" in [one.kind for one in driven.told(ElementsUnread)]


def test_a_trade_in_an_answer_that_nobody_can_read_is_a_lost_message() -> None:
    driven = account({"private/buy": {"order": PLACED, "trades": [{"trade_id": "T1"}]}})
    driven.submit(place())
    assert [type(event) for event in driven.events] == [MessageLost, OrderSeen]


@pytest.mark.parametrize(
    ("refusal", "why", "scope", "stands"),
    [
        (Refused(11054, "post_only_reject"), Why.CROSSED_BOOK, ErrorScope.ORDER, False),
        (Refused(10009, "not_enough_funds"), Why.NO_FUNDS, ErrorScope.SIDE, False),
        (Refused(11051, "system_maintenance"), Why.LOCKED, ErrorScope.PLATFORM, False),
    ],
)
def test_a_refusal_says_how_far_it_reaches(
    refusal: Refused, why: Why, scope: ErrorScope, stands: bool
) -> None:
    driven = account({"private/buy": raising(refusal)})
    driven.submit(place())
    code, message = refusal.error["code"], refusal.error["message"]
    assert driven.events == [
        RequestRefused(BID, Request.PLACE, why, f"{code} {message}", stands, scope)
    ]


def test_an_error_that_leaves_it_open_is_no_refusal() -> None:
    driven = account({"private/buy": raising(Refused(13888, "timed_out"))})
    driven.submit(place())
    assert driven.events == [OutcomeUnknown(BID, Request.PLACE, Why.REPLY_LOST)]


@pytest.mark.parametrize(("intent", "method", "request_"), EACH)
def test_no_answer_within_two_deadlines_is_an_unknown_outcome(
    intent: VenueIntent, method: str, request_: Request
) -> None:
    driven = account()
    driven.submit(intent)
    driven.wait(3.9)
    assert driven.told(OutcomeUnknown) == []
    driven.wait(0.2)
    assert driven.told(OutcomeUnknown) == [OutcomeUnknown(BID, request_, Why.REPLY_LOST)]
    driven.reply(method, result={"order": PLACED, "trades": []})
    [seen] = driven.told(OrderSeen)
    assert (seen.label, seen.answers) == (BID, None), "late, and still the venue's word"


@pytest.mark.parametrize(("intent", "_method", "request_"), EACH)
def test_a_link_lost_meanwhile_is_an_unknown_outcome(
    intent: VenueIntent, _method: str, request_: Request
) -> None:
    driven = account()
    driven.submit(intent)
    driven.lose(Link.TRADING)
    assert driven.told(OutcomeUnknown) == [OutcomeUnknown(BID, request_, Why.REPLY_LOST)]


@pytest.mark.parametrize(("intent", "_method", "request_"), EACH)
def test_what_never_left_is_known_to_be_refused(
    intent: VenueIntent, _method: str, request_: Request
) -> None:
    driven = account()
    driven.lose(Link.TRADING)
    driven.forget()
    driven.submit(intent)
    driven.wait(0.0)
    [refused] = driven.told(RequestRefused)
    assert (refused.label, refused.request, refused.why) == (BID, request_, Why.LINK_DOWN)
    assert refused.stands is (request_ is not Request.PLACE)
    assert driven.sent == []


@pytest.mark.parametrize("answer", [SILENCE, Refused(10028, "too_many_requests")])
def test_of_a_mass_cancel_without_an_answer_nothing_is_known(answer: Any) -> None:
    driven = account({"private/cancel_all": answer if answer is SILENCE else raising(answer)})
    driven.submit(CancelAll("deribit", None, (BID, ASK), Why.STOPPING))
    driven.wait(4.1)
    assert driven.told(OutcomeUnknown) == [
        OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST) for label in (BID, ASK)
    ]


def test_a_mass_cancel_that_was_carried_out_says_nothing_itself() -> None:
    driven = account({"private/cancel_all": 2})
    driven.submit(CancelAll("deribit", None, (BID, ASK), Why.STOPPING))
    assert driven.events == []


def test_a_wrong_tick_has_the_terms_asked_for_again() -> None:
    listed: list[str] = []
    terms = option(OPTION.name) | {"tick_size": 0.0005, "tick_size_steps": []}
    driven = account(
        {
            "private/buy": raising(Refused(10043, "price_wrong_tick")),
            "public/get_instrument": terms,
        }
    )
    driven.session.on_listed = lambda all_: listed.extend(
        f"{one.name} {one.grid.tick}" for one in all_
    )
    driven.submit(place(), place(label=ASK))
    assert len(driven.told(RequestRefused)) == 2
    assert driven.methods(Link.MARKET) == [], "not before both are known to be refused"
    driven.wait(0.1)
    assert driven.methods(Link.MARKET) == ["public/get_instrument"]
    assert listed == [f"{OPTION.name} 0.0005"]


# --- the private channel ----------------------------------------------------------------------


def test_a_push_tells_trades_before_what_became_of_their_orders() -> None:
    driven = account()
    done = PLACED | {"order_state": "filled", "filled_amount": 3.0}
    driven.push(Link.TRADING, USER, {"trades": [TRADE], "orders": [done]})
    filled, seen = driven.events
    assert isinstance(filled, Filled)
    assert isinstance(seen, OrderSeen)
    assert (seen.state, seen.answers) == (OrderState.FILLED, None)


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"orders": {"a": 1}},
        {"trades": {"a": 1}},
        {"orders": [{"label": BID}]},
        {"orders": [PLACED | {"order_state": None}]},
        {"trades": [TRADE | {"price": "dear"}]},
    ],
)
def test_a_push_that_may_have_been_about_us_and_cannot_be_read_is_a_lost_message(data: Any) -> None:
    driven = account()
    driven.push(Link.TRADING, USER, data)
    assert driven.events == [MessageLost("deribit")]


def test_of_two_rows_of_a_push_the_readable_one_counts() -> None:
    driven = account()
    driven.push(Link.TRADING, USER, {"orders": [None, PLACED]})
    assert [type(event) for event in driven.events] == [OrderSeen, MessageLost]


def test_a_foreign_order_that_cannot_be_read_is_taken_for_open() -> None:
    driven = account()
    foreign = PLACED | {"label": "by hand", "order_state": "odd"}
    driven.push(Link.TRADING, USER, {"orders": [foreign]})
    [seen] = driven.events
    assert isinstance(seen, OrderSeen)
    assert (seen.label, seen.state) == ("by hand", OrderState.OPEN)


def test_a_frame_of_the_trading_link_that_is_none_is_a_lost_message() -> None:
    driven = account()
    driven.hear(Link.TRADING, "{")
    assert driven.told(MessageLost) == [MessageLost("deribit")]
    driven.forget()
    driven.hear(Link.MARKET, "{")
    assert driven.told(MessageLost) == []


# --- a private channel that says nothing ------------------------------------------------------


def _placed() -> Driven:
    driven = account({"private/buy": {"order": PLACED, "trades": []}})
    driven.submit(place())
    return driven


def _downs(driven: Driven) -> list[str]:
    return [one.detail for one in driven.told(LinkChanged) if not one.up]


def test_an_order_that_the_channel_does_not_tell_of_costs_the_link_after_5_seconds() -> None:
    driven = _placed()
    driven.wait(5.0)
    assert driven.cuts == []
    driven.wait(1.5)
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]
    assert _downs(driven) == ["the private channel does not tell of our orders"]
    driven.wait(20.0)
    assert len(driven.cuts) == 1, "the next connection begins anew"


@pytest.mark.parametrize("data", [{"orders": [PLACED]}, {"trades": [TRADE]}, {}])
def test_anything_the_channel_says_will_do(data: dict[str, Any]) -> None:
    driven = _placed()
    driven.wait(4.0)
    driven.push(Link.TRADING, USER, data)
    driven.wait(20.0)
    assert driven.cuts == []


def test_what_the_channel_said_in_the_moment_of_the_request_does_not_tell_of_it() -> None:
    driven = account({"private/buy": {"order": PLACED, "trades": []}})
    driven.push(Link.TRADING, USER, {"trades": [TRADE]})
    driven.submit(place())
    driven.wait(6.5)
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]


def test_a_channel_that_spoke_before_the_answer_has_told() -> None:
    driven = account({"private/buy": SILENCE})
    driven.submit(place())
    driven.wait(0.1)
    driven.push(Link.TRADING, USER, {"orders": [PLACED]})
    driven.reply("private/buy", result={"order": PLACED, "trades": []})
    driven.wait(20.0)
    assert driven.cuts == []


def _answered_after(told: dict[str, Any]) -> Driven:
    """A cancel is answered, after the channel has said that and before it falls silent."""
    driven = account({"private/cancel": SILENCE})
    driven.submit(CANCEL)
    driven.wait(0.1)
    driven.push(Link.TRADING, USER, {"orders": [told]})
    driven.reply("private/cancel", result=PLACED | {"order_state": "cancelled"})
    driven.wait(20.0)
    return driven


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"order_id": "ETH-2", "label": ASK, "order_state": "cancelled"}, id="another"),
        pytest.param({"filled_amount": 1.0}, id="it traded"),
    ],
)
def test_news_of_something_else_does_not_tell_of_a_cancel(told: dict[str, Any]) -> None:
    assert [cut.link for cut in _answered_after(PLACED | told).cuts] == [Link.TRADING]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"order_state": "cancelled"}, id="it ended"),
        pytest.param({"order_state": "filled", "filled_amount": 3.0}, id="it was filled"),
        pytest.param({"order_state": "cancelled", "label": ""}, id="by its id alone"),
        pytest.param({"order_id": None, "amount": None}, id="one that nobody can read"),
    ],
)
def test_news_of_an_end_tells_of_a_cancel(told: dict[str, Any]) -> None:
    assert _answered_after(PLACED | told).cuts == []


def test_the_channel_may_tell_of_an_order_by_an_id_that_only_the_answer_gives() -> None:
    driven = account({"private/buy": SILENCE})
    driven.submit(place())
    driven.wait(0.1)
    driven.push(Link.TRADING, USER, {"orders": [PLACED | {"label": ""}]})
    driven.reply("private/buy", result={"order": PLACED, "trades": []})
    driven.wait(20.0)
    assert driven.cuts == []


def test_a_refused_order_is_nothing_that_the_channel_would_tell_of() -> None:
    driven = account({"private/buy": raising(Refused(11054, "post_only_reject"))})
    driven.submit(place())
    driven.wait(20.0)
    assert driven.cuts == []


def test_steps_of_a_ladder_are_read_from_terms_asked_for_again() -> None:
    terms = option(OPTION.name) | {
        "tick_size": 0.0001,
        "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
    }
    driven = account(
        {
            "private/buy": raising(Refused(10026, "price_precision_exceeded")),
            "public/get_instrument": terms,
        }
    )
    ladders: list[Any] = []
    driven.session.on_listed = lambda all_: ladders.extend(one.grid.tick_steps for one in all_)
    driven.submit(place(instrument=a_perpetual().id))
    driven.wait(0.1)
    assert ladders == [(TickStep(Decimal("0.005"), Decimal("0.0005")),)]


# --- a move in two orders ---------------------------------------------------------------------

ENDED = PLACED | {"order_state": "cancelled"}
MADE = PLACED | {"order_id": "ETH-2", "label": ASK, "price": 0.0205}


def test_a_replace_is_a_place_that_names_the_order_it_ends() -> None:
    driven = account()
    driven.submit(REPLACE)
    [params] = driven.calls("private/replace")
    assert (params["order_id"], params["label"], params["direction"]) == ("ETH-1", ASK, "buy")
    assert (params["amount"], params["price"]) == (Decimal(3), Decimal("0.0205"))


def test_its_answer_is_about_both_orders() -> None:
    answer: dict[str, Any] = {
        "cancelled_order": ENDED,
        "order": MADE,
        "create_order_error": None,
        "trades": [],
    }
    driven = account({"private/replace": answer})
    driven.submit(REPLACE)
    over, made = driven.told(OrderSeen)
    assert (over.label, over.state, over.answers) == (BID, OrderState.CANCELLED, Request.REPLACE)
    assert (made.label, made.state, made.answers) == (ASK, OrderState.OPEN, Request.PLACE)


def test_cancelled_and_not_created_the_old_one_is_over_and_the_new_one_refused() -> None:
    error = {"code": 11054, "message": "post_only_reject", "data": None}
    answer: dict[str, Any] = {
        "cancelled_order": ENDED,
        "order": None,
        "create_order_error": error,
        "trades": [],
    }
    driven = account({"private/replace": answer})
    driven.submit(REPLACE)
    [over] = driven.told(OrderSeen)
    [refused] = driven.told(RequestRefused)
    assert (over.label, over.state) == (BID, OrderState.CANCELLED)
    assert (refused.label, refused.request, refused.stands) == (ASK, Request.PLACE, False)
    assert refused.why is Why.CROSSED_BOOK


def test_a_refused_replace_is_about_the_old_order() -> None:
    driven = account({"private/replace": raising(Refused(10004, "order_not_found"))})
    driven.submit(REPLACE)
    [refused] = driven.told(RequestRefused)
    assert (refused.label, refused.request, refused.stands) == (BID, Request.REPLACE, None)


@pytest.mark.parametrize(
    "answer", [SILENCE, {"order": None}, {"cancelled_order": ENDED, "order": None}, []]
)
def test_a_replace_without_a_readable_answer_leaves_the_outcome_open(answer: object) -> None:
    driven = account({"private/replace": answer})
    driven.submit(REPLACE)
    driven.wait(5)
    assert driven.told(OutcomeUnknown) == [OutcomeUnknown(BID, Request.REPLACE, Why.REPLY_LOST)]


# --- without labels ---------------------------------------------------------------------------


def test_an_answer_without_a_label_has_that_of_its_request() -> None:
    bare = {name: value for name, value in PLACED.items() if name != "label"}
    trade = {name: value for name, value in TRADE.items() if name != "label"}
    driven = account({"private/buy": {"order": bare, "trades": [trade]}})
    driven.submit(place())
    [filled] = driven.told(Filled)
    [seen] = driven.told(OrderSeen)
    assert (filled.fill.label, seen.label) == (BID, BID)


def _answered_too_late(*told: dict[str, Any]) -> Driven:
    """An order is placed, and answered after its outcome was given up for unknown."""
    driven = account({"private/buy": SILENCE})
    driven.submit(place())
    driven.wait(8.5)
    driven.push(Link.TRADING, USER, {"orders": list(told)})
    driven.reply("private/buy", result={"order": PLACED, "trades": []})
    driven.wait(20.0)
    return driven


def test_an_answer_that_comes_too_late_tells_as_well_that_the_channel_is_silent() -> None:
    assert [cut.link for cut in _answered_too_late().cuts] == [Link.TRADING]


def test_and_that_it_is_not() -> None:
    assert _answered_too_late(PLACED).cuts == []


# --- a book that does not show our orders -----------------------------------------------------

BOOK = f"book.{OPTION.name}.raw"


def _book(change_id: int, at_ms: int) -> dict[str, Any]:
    return {
        "type": "snapshot" if change_id == 1 else "change",
        "instrument_name": OPTION.name,
        "change_id": change_id,
        "prev_change_id": change_id - 1,
        "timestamp": at_ms,
        "bids": [["new", 0.02, 1.0]],
        "asks": [["new", 0.03, 1.0]],
    }


def _changes(state: str, at_ms: int) -> Driven:
    """A book is heard, then that an order of the account changed in it at that moment."""
    driven = account()
    driven.push(Link.MARKET, BOOK, _book(1, NOW_NS // MS))
    order = PLACED | {"order_state": state, "last_update_timestamp": at_ms}
    driven.push(Link.TRADING, USER, {"orders": [order]})
    driven.forget()
    return driven


@pytest.mark.parametrize("state", ["open", "cancelled", "filled"])
def test_a_book_that_stays_older_than_an_order_in_it_is_asked_for_anew(state: str) -> None:
    driven = _changes(state, NOW_NS // MS + 50)
    driven.wait(2.5)
    assert driven.calls("public/unsubscribe") == []
    driven.wait(2.5)
    assert driven.told(BookLost) == [BookLost(OPTION.id, Why.BOOK_GAPPED)]
    assert {"channels": [BOOK]} in driven.calls("public/subscribe")


def test_a_book_that_shows_it_in_time_is_believed() -> None:
    driven = _changes("open", NOW_NS // MS + 50)
    driven.wait(2.5)
    driven.push(Link.MARKET, BOOK, _book(2, NOW_NS // MS + 50))
    driven.wait(20.0)
    assert driven.told(BookLost) == []


@pytest.mark.parametrize(("state", "after_ms"), [("rejected", 50), ("open", 0)])
def test_what_was_never_in_it_or_is_in_it_already_is_not_waited_for(
    state: str, after_ms: int
) -> None:
    driven = _changes(state, NOW_NS // MS + after_ms)
    driven.wait(20.0)
    assert driven.told(BookLost) == []
