"""The store in trouble while we quote: nothing is quoted, nothing rests, nothing booked is lost.

The trouble is real: a second process that keeps the database locked, and a disk that takes nothing
more. For the latter a process may not write beyond so many bytes of a file any more (RLIMIT_FSIZE),
which is less than the store has already. Where the machine lets us mount one, there is also a file
system that is filled up.
"""

import asyncio
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core import events as ev
from mmbot.core.intents import Amend, Place
from mmbot.core.why import Why
from mmbot.errors import ExitCode, Refused
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store import database
from mmbot.store.database import open_store
from mmbot.store.latch import require_armed
from mmbot.store.locations import Location, locate
from mmbot.store.queries import Reader
from tests.cli.desk import mmbot
from tests.engine.live import CALL, live, until
from tests.engine.test_crash import START_S, ours_at_venue, trades_at_venue

QUIET = VenueOptions(flow_scale=0.0)
FILE_BYTES = 1024
HEAL_S = 15.0
"""Until all is well again: the lock is waited for 2 s, the account is read anew."""

_LOCKER = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
store.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def the_store() -> Location:
    return locate(Mode.SIM, os.environ)


@contextmanager
def locked() -> Iterator[None]:
    """Another process writes to the store and does not come to an end."""
    path = str(the_store().path)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _LOCKER, path], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        yield
        other.kill()


@contextmanager
def full_disk(pid: int = 0) -> Iterator[None]:
    """No file of the process can grow any more (pid 0: this process)."""
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_BYTES, unlimited[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def moved_away() -> Iterator[None]:
    """Somebody tidies up, and thinks better of it."""
    path = the_store().path
    assert path is not None
    away = path.with_name("away.db")
    path.rename(away)
    yield
    away.rename(path)


TROUBLES = {
    "gone": (
        moved_away,
        "it was deleted or moved away while it is in use: bring it back, or stop and look at the "
        "account",
    ),
    "locked": (locked, "another program keeps it locked: end that program or wait for it"),
    "full": (full_disk, "the disk fails to read or write it: check the disk and its free space"),
}


def hit(venue: SimVenue, side: Side, amount: str) -> None:
    """Another account trades through the best price on that side."""
    venue.exchange.open_account("taker", {"ETH": Decimal(1000)}, followed=False)
    wish = NewOrder(name=CALL, side=side, amount=Decimal(amount), type=OrderType.MARKET)
    assert isinstance(venue.exchange.place("taker", wish, venue.now_ms()), Placed)


def opened() -> bool:
    """Whether the store has the positions that the first run began with."""
    return len(Reader(the_store()).positions()) == 4


def booked() -> list[str]:
    return sorted(row.fill.key for row in Reader(the_store()).fills())


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_store_in_trouble_stops_the_quoting_until_it_is_over(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    troubled, words = TROUBLES[trouble]
    async with live(QUIET) as bot:
        await until(lambda: len(bot.at_venue()) == 8, "eight orders")
        with caplog.at_level(logging.INFO), troubled():
            hit(bot.venue, Side.SELL, "50")
            bot.venue.publish()
            await until(lambda: bot.state.store_trouble != "", "the trouble is noticed")
            await until(lambda: not bot.at_venue(), "nothing rests")
            assert bot.state.store_trouble == f"{the_store().name}: {words}"
            assert f"not quoting: {bot.state.store_trouble}" in bot.engine.frame().controls
            assert [m for m in caplog.messages if words in m] == [
                f"store: {the_store().name}: {words}"
            ]
            assert {reason for m in bot.state.markets.values() for reason in m.why.values()} == {
                Why.STORE
            }
            bot.intents.clear()
            await until(lambda: sum(isinstance(e, ev.Tick) for e in bot.events) > 10, "time passes")
            assert not [i for i in bot.intents if isinstance(i, Place | Amend)]
            assert bot.trades_at_venue(), "the trade happened"
            assert bot.engine.store.writer.unwritten > 0
        await until(lambda: len(bot.at_venue()) == 8, "eight orders again", HEAL_S)
        assert bot.state.store_trouble == ""
        await until(lambda: booked() == sorted(bot.trades_at_venue()), "the trade is in the store")


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_kill_switch_holds_though_the_store_cannot_keep_it(trouble: str) -> None:
    troubled, _ = TROUBLES[trouble]
    async with live(QUIET) as bot:
        await until(lambda: len(bot.at_venue()) == 8, "eight orders")
        with troubled():
            bot.engine.runner.sink(ev.Trip(Why.USER, "enough"))
            await until(lambda: not bot.at_venue(), "nothing rests")
            await until(lambda: bot.state.flat_verified, "and that is proved")
            assert the_store().latch_file.exists()
        await until(lambda: bot.engine.store.writer.problem is None, "the store is back", HEAL_S)
        assert bot.at_venue() == {}
    [row] = Reader(the_store()).engines()
    assert row.latch is not None
    assert (row.latch.tripped, row.latch.why) == (True, Why.USER)
    database = open_store(the_store())
    with pytest.raises(Refused, match=r"kill switch of .* was tripped .*enough"):
        require_armed(database, [bot.engine.members[0].account_key])


@asynccontextmanager
async def quoting(
    venue: SimVenue,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, "Lines"]]:
    """The real `mmbot quote` with all its orders out, and what it says on stderr."""
    command = [sys.executable, "-m", "mmbot", "quote", "--exchange", "deribit", "--no-screen"]
    command += ["--expiry", "20250606", "--strikes", "2800,2900", "--sim-url", venue.rest_url]
    null, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    engine = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=pipe, stderr=pipe)
    lines = Lines(engine)
    try:
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders", START_S)
        yield engine, lines
    finally:
        if engine.returncode is None:
            engine.kill()
        await engine.wait()
        await lines.end()


