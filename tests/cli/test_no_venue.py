"""Commands at an address where no venue is: exit 5 and one line that says what is there instead."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from json import loads
from pathlib import Path

import pytest

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.engine.timing import Timing
from mmbot.errors import OrdersMayRemain, VenueUnreachable
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.server import SimVenue
from mmbot.store.database import open_store
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey
from mmbot.store.runs import start_run
from tests.cli.desk import QUIET, an_engine, mmbot
from tests.cli.inprocess import Mmbot
from tests.cli.terminal import MMBOT
from tests.cli.test_cancel_all import in_process
from tests.engine.live import until
from tests.engine.test_crash import ours_at_venue
from tests.store.desk import a_draft
from tests.wire.no_venue import (
    NOWHERE,
    Connection,
    at_first,
    hangs_up,
    http,
    json,
    never_answers,
    no_venue,
    resets,
    saying,
    without_websocket,
)

QUOTE = ("quote", "--symbols", "ETH-PERPETUAL", "--duration", "1", "--no-tape")
DRY_RUN = ("quote", "--symbols", "ETH-PERPETUAL", "--dry-run")

WAITED_OUT: list[tuple[Connection, str]] = [
    (resets, "does not answer: connection reset by {host}"),
    (hangs_up, "does not answer: connection closed by {host} without an answer"),
    (http("500 Oops"), "gives no usable answer: HTTP 500 Internal Server Error from {host}"),
    (http("503 Busy"), "gives no usable answer: HTTP 503 Service Unavailable from {host}"),
    (
        http("503 Busy", '{"error":{"code":11051,"message":"system_maintenance"}}'),
        "refuses: 11051 system_maintenance",
    ),
    (http("429 Slow down"), "gives no usable answer: HTTP 429 Too Many Requests from {host}"),
]
"""Who is asked again for a while, and what is said then."""

AT_ONCE: list[tuple[Connection, str]] = [
    (never_answers, "does not answer: no answer from {host} in 10 s"),
    (saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "gives no usable answer: unreadable answer (not HTTP"),
    (http("200 OK", "<html>Log in</html>"), "unreadable answer (no JSON-RPC message) from {host}"),
    (http("302 Found", "", "Location: https://x.example/"), "redirected to https://x.example/"),
    (http("301 Moved", "", "Location: /login"), "gives no usable answer: redirected to /login"),
    (http("404 Nothing"), "gives no usable answer: HTTP 404 Not Found from {host}"),
    (
        http("404 Nothing", '{"error":{"code":-32601,"message":"Method not found"}}'),
        "refuses: -32601 Method not found",
    ),
    (json("null"), "unreadable answer (no JSON-RPC message) from {host}"),
    (json("[]"), "unreadable answer (no JSON-RPC message) from {host}"),
    (json("{}"), "unreadable answer to get_instruments"),
    (json('{"result": []}'), "unreadable answer to get_instruments: nothing is listed"),
    (json('{"result": null}'), "unreadable answer to get_instruments"),
    (json('{"result": "ok"}'), "unreadable answer to get_instruments"),
    (json('{"result": [null]}'), "unreadable answer to get_instruments"),
]


@pytest.fixture
def mmbot_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    """The command in this process, where one second is as good as five."""
    monkeypatch.setattr("mmbot.venues.arrival.LOOK_S", 1.0)
    monkeypatch.setattr("mmbot.research.dry_run.LOOK_S", 1.0)
    return Mmbot(monkeypatch, capsys)


def the_line(code: object, out: str, err: str) -> str:
    """The last of what a command says, after the mode and whatever the log has."""
    assert (code, out) == (5, ""), err
    *before, last = err.splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ SIM"
    assert all(re.match(rf"SIM|{stamp} WARNING deribit ", line) for line in before), err
    assert last.startswith("mmbot: deribit ")
    return last.removeprefix("mmbot: deribit ")


@pytest.mark.parametrize("command", [DRY_RUN, ("markets",)], ids=["dry-run", "markets"])
@pytest.mark.parametrize(("connection", "words"), WAITED_OUT + AT_ONCE)
async def test_who_only_looks_says_what_is_there(
    mmbot_here: Mmbot, connection: Connection, words: str, command: tuple[str, ...]
) -> None:
    async with no_venue(connection) as host:
        end = await asyncio.to_thread(mmbot_here.run, *command, "--sim-url", f"http://{host}")
        assert words.format(host=host) in the_line(*end)


@pytest.mark.parametrize(("connection", "words"), WAITED_OUT[3:4] + AT_ONCE[4:5] + AT_ONCE[-3:])
async def test_the_doctor_fails_its_check_with_the_same_words(
    mmbot_here: Mmbot, connection: Connection, words: str
) -> None:
    async with no_venue(connection) as host:
        doctor = ("doctor", "--json", "--sim-url", f"http://{host}")
        code, out, err = await asyncio.to_thread(mmbot_here.run, *doctor)
        assert (code, err) == (1, "")
        (check,) = [one for one in loads(out)["checks"] if one["check"] == "venue"]
        assert check["result"] == "fail"
        assert words.format(host=host) in check["found"]


async def test_a_quote_at_once_says_what_no_waiting_helps_against() -> None:
    async with no_venue(http("302 Found", "", "Location: https://x.example/")) as host:
        end = await mmbot(*QUOTE, "--sim-url", f"http://{host}")
    line = the_line(end.code, end.out, end.err)
    assert line == "gives no usable answer: redirected to https://x.example/"
    assert "asking again" not in end.err


async def test_a_quote_waits_for_what_may_pass_and_says_so() -> None:
    end = await mmbot(*QUOTE, "--sim-url", f"http://{NOWHERE}")
    refused = f"does not answer: connection refused by {NOWHERE}"
    assert the_line(end.code, end.out, end.err) == refused
    assert end.err.count(f"WARNING deribit {refused}: asking again for up to 30 s\n") == 1


def was_traded_at(host: str) -> None:
    """A run on a venue that listened there."""
    database = open_store(locate(Mode.SIM, os.environ))
    draft = a_draft(AccountKey(Mode.SIM, "deribit", "sim-1"), f"http://{host}")
    start_run(database, draft, lambda: 7, Clock().wall_ns())


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (resets, "connection reset by"),
        (http("302 Found", "", "Location: /login"), "redirected to /login"),
        (http("503 Busy"), "HTTP 503 Service Unavailable"),
    ],
)
async def test_a_kill_switch_that_finds_no_venue_says_what_is_there(
    connection: Connection, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with no_venue(connection) as host:
        was_traded_at(host)
        with pytest.raises(VenueUnreachable, match="orders may still be open: sim-1 on") as caught:
            await in_process(timing=Timing(bound_s=1.0))
    assert words in str(caught.value)
    assert "bug" not in str(caught.value) + capsys.readouterr().out


@pytest.mark.parametrize("answer", ["{}", '{"result": "ok"}', '{"result": null}'])
async def test_a_kill_switch_that_gets_no_list_says_that_orders_may_remain(
    answer: str,
) -> None:
    async with no_venue(json(answer)) as host:
        was_traded_at(host)
        with pytest.raises(OrdersMayRemain, match="list of open orders cannot be read"):
            await in_process(timing=Timing(bound_s=1.0))


# --- trouble that passes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [http("429 Slow down"), http("503 Busy"), resets], ids=["429", "503", "reset"]
)
async def test_a_start_outlives_a_moment_of_trouble(trouble: Connection) -> None:
    async with SimVenue(QUIET) as venue:
        port = int(venue.rest_url.rpartition(":")[2])
        async with no_venue(at_first(trouble, 3, port)) as host:
            end = await mmbot(*QUOTE, "--sim-url", f"http://{host}", "--json")
    assert end.code == 0, end
    assert end.json()["open_orders_after_stop"] == 0


async def test_wrong_credentials_are_not_tried_again() -> None:
    async with SimVenue(QUIET) as venue:
        end = await mmbot(*QUOTE, "--sim-url", venue.rest_url, MMBOT_SIM_SECRET="wrong")
    assert the_line(end.code, end.out, end.err).startswith(
        "refuses the credentials (13004 invalid_credentials"
    )
    assert "asking again" not in end.err


# --- leaving before it is connected -----------------------------------------------------------


@asynccontextmanager
async def waiting_to_connect(venue: SimVenue) -> AsyncIterator[asyncio.subprocess.Process]:
    """A quote that has its account, and whose sockets nobody opens."""
    port = int(venue.rest_url.rpartition(":")[2])
    async with no_venue(without_websocket(port)) as host:
        bot = await asyncio.create_subprocess_exec(
            *(MMBOT, *QUOTE, "--sim-url", f"http://{host}", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert bot.stderr is not None
        try:
            async with asyncio.timeout(60):
                while b"HTTP 503 Service Unavailable: asking" not in await bot.stderr.readline():
                    assert bot.returncode is None
            yield bot
        finally:
            if bot.returncode is None:
                bot.kill()
            await bot.wait()


async def test_ctrl_c_while_it_waits_to_connect_is_heeded_at_once() -> None:
    async with SimVenue(QUIET) as venue, waiting_to_connect(venue) as bot:
        bot.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            out, err = await bot.communicate()
        assert (bot.returncode, out) == (130, b"")
        last = err.decode().splitlines()[-1]
        assert last == "mmbot: stopped before it had begun: nothing was sent"


async def test_what_an_earlier_run_left_is_taken_back_on_leaving(home: Path) -> None:
    stays = replace(QUIET, faults=FaultPlan(ignored_cod=1.0))
    async with SimVenue(stays) as venue:
        async with an_engine(venue, home) as engine:
            store = Reader(locate(Mode.SIM, os.environ))
            noted = partial(store.open_orders, "deribit", venue.account)
            await until(lambda: len(noted()) == 8, "all eight are in the store")
            engine.kill()
            await engine.wait()
        assert len(ours_at_venue(venue)) == 8
        async with waiting_to_connect(venue) as bot:
            bot.send_signal(signal.SIGHUP)
            async with asyncio.timeout(60):
                out, err = await bot.communicate()
        assert bot.returncode == 0, err
        assert ours_at_venue(venue) == {}
        assert loads(out)["open_orders_after_stop"] == 0
