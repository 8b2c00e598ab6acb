"""What a fresh state makes of what earlier runs have left."""

from dataclasses import replace
from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.absence import CLOCK_SKEW_NS
from mmbot.core.capabilities import VALID_FOR_NS
from mmbot.core.inventory import Position
from mmbot.core.order_life import Status
from mmbot.core.recovery import KNOWN_BEFORE_MS, take_budget, take_end, take_order, take_positions
from mmbot.core.state import State
from mmbot.core.types import MS, SECOND, Side
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_perpetual, an_option, an_order
from tests.core.bot import VENUE, Bot, both_sides, places


def test_what_was_traded_since_the_oldest_last_trade_is_asked_for() -> None:
    state = State(run="new", started_ns=NOW_NS)
    traded = Position(an_option(), Decimal(3), opened=True, opened_ms=50, last_fill_ms=90_000_000)
    untouched = Position(a_perpetual(), opened=True, opened_ms=95_000_000)
    known_since_ms = take_positions(state, VENUE, [traded, untouched])
    assert state.account(VENUE).resume_ms == 90_000_000
    assert known_since_ms == 90_000_000 - KNOWN_BEFORE_MS
    assert state.inventory.of(traded.instrument).amount == Decimal(3)


def test_a_position_that_was_never_opened_says_nothing_about_when_to_resume() -> None:
    state = State(run="new", started_ns=NOW_NS)
    unopened = Position(an_option(), last_fill_ms=90_000_000)
    since_ms = take_positions(state, VENUE, [unopened])
    assert since_ms == NOW_NS // MS - KNOWN_BEFORE_MS, "of the start: that is asked for"
    assert state.account(VENUE).resume_ms == 0


def test_an_order_without_an_end_is_unknown_until_its_last_request_must_be_dead() -> None:
    state = State(run="new", started_ns=NOW_NS)
    noted = replace(an_order(), filled=Decimal("0.4"), booked=Decimal("0.1"), status=Status.LIVE)
    take_order(state, noted, 1 * SECOND, NOW_NS)
    order = state.orders.by_label[noted.label]
    assert (order.status, order.why) == (Status.UNKNOWN, Why.ADOPTED)
    assert (order.price, order.amount, order.unbooked) == (
        noted.price,
        noted.amount,
        Decimal("0.3"),
    )
    assert order.uncertain_until_ns == NOW_NS + VALID_FOR_NS + CLOCK_SKEW_NS - 1 * SECOND


def test_an_order_written_long_ago_has_nothing_on_its_way_any_more() -> None:
    state = State(run="new", started_ns=NOW_NS)
    take_order(state, noted := an_order(), 3_600 * SECOND, NOW_NS)
    assert state.orders.by_label[noted.label].uncertain_until_ns == NOW_NS


def test_a_clock_that_was_set_back_does_not_lengthen_the_wait() -> None:
    state = State(run="new", started_ns=NOW_NS)
    take_order(state, noted := an_order(), -3_600 * SECOND, NOW_NS)
    uncertain_until_ns = state.orders.by_label[noted.label].uncertain_until_ns
    assert uncertain_until_ns == NOW_NS + VALID_FOR_NS + CLOCK_SKEW_NS


def test_a_run_right_after_another_one_has_few_requests_and_one_much_later_has_all() -> None:
    soon, later = (State(run="new", started_ns=NOW_NS) for _ in range(2))
    take_budget(soon, "deribit", 2 * SECOND, NOW_NS)
    take_budget(later, "deribit", 60 * SECOND, NOW_NS)
    # One of the two seconds may have been lived through unheard; in the other, 5 requests x 0.98
    # come back.
    assert 4.0 <= soon.account("deribit").budget.level <= 5.0
    assert later.account("deribit").budget.level == later.account("deribit").budget.full


def test_what_the_store_never_knew_of_may_arrive_beside_what_is_placed_now() -> None:
    """A place in flight when the bot died is in no store and in no list of open orders yet: where
    it is filled beside an order of the next run, together they pass the limit."""
    bot = Bot.quoting(wants=both_sides())
    take_end(bot.state, bot.account.venue, 2 * SECOND, bot.now_ns)
    assert places(bot.turn(bot.book())) == []
    assert bot.market.why == dict.fromkeys(Side, Why.EARLIER_RUN)
    for _ in range(4):  # 4 s of validity, 1 s of skew, 1 s unheard, of which 2 s are over
        assert bot.market.why == dict.fromkeys(Side, Why.EARLIER_RUN)
        sent = places(bot.turn(bot.alive(), ev.Tick(), bot.book(), after_s=1))
    assert {place.side for place in sent} == set(Side)


def test_what_reduces_a_position_is_placed_beside_an_earlier_run_all_the_same() -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.rest(*both_sides())
    bot.turn(ev.Filled(bot.fill(bot.on(Side.BUY))))
    take_end(bot.state, bot.account.venue, 0, bot.now_ns)
    [placed] = places(bot.turn(bot.says_cancelled(bot.on(Side.SELL))))
    assert placed.side is Side.SELL
    assert bot.market.why[Side.BUY] is Why.EARLIER_RUN


def test_an_earlier_run_that_died_long_ago_holds_nothing_up() -> None:
    state = State(run="new", started_ns=NOW_NS)
    take_end(state, "deribit", 60 * SECOND, NOW_NS)
    assert state.account("deribit").no_new_risk(NOW_NS) is None
    take_end(state, "deribit", -60 * SECOND, NOW_NS)  # a clock that was set back
    assert state.account("deribit").no_new_risk(NOW_NS + 6 * SECOND) is None
