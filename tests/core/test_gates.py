"""All limits of an account are obeyed, and looks at the venue draw from those they share."""

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core import gates
from mmbot.core.capabilities import Capabilities, Draws, Gate, GateKind, GateScope
from mmbot.core.order_life import OrderState, Request
from mmbot.core.recovery import take_budget
from mmbot.core.types import SECOND, InstrumentId, Label
from mmbot.core.why import Why
from mmbot.engine.parts import venue_frame
from tests.builders import a_perpetual, an_option
from tests.core.bot import VENUE, Bot, both_sides, mass_cancels, places, resyncs

EVERY = tuple((draws, 1.0) for draws in Draws)
ORDERS = tuple((draws, 1.0) for draws in Draws if draws is not Draws.READ)
USUAL = Gate("orders", 5.0, 20.0, weights=ORDERS)
EACH = Gate("each", 1.0, 4.0, GateKind.FIXED_WINDOW, GateScope.INSTRUMENT, ORDERS)
PERPETUAL = a_perpetual()


def quoting_at(*limits: Gate) -> Bot:
    bot = Bot.quoting(an_option(), PERPETUAL)
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(gates=limits)))
    return bot


def test_a_window_per_instrument_holds_up_that_instrument_alone() -> None:
    """4 in 4 s, one of them never used and one for cancels: 2 orders, and no third."""
    bot = quoting_at(USUAL, EACH)
    bot.wants = [quote for n in range(3) for quote in [replace(both_sides()[0], level=n)]]
    assert len(places(bot.turn(bot.book()))) == 2
    assert gates.affords(bot.account, Draws.PLACE, PERPETUAL.id)
    assert not gates.affords(bot.account, Draws.PLACE, an_option().id)
    assert gates.affords(bot.account, Draws.CANCEL, an_option().id, reserve=True)


def test_of_a_small_window_three_in_five_are_for_orders() -> None:
    """5 in 5 s: one never used, and of a quarter kept for cancels the one that is whole."""
    bot = quoting_at(Gate("matching", 1.0, 5.0, GateKind.FIXED_WINDOW, weights=ORDERS))
    bot.wants = [replace(both_sides()[0], level=n) for n in range(5)]
    assert len(places(bot.turn(bot.book()))) == 3
    assert not gates.affords(bot.account, Draws.PLACE, None)
    assert gates.affords(bot.account, Draws.CANCEL, None, reserve=True)


def test_a_window_gives_back_a_whole_window_after_the_answer() -> None:
    bot = quoting_at(USUAL, EACH)
    bot.wants = [replace(both_sides()[0], level=n) for n in range(3)]
    bot.turn(bot.book())
    bot.acknowledge()
    answered_ns = bot.now_ns
    while not (sent := places(bot.turn(bot.alive(), bot.book(), after_s=0.1))):
        assert bot.now_ns < answered_ns + 5 * SECOND
    assert len(sent) == 1
    assert bot.now_ns >= answered_ns + 4 * SECOND


def test_the_weights_of_requests_count() -> None:
    weights = ((Draws.PLACE, 5.0), (Draws.CANCEL, 1.0))
    bot = quoting_at(Gate("points", 5.0, 20.0, weights=weights))
    for number in range(2):  # 20, one never used, 5 for cancels: two of 5 each
        assert gates.affords(bot.account, Draws.PLACE, None)
        drawn = gates.drawn_from(bot.account, Draws.PLACE, None)
        gates.spend(bot.account, drawn, Label(f"mmtest-{number}"), bot.now_ns)
    assert not gates.affords(bot.account, Draws.PLACE, None)
    assert gates.affords(bot.account, Draws.MOVE, None), "it passes beside"
    assert gates.affords(bot.account, Draws.CANCEL, None)


def test_looks_draw_from_a_limit_that_is_for_all_requests() -> None:
    """300 a minute for everything: six reads a look, and one more for each order asked about."""
    bot = quoting_at(Gate("everything", 5.0, 300.0, GateKind.FIXED_WINDOW, weights=EVERY))
    before = bot.account.budget.level
    bot.ask_again()
    assert before - bot.account.budget.level == 6
    bot.turn(bot.snapshot())
    bot.wait(30)
    assert bot.account.budget.level <= before - 6, "it counts for a minute"


def test_a_look_waits_where_it_would_overdraw_what_orders_live_on() -> None:
    bot = quoting_at(Gate("everything", 1.0, 20.0, weights=EVERY))
    bot.account.budget.level = 8.0  # 5 of them for cancels
    bot.account.resync_ns = bot.now_ns
    assert resyncs(bot.turn(bot.alive(), ev.Tick())) == []
    assert resyncs(bot.wait(4)) != []


