"""Books and prices that cannot be trusted: none is, and no quote follows its own tail."""

from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.types import Side
from tests.contract.bench import Bench, World
from tests.contract.client import Client, client_on
from tests.contract.conftest import Start
from tests.contract.desk import Desk, desk_on
from tests.contract.test_orders import agreed

SETTLED_S = 3.0
"""So long after a market has gone wide, quotes are made from that."""
TOLD_WITHIN_S = 0.25
"""A book that comes whole each time comes so soon after it has changed."""


def stir(bench: Bench, client: Client, ticks: int) -> str:
    """The first book changes: a stranger's order comes, so far from the market, and alone there."""
    price = client.a_price(Side.BUY, -2 - ticks)
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
        name, asked = bench.instruments[0], len(bench.asked)
        for trouble in (bench.gap_book, bench.double_book, bench.reorder_book):
            since, states = client.so_far, [bench.book(name)]
            trouble(name)
            resting = []
            for ticks in range(3):
                resting.append(stir(bench, client, ticks))
                states.append(bench.book(name))
                if bench.books_are_whole:
                    await bench.pass_s(TOLD_WITHIN_S)
            await right(client, since)
            assert [one for one in told(client, since) if one not in states] == []
            if trouble is bench.gap_book and not bench.books_are_whole:
                assert client.heard(ev.BookLost) != [], "a gap was noticed"
            if bench.books_are_whole:
                assert client.heard(ev.BookLost) == [], "where there is no gap, none is seen"
                again = [one for one in bench.asked[asked:] if "subscribe" in one.method]
                assert again == [], "and nothing is asked for again"
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
        if not bench.books_are_whole:
            bench.gap_book(name)
        resting = [stir(bench, client, ticks) for ticks in range(3)]
        await client.hear(ev.BookLost, lambda e: e.instrument == bench.ids[0], since)
        await bench.until(lambda: bench.spoiled > 0, "a whole book that is nonsense")
        await bench.pass_s(1.0)
        lost = max(n for n, one in enumerate(client.events) if isinstance(one, ev.BookLost))
        assert told(client, lost) == []
        bench.spoil_books(name, spoiled=False)
        bench.take_away(resting[0])
        await right(client, lost)

        order = client.order()
        await client.rests(order)
        bench.spoil_account(spoiled=True)
        before = bench.spoiled
        looked = await client.look()
        assert bench.spoiled > before
        if isinstance(looked, ev.SnapshotTaken):
            assert not looked.orders_complete
            assert [one.amount for one in looked.positions if one.amount is not None] == []
        assert len(bench.ours()) == 1
        bench.spoil_account(spoiled=False)
        await agreed(client)


async def test_own_orders_out_of_the_reference(start: Start) -> None:
    """In a wide market our quotes are the best of the book, and what they are made from is the
    others' best: as often as the book moves elsewhere, none of them runs after itself."""
    async with start(World(scale=4.0)) as bench:
        books = {name: bench.book(name) for name in bench.instruments}
        async with desk_on(bench, refresh="0.1") as desk:
            for name in bench.instruments:
                grid = desk.state.markets[bench.id_of(name)].instrument.grid
                bench.clear(name)
                for side, levels in zip(Side, books[name], strict=True):
                    away = grid.step_price(
                        Decimal(repr(levels[0][0])), -bench.wide_ticks * side.sign
                    )
                    bench.rest(name, side, 10 * bench.amount, away)
            await bench.pass_s(SETTLED_S)
            await desk.quotes()
            await bench.until(lambda: alone_at_the_best(desk) == 4, "ours are the best")
            prices = {(o.instrument, o.side): o.price for o in bench.ours()}
            for number in range(12):
                await move_elsewhere(desk, bench.instruments[number % 2])
            assert {(o.instrument, o.side): o.price for o in bench.ours()} == prices


def alone_at_the_best(desk: Desk) -> int:
    """On how many sides the best of the book is an order of ours, and nobody else's."""
    bests = {
        (desk.bench.id_of(name), side, *levels[0])
        for name in desk.bench.instruments
        for side, levels in zip(Side, desk.bench.book(name), strict=True)
    }
    ours = desk.bench.ours()
    return len(bests & {(o.instrument, o.side, _float(o.price), _float(o.amount)) for o in ours})


def _float(number: Decimal | None) -> float:
    assert number is not None
    return float(number)


async def move_elsewhere(desk: Desk, name: str) -> None:
    """A stranger's order comes behind everything there is; the engine has had time to act on it."""
    bids, _ = desk.bench.book(name)
    grid = desk.state.markets[desk.bench.id_of(name)].instrument.grid
    price = grid.step_price(Decimal(repr(bids[-1][0])), -1)
    books = len(desk.heard(ev.BookChanged))
    desk.bench.rest(name, Side.BUY, desk.bench.amount, price)
    await desk.bench.until(lambda: desk.has_heard(ev.BookChanged, books), "the book has moved")
    await desk.bench.pass_s(0.3)
