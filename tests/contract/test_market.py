"""Books and prices that cannot be trusted: none is, and no quote follows its own tail."""

from decimal import Decimal
from functools import partial

from mmbot.core import events as ev
from mmbot.core.types import Side
from tests.contract.bench import Bench, World
from tests.contract.client import Client, client_on
from tests.contract.conftest import Start
from tests.contract.desk import desk_on
from tests.contract.test_orders import agreed


def stir(bench: Bench, client: Client) -> str:
    """The first book changes: a stranger's order comes, far from the market."""
    price = client.a_price(Side.BUY, -2)
    return bench.rest(bench.instruments[0], Side.BUY, bench.amount, price)


async def right(client: Client, since: int) -> None:
    """The first book is told as it is."""
    bench = client.bench
    await client.hear(
        ev.BookChanged,
        lambda e: (
            e.instrument == bench.ids[0] and (e.bids, e.asks) == bench.book(bench.instruments[0])
        ),
        since,
    )


def told(client: Client, since: int) -> list[tuple[object, object]]:
    """Every state of the first book that was told."""
    books = [one for one in client.events[since:] if isinstance(one, ev.BookChanged)]
    return [(one.bids, one.asks) for one in books if one.instrument == client.bench.ids[0]]


async def test_book_gap_double_reorder(start: Start) -> None:
    """A book is as it is or none: no state of it is told that never was, and it comes right."""
    async with start(World()) as bench, client_on(bench) as client:
        name = bench.instruments[0]
        for trouble in (bench.gap_book, bench.double_book, bench.reorder_book):
            since, states = client.so_far, [bench.book(name)]
            trouble(name)
            resting = []
            for _ in range(3):
                resting.append(stir(bench, client))
                states.append(bench.book(name))
            await right(client, since)
            assert [one for one in told(client, since) if one not in states] == []
            if trouble is bench.gap_book:
                assert client.heard(ev.BookLost) != [], "a gap was noticed"
            for one in resting:
                bench.take_away(one)
            await right(client, client.so_far - 1)
        assert client.heard(ev.LinkChanged, lambda e: not e.up) == []


async def test_insane_snapshot(start: Start) -> None:
    """A whole book that is nonsense is never told; an account in a form nobody can read is no
    account without orders. Both are asked for again until they make sense."""
    async with start(World()) as bench, client_on(bench) as client:
        name = bench.instruments[0]
        since = client.so_far
        bench.spoil_books(name, spoiled=True)
        bench.gap_book(name)
        resting = [stir(bench, client) for _ in range(3)]
        await client.hear(ev.BookLost, lambda e: e.instrument == bench.ids[0], since)
        await bench.pass_s(1.0)
        lost = max(n for n, one in enumerate(client.events) if isinstance(one, ev.BookLost))
        assert told(client, lost) == []
        bench.spoil_books(name, spoiled=False)
        bench.take_away(resting[0])
        await right(client, lost)

        order = client.order()
        await client.rests(order)
        bench.spoil_account(spoiled=True)
        looked = await client.look()
        if isinstance(looked, ev.SnapshotTaken):
            assert not looked.orders_complete
            assert [one.amount for one in looked.positions if one.amount is not None] == []
        assert len(bench.ours()) == 1
        bench.spoil_account(spoiled=False)
        await agreed(client)


async def test_own_orders_out_of_the_reference(start: Start) -> None:
    """Our quotes are the best of the book, and what they are made from is the others' best: as
    often as the book moves elsewhere, none of them runs after itself."""
    async with start(World(scale=4.0)) as bench, desk_on(bench, refresh="0.1") as desk:
        await desk.quotes()
        before = desk.at_venue()
        prices = {(o.instrument, o.side): o.price for o in bench.ours()}
        bests = 0
        for number in range(12):
            name = bench.instruments[number % 2]
            (bids, asks), instrument = bench.book(name), bench.id_of(name)
            bests += Decimal(repr(bids[0][0])) == prices[instrument, Side.BUY]
            bests += Decimal(repr(asks[0][0])) == prices[instrument, Side.SELL]
            grid = desk.state.markets[instrument].instrument.grid
            price = grid.step_price(Decimal(repr(bids[-1][0])), -1)
            books = len(desk.heard(ev.BookChanged))
            bench.rest(name, Side.BUY, bench.amount, price)
            await bench.until(partial(desk.has_heard, ev.BookChanged, books), "the book has moved")
            await bench.pass_s(0.3)
        assert bests > 0, "none of our quotes was the best: nothing could be seen"
        assert {(o.instrument, o.side): o.price for o in bench.ours()} == prices
        assert desk.at_venue() == before
