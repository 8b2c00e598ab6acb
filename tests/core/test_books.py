"""Whether a market is believed, and what it is without us."""

import math
from collections.abc import Sequence

import pytest

from mmbot.core.books import (
    MARK_MAX_NS,
    REFERENCE_MAX_NS,
    SILENCE_MAX_NS,
    Market,
    book_fault,
    reference,
)
from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, TickerChanged
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.types import MS, SECOND, Level, Side
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_perpetual, an_option, an_order

BUY, SELL = Side.BUY, Side.SELL
NOW_MS = NOW_NS // MS


def a_market(
    bids: Sequence[Level] = ((0.0200, 10.0),),
    asks: Sequence[Level] = ((0.0230, 10.0),),
    *,
    instrument: Instrument | None = None,
    mark: float | None = 0.0215,
    index: float | None = 2850.0,
    venue_ms: int = NOW_MS,
) -> Market:
    market = Market(instrument or an_option())
    take_book(market, bids, asks, venue_ms)
    market.take_ticker(
        TickerChanged(
            instrument=market.instrument.id,
            mark=mark,
            index=index,
            forward=None,
            mark_iv=None,
            delta=None,
            min_price=None,
            max_price=None,
            received_ns=NOW_NS,
        )
    )
    return market


def take_book(
    market: Market, bids: Sequence[Level], asks: Sequence[Level], venue_ms: int = NOW_MS
) -> None:
    market.take_book(BookChanged(market.instrument.id, tuple(bids), tuple(asks), venue_ms, NOW_NS))


# --- distrust ---------------------------------------------------------------------------------


def test_a_sound_book_is_believed() -> None:
    assert book_fault(a_market(), 0, NOW_NS) is None


def test_no_book_is_believed_before_the_first() -> None:
    assert book_fault(Market(an_option()), 0, NOW_NS) is Why.NO_BOOK


def test_a_lost_book_is_not_believed_until_it_changes_again() -> None:
    market = a_market()
    market.lose_book(Why.BOOK_GAPPED)
    assert book_fault(market, 0, NOW_NS) is Why.BOOK_GAPPED
    take_book(market, ((0.02, 1.0),), ((0.023, 1.0),))
    assert book_fault(market, 0, NOW_NS) is None


def test_an_empty_book_is_not_believed() -> None:
    assert book_fault(a_market((), ()), 0, NOW_NS) is Why.BOOK_EMPTY


def test_a_book_of_one_side_is_a_thin_market() -> None:
    assert book_fault(a_market(asks=()), 0, NOW_NS) is None
    assert book_fault(a_market(bids=()), 0, NOW_NS) is None


@pytest.mark.parametrize("bid", [0.0230, 0.0231, math.nan])
def test_a_crossed_locked_or_nonsensical_book_is_not_believed(bid: float) -> None:
    assert book_fault(a_market(bids=((bid, 1.0),)), 0, NOW_NS) is Why.BOOK_CROSSED


def test_a_silent_market_is_not_believed() -> None:
    assert book_fault(a_market(), SILENCE_MAX_NS, NOW_NS) is None
    assert book_fault(a_market(), SILENCE_MAX_NS + 1, NOW_NS) is Why.BOOK_STALE


