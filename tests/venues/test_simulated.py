"""The world that a run will need is begun before the run knows it, and never outlives a run that
does not come about."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmbot.clock import Clock
from mmbot.config import Config, Mode, load_config
from mmbot.store import worlds
from mmbot.store.database import open_store
from mmbot.store.locations import locate, stop_file
from mmbot.venues import simulated
from mmbot.venues.site import sites_of
from tests.cli.terminal import MMBOT

QUOTE = {"--symbols": "BTC-PERPETUAL"}
PATIENCE_S = 60.0


def config(**flags: str) -> Config:
    return load_config(QUOTE | {f"--{name.replace('_', '-')}": v for name, v in flags.items()})


def worlds_of(pid: int) -> list[int]:
    """The simulated worlds that a process has started and that have not ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if is_world(int(child))]


def command_of(pid: int) -> list[bytes]:
    """None at all of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def is_world(pid: int) -> bool:
    return b"serve" in command_of(pid)


def waited_for(bot: "subprocess.Popen[str]") -> int:
    """The world that the bot has begun."""
    end = time.monotonic() + PATIENCE_S
    while bot.poll() is None and time.monotonic() < end:
        for world in worlds_of(bot.pid):
            return world
        time.sleep(0.002)
    raise AssertionError("no world was begun")


def is_gone(pid: int) -> bool:
    end = time.monotonic() + PATIENCE_S
    while is_world(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_world(pid)


@pytest.fixture
def bot() -> "Iterator[subprocess.Popen[str]]":
    words = [MMBOT, "quote", "--symbols", "BTC-PERPETUAL", "--duration", "1"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True)
    yield process
    process.kill()
    process.communicate()


# --- begun ahead ------------------------------------------------------------------------------


async def test_it_is_begun_once_and_taken_once() -> None:
    wanted = config()
    ahead = await simulated.begin_ahead(wanted)
    assert ahead.starting is not None
    sites = sites_of(wanted)
    begun = ahead.take(sites)
    assert begun is not None
    assert ahead.take(sites) is None
    await ahead.end()  # no business of its own any more
    made = await simulated.start(sites, wanted.sim, 10, begun)
    assert is_world(made.pid)
    assert made.urls.keys() == {"deribit"}
    await made.end()
    assert is_gone(made.pid)


async def test_one_that_was_begun_for_other_venues_is_not_taken() -> None:
    wanted = config()
    ahead = await simulated.begin_ahead(wanted)
    (site,) = sites_of(wanted)
    assert ahead.take([site, site]) is None
    assert ahead.starting is not None
    process = ahead.starting.process
    await ahead.end()
    assert process.returncode is not None
    await ahead.end()


@pytest.mark.parametrize("flags", [{"sim_url": "http://127.0.0.1:1"}])
async def test_nothing_is_begun_where_none_is_needed(flags: dict[str, str]) -> None:
    assert (await simulated.begin_ahead(config(**flags))).starting is None


async def test_nothing_is_begun_where_one_runs_and_not_a_word_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wanted = config()
    database = open_store(locate(Mode.SIM, os.environ))
    made = await simulated.start(sites_of(wanted), wanted.sim, 10)
    worlds.remember(database, simulated.world_of(wanted.sim, made), Clock().wall_ns())
    caplog.clear()
    assert (await simulated.begin_ahead(wanted)).starting is None
    other = await simulated.begin_ahead(config(seed="77"))
    assert other.starting is not None, "another seed is another world"
    await other.end()
    await made.end()
    ahead = await simulated.begin_ahead(wanted)
    assert ahead.starting is not None, "that one has ended"
    await ahead.end()
    assert caplog.records == []


def no_database(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("no database")


async def test_nothing_is_begun_where_the_store_cannot_be_asked(home: Path) -> None:
    no_database(home / "sim.db")
    assert (await simulated.begin_ahead(config())).starting is None


# --- in a run ---------------------------------------------------------------------------------


def test_it_is_begun_before_anything_heavy_is_imported() -> None:
    program = (
        "import sys\n"
        "from mmbot.venues import simulated\n"
        "async def begin(config):\n"
        "    heavy = {'ccxt', 'sqlalchemy', 'mmbot.assemble', 'aiohttp'}\n"
        "    print(*heavy & set(sys.modules), 'here')\n"
        "    raise SystemExit(0)\n"
        "simulated.begin_ahead = begin\n"
        "sys.argv = ['mmbot', 'quote', '--symbols', 'BTC-PERPETUAL']\n"
        "from mmbot.cli.app import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_while_the_rest_is_imported_takes_it_along(
    bot: "subprocess.Popen[str]", ending: signal.Signals
) -> None:
    world = waited_for(bot)
    bot.send_signal(ending)
    _, err = bot.communicate(timeout=PATIENCE_S)
    assert bot.returncode == 130
    first, last = err.splitlines()
    assert first.startswith("SIM")
    assert last in ("mmbot: interrupted", "mmbot: stopped before it had begun: nothing was sent")
    assert is_gone(world)


def test_a_run_that_is_refused_takes_it_along(home: Path) -> None:
    file = stop_file(Mode.SIM, os.environ)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    words = [MMBOT, "quote", "--symbols", "BTC-PERPETUAL"]
    bot = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    world = waited_for(bot)
    _, err = bot.communicate(timeout=PATIENCE_S)
    assert bot.returncode == 4
    assert err.splitlines()[1:] == [
        f"mmbot: {file} is there, so nothing may be quoted: remove it to start"
    ]
    assert is_gone(world)
    assert not (home / "sim.db").exists()


async def test_a_bot_that_is_killed_meanwhile_leaves_a_world_that_ends_by_itself() -> None:
    """It lingers for a client as ever; here it is only looked whether it was told to."""
    ahead = await simulated.begin_ahead(config())
    assert ahead.starting is not None
    command = command_of(ahead.starting.process.pid)
    assert command[command.index(b"--linger") + 1] == b"60"
    await ahead.end()
