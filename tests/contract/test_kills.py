"""kill -9 at any message: after every restart the venue, the store and the engine say the same."""

import asyncio
import random
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmbot.core.capabilities import DeadMan
from mmbot.core.types import Side
from mmbot.errors import StoreError
from tests.contract.bench import Bench, World
from tests.contract.commands import START_S, a_process, ended
from tests.contract.conftest import Start
from tests.engine.test_crash import Books

KILLS = 10
ORDER_MESSAGES_MAX = 12
STARTING_MESSAGES_MAX = 60
"""About as many as pass until the first order is sent."""


async def test_ten_kills(start: Start, home: Path) -> None:
    async with start(World(lively=True)) as bench:
        await kill_and_restart(bench, KILLS, random.Random("ten kills"), home)


async def kill_and_restart(bench: Bench, kills: int, dice: random.Random, home: Path) -> None:
    """One world outlives all engines: somebody trades there all the time, and a person's own order
    rests on the account. Half of the kills strike with an order request in flight, and half while
    the venue takes nothing back, so that our orders are still there. The last engine leaves in an
    orderly way."""
    keeps = [kill % 2 == 0 for kill in range(kills)]
    in_flight = [kill % 4 < 2 for kill in range(kills)]
    dice.shuffle(keeps)
    dice.shuffle(in_flight)
    books, hers = Books(), by_hand(bench)
    for kill in range(kills):
        if bench.capabilities.dead_man is not DeadMan.NONE:
            bench.keep_orders(kept=keeps[kill])
        starting = dice.random() < 0.2
        most = ORDER_MESSAGES_MAX if in_flight[kill] else bench.messages_max
        message = dice.randint(1, STARTING_MESSAGES_MAX if starting else most)
        async with a_process(bench, home) as engine:
            if not starting:
                await agreed(bench, books, engine.pid, hers)
            bench.strike(message, engine.kill, orders_only=in_flight[kill])
            with takers(bench, dice):
                killed = await asyncio.wait_for(engine.wait(), START_S)
            assert killed == -signal.SIGKILL
        with takers(bench, dice):
            await bench.pass_s(0.2)
        hers = still_there(bench, hers, kept=keeps[kill])
    bench.keep_orders(kept=False)
    async with a_process(bench, home) as engine:
        await agreed(bench, books, engine.pid, hers)
        assert bench.trades(), "somebody traded with us"
        assert await ended(engine) == 0
    hers = still_there(bench, hers, kept=False)
    assert [one.order_id for one in bench.orders()] == [hers]
    assert books.orders() == {}
    assert differences(bench, books) == []
    assert bench.most_in_a_slot == 1
    assert len(set(bench.labels)) == len(bench.labels), "no label was ever used twice"


def by_hand(bench: Bench) -> str:
    """A person's order, in nobody's way; its id."""
    name = bench.instruments[1]
    return bench.place_by_hand(name, Side.BUY, bench.amount, bench.lowest(name))


def still_there(bench: Bench, hers: str, *, kept: bool) -> str:
    """The person's order after an engine has gone. Where the dead-man is the wallet's, and works,
    it has gone along, as the capabilities say; then she places another."""
    there = hers in {one.order_id for one in bench.orders()}
    goes_along = bench.capabilities.dead_man is DeadMan.WALLET and not kept
    if not goes_along:
        assert there
    return hers if there else by_hand(bench)


@contextmanager
def takers(bench: Bench, dice: random.Random) -> Iterator[None]:
    """Meanwhile somebody trades against our orders."""

    async def trade() -> None:
        while True:
            await asyncio.sleep(dice.uniform(0.02, 0.15))
            if resting := bench.ours():
                order = dice.choice(resting)
                assert order.amount is not None
                bench.fill(order.order_id, order.amount - (order.filled or 0))

    trading = asyncio.ensure_future(trade())
    try:
        yield
    finally:
        trading.cancel()


async def agreed(bench: Bench, books: Books, pid: int, hers: str) -> None:
    """A new engine is up, and quotes; venue, store and engine say the same."""
    last: list[str] = []

    def same() -> bool:
        try:
            status = books.engine(pid)
            last[:] = [] if status is not None else ["the engine is not up yet"]
            if status is not None:
                last.extend(differences(bench, books, status))
        except (StoreError, ValueError) as error:
            last[:] = [str(error)]
        return not last and len(bench.ours()) > 0

    await bench.until(lambda: len(bench.ours()) > 0, "it quotes", START_S)
    bench.freeze()
    try:
        await bench.until(same, "agreement", START_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(last)) from None
    assert hers in {one.order_id for one in bench.orders()}
    bench.thaw()


def differences(bench: Bench, books: Books, status: Mapping[str, Any] | None = None) -> list[str]:
    """What venue, store and engine do not agree about."""
    ours = {o.label: (o.price, o.amount) for o in bench.ours()}
    held = {str(one).partition(":")[2]: amount for one, amount in bench.positions().items()}
    pairs = {
        "orders": (ours, books.orders()),
        "positions": (held, books.positions()),
        "executions": (sorted(one.key for one in bench.trades()), books.trades()),
        "unknown": ([], books.unknown()),
    }
    if status is not None:
        rows = status["rows"]
        believed = {row["instrument"]: Decimal(str(row["position"])) for row in rows}
        known = {name: amount for name, amount in believed.items() if amount}
        pairs["the engine's positions"] = (held, known)
        count = sum(int(row["open_orders"]) for row in rows)
        pairs["the engine's orders"] = (len(ours), count)
    return [f"{what}: {at} but {said}" for what, (at, said) in pairs.items() if at != said]