class Lines:
    """What a process says on stderr, as it says it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        self.said: list[str] = []
        self._stream = process.stderr
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for line in self._stream:
            self.said.append(line.decode())

    async def end(self) -> None:
        """Everything has been read."""
        await self._reading

    def count(self, words: str) -> int:
        return sum(words in line for line in self.said)


@pytest.mark.long
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_command_says_so_once_goes_on_and_leaves_with_everything_booked(
    trouble: str,
) -> None:
    async with SimVenue(QUIET) as venue, quoting(venue) as (engine, lines):
        words = TROUBLES[trouble][1]
        with locked() if trouble == "locked" else full_disk(engine.pid):
            hit(venue, Side.SELL, "50")
            venue.publish()
            await until(lambda: not ours_at_venue(venue), "nothing rests")
            await until(lambda: lines.count(words) == 1, "it is said")
            while trouble == "locked" and f"cannot be written: {the_store().name}" not in (
                shown := " ".join((await mmbot("status", COLUMNS="300")).out.split())
            ):
                # It has spoken less than 3 s ago, or has not come to its first word.
                assert "running" in shown or "starting" in shown, shown
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders again", HEAL_S)
        assert lines.count("everything that waited is written") == 1
        assert lines.count(words) == 1
        engine.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(engine.wait(), START_S) == ExitCode.OK
        assert booked() == trades_at_venue(venue)


@pytest.mark.parametrize("trouble", [pytest.param("locked", marks=pytest.mark.long), "full"])
async def test_leaving_in_trouble_says_what_is_not_written_and_the_next_start_reads_it(
    trouble: str,
) -> None:
    async with SimVenue(QUIET) as venue:
        async with quoting(venue) as (engine, lines):
            words = TROUBLES[trouble][1]
            with locked() if trouble == "locked" else full_disk(engine.pid):
                hit(venue, Side.SELL, "50")
                venue.publish()
                await until(lambda: not ours_at_venue(venue), "nothing rests")
                engine.send_signal(signal.SIGINT)
                assert await asyncio.wait_for(engine.wait(), START_S) == ExitCode.BAD_INPUT
                await lines.end()
            assert ours_at_venue(venue) == {}
            assert words in lines.said[-1], lines.said[-3:]
        assert trades_at_venue(venue), "the trade happened"
        assert booked() == []
        async with quoting(venue) as (engine, lines):
            await until(lambda: booked() == trades_at_venue(venue), "it is read from the venue")
            engine.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(engine.wait(), START_S) == ExitCode.OK


def test_what_ails_a_store_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(the_store())
    name = the_store().name
    assert database.trouble(the_store()) == ""
    with locked():
        hasty = replace(the_store(), busy_s=0.02)
        assert database.trouble(hasty) == f"{name}: {TROUBLES['locked'][1]}"
    monkeypatch.setattr("mmbot.store.database.FULL_BYTES", 10**18)
    assert database.trouble(the_store()) == f"{name}: the disk is full: free some space"


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of four megabytes with nothing but the store on it."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    monkeypatch.setenv("MMBOT_HOME", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_disk_without_a_free_byte_is_told_by_its_name(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ballast = small_disk / "ballast"
    async with live(QUIET, no_tape="true") as bot:
        await until(lambda: len(bot.at_venue()) == 8, "eight orders")
        await until(opened, "what was there before us is written down")
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        hit(bot.venue, Side.SELL, "50")
        bot.venue.publish()
        await until(lambda: bot.state.store_trouble != "", "the trouble is noticed", HEAL_S)
        assert database.trouble(the_store()) == bot.state.store_trouble
        assert bot.state.store_trouble == f"{the_store().name}: the disk is full: free some space"
        await until(lambda: not bot.at_venue(), "nothing rests")
        bot.engine.runner.sink(ev.Trip(Why.USER, "enough"))
        await until(lambda: bot.state.latch.saved, "the kill switch is kept somewhere")
        assert "the kill switch could not be written anywhere" not in caplog.messages
        ballast.unlink()
        await until(lambda: booked() == bot.trades_at_venue(), "the trade is in the store", HEAL_S)
    with pytest.raises(Refused, match="kill switch"):
        require_armed(open_store(the_store()), [bot.engine.members[0].account_key])
