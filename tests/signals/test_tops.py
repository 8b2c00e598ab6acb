"""The best prices a trade met, found by the venue's stamps."""

from mmbot.core.memory import Memory
from mmbot.signals import tops
from tests.signals.streams import book, ms


def after(*books: tuple[float, float | None, float | None]) -> Memory:
    memory = Memory()
    for at_s, bid, ask in books:
        tops.see(memory.numbers, book(at_s, bid, ask))
    return memory


def test_a_trade_met_the_newest_book_before_it() -> None:
    memory = after((1, 99.0, 101.0), (3, 98.0, 100.0))
    assert tops.met(memory.numbers, ms(4)) == (99.0, 1.0)
    assert tops.met(memory.numbers, ms(2)) == (100.0, 1.0)


def test_a_book_of_the_same_moment_shows_what_the_trade_has_left() -> None:
    memory = after((1, 99.0, 101.0), (3, 98.0, 103.0))
    assert tops.met(memory.numbers, ms(3)) == (100.0, 1.0)


def test_nobody_knows_what_stood_before_the_books_that_are_kept() -> None:
    memory = after((1, 99.0, 101.0), (3, 98.0, 100.0))
    assert tops.met(memory.numbers, ms(1)) is None
    assert tops.met(memory.numbers, ms(0.5)) is None
    assert tops.met(Memory().numbers, ms(1)) is None


def test_best_prices_stand_since_they_first_did() -> None:
    memory = after((1, 99.0, 101.0), (3, 98.0, 100.0), (5, 98.0, 100.0))
    assert tops.met(memory.numbers, ms(4)) == (99.0, 1.0)


def test_a_taker_who_clears_a_side_met_the_book_before() -> None:
    memory = after((1, 99.0, 101.0), (3, 99.0, None))
    assert tops.met(memory.numbers, ms(3)) == (100.0, 1.0)
    assert tops.met(memory.numbers, ms(4)) is None, "there is no ask to count from"


def test_a_crossed_book_has_no_half_spread() -> None:
    for bid, ask in ((101.0, 99.0), (100.0, 100.0), (float("nan"), 100.0), (99.0, float("inf"))):
        memory = after((1, bid, ask))
        assert tops.met(memory.numbers, ms(2)) is None, (bid, ask)


def test_after_a_loss_nothing_is_known() -> None:
    memory = after((1, 99.0, 101.0), (3, 98.0, 100.0))
    tops.lose(memory.numbers)
    assert memory == Memory()
