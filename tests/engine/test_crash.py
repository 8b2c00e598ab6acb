"""kill -9 at any moment: after the restart the store, the engine and the venue say the same.

The venue runs in the test's process, the engine is the real `mmbot quote` as a child. The venue
outlives the engine, the market goes on meanwhile, and in half of the cases the venue ignores
cancel-on-disconnect, so that our orders are still there and must be taken over.
"""

import asyncio
import os
import random
import signal
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.state import is_ours
from mmbot.core.types import Label
from mmbot.errors import StoreError
from mmbot.sim.matching import NewOrder, OrderType, Placed, Side
from mmbot.sim.wire.deribit import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from tests.engine.live import CALL, until

KILLS = 5
AGREE_S = 5.0
START_S = 20.0


async def start(
    venue: SimVenue, home: Path, duration_s: float | None = None
) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "mmbot", "quote", "--exchange", "deribit"]
    command += ["--expiry", "20250606", "--strikes", "2800,2900", "--sim-url", venue.rest_url]
    with (home.parent / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )


def ours_at_venue(venue: SimVenue) -> dict[str, tuple[Decimal, Decimal]]:
    orders = venue.exchange.accounts[venue.account].open_orders.values()
    return {o.label: (o.price, o.amount) for o in orders if is_ours(Label(o.label))}


def positions_at_venue(venue: SimVenue) -> dict[str, Decimal]:
    held = venue.exchange.accounts[venue.account].positions
    return {name: position.size for name, position in held.items() if position.size}


def trades_at_venue(venue: SimVenue) -> list[str]:
    return sorted(t.public.trade_id for t in venue.exchange.accounts[venue.account].trades)


class Books:
    """What the store says."""

    def __init__(self) -> None:
        self._reader = Reader(locate(Mode.SIM, os.environ))

    def orders(self) -> dict[str, tuple[Decimal, Decimal]]:
        return {o.label: (o.price, o.amount) for o in self._reader.open_orders()}

    def positions(self) -> dict[str, Decimal]:
        rows = self._reader.positions()
        return {r.instrument.partition(":")[2]: r.amount for r in rows if r.amount}

    def trades(self) -> list[str]:
        return sorted(row.fill.trade_id for row in self._reader.fills())


def agree(venue: SimVenue, books: Books) -> bool:
    """Orders, positions and fills are the same on both sides (and there are orders)."""
    try:
        return (
            len(ours_at_venue(venue)) == 8
            and books.orders() == ours_at_venue(venue)
            and books.positions() == positions_at_venue(venue)
            and books.trades() == trades_at_venue(venue)
        )
    except StoreError:
        return False


@pytest.mark.parametrize("deaf", [False, True], ids=["cancels on disconnect", "does not"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_moment_and_restarted(seed: int, deaf: bool, home: Path) -> None:
    dice = random.Random(f"crash {seed} {deaf}")
    rules = Rules(ignore_cancel_on_disconnect=deaf)
    async with SimVenue(VenueOptions(seed=seed, rules=rules)) as venue:
        venue.exchange.open_account("taker", {"ETH": Decimal(10**6)}, followed=False)
        takers = asyncio.ensure_future(trade(venue, dice))
        for _ in range(KILLS):
            engine = await start(venue, home)
            await until(lambda: venue.connections > 0, "a connection", START_S)
            await asyncio.sleep(dice.uniform(0.0, 2.5))
            engine.kill()
            await engine.wait()
            await asyncio.sleep(dice.uniform(0.0, 0.3))
        by_hand = NewOrder(
            name=CALL, side=Side.BUY, amount=Decimal(2), price=Decimal("0.001"), label="by hand"
        )
        assert isinstance(venue.exchange.place(venue.account, by_hand, venue.now_ms()), Placed)
        engine = await start(venue, home)
        await until(lambda: venue.connections >= 2, "both links", START_S)
        takers.cancel()
        venue.freeze()  # a standing market: both sides can be read at leisure
        books = Books()
        await until(lambda: agree(venue, books), "store and venue agree", AGREE_S)
        assert trades_at_venue(venue), "the market traded with us"
        engine.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(engine.wait(), START_S) == 0
        assert ours_at_venue(venue) == {}
        assert books.orders() == {}
        assert books.positions() == positions_at_venue(venue)
        assert books.trades() == trades_at_venue(venue)
        left = venue.exchange.accounts[venue.account].open_orders.values()
        assert [order.label for order in left] == ["by hand"]


async def trade(venue: SimVenue, dice: random.Random) -> None:
    """Somebody trades through the best prices all the time, whether or not we are there."""
    names = [f"ETH-6JUN25-{strike}-{right}" for strike in (2800, 2900) for right in "CP"]
    while True:
        await asyncio.sleep(dice.uniform(0.05, 0.3))
        wish = NewOrder(
            name=dice.choice(names),
            side=dice.choice((Side.BUY, Side.SELL)),
            amount=Decimal(dice.randint(1, 20)),
            type=OrderType.MARKET,
        )
        venue.exchange.place("taker", wish, venue.now_ms())
        venue.publish()
