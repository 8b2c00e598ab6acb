"""Changes of the best prices a second."""

from random import Random

import pytest

from mmbot.core import events as ev
from mmbot.core.ports import Heard
from mmbot.core.why import Why
from mmbot.signals.top_speed import TopSpeed
from tests.signals.streams import PERPETUAL, book, heard, ns

SIGNAL = TopSpeed(half_life_s=30.0)


def told(*events: Heard, at_s: float) -> float | None:
    return SIGNAL.value(heard(SIGNAL, events), ns(at_s))


def steady(rate: float, seconds: float) -> list[ev.BookChanged]:
    """The bid moves to and fro that often, and amounts change between."""
    books, step = [], 1 / rate
    for n in range(round(seconds * rate)):
        bid = 99.0 if n % 2 else 98.0
        books += [book(n * step, bid, 101.0), book((n + 0.5) * step, bid, 101.0, bid_amount=n)]
    return books


@pytest.mark.parametrize("seconds", [5, 30, 200])
@pytest.mark.parametrize("rate", [2.0, 20.0])
def test_a_steady_rate_is_told_however_long_it_has_lasted(rate: float, seconds: float) -> None:
    assert told(*steady(rate, seconds), at_s=seconds) == pytest.approx(rate, rel=0.15)


def test_random_changes_are_told_at_their_rate() -> None:
    draw, at_s, books = Random(3), 0.0, [book(0.0, 99.0, 101.0)]
    while at_s < 600:
        at_s += draw.expovariate(5.0)
        books.append(book(at_s, 99.0 - len(books) % 2, 101.0))
    # The weight of the last changes is that of 2 * 30 / ln 2 = 87 s, so 5 +- 0.24.
    assert told(*books, at_s=at_s) == pytest.approx(5.0, abs=4 * 0.24)


def test_both_prices_count() -> None:
    one = told(book(0, 99.0, 101.0), book(5, 98.0, 101.0), at_s=10)
    two = told(book(0, 99.0, 101.0), book(5, 98.0, 102.0), at_s=10)
    assert one is not None
    assert two == 2 * one
    assert told(book(0, 99.0, 101.0), book(5, 99.0, 101.0, 3.0), at_s=10) == 0.0


def test_a_market_that_stands_still_slows_down() -> None:
    books = steady(2.0, 60)
    at_60, at_90 = told(*books, at_s=60), told(*books, at_s=90)
    assert at_60 is not None
    assert at_90 is not None
    assert at_90 < 0.6 * at_60


def test_a_lost_book_is_no_slow_market_and_no_change() -> None:
    lost = ev.BookLost(PERPETUAL.id, Why.BOOK_GAPPED)
    assert told(book(0, 99.0, 101.0), lost, at_s=10) is None
    assert told(book(0, 99.0, 101.0), lost, book(5, 90.0, 91.0), at_s=10) == 0.0


def test_nothing_is_told_of_the_first_second() -> None:
    assert told(at_s=1) is None
    assert told(book(0, 99.0, 101.0), book(0.5, 98.0, 101.0), at_s=0.9) is None
    assert told(book(0, 99.0, 101.0), book(0.5, 98.0, 101.0), at_s=1.0) is not None
