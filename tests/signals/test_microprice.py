"""The size-weighted price, in half-spreads above the middle. Numbers by hand."""

import pytest

from mmbot.core import events as ev
from mmbot.core.ports import Heard
from mmbot.core.why import Why
from mmbot.signals.imbalance import Imbalance
from mmbot.signals.microprice import Microprice
from tests.signals.streams import PERPETUAL, book, heard, ns


def after(*events: Heard, levels: int = 1) -> float | None:
    signal = Microprice(levels=levels)
    return signal.value(heard(signal, events), ns(9))


def test_it_is_nearer_to_the_side_on_which_less_waits() -> None:
    # (99 * 10 + 101 * 30) / 40 = 100.5, half a half-spread above 100.
    assert after(book(0, 99.0, 101.0, bid_amount=30.0, ask_amount=10.0)) == 0.5
    assert after(book(0, 99.0, 101.0, bid_amount=10.0, ask_amount=30.0)) == -0.5
    assert after(book(0, 99.0, 101.0)) == 0.0


def test_with_one_level_it_is_the_imbalance_of_the_best_amounts() -> None:
    one = book(0, 99.0, 101.0, bid_amount=7.0, ask_amount=2.0)
    imbalance = Imbalance()
    assert after(one) == pytest.approx(imbalance.value(heard(imbalance, [one]), ns(0)))


def test_deeper_levels_count_with_their_prices_and_amounts() -> None:
    one = book(
        0, 99.0, 101.0, 10.0, 10.0, deeper_bids=((97.0, 30.0),), deeper_asks=((102.0, 10.0),)
    )
    # Bids: (990 + 2910) / 40 = 97.5 for 40; asks: (1010 + 1020) / 20 = 101.5 for 20.
    # (97.5 * 20 + 101.5 * 40) / 60 = 100.1666..., a sixth of a half-spread of 1 above 100.
    assert after(one, levels=2) == pytest.approx(1 / 6)
    assert after(one, levels=1) == 0.0


def test_without_a_book_of_two_sides_nothing_is_said() -> None:
    sound = book(0, 99.0, 101.0, bid_amount=30.0)
    assert after() is None
    for worse in (
        book(1, 99.0, None),
        book(1, 101.0, 99.0),
        book(1, float("nan"), 101.0),
        book(1, 99.0, float("inf")),
        book(1, 99.0, 101.0, 0.0, 0.0),
        ev.BookLost(PERPETUAL.id, Why.BOOK_GAPPED),
    ):
        assert after(sound, worse) is None, worse
