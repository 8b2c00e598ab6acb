"""What the client makes of any message that the specification permits, and of any with a fault.

An element is understood or refused (`Unreadable`); a number in what is understood is the message's
own, or unknown.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmbot.core.contracts import Instrument
from mmbot.core.events import Filled, Link, OrderSeen, SnapshotTaken, TickerChanged
from mmbot.core.intents import Resync
from mmbot.core.order_life import Request
from mmbot.core.types import Label
from mmbot.core.why import Why
from mmbot.venues.answers import Trouble
from mmbot.venues.book import MalformedBook
from mmbot.venues.deribit import Book, parse
from mmbot.venues.deribit.looks import Looks
from mmbot.venues.deribit.session import DeribitSession
from mmbot.venues.reading import Unread, Unreadable
from mmbot.venues.recipe import Wait
from mmbot.venues.requests import Outcome, Reply
from tests.builders import NOW_NS
from tests.venues.deribit.driven import KEYS, Driven
from tests.wire.spec.strategies import VALUES, Break, broken, permitted

FEW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
LISTING: Final[dict[str, Any]] = {
    "instrument_name": "ETH-PERPETUAL",
    "kind": "future",
    "base_currency": "ETH",
    "contract_size": 1,
    "min_trade_amount": 1,
    "tick_size": 0.05,
    "expiration_timestamp": 32503708800000,
    "settlement_period": "perpetual",
}
ORDER: Final[dict[str, Any]] = {
    "order_id": "ETH-1",
    "order_state": "open",
    "direction": "buy",
    "last_update_timestamp": 1,
    "label": "mm-1",
    "instrument_name": "ETH-PERPETUAL",
    "price": 2500.05,
    "amount": 10.0,
    "filled_amount": 0.0,
}
TRADE: Final[dict[str, Any]] = {
    "trade_id": "ETH-2",
    "instrument_name": "ETH-PERPETUAL",
    "direction": "sell",
    "price": 2500.05,
    "amount": 10.0,
    "fee": -0.00001,
    "fee_currency": "ETH",
    "timestamp": 1,
}
POSITION: Final[dict[str, Any]] = {"instrument_name": "ETH-PERPETUAL", "size": -10.0}
SUMMARY: Final[dict[str, Any]] = {"currency": "ETH", "equity": 9.5, "balance": 10.0}
ROW: Final[dict[str, Any]] = {
    "id": 7,
    "type": "deposit",
    "currency": "ETH",
    "timestamp": 1,
    "change": 2.5,
}


def followed() -> Instrument:
    found = parse.instrument_of("deribit", LISTING, Unread())
    assert found is not None
    return found


ETH: Final = followed()


def rows_of(key: str) -> Callable[[Any], Any]:
    return lambda result: result.get(key) if isinstance(result, dict) else result


def itself(result: Any) -> Any:
    return result


def flows(row: object, unread: Unread) -> object:
    return list(parse.flows_of(row, {ETH.name: ETH}, unread))


def seen(row: object, unread: Unread) -> object:
    return parse.seen_of("deribit", row, None, unread)


def held(row: object, unread: Unread) -> object:
    return parse.position_of("deribit", row, None, unread)


fill = partial(parse.fill_of, "deribit")
Reader = Callable[[object, Unread], object]
TICKER = "ticker.(instrument_name).(interval)"
READERS: Final[list[tuple[str, Callable[[Any], Any], Reader]]] = [
    (TICKER, itself, lambda one, unread: parse.ticker_changed(ETH, one, unread, 0)),
    ("public/ticker", itself, lambda one, unread: parse.ticker_changed(ETH, one, unread, 0)),
    ("public/get_instruments", itself, partial(parse.instrument_of, "deribit")),
    ("public/get_instrument", itself, partial(parse.instrument_of, "deribit")),
    ("private/get_open_orders", itself, partial(parse.open_order_of, "deribit")),
    (
        "private/get_open_orders",
        itself,
        seen,
    ),
    (
        "private/buy",
        rows_of("order"),
        seen,
    ),
    (
        "private/get_user_trades_by_currency_and_time",
        rows_of("trades"),
        fill,
    ),
    (
        "private/get_positions",
        itself,
        held,
    ),
    ("private/get_account_summaries", rows_of("summaries"), parse.equity_of),
    ("private/get_transaction_log", rows_of("logs"), flows),
    ("instrument.state.(kind).(currency)", itself, parse.news_of),
    ("platform_state", itself, parse.lock_of),
    ("user.lock", itself, parse.lock_of),
    ("public/status", itself, parse.locks_of),
]


def elements(found: object) -> list[object]:
    return found if isinstance(found, list) else [found]


def understood_or_refused(read: Reader, element: object) -> None:
    try:
        read(element, Unread())
    except Unreadable:
        return


@pytest.mark.parametrize(("name", "inside", "read"), READERS)
@FEW
@given(data=st.data())
def test_what_is_permitted_is_understood_or_refused(
    name: str, inside: Callable[[Any], Any], read: Reader, data: st.DataObject
) -> None:
    for element in elements(inside(data.draw(permitted(name)))):
        understood_or_refused(read, element)


@pytest.mark.parametrize(("name", "inside", "read"), READERS)
@FEW
@given(data=st.data())
def test_what_is_broken_is_understood_or_refused(
    name: str, inside: Callable[[Any], Any], read: Reader, data: st.DataObject
) -> None:
    for element in elements(inside(data.draw(broken(name)).message)):
        understood_or_refused(read, element)


# --- every field of a good element, with everything that can be wrong with it -------------------

WHOLE: Final[list[tuple[str, dict[str, Any], Reader]]] = [
    ("listing", LISTING, partial(parse.instrument_of, "deribit")),
    ("open order", ORDER, partial(parse.open_order_of, "deribit")),
    ("order", ORDER, seen),
    ("trade", TRADE, fill),
    ("position", POSITION, held),
    ("account", SUMMARY, parse.equity_of),
    ("log row", ROW, flows),
]


def damaged(message: dict[str, Any]) -> Iterator[tuple[str, Break, dict[str, Any]]]:
    for field in message:
        for how in Break:
            one = copy.deepcopy(message)
            if how is Break.REMOVED:
                del one[field]
            else:
                one[field] = VALUES[how]
            yield field, how, one


@pytest.mark.parametrize(("what", "message", "read"), WHOLE)
def test_every_field_may_be_broken_in_every_way(
    what: str, message: dict[str, Any], read: Reader
) -> None:
    for _, _, one in damaged(message):
        understood_or_refused(read, one)


NUMBERS = ("price", "amount", "filled", "fee", "equity", "balance", "money")


@pytest.mark.parametrize(("what", "message", "read"), WHOLE[1:])
def test_a_number_is_the_message_s_own_or_unknown(
    what: str, message: dict[str, Any], read: Reader
) -> None:
    for field, how, one in damaged(message):
        try:
            found = elements(read(one, Unread()))
        except Unreadable:
            continue
        stated = {
            Decimal(repr(float(value)))
            for value in one.values()
            if isinstance(value, int | float)
            and abs(value) < 10**300
            and not isinstance(value, bool)
        }
        for value in found:
            for name in NUMBERS:
                number = getattr(value, name, None)
                if name == "fee" and what == "log row":
                    continue  # a deposit has none
                assert number is None or number in stated, (what, field, how, name)


@pytest.mark.parametrize(
    ("kind", "field"), [("settlement", "interest_pl"), ("delivery", "commission")]
)
def test_a_log_row_whose_money_is_a_word_is_no_zero(kind: str, field: str) -> None:
    row = ROW | {"type": kind, "instrument_name": ETH.name, "index_price": 2500.0, field: "much"}
    with pytest.raises(Unreadable, match=field):
        flows(row, Unread())
    assert flows(row | {field: None}, Unread())


REFERENCE: Final = {
    "mark_price": 2500.5,
    "index_price": 2501.5,
    "underlying_price": 2502.5,
    "min_price": 2400.0,
    "max_price": 2600.0,
    "mark_iv": 55.0,
    "state": "open",
    "greeks": {"delta": 0.5},
}
OURS: Final = {
    "mark_price": "mark",
    "index_price": "index",
    "underlying_price": "forward",
    "min_price": "min_price",
    "max_price": "max_price",
    "mark_iv": "mark_iv",
    "state": "state",
    "greeks": "delta",
}


def test_one_field_of_a_ticker_that_is_broken_is_that_field_unknown() -> None:
    whole = parse.ticker_changed(ETH, REFERENCE, Unread(), 0)
    for field, how, one in damaged(REFERENCE):
        seen = parse.ticker_changed(ETH, one, Unread(), 0)
        for name, ours in OURS.items():
            value = getattr(seen, ours)
            if name != field:
                assert value == getattr(whole, ours), (field, how, name)
            elif isinstance(value, float):
                assert math.isfinite(value), (field, how)
                assert how is Break.NEGATIVE, (field, how)
                assert name in ("min_price", "max_price"), (field, how)


# --- books --------------------------------------------------------------------------------------


@FEW
@given(data=st.data())
def test_a_book_takes_a_message_whole_or_is_invalid(data: st.DataObject) -> None:
    message = data.draw(broken("book.(instrument_name).(interval)")).message
    name = message.get("instrument_name") if isinstance(message, dict) else None
    book = Book("book.X.raw", name if isinstance(name, str) else "X")
    try:
        took = book.apply(message)
    except MalformedBook:
        assert not book.valid
        assert book.levels() == ((), ())
        return
    assert took == book.valid
    for side in book.levels():
        for price, amount in side:
            assert 0 < float(price) < math.inf
            assert 0 < float(amount) < math.inf


# --- the whole look -----------------------------------------------------------------------------

ANSWERS: Final[dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[list[Any]], Any]]]] = {
    "private/get_open_orders": (ORDER, ORDER | {"order_id": "ETH-9"}, list),
    "private/get_positions": (POSITION, POSITION | {"size": -7.5}, list),
    "private/get_account_summaries": (
        SUMMARY,
        SUMMARY | {"equity": 8.5},
        lambda rows: {"summaries": rows},
    ),
    "private/get_transaction_log": (
        ROW,
        ROW | {"id": 9, "change": 1.5},
        lambda rows: {"logs": rows},
    ),
    "private/get_user_trades_by_currency_and_time": (
        TRADE,
        TRADE | {"trade_id": "ETH-9"},
        lambda rows: {"trades": rows},
    ),
}
"""Of each question: the element that gets broken, a good one beside it, and the answer's shape."""


