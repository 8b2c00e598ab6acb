"""What the price does after fills of ours. Numbers by hand."""

import pytest

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.ports import Heard
from mmbot.core.statements import Liquidity
from mmbot.core.types import Side
from mmbot.core.why import Why
from mmbot.signals.own_markout import OwnMarkout
from tests.builders import an_option
from tests.signals.streams import PERPETUAL, book, filled, heard, ns, taken_back, ticker

SIGNAL = OwnMarkout(horizon_s=10.0, least=1)
TOP = book(0, 98.0, 102.0)
"""Half a spread is 2."""
LOST = ev.BookLost(PERPETUAL.id, Why.BOOK_GAPPED)


def told(
    *events: Heard, signal: OwnMarkout = SIGNAL, instrument: Instrument = PERPETUAL
) -> tuple[float | None, float | None, float | None]:
    """The value, of buys, of sells."""
    memory = heard(signal, events, instrument)
    parts = signal.values(memory, ns(0))
    return signal.value(memory, ns(0)), parts["buy"], parts["sell"]


def test_a_markout_is_what_was_earned_by_the_price_after_a_while() -> None:
    bought, sold = filled(1, Side.BUY, 98.0), filled(1, Side.SELL, 102.0)
    rising, falling = book(5, 102.0, 104.0), book(5, 94.0, 96.0)
    end = book(12, 50.0, 60.0)
    # To 103 from 98 and 102, to 95 from both; half-spreads of 2.
    assert told(TOP, bought, rising, end) == (2.5, 2.5, None)
    assert told(TOP, bought, falling, end) == (-1.5, -1.5, None)
    assert told(TOP, sold, rising, end) == (0.5, None, -0.5), "what sold too early says: it rises"
    assert told(TOP, sold, falling, end) == (-3.5, None, 3.5)


def test_fills_picked_off_on_both_sides_say_nothing_of_the_direction() -> None:
    bought, sold = filled(1, Side.BUY, 98.0), filled(20, Side.SELL, 98.0, "t2")
    path: list[Heard] = [
        TOP,
        bought,
        book(5, 94.0, 98.0),
        book(12, 94.0, 98.0),
        sold,
        book(22, 98.0, 102.0),
    ]
    value, buy, sell = told(*path, book(31, 98.0, 102.0))
    assert (buy, sell) == (-1.0, -1.0)
    assert value == 0.0


def test_the_price_counts_that_stood_when_the_time_was_up() -> None:
    bought = filled(1, Side.BUY, 98.0)
    before, exact, after = book(10.9, 99.0, 101.0), book(11, 101.0, 103.0), book(11.1, 1.0, 2.0)
    assert told(TOP, bought, before)[1] is None, "not yet"
    assert told(TOP, bought, before, exact)[1] is None, "another one of this moment may come"
    assert told(TOP, bought, before, exact, after)[1] == 2.0
    assert told(TOP, bought, before, after)[1] == 1.0


def test_an_option_is_judged_by_its_mark_and_the_spread_of_its_book() -> None:
    marks = [ticker(0, mark=100.0), ticker(5, mark=104.0), ticker(12, mark=0.0)]
    first, *rest = marks
    found = told(TOP, first, filled(1, Side.BUY, 98.0), LOST, *rest, instrument=an_option())
    assert found[1] == 3.0


def test_the_half_spread_is_that_of_the_book_before_the_fill() -> None:
    emptied = book(1, 90.0, 102.0)
    found = told(TOP, emptied, filled(1, Side.BUY, 98.0), book(5, 98.0, 102.0), book(12, 1.0, 2.0))
    assert found[1] == 1.0


def test_the_newest_fills_count_most_and_fifty_at_all() -> None:
    events: list[Heard] = [TOP]
    for n in range(51):
        mid = 500.0 if n == 0 else 98.0 if n < 50 else 102.0
        at_s = 20.0 * n
        events += [
            book(at_s + 0.1, 98.0, 102.0),
            filled(at_s + 1, Side.BUY, 98.0, f"t{n}"),
            book(at_s + 5, mid - 1, mid + 1),
            book(at_s + 15, 98.0, 102.0),
        ]
    # Weights 1, 1 - a, (1 - a)^2 ... from the newest, whose markout is 2; the others' are 0.
    a = 2 / 51
    assert told(*events)[1] == pytest.approx(2.0 * a / (1 - (1 - a) ** 50))


def test_a_fill_that_is_taken_back_does_not_count() -> None:
    first, second = filled(1, Side.BUY, 98.0), filled(1.5, Side.BUY, 96.0, "t2")
    end = [book(5, 99.0, 101.0), book(20, 99.0, 101.0)]
    alone = told(TOP, first, *end)
    assert alone[1] == 1.0
    assert told(TOP, first, second, taken_back(second, 2), *end) == alone
    assert told(TOP, first, second, *end, taken_back(second, 30)) == alone
    assert told(TOP, first, *end, taken_back(first, 30)) == (None, None, None)
    # One trade with ourselves has two executions: taking back the buy leaves the sell.
    sold = filled(1, Side.SELL, 102.0)
    assert told(TOP, first, sold, *end, taken_back(first, 30)) == (-1.0, None, 1.0)


def test_what_we_took_ourselves_is_no_fill_of_a_quote() -> None:
    end = [book(5, 99.0, 101.0), book(20, 99.0, 101.0)]
    assert told(TOP, filled(1, Side.BUY, 98.0, liquidity=Liquidity.TAKER), *end)[1] is None
    assert told(TOP, filled(1, Side.BUY, 98.0, liquidity=None), *end)[1] == 1.0


def test_where_nobody_knows_the_price_a_fill_does_not_count() -> None:
    bought, end = filled(1, Side.BUY, 98.0), [book(12, 99.0, 101.0), book(30, 99.0, 101.0)]
    assert told(bought, TOP, *end)[1] is None, "no book before it"
    assert told(TOP, bought, LOST, *end)[1] is None, "none when its time was up"
    assert told(TOP, *end, filled(1, Side.BUY, 98.0))[1] is None, "told when that was long over"


def test_it_is_told_from_enough_fills() -> None:
    signal = OwnMarkout(horizon_s=10.0, least=2)
    first, second = filled(1, Side.BUY, 98.0), filled(1, Side.BUY, 98.0, "t2")
    end = [book(5, 99.0, 101.0), book(20, 99.0, 101.0)]
    assert told(TOP, first, *end, signal=signal)[1] is None
    assert told(TOP, first, second, *end, signal=signal)[1] == 1.0


def test_fills_that_are_told_out_of_order_are_each_judged_in_time() -> None:
    late, early = filled(3, Side.BUY, 98.0), filled(1, Side.SELL, 98.0, "t2")
    path = [book(10, 99.0, 103.0), book(11.5, 96.0, 100.0), book(12, 96.0, 100.0)]
    assert told(TOP, late, early, *path) == (1.5, None, -1.5), "sold at 98, and 101 was the price"
    assert told(TOP, late, early, *path, book(20, 96.0, 100.0))[1:] == (0.0, -1.5)
