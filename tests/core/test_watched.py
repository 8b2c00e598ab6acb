"""Markets that are watched and not quoted: what is known of them, and what they never do."""

from dataclasses import replace
from decimal import Decimal

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.statements import HeldPosition
from mmbot.core.types import SECOND, InstrumentId, Kind
from mmbot.core.why import Why
from mmbot.engine.report import status_frame
from mmbot.tape.codec import decode_state, encode_state
from tests.builders import EXPIRY_NS, a_perpetual, an_option
from tests.core.bot import VENUE, Bot, both_sides

NEXT = an_option(name="ETH-6JUN25-2900-C", id="deribit:ETH-6JUN25-2900-C")
PERPETUAL = a_perpetual()


def watching(*instruments: Instrument) -> Bot:
    bot = Bot.quoting(wants=both_sides())
    bot.turn(ev.InstrumentsWatched(instruments or (NEXT, PERPETUAL), "test"))
    return bot


def a_ticker(bot: Bot, instrument: InstrumentId) -> ev.TickerChanged:
    return ev.TickerChanged(
        instrument,
        mark=0.0105,
        index=2850.0,
        forward=2851.0,
        mark_iv=0.62,
        delta=0.4,
        min_price=0.0001,
        max_price=0.05,
        received_ns=bot.now_ns,
        best_bid=0.0100,
        best_ask=0.0110,
    )


def a_book(bot: Bot, instrument: InstrumentId) -> ev.BookChanged:
    return ev.BookChanged(instrument, ((2850.0, 10.0),), ((2850.5, 9.0),), 1, bot.now_ns)


# --- what is known of them --------------------------------------------------------------------


def test_a_ticker_tells_of_a_watched_option() -> None:
    bot = watching()
    bot.turn(a_ticker(bot, NEXT.id))
    market = bot.state.watched[NEXT.id]
    assert (market.best_bid, market.best_ask, market.mark, market.mark_iv) == (
        0.0100,
        0.0110,
        0.0105,
        0.62,
    )
    assert (market.forward, market.priced_ns) == (2851.0, bot.now_ns - 10_000_000)
    assert market.desk == "test"


def test_a_book_tells_of_a_watched_perpetual_until_it_is_lost() -> None:
    bot = watching()
    bot.turn(a_book(bot, PERPETUAL.id))
    market = bot.state.watched[PERPETUAL.id]
    assert (market.bids, market.asks, market.lost) == (((2850.0, 10.0),), ((2850.5, 9.0),), None)
    bot.turn(ev.BookLost(PERPETUAL.id, Why.BOOK_GAPPED))
    assert (market.bids, market.lost) == ((), Why.BOOK_GAPPED)


def test_with_the_link_of_their_venue_their_books_are_lost() -> None:
    elsewhere = a_perpetual(id="other:ETH-PERPETUAL", venue="other")
    bot = watching(PERPETUAL, elsewhere)
    bot.turn(a_book(bot, PERPETUAL.id), a_book(bot, elsewhere.id))
    bot.turn(ev.LinkChanged(VENUE, ev.Link.MARKET, up=False))
    assert bot.state.watched[PERPETUAL.id].lost is Why.LINK_DOWN
    assert bot.state.watched[elsewhere.id].lost is None


def test_new_terms_take_the_place_of_the_old_and_nothing_else_changes() -> None:
    bot = watching()
    bot.turn(a_ticker(bot, NEXT.id))
    finer = replace(NEXT, symbol="ETH/USD:ETH-250606-2900-C")
    bot.turn(ev.InstrumentsWatched((finer,), "test"))
    market = bot.state.watched[NEXT.id]
    assert (market.instrument, market.mark) == (finer, 0.0105)


def test_the_state_comes_back_from_a_tape_with_what_is_watched() -> None:
    bot = watching()
    bot.turn(a_ticker(bot, NEXT.id))
    bot.state.forget_kept()
    again = decode_state(encode_state(bot.state))
    assert again.watched == bot.state.watched
    assert list(again.watched) == [NEXT.id, PERPETUAL.id]
    assert again.watch_ends_ns == EXPIRY_NS


