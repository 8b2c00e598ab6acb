"""Ctrl+Z: the quotes go before the process stops, and `fg` brings them back."""

import asyncio
import os
import signal
from pathlib import Path

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.why import Why
from mmbot.sim.wire.server import SimVenue
from mmbot.store import latch
from mmbot.store.database import open_store
from mmbot.store.locations import locate
from tests.cli.desk import QUIET, an_engine, ended, mmbot
from tests.cli.terminal import MMBOT, Terminal
from tests.engine.live import until
from tests.engine.test_account_taken import SENDS, account_key, heard, said
from tests.engine.test_crash import START_S, ours_at_venue
from tests.store.desk import begin

LONGER_THAN_A_TRIP_S = 11.0
"""A process that was not running for 10 s trips the kill switch, unless a person stopped it."""

GONE_S = 5.0
SHELL = ["--norc", "--noprofile", "-i"]
QUOTE = [MMBOT, "quote", "--symbols", "ETH-PERPETUAL", "--seed", "77"]


def condition(pid: int) -> str:
    """R, S, T and so on, as the system has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def suspended(engine: asyncio.subprocess.Process) -> None:
    engine.send_signal(signal.SIGTSTP)
    await until(lambda: condition(engine.pid) == "T", "it has stopped", GONE_S)


async def test_the_quotes_go_before_it_stops_and_come_back_however_long_it_was(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        await suspended(engine)
        assert ours_at_venue(venue) == {}
        [shown] = (await mmbot("status", "--json")).json()["engines"]
        assert (shown["open_orders"], shown["controls"]) == (0, ["paused: suspended by Ctrl+Z"])
        await asyncio.sleep(LONGER_THAN_A_TRIP_S)
        words = "Ctrl+Z has stopped it: `fg` in its terminal, and it goes on."
        assert words in (await mmbot("status", "--once")).out
        engine.send_signal(signal.SIGCONT)
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders again", START_S)
        assert "KILL SWITCH" not in said(home)
        assert await ended(engine) == 0


async def test_a_pause_outlives_it_and_so_does_the_kill_switch(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        assert (await mmbot("pause")).code == 0
        await suspended(engine)
        engine.send_signal(signal.SIGCONT)
        await until(lambda: "continued" in said(home), "it goes on", START_S)
        assert (await mmbot("set", "size", "1")).code == 0, "and hears"
        assert ours_at_venue(venue) == {}
        assert (await mmbot("unpause")).code == 0
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders again", START_S)
        await suspended(engine)
        place = locate(Mode.SIM, os.environ)
        latch.trip(place, [account_key(venue)], Why.USER, "enough", "test", Clock().wall_ns())
        with heard(venue) as methods:
            engine.send_signal(signal.SIGCONT)
            await until(lambda: "KILL SWITCH" in said(home), "it reads the latch", START_S)
            assert [method for method in methods if method in SENDS] == []
        assert await ended(engine) == 4


async def test_who_continues_it_at_once_has_an_engine_that_quotes(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        for _ in range(3):
            engine.send_signal(signal.SIGTSTP)
            engine.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.05)
        engine.send_signal(signal.SIGCONT)
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders again", START_S)
        assert await ended(engine) == 0


def test_in_a_shell_fg_brings_back_the_table_and_the_quotes() -> None:
    with Terminal("/bin/bash", *SHELL, env={"PS1": "ready> "}) as terminal:
        terminal.wait_for("ready>")
        terminal.type(" ".join(QUOTE) + "\r")
        terminal.wait_for("link up")
        terminal.until(lambda: "ETH-PERPETUAL" in terminal.text(), "the table")
        terminal.type("\x1a")
        terminal.wait_for("Stopped")
        assert "suspended: `fg` quotes again" in terminal.text()
        assert not terminal.cursor_hidden()
        terminal.type("echo sane; fg\r")
        terminal.wait_for("sane")
        terminal.wait_for("continued")
        terminal.until(terminal.cursor_hidden, "the table is back")
        terminal.interrupt()
        terminal.wait_for("orders left  0")
        terminal.type("echo code $?\r")
        assert "code 0" in terminal.wait_for("code 0")
        terminal.type("exit\r")
        assert terminal.exit_code() == 0


def test_status_gives_the_terminal_back_and_goes_on(home: Path) -> None:
    begin(open_store(locate(Mode.SIM, os.environ)))
    with Terminal("/bin/bash", *SHELL, env={"PS1": "ready> "}) as terminal:
        terminal.wait_for("ready>")
        terminal.type(f"{MMBOT} status\r")
        terminal.wait_for("sim-1")
        terminal.until(terminal.cursor_hidden, "the picture is up")
        terminal.type("\x1a")
        terminal.wait_for("Stopped")
        assert not terminal.cursor_hidden()
        terminal.type("fg\r")
        terminal.until(terminal.cursor_hidden, "the picture is back")
        terminal.interrupt()
        terminal.type("echo code $?\r")
        terminal.wait_for("code 0")
