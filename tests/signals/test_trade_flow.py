"""What takers bought less what they sold. Numbers by hand."""

from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.ports import Heard
from mmbot.core.types import Side
from mmbot.core.why import Why
from mmbot.signals.trade_flow import TradeFlow
from tests.builders import a_perpetual
from tests.signals.streams import PERPETUAL, book, heard, ns, trade

IN_TENS = a_perpetual(amount_step=Decimal(1), min_amount=Decimal(10))
SIGNAL = TradeFlow(half_life_s=10.0)


def told(*events: Heard, at_s: float) -> tuple[float | None, float | None]:
    """Lots and half-spreads."""
    memory = heard(SIGNAL, events, IN_TENS)
    return SIGNAL.value(memory, ns(at_s)), SIGNAL.values(memory, ns(at_s))["half_spreads"]


def test_what_is_bought_counts_up_and_what_is_sold_down() -> None:
    top = book(0, 99.0, 101.0)
    assert told(top, trade(1, Side.BUY, 101.0, 30.0), at_s=1) == (3.0, 1.0)
    assert told(top, trade(1, Side.SELL, 99.0, 50.0), at_s=1) == (-5.0, -1.0)
    both = (trade(1, Side.BUY, 101.0, 30.0), trade(1, Side.SELL, 97.0, 10.0))
    assert told(top, *both, at_s=1) == (2.0, -2.0), "1 at the ask, -3 three half-spreads down"


def test_a_taker_counts_once_by_how_far_he_went_in_however_many_parts() -> None:
    parts = [trade(1, Side.BUY, price, 10.0) for price in (101.0, 101.0, 103.0, 102.0)]
    assert told(book(0, 99.0, 101.0), *parts, at_s=1) == (4.0, 3.0)
    sold = [trade(1, Side.SELL, price, 10.0) for price in (99.0, 98.0)]
    assert told(book(0, 99.0, 101.0), *parts, *sold, at_s=1) == (2.0, 1.0), "3 up and 2 down"
    later = [trade(1.001, Side.BUY, 101.0, 10.0)]
    assert told(book(0, 99.0, 101.0), *parts, *later, at_s=1) == pytest.approx((5.0, 4.0), rel=1e-3)


def test_a_trade_counts_half_after_a_half_life() -> None:
    first, then = trade(1, Side.BUY, 101.0, 40.0), trade(11, Side.SELL, 99.0, 10.0)
    assert told(book(0, 99.0, 101.0), first, then, at_s=11) == (1.0, -0.5)
    assert told(book(0, 99.0, 101.0), first, then, at_s=31) == pytest.approx((0.25, -0.125))


def test_a_trade_that_is_told_late_counts_by_its_own_moment() -> None:
    first, then = trade(1, Side.BUY, 101.0, 40.0), trade(11, Side.SELL, 99.0, 10.0)
    assert told(first, then, at_s=20)[0] == pytest.approx(told(then, first, at_s=20)[0])


def test_a_clock_of_the_venue_that_is_ahead_makes_no_trade_larger() -> None:
    assert told(trade(5, Side.BUY, 101.0, 40.0), at_s=1)[0] == 4.0


def test_what_is_not_known_is_none() -> None:
    assert told(book(0, 99.0, 101.0), at_s=1) == (None, None)
    lost = (book(0, 99.0, 101.0), ev.BookLost(PERPETUAL.id, Why.BOOK_GAPPED))
    assert told(*lost, trade(1, Side.BUY, 101.0, 10.0), at_s=1) == (1.0, None)
