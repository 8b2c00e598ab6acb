"""kill -9 with two accounts: after every restart both venues, store and engine say the same.

As in test_crash.py, but the engine has an account at each of two venues, in worlds whose clocks are
apart. The kill strikes at a message of one of them, so that it finds the other one wherever it is.
"""

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.statements import booking_key, execution_key
from mmbot.core.types import Side, venue_name
from mmbot.errors import StoreError
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from tests.engine.live import until
from tests.engine.pair import DESKS, NAMES, Pair, a_pair, ending
from tests.engine.test_crash import (
    BACKFILL,
    MESSAGES_MAX,
    ORDER_MESSAGES_MAX,
    START_S,
    STARTING_MESSAGES_MAX,
    Takers,
    Tap,
    believed,
    ours_at_venue,
    positions_at_venue,
    same_everywhere,
    to_believe,
)
from tests.wire.venue import MANY_STARTS

AT_THE_TOP = DESKS.replace("simple_spread]\nspread_bps = 4", "improve_top]")
PERPETUAL_MESSAGES_MAX = 4
"""Of orders: one instrument is requoted less often than four."""
SWEEPS_USD = 50_000
"""The perpetual is quoted behind the best prices, where its fee is earned: so much reaches it."""
DIES_S = 60.0
ASKS = ("private/buy", "private/sell", "private/edit")


class Books:
    """What the store says of each venue, and what the engine says in there of itself."""

    @cached_property
    def _reader(self) -> Reader:
        """Only once there is a store."""
        return Reader(locate(Mode.SIM, os.environ))

    def differences(self, name: str, venue: SimVenue, pid: int) -> list[str]:
        """Everything that one venue, store and engine do not agree about."""
        [engine] = self._reader.engines()
        if engine.run.pid != pid or engine.status is None or engine.status["link"] != "up":
            return [f"{name}: the engine is not up"]
        rows = [row for row in engine.status["rows"] if row["venue"] == name]
        orders = [o for o in self._reader.open_orders() if venue_name(o.instrument) == name]
        held = [p for p in self._reader.positions() if venue_name(p.instrument) == name]
        pairs = {
            "orders": (ours_at_venue(venue), {o.label: (o.price, o.amount) for o in orders}),
            "positions": (
                positions_at_venue(venue),
                {p.instrument.partition(":")[2]: p.amount for p in held if p.amount},
            ),
            "fills": (keys_at(name, venue), self.fills(name)),
            "engine": (to_believe(venue), believed({"rows": rows})),
            "unknown": ([], [o.label for o in orders if o.status == "UNKNOWN"]),
        }
        return [f"{name} {what}: {at} but {s}" for what, (at, s) in pairs.items() if at != s]

    def fills(self, name: str) -> list[str]:
        keys = [row.fill.key for row in self._reader.fills()]
        return sorted(key for key in keys if key.startswith(f"{name} "))


def keys_at(name: str, venue: SimVenue) -> list[str]:
    """What the executions of the account are booked under."""
    made = venue.exchange.accounts[venue.account].trades
    keys = [execution_key(one.public.trade_id, Side(one.side.value)) for one in made]
    return sorted(booking_key(name, key) for key in keys)


async def agreed(pair: Pair, books: Books, pid: int) -> None:
    """Both venues, the store and the engine say the same, soon enough, also when both quote."""

    def differences() -> list[str]:
        try:
            return [
                one
                for name, venue in zip(NAMES, pair.both, strict=True)
                for one in books.differences(name, venue, pid)
            ]
        except StoreError as error:
            return [str(error)]

    try:
        await same_everywhere(
            differences, *(lambda venue=venue: ours_at_venue(venue) for venue in pair.both)
        )
    except AssertionError as error:
        raise AssertionError(f"{error}\n{pair.log}") from None
    for venue in pair.both:
        orders = venue.exchange.accounts[venue.account].open_orders.values()
        slots = [(o.name, o.side) for o in orders]
        assert len(slots) == len(set(slots)), f"two orders in one slot: {slots}"


async def restarted(
    pair: Pair, taps: Sequence[Tap], takers: Sequence[Takers], books: Books, pid: int
) -> None:
    """A new engine is there, and all is as it must be."""
    begun = [len(tap.requests) for tap in taps]
    await until(lambda: min(v.connections for v in pair.both) >= 2, "every link", START_S)
    for venue, taker in zip(pair.both, takers, strict=True):
        await taker.stop()
        venue.freeze()  # a standing market: both sides can be read at leisure
    await agreed(pair, books, pid)
    for tap, first in zip(taps, begun, strict=True):
        asked = tap.requests[first:]
        sent = [asked.index(method) for method in ASKS if method in asked]
        assert BACKFILL in asked, "the account is read before anything is quoted"
        assert asked.index(BACKFILL) < min(sent, default=len(asked)), asked
    for venue, taker in zip(pair.both, takers, strict=True):
        venue.thaw()
        taker.go_on()


async def kill_and_restart(seed: int, kills: int, folder: Path) -> None:
    """Two worlds, `kills` engines that die in them, and one that leaves in an orderly way."""
    print(f"seed {seed}")  # shown of a test that fails
    dice = random.Random(f"crash of two {seed}")
    async with a_pair(folder, VenueOptions(seed=seed, rules=MANY_STARTS)) as pair:
        pair.desks = AT_THE_TOP
        taps, books = [Tap(venue) for venue in pair.both], Books()
        takers = [
            Takers(pair.first, dice),
            Takers(pair.second, dice, ["ETH-PERPETUAL"], lot=SWEEPS_USD),
        ]
        for _ in range(kills):
            for venue in pair.both:
                deaf = dice.random() < 0.5
                venue.protocol.rules = replace(
                    venue.protocol.rules, ignore_cancel_on_disconnect=deaf
                )
            while_starting, orders_only = dice.random() < 0.2, dice.random() < 0.5
            tap = dice.choice(taps)
            of_orders = ORDER_MESSAGES_MAX if tap is taps[0] else PERPETUAL_MESSAGES_MAX
            most = of_orders if orders_only else MESSAGES_MAX
            message = dice.randint(1, STARTING_MESSAGES_MAX if while_starting else most)
            engine = await pair.start()
            async with ending(engine):
                if not while_starting:
                    await restarted(pair, taps, takers, books, engine.pid)
                tap.arm(message, engine.kill, orders_only=orders_only)
                assert await asyncio.wait_for(engine.wait(), DIES_S) == -signal.SIGKILL
            await until(lambda: not any(v.connections for v in pair.both), "both notice")
        engine = await pair.start()
        async with ending(engine):
            await restarted(pair, taps, takers, books, engine.pid)
            named = list(zip(NAMES, pair.both, strict=True))
            await until(lambda: all(keys_at(*one) for one in named), "fills at both", START_S)
            for taker in takers:
                await taker.stop()
            engine.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(engine.wait(), START_S) == 0, pair.log
        assert pair.resting == (0, 0)
        for name, venue in named:
            assert books.fills(name) == keys_at(name, venue)


async def test_killed_with_two_accounts_and_restarted(home: Path, tmp_path: Path) -> None:
    await kill_and_restart(1, 3, tmp_path / "desks")


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
async def test_killed_ten_times_with_two_accounts(seed: int, home: Path, tmp_path: Path) -> None:
    await kill_and_restart(seed, 10, tmp_path / "desks")
