"""`mmbot status`: what people and programs see of every engine, alive or not."""

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.sim.wire.server import SimVenue
from mmbot.store.database import open_store
from mmbot.store.locations import locate
from mmbot.store.records import AccountKey
from mmbot.store.runs import start_run, stop_run
from tests.cli.desk import QUIET, an_engine, ended, mmbot, place_by_hand
from tests.cli.terminal import MMBOT, Terminal
from tests.engine.test_crash import ours_at_venue
from tests.store.desk import BOTH, a_draft


async def engines() -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await mmbot("status", "--json")).json()["engines"]
    return found


async def state_is(wanted: str, deadline_s: float = 20.0) -> dict[str, object]:
    """Wait until the one engine is in this state; what is said of it then."""
    end = asyncio.get_running_loop().time() + deadline_s
    while True:
        [engine] = await engines()
        if engine["state"] == wanted:
            return engine
        assert asyncio.get_running_loop().time() < end, f"{engine['state']}, never {wanted}"


@pytest.mark.parametrize("command", ["status", "cancel-all", "resume"])
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from mmbot.cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "heavy = {'ccxt', 'numpy', 'scipy', 'sqlalchemy', 'aiohttp', 'uvloop', 'asyncio'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, command, "--help"], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_connects_to_nothing() -> None:
    code = (
        "import sys; from mmbot.cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "heavy = {'ccxt', 'numpy', 'scipy', 'aiohttp', 'uvloop'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    open_store(locate(Mode.SIM, os.environ))
    done = subprocess.run([sys.executable, "-c", code, "status"], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


async def test_nothing_there_is_one_friendly_line() -> None:
    done = await mmbot("status")
    assert (done.code, done.err) == (0, "")
    assert done.out == "No engine has run here yet: start one with `mmbot quote`.\n"
    assert (await mmbot("status", "--json")).json() == {"engines": [], "unread": []}


async def test_a_running_engine_as_programs_see_it(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home):
        place_by_hand(venue)
        end = asyncio.get_running_loop().time() + 60
        while True:  # the snapshot that lists foreign orders comes every 30 s, or when one is seen
            engine = await state_is("running")
            if engine["foreign"] and engine["open_orders"] == 8:
                break
            assert asyncio.get_running_loop().time() < end, engine
        assert (engine["mode"], engine["venue"], engine["account"]) == (
            "sim",
            "deribit",
            venue.account,
        )
        age_s = engine["heartbeat_age_s"]
        assert isinstance(age_s, float)
        assert age_s < 3
        assert engine["latch"] == {
            "tripped": False,
            "why": None,
            "detail": None,
            "who": None,
            "at": None,
        }
        assert isinstance(engine["foreign"], list)
        [foreign] = engine["foreign"]
        assert (foreign["label"], foreign["side"], foreign["amount"]) == ("by hand", "buy", 3.0)
        budget, pnl = engine["budget"], engine["pnl"]
        assert isinstance(budget, dict)
        assert isinstance(pnl, dict)
        assert budget["full"] == 20
        assert budget.keys() == {"left", "full", "in_flight", "postponed"}
        traffic = engine["order_to_volume"]
        assert isinstance(traffic, dict)
        assert traffic["messages"] >= 8
        assert (traffic["trades"], traffic["per_trade"], traffic["slowed"]) == (0, None, False)
        assert {"total_usd", "spread_usd", "inventory_usd", "fees_usd"} <= pnl.keys()
        assert engine["equity"] == {"BTC": 10, "ETH": 100, "USDC": 250_000}
        rows = engine["instruments"]
        assert isinstance(rows, list)
        assert [row["symbol"] for row in rows][:2] == [
            "ETH/USD:ETH-250606-2800-C",
            "ETH/USD:ETH-250606-2800-P",
        ]
        for row in rows:
            assert row["bid"] < row["ask"]
            assert row["our_bid"] < row["our_ask"]
            assert row["quoted_share"].keys() == {"buy", "sell"}
            assert (row["position"], row["open_orders"], row["book"]) == (0, 2, "ok")


async def test_silent_dead_and_stopped_are_told_apart(home: Path) -> None:
    async with SimVenue(QUIET) as venue:
        async with an_engine(venue, home) as engine:
            await state_is("running")
            engine.send_signal(signal.SIGSTOP)
            await state_is("stale")
            shown = (await mmbot("status")).out
            assert " stale  since " in shown
            assert "It does not speak" in shown
            engine.send_signal(signal.SIGCONT)
            await state_is("running")
            engine.kill()
            await engine.wait()
            dead = await state_is("dead")
            assert dead["open_orders"] == 8, "what it had when it spoke last"
            done = await mmbot("status")
            assert done.code == 0
            assert "orders may be open" in done.out
            assert (await mmbot("cancel-all")).code == 0
            assert (await state_is("dead"))["open_orders"] == 0
            page = (await mmbot("status")).out
            assert "Its process is gone." in page
            assert "may be open" not in page
            assert "Nothing of ours is open there: `mmbot cancel-all`, " in page
            said = await mmbot("explain", "ETH-6JUN25-2800-C")
            assert "`mmbot cancel-all` found nothing of ours open at " in said.err
            assert (await mmbot("resume", "--reason", "a test")).code == 0
        async with an_engine(venue, home) as engine:
            await state_is("running")
            assert await ended(engine) == 0
            stopped = await state_is("stopped")
            assert (stopped["exit_code"], stopped["open_orders"]) == (0, 0)
            assert ", exit code 0" in (await mmbot("status", "--once")).out


async def test_several_engines_stand_side_by_side_within_100_columns(home: Path) -> None:
    async with (
        SimVenue(QUIET) as one,
        SimVenue(QUIET) as two,
        an_engine(one, home),
        an_engine(two, home),
    ):
        names = (one.account, two.account)
        assert names[0] != names[1]
        shown = ""
        end = asyncio.get_running_loop().time() + 20
        while shown.count("open 8") < 2:
            shown = (await mmbot("status")).out
            assert asyncio.get_running_loop().time() < end, shown
        assert "2 running" in shown.splitlines()[0]
        assert all(name in shown for name in names)
        assert shown.count("ETH-6JUN25-2900-P") == 2
        assert max(map(len, shown.splitlines())) <= 100


async def test_a_person_watches_the_kill_switch_being_pulled(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home):

        def watch() -> str:
            with Terminal(MMBOT, "status") as terminal:
                terminal.wait_for("1 running")
                terminal.until(lambda: "2900-P" in terminal.text(), "the table")
                assert not terminal.echoes()
                pulled = os.spawnl(os.P_WAIT, MMBOT, "mmbot", "cancel-all", "--json")
                assert pulled == 0
                terminal.until(lambda: "KILL SWITCH since" in terminal.text(), "the switch")
                terminal.until(lambda: "open 0" in terminal.text(), "no order left")
                terminal.interrupt()
                assert terminal.exit_code() == 0
                assert not terminal.cursor_hidden()
                return terminal.text()

        text = await asyncio.to_thread(watch)
        assert "1 killed" in text
        assert text.count("1 killed") == 1, "drawn over, not below"
        assert ours_at_venue(venue) == {}


def test_a_store_that_cannot_be_read_hides_no_other(home: Path) -> None:
    start_run(
        open_store(locate(Mode.SIM, os.environ)),
        a_draft(AccountKey(Mode.SIM, "deribit", "sim-1")),
        lambda: 1,
        Clock().wall_ns(),
    )
    (home / "live.db").write_bytes(b"garbage" * 100)
    done = asyncio.run(mmbot("status"))
    assert done.code == 0
    assert "1 starting" in done.out
    assert f"not read: {home / 'live.db'} is not a database" in " ".join(done.out.split())


def test_an_engine_of_two_accounts_is_one_with_its_venues() -> None:
    database = open_store(locate(Mode.SIM, os.environ))
    start_run(database, a_draft(BOTH), lambda: 1, Clock().wall_ns())
    [engine] = asyncio.run(mmbot("status", "--json")).json()["engines"]
    assert (engine["venue"], engine["account"]) == ("deribit", "sim-1")
    untold: dict[str, object] = {"link": None, "limits": [], "equity": {}, "open_orders": None}
    untold |= {"dead_man": None, "mmp": None}
    assert engine["venues"] == [
        {"name": "deribit", "kind": "deribit", "account": "sim-1"} | untold,
        {"name": "hedge", "kind": "deribit", "account": "sim-2"} | untold,
    ]


def test_ended_worlds_do_not_fill_the_screen() -> None:
    database, clock = open_store(locate(Mode.SIM, os.environ)), Clock()
    numbers = itertools.count(1)
    for started_ns in range(1, 6):
        draft = a_draft(AccountKey(Mode.SIM, "deribit", f"sim-{started_ns}"))
        started = start_run(database, draft, lambda: next(numbers), started_ns)
        with database.transaction() as connection:
            stop_run(connection, started.run, 0, clock.wall_ns())
    shown = asyncio.run(mmbot("status")).out
    assert "deribit sim-5" in shown
    assert "sim-4" not in shown
    assert "4 earlier simulated engines: --json shows all" in shown
    assert len(json.loads(asyncio.run(mmbot("status", "--json")).out)["engines"]) == 5


async def test_what_is_left_of_an_engine_that_ended_is_its_last_state(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        await state_is("running")
        assert await ended(engine) == 0
        said = await state_is("stopped")
        assert (said["exit_code"], said["ended"]) == (0, "SIGTERM")
        assert said["open_orders"] == 0
        assert isinstance(said["pnl"], dict)
        link, rows = said["link"], said["instruments"]
        assert isinstance(link, dict)
        assert isinstance(rows, list)
        assert (link["text"], link["ok"]) == ("stopped", False)
        for row in rows:
            live = ("bid", "ask", "our_bid", "our_ask", "fair", "age_s")
            assert {row[key] for key in live} == {None}
            assert (row["open_orders"], row["position"]) == (0, 0)
        page = (await mmbot("status", "--once")).out
        assert "exit code 0" in page
        assert "ended: SIGTERM" in page
        asked = await mmbot("explain", "ETH-6JUN25-2800-C")
        assert "stopped" in asked.err
        assert "(SIGTERM): it quotes nothing any more" in asked.err
        assert "rests" not in asked.out
        assert asked.out.count("\n") == 1, "no market, no terms: they are of the past"
        assert re.search(r"stopped at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC with pos", asked.out)
        (one,) = (await mmbot("explain", "ETH-6JUN25-2800-C", "--json")).json()
        assert (one["stopped"], one["ended"]) == (True, "SIGTERM")
        assert one["stopped_at"] in asked.out
        unknown = await mmbot("explain", "ETH-6JUN25-2800-X")
        assert unknown.code == 1
        assert "no engine runs any more, and none quoted ETH-6JUN25-2800-X; did you" in unknown.err
        for command in (("pause",), ("set", "size", "2"), ("set", "disable", "--side", "bid")):
            late = await mmbot(*command)
            assert (late.code, late.out, late.err.count("\n")) == (2, "", 1)
            assert late.err.startswith("mmbot: no engine runs: SIM deribit, run ")
            assert f" stopped at {one['stopped_at']} (SIGTERM): start one" in late.err
        late = await mmbot("pause", "--run", one["run_id"])
        assert f"--run: SIM deribit, run {one['run_id']} stopped at " in late.err
        assert late.code == 2


async def test_an_engine_that_was_killed_is_explained_as_gone(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        while (await mmbot("explain", "ETH-6JUN25-2800-C")).code:
            assert engine.returncode is None, "it speaks once a second"
        engine.kill()
        await engine.wait()
        asked = await mmbot("explain", "ETH-6JUN25-2800-C")
        assert asked.code == 0
        assert "process is gone" in asked.err
        assert "`mmbot cancel-all` takes them back" in asked.err
        late = await mmbot("pause")
        assert late.code == 2
        assert "ended without a word after " in late.err


async def test_an_end_by_the_clock_says_so(home: Path) -> None:
    async with SimVenue(QUIET) as venue:
        at = ("quote", "--symbols", "ETH-PERPETUAL", "--sim-url", venue.rest_url)
        assert (await mmbot(*at, "--duration", "1", "--json")).code == 0
        assert (await state_is("stopped"))["ended"] == "its time was up"
        assert "ended: its time was up" in (await mmbot("status", "--once")).out
