"""Whose an order is where the venue names no labels: by its id, or by terms and time."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities
from mmbot.core.inventory import Booked, Claimed
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.statements import Fill, OpenOrder
from mmbot.core.types import Side
from mmbot.core.why import Why
from tests.builders import a_quote
from tests.core.bot import VENUE, Bot, places

UNNAMED = Capabilities(label_echoed=False)


def stands(order: Order) -> Status:
    """Where an order stands by now."""
    return order.status


def sending() -> tuple[Bot, Order]:
    """A bid is on its way to a venue that names no labels."""
    bot = Bot.quoting(wants=[a_quote(Side.BUY, 0.0200, 2)])
    bot.turn(ev.VenueDescribed(VENUE, UNNAMED), bot.book())
    return bot, bot.order


def unnamed(seen: ev.OrderSeen, order_id: str = "v1") -> ev.OrderSeen:
    return replace(seen, label=None, order_id=order_id, answers=None)


def listed(bot: Bot, order: Order, order_id: str, created_s: float = 0.1) -> OpenOrder:
    """An open order on the same terms, created so long after ours was sent."""
    created_ms = order.placed_ns // 10**6 + round(created_s * 1_000)
    return replace(bot.stated(order), label=None, order_id=order_id, created_ms=created_ms)


def lost() -> tuple[Bot, Order]:
    """Its reply is lost, and the venue is being asked."""
    bot, order = sending()
    bot.turn(ev.OutcomeUnknown(order.label, Request.PLACE, Why.REPLY_LOST))
    asked = bot.ask_again()
    assert asked.labels == (), "nobody could answer by a label"
    return bot, order


def looked(bot: Bot, orders: Sequence[OpenOrder] = (), fills: Sequence[Fill] = ()) -> None:
    bot.turn(bot.snapshot(orders=orders, fills=fills))


def test_the_reply_tells_the_id_and_what_is_said_of_that_id_is_ours() -> None:
    bot, order = sending()
    bot.turn(replace(bot.says_open(order), order_id="v1"))
    assert bot.state.orders.ids == {f"{VENUE} v1": order.label}
    assert bot.state.orders.learned == {order.label: (VENUE, "v1")}
    bot.turn(unnamed(bot.says(order, OrderState.CANCELLED)))
    assert stands(order) is Status.DONE


def test_a_fill_before_the_reply_is_booked_at_once_and_ours_when_the_id_is_known() -> None:
    bot, order = sending()
    trade = replace(bot.fill(order, 2), label=None, order_id="v1")
    bot.turn(ev.Filled(trade))
    assert bot.position == 2
    [booked] = [entry for entry in bot.state.entries if isinstance(entry, Booked)]
    assert not booked.ours
    bot.turn(replace(bot.says(order, OrderState.FILLED, filled=2), order_id="v1"))
    [claimed] = [entry for entry in bot.state.entries if isinstance(entry, Claimed)]
    assert (claimed.fill.key, claimed.fill.label) == (trade.key, order.label)
    assert [order.booked, order.unbooked] == [2, 0]
    assert order not in bot.orders


def test_an_end_that_was_told_before_the_reply_counts() -> None:
    bot, order = sending()
    reply = replace(bot.says_open(order), order_id="v1")
    bot.turn(unnamed(replace(bot.says(order, OrderState.CANCELLED), venue_ms=bot.ms + 5)))
    assert stands(order) is Status.PENDING
    bot.turn(reply)
    assert stands(order) is Status.DONE


def test_a_lost_reply_is_found_by_terms_and_time() -> None:
    bot, order = lost()
    looked(bot, [listed(bot, order, "v1")])
    assert (stands(order), order.order_id) == (Status.LIVE, "v1")
    assert bot.account.foreign == {}


def test_other_terms_another_time_or_a_known_id_are_not_ours() -> None:
    bot, order = lost()
    others = [
        replace(listed(bot, order, "price"), price=Decimal("0.0201")),
        replace(listed(bot, order, "amount"), amount=Decimal(3)),
        replace(listed(bot, order, "side"), side=Side.SELL),
        listed(bot, order, "before", created_s=-2),
        listed(bot, order, "after", created_s=7),
    ]
    looked(bot, others)
    assert stands(order) is Status.UNKNOWN
    assert set(bot.account.foreign) == {"price", "amount", "side", "before", "after"}
    for _ in range(4):
        bot.ask_again()
        looked(bot, others)
    assert stands(order) is Status.DONE, "asked late enough, it is not there"


def test_of_two_that_could_be_ours_none_is_until_they_are_gone() -> None:
    bot, order = lost()
    both = [listed(bot, order, "v1"), listed(bot, order, "v2")]
    looked(bot, both)
    for _ in range(8):
        bot.ask_again()
        looked(bot, both)
    assert stands(order) is Status.UNKNOWN
    assert places(bot.turn(bot.book())) == [], "its slot is blocked"
    assert set(bot.account.foreign) == {"v1", "v2"}, "and nobody touches them"
    bot.ask_again()
    looked(bot)
    assert stands(order) is Status.DONE


def test_what_was_filled_before_anybody_looked_is_found_by_its_trades() -> None:
    bot, order = lost()
    trade = replace(bot.fill(order, 2), label=None, order_id="v1")
    looked(bot, fills=[trade])
    assert order.order_id == "v1"
    assert order.booked == 2
    asked = bot.ask_again()
    assert asked.order_ids == ("v1",)
    told = unnamed(bot.says(order, OrderState.FILLED, filled=2))
    bot.turn(bot.snapshot(fills=[trade], lookups=[(order.label, told)]))
    assert bot.orders == []
    assert bot.position == 2


def test_when_an_order_came_about_is_known_from_a_push_too() -> None:
    bot, order = lost()
    created_ms = order.placed_ns // 10**6 + 7_000
    trade = replace(bot.fill(order, 2), label=None, order_id="v1")
    gone = bot.says(order, OrderState.FILLED, filled=2)
    bot.turn(ev.Filled(trade), unnamed(replace(gone, created_ms=created_ms)))
    looked(bot, fills=[trade])
    assert (order.order_id, order.booked) == ("", Decimal(0)), "the request was not valid any more"
    assert bot.position == 2


def test_a_trade_at_a_worse_price_or_of_more_than_ours_is_somebody_elses() -> None:
    bot, order = lost()
    worse = replace(bot.fill(order, 1), label=None, order_id="v1", price=Decimal("0.0201"))
    more = replace(bot.fill(order, 3), label=None, order_id="v2")
    looked(bot, fills=[worse, more])
    assert order.order_id == ""
    assert order.booked == 0
    assert bot.position == 4, "booked all the same"


def test_what_is_told_of_others_is_forgotten_once_no_reply_is_awaited() -> None:
    bot, order = sending()
    bot.turn(unnamed(bot.says(order), "strange"))
    assert "strange" in bot.account.unclaimed
    bot.turn(replace(bot.says_open(order), order_id="v1"))
    bot.ask_again()
    looked(bot, [listed(bot, order, "v1")])
    assert bot.account.unclaimed == {}


def test_of_two_lost_on_the_same_terms_an_order_is_the_one_sent_just_before_it_came_about() -> None:
    bot, first = sending()
    bot.wants = [a_quote(Side.BUY, 0.0200, 2), a_quote(Side.BUY, 0.0200, 2, level=1)]
    bot.turn(bot.book(), after_s=1.0)
    [second] = [order for order in bot.orders if order is not first]
    for order in (first, second):
        bot.turn(ev.OutcomeUnknown(order.label, Request.PLACE, Why.REPLY_LOST))
    bot.ask_again()
    trade = replace(bot.fill(second, 2), label=None, order_id="v1")
    created_ms = second.placed_ns // 10**6 + 40
    gone = replace(bot.says(second, OrderState.FILLED, filled=2), created_ms=created_ms)
    bot.turn(ev.Filled(trade), unnamed(gone))
    looked(bot, fills=[trade])
    assert (first.order_id, second.order_id) == ("", "v1")
