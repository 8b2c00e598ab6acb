"""Two venues that hand out the same ids: what is told of one's order never touches the other's."""

from dataclasses import replace
from decimal import Decimal

from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.recovery import take_order
from mmbot.core.state import State
from mmbot.core.statements import Fill, OpenOrder
from mmbot.core.types import Side, venue_name
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_fill, a_quote
from tests.core.bot import VENUE, resyncs
from tests.core.two import HEDGE, HERE, THERE, Two

UNNAMED = Capabilities(label_echoed=False)
ID = "7"


def both_sent() -> tuple[Two, Order, Order]:
    """A bid is on its way to each venue; neither names labels."""
    bot = Two()
    bot.turn(ev.VenueDescribed(VENUE, UNNAMED), ev.VenueDescribed(HEDGE, UNNAMED))
    for instrument in (HERE, THERE):
        bot.puppet.wants[instrument.id] = [a_quote(Side.BUY, 0.0200, 2)]
    bot.turn(*bot.lives(), *bot.books())
    (here,), (there,) = bot.at(VENUE), bot.at(HEDGE)
    return bot, here, there


def both_open() -> tuple[Two, Order, Order]:
    """They rest, both under the same id."""
    bot, here, there = both_sent()
    bot.turn(*(structs.replace(bot.says_open(order), order_id=ID) for order in (here, there)))
    assert [stands(order) for order in (here, there)] == [Status.LIVE, Status.LIVE]
    return bot, here, there


def stands(order: Order) -> Status:
    return order.status


def trade(order: Order, amount: int, trade_id: str = "t1") -> Fill:
    """An execution of it as such a venue tells it."""
    (where,) = (one for one in (HERE, THERE) if one.id == order.instrument)
    fill = a_fill(order.side, order.price, amount, trade_id=trade_id, instrument=where)
    return structs.replace(fill, label=None, order_id=ID, venue_ms=NOW_NS // 10**6 + 500)


def test_a_fill_of_one_is_not_the_others() -> None:
    bot, here, there = both_open()
    bot.turn(ev.Filled(trade(here, 2)))
    assert [here.booked, there.booked] == [2, 0]
    bot.turn(ev.Filled(trade(there, 1)))
    assert [here.booked, there.booked] == [2, 1], "nor is a trade of the same id booked already"
    assert bot.state.inventory.amount(HERE.id) == 2
    assert bot.state.inventory.amount(THERE.id) == 1


def test_the_end_of_one_is_not_the_others() -> None:
    for ended, stays in ((0, 1), (1, 0)):
        bot, *orders = both_open()
        said = structs.replace(bot.says(orders[ended], OrderState.CANCELLED), label=None)
        bot.turn(said)
        assert stands(orders[ended]) is Status.DONE
        assert stands(orders[stays]) is Status.LIVE


def test_an_id_that_is_known_at_one_venue_may_be_a_strangers_at_the_other() -> None:
    bot, here, _there = both_sent()
    bot.turn(structs.replace(bot.says_open(here), order_id=ID))
    theirs = structs.replace(
        bot.says(here), venue=HEDGE, instrument=THERE.id, label=None, order_id=ID
    )
    bot.turn(theirs)
    assert list(bot.state.account(HEDGE).foreign) == [ID]
    assert stands(here) is Status.LIVE


def test_a_lost_reply_is_found_though_the_other_venue_has_given_that_id_too() -> None:
    for told_by_trades in (False, True):
        bot, here, there = both_sent()
        bot.turn(
            structs.replace(bot.says_open(here), order_id=ID),
            ev.OutcomeUnknown(there.label, Request.PLACE, Why.REPLY_LOST),
        )
        asked = [one.venue for one in resyncs(bot.wait(1))]
        assert HEDGE in asked
        listed = OpenOrder(
            ID, None, THERE.id, there.side, there.price, there.amount, Decimal(0), bot.ms
        )
        look = bot.word(HEDGE, orders=[listed])
        if told_by_trades:
            look = bot.word(HEDGE, fills=[trade(there, 2)])
        bot.turn(look)
        assert there.order_id == here.order_id == ID
        assert [here.booked, there.booked] == [0, 2 if told_by_trades else 0]


def test_the_store_is_told_both() -> None:
    bot, here, there = both_open()
    assert bot.state.orders.learned == {here.label: (VENUE, ID), there.label: (HEDGE, ID)}


def test_a_restart_tells_them_apart() -> None:
    """Their ids are written, and not yet with the orders themselves."""
    before, here, there = both_open()
    state = State(run="next", started_ns=before.now_ns)
    state.orders.ids |= before.state.orders.ids
    for order in (here, there):
        take_order(state, replace(order, order_id=""), 0, before.now_ns)
    taken = {venue_name(one.instrument): one for one in state.orders.all()}
    assert {venue: (one.label, one.order_id) for venue, one in taken.items()} == {
        VENUE: (here.label, ID),
        HEDGE: (there.label, ID),
    }
