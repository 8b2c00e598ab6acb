"""A venue says what it can do, and the bot keeps to it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mmbot.core import events as ev
from mmbot.core.budget import Budget
from mmbot.core.capabilities import (
    CancelScope,
    Capabilities,
    DeadMan,
    Draws,
    Gate,
    GateKind,
    GateScope,
    Move,
    dead_man_warning,
    unsupported,
    without_dead_man,
)
from mmbot.core.order_life import Status
from mmbot.core.recovery import take_end, take_order
from mmbot.core.state import State
from mmbot.core.types import SECOND, InstrumentId, Side
from mmbot.core.why import Why
from mmbot.tape.codec import decode_state, encode_state
from mmbot.tape.words import event_lines
from tests.builders import NOW_NS, a_quote, an_option, an_order
from tests.core.bot import VENUE, Bot, a_foreign_order, amends, cancels, mass_cancels, places

BUY = Side.BUY
USUAL = Capabilities()
PUT = an_option(id=InstrumentId("deribit:ETH-6JUN25-2800-P"), name="ETH-6JUN25-2800-P")


def at_a_venue_with(bot: Bot, can: Capabilities) -> Bot:
    bot.turn(ev.VenueDescribed(VENUE, can))
    return bot


def resting(bot: Bot) -> Bot:
    """Three bids on the call and, where it is traded, three on the put."""
    for instrument in bot.instruments:
        bot.turn(bot.book(instrument=instrument))
        bot.puppet.wants[instrument.id] = [
            a_quote(BUY, 0.0200 - 0.0005 * level, level=level) for level in range(3)
        ]
    books = [bot.book(instrument=instrument) for instrument in bot.instruments]
    assert len(places(bot.turn(*books))) == 3 * len(bot.instruments)
    bot.acknowledge()
    bot.turn(*(bot.book(instrument=instrument) for instrument in bot.instruments[1:]))
    return bot


# What is said is kept -----------------------------------------------------------------------------


def test_what_no_venue_has_said_is_what_an_old_tape_was_recorded_with() -> None:
    assert State(run="x").add_account(VENUE).capabilities == USUAL
    assert (USUAL.request_deadline_ns, USUAL.valid_for_ns) == (2 * SECOND, 4 * SECOND)
    assert USUAL.cancels_all_of == (CancelScope.VENUE, CancelScope.INSTRUMENT)
    gate, budget = USUAL.order_gate, Budget()
    assert gate is not None
    assert (gate.rate_per_s, gate.burst) == (budget.rate_per_s, budget.burst)
    assert gate.cancel_reserve == budget.reserve_share


def test_a_venue_that_says_the_usual_changes_nothing() -> None:
    told, untold = Bot.quoting(), Bot.quoting()
    for bot in (told, untold):
        bot.turn(ev.LimitsRead(VENUE, 20.0, 100.0))
    nothing = ev.LabelsReserved(1)
    told.turn(nothing, ev.VenueDescribed(VENUE, Capabilities()))
    untold.turn(nothing)
    assert encode_state(told.state) == encode_state(untold.state)


def test_what_was_said_is_part_of_the_state() -> None:
    can = Capabilities(
        move=Move.REPLACE,
        valid_for_ns=None,
        cancels_all_of=(),
        label_echoed=False,
        dead_man=DeadMan.NONE,
        orders_expire_ns=600 * SECOND,
        heartbeat_ns=10 * SECOND,
        stamps_ms=1000,
        fills_final=False,
        gates=(Gate("orders", 1.0, 5.0, GateKind.FIXED_WINDOW, GateScope.INSTRUMENT),),
    )
    bot = at_a_venue_with(Bot(), can)
    assert bot.account.capabilities == can
    assert decode_state(encode_state(bot.state)).account(VENUE).capabilities == can


def test_what_a_venue_said_in_words() -> None:
    (line,) = event_lines(ev.VenueDescribed("x", Capabilities(dead_man=DeadMan.WALLET)), {})
    assert (line.word, line.text) == ("venue", "x: orders are amended, dead-man: wallet")


# How long requests live ---------------------------------------------------------------------------


def test_a_request_may_stay_unanswered_for_as_long_as_the_venue_needs() -> None:
    bot = at_a_venue_with(Bot.quoting(), Capabilities(request_deadline_ns=5 * SECOND))
    bot.wants = [a_quote()]
    bot.turn(bot.book())
    statuses = []
    for seconds in (4.9, 0.2):
        bot.wait(seconds)
        statuses.append(bot.order.status)
    assert statuses == [Status.PENDING, Status.UNKNOWN]


def test_requests_expire_when_the_venue_lets_them() -> None:
    bot = at_a_venue_with(Bot.quoting(), Capabilities(valid_for_ns=7 * SECOND))
    bot.wants = [a_quote()]
    (place,) = places(bot.turn(bot.book()))
    assert place.valid_until_ns == bot.now_ns + 7 * SECOND
    assert bot.order.uncertain_until_ns == bot.now_ns + 8 * SECOND, "and a second of clock skew"
    bot.acknowledge()
    bot.wants = [a_quote(BUY, 0.0195)]
    (amend,) = amends(bot.turn(bot.book(), after_s=1))
    assert amend.valid_until_ns == bot.now_ns + 7 * SECOND
    assert bot.order.uncertain_until_ns == bot.now_ns + 8 * SECOND


@pytest.mark.parametrize(
    ("can", "seconds"), [(USUAL, 5), (replace(USUAL, valid_for_ns=None), 60)], ids=["valid", "none"]
)
def test_absence_is_proof_only_when_no_request_can_take_effect_any_more(
    can: Capabilities, seconds: int
) -> None:
    """Deribit's requests die after four seconds, and a clock may be one off. Where no request
    expires, sixty seconds are waited."""
    bot = at_a_venue_with(Bot.quoting(), can)
    bot.wants = [a_quote()]
    bot.turn(bot.book())
    order, sent_ns = bot.order, bot.now_ns
    bot.wants = []
    asked_ns = 0
    while order.working:
        bot.ask_again()
        asked_ns = bot.account.asked_ns
        bot.turn(bot.snapshot(lookups=[(order.label, None)]))
    assert sent_ns + seconds * SECOND < asked_ns < sent_ns + (seconds + 2) * SECOND


def test_an_earlier_runs_requests_are_waited_for_as_long_as_the_venue_may_execute_them() -> None:
    def left_s(can: Capabilities, age_s: int) -> tuple[float, float]:
        bot = at_a_venue_with(Bot(), can)
        noted = an_order(label="mmold-1")
        take_order(bot.state, noted, age_s * SECOND, NOW_NS)
        take_end(bot.state, VENUE, age_s * SECOND, NOW_NS)
        order = bot.state.orders.by_label[noted.label]
        ends = (order.uncertain_until_ns, bot.account.earlier_run_ns)
        return (ends[0] - NOW_NS) / SECOND, (ends[1] - NOW_NS) / SECOND

    assert left_s(USUAL, 2) == (3, 4)
    assert left_s(replace(USUAL, valid_for_ns=None), 2) == (58, 59)
    assert left_s(replace(USUAL, valid_for_ns=None), 62) == (0, 0)


# Mass cancels -------------------------------------------------------------------------------------


def can_cancel(*scopes: CancelScope) -> Capabilities:
    return Capabilities(cancels_all_of=scopes)


LEAVING: list[tuple[tuple[CancelScope, ...], int, list[InstrumentId | None]]] = [
    # scopes, single cancels, mass cancels
    ((CancelScope.VENUE, CancelScope.INSTRUMENT), 0, [None]),
    ((CancelScope.VENUE,), 0, [None]),
    ((CancelScope.INSTRUMENT,), 0, [an_option().id, PUT.id]),
    ((CancelScope.LABELS, CancelScope.WALLET), 6, []),
    ((), 6, []),
]


@pytest.mark.parametrize(("scopes", "single", "mass"), LEAVING)
def test_leaving_asks_only_for_mass_cancels_that_the_venue_has(
    scopes: tuple[CancelScope, ...], single: int, mass: list[InstrumentId | None]
) -> None:
    bot = at_a_venue_with(resting(Bot.quoting(an_option(), PUT)), can_cancel(*scopes))
    sent = bot.turn(ev.Stop(Why.USER))
    assert len(cancels(sent)) == single
    assert [cancel.instrument for cancel in mass_cancels(sent)] == mass
    assert {order.status for order in bot.orders} == {Status.CANCELING}


def test_leaving_beside_a_foreign_order_a_venue_wide_cancel_is_no_help() -> None:
    bot = at_a_venue_with(resting(Bot.quoting()), can_cancel(CancelScope.VENUE))
    bot.ask_again()
    hers = a_foreign_order(instrument=PUT)
    bot.turn(bot.snapshot(orders=[hers, *(bot.stated(order) for order in bot.orders)]))
    sent = bot.turn(ev.Stop(Why.USER))
    assert (len(cancels(sent)), mass_cancels(sent)) == (3, [])


SHORT: list[tuple[tuple[CancelScope, ...], list[InstrumentId | None]]] = [
    ((CancelScope.VENUE, CancelScope.INSTRUMENT), [an_option().id]),
    ((CancelScope.INSTRUMENT,), [an_option().id]),
    ((CancelScope.VENUE,), [None]),
]


@pytest.mark.parametrize(("scopes", "mass"), SHORT)
def test_short_of_budget_a_mass_cancel_that_the_venue_has_takes_the_place_of_many(
    scopes: tuple[CancelScope, ...], mass: list[InstrumentId | None]
) -> None:
    bot = at_a_venue_with(resting(Bot.quoting(an_option(), PUT)), can_cancel(*scopes))
    bot.account.budget.level = 2.5
    bot.wants = []
    sent = bot.turn(bot.book(), after_s=0.001)
    assert cancels(sent) == []
    assert [cancel.instrument for cancel in mass_cancels(sent)] == mass


def test_short_of_budget_without_mass_cancels_they_go_one_by_one_as_tokens_come() -> None:
    bot = at_a_venue_with(resting(Bot.quoting(an_option(), PUT)), can_cancel())
    bot.account.budget.level = 2.5
    bot.wants = []
    sent = bot.turn(bot.book(), after_s=0.001)
    assert (len(cancels(sent)), mass_cancels(sent)) == (2, [])
    later = bot.wait(0.5)
    assert (len(cancels(later)), mass_cancels(later)) == (1, [])
    on_the_put = [order.status for order in bot.orders if order.instrument == PUT.id]
    assert on_the_put == [Status.LIVE] * 3, "what may stay stays"


# The request budget -------------------------------------------------------------------------------


def test_the_limit_for_orders_sizes_the_budget_until_the_account_says_its_own() -> None:
    bot = Bot.quoting()
    gate = Gate("matching", rate_per_s=1.0, burst=9.0, cancel_reserve=0.5)
    reads = Gate("reads", rate_per_s=50.0, burst=100.0, weights=((Draws.READ, 1.0),))
    at_a_venue_with(bot, Capabilities(gates=(reads, gate)))
    budget = bot.account.budget
    assert (budget.rate_per_s, budget.burst, budget.reserve) == (1.0, 9.0, 4.5)
    assert budget.level <= budget.full == 8.0
    bot.turn(ev.LimitsRead(VENUE, 20.0, 101.0))
    assert (budget.rate_per_s, budget.burst, budget.reserve) == (20.0, 101.0, 50.5)
    at_a_venue_with(bot, Capabilities(gates=(reads, gate)))
    assert budget.rate_per_s == 20.0, "said once more, it is no news"


def test_a_venue_without_a_limit_for_orders_leaves_the_budget_as_it_is() -> None:
    bot = at_a_venue_with(Bot.quoting(), Capabilities(gates=()))
    assert (bot.account.budget.rate_per_s, bot.account.budget.burst) == (5.0, 20.0)


# What cannot be done yet --------------------------------------------------------------------------


def odd_ones() -> Iterator[tuple[Capabilities, str]]:
    yield Capabilities(stamps_ms=1000), "1000 ms"
    yield Capabilities(dead_man=DeadMan.ORDER_EXPIRY), "orders do not expire"
    yield Capabilities(orders_expire_ns=7 * SECOND), "expire after 7 s"
    yield Capabilities(dead_man=DeadMan.HEARTBEAT), "heartbeat"
    yield Capabilities(gates=(Gate("all", 1.0, 5.0),)), "orders and reads (all)"


@pytest.mark.parametrize(("can", "said"), list(odd_ones()))
def test_what_the_core_cannot_do_is_said_in_one_line(can: Capabilities, said: str) -> None:
    told = unsupported(can)
    assert told is not None
    assert said in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "can",
    [
        USUAL,
        Capabilities(valid_for_ns=None, cancels_all_of=(), request_deadline_ns=9 * SECOND),
        Capabilities(dead_man=DeadMan.WALLET),
        Capabilities(dead_man=DeadMan.HEARTBEAT, heartbeat_ns=10 * SECOND),
        Capabilities(dead_man=DeadMan.ORDER_EXPIRY, orders_expire_ns=600 * SECOND),
        Capabilities(dead_man=DeadMan.WALLET, orders_expire_ns=8 * SECOND),
        Capabilities(dead_man=DeadMan.NONE),
        Capabilities(gates=()),
        Capabilities(fills_final=False),
        Capabilities(gates=(Gate("each", 5.0, 25.0, scope=GateScope.INSTRUMENT),)),
        Capabilities(
            gates=(
                Gate("orders", 1.0, 5.0, session_share=0.2),
                Gate("five seconds", 5.0, 25.0, GateKind.FIXED_WINDOW, session_share=0.2),
                Gate("points", 5.0, 25.0, weights=((Draws.PLACE, 2.0), (Draws.CANCEL, 1.0))),
                Gate("reads", 1.0, 5.0, GateKind.FIXED_WINDOW, weights=((Draws.READ, 3.0),)),
            )
        ),
    ],
)
def test_what_the_core_can_do_is_not_refused(can: Capabilities) -> None:
    assert unsupported(can) is None


def test_without_a_dead_man_a_start_is_refused_unless_that_is_wanted() -> None:
    nothing = Capabilities(dead_man=DeadMan.NONE)
    said = without_dead_man(nothing, require_dead_man=True)
    assert said is not None
    assert "require_dead_man = false" in said
    assert "\n" not in said
    assert without_dead_man(nothing, require_dead_man=False) is None
    for other in DeadMan:
        if other is not DeadMan.NONE:
            assert without_dead_man(Capabilities(dead_man=other), require_dead_man=True) is None


def test_a_start_says_what_the_dead_man_takes_along_or_that_there_is_none() -> None:
    ends = Capabilities(orders_expire_ns=600 * SECOND, heartbeat_ns=10 * SECOND)
    said = {dead_man: dead_man_warning(replace(ends, dead_man=dead_man)) for dead_man in DeadMan}
    assert "those of others go along" in said[DeadMan.WALLET]
    assert "nothing cancels" in said[DeadMan.NONE]
    assert "up to 600 s" in said[DeadMan.ORDER_EXPIRY]
    assert "up to 10 s" in said[DeadMan.HEARTBEAT]
    assert said[DeadMan.CONNECTION] == ""
