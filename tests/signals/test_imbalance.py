"""The imbalance of a book. Numbers by hand."""

from mmbot.core import events as ev
from mmbot.core.memory import Memory
from mmbot.core.types import Level
from mmbot.core.why import Why
from mmbot.signals.imbalance import Imbalance
from tests.builders import NOW_NS, an_option

OPTION = an_option()


def after(*events: ev.BookChanged | ev.BookLost, levels: int = 1) -> float | None:
    signal = Imbalance(levels=levels)
    memory: Memory = signal.start(OPTION)
    for event in events:
        signal.observe(memory, event)
    return signal.value(memory, NOW_NS)


def a_book(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> ev.BookChanged:
    return ev.BookChanged(OPTION.id, bids, asks, 0, NOW_NS)


def test_more_bid_than_offered_is_positive() -> None:
    assert after(a_book(((0.02, 30.0),), ((0.021, 10.0),))) == 0.5
    assert after(a_book(((0.02, 10.0),), ((0.021, 30.0),))) == -0.5
    assert after(a_book(((0.02, 10.0),), ())) == 1.0


def test_the_newest_book_counts_with_as_many_levels_as_are_wanted() -> None:
    old = a_book(((0.02, 99.0),), ((0.021, 1.0),))
    new = a_book(((0.02, 10.0), (0.019, 20.0)), ((0.021, 10.0), (0.022, 0.0)))
    assert after(old, new) == 0.0
    assert after(old, new, levels=2) == 0.5, "(30 - 10) / (30 + 10)"


def test_without_a_book_nothing_is_said() -> None:
    assert after() is None
    assert after(a_book((), ())) is None
    lost = ev.BookLost(OPTION.id, Why.BOOK_GAPPED)
    assert after(a_book(((0.02, 30.0),), ((0.021, 10.0),)), lost) is None
