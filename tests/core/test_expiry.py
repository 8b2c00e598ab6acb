"""Orders that end by themselves: renewed before that, and asked about once it has passed."""

from dataclasses import replace
from decimal import Decimal

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.absence import CLOCK_SKEW_NS, uncertain_ns
from mmbot.core.capabilities import Capabilities, DeadMan, Move
from mmbot.core.intents import Amend, Cancel, Place, Replace
from mmbot.core.order_life import Request, Status
from mmbot.core.orders import Order
from mmbot.core.types import SECOND, Label, Side
from mmbot.core.why import Why
from tests.builders import a_quote
from tests.core.bot import VENUE, Bot, a_foreign_order, amends

LIFE_S = 60
EXPIRES = Capabilities(dead_man=DeadMan.ORDER_EXPIRY, orders_expire_ns=LIFE_S * SECOND)


def resting(can: Capabilities = EXPIRES) -> Bot:
    """A bid rests on the terms that the strategy wants."""
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, can))
    bot.rest(a_quote(Side.BUY, 0.0200, 2))
    return bot


def stands(order: Order) -> Status:
    return order.status


def at(bot: Bot, age_s: float) -> list[object]:
    """So long after the order was sent, with the venue alive all the time."""
    sent: list[object] = []
    due_ns = bot.order.sent_ns + round(age_s * SECOND)
    bot.state.last_turn_ns += due_ns - bot.now_ns  # no gap: the tests' time is short
    bot.now_ns = due_ns - SECOND // 5
    for _ in range(2):
        sent += bot.turn(bot.alive(), ev.Tick(), bot.book(), after_s=0.1)
    return [one for one in sent if isinstance(one, Place | Amend | Replace | Cancel)]


def test_an_order_knows_when_it_ends() -> None:
    bot = resting()
    assert bot.order.expires_ns == bot.order.sent_ns + LIFE_S * SECOND
    assert resting(Capabilities()).order.expires_ns == 0


def test_in_its_last_quarter_it_is_moved_to_where_it_is() -> None:
    bot = resting()
    assert at(bot, 44.0) == []
    [moved] = at(bot, 45.1)
    assert isinstance(moved, Amend)
    assert (moved.price, moved.amount) == (Decimal("0.0200"), Decimal(2))
    assert at(bot, 45.4) == [], "once"


def test_an_answered_move_is_a_new_life() -> None:
    bot = resting()
    at(bot, 46.0)
    sent_ns = bot.order.sent_ns
    bot.turn(bot.says_open(bot.order))
    assert (stands(bot.order), bot.order.expires_ns) == (Status.LIVE, sent_ns + LIFE_S * SECOND)
    assert amends(bot.turn(bot.alive(), bot.book())) == []


def test_a_word_that_may_be_older_than_the_move_renews_nothing() -> None:
    bot = resting()
    ends_ns = bot.order.expires_ns
    at(bot, 46.0)
    bot.turn(bot.says(bot.order))
    assert bot.order.expires_ns == ends_ns
    assert len(amends(bot.turn(bot.alive(), bot.book()))) <= 1
    assert stands(bot.order) is Status.AMENDING, "asked once more"


def test_where_orders_are_replaced_the_successor_lives_on() -> None:
    bot = resting(replace(EXPIRES, move=Move.REPLACE))
    [moved] = at(bot, 46.0)
    assert isinstance(moved, Replace)
    successor = bot.state.orders.by_label[moved.label]
    assert successor.expires_ns == successor.sent_ns + LIFE_S * SECOND
    assert (moved.price, moved.amount) == (Decimal("0.0200"), Decimal(2))


def test_where_orders_cannot_be_moved_it_makes_room_for_the_next() -> None:
    bot = resting(replace(EXPIRES, move=Move.NONE))
    [gone] = at(bot, 46.0)
    assert isinstance(gone, Cancel)
    assert gone.why is Why.MOVED
    sent = bot.turn(bot.says_cancelled(bot.order), bot.alive())
    [placed] = [one for one in sent if isinstance(one, Place)]
    assert placed.price == Decimal("0.0200")


