"""What waits for a turn: the newest book and ticker of each instrument, and everything else."""

from math import nan

import pytest

from mmbot.core import events as ev
from mmbot.core.inbox import Inbox
from mmbot.core.types import InstrumentId
from mmbot.core.why import Why
from tests.builders import a_fill, an_option

CALL = an_option().id
PERPETUAL = InstrumentId("deribit:ETH-PERPETUAL")


def book(venue_ms: int, instrument: InstrumentId = CALL) -> ev.BookChanged:
    return ev.BookChanged(instrument, ((0.01, 1.0),), ((0.02, 1.0),), venue_ms, venue_ms)


def ticker(mark: float) -> ev.TickerChanged:
    return ev.TickerChanged(CALL, mark, 2850.0, None, None, None, None, None, 1)


def drained(*happened: ev.Event) -> list[ev.Event]:
    inbox = Inbox()
    for event in happened:
        inbox.put(event)
    count, waiting = len(inbox), inbox.drain()
    assert (count, len(inbox)) == (len(waiting), 0)
    return waiting


def test_of_books_and_tickers_only_the_newest_is_kept() -> None:
    other = book(1, PERPETUAL)
    assert drained(book(1), ticker(1.0), other, book(2), ticker(2.0)) == [
        other,
        book(2),
        ticker(2.0),
    ]


def test_a_book_that_was_lost_takes_the_place_of_the_one_before_and_the_other_way_round() -> None:
    lost = ev.BookLost(CALL, Why.BOOK_GAPPED)
    assert drained(book(1), lost) == [lost]
    assert drained(lost, book(2)) == [book(2)]


def reference(
    price: float, stamp_ms: int | None, source: str = "binance", asset: str = "ETH"
) -> ev.ReferenceChanged:
    return ev.ReferenceChanged(source, asset, price, stamp_ms, 1)


def test_of_reference_prices_the_newest_of_each_source_and_asset_is_kept() -> None:
    others = [reference(1, 1, source="coinbase"), reference(1, 1, asset="BTC")]
    assert drained(reference(1, 1), *others, reference(2, 2)) == [*others, reference(2, 2)]
    assert drained(reference(1, None), reference(2, None)) == [reference(2, None)]


@pytest.mark.parametrize("late", [reference(1, 1), reference(-1, 3), reference(nan, 3)])
def test_a_reference_price_that_comes_late_or_is_none_takes_no_ones_place(
    late: ev.ReferenceChanged,
) -> None:
    assert drained(reference(2, 2), late) == [reference(2, 2), late]
    assert drained(late, reference(2, 2))[-1] == reference(2, 2)


def test_everything_else_is_kept_in_full_and_in_order() -> None:
    fill = ev.Filled(a_fill())
    happened: list[ev.Event] = [ev.Tick(), fill, ev.Tick(), fill, ev.Tick()]
    assert drained(*happened) == happened


def test_what_was_replaced_is_counted() -> None:
    inbox = Inbox()
    for venue_ms in range(5):
        inbox.put(book(venue_ms))
    assert inbox.conflated == 4
