"""An account's session driven by hand: intents become frames, and what is said events."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import (
    Event,
    Filled,
    Link,
    MessageLost,
    OrderSeen,
    OutcomeUnknown,
    RequestRefused,
)
from mmbot.core.intents import Cancel, CancelAll, Place, Replace, VenueIntent
from mmbot.core.order_life import OrderState, Request
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.venues.derive.nonces import PARTS
from tests.builders import NOW_NS
from tests.venues.derive.driven import CALL, NOW_MS, PART, PERP, SUBACCOUNT, Driven, account, signer
from tests.venues.derive.samples import ORDER, TRADE
from tests.wire.scripted import SILENCE

BID, NEXT = Label("mm7-1"), Label("mm7-2")
DIE_BY_NS = NOW_NS + 30 * SECOND
OPTION = InstrumentId(f"derive:{CALL}")
PERPETUAL = InstrumentId(f"derive:{PERP}")
OLD_ID, NEW_ID = "c33e2299-e60e-4d71-8910-15cd5ea43fef", "c33e2299-e60e-4d71-8910-15cd5ea43ff0"
ORDERS, TRADES = f"{SUBACCOUNT}.orders", f"{SUBACCOUNT}.trades"

RESTS = {
    **ORDER,
    "order_id": OLD_ID,
    "instrument_name": CALL,
    "label": BID,
    "limit_price": "90.1",
    "amount": "2",
    "last_update_timestamp": NOW_MS,
    "creation_timestamp": NOW_MS,
}
ENDED = {**RESTS, "order_status": "cancelled", "cancel_reason": "user_request"}
MADE = {**RESTS, "order_id": NEW_ID, "label": NEXT, "replaced_order_id": OLD_ID}
MINE = {
    **TRADE,
    "instrument_name": CALL,
    "order_id": OLD_ID,
    "label": BID,
    "direction": "buy",
    "trade_price": "90.1",
    "trade_amount": "0.5",
    "liquidity_role": "maker",
    "timestamp": NOW_MS,
}
THIN_ORDER = ("creation_timestamp", "cancel_reason", "trigger_type", "algo_type", "quote_id")


def place(**changes: Any) -> Place:
    given: dict[str, Any] = {
        "instrument": OPTION,
        "label": BID,
        "side": Side.BUY,
        "price": Decimal("90.1"),
        "amount": Decimal(2),
        "post_only": True,
        "reduce_only": False,
        "valid_until_ns": DIE_BY_NS,
        "why": Why.QUOTED,
    }
    return Place(**given | changes)


REPLACE = Replace(
    OPTION,
    BID,
    OLD_ID,
    NEXT,
    Side.BUY,
    Decimal("90.2"),
    Decimal("1.5"),
    True,
    False,
    DIE_BY_NS,
    Why.MOVED,
)
CANCEL = Cancel(OPTION, BID, OLD_ID, Why.STOPPING)
BY_LABEL = Cancel(OPTION, BID, "", Why.STOPPING)

EACH: list[tuple[VenueIntent, str, Request]] = [
    (place(), "private/order", Request.PLACE),
    (REPLACE, "private/replace", Request.REPLACE),
    (CANCEL, "private/cancel", Request.CANCEL),
]


def sent(driven: Driven) -> tuple[str, dict[str, Any]]:
    ((link, frame),) = driven.sent
    assert link is Link.TRADING
    return frame["method"], frame["params"]


def of_orders(driven: Driven) -> list[Event]:
    kinds = OrderSeen | RequestRefused | OutcomeUnknown | Filled
    return [event for event in driven.events if isinstance(event, kinds)]


# --- intents to frames ------------------------------------------------------------------------


def test_a_place_is_one_signed_frame_on_the_grid() -> None:
    driven = account()
    driven.submit(place(price=Decimal("90.19")))
    method, params = sent(driven)
    assert method == "private/order"
    signed = {key: params.pop(key) for key in ("nonce", "signature", "max_fee")}
    assert params == {
        "instrument_name": CALL,
        "subaccount_id": SUBACCOUNT,
        "direction": "buy",
        "limit_price": "90.1",
        "amount": "2",
        "signature_expiry_sec": driven.now_ns // SECOND + 600,
        "signer": signer().address,
        "order_type": "limit",
        "time_in_force": "post_only",
        "label": BID,
        "mmp": False,
        "reject_timestamp": DIE_BY_NS // MS,
        "reject_post_only": True,
    }
    assert abs(int(signed["nonce"]) - driven.now_ns) < 10 * MS
    assert int(signed["nonce"]) % PARTS == PART
    assert Decimal(signed["max_fee"]) >= 1000
    assert len(signed["signature"]) == 132


def test_every_order_has_a_nonce_of_its_own() -> None:
    driven = account()
    driven.submit(*(place(label=Label(f"mm7-{one}")) for one in range(50)))
    assert len({call["nonce"] for call in driven.calls("private/order")}) == 50


def test_a_sale_that_takes_says_so() -> None:
    driven = account()
    take = {"post_only": False, "reduce_only": True, "time_in_force": TimeInForce.IOC}
    driven.submit(place(instrument=PERPETUAL, side=Side.SELL, price=Decimal(2850), **take))
    _, params = sent(driven)
    assert (params["direction"], params["time_in_force"]) == ("sell", "ioc")
    assert params["reduce_only"] is True
    assert "reject_post_only" not in params


def test_a_replace_names_the_order_that_ends_and_is_a_new_one_itself() -> None:
    driven = account()
    driven.submit(REPLACE)
    method, params = sent(driven)
    assert method == "private/replace"
    assert params["order_id_to_cancel"] == OLD_ID
    assert (params["label"], params["limit_price"], params["amount"]) == (NEXT, "90.2", "1.5")
    assert "expected_filled_amount" not in params  # nothing was ever told of it


def test_a_replace_says_how_much_is_filled_as_far_as_it_was_told() -> None:
    driven = account()
    driven.push(Link.TRADING, ORDERS, [RESTS])
    driven.push(Link.TRADING, TRADES, [MINE])
    driven.push(Link.TRADING, TRADES, [MINE])  # told twice
    driven.forget()
    driven.submit(REPLACE)
    assert sent(driven)[1]["expected_filled_amount"] == "0.5"
    driven.push(Link.TRADING, ORDERS, [{**RESTS, "filled_amount": "0.75"}])
    driven.forget()
    driven.submit(REPLACE)
    assert sent(driven)[1]["expected_filled_amount"] == "0.75"


def test_cancels_name_order_label_instrument_or_nothing() -> None:
    driven = account()
    ours = {"subaccount_id": SUBACCOUNT}
    everything = CancelAll("derive", None, (BID,), Why.STOPPING)
    of_one = CancelAll("derive", OPTION, (BID,), Why.STOPPING)
    driven.submit(CANCEL, BY_LABEL, everything, of_one)
    assert [(frame["method"], frame["params"]) for _, frame in driven.sent] == [
        ("private/cancel", {**ours, "instrument_name": CALL, "order_id": OLD_ID}),
        ("private/cancel_by_label", {**ours, "label": BID}),
        ("private/cancel_all", ours),
        ("private/cancel_by_instrument", {**ours, "instrument_name": CALL}),
    ]


def test_what_cannot_be_signed_is_refused_before_it_leaves() -> None:
    driven = account()
    driven.submit(place(price=Decimal("0.01")), place(instrument=InstrumentId("derive:SOL-PERP")))
    assert driven.sent == []
    told = driven.told(RequestRefused)
    assert [(one.label, one.request, one.stands) for one in told] == [
        (BID, Request.PLACE, False),
        (BID, Request.PLACE, False),
    ]
    tiny = replace(REPLACE, price=Decimal("0.01"))
    driven.forget()
    driven.submit(tiny)
    assert driven.sent == []
    (refused,) = driven.told(RequestRefused)
    assert (refused.label, refused.request, refused.stands) == (BID, Request.REPLACE, True)


# --- what is said of them ---------------------------------------------------------------------


def test_a_place_is_answered_by_the_order_and_its_trades() -> None:
    driven = account({"private/order": {"order": RESTS, "trades": [MINE]}})
    driven.submit(place())
    filled, seen = of_orders(driven)
    assert isinstance(filled, Filled)
    assert isinstance(seen, OrderSeen)
    assert (filled.fill.label, filled.fill.amount) == (BID, Decimal("0.5"))
    assert (seen.label, seen.order_id, seen.state) == (BID, OLD_ID, OrderState.OPEN)
    assert (seen.price, seen.amount, seen.answers) == (
        Decimal("90.1"),
        Decimal(2),
        Request.PLACE,
    )


def test_the_least_that_an_answer_may_hold_is_enough() -> None:
    thin = {key: value for key, value in RESTS.items() if key not in THIN_ORDER}
    driven = account({"private/order": {"order": thin, "trades": []}})
    driven.submit(place())
    (seen,) = of_orders(driven)
    assert isinstance(seen, OrderSeen)
    assert (seen.label, seen.state, seen.created_ms) == (BID, OrderState.OPEN, None)


@pytest.mark.parametrize("trades", [[], None])
def test_a_replace_that_was_carried_out_tells_of_both_orders(trades: Any) -> None:
    answer = {"cancelled_order": ENDED, "order": MADE, "create_order_error": None}
    driven = account({"private/replace": {**answer, "trades": trades}})
    driven.submit(REPLACE)
    old, new = of_orders(driven)
    assert isinstance(old, OrderSeen)
    assert isinstance(new, OrderSeen)
    assert (old.label, old.state) == (BID, OrderState.CANCELLED)
    assert (new.label, new.order_id, new.state) == (NEXT, NEW_ID, OrderState.OPEN)


def test_a_replace_may_end_the_old_order_and_create_none() -> None:
    why = {"code": 11008, "message": "Post-only reject", "data": None}
    answer = {"cancelled_order": ENDED, "order": None, "create_order_error": why, "trades": None}
    driven = account({"private/replace": answer})
    driven.submit(REPLACE)
    old, refused = of_orders(driven)
    assert isinstance(old, OrderSeen)
    assert isinstance(refused, RequestRefused)
    assert (old.label, old.state) == (BID, OrderState.CANCELLED)
    assert (refused.label, refused.request, refused.stands) == (NEXT, Request.PLACE, False)
    assert refused.why is Why.CROSSED_BOOK


def test_a_replace_that_ended_the_old_order_and_says_no_more_is_unknown() -> None:
    answer = {"cancelled_order": ENDED, "order": None, "create_order_error": None}
    driven = account({"private/replace": answer})
    driven.submit(REPLACE)
    (unknown,) = of_orders(driven)
    assert unknown == OutcomeUnknown(BID, Request.REPLACE, Why.REPLY_LOST)


def test_a_replace_of_an_order_that_was_filled_meanwhile_leaves_it() -> None:
    driven = account({"private/replace": SILENCE})
    driven.submit(REPLACE)
    error = {"code": 11028, "message": "filled amount does not match", "data": None}
    driven.reply("private/replace", error=error)
    (refused,) = of_orders(driven)
    assert isinstance(refused, RequestRefused)
    assert (refused.label, refused.request, refused.stands) == (BID, Request.REPLACE, True)


@pytest.mark.parametrize(("intent", "method", "request_"), EACH)
@pytest.mark.parametrize("code", [9000, -32603, -32055], ids=["unconfirmed", "internal", "unheard"])
def test_an_error_that_leaves_it_open_is_unknown(
    intent: VenueIntent, method: str, request_: Request, code: int
) -> None:
    driven = account({method: SILENCE})
    driven.submit(intent)
    driven.reply(method, error={"code": code, "message": "?", "data": None})
    assert of_orders(driven) == [OutcomeUnknown(BID, request_, Why.REPLY_LOST)]


@pytest.mark.parametrize(("intent", "method", "request_"), EACH)
def test_a_rate_refusal_is_known_to_have_done_nothing(
    intent: VenueIntent, method: str, request_: Request
) -> None:
    driven = account({method: SILENCE})
    driven.submit(intent)
    driven.reply(method, error={"code": -32000, "message": "Rate limit exceeded", "data": None})
    (refused,) = of_orders(driven)
    assert isinstance(refused, RequestRefused)
    assert (refused.request, refused.why) == (request_, Why.RATE_LIMITED)
    assert refused.stands is (request_ is not Request.PLACE)
    assert refused.scope is ErrorScope.REQUEST
    assert driven.cuts == []


@pytest.mark.parametrize(("intent", "method", "request_"), EACH)
def test_no_answer_in_time_is_unknown_and_a_late_one_is_still_heard(
    intent: VenueIntent, method: str, request_: Request
) -> None:
    driven = account({method: SILENCE})
    driven.submit(intent)
    driven.wait(5.0)
    assert OutcomeUnknown(BID, request_, Why.REPLY_LOST) in of_orders(driven)
    driven.forget()


def test_a_late_answer_is_the_venues_word_about_the_order() -> None:
    driven = account({"private/order": SILENCE})
    driven.submit(place())
    ((_, frame),) = driven.sent
    driven.wait(5.0)
    driven.forget()
    driven.hear(Link.TRADING, {"id": frame["id"], "result": {"order": RESTS, "trades": []}})
    (seen,) = of_orders(driven)
    assert isinstance(seen, OrderSeen)
    assert (seen.label, seen.answers) == (BID, None)


@pytest.mark.parametrize(("intent", "method", "request_"), EACH)
def test_a_line_that_breaks_leaves_what_was_asked_unknown(
    intent: VenueIntent, method: str, request_: Request
) -> None:
    driven = account({method: SILENCE})
    driven.submit(intent)
    driven.lose(Link.TRADING)
    assert of_orders(driven) == [OutcomeUnknown(BID, request_, Why.REPLY_LOST)]


def test_what_is_asked_without_a_line_never_left() -> None:
    driven = account()
    driven.lose(Link.TRADING)
    driven.forget()
    driven.submit(place())
    (refused,) = of_orders(driven)
    assert isinstance(refused, RequestRefused)
    assert (refused.why, refused.stands) == (Why.LINK_DOWN, False)


def test_a_cancel_is_answered_by_the_order() -> None:
    driven = account({"private/cancel": {**ENDED, "filled_amount": "0.5"}})
    driven.submit(CANCEL)
    (seen,) = of_orders(driven)
    assert isinstance(seen, OrderSeen)
    assert (seen.state, seen.filled) == (OrderState.CANCELLED, Decimal("0.5"))
    assert seen.answers is Request.CANCEL


def test_a_cancel_by_label_that_finds_none_tells_no_end() -> None:
    driven = account({"private/cancel_by_label": {"cancelled_orders": 0}})
    driven.submit(BY_LABEL)
    (refused,) = of_orders(driven)
    assert isinstance(refused, RequestRefused)
    assert (refused.request, refused.why, refused.stands) == (Request.CANCEL, Why.ABSENT, None)


@pytest.mark.parametrize("count", [1, -1, None])
def test_a_cancel_by_label_that_counts_is_told_by_the_orders_own_message(count: Any) -> None:
    driven = account({"private/cancel_by_label": {"cancelled_orders": count}})
    driven.submit(BY_LABEL)
    assert of_orders(driven) == [OutcomeUnknown(BID, Request.CANCEL, Why.REPLY_LOST)]
    driven.push(Link.TRADING, ORDERS, [ENDED])
    last = of_orders(driven)[-1]
    assert isinstance(last, OrderSeen)
    assert last.state is OrderState.CANCELLED


def test_a_mass_cancel_that_is_answered_leaves_the_word_to_the_orders() -> None:
    driven = account({"private/cancel_all": "ok"})
    driven.submit(CancelAll("derive", None, (BID, NEXT), Why.STOPPING))
    assert of_orders(driven) == []
    driven.answers["private/cancel_all"] = SILENCE
    driven.submit(CancelAll("derive", None, (BID, NEXT), Why.STOPPING))
    driven.wait(5.0)
    unknown = [OutcomeUnknown(one, Request.CANCEL, Why.REPLY_LOST) for one in (BID, NEXT)]
    assert of_orders(driven) == unknown


# --- pushes -----------------------------------------------------------------------------------


def test_trades_and_orders_come_apart() -> None:
    driven = account()
    driven.push(Link.TRADING, TRADES, [MINE])
    driven.push(Link.TRADING, ORDERS, [{**RESTS, "filled_amount": "0.5"}])
    filled, seen = of_orders(driven)
    assert isinstance(filled, Filled)
    assert isinstance(seen, OrderSeen)
    assert (filled.fill.order_id, seen.filled) == (OLD_ID, Decimal("0.5"))


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        ("filled", "", OrderState.FILLED),
        ("expired", "", OrderState.CANCELLED),
        ("cancelled", "cancel_on_disconnect", OrderState.CANCELLED),
        ("cancelled", "mmp_trigger", OrderState.CANCELLED),
        ("rejected", "insufficient_margin", OrderState.REJECTED),
        ("untriggered", "", OrderState.OPEN),
    ],
)
def test_the_end_of_an_order_whatever_it_was(status: str, reason: str, state: OrderState) -> None:
    driven = account()
    told = {**RESTS, "order_status": status, "cancel_reason": reason}
    driven.push(Link.TRADING, ORDERS, [told])
    (seen,) = of_orders(driven)
    assert isinstance(seen, OrderSeen)
    assert seen.state is state


@pytest.mark.parametrize("data", [{}, None, "x", [{"order_id": 5, "label": BID}]])
def test_a_message_of_orders_that_cannot_be_read_is_asked_for(data: Any) -> None:
    driven = account()
    driven.push(Link.TRADING, ORDERS, data)
    assert of_orders(driven) == []
    assert driven.told(MessageLost)


def test_one_row_that_cannot_be_read_leaves_the_others() -> None:
    driven = account()
    driven.push(Link.TRADING, TRADES, [{**MINE, "trade_amount": "nan"}, MINE])
    assert len(driven.told(Filled)) == 1
    assert driven.told(MessageLost)


def test_balances_say_nothing_of_orders() -> None:
    driven = account()
    row = {"name": "USDC", "new_balance": "5", "previous_balance": "4", "update_type": "trade"}
    driven.push(Link.TRADING, f"{SUBACCOUNT}.balances", [row])
    assert of_orders(driven) == []
    assert driven.told(MessageLost) == []


def test_a_private_channel_that_is_silent_about_an_order_is_a_dead_one() -> None:
    driven = account({"private/order": {"order": RESTS, "trades": []}})
    driven.submit(place())
    driven.wait(8.0)
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]


def test_a_private_channel_that_tells_of_it_is_kept() -> None:
    driven = account({"private/order": {"order": RESTS, "trades": []}})
    driven.submit(place())
    driven.push(Link.TRADING, ORDERS, [RESTS])
    driven.wait(8.0)
    assert driven.cuts == []


def test_a_late_answer_about_an_order_that_the_channel_never_told_of_ends_a_silent_line() -> None:
    driven = account({"private/cancel": SILENCE})
    driven.push(Link.TRADING, ORDERS, [RESTS])
    driven.submit(CANCEL)
    (_, frame) = driven.sent[-1]
    driven.wait(6.0)
    assert driven.cuts == []
    driven.session.receive(Link.TRADING, {"id": frame["id"], "result": ENDED}, driven.now_ns)
    driven.wait(8.0)
    assert [cut.link for cut in driven.cuts] == [Link.TRADING]


@pytest.mark.parametrize(("labels", "cuts"), [((BID, NEXT), [Link.TRADING]), ((), [])])
def test_a_mass_cancel_that_the_channel_does_not_tell_of_ends_a_silent_line(
    labels: tuple[Label, ...], cuts: list[Link]
) -> None:
    driven = account({"private/cancel_all": "ok"})
    driven.push(Link.TRADING, ORDERS, [RESTS])
    driven.wait(1.0)
    driven.submit(CancelAll("derive", None, labels, Why.STOPPING))
    driven.wait(8.0)
    assert [cut.link for cut in driven.cuts] == cuts
