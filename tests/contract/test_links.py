"""Connections, sessions and frames that go wrong: noticed in time, told, and survived."""

from mmbot.core import events as ev
from mmbot.core.capabilities import Draws
from mmbot.core.order_life import OrderState, Request
from mmbot.core.types import SECOND, Side
from mmbot.core.why import Why
from mmbot.venues.timing import USUAL
from tests.contract.bench import World
from tests.contract.client import Client, client_on
from tests.contract.conftest import Start
from tests.contract.desk import desk_on
from tests.contract.test_orders import agreed

SCALE = 3.0
NOTICED_S = 4.5
"""A dead connection is given up within 3 s; the rest is for ticks, and a machine that is busy."""
PRIVATE_NOTICED_S = 15.0
KEEPS = World(scale=SCALE, dead_man_works=False)


async def test_reconnect_ends_nothing(start: Start) -> None:
    """A line that broke is no word of the venue's about any order."""
    async with start(KEEPS) as bench, client_on(bench) as client:
        orders = [client.order(side, number=number) for side in Side for number in (0, 1)]
        for order in orders:
            await client.rests(order)
        since = client.so_far
        bench.sever(away_s=1.0)
        for link in ev.Link:
            await client.down_and_up(link, since)
        told = client.heard(ev.OrderSeen, lambda e: e.state is not OrderState.OPEN)
        assert told == []
        assert client.heard(ev.RequestRefused) == []
        await agreed(client)
        assert {one.label for one in bench.ours()} == {one.label for one in orders}
        assert client.heard(ev.BookLost) != [], "a book of before is none"
        (one, *_) = bench.ours()
        label = client.cancel(one)
        await client.seen(label, OrderState.CANCELLED)


async def test_market_half_open(start: Start) -> None:
    """A connection looks alive and carries nothing: given up within 3 s, its books with it, and
    back again; the trading connection has done nothing wrong."""
    async with start(World(scale=SCALE)) as bench, client_on(bench, USUAL) as client:
        await client.rests(client.order())
        since, began_ns = client.so_far, bench.clock.now_ns()
        bench.half_open(ev.Link.MARKET, 60.0)
        await client.hear(ev.LinkChanged, lambda e: e.link is ev.Link.MARKET and not e.up, since)
        assert (bench.clock.now_ns() - began_ns) / SECOND <= NOTICED_S
        for instrument in bench.ids:
            await client.of(ev.BookLost, instrument, since)
        await client.down_and_up(ev.Link.MARKET, since)
        for instrument in bench.ids:
            lost = max(n for n, e in enumerate(client.events) if isinstance(e, ev.BookLost))
            await client.of(ev.BookChanged, instrument, lost)
        assert len(bench.ours()) == 1
        assert _downs(client, ev.Link.TRADING) == []


async def test_trading_half_open(start: Start) -> None:
    """What was asked on it is unknown, not gone; it is given up, and a new one tells the truth."""
    async with start(World(scale=SCALE)) as bench, client_on(bench, USUAL) as client:
        await client.rests(client.order())
        since, began_ns = client.so_far, bench.clock.now_ns()
        bench.half_open(ev.Link.TRADING, 60.0)
        order = client.order(Side.SELL)
        client.venue.submit([order])
        unknown = await client.hear(ev.OutcomeUnknown, lambda e: e.label == order.label, since)
        assert unknown.request is Request.PLACE
        assert (bench.clock.now_ns() - began_ns) / SECOND <= 2 * NOTICED_S
        await client.down_and_up(ev.Link.TRADING, since)
        assert client.heard(ev.OrderSeen, lambda e: e.label == order.label) == []
        await agreed(client)
        assert _downs(client, ev.Link.MARKET) == []
        await client.rests(client.order(Side.SELL))


async def test_private_silence(start: Start) -> None:
    """Requests are answered, and the stream says nothing of them: noticed, and cured."""
    async with start(World(scale=5.0)) as bench, client_on(bench) as client:
        bench.mute_private()
        since, began_ns = client.so_far, bench.clock.now_ns()
        order = client.order()
        client.venue.submit([order])
        await client.hear(ev.LinkChanged, lambda e: e.link is ev.Link.TRADING and not e.up, since)
        assert (bench.clock.now_ns() - began_ns) / SECOND <= PRIVATE_NOTICED_S
        await client.down_and_up(ev.Link.TRADING, since)
        resting = await client.rests(client.order())
        since = client.so_far
        bench.fill(resting.order_id, bench.amount)
        await client.hear(ev.Filled, since=since)
        await bench.pass_s(PRIVATE_NOTICED_S)
        assert len(_downs(client, ev.Link.TRADING)) == 1, "a quiet account is no silence"