def test_an_order_that_leads_is_renewed_as_well() -> None:
    bot = resting()
    bot.wants = [structs.replace(a_quote(Side.BUY, 0.0195, 2), danger=0.002)]
    assert at(bot, 20.0) == []
    [moved] = at(bot, 46.0)
    assert isinstance(moved, Amend)


def test_an_unwanted_order_is_cancelled_and_not_renewed() -> None:
    bot = resting()
    bot.wants = []
    [gone] = at(bot, 46.0)
    assert isinstance(gone, Cancel)


def test_what_rests_beyond_its_end_all_the_same_is_live_and_moved() -> None:
    bot = resting()
    order = bot.order
    order.expires_ns = bot.now_ns - 2 * CLOCK_SKEW_NS
    bot.turn(bot.alive(), ev.Tick())
    assert stands(order) is Status.UNKNOWN
    bot.ask_again()
    sent = bot.turn(bot.snapshot(orders=[bot.stated(order)]), bot.alive(), bot.book())
    assert [one.label for one in amends(sent)] == [order.label]


def test_what_has_ended_is_gone_by_the_first_look_and_its_slot_is_free() -> None:
    bot = resting()
    order = bot.order
    order.expires_ns = bot.now_ns - 2 * CLOCK_SKEW_NS
    bot.turn(bot.alive(), ev.Tick())
    asked = bot.ask_again()
    assert asked.labels == ((order.instrument, order.label),)
    bot.turn(bot.snapshot(lookups=[(order.label, None)]), bot.alive(), bot.book())
    assert stands(order) is Status.DONE
    [placed] = [o for o in bot.orders if o.working]
    assert placed.label != order.label


def test_an_order_that_was_found_is_moved_for_nobody_knows_when_it_ends() -> None:
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, EXPIRES))
    bot.ask_again()
    bot.wants = [a_quote(Side.BUY, 0.0200, 2)]
    left = structs.replace(
        a_foreign_order("old", label="mmold-1"), price=Decimal("0.02"), amount=Decimal(2)
    )
    bot.turn(bot.snapshot(orders=[left]), bot.alive(), bot.book(bid=0.0199))
    found = bot.state.orders.by_label[Label("mmold-1")]
    assert (found.level, found.expires_ns) == (0, 0)
    sent = amends(bot.turn(bot.alive(), ev.Tick(), bot.book()))
    assert [one.label for one in sent] == [found.label]
    bot.turn(bot.says_open(found))
    assert found.expires_ns == found.sent_ns + LIFE_S * SECOND


def test_a_nameless_order_is_none_of_those_that_rest_after_its_end() -> None:
    """Two could be the lost one, so that nobody knows: until it must have ended."""
    can = replace(EXPIRES, label_echoed=False)
    bot = Bot.quoting(wants=[a_quote(Side.BUY, 0.0200, 2)])
    bot.turn(ev.VenueDescribed(VENUE, can), bot.book())
    lost = bot.order
    bot.turn(ev.OutcomeUnknown(lost.label, Request.PLACE, Why.REPLY_LOST))
    stated = structs.replace(bot.stated(lost), label=None)
    both = [structs.replace(stated, order_id="v1"), structs.replace(stated, order_id="v2")]
    for _ in range(4):
        bot.ask_again()
        bot.turn(bot.snapshot(orders=both))
    assert stands(lost) is Status.UNKNOWN
    lost.expires_ns = bot.now_ns - 2 * CLOCK_SKEW_NS
    bot.ask_again()
    bot.turn(bot.snapshot(orders=both))
    assert stands(lost) is Status.DONE


def test_without_a_limit_of_validity_absence_is_proof_at_the_orders_own_end() -> None:
    known = [
        (Capabilities(), 5),
        (Capabilities(valid_for_ns=None), 60),
        (Capabilities(valid_for_ns=None, orders_expire_ns=20 * SECOND), 21),
        (Capabilities(valid_for_ns=None, orders_expire_ns=600 * SECOND), 60),
    ]
    assert [uncertain_ns(can) / SECOND for can, _ in known] == [s for _, s in known]


@pytest.mark.parametrize("move", list(Move))
def test_a_venue_on_which_orders_stay_renews_nothing(move: Move) -> None:
    bot = resting(Capabilities(move=move))
    assert at(bot, 80.0) == []
    assert not bot.order.expiring
