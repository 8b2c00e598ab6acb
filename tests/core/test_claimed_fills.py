"""Where the venue names no labels and takes fills back: a fill is booked as nobody's, and becomes
ours with all that was said of it, and all that will be."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.inventory import Booked, Claimed
from mmbot.core.order_life import OrderState, Status
from mmbot.core.orders import Order
from mmbot.core.recovery import take_provisional
from mmbot.core.statements import Fill, Finality, Liquidity
from mmbot.core.types import BUY, ZERO
from tests.builders import a_quote
from tests.core.bot import VENUE, Bot

CAN = Capabilities(
    move=Move.NONE, label_echoed=False, fills_final=False, end_tells_filled=False, valid_for_ns=None
)
ID = "venue-7"


def placed() -> tuple[Bot, Order]:
    """A bid for 5 at 0.0200 that nobody has answered."""
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, CAN))
    bot.wants = [a_quote(BUY, 0.0200, 5)]
    bot.turn(bot.book())
    bot.wants = []
    return bot, bot.order


def traded(bot: Bot, order: Order, finality: Finality = Finality.PROVISIONAL) -> Fill:
    """2 of it, without a label, under an id that is not known to be ours."""
    fill = replace(bot.fill(order, 2), order_id=ID, label=None)
    return said(fill, finality)


def said(fill: Fill, finality: Finality) -> Fill:
    stated_ms = 0 if finality is Finality.PROVISIONAL else fill.venue_ms + 900
    return replace(fill, finality=finality, stated_ms=stated_ms)


def answered(bot: Bot, order: Order, amount: int = 5, filled: int = 0) -> ev.OrderSeen:
    """The answer to its place."""
    told = bot.says(order, answers=order.request, filled=filled)
    return replace(told, order_id=ID, amount=Decimal(amount))


def written(bot: Bot) -> list[tuple[str, bool, bool]]:
    """What the store is told of executions: of which, whether as ours, and whether again."""
    entries = [entry for entry in bot.state.entries if isinstance(entry, Booked)]
    return [(entry.fill.trade_id, entry.ours, entry.again) for entry in entries]


def claimed(bot: Bot) -> list[str]:
    return [entry.fill.trade_id for entry in bot.state.entries if isinstance(entry, Claimed)]


@pytest.mark.parametrize(
    ("end", "booked", "last"),
    [
        (Finality.FINAL, 2, ("trade-1", True, True)),
        (Finality.VOIDED, 0, ("trade-1 void", True, False)),
    ],
)
def test_the_conclusion_of_a_claimed_fill_finds_its_order(
    end: Finality, booked: int, last: tuple[str, bool, bool]
) -> None:
    bot, order = placed()
    fill = traded(bot, order)
    bot.turn(ev.Filled(fill))
    assert order.booked == ZERO
    bot.turn(answered(bot, order, filled=2))
    assert (order.booked, claimed(bot)) == (Decimal(2), ["trade-1"])
    bot.turn(ev.Filled(said(fill, end)))
    assert (order.booked, order.filled) == (Decimal(booked), Decimal(booked))
    assert written(bot) == [("trade-1", False, False), last]


def test_what_was_taken_back_before_the_answer_came_fills_nothing() -> None:
    bot, order = placed()
    fill = traded(bot, order)
    bot.turn(ev.Filled(fill), ev.Filled(said(fill, Finality.VOIDED)))
    bot.turn(answered(bot, order, amount=3))
    assert [order.booked, order.filled, order.unbooked] == [ZERO] * 3
    assert claimed(bot) == ["trade-1", "trade-1 void"]


def lost_reply(bot: Bot, order: Order) -> None:
    """The answer to its place will not come, and the venue is asked."""
    bot.wait(2.5)
    if not bot.account.asked_ns:
        bot.ask_again()
    assert (order.status, order.order_id) == (Status.UNKNOWN, "")


def test_an_order_that_is_smaller_by_what_was_taken_back_is_found_by_its_terms() -> None:
    bot, order = placed()
    created_ms = bot.ms
    fill = traded(bot, order, Finality.VOIDED)
    lost_reply(bot, order)
    listed = replace(bot.stated(order), label=None, order_id=ID, amount=Decimal(3))
    listed = replace(listed, created_ms=created_ms)
    flat = {bot.instrument.id: ZERO}
    bot.turn(bot.snapshot(orders=[listed], fills=[fill], positions=flat))
    assert (order.order_id, order.amount, order.booked) == (ID, Decimal(3), ZERO)


def test_one_that_is_larger_is_not() -> None:
    bot, order = placed()
    listed = replace(bot.stated(order), label=None, order_id=ID, amount=Decimal(6))
    listed = replace(listed, created_ms=bot.ms)
    lost_reply(bot, order)
    bot.turn(bot.snapshot(orders=[listed]))
    assert order.order_id == ""


@pytest.mark.parametrize(
    ("end", "booked"),
    [(Finality.PROVISIONAL, 2), (Finality.FINAL, 2), (Finality.VOIDED, 0)],
)
def test_what_an_earlier_run_booked_as_nobodys_is_claimed_as_it_stands(
    end: Finality, booked: int
) -> None:
    bot, order = placed()
    fill = traded(bot, order)
    mark = Decimal("0.0215")
    take_provisional(bot.state, [replace(fill, mark=mark)])
    position = bot.state.inventory.add(bot.instrument)
    position.book(fill, mark)
    lost_reply(bot, order)
    held = {bot.instrument.id: Decimal(booked)}
    amount = Decimal(3) if end is Finality.VOIDED else Decimal(5)
    listed = replace(bot.stated(order), label=None, order_id=ID, amount=amount)
    bot.turn(bot.snapshot(orders=[listed], fills=[said(fill, end)], positions=held))
    assert (order.order_id, order.booked, bot.position) == (ID, Decimal(booked), Decimal(booked))
    assert claimed(bot) == ["trade-1"]


def test_what_it_booked_and_took_back_is_claimed_with_its_reversal() -> None:
    bot, order = placed()
    fill = traded(bot, order, Finality.VOIDED)
    for entry in (fill, fill.reversal(fill.stated_ms)):
        bot.state.inventory.know(entry.key)
    lost_reply(bot, order)
    listed = replace(bot.stated(order), label=None, order_id=ID, amount=Decimal(3))
    bot.turn(bot.snapshot(orders=[listed], fills=[fill]))
    assert (order.order_id, order.booked, bot.position) == (ID, ZERO, ZERO)
    assert claimed(bot) == ["trade-1", "trade-1 void"]


def test_an_order_that_filled_and_lost_it_again_ends_when_its_trades_are_listed() -> None:
    bot, order = placed()
    bot.turn(answered(bot, order))
    fill = replace(bot.fill(order, 5), order_id=ID, label=None)
    bot.ask_again()
    end = replace(bot.says(order, OrderState.FILLED), filled=None)
    flat = {bot.instrument.id: ZERO}
    void = said(fill, Finality.VOIDED)
    bot.turn(bot.snapshot(lookups=[(order.label, end)], fills=[void], positions=flat))
    assert (bot.orders, bot.position) == ([], ZERO)


@pytest.mark.parametrize("liquidity", [Liquidity.MAKER, None], ids=["made", "not told"])
@pytest.mark.parametrize("number", [0, 1])
def test_of_two_lost_orders_a_trade_is_of_the_one_with_its_price(
    number: int, liquidity: Liquidity | None
) -> None:
    """The other could have bought at a better price than its own."""
    bot = Bot.quoting()
    bot.turn(ev.VenueDescribed(VENUE, CAN))
    bot.wants = [a_quote(BUY, 0.0200, 5), a_quote(BUY, 0.0195, 5, level=1)]
    bot.turn(bot.book())
    bot.wants = []
    orders = bot.orders
    fill = replace(traded(bot, orders[number]), liquidity=liquidity)
    bot.wait(2.5)
    if not bot.account.asked_ns:
        bot.ask_again()
    bot.turn(bot.snapshot(fills=[fill]))
    assert [order.order_id for order in orders if order.order_id] == [ID]
    assert (orders[number].order_id, orders[number].booked) == (ID, Decimal(2))


def test_a_trade_made_at_another_price_is_of_no_order_of_ours() -> None:
    bot, order = placed()
    fill = replace(traded(bot, order), price=Decimal("0.0195"))
    assert fill.liquidity is Liquidity.MAKER
    lost_reply(bot, order)
    bot.turn(bot.snapshot(fills=[fill]))
    assert (order.order_id, bot.position) == ("", Decimal(2))