# --- what they never do -----------------------------------------------------------------------


def test_they_are_never_quoted_and_nothing_of_theirs_asks_for_a_decision() -> None:
    bot = watching()
    bot.puppet.wants[NEXT.id] = both_sides()
    bot.puppet.wants[PERPETUAL.id] = both_sides()
    bot.wants = ()
    bot.turn()
    bot.puppet.views.clear()
    told: list[ev.Event] = [
        a_ticker(bot, NEXT.id),
        a_book(bot, PERPETUAL.id),
        ev.TradePrinted(PERPETUAL.id, 2850.0, 5.0, both_sides()[0].side, 1),
        ev.InstrumentState(NEXT.id, "closed"),
        ev.BookLost(PERPETUAL.id, Why.BOOK_GAPPED),
    ]
    assert bot.turn(*told) == []
    assert bot.puppet.views == []
    assert bot.state.dirty == {}
    assert bot.wait(2.0) == []


def test_their_silence_keeps_no_desk_from_quoting() -> None:
    bot = watching()  # nothing was ever told of them
    bot.wants = both_sides(bid=0.0205)
    assert bot.wait(30.0)
    assert bot.state.latch.tripped is None
    assert bot.state.watch.paused is None


def test_they_are_in_no_row_and_no_figure_of_the_status_but_the_count_of_their_desk() -> None:
    bot = watching()
    bot.turn(a_ticker(bot, NEXT.id))
    before = status_frame(bot.state, "sim", VENUE, bot.now_ns, desks={bot.instrument.id: "test"})
    assert [row.instrument for row in before.every_row] == [bot.instrument.name]
    assert [(one.name, one.instruments, one.watched) for one in before.desks] == [("test", 1, 2)]
    assert bot.state.opening_index == {"ETH": bot.market.index}


# --- how they come and go ---------------------------------------------------------------------


def test_what_is_traded_is_not_watched_whichever_is_told_first() -> None:
    bot = watching()
    bot.turn(ev.InstrumentsWatched((bot.instrument,), "test"))
    assert bot.instrument.id not in bot.state.watched
    bot.turn(a_ticker(bot, NEXT.id), ev.InstrumentsListed((NEXT,), "test"))
    assert list(bot.state.watched) == [PERPETUAL.id]
    assert bot.state.markets[NEXT.id].mark is None, "its channels begin anew"


def test_what_expires_is_watched_no_more_and_told_once() -> None:
    weekly = replace(
        a_perpetual(),
        id=InstrumentId("deribit:ETH-13JUN25"),
        kind=Kind.FUTURE,
        expiry_ns=EXPIRY_NS + 7 * 86_400 * SECOND,
    )
    bot = watching(NEXT, PERPETUAL, weekly)
    bot.now_ns = EXPIRY_NS - SECOND
    bot.turn(ev.Tick())
    assert len(bot.state.watched) == 3
    bot.turn(ev.Tick(), after_s=1.0)
    assert list(bot.state.watched) == [PERPETUAL.id, weekly.id]
    assert bot.state.retired.leaving == [NEXT.id]
    assert bot.state.watch_ends_ns == weekly.expiry_ns
    bot.turn(ev.Tick())
    assert bot.state.retired.leaving == []


@pytest.mark.parametrize("instrument", [NEXT, PERPETUAL])
def test_what_is_held_there_is_held_off_the_desk(instrument: Instrument) -> None:
    bot = Bot()
    bot.connect()
    bot.turn(ev.InstrumentsWatched((NEXT, PERPETUAL), "test"))
    by_hand = HeldPosition(instrument.id, Decimal(3), terms=instrument)
    taken = bot.snapshot()
    bot.turn(structs.replace(taken, positions=(*taken.positions, by_hand)))
    assert instrument.id not in bot.state.inventory.positions
    held = bot.account.held
    assert held is not None
    assert {one: held[one].amount for one in held} == {instrument.id: Decimal(3)}