def test_another_run_may_have_spent_every_gate() -> None:
    bot = Bot(an_option())
    take_budget(bot.state, VENUE, 3 * SECOND, bot.now_ns)
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(gates=(USUAL, EACH))))
    assert not gates.affords(bot.account, Draws.PLACE, an_option().id)
    bot.turn(after_s=4)
    assert gates.affords(bot.account, Draws.PLACE, an_option().id)


def test_status_shows_each_limit_and_of_those_per_instrument_the_scarcest() -> None:
    bot = quoting_at(USUAL, EACH)
    drawn = gates.drawn_from(bot.account, Draws.PLACE, an_option().id)
    gates.spend(bot.account, drawn, Label("mmtest-9"), bot.now_ns)
    limits = venue_frame(bot.state, bot.account, {}, {}).limits
    assert [(limit.name, limit.scope, limit.full) for limit in limits] == [
        ("requests", "account", 20.0),
        ("each", "instrument", 4.0),
    ]
    assert limits[1].left == pytest.approx(2.0)


def test_status_shows_the_limits_of_reads_as_their_adapter_keeps_them() -> None:
    reads = Gate("reads", 1.0, 8.0, weights=((Draws.READ, 1.0),))
    bot = quoting_at(USUAL, reads)
    untold = venue_frame(bot.state, bot.account, {}, {}).limits
    told = venue_frame(bot.state, bot.account, {}, {"reads": 6.5, "others": 1.0}).limits
    assert [one.name for one in untold] == ["requests"]
    assert [(one.name, one.scope, one.left, one.full) for one in told[1:]] == [
        ("reads", "account", 6.5, 8.0)
    ]


def test_what_is_left_for_an_instrument_goes_with_it() -> None:
    account = quoting_at(USUAL, EACH).account
    drawn = gates.drawn_from(account, Draws.PLACE, InstrumentId("deribit:X"))
    gates.spend(account, drawn, Label("mmtest-9"), SECOND)
    assert list(account.gates) == ["each deribit:X"]


def test_a_cancel_counts_until_it_is_answered_though_its_order_was_filled_before() -> None:
    bot = quoting_at(USUAL)
    (order,) = bot.rest(both_sides()[0])
    bot.wants = []
    bot.turn(bot.book())
    bot.turn(ev.Filled(bot.fill(order)), bot.says(order, OrderState.FILLED, filled=1))
    bot.wait(1)
    assert list(bot.account.budget.unanswered) == [order.label]
    bot.turn(bot.refuses(order, Request.CANCEL, stands=None))
    assert not bot.account.budget.unanswered


@pytest.mark.parametrize("told", ["its end", "its answer"])
def test_the_end_of_an_order_or_the_answer_tells_that_its_cancel_has_come(told: str) -> None:
    bot = quoting_at(USUAL)
    (order,) = bot.rest(both_sides()[0])
    bot.wants = []
    bot.turn(bot.book())
    answers = Request.CANCEL if told == "its answer" else None
    bot.turn(bot.says(order, OrderState.CANCELLED, answers=answers))
    assert not bot.account.budget.unanswered


def test_an_order_that_is_told_of_tells_that_its_place_has_come() -> None:
    bot = quoting_at(USUAL)
    bot.wants = both_sides()
    bot.turn(bot.book())
    bid, ask = bot.orders
    assert list(bot.account.budget.unanswered) == [bid.label, ask.label]
    bot.turn(bot.says(bid), ev.OutcomeUnknown(ask.label, Request.PLACE, Why.REPLY_LOST))
    assert list(bot.account.budget.unanswered) == [ask.label], "this one may still be on its way"
    bot.wait(4.9)
    assert ask.label in bot.account.budget.unanswered
    bot.wait(0.2)
    assert ask.label not in bot.account.budget.unanswered


def test_all_orders_on_an_instrument_go_at_the_price_of_one_cancel() -> None:
    """Four are left, which is less than six: not the limit for everything is drawn from."""
    everything = Gate("all", 1.0, 5.0, weights=((Draws.MASS_CANCEL, 1.0),))
    weights = ((Draws.PLACE, 1.0), (Draws.MOVE, 1.0), (Draws.CANCEL, 1.0))
    bot = quoting_at(Gate("orders", 5.0, 20.0, weights=weights), everything)
    bot.rest(*(replace(quote, level=n) for n in range(3) for quote in both_sides()))
    bot.turn(bot.snapshot())
    before = bot.account.budget.level = 4.0
    bot.wants = []
    (sent,) = mass_cancels(bot.turn(bot.book()))
    assert sent.instrument == an_option().id
    assert bot.account.budget.level == pytest.approx(before - 1, abs=0.1)
    assert "all" not in bot.account.gates
