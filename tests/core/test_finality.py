"""Fills that the venue may take back: booked at once, then final, or reversed."""

from dataclasses import replace
from decimal import Decimal

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core import hedge
from mmbot.core.apply import apply
from mmbot.core.capabilities import Capabilities
from mmbot.core.inventory import Booked
from mmbot.core.order_life import OrderState, Status
from mmbot.core.orders import Order
from mmbot.core.recovery import take_provisional
from mmbot.core.sizes import Size
from mmbot.core.statements import Fill, Finality, Liquidity
from mmbot.core.types import BUY, MS, SECOND, SELL, Side
from mmbot.core.views import HedgeView
from mmbot.risk.max_position import MaxPosition
from tests.builders import NOW_NS, a_fill, a_quote
from tests.core.bot import VENUE, Bot, both_sides, resyncs

MARK = Decimal("0.0215")


def said(fill: Fill, finality: Finality, later_ms: int = 900) -> Fill:
    """The venue's word on a fill, so much later."""
    stated_ms = 0 if finality is Finality.PROVISIONAL else fill.venue_ms + later_ms
    return structs.replace(fill, finality=finality, stated_ms=stated_ms)


def provisional(fill: Fill) -> Fill:
    return said(fill, Finality.PROVISIONAL)


def final(fill: Fill) -> Fill:
    return said(fill, Finality.FINAL)


def void(fill: Fill) -> Fill:
    return said(fill, Finality.VOIDED)


def money(bot: Bot) -> tuple[Decimal, ...]:
    """Everything that a fill changes, at one mark."""
    position = bot.state.inventory.of(bot.instrument)
    pnl = position.pnl(MARK)
    return (
        position.amount,
        position.cash,
        position.fees,
        position.spread,
        position.inventory,
        position.volume,
        Decimal(position.fills),
        pnl.total,
        pnl.spread + pnl.inventory + pnl.funding - pnl.fees,
        pnl.realized + pnl.unrealized,
    )


