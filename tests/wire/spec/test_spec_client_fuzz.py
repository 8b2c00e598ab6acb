"""The border under fire: any message the specification permits, and any with one field broken, is
understood or refused as that element. Nothing else is ever raised, and nothing is ever guessed."""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmbot.core.types import Fill, Instrument
from mmbot.venues.deribit import parse
from mmbot.venues.deribit.book import Book, MalformedBook
from mmbot.venues.deribit.parse import Unread, Unreadable
from tests.builders import a_perpetual, an_option
from tests.wire.spec.strategies import Break, broken, permitted

MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
KNOWN = {"ETH-PERPETUAL": a_perpetual(), "ETH-6JUN25-2800-C": an_option()}


def rows(message: Any, *path: str) -> list[Any]:
    """The elements in a message, where it has them at all."""
    for step in path:
        message = message.get(step) if isinstance(message, dict) else None
    return message if isinstance(message, list) else []


def exact(stated: object, read: Decimal | None) -> bool:
    """Whether a number that was read is the one stated, digit for digit."""
    if read is None:
        return True
    number = isinstance(stated, int | float) and not isinstance(stated, bool)
    return number and math.isfinite(float(stated)) and Decimal(repr(float(stated))) == read  # type: ignore[arg-type]  # a number, just looked at


def an_open_order(row: Any, unread: Unread) -> None:
    found = parse.open_order_of(row, unread)
    assert found.order_id or found.label
    for name, read in (("amount", found.amount), ("filled_amount", found.filled)):
        assert exact(row.get(name), read)
    assert exact(row.get("price"), found.price)


def a_statement(row: Any, unread: Unread) -> None:
    seen = parse.seen_of(row, None, unread)
    assert exact(row.get("amount"), seen.amount)
    assert exact(row.get("filled_amount"), seen.filled)


def a_fill(row: Any, unread: Unread) -> None:
    fill: Fill = parse.fill_of(row, unread)
    for name in ("price", "amount", "fee"):
        assert exact(row[name], getattr(fill, name))
    assert fill.price >= 0 < fill.amount
    assert exact(row.get("mark_price"), fill.mark)


def a_position(row: Any, unread: Unread) -> None:
    assert exact(row.get("size"), parse.position_of(row, None, unread).amount)


def an_equity(row: Any, unread: Unread) -> None:
    equity = parse.equity_of(row, unread)
    assert exact(row["equity"], equity.equity)
    assert exact(row["balance"], equity.balance)


def a_log_row(row: Any, unread: Unread) -> None:
    for flow in parse.flows_of(row, KNOWN, unread):
        assert flow.money.is_finite()


def a_listing(row: Any, unread: Unread) -> None:
    found: Instrument | None = parse.instrument_of(row, unread)
    if found is not None:
        assert exact(row["tick_size"], found.tick)
        assert exact(row["contract_size"], found.contract_size)
        assert min(found.tick, found.contract_size, found.min_amount) > 0


def a_ticker(data: Any, unread: Unread) -> None:
    changed = parse.ticker_changed(an_option(), data, unread, 1)
    for name, read in (("mark_price", changed.mark), ("index_price", changed.index)):
        assert read is None or (math.isfinite(read) and read >= 0 and read == data[name])


def a_book(data: Any, unread: Unread) -> None:
    book = Book("book.X.raw", str(data.get("instrument_name")) if isinstance(data, dict) else "X")
    try:
        book.apply(data)
    except MalformedBook:
        assert not book.valid
    bids, asks = book.levels()
    assert all(0 < price < math.inf and 0 < amount < math.inf for price, amount in bids + asks)


def each(*path: str) -> Callable[[Any], Iterator[Any]]:
    """The elements of a message."""
    return lambda message: iter(rows(message, *path))


def whole(message: Any) -> Iterator[Any]:
    """A message that is one element."""
    yield message


CHANGES = "user.changes.(kind).(currency).(interval)"
READERS: list[tuple[str, Callable[[Any], Iterator[Any]], Callable[[Any, Unread], Any]]] = [
    ("private/get_open_orders", each(), an_open_order),
    ("private/get_order_state_by_label", each(), a_statement),
    ("private/cancel", whole, a_statement),
    ("private/buy", each("trades"), a_fill),
    ("private/get_user_trades_by_currency_and_time", each("trades"), a_fill),
    ("private/get_positions", each(), a_position),
    ("private/get_position", whole, a_position),
    ("private/get_account_summaries", each("summaries"), an_equity),
    ("private/get_transaction_log", each("logs"), a_log_row),
    ("public/get_instruments", each(), a_listing),
    ("public/get_instrument", whole, a_listing),
    ("ticker.(instrument_name).(interval)", whole, a_ticker),
    ("book.(instrument_name).(interval)", whole, a_book),
    (CHANGES, each("orders"), a_statement),
    (CHANGES, each("trades"), a_fill),
    ("instrument.state.(kind).(currency)", whole, parse.news_of),
    ("platform_state", whole, parse.lock_of),
    ("user.lock", whole, parse.lock_of),
    ("public/status", whole, parse.locks_of),
]
NAMED = [pytest.param(*reader, id=f"{reader[0]} {reader[2].__name__}") for reader in READERS]


@pytest.mark.parametrize(("name", "elements", "read"), NAMED)
@MANY
@given(data=st.data())
def test_a_permitted_message_is_read_or_refused(
    name: str,
    elements: Callable[[Any], Iterator[Any]],
    read: Callable[[Any, Unread], Any],
    data: st.DataObject,
) -> None:
    for element in elements(data.draw(permitted(name))):
        try:
            read(element, Unread())
        except Unreadable:
            continue


@pytest.mark.parametrize(("name", "elements", "read"), NAMED)
@MANY
@given(data=st.data())
def test_a_broken_field_breaks_its_element_at_the_most(
    name: str,
    elements: Callable[[Any], Iterator[Any]],
    read: Callable[[Any, Unread], Any],
    data: st.DataObject,
) -> None:
    drawn = data.draw(broken(name))
    for element in elements(drawn.message):
        try:
            read(element, Unread())
        except Unreadable:
            continue


@pytest.mark.parametrize("how", Break)
def test_one_broken_row_takes_none_of_its_neighbors_along(how: Break) -> None:
    from tests.wire.scripted import order
    from tests.wire.spec.strategies import VALUES

    strange = {"order_id": VALUES.get(how), "label": VALUES.get(how)}
    unread = Unread()
    found, _ = parse.each(
        [order(), strange, order(order_id="1002")],
        lambda row: parse.open_order_of(row, unread),
        unread,
        "order",
    )
    assert [one.order_id for one in found if one.order_id in ("1001", "1002")] == ["1001", "1002"]
