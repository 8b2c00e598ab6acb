"""Requests and answers that are lost or late: nothing is taken for gone, or sent again."""

from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.capabilities import Draws, Move
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request
from mmbot.core.why import Why
from tests.contract.bench import World
from tests.contract.client import client_on
from tests.contract.conftest import Start
from tests.contract.desk import Desk, desk_on
from tests.contract.test_orders import agreed

LATE_S = 60.0
LATE = World(scale=20.0)
MOVING = {Move.SAME_ID: Request.AMEND, Move.REPLACE: Request.REPLACE}
"""What moves an order, where one request does."""


async def test_reply_lost(start: Start) -> None:
    """Unknown is told, once; and the look that follows has what became of it."""
    async with start(World(scale=4.0)) as bench, client_on(bench) as client:
        order = client.order()
        bench.lose_reply(Draws.PLACE)
        client.venue.submit([order])
        unknown = await client.hear(ev.OutcomeUnknown)
        assert (unknown.label, unknown.request) == (order.label, Request.PLACE)
        assert [one.label for one in bench.ours()] == [order.label], "carried out, and once"
        await agreed(client)
        (resting,) = bench.ours()
        bench.lose_reply(Draws.CANCEL)
        client.cancel(resting)
        await client.hear(ev.OutcomeUnknown, lambda e: e.request is Request.CANCEL)
        assert bench.ours() == []
        looked = await client.taken(order.label)
        assert [one for one in looked.orders if is_ours(one.label)] == []
        last = dict(looked.lookups)[order.label]
        assert last is None or last.state is OrderState.CANCELLED
        assert client.heard(ev.RequestRefused) == []


async def test_request_lost(start: Start) -> None:
    """The same to us; and by the time a request may take effect, the venue knows of no order."""
    async with start(World(scale=4.0)) as bench, client_on(bench) as client:
        order = client.order()
        bench.lose_request(Draws.PLACE)
        client.venue.submit([order])
        unknown = await client.hear(ev.OutcomeUnknown)
        assert (unknown.label, unknown.request) == (order.label, Request.PLACE)
        assert client.heard(ev.OrderSeen, lambda e: e.label == order.label) == []
        looked = await client.taken(order.label)
        assert looked.orders_complete
        assert [one for one in looked.orders if is_ours(one.label)] == []
        assert dict(looked.lookups) == {order.label: None}
        assert bench.arrived(Draws.PLACE) == 0, "never sent again by itself"
        if bench.capabilities.valid_for_ns is not None:
            too_late_s = bench.capabilities.valid_for_ns / 1e9 + 1
            bench.late_request(Draws.PLACE, too_late_s)
            since, late = client.so_far, client.order()
            client.venue.submit([late])
            await client.hear(ev.OutcomeUnknown, lambda e: e.label == late.label, since)
            await bench.pass_s(too_late_s)
            assert bench.ours() == [], "a request that is too late dies at the venue"


async def test_reply_60_s_late(start: Start) -> None:
    """Long after the bot has given up waiting, asked the venue, and gone on: places, moves and
    cancels, each answered a minute late. There is never a second order in a slot."""
    async with start(LATE) as bench, desk_on(bench) as desk:
        began_ms = bench.now_ms()
        await desk.quotes()
        bench.late_reply(Draws.CANCEL, LATE_S, 4)
        desk.tell(ev.Pause(Why.PAUSED))
        await bench.until(lambda: not bench.ours(), "cancelled")
        await bench.until(lambda: unknown(desk, Request.CANCEL), "cancels that nobody answers")
        bench.late_reply(Draws.PLACE, LATE_S, 4)
        desk.tell(ev.Unpause())
        await bench.until(lambda: unknown(desk, Request.PLACE), "places that nobody answers")
        moving = MOVING.get(bench.capabilities.move)
        if moving is not None:
            await desk.quotes()
            bench.late_reply(Draws.MOVE, LATE_S, 4)
            desk.tell(ev.SizeScaled(Decimal(2)))
            await bench.until(lambda: unknown(desk, moving), "moves that nobody answers")
        await bench.pass_s(LATE_S + 2.0)
        await desk.quotes()
        assert bench.now_ms() - began_ms > LATE_S * 1000
        assert bench.most_in_a_slot == 1
        assert len(set(bench.labels)) == len(bench.labels)


def unknown(desk: Desk, request: Request) -> list[ev.OutcomeUnknown]:
    """How often nobody knew what became of such a request."""
    return [one for one in desk.heard(ev.OutcomeUnknown) if one.request is request]
