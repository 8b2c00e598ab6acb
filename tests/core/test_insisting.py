"""Leaving while nobody is sure of an order: it is cancelled again and again, and asked about."""

from mmbot.core import events as ev
from mmbot.core.intents import Resync
from mmbot.core.order_life import OrderState, Status
from mmbot.core.types import SECOND, Nanos
from mmbot.core.why import Why
from tests.core.bot import VENUE, Bot, both_sides, resyncs

ANSWER_S = 0.6
"""How long this venue takes: longer than the wait between two cancels."""


def test_orders_that_were_gone_before_are_found_out() -> None:
    """A mass cancel of nothing is answered with success and no word about any order."""
    bot = Bot.quoting()
    orders = bot.rest(*both_sides())
    bot.wants = ()
    bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=False))
    sent = bot.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=True), ev.Stop(Why.USER))
    assert {order.status for order in orders} == {Status.CANCELING}
    asked: list[tuple[Nanos, Resync]] = []
    for _ in range(100):
        asked += [(bot.now_ns, question) for question in resyncs(sent)]
        if asked and bot.now_ns - asked[0][0] >= ANSWER_S * SECOND:
            asked_ns, question = asked.pop(0)
            gone = [
                (order.label, bot.says(order, OrderState.CANCELLED))
                for order in orders
                if (order.instrument, order.label) in question.labels
            ]
            sent = bot.turn(bot.snapshot(lookups=gone, asked_ns=asked_ns))
        else:
            sent = bot.turn(bot.alive(), ev.Tick(), after_s=0.1)
        if bot.state.flat_verified:
            assert bot.account.exit is not None
            assert bot.account.exit.last_end_ms > 0, "the venue's stamp of the end is known too"
            return
    raise AssertionError(f"not sure of {[order.status for order in orders]} after 10 s")