def _downs(client: Client, link: ev.Link) -> list[ev.LinkChanged]:
    return client.heard(ev.LinkChanged, lambda e: e.link is link and not e.up)


async def test_garbage_frame(start: Start) -> None:
    """Words, half of a message, bytes: what it may have said is asked for, and nothing else is
    lost."""
    async with start(World()) as bench, client_on(bench) as client:
        for _ in range(3):
            resting = await client.rests(client.order())
            since = client.so_far
            bench.garble_private()
            bench.fill(resting.order_id, bench.amount)
            await client.hear(ev.MessageLost, since=since)
            looked = await client.taken()
            assert {one.key for one in bench.trades()} <= {one.key for one in looked.fills}
            since = client.so_far
            bench.garble_book(bench.instruments[0])
            stir = bench.rest(
                bench.instruments[0], Side.BUY, bench.amount, client.a_price(Side.BUY, -1)
            )
            await client.hear(ev.BookLost, lambda e: e.instrument == bench.ids[0], since)
            bench.take_away(stir)
            await client.hear(
                ev.BookChanged,
                lambda e: (e.bids, e.asks) == bench.book(bench.instruments[0]),
                since,
            )
        assert client.heard(ev.OrderSeen, lambda e: e.state is OrderState.CANCELLED) == []
        await agreed(client)


async def test_the_venues_own_rate_refusal(start: Start) -> None:
    """Too many requests, says the venue: the order is as it was, and nothing is sent there for a
    while; then all goes on."""
    async with start(KEEPS) as bench, client_on(bench) as client:
        resting = await client.rests(client.order())
        since = client.so_far
        bench.refuse_for_rate(Draws.CANCEL)
        label = client.cancel(resting)
        told = await client.hear(ev.RequestRefused, lambda e: e.label == label, since)
        assert told.request is Request.CANCEL
        assert told.stands is True
        assert [one.order_id for one in bench.ours()] == [resting.order_id]
        refused_at, asked = bench.now_ms(), len(bench.asked)
        if not client.heard(ev.LinkChanged, lambda e: not e.up):
            await bench.pass_s(0.5)
        trading_down = _downs(client, ev.Link.TRADING)
        if trading_down:
            await client.down_and_up(ev.Link.TRADING, since)
            private = [one for one in bench.asked[asked:] if one.private]
            assert len(private) <= 12, "one sign-in, no hammering"
            assert bench.now_ms() - refused_at >= 1_000
        await agreed(client)
        client.cancel(resting)
        await client.seen(label, OrderState.CANCELLED)
        assert bench.refused_for_rate == 1


async def test_login_expiry_and_a_session_that_is_forgotten(start: Start) -> None:
    """A sign-in is renewed before it ends, where it ends by itself; where the venue forgets it all
    the same, that is found out by the first request, told, and mended."""
    world = World(scale=6.0, login_lasts_s=20.0, dead_man_works=False)
    async with start(world) as bench, client_on(bench) as client:
        signed_in = bench.logins
        await client.rests(client.order())
        if not bench.logins_last:
            await bench.until(lambda: bench.logins > signed_in, "renewed")
        await bench.pass_s(25.0)
        assert bench.logins > signed_in or bench.logins_last
        await client.rests(client.order(Side.SELL))
        assert client.heard(ev.RequestRefused) == []
        assert client.heard(ev.LinkChanged, lambda e: not e.up) == []
        since = client.so_far
        bench.forget_logins()
        order = client.order(Side.SELL, number=1)
        client.venue.submit([order])
        refused = await client.hear(ev.RequestRefused, lambda e: e.label == order.label, since)
        assert refused.stands is not True
        await client.down_and_up(ev.Link.TRADING, since)
        await client.rests(client.order(Side.SELL, number=1))
        assert len(bench.ours()) == 3
        await agreed(client)


async def test_clock_off_by_2_s(start: Start) -> None:
    """Ahead or behind: requests pass, the difference is told, and the engine stops itself."""
    for ahead_s in (2.0, -2.0):
        async with start(World(ahead_s=ahead_s)) as bench:
            async with client_on(bench) as client:
                await client.rests(client.order())
                alive = await client.hear(ev.LinkAlive, lambda e: e.venue_ns)
                assert alive.venue_ns is not None
                apart_s = (alive.venue_ns - alive.received_ns) / SECOND
                assert abs(apart_s - ahead_s) < 0.5
                assert await client.venue.cancel_ours() == []
            async with desk_on(bench) as desk:
                await bench.until(lambda: desk.state.latch.tripped, "the kill switch")
                assert desk.state.latch.tripped is Why.CLOCK_SKEW
                await bench.until(lambda: not bench.ours(), "nothing of ours is left")
                assert desk.fills() == 0
