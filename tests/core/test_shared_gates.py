"""A limit that orders and the session's own requests share is divided: together they never go over,
and neither has to hear of the other."""

from collections.abc import Callable

import pytest

from mmbot.core import events as ev
from mmbot.core import gates
from mmbot.core.capabilities import Capabilities, Draws, Gate, GateKind, GateScope
from mmbot.core.types import MS, SECOND, Label
from mmbot.engine.parts import venue_frame
from mmbot.venues.deribit.limits import READ_GATES
from mmbot.venues.deribit.plugin import DeribitPlugin
from mmbot.venues.rates import Bucket, Rate
from tests.core.bot import VENUE, Bot

SHARED = Gate("all", 4.0, 20.0, session_share=0.2)
STEP_NS = 10 * MS


def at_a_venue_with(*limits: Gate) -> Bot:
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(gates=limits)))
    bot.wait(60)
    bot.turn(bot.snapshot())  # the look has been answered
    bot.wait(10)
    return bot


def bucket_of(gate: Gate) -> Callable[[float], bool]:
    """The venue's own, at its full rate: whether it has one more to give at that moment."""
    venue = Bucket(Rate(gate.rate_per_s, gate.burst), 0.0)
    return lambda now_s: not venue.take(now_s)


def windows_of(gate: Gate) -> Callable[[float], bool]:
    """The venue's own, which begin whenever they like: so many in any window at all."""
    taken: list[float] = []

    def take(now_s: float) -> bool:
        taken.append(now_s)
        recent = [one for one in taken if one > now_s - gate.burst / gate.rate_per_s]
        return len(recent) <= gate.burst

    return take


class SessionsOwn:
    """What a session paces its own requests by: its share, in any window or as a bucket."""

    def __init__(self, gate: Gate) -> None:
        rate, burst = gate.of_session
        self.bucket = Bucket(Rate(rate, burst), 0.0)
        self.window_s = burst / rate if gate.kind is GateKind.FIXED_WINDOW else 0.0
        self.burst, self.taken = burst, list[float]()

    def asks(self, now_s: float) -> bool:
        if not self.window_s:
            return not self.bucket.take(now_s)
        self.taken = [one for one in self.taken if one > now_s - self.window_s]
        if len(self.taken) + 1 > self.burst:
            return False
        self.taken.append(now_s)
        return True


@pytest.mark.parametrize(
    ("gate", "venues"),
    [
        (SHARED, bucket_of),
        (Gate("5 s", 5.0, 25.0, GateKind.FIXED_WINDOW, session_share=0.2), windows_of),
    ],
)
def test_both_at_full_demand_never_take_more_than_there_is(
    gate: Gate, venues: Callable[[Gate], Callable[[float], bool]]
) -> None:
    bot = at_a_venue_with(gate)
    account, session, take = bot.account, SessionsOwn(gate), venues(gate)
    began_ns, sent = bot.now_ns, [0, 0]
    for step in range(6_000):
        now_ns = began_ns + step * STEP_NS
        now_s = (now_ns - began_ns) / SECOND
        gates.refill(account, now_ns)
        while gates.affords(account, Draws.CANCEL, None, reserve=True):
            label = Label(f"mmx-{step}")
            gates.spend(account, gates.drawn_from(account, Draws.CANCEL, None), label, now_ns)
            gates.answered(account, label, now_ns)
            gates.refill(account, now_ns)
            sent[0] += 1
            assert take(now_s), f"an order after {now_s} s"
        while session.asks(now_s):
            sent[1] += 1
            assert take(now_s), f"a request of the session's after {now_s} s"
    whole = gate.rate_per_s * 60
    assert sent[0] > 0.7 * whole, "and most of it is used"
    assert sent[1] > 0.15 * whole


def test_the_division_holds_for_the_accounts_own_limit_too() -> None:
    bot = at_a_venue_with(SHARED)
    assert (bot.account.budget.rate_per_s, bot.account.budget.burst) == (3.2, 16.0)
    bot.turn(ev.LimitsRead(VENUE, 40.0, 200.0))
    assert (bot.account.budget.rate_per_s, bot.account.budget.burst) == (32.0, 160.0)


def test_what_is_shown_of_it_is_the_cores_part() -> None:
    first = Gate("orders", 5.0, 20.0, weights=((Draws.PLACE, 1.0),))
    bot = at_a_venue_with(first, SHARED)
    frame = venue_frame(bot.state, bot.account, {}, {})
    assert {(one.name, one.full) for one in frame.limits} == {("requests", 20.0), ("all", 16.0)}


def test_what_no_orders_draw_from_is_the_sessions_alone() -> None:
    assert [gate.of_session for gate in READ_GATES] == [
        (1.0, 8.0),
        (3.3, 10.0),
        (0.1, 5.0),
        (20.0, 100.0),
    ]


def test_deribits_orders_share_with_nobody() -> None:
    can = DeribitPlugin().capabilities()
    assert not any(gate.is_shared for gate in can.gates)
    gate = can.order_gate
    assert gate is not None
    assert gate.of_core == (gate.rate_per_s, gate.burst)


def test_a_limit_per_instrument_has_no_part_of_the_sessions() -> None:
    each = Gate("each", 1.0, 4.0, scope=GateScope.INSTRUMENT)
    assert not each.is_shared