@pytest.mark.parametrize("asked", ANSWERS)
def test_the_good_elements_of_a_look_are_all_there(asked: str) -> None:
    for field, how, bad in damaged(ANSWERS[asked][0]):
        looks = Looks("deribit", parse, {ETH.name: ETH}, {}, lambda: 10_000, Unread())
        recipe = looks.take(Resync("deribit", 0, 0, (), Why.REFRESH), 1)
        taken: SnapshotTaken | None = None
        reply: Reply | None = None
        while taken is None:
            try:
                question = recipe.send(reply)
            except StopIteration as end:
                taken = end.value
            else:
                assert not isinstance(question, Wait)
                _, good, shaped = ANSWERS[question.method]
                rows = [bad, good] if question.method == asked else [good]
                reply = Reply(1, Outcome.OK, result=shaped(rows))
        where = (field, how)
        assert any(one.order_id == "ETH-9" for one in taken.orders), where
        assert any(one.amount == Decimal("-7.5") for one in taken.positions), where
        assert any(one.equity == Decimal("8.5") for one in taken.equity), where
        assert any(one.trade_id == "ETH-9" for one in taken.fills), where
        assert any(one.money == Decimal("1.5") for one in taken.flows), where


# --- what an account's session makes of pushes and answers --------------------------------------


