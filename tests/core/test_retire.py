"""Instruments go when nothing is owed there any more, and no sum can tell that they went."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from operator import add

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.inventory import Pnl
from mmbot.core.order_counts import OrderCounts
from mmbot.core.order_life import OrderState
from mmbot.core.retire import KEPT_NS, SETTLED_NS
from mmbot.core.statements import FlowKind, HeldPosition
from mmbot.core.totals import LATELY_MAX, Former
from mmbot.core.types import SECOND, InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.risk.guards.day_loss import DayLoss
from mmbot.tape.codec import encode_state
from tests.builders import a_fill, a_quote
from tests.core.bot import VENUE
from tests.core.ending import DELIVERED, LIFE_S, PERP, SOON, Ending

AFTER_S = LIFE_S + SETTLED_NS / SECOND
LONG_S = AFTER_S + 150


def delivered() -> Ending:
    """Two were bought, the option has expired, they were delivered, and it has left."""
    bot = Ending()
    bot.buy()
    bot.owed = (DELIVERED,)
    bot.live(LONG_S)
    assert bot.retired == [SOON.id]
    return bot


def session(bot: Ending) -> Pnl:
    """Of this run, whether it is there or gone."""
    inventory = bot.state.inventory
    there = [inventory.session(m.instrument, None) for m in bot.state.markets.values()]
    return reduce(add, (*there, *(one.pnl for one in bot.state.retired.of())), Pnl())


# --- when it goes -----------------------------------------------------------------------------


def test_what_is_delivered_and_flat_leaves_nothing_in_the_state_but_its_terms() -> None:
    bot = delivered()
    assert list(bot.state.markets) == [PERP.id]
    assert SOON.id not in bot.desks
    assert list(bot.state.retired.lately) == [SOON.id]
    bot.state.retired.lately.clear()
    bot.turn()
    assert SOON.name.encode() not in encode_state(bot.state)


def test_what_was_never_traded_leaves_too_a_while_after_its_expiry() -> None:
    bot = Ending()
    bot.live(AFTER_S)
    assert bot.retired == []
    bot.live(LONG_S)
    assert bot.retired == [SOON.id]


def test_what_does_not_expire_stays() -> None:
    bot = delivered()
    bot.live(600)
    assert bot.retired == [SOON.id]
    assert list(bot.state.markets) == [PERP.id]


def test_a_position_that_is_not_delivered_stays() -> None:
    bot = Ending()
    bot.buy()
    bot.live(LONG_S)
    assert bot.retired == []
    assert bot.position == 2


def test_an_order_of_unknown_end_keeps_it_until_the_venue_knows_no_such_order() -> None:
    bot = Ending()
    (order,) = bot.rest(a_quote(Side.BUY, 0.02, 1))
    bot.stuck = True
    bot.live(LONG_S)
    assert order.working
    assert bot.retired == []
    bot.stuck = False
    bot.live(LONG_S)
    assert not order.working
    assert bot.retired == [SOON.id]


def test_a_position_of_which_the_venue_says_nothing_readable_stays() -> None:
    bot = Ending()
    bot.live(AFTER_S)
    for _ in range(6):
        bot.ask_again()
        bot.turn(bot.snapshot(positions={SOON.id: None}))
    assert bot.retired == []
    bot.ask_again()
    bot.turn(bot.snapshot())
    assert bot.retired == [SOON.id]


def test_a_log_of_flows_that_was_not_read_to_its_end_keeps_it() -> None:
    bot = Ending()
    bot.live(AFTER_S)
    for _ in range(6):
        bot.ask_again()
        bot.turn(structs.replace(bot.snapshot(), flows_complete=False))
    assert bot.retired == []


def test_the_last_market_of_a_desk_that_hedges_stays() -> None:
    bot = Ending()
    del bot.state.markets[PERP.id]
    bot.state.hedges[""] = {}
    bot.live(LONG_S)
    assert bot.retired == []


# --- what it came to --------------------------------------------------------------------------


def test_profit_orders_and_fills_are_kept_as_reckoned_by_hand() -> None:
    """Bought 2 at 0.0200 (mark 0.0215) for 0.0006, delivered at 0.0175 for 0.0001."""
    (total,) = delivered().state.retired.totals.values()
    assert (total.instruments, total.fills) == (1, 1)
    assert total.orders == OrderCounts(placed=1)
    assert total.pnl.spread == Decimal("0.003")
    assert total.pnl.inventory == Decimal("-0.008")
    assert total.pnl.fees == Decimal("0.0007")
    assert total.pnl.total == Decimal("-0.0057")
    assert total.carried == Pnl()
    assert total.sides == 2


def test_every_figure_is_the_same_right_before_and_right_after() -> None:
    bot = Ending()
    bot.guards = [DayLoss(limit_usd=Decimal("1e9"))]
    bot.buy()
    bot.owed = (DELIVERED,)
    figures: Callable[[], object] = lambda: (  # noqa: E731
        session(bot),
        bot.state.watch.profit.session_usd,
        bot.state.watch.profit.total_usd,
        bot.state.watch.profit.peak_usd,
        bot.state.worst_coin,
    )
    while bot.position or not bot.owed:
        bot.step()
    bot.owed = ()
    for _ in range(600):
        before = figures()
        if bot.step():
            break
    assert bot.retired == [SOON.id]
    assert figures() == before
    assert session(bot).total == Decimal("-0.0057")
    assert bot.state.watch.profit.session_usd == pytest.approx(-0.0057 * 2850.0)
    assert bot.state.watch.profit.counted == {}


# --- what comes afterwards --------------------------------------------------------------------


def test_a_late_fill_is_booked_once_and_what_it_opened_is_looked_at() -> None:
    bot = delivered()
    late = a_fill(Side.BUY, "0.0200", 1, trade_id="late", venue_ms=DELIVERED.venue_ms - 1)
    bot.turn(ev.Filled(late))
    bot.turn(ev.Filled(late))
    assert bot.state.inventory.amount(SOON.id) == 1
    assert bot.account.resync_ns <= bot.now_ns + SECOND
    assert [entry.fill.trade_id for entry in bot.state.entries if hasattr(entry, "fill")][-1:] == [
        "late"
    ]


def test_what_its_late_fill_opened_is_delivered_and_it_leaves_again() -> None:
    bot = delivered()
    before = session(bot).total
    late = a_fill(Side.BUY, "0.0200", 1, trade_id="late", venue_ms=DELIVERED.venue_ms - 1)
    bot.owed = (structs.replace(DELIVERED, ref="901", money=Decimal("0.0175"), fee=Decimal(0)),)
    bot.turn(ev.Filled(late))
    bot.live(300)
    assert bot.retired == [SOON.id, SOON.id]
    assert session(bot).total == before - Decimal("0.0025")
    (total,) = bot.state.retired.totals.values()
    assert (total.instruments, total.fills) == (2, 2)


def test_what_is_told_again_changes_nothing() -> None:
    bot = delivered()
    again = a_fill(Side.BUY, "0.0200", 2, trade_id="trade-1", venue_ms=bot.ms)
    bot.turn(ev.Filled(again))
    bot.ask_again()
    bot.turn(bot.snapshot(flows=(DELIVERED,)))
    assert list(bot.state.markets) == [PERP.id]
    assert session(bot).total == Decimal("-0.0057")


def test_a_late_flow_is_booked_once() -> None:
    bot = delivered()
    paid = structs.replace(DELIVERED, ref="902", kind=FlowKind.FUNDING, money=Decimal("0.5"))
    for _ in range(2):
        bot.ask_again()
        bot.turn(bot.snapshot(flows=(paid,)))
    assert session(bot).total == Decimal("0.4943")


def test_a_fill_where_nobody_knows_the_terms_any_more_is_looked_at_as_held_off_desk() -> None:
    bot = delivered()
    bot.state.retired.lately.clear()
    late = a_fill(Side.BUY, "0.0200", 1, trade_id="late", venue_ms=bot.ms)
    bot.turn(ev.Filled(late))
    assert late.key in bot.state.inventory.booked
    assert bot.account.resync_ns <= bot.now_ns + SECOND
    bot.ask_again()
    held = HeldPosition(SOON.id, Decimal(1), Decimal("0.02"), terms=SOON)
    bot.turn(structs.replace(bot.snapshot(), positions=(held,)))
    assert bot.account.off_desk["ETH"].coin == 1


def test_terms_are_kept_of_so_many_that_left_last() -> None:
    retired = Ending().state.retired
    for number in range(LATELY_MAX + 3):
        one = replace(SOON, id=InstrumentId(f"{VENUE}:{number}"))
        retired.keep(Former(one, "", 0, None, None))
    assert next(iter(retired.lately)) == f"{VENUE}:3"
    assert len(retired.lately) == LATELY_MAX


def test_whatever_is_said_of_it_afterwards_breaks_no_turn() -> None:
    bot = delivered()
    bot.desks[SOON.id] = bot.desks[PERP.id]  # who trades it need not have heard
    bot.turn(
        bot.book(instrument=SOON),
        bot.ticker(SOON),
        ev.TradePrinted(SOON.id, 0.02, 1.0, Side.BUY, bot.ms),
        ev.InstrumentState(SOON.id, "settled"),
        ev.BookLost(SOON.id, Why.NO_BOOK),
        bot.alive(),
    )
    assert list(bot.state.markets) == [PERP.id]


def test_an_order_of_ours_that_turns_up_there_is_taken_back() -> None:
    bot = delivered()
    stray = ev.OrderSeen(
        venue=VENUE,
        label=Label("mmtest-z"),
        order_id="stray",
        instrument=SOON.id,
        side=Side.BUY,
        price=Decimal("0.02"),
        amount=Decimal(1),
        filled=Decimal(0),
        state=OrderState.OPEN,
        venue_ms=bot.ms,
    )
    bot.turn(stray)
    bot.live(30)
    assert not bot.orders


# --- keys go by age ---------------------------------------------------------------------------


def test_keys_and_names_go_when_no_venue_is_asked_about_their_time_any_more() -> None:
    bot = delivered()
    first = next(iter(bot.state.inventory.booked))
    bot.live(KEPT_NS / SECOND - 300)
    assert first in bot.state.inventory.booked
    bot.live(1_000)
    assert bot.state.inventory.booked == {}
    assert not bot.state.orders.forgotten
    assert not bot.state.orders.ids
    again = a_fill(Side.BUY, "0.0200", 2, trade_id="trade-1", venue_ms=DELIVERED.venue_ms - 10_000)
    bot.turn(ev.Filled(again))
    assert list(bot.state.markets) == [PERP.id], "what is so old is booked"
