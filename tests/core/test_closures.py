"""What the venue refuses reaches as far as the venue says, and no further."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.closures import Closure, is_locked
from mmbot.core.error_scope import ErrorScope
from mmbot.core.guards import read
from mmbot.core.intents import Place
from mmbot.core.inventory import Booked
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.statements import Equity, OpenOrder
from mmbot.core.types import SECOND, Label, Side
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_perpetual, an_option, changed
from tests.core.bot import VENUE, Bot, both_sides, cancels, places

CALL = an_option()
PERPETUAL = a_perpetual()


def a_bot() -> Bot:
    """Quotes an option and a perpetual; nothing has been answered yet."""
    bot = Bot.quoting(CALL, PERPETUAL)
    bot.puppet.wants[CALL.id] = both_sides()
    bot.puppet.wants[PERPETUAL.id] = both_sides(2498.0, 2502.0, 100)
    return bot


def quoted(bot: Bot) -> list[Place]:
    """What it places now that both markets are heard of."""
    return places(
        bot.turn(
            bot.alive(),
            bot.ticker(CALL),
            bot.ticker(PERPETUAL, mark=2500.0, index=2500.0),
            bot.book(),
            bot.book(2497.0, 2503.0, instrument=PERPETUAL),
        )
    )


def yes(bot: Bot, *sent: Place) -> list[ev.OrderSeen]:
    """The venue takes these."""
    return [bot.says_open(bot.state.orders.by_label[place.label]) for place in sent]


def no(place: Place, scope: ErrorScope, why: Why) -> ev.RequestRefused:
    return ev.RequestRefused(place.label, Request.PLACE, why, "in a test", False, scope)


def tries(bot: Bot, seconds: float, scope: ErrorScope, why: Why) -> list[Place]:
    """Everything placed in that time, each refused at once."""
    sent: list[Place] = []
    for _ in range(round(seconds * 10)):
        now = places(bot.turn(bot.alive(), ev.Tick(), bot.book(), after_s=0.1))
        if now:
            bot.turn(*(no(place, scope, why) for place in now))
        sent += now
    return sent


# --- one side ---------------------------------------------------------------------------------


def short_of_funds() -> tuple[Bot, list[Place]]:
    bot = Bot.quoting(CALL, wants=both_sides())
    sent = places(bot.turn(bot.book()))
    bid, ask = sorted(sent, key=lambda place: place.side is Side.SELL)
    bot.turn(*yes(bot, bid), no(ask, ErrorScope.SIDE, Why.NO_FUNDS))
    return bot, tries(bot, 32, ErrorScope.SIDE, Why.NO_FUNDS)


def test_a_side_without_funds_is_tried_ever_more_rarely_and_the_other_one_stays() -> None:
    bot, sent = short_of_funds()
    assert [place.side for place in sent] == [Side.SELL, Side.SELL]  # after 10 s, and 20 s more
    assert bot.on(Side.BUY).working
    assert bot.market.why[Side.SELL] is Why.NO_FUNDS


def test_the_same_lack_of_funds_is_one_refusal_for_the_guard() -> None:
    bot, _ = short_of_funds()
    assert bot.state.watch.requests.count(bot.now_ns)[1] == 1


def test_funds_that_may_have_changed_are_worth_another_try() -> None:
    bot, _ = short_of_funds()
    memory = bot.state.slot(CALL.id, Side.SELL, 0)
    waiting_until_ns = memory.not_before_ns
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    assert memory.not_before_ns < waiting_until_ns
    assert memory.not_before_ns >= memory.short_ns + 10 * SECOND


# --- one instrument ---------------------------------------------------------------------------


def test_an_instrument_that_is_not_open_is_left_alone_and_the_other_one_is_quoted() -> None:
    bot = a_bot()
    sent = quoted(bot)
    there = [place for place in sent if place.instrument == PERPETUAL.id]
    assert len(there) == len(sent) - len(there) == 2
    bot.turn(*(no(place, ErrorScope.INSTRUMENT, Why.CLOSED) for place in there))
    bot.turn(*yes(bot, *(place for place in sent if place not in there)))
    again = tries(bot, 25, ErrorScope.INSTRUMENT, Why.CLOSED)
    assert again == []
    assert bot.state.markets[PERPETUAL.id].why[Side.BUY] is Why.CLOSED
    assert [order.working for order in bot.state.orders.on(CALL.id)] == [True, True]
    assert bot.state.watch.requests.count(bot.now_ns)[1] == 0


@pytest.mark.parametrize("word", ["closed", "settled", "terminated", "halted", "locked"])
def test_news_of_a_closing_take_the_quotes_there_back(word: str) -> None:
    bot = a_bot()
    bot.turn(*yes(bot, *quoted(bot)))
    gone = cancels(bot.turn(ev.InstrumentState(PERPETUAL.id, word)))
    assert {cancel.instrument for cancel in gone} == {PERPETUAL.id}
    assert {cancel.why for cancel in gone} == {Why.CLOSED}


def test_an_instrument_that_opens_again_is_quoted_again() -> None:
    bot = a_bot()
    bot.turn(ev.InstrumentState(PERPETUAL.id, "closed"))
    assert {place.instrument for place in quoted(bot)} == {CALL.id}
    opened = places(bot.turn(ev.InstrumentState(PERPETUAL.id, "started")))
    assert {place.instrument for place in opened} == {PERPETUAL.id}


def test_a_ticker_that_says_closed_closes_and_one_that_says_open_opens() -> None:
    bot = a_bot()
    shut = bot.ticker(PERPETUAL, mark=2500.0, index=2500.0, state="closed")
    bot.turn(shut, bot.book(2497.0, 2503.0, instrument=PERPETUAL))
    assert bot.state.markets[PERPETUAL.id].why[Side.BUY] is Why.CLOSED
    is_open = bot.ticker(PERPETUAL, mark=2500.0, index=2500.0, state="open")
    assert places(bot.turn(is_open, bot.book(2497.0, 2503.0, instrument=PERPETUAL)))


def test_a_word_nobody_has_heard_of_says_nothing() -> None:
    closure = Closure()
    closure.hear_ticker("auction", NOW_NS)
    closure.hear_news("renamed", NOW_NS)
    assert closure.reason(NOW_NS) is None


def test_news_that_were_never_taken_back_are_outlived_by_a_ticker() -> None:
    closure = Closure()
    closure.hear_news("closed", NOW_NS)
    closure.hear_ticker("open", NOW_NS + SECOND)
    assert closure.reason(NOW_NS + SECOND) is Why.CLOSED
    closure.hear_ticker("open", NOW_NS + 6 * SECOND)
    assert closure.reason(NOW_NS + 6 * SECOND) is None


# --- the platform and the account -------------------------------------------------------------


def test_a_locked_platform_is_waited_for_and_trips_nothing() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    refused = places(bot.turn(bot.book()))
    bot.turn(*(no(place, ErrorScope.PLATFORM, Why.LOCKED) for place in refused))
    sent = tries(bot, 60, ErrorScope.PLATFORM, Why.LOCKED)
    assert 8 <= len(sent) <= 14  # both sides after 1, 2, 4, 8, 16, 30 s
    assert bot.state.latch.tripped is None
    assert bot.state.watch.requests.count(bot.now_ns)[1] == 0
    accepted: list[Place] = []
    for _ in range(320):
        accepted += places(bot.turn(bot.alive(), ev.Tick(), after_s=0.1))
    assert len(accepted) == 2  # back by itself


@pytest.mark.parametrize("name", [None, "ETH", "eth", "eth_usd", "ETH_USD"])
def test_a_lock_covers_what_is_settled_or_priced_in_it(name: str | None) -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    bot.rest(*both_sides())
    gone = cancels(bot.turn(ev.PlatformState(VENUE, name, locked=True, detail="")))
    assert [cancel.why for cancel in gone] == [Why.LOCKED, Why.LOCKED]
    bot.turn(*(bot.says_cancelled(order) for order in bot.orders))
    unlocked = ev.PlatformState(VENUE, name, locked=False, detail="")
    assert len(places(bot.turn(unlocked, bot.alive(), bot.book()))) == 2


@pytest.mark.parametrize("name", ["BTC", "btc_usd", "eth_usdc", "usdc"])
def test_a_lock_on_something_else_is_none_here(name: str) -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    bot.turn(ev.PlatformState(VENUE, name, locked=True, detail=""))
    bot.turn(bot.book())
    assert len(bot.orders) == 2


def test_unlocking_everything_ends_every_lock() -> None:
    bot = Bot.quoting(CALL)
    for name in ("ETH", "btc_usd", None):
        bot.turn(ev.PlatformState(VENUE, name, locked=True, detail=""))
    bot.turn(ev.PlatformState(VENUE, None, locked=False, detail=""))
    assert not is_locked(bot.account.locks, CALL)


def test_a_blocked_account_is_asked_once_in_a_long_while() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    refused = places(bot.turn(bot.book()))
    bot.turn(*(no(place, ErrorScope.ACCOUNT, Why.BLOCKED) for place in refused))
    assert tries(bot, 25, ErrorScope.ACCOUNT, Why.BLOCKED) == []
    assert bot.market.why[Side.BUY] is Why.BLOCKED


# --- what is not known ------------------------------------------------------------------------


def test_an_account_nobody_has_seen_for_long_takes_no_new_risk() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    bot.rest(*both_sides())
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    unreadable = ev.SnapshotFailed(VENUE, "no list", unreadable=True)
    for _ in range(95):
        bot.turn(bot.alive(), ev.Tick(), unreadable, bot.book(), after_s=1)
    assert bot.market.why[Side.BUY] is Why.ACCOUNT_UNSEEN
    assert bot.market.why[Side.SELL] is not Why.ACCOUNT_UNSEEN  # it reduces what is held
    bot.account.asked_ns = bot.now_ns
    bot.turn(bot.snapshot(positions={CALL.id: 1}))
    bot.turn(bot.alive(), bot.book())
    assert bot.market.why[Side.BUY] is not Why.ACCOUNT_UNSEEN


def test_looks_that_nobody_can_read_are_taken_ever_more_rarely() -> None:
    bot = Bot.quoting(CALL)
    waits = []
    for _ in range(7):
        bot.account.asked_ns = bot.now_ns
        bot.turn(ev.SnapshotFailed(VENUE, "no list", unreadable=True))
        waits.append(round((bot.account.resync_ns - bot.now_ns) / SECOND))
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_position_that_could_not_be_read_is_not_taken_for_none() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    bot.rest(*both_sides())
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    for _ in range(3):
        bot.account.asked_ns = bot.now_ns
        bot.turn(bot.snapshot(positions={CALL.id: None}))
    assert not bot.market.halted
    assert bot.position == Decimal(1)


def test_an_order_missing_from_a_list_that_is_not_whole_is_not_missing() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    bot.rest(*both_sides())
    bot.account.asked_ns = bot.now_ns
    bot.turn(bot.snapshot(orders=(), orders_complete=False), after_s=5)
    assert [order.working for order in bot.orders] == [True, True]
    assert bot.on(Side.BUY).order_id


# --- margins ----------------------------------------------------------------------------------


def test_a_portfolio_is_compared_with_the_portfolio() -> None:
    bot = Bot.quoting(CALL)
    row = Equity("ETH", Decimal(2), Decimal(1), Decimal(3), margin_balance=Decimal(100), cross=True)
    bot.account.equity = {"ETH": row}
    (margin,) = read(bot.state, bot.now_ns).margins
    assert (margin.equity, margin.maintenance) == (Decimal(100), Decimal(3))


def test_what_a_portfolio_has_is_unknown_where_it_is_not_stated() -> None:
    bot = Bot.quoting(CALL)
    bot.account.equity = {"ETH": Equity("ETH", Decimal(2), Decimal(1), Decimal(3), cross=True)}
    assert read(bot.state, bot.now_ns).margins == ()


def test_new_terms_are_worth_another_try_at_once() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    refused = places(bot.turn(bot.book()))
    bot.turn(*(no(place, ErrorScope.INSTRUMENT, Why.CLOSED) for place in refused))
    assert places(bot.turn(bot.alive(), bot.book(), after_s=1)) == []
    finer = changed(CALL, tick=CALL.grid.tick / 2)
    assert len(places(bot.turn(ev.InstrumentsListed((finer,)), bot.book()))) == 2


# --- executions -------------------------------------------------------------------------------


def test_a_trade_with_ourselves_is_booked_as_two() -> None:
    bot = Bot.quoting(CALL)
    bid, ask = bot.rest(*both_sides())
    bought = bot.fill(bid, trade_id="one trade")
    sold = bot.fill(ask, trade_id="one trade")
    for _ in range(2):
        bot.turn(ev.Filled(bought), ev.Filled(sold))
    assert bot.position == 0
    assert bot.state.inventory.of(CALL).fills == 2


def test_an_execution_without_a_label_is_ours_by_its_order() -> None:
    bot = Bot.quoting(CALL)
    bid, _ = bot.rest(*both_sides())
    unlabeled = replace(bot.fill(bid), label=None, order_id=bid.order_id)
    bot.turn(ev.Filled(unlabeled))
    (booked,) = (entry for entry in bot.state.entries if isinstance(entry, Booked))
    assert (booked.ours, booked.fill.label) == (True, bid.label)
    assert bid.booked == 1


def test_an_answer_that_repeats_nothing_leaves_an_order_as_we_asked_for_it() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    (bid, _) = places(bot.turn(bot.book()))
    order = bot.state.orders.by_label[bid.label]
    bare = replace(bot.says_open(order), instrument=None, amount=None, filled=None, side=None)
    bot.turn(bare)
    assert (order.status, order.price, order.amount) == (Status.LIVE, bid.price, bid.amount)


def test_an_order_said_to_be_filled_owes_all_of_it_until_the_fill_comes() -> None:
    bot = Bot.quoting(CALL)
    bid, _ = bot.rest(*both_sides())
    bot.turn(replace(bot.says(bid, OrderState.FILLED), amount=None, filled=None))
    assert bid.unbooked == bid.booked + 1


def test_an_order_of_ours_nobody_knows_the_size_of_goes_and_nothing_is_quoted_beside_it() -> None:
    bot = Bot.quoting(CALL, wants=both_sides())
    left = OpenOrder("77", Label("mmold-1"), None, None, None, None, None, bot.ms)
    bot.account.asked_ns = bot.now_ns
    sent = bot.turn(bot.snapshot(orders=(left,)), bot.book())
    assert places(sent) == []
    assert [cancel.order_id for cancel in cancels(sent + bot.turn())] == ["77"]
    bot.turn(bot.says_cancelled(bot.state.orders.by_label[Label("mmold-1")]))
    assert len(places(bot.turn(bot.alive(), bot.book()))) == 2
