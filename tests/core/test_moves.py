"""How an order moves where it cannot be amended: by a replace, or by a cancel and then a place."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.error_scope import ErrorScope
from mmbot.core.intents import Cancel, Place, Replace
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.ports import RiskRule
from mmbot.core.sizes import Size
from mmbot.core.statements import Finality
from mmbot.core.types import Side
from mmbot.core.why import Why
from mmbot.risk.max_position import MaxPosition
from tests.builders import a_fill, a_quote
from tests.core.bot import VENUE, Bot, cancels, of_kind, places

HERE, THERE = 0.0200, 0.0205


def where_is(order: Order) -> Status:
    """Where an order stands by now."""
    return order.status


def at_a_venue(move: Move, limit: int | None = None, end_tells_filled: bool = True) -> Bot:
    """A bid rests; the strategy wants it elsewhere from the next turn on."""
    rules: list[RiskRule] = [MaxPosition(limit=Size(Decimal(limit)))] if limit else []
    bot = Bot.quoting(rules=rules)
    bot.turn(ev.VenueDescribed(VENUE, Capabilities(move=move, end_tells_filled=end_tells_filled)))
    bot.rest(a_quote(Side.BUY, HERE, 2))
    bot.wants = [a_quote(Side.BUY, THERE, 2)]
    return bot


def replaced(bot: Bot) -> tuple[Order, Order]:
    """The request is on its way."""
    [intent] = bot.turn(bot.book())
    assert isinstance(intent, Replace)
    orders = bot.state.orders.by_label
    return orders[intent.old], orders[intent.label]


# --- a replace --------------------------------------------------------------------------------


def test_a_move_is_one_request_about_two_orders_in_one_slot() -> None:
    bot = at_a_venue(Move.REPLACE)
    resting = bot.order
    [intent] = bot.turn(bot.book())
    assert isinstance(intent, Replace)
    assert (intent.old, intent.order_id) == (resting.label, resting.order_id)
    assert (intent.price, intent.amount) == (Decimal("0.0205"), Decimal(2))
    old, new = bot.orders
    assert (where_is(old), where_is(new)) == (Status.CANCELING, Status.PENDING)
    assert new.replaces == old.label
    assert new.slot == old.slot


def test_both_count_while_it_is_in_flight_and_nothing_else_is_sent() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    assert old.exposed + new.exposed == 4
    bot.wants = [a_quote(Side.BUY, 0.0210, 2)]
    assert bot.turn(bot.book()) == []


def test_answered_the_new_order_is_all_there_is_and_it_was_one_move() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    bot.turn(bot.says(old, OrderState.CANCELLED, answers=Request.REPLACE), bot.says_open(new))
    assert bot.orders == [new]
    assert where_is(new) is Status.LIVE
    counts = bot.state.orders.counts
    assert (counts.placed, counts.amended, counts.cancelled) == (1, 1, 0)


def test_the_old_ones_late_end_does_not_end_its_successor() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    bot.turn(bot.says_open(new))
    assert (where_is(old), where_is(new)) == (Status.CANCELING, Status.LIVE)
    bot.turn(bot.says(old, OrderState.CANCELLED))
    assert bot.orders == [new]
    assert where_is(new) is Status.LIVE


def test_a_fill_of_the_old_one_is_not_counted_by_its_successor() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    bot.turn(ev.Filled(bot.fill(old, 1)))
    assert [old.booked, new.booked, new.filled] == [1, 0, 0]
    bot.turn(bot.says(old, OrderState.CANCELLED, filled=1), bot.says_open(new))
    assert [new.amount, new.filled, new.exposed] == [2, 0, 2]
    assert bot.position == 1


def test_cancelled_and_not_created_leaves_the_slot_empty() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    sent = bot.turn(
        bot.says(old, OrderState.CANCELLED, answers=Request.REPLACE),
        bot.refuses(new, why=Why.CROSSED_BOOK),
    )
    assert bot.orders == []
    sent += bot.wait(1.0)
    assert [place.price for place in places(sent)] == [Decimal("0.0205")]


@pytest.mark.parametrize(("stands", "status"), [(True, Status.LIVE), (None, Status.UNKNOWN)])
def test_refused_there_is_no_new_order_and_the_old_one_is_as_the_refusal_says(
    stands: bool | None, status: Status
) -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    bot.turn(
        ev.RequestRefused(old.label, Request.REPLACE, Why.REFUSED, "no", stands, ErrorScope.ORDER)
    )
    assert bot.orders == [old]
    assert (where_is(old), where_is(new)) == (status, Status.DONE)
    assert bot.state.orders.counts.rejected == 1


def test_a_lost_reply_makes_both_unknown_and_each_is_resolved_by_itself() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    bot.turn(ev.OutcomeUnknown(old.label, Request.REPLACE, Why.REPLY_LOST))
    assert (where_is(old), where_is(new)) == (Status.UNKNOWN, Status.UNKNOWN)
    asked = bot.ask_again()
    assert {label for _, label in asked.labels} == {old.label, new.label}
    bot.turn(bot.snapshot(orders=[bot.stated(old)], lookups=[(new.label, None)]))
    assert (where_is(old), where_is(new)) == (Status.LIVE, Status.UNKNOWN), "it may still arrive"
    bot.wants = [a_quote(Side.BUY, 0.0210, 2)]
    assert of_kind(Replace, bot.turn(bot.book())) == []
    for _ in range(3):
        bot.ask_again()
        bot.turn(bot.snapshot(orders=[bot.stated(old)], lookups=[(new.label, None)]))
    assert where_is(new) is Status.DONE
    bot.acknowledge()
    assert where_is(old) is Status.CANCELING, "it moves again"


def test_what_both_together_may_not_be_is_cancelled_first() -> None:
    bot = at_a_venue(Move.REPLACE, limit=3)
    [intent] = bot.turn(bot.book())
    assert isinstance(intent, Cancel)
    assert intent.why is Why.MOVED
    sent = bot.turn(bot.says_cancelled(bot.order), bot.book())
    assert [place.amount for place in places(sent)] == [2]


def test_both_orders_of_a_replace_count_beside_a_fill_that_may_be_taken_back() -> None:
    """Short 2 by a provisional fill: without it, the old bid and the new one would come to 4."""
    stands = a_fill(Side.SELL, "0.0205", 2)
    bots = []
    for finality in (Finality.FINAL, Finality.PROVISIONAL):
        bot = at_a_venue(Move.REPLACE, limit=3)
        bot.wants = [a_quote(Side.BUY, HERE, 2)]
        can = Capabilities(move=Move.REPLACE, fills_final=False)
        bot.turn(ev.VenueDescribed(VENUE, can), ev.Filled(replace(stands, finality=finality)))
        assert bot.position == -2
        bot.wants = [a_quote(Side.BUY, THERE, 2)]
        bots.append(bot.turn(bot.book()))
    [[first], [second]] = bots
    assert isinstance(first, Replace)
    assert isinstance(second, Cancel)


def test_leaving_a_resting_pair_is_cancelled() -> None:
    bot = at_a_venue(Move.REPLACE)
    old, new = replaced(bot)
    bot.turn(bot.says_open(new))
    assert [c.label for c in cancels(bot.turn(ev.Stop(Why.USER)))] == [new.label]
    assert where_is(old) is Status.CANCELING


# --- nothing moves ----------------------------------------------------------------------------


def test_where_nothing_moves_a_place_waits_until_the_end_is_known() -> None:
    bot = at_a_venue(Move.NONE)
    [intent] = bot.turn(bot.book())
    assert isinstance(intent, Cancel)
    assert bot.wait(0.5) == []
    sent = bot.turn(bot.says_cancelled(bot.order), bot.book())
    assert [(p.price, p.amount) for p in places(sent)] == [(Decimal("0.0205"), Decimal(2))]


def test_an_end_that_does_not_tell_what_was_filled_is_asked_about() -> None:
    bot = at_a_venue(Move.NONE, end_tells_filled=False)
    bot.turn(bot.book())
    order = bot.order
    vague = bot.says_cancelled(order)
    sent = bot.turn(
        ev.OrderSeen(
            VENUE, order.label, order.order_id, None, None, None, None, None,
            OrderState.CANCELLED, vague.venue_ms, Request.CANCEL,
        )
    )  # fmt: skip
    assert where_is(order) is Status.UNKNOWN
    assert order.exposed == 2, "all of it may have been filled"
    assert of_kind(Place, sent) == []
    asked = bot.ask_again()
    assert asked.labels == ((order.instrument, order.label),)
    trade = bot.fill(order, 1)
    told = bot.says(order, OrderState.CANCELLED, filled=1)
    bot.turn(bot.snapshot(fills=[trade], lookups=[(order.label, told)]))
    assert where_is(order) is Status.DONE
    assert [bot.position, order.filled] == [1, 1]


def test_asked_and_never_told_its_trades_say_how_much_was_filled() -> None:
    bot = at_a_venue(Move.NONE, end_tells_filled=False)
    bot.turn(bot.book())
    order = bot.order
    vague = ev.OrderSeen(
        VENUE, order.label, order.order_id, None, None, None, None, None,
        OrderState.CANCELLED, bot.ms, None,
    )  # fmt: skip
    bot.turn(vague)
    bot.ask_again()
    bot.turn(bot.snapshot(fills=[bot.fill(order, 1)], lookups=[(order.label, vague)]))
    assert where_is(order) is Status.DONE
    assert [order.filled, order.exposed] == [1, 0]