@pytest.mark.parametrize("broken", [None, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("asks", [((0.0230, 10.0),), ()])
def test_nothing_is_believed_without_a_mark_and_an_index(
    broken: float | None, asks: Sequence[Level]
) -> None:
    assert book_fault(a_market(asks=asks, mark=broken), 0, NOW_NS) is Why.NO_MARK
    assert book_fault(a_market(asks=asks, index=broken), 0, NOW_NS) is Why.NO_MARK
    assert book_fault(a_market(asks=asks, index=0.0), 0, NOW_NS) is Why.NO_MARK


def test_a_mark_of_zero_is_the_price_of_a_worthless_option_and_of_nothing_else() -> None:
    worthless = a_market(((0.0001, 1.0),), ((0.0002, 1.0),), mark=0.0)
    assert worthless.mark == 0.0
    assert book_fault(worthless, 0, NOW_NS) is None
    perpetual = a_market(((2498.0, 1.0),), ((2502.0, 1.0),), instrument=a_perpetual(), mark=0.0)
    assert perpetual.mark is None
    assert book_fault(perpetual, 0, NOW_NS) is Why.NO_MARK


def test_a_mark_grows_old() -> None:
    market = a_market()
    assert book_fault(market, 0, NOW_NS + MARK_MAX_NS) is None
    assert book_fault(market, 0, NOW_NS + MARK_MAX_NS + 1) is Why.NO_MARK


def test_a_ticker_without_a_mark_takes_it_away_and_leaves_the_last_one_to_value_with() -> None:
    market = a_market(mark=0.0215)
    market.take_ticker(
        TickerChanged(market.instrument.id, None, 2850.0, None, None, None, None, None, NOW_NS)
    )
    assert book_fault(market, 0, NOW_NS) is Why.NO_MARK
    assert market.mark == 0.0215


def test_a_book_far_from_the_mark_is_a_ghost() -> None:
    # Mid 0.0215; 30 % of the mark is allowed: 0.0215 / 1.3 = 0.01654 and 0.0215 / 0.7 = 0.0307.
    assert book_fault(a_market(mark=0.0166), 0, NOW_NS) is None
    assert book_fault(a_market(mark=0.0165), 0, NOW_NS) is Why.BOOK_IMPLAUSIBLE
    assert book_fault(a_market(mark=0.0307), 0, NOW_NS) is None
    assert book_fault(a_market(mark=0.0308), 0, NOW_NS) is Why.BOOK_IMPLAUSIBLE


def test_a_cheap_option_may_be_some_ticks_off() -> None:
    # Mid 0.0006, mark 0.0002: 0.0004 off is more than 30 %, but within 5 ticks of 0.0001.
    cheap = a_market(((0.0005, 1.0),), ((0.0007, 1.0),), mark=0.0002)
    assert book_fault(cheap, 0, NOW_NS) is None


def test_a_perpetual_is_held_to_two_percent() -> None:
    def market(mark: float) -> Market:
        return a_market(
            ((2850.0, 1.0),), ((2851.0, 1.0),), instrument=a_perpetual(), mark=mark, index=mark
        )

    assert book_fault(market(2800.0), 0, NOW_NS) is None
    assert book_fault(market(2790.0), 0, NOW_NS) is Why.BOOK_IMPLAUSIBLE


def test_a_wide_option_market_may_differ_by_its_width() -> None:
    # Mid 0.0105, mark 0.0050: 0.0055 off, and the market is 0.0190 wide.
    assert book_fault(a_market(((0.001, 1.0),), ((0.02, 1.0),), mark=0.005), 0, NOW_NS) is None


# --- the others' prices -----------------------------------------------------------------------


def seen(market: Market, side: Side, *orders: Order, at_ns: int = NOW_NS) -> tuple[Level, ...]:
    """The reference at that moment, and what is kept of it."""
    good: dict[Side, tuple[Level, ...]] = {}
    levels = reference(market, side, orders, at_ns, good)
    assert levels is not None
    if side in good:
        assert good == {side: levels}
        market.held[side] = (levels, at_ns)
    return levels


def test_own_orders_are_not_our_reference() -> None:
    market = a_market(bids=((0.0205, 2.0), (0.0200, 10.0)))
    assert seen(market, BUY, an_order(BUY, "0.0205", 2)) == ((0.0200, 10.0),)


def test_at_a_shared_level_only_our_part_is_taken_out() -> None:
    market = a_market(asks=((0.0230, 10.0), (0.0240, 5.0)))
    mine = an_order(SELL, "0.0230", 4, filled=1)
    assert seen(market, SELL, mine) == ((0.0230, 7.0), (0.0240, 5.0))


def test_two_orders_at_one_price_are_taken_out_together() -> None:
    market = a_market(bids=((0.0205, 3.0), (0.0200, 10.0)))
    two = (an_order(BUY, "0.0205", 2), an_order(BUY, "0.0205", 1, label="mmtest-1", level=1))
    assert seen(market, BUY, *two) == ((0.0200, 10.0),)


def test_the_other_sides_orders_take_nothing() -> None:
    market = a_market()
    assert seen(market, BUY, an_order(SELL, "0.0230", 10)) == ((0.0200, 10.0),)


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.AMENDING, Status.CANCELING, Status.UNKNOWN]
)
def test_while_one_of_ours_is_in_flight_the_last_good_reference_holds(status: Status) -> None:
    market = a_market()
    seen(market, BUY)
    take_book(market, ((0.0205, 1.0), (0.0200, 10.0)), ((0.0230, 10.0),))
    flying = an_order(BUY, "0.0205", 1, status=status)
    assert seen(market, BUY, flying) == ((0.0200, 10.0),)