A_FILL = a_fill(BUY, "0.0200", 3, fee="0.0009", mark="0.0210", venue_ms=NOW_NS // MS + 5_000)

ORDERS = [
    [provisional(A_FILL), void(A_FILL)],
    [void(A_FILL)],
    [void(A_FILL), provisional(A_FILL)],
    [void(A_FILL), void(A_FILL), provisional(A_FILL), void(A_FILL)],
    [provisional(A_FILL), provisional(A_FILL), void(A_FILL), provisional(A_FILL), void(A_FILL)],
]


@pytest.mark.parametrize("history", [False, True], ids=["told", "found in the history"])
@pytest.mark.parametrize("words", ORDERS)
def test_of_a_voided_fill_nothing_is_left_whatever_came_first(
    words: list[Fill], history: bool
) -> None:
    bot = Bot.quoting()
    before = money(bot)
    for word in words:
        if history:
            bot.ask_again()
            bot.turn(bot.snapshot(fills=[word], positions={bot.instrument.id: 0}))
        else:
            bot.turn(ev.Filled(word), bot.ticker(mark=0.0212))
    assert money(bot) == before
    assert bot.state.inventory.provisional == {}


def test_a_voided_fill_and_its_reversal_are_both_booked_once() -> None:
    bot = Bot.quoting()
    bot.turn(*(ev.Filled(word) for word in (*ORDERS[0], *ORDERS[3])))
    booked = [entry for entry in bot.state.entries if isinstance(entry, Booked)]
    assert [(b.fill.trade_id, b.fill.side, b.fill.fee, b.mark) for b in booked] == [
        ("t1", BUY, Decimal("0.0009"), Decimal("0.0210")),
        ("t1 void", SELL, Decimal("-0.0009"), Decimal("0.0210")),
    ]
    assert booked[1].fill.reverses == "t1"
    assert booked[1].fill.venue_ms == A_FILL.venue_ms + 900, "it is booked when it happened"


def test_a_final_fill_is_what_it_would_have_been_from_the_start() -> None:
    late, soon = Bot.quoting(), Bot.quoting()
    late.turn(*map(ev.Filled, (provisional(A_FILL), final(A_FILL), final(A_FILL))))
    soon.turn(ev.Filled(A_FILL), ev.Filled(A_FILL))
    assert money(late) == money(soon)
    assert late.position == 3
    again = [entry.again for entry in late.state.entries if isinstance(entry, Booked)]
    assert again == [False, True]


def test_the_first_word_that_is_not_provisional_stands() -> None:
    bot = Bot.quoting()
    bot.turn(*map(ev.Filled, (provisional(A_FILL), final(A_FILL), void(A_FILL))))
    assert bot.position == 3


def test_a_void_after_the_mark_has_moved_leaves_no_profit_of_the_time_between() -> None:
    bot = Bot.quoting()
    other = a_fill(BUY, "0.0205", 2, trade_id="t2", mark="0.0220", venue_ms=A_FILL.venue_ms + 100)
    bot.turn(ev.Filled(provisional(A_FILL)), ev.Filled(other), ev.Filled(void(A_FILL)))
    plain = Bot.quoting()
    plain.turn(ev.Filled(other))
    assert money(bot) == money(plain)


# After a restart ----------------------------------------------------------------------------------


def test_a_void_that_came_while_nobody_listened_is_found_by_the_next_run() -> None:
    bot = Bot.quoting()
    bot.turn(ev.Filled(provisional(A_FILL)))
    held = replace(bot.state.inventory.of(bot.instrument))
    (known,) = bot.state.inventory.provisional.values()

    again = Bot()
    again.now_ns = NOW_NS + 3_600 * SECOND
    again.turn(ev.InstrumentsListed(again.instruments))
    again.state.inventory.take_over(held)
    take_provisional(again.state, [known])
    (asked,) = resyncs(again.connect())
    assert asked.fills_since_ms <= A_FILL.venue_ms, "the history is asked from the open fill on"
    again.turn(again.snapshot(fills=[void(A_FILL)], positions={again.instrument.id: 0}))
    assert (again.position, again.market.halted) == (Decimal(0), "")
    assert money(again)[1:4] == (Decimal(0),) * 3


def test_the_history_is_asked_from_the_oldest_open_fill_on_until_it_is_closed() -> None:
    bot = Bot.quoting()
    bot.turn(ev.Filled(provisional(A_FILL)))
    bot.wait(200)
    bot.turn(bot.snapshot())
    bot.wait(200)
    assert bot.ask_again().fills_since_ms == A_FILL.venue_ms
    bot.turn(bot.snapshot(fills=[final(A_FILL)]))
    assert bot.ask_again().fills_since_ms > A_FILL.venue_ms


def test_what_was_there_before_us_is_taken_back_as_a_trade_of_its_own() -> None:
    """Bought for 3 x 0.0200 before this run and taken over at 0.0215; the venue pays that back."""
    bot = Bot()
    bot.connect()
    before = a_fill(BUY, "0.0200", 3, fee="0.0009", venue_ms=NOW_NS // MS - 20_000)
    bot.turn(bot.ticker(mark=0.0215))
    bot.turn(bot.snapshot(fills=[provisional(before)], positions={bot.instrument.id: 3}))
    assert bot.position == 3
    bot.turn(ev.Filled(said(before, Finality.VOIDED, 25_000)))
    assert bot.position == 0
    total = bot.state.inventory.of(bot.instrument).pnl(MARK).total
    assert total == 3 * (Decimal("0.0200") - MARK) + Decimal("0.0009")


def test_what_was_taken_back_before_us_is_none_of_our_business() -> None:
    bot = Bot()
    bot.connect()
    before = a_fill(BUY, "0.0200", 3, venue_ms=NOW_NS // MS - 20_000)
    gone = said(before, Finality.VOIDED, 900)
    bot.turn(bot.snapshot(fills=[gone], positions={bot.instrument.id: 0}))
    assert bot.position == 0
    assert not [entry for entry in bot.state.entries if isinstance(entry, Booked)]


# Orders -------------------------------------------------------------------------------------------


def hear(bot: Bot, *events: ev.Event) -> None:
    """Let these happen, and nothing be decided."""
    bot.now_ns += SECOND // 10
    for event in events:
        apply(bot.state, event, bot.now_ns)


def amounts(order: Order) -> list[Decimal]:
    return [order.filled, order.booked, order.remaining, order.exposed, order.unbooked]


def test_an_orders_filled_amount_goes_down_with_a_void() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    fill = bot.fill(order, 2)
    hear(bot, ev.Filled(provisional(fill)), bot.says(order, filled=2))
    assert amounts(order) == [2, 2, 3, 3, 0]
    hear(bot, ev.Filled(void(fill)))
    assert amounts(order) == [0, 0, 5, 5, 0], "until the venue says that it is smaller by it"
    hear(bot, structs.replace(bot.says(order, filled=0, venue_ms=bot.ms + 1), amount=Decimal(3)))
    assert amounts(order) == [0, 0, 3, 3, 0]


def test_the_orders_own_word_of_the_void_may_come_first() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    fill = bot.fill(order, 2)
    hear(bot, ev.Filled(provisional(fill)), bot.says(order, filled=2))
    hear(bot, structs.replace(bot.says(order, filled=0, venue_ms=bot.ms + 1), amount=Decimal(3)))
    assert order.unbooked == 0
    hear(bot, ev.Filled(void(fill)))
    assert amounts(order) == [0, 0, 3, 3, 0]


def test_an_older_word_of_the_fill_after_its_void_is_corrected_by_the_next_one() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    fill, late = bot.fill(order, 2), bot.says(order, filled=2, venue_ms=bot.ms + 1)
    hear(bot, ev.Filled(provisional(fill)), ev.Filled(void(fill)), late)
    assert order.unbooked == 2
    hear(bot, structs.replace(bot.says(order, filled=0, venue_ms=bot.ms + 900), amount=Decimal(3)))
    assert amounts(order) == [0, 0, 3, 3, 0]


def test_a_void_of_an_order_that_has_ended_owes_nothing() -> None:
    bot = Bot.quoting()
    (order,) = bot.rest(a_quote(BUY, 0.0200, 2))
    fill = bot.fill(order, 2)
    hear(bot, ev.Filled(provisional(fill)), bot.says(order, OrderState.FILLED, filled=2))
    assert (bot.position, bot.orders) == (Decimal(2), [])
    hear(bot, ev.Filled(void(fill)))
    assert (bot.position, bot.orders) == (Decimal(0), [])


@pytest.mark.parametrize("told_before", [False, True], ids=["found in the look", "told before it"])
@pytest.mark.parametrize("fills_final", [False, True])
def test_that_it_is_filled_is_true_of_what_was_taken_back_too(
    fills_final: bool, told_before: bool
) -> None:
    """A venue that says little: FILLED, and not how much. Where fills are final all of it is owed;
    where they are not, what the trades listed afterwards say."""
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(fills_final=fills_final)))
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    bot.wants = []
    gone, end = (
        void(bot.fill(order, 5)),
        structs.replace(bot.says(order, OrderState.FILLED), filled=None),
    )
    if told_before:
        hear(bot, ev.Filled(gone), end)
        assert order.unbooked == 5
    bot.ask_again()
    flat = {bot.instrument.id: 0}
    bot.turn(bot.snapshot(lookups=[(order.label, end)], fills=[gone], positions=flat))
    assert [one.unbooked for one in bot.orders] == ([Decimal(5)] if fills_final else [])


def test_a_fill_taken_back_in_the_millisecond_of_the_end_is_not_owed() -> None:
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(fills_final=False)))
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    bot.wants = []
    gone, end = void(bot.fill(order, 5)), bot.says(order, OrderState.FILLED, filled=5)
    hear(bot, ev.Filled(gone), end)
    bot.ask_again()
    flat, then = {bot.instrument.id: 0}, structs.replace(end, filled=Decimal(0))
    bot.turn(bot.snapshot(lookups=[(order.label, then)], fills=[gone], positions=flat))
    assert bot.orders == []


