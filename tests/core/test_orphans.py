"""Orders of ours that fill no slot: they go, however little the venue says of them."""

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.intents import CancelAll
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.statements import OpenOrder
from mmbot.core.types import InstrumentId, Label
from mmbot.core.why import Why
from tests.core.bot import VENUE, Bot, a_foreign_order, both_sides, cancels, of_kind

ELSEWHERE = InstrumentId(f"{VENUE}:BTC-PERPETUAL")


def bare(number: int, instrument: InstrumentId | None = None) -> OpenOrder:
    """An order of an earlier run, of which the venue says nothing but the least."""
    label = Label(f"mmold-{number}")
    return OpenOrder(f"7{number}", label, instrument, None, None, None, None)


@pytest.mark.parametrize("instrument", [None, ELSEWHERE])
def test_an_orphan_whose_cancel_was_lost_is_cancelled_again(
    instrument: InstrumentId | None,
) -> None:
    bot = Bot.quoting(wants=both_sides())
    bot.account.asked_ns = bot.now_ns
    [first] = cancels(bot.turn(bot.snapshot(orders=(bare(1, instrument),))))
    bot.turn(ev.OutcomeUnknown(first.label, Request.CANCEL, Why.REPLY_LOST))
    bot.ask_again()
    sent = bot.turn(bot.snapshot(orders=(bare(1, instrument),)), after_s=1)
    assert [cancel.order_id for cancel in cancels(sent)] == ["71"]
    bot.turn(ev.OutcomeUnknown(first.label, Request.CANCEL, Why.REPLY_LOST))
    bot.ask_again()
    bot.turn(bot.snapshot(lookups=((first.label, None),)))
    assert first.label not in bot.state.orders.by_label


def test_leaving_an_orphan_nobody_is_sure_of_is_cancelled_all_the_same() -> None:
    bot = Bot.quoting()
    bot.account.asked_ns = bot.now_ns
    [first] = cancels(bot.turn(bot.snapshot(orders=(bare(1),))))
    bot.turn(ev.OutcomeUnknown(first.label, Request.CANCEL, Why.REPLY_LOST))
    assert bot.state.orders.by_label[first.label].status is Status.UNKNOWN
    [again] = cancels(bot.turn(ev.Stop(Why.USER), ev.Tick(), after_s=1))
    assert again.order_id == first.order_id


def test_short_of_budget_orders_without_an_instrument_are_not_cancelled_by_instrument() -> None:
    """No venue takes a mass cancel on an instrument without a name."""
    bot = Bot.quoting()
    bot.account.budget.level, bot.account.budget.at_ns = 3.0, bot.now_ns
    bot.account.asked_ns = bot.now_ns
    mine = tuple(bare(number) for number in range(4))
    sent = bot.turn(bot.snapshot(orders=(*mine, a_foreign_order())))
    assert of_kind(CancelAll, sent) == []
    assert len(cancels(sent)) == 3
    sent = bot.turn(bot.alive(), ev.Tick(), after_s=1)
    assert len(cancels(sent)) == 1, "the rest follows when there is budget"


def test_short_of_budget_orders_without_an_instrument_go_with_the_whole_venue() -> None:
    bot = Bot.quoting()
    bot.account.budget.level, bot.account.budget.at_ns = 3.0, bot.now_ns
    bot.account.asked_ns = bot.now_ns
    sent = bot.turn(bot.snapshot(orders=tuple(bare(number) for number in range(4))))
    [everything] = of_kind(CancelAll, sent)
    assert (everything.instrument, len(everything.labels)) == (None, 4)


def test_a_foreign_order_without_an_instrument_may_rest_on_any() -> None:
    bot = Bot.quoting()
    bot.rest(*both_sides())
    hers = OpenOrder("900", Label("hers"), None, None, None, None, None)
    bot.account.asked_ns = bot.now_ns
    orders = tuple(bot.stated(order) for order in bot.orders)
    bot.turn(bot.snapshot(orders=(*orders, hers)))
    bot.account.budget.level, bot.account.budget.at_ns = 1.5, bot.now_ns
    bot.wants = ()
    sent = bot.turn(bot.book())
    assert of_kind(CancelAll, sent) == []
    assert len(cancels(sent)) == 1


def test_an_order_of_an_earlier_run_whose_end_was_told_is_not_open_by_an_older_look() -> None:
    bot = Bot.quoting()
    bot.ask_again()
    listed = replace(a_foreign_order(label="mm9-1"), venue_ms=bot.ms)
    end = ev.OrderSeen(
        venue=VENUE,
        label=listed.label,
        order_id=listed.order_id,
        instrument=listed.instrument,
        side=listed.side,
        price=listed.price,
        amount=listed.amount,
        filled=listed.amount,
        state=OrderState.FILLED,
        venue_ms=bot.ms + 5,
    )
    asked_ns = bot.account.asked_ns
    bot.turn(end)
    assert bot.turn(bot.snapshot(orders=[listed], asked_ns=asked_ns)) == []
    assert bot.orders == []
