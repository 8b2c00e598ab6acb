"""Two accounts and two desks in one engine: who may have them, and what stops both.

The venues run in the test's process, the engines are real `mmbot quote` processes.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.sim.wire.server import SimVenue
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from tests.cli.desk import mmbot
from tests.engine.live import until
from tests.engine.pair import NAMES, OPTIONS, PERPETUAL, Pair, a_pair
from tests.engine.test_crash import START_S

QUIET_AFTER_S = 3.0


def run_of(home: Path) -> str:
    """The newest run of a store."""
    runs = Reader(locate(Mode.SIM, os.environ | {"MMBOT_HOME": str(home)})).runs()
    return base36(max(runs, key=lambda one: one.started_ns).run)


async def left(engine: asyncio.subprocess.Process) -> int:
    engine.send_signal(signal.SIGINT)
    return await asyncio.wait_for(engine.wait(), START_S)


async def emptied(pair: Pair) -> None:
    await until(lambda: pair.resting == (0, 0), "nothing rests anywhere", QUIET_AFTER_S)


def alone(name: str, venue: SimVenue) -> str:
    """A file of one desk on that venue, which is called `name` in it."""
    return (
        f'[venues.{name}]\nkind = "deribit"\nurl = "{venue.rest_url}"\n'
        f'[desk]\nvenue = "{name}"\nsymbols = ["BTC-PERPETUAL"]\n'
    )


# --- who may have an account ------------------------------------------------------------------


async def test_a_second_engine_on_either_account_is_refused(home: Path, tmp_path: Path) -> None:
    async with a_pair(tmp_path / "desks") as pair, pair.an_engine() as engine:
        run = run_of(home)
        file = tmp_path / "alone.toml"
        file.write_text(alone("another", pair.second))
        for flags in (
            ("--config", str(pair.file)),
            ("--config", str(file)),
            ("--symbols", "BTC-PERPETUAL", "--sim-url", pair.first.rest_url),
            ("--symbols", "BTC-PERPETUAL", "--sim-url", pair.second.rest_url),
        ):
            said = await pair.refused(*flags)
            assert said.startswith(f"mmbot: run {run} (process {engine.pid}"), said
            first = "--config" in flags and str(file) not in flags
            assert f"{pair.first.account} on" in said or not first
            assert pair.resting == (OPTIONS, PERPETUAL), "the first one is not disturbed"
        assert await left(engine) == 0


async def test_so_is_one_with_a_store_of_its_own(home: Path, tmp_path: Path) -> None:
    elsewhere = {"MMBOT_HOME": str(tmp_path / "elsewhere")}
    async with a_pair(tmp_path / "desks") as pair, pair.an_engine() as engine:
        for venue in pair.both:
            flags = ("--symbols", "BTC-PERPETUAL", "--sim-url", venue.rest_url)
            said = await pair.refused(*flags, **elsewhere)
            assert f"process {engine.pid} is trading sim:deribit" in said or venue.account in said
            assert "with another store" in said
        assert await left(engine) == 0
        assert pair.resting == (0, 0)


# --- one kill switch --------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["signal", "file"])
async def test_what_trips_one_trips_both_until_a_person_resumes(
    by: str, home: Path, tmp_path: Path
) -> None:
    async with a_pair(tmp_path / "desks") as pair:
        async with pair.an_engine() as engine:
            if by == "signal":
                engine.send_signal(signal.SIGUSR1)
            else:
                (home / "sim.stop").touch()
            await emptied(pair)
            assert await left(engine) == 4
        if by == "file":
            assert "sim.stop is there" in await pair.refused("--config", str(pair.file))
            (home / "sim.stop").unlink()
        said = await pair.refused("--config", str(pair.file))
        assert "kill switch" in said
        assert "mmbot resume" in said
        for venue in pair.both:
            flags = ("--symbols", "BTC-PERPETUAL", "--sim-url", venue.rest_url)
            assert "kill switch" in await pair.refused(*flags), "each account by itself"
        done = (await mmbot("resume", "--reason", "looked at both", "--json")).json()
        rearmed = [(one["venue"], one["account"]) for one in done["rearmed"]]
        accounts = [venue.account for venue in pair.both]
        assert sorted(rearmed) == sorted(zip(NAMES, accounts, strict=True))
        async with pair.an_engine() as engine:
            assert await left(engine) == 0