def test_what_is_filled_by_the_look_itself_is_owed_until_it_is_listed() -> None:
    """A trade that could not be read."""
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(fills_final=False)))
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    bot.wants = []
    end = bot.says(order, OrderState.FILLED, filled=5)
    hear(bot, end)
    bot.ask_again()
    bot.turn(bot.snapshot(lookups=[(order.label, end)]))
    assert order.unbooked == 5


def test_an_older_look_does_not_say_that_an_order_which_ended_since_is_owed_nothing() -> None:
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(fills_final=False)))
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    bot.wants = []
    open_ = structs.replace(bot.says(order), filled=None)
    bot.ask_again()
    hear(bot, bot.says(order, OrderState.FILLED, filled=5))
    bot.turn(bot.snapshot(lookups=[(order.label, open_)]))
    assert order.unbooked == 5


@pytest.mark.parametrize(
    "can",
    [
        Capabilities(),
        Capabilities(fills_final=False),
        Capabilities(fills_final=False, end_tells_filled=True),
        Capabilities(end_tells_filled=True),
    ],
)
def test_an_end_that_says_no_amount_is_asked_about_unless_the_venue_tells_all_before(
    can: Capabilities,
) -> None:
    """That one fill has been heard of says nothing of another one, told while nobody listened."""
    bot = Bot.quoting()
    asks = not (can.end_tells_filled and can.fills_final)
    bot.turn(ev.VenueDescribed(VENUE, can))
    (order,) = bot.rest(a_quote(BUY, 0.0200, 5))
    bot.wants = []
    unheard, heard = bot.fill(order, 3), bot.fill(order, 1)
    end = structs.replace(bot.says(order, OrderState.CANCELLED), filled=None)
    hear(bot, ev.Filled(final(heard)), end)
    assert [one.status for one in bot.orders] == ([Status.UNKNOWN] if asks else [])
    if asks:
        assert order.exposed == 4, "it may all have been filled"
        bot.ask_again()
        look = bot.snapshot(lookups=[(order.label, end)], fills=[provisional(unheard)])
        bot.turn(look)
        assert (bot.orders, bot.position) == ([], Decimal(4))


