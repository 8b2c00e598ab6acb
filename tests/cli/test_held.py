"""Positions that no desk quotes: shown, counted and added up wherever the account is."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mmbot.sim.exchange.orders import Order, TimeInForce
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import SimVenue
from tests.cli.desk import QUIET, mmbot
from tests.cli.terminal import MMBOT, Terminal
from tests.engine.live import until
from tests.engine.test_crash import START_S, positions_at_venue

TAKEN = 24


@asynccontextmanager
async def quoting(venue: SimVenue, *what: str) -> AsyncIterator[asyncio.subprocess.Process]:
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mmbot", "quote", "--expiry", "20250606", *what, "--json"),
        *("--sim-url", venue.rest_url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield engine
    finally:
        if engine.returncode is None:
            with suppress(ProcessLookupError):
                engine.kill()
            await engine.wait()


async def ended(engine: asyncio.subprocess.Process) -> Any:
    """Ask it to leave; the object it prints."""
    engine.terminate()
    out, _ = await asyncio.wait_for(engine.communicate(), START_S)
    assert engine.returncode == 0
    return json.loads(out)


def our_bids(venue: SimVenue) -> list[Order]:
    orders = venue.exchange.accounts[venue.account].open_orders.values()
    return [order for order in orders if order.side.sign > 0]


def take_our_bids(venue: SimVenue) -> None:
    """Somebody sells whatever is wanted at our price, so that we are filled too."""
    exchange = venue.exchange
    exchange.open_account("friend", {"ETH": Decimal(1_000_000)}, followed=False)
    for bid in our_bids(venue)[:TAKEN]:
        wish = NewOrder(
            name=bid.name,
            side=bid.side.opposite,
            amount=Decimal(500),
            price=bid.price,
            time_in_force=TimeInForce.IOC,
        )
        assert isinstance(exchange.place("friend", wish, venue.now_ms()), Placed)
    venue.publish()


async def the_engine() -> Any:
    """The one that runs."""
    engines = (await mmbot("status", "--json")).json()["engines"]
    return next((one for one in engines if one["state"] == "running"), None)


def positions(said: Any) -> dict[str, float]:
    return {row["name"]: row["position"] for row in said["instruments"] if row["position"]}


def other_than(terminal: Terminal, seen: str) -> bool:
    return terminal.display() != seen


def shows(terminal: Terminal, text: str) -> bool:
    return text in terminal.display()


def leaf_through(names: list[str]) -> None:
    """Every row is reached with keys, and no line is cut, however wide the terminal is."""
    for columns in (80, 160):
        with Terminal(MMBOT, "status", columns=columns) as terminal:
            terminal.wait_for(" rows not shown: space/b, arrows or j/k move")
            seen = terminal.display()
            assert "…" not in seen
            assert "running" in seen.splitlines()[0]
            terminal.type(" ")
            terminal.until(partial(other_than, terminal, seen), "another page")
            terminal.type("G")
            unseen = [name.partition("-")[2][-6:] for name in names]
            terminal.until(partial(shows, terminal, unseen[-1]), "the last one")
            assert "our bid" in terminal.display(), "its titles"
            terminal.interrupt()
            assert terminal.exit_code() == 0


@pytest.mark.manners("plain")  # an odd one states a position that nobody has
async def test_after_a_restart_with_two_every_position_is_there_and_adds_up(home: Path) -> None:
    async with SimVenue(QUIET) as venue:
        async with quoting(venue, "--all-strikes") as many:
            await until(lambda: len(our_bids(venue)) >= TAKEN, "bids", 3 * START_S)
            take_our_bids(venue)
            await until(lambda: len(positions_at_venue(venue)) > 5, "positions", START_S)
            left = await ended(many)
        held = {name: float(amount) for name, amount in positions_at_venue(venue).items()}
        assert left["positions"] == held
        assert left["ended"] == "SIGTERM"
        assert sum(row["pnl_usd"] for row in left["rows"]) == left["pnl"]["total_usd"] != 0

        async with quoting(venue, "--strikes", "2800") as two:
            loop = asyncio.get_running_loop()
            end, said = loop.time() + START_S, None
            while said is None or positions(said) != held:
                assert loop.time() < end, said
                said = await the_engine()
            assert sum(row["pnl_usd"] for row in said["instruments"]) == said["pnl"]["total_usd"]
            unquoted = [row for row in said["instruments"] if not row["quoted"]]
            assert len(said["instruments"]) == len(unquoted) + 2
            assert {row["why"] for row in unquoted} == {"not quoted here"}
            deltas = [row["delta_coin"] for row in said["instruments"]]
            exposure = said["delta_coin"]["ETH"]
            if None not in deltas:
                assert exposure["net"] == sum(deltas)
                assert exposure["gross"] == sum(map(abs, deltas)) > abs(exposure["net"])
            page = (await mmbot("status")).out
            for name in held:
                assert name in page
            assert page.count("not quoted here") == len(unquoted)
            assert " ETH net, " in page
            await asyncio.to_thread(leaf_through, list(held))
            some = (await mmbot("status", "--only", "*-2800-?")).out
            assert "2800-P" in some
            assert "not quoted here" not in some
            none = await mmbot("status", "--only", "*-2805-?")
            assert (none.code, none.out) == (1, "")
            assert "--only: no row is like '*-2805-?'; the nearest are ETH-" in none.err
            assert said["desk_time"].startswith("sim 2025-06-02 12:")
            asked = await mmbot("explain", unquoted[0]["name"])
            assert "no desk of this engine quotes it" in asked.out
            left = await ended(two)
        assert left["positions"] == held
        assert sum(row["pnl_usd"] for row in left["rows"]) == left["pnl"]["total_usd"]
