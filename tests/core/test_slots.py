"""Slots have an owner: a desk's order and a hedger's stand side by side and count together."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core.adoption import adopt
from mmbot.core.diff import Action, diff
from mmbot.core.exposure import worst_amount
from mmbot.core.intents import Place
from mmbot.core.order_life import Request
from mmbot.core.promise import promise_order
from mmbot.core.sizing import on_grid
from mmbot.core.slots import IOC_AGAIN_NS, SlotMemory
from mmbot.core.spend import spend
from mmbot.core.types import (
    MS,
    ONE,
    Approved,
    Label,
    Owner,
    Side,
    Target,
    TimeInForce,
)
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_quote, a_target, an_order
from tests.core.bot import VENUE, Bot

BUY, SELL = Side.BUY, Side.SELL
PLACE, AMEND, CANCEL = Request.PLACE, Request.AMEND, Request.CANCEL


def a_hedge(side: Side = BUY, price: str = "0.0240", size: int = 1) -> Approved:
    target = replace(
        a_target(side, price, size),
        owner=Owner.HEDGE,
        time_in_force=TimeInForce.IOC,
        post_only=False,
    )
    return Approved(target)


# --- beside each other ------------------------------------------------------------------------


def test_a_hedge_and_a_quote_of_one_side_and_level_are_two_orders() -> None:
    resting = an_order(BUY, "0.0200")
    actions = diff([a_target(BUY, "0.0200"), a_hedge()], [resting], {}, NOW_NS)
    assert [(a.request, a.target) for a in actions] == [(PLACE, a_hedge())]


def test_a_hedge_takes_no_order_of_the_desk_for_its_own() -> None:
    resting = an_order(BUY, "0.0200")
    actions = diff([a_hedge()], [resting], {}, NOW_NS)
    assert [(a.request, a.order) for a in actions] == [(CANCEL, resting), (PLACE, None)]


def test_what_ends_as_it_arrives_is_never_moved_but_cancelled_when_unwanted() -> None:
    order = an_order(BUY, "0.0235", owner=Owner.HEDGE)
    assert diff([a_hedge(price="0.0240")], [order], {}, NOW_NS) == []
    assert [a.request for a in diff([], [order], {}, NOW_NS)] == [CANCEL]


def test_orders_of_both_owners_count_for_a_limit() -> None:
    quote, hedge = an_order(BUY, amount=3), an_order(BUY, amount=5, owner=Owner.HEDGE)
    assert worst_amount([quote, hedge], BUY, ()) == 8
    assert worst_amount([quote, hedge], BUY, (), besides=a_target(BUY)) == 5
    assert worst_amount([quote, hedge], BUY, (), besides=a_hedge()) == 3
    assert worst_amount([quote], BUY, [a_hedge(size=2)]) == 3 + 2
    assert worst_amount([quote], BUY, [a_target(BUY, size=4)]) == 4, "the same order, moved"


# --- how they are sent ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "time_in_force", "post_only"),
    [(Owner.DESK, TimeInForce.GTC, True), (Owner.HEDGE, TimeInForce.IOC, False)],
)
def test_a_quote_may_rest_and_a_hedge_takes_what_there_is(
    owner: Owner, time_in_force: TimeInForce, post_only: bool
) -> None:
    target = on_grid(Bot.quoting().market, replace(a_quote(BUY, 0.0200), owner=owner), ONE)
    assert isinstance(target, Target)
    assert (target.time_in_force, target.post_only) == (time_in_force, post_only)
    assert target.owner is owner


def test_requests_go_out_cancels_first_then_hedges_then_the_rest() -> None:
    bot = Bot.quoting()
    danger, stale = bot.rest()
    amend = Action(AMEND, danger.instrument, danger, a_target(BUY, "0.0150"), Why.QUOTED)
    cancel = Action(CANCEL, stale.instrument, stale, None, Why.NOT_WANTED)
    hedge = Action(PLACE, danger.instrument, None, a_hedge(), Why.QUOTED)
    place = Action(PLACE, danger.instrument, None, a_target(BUY, "0.0150", level=1), Why.QUOTED)
    sent = list(spend(bot.state, [place, amend, hedge, cancel], bot.now_ns))
    assert [type(intent).__name__ for intent in sent] == ["Cancel", "Place", "Amend", "Place"]
    first, second = [intent for intent in sent if isinstance(intent, Place)]
    assert (first.time_in_force, first.post_only) == (TimeInForce.IOC, False)
    assert (second.time_in_force, second.post_only) == (TimeInForce.GTC, True)
    owners = [bot.state.orders.by_label[place.label].owner for place in (first, second)]
    assert owners == [Owner.HEDGE, Owner.DESK]


def test_what_ended_as_it_arrived_is_not_tried_again_at_once() -> None:
    bot = Bot.quoting()
    place = Place(
        instrument=bot.instrument.id,
        label=Label("mmtest-1"),
        side=BUY,
        price=Decimal("0.0240"),
        amount=ONE,
        post_only=False,
        reduce_only=False,
        valid_until_ns=NOW_NS,
        why=Why.QUOTED,
        time_in_force=TimeInForce.IOC,
    )
    promise_order(bot.state, bot.state.account(VENUE), place, a_hedge(), NOW_NS)
    memory = bot.state.slot(bot.instrument.id, BUY, 0, Owner.HEDGE)
    assert (memory.not_before_ns, memory.why) == (NOW_NS + 500 * MS, Why.JUST_TRIED)
    assert bot.state.slot(bot.instrument.id, BUY, 0).not_before_ns == 0, "the desk's is another"


def test_a_refusal_that_lasts_longer_is_not_cut_short() -> None:
    memory = SlotMemory()
    memory.lack_funds(NOW_NS)
    until_ns = memory.not_before_ns
    memory.tried(NOW_NS)
    assert until_ns > NOW_NS + IOC_AGAIN_NS
    assert (memory.not_before_ns, memory.why) == (until_ns, Why.NO_FUNDS)


def test_a_stray_order_fills_the_desks_slot_though_a_hedge_is_out() -> None:
    bot = Bot.quoting()
    bot.state.orders.add(an_order(BUY, label="mmtest-900", owner=Owner.HEDGE))
    found = adopt(bot.state, bot.stated(an_order(BUY, label="mmtest-901")), VENUE, bot.now_ns)
    assert found.slot == (BUY, Owner.DESK, 0)