def a_session() -> Driven:
    """Up, with one instrument."""
    return Driven(DeribitSession("deribit", KEYS, NOW_NS), {}).start(ETH)


def pushes(message: Any) -> None:
    session = DeribitSession("deribit", KEYS, NOW_NS)
    session.start([ETH], NOW_NS)
    session._on_user("user.changes.any.any.raw", message)
    session._on_user("user.lock", message)
    session._on_ticker(ETH.name, message)
    session._on_channel("instrument.state.any.any", message)
    session._on_channel("platform_state", message)
    for request in (Request.PLACE, Request.AMEND, Request.CANCEL):
        session._account.answered(Reply(1, Outcome.OK, result=message), Label("mm-1"), request)
    session._account.answered_late(Reply(1, Outcome.OK, result=message))


@pytest.mark.parametrize(
    "name",
    [
        "user.changes.(kind).(currency).(interval)",
        "user.lock",
        "ticker.(instrument_name).(interval)",
        "instrument.state.(kind).(currency)",
        "platform_state",
        "private/buy",
        "private/edit",
        "private/cancel",
    ],
)
@FEW
@given(data=st.data())
def test_no_push_or_answer_is_an_exception(name: str, data: st.DataObject) -> None:
    pushes(data.draw(permitted(name)))
    pushes(data.draw(broken(name)).message)


def test_the_good_elements_of_a_push_are_all_there() -> None:
    for message, key, good in (
        (ORDER, "orders", ORDER | {"order_id": "ETH-9"}),
        (TRADE, "trades", TRADE | {"trade_id": "ETH-9"}),
    ):
        for field, how, bad in damaged(message):
            driven = a_session()
            driven.push(Link.TRADING, "user.changes.any.any.raw", {key: [bad, good]})
            assert any(
                (isinstance(one, OrderSeen) and one.order_id == "ETH-9")
                or (isinstance(one, Filled) and one.fill.trade_id == "ETH-9")
                for one in driven.events
            ), (key, field, how)


def test_a_ticker_keeps_its_mark_whatever_its_other_fields_are() -> None:
    for field, how, one in damaged(REFERENCE | {"best_bid_price": 2500.0, "best_ask_price": 2501}):
        if field == "mark_price":
            continue
        driven = a_session()
        driven.push(Link.MARKET, f"ticker.{ETH.name}.raw", one)
        assert [ev.mark for ev in driven.told(TickerChanged)] == [2500.5], (field, how)


# --- whole frames -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("book.ETH-PERPETUAL.raw", "book.(instrument_name).(interval)"),
        ("ticker.ETH-PERPETUAL.raw", TICKER),
        ("user.changes.any.any.raw", "user.changes.(kind).(currency).(interval)"),
        ("instrument.state.any.any", "instrument.state.(kind).(currency)"),
        ("platform_state", "platform_state"),
    ],
)
@FEW
@given(data=st.data())
def test_no_frame_is_an_exception(channel: str, name: str, data: st.DataObject) -> None:
    driven = a_session()
    faults: list[Exception] = []
    driven.session.connection.on_fault = lambda error, _frame: faults.append(error)
    for one in (data.draw(permitted(name)), data.draw(broken(name)).message):
        params = {"channel": channel, "data": one}
        frame = json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})
        driven.hear(Link.MARKET, frame)
    assert all(isinstance(fault, Trouble | MalformedBook) for fault in faults), faults