# Limits and hedges --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("finality", "bid", "ask"),
    [(Finality.PROVISIONAL, 2, 5), (Finality.FINAL, 2, 8), (Finality.VOIDED, 5, 5)],
)
def test_limits_hold_with_a_provisional_fill_and_without_it(
    finality: Finality, bid: int, ask: int
) -> None:
    """3 bought of at most 5 either way: 2 more may be bought; 8 may be sold once it is sure that
    they are held, and 5 before."""
    bot = Bot.quoting(rules=[MaxPosition(limit=Size(Decimal(5)))])
    bot.wants = both_sides(size=20)
    bot.turn(ev.Filled(said(A_FILL, finality)), bot.book())
    assert {order.side: order.amount for order in bot.orders} == {BUY: bid, SELL: ask}


class Watching:
    """A hedger that wants nothing and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Decimal] = []

    def hedges(self, desk: HedgeView) -> list[tuple[object, object]]:
        self.shown.append(desk.markets[0].position)
        return []


@pytest.mark.parametrize(
    ("liquidity", "shown"), [(Liquidity.MAKER, [0, 3]), (Liquidity.TAKER, [3, 3])]
)
def test_hedgers_see_what_quotes_made_once_it_is_final_and_what_was_taken_at_once(
    liquidity: Liquidity, shown: list[int]
) -> None:
    """A hedge that is not confirmed yet would be traded twice."""
    bot, hedger = Bot.quoting(), Watching()
    desk = replace(bot.desks[bot.instrument.id], hedger=hedger)  # type: ignore[arg-type]  # it wants nothing
    seen = []
    for word in (provisional(A_FILL), final(A_FILL)):
        bot.turn(ev.Filled(structs.replace(word, liquidity=liquidity)))
        hedge._of(bot.state, desk, {bot.instrument.id: desk}, bot.now_ns)
        seen.append(hedger.shown[-1])
    assert seen == shown


@pytest.mark.parametrize("side", Side)
def test_a_reversal_is_the_same_the_other_way_round(side: Side) -> None:
    fill = a_fill(side, "0.02", 4, fee="0.001", trade_id="x")
    back = fill.reversal(fill.venue_ms + 7)
    assert (back.side, back.amount, back.price, back.fee) == (
        side.opposite,
        fill.amount,
        fill.price,
        -fill.fee,
    )
    assert back.key != fill.key
    assert back.key != structs.replace(fill, side=side.opposite).key, (
        "a trade with ourselves has that one"
    )