def test_a_book_older_than_the_acknowledgement_is_not_searched_for_our_order() -> None:
    market = a_market()
    seen(market, BUY)
    market.own_ms[BUY] = NOW_MS + 5
    mine = an_order(BUY, "0.0200", 4)
    # 4 of these 10 are not ours: the book is from before our order.
    assert seen(market, BUY, mine) == ((0.0200, 10.0),)
    take_book(market, ((0.0200, 14.0),), ((0.0230, 10.0),), NOW_MS + 5)
    assert seen(market, BUY, mine) == ((0.0200, 10.0),)


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("empty", [True, False])
def test_a_book_that_does_not_show_our_order_yet_is_not_used(side: Side, empty: bool) -> None:
    market = a_market()
    before = seen(market, side)
    others: tuple[Level, ...] = () if empty else ((0.0150 if side is BUY else 0.0250, 1.0),)
    take_book(
        market, others if side is BUY else market.bids, others if side is SELL else market.asks
    )
    mine = an_order(side, "0.0200" if side is BUY else "0.0230", 1)
    assert seen(market, side, mine) == before


def test_our_order_may_rest_deeper_than_the_book_is_shown() -> None:
    market = a_market()
    assert seen(market, BUY, an_order(BUY, "0.0100", 1)) == ((0.0200, 10.0),)
    assert seen(market, SELL, an_order(SELL, "0.0400", 1)) == ((0.0230, 10.0),)


def test_a_level_smaller_than_our_order_is_a_book_behind_the_times() -> None:
    market = a_market()
    seen(market, BUY)
    take_book(market, ((0.0205, 1.0), (0.0200, 10.0)), ((0.0230, 10.0),))
    assert seen(market, BUY, an_order(BUY, "0.0205", 3)) == ((0.0200, 10.0),)


def test_the_last_good_reference_ends() -> None:
    market = a_market()
    seen(market, BUY)
    flying = an_order(BUY, status=Status.PENDING)
    assert seen(market, BUY, flying, at_ns=NOW_NS + REFERENCE_MAX_NS)
    assert reference(market, BUY, [flying], NOW_NS + REFERENCE_MAX_NS + 1, {}) is None


def test_no_reference_outlives_a_lost_book() -> None:
    market = a_market()
    seen(market, BUY)
    market.lose_book(Why.BOOK_GAPPED)
    assert reference(market, BUY, [an_order(BUY, status=Status.PENDING)], NOW_NS, {}) is None


def test_a_side_of_ours_alone_is_an_empty_side() -> None:
    market = a_market(bids=((0.0200, 1.0),))
    assert seen(market, BUY, an_order(BUY, "0.0200", 1)) == ()


def test_the_forward_is_the_index_where_the_venue_gives_none() -> None:
    assert a_market(index=2851.0).forward == 2851.0


def test_the_bounds_are_what_they_are_said_to_be() -> None:
    assert SILENCE_MAX_NS == 10 * SECOND
    assert REFERENCE_MAX_NS == 3 * SECOND
