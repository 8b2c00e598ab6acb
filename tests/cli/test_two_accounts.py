"""Two accounts in one engine, as a person sees and stops them: quote, status, cancel-all, tape."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mmbot.cli import app
from mmbot.config import Mode
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.locations import tape_folder
from mmbot.tape.folder import tapes_in
from mmbot.venues.deribit.limits import READ_GATES
from tests.cli.desk import mmbot
from tests.cli.test_joining import end
from tests.engine.live import until
from tests.engine.pair import DESKS, NAMES, OPTIONS, PERPETUAL, a_pair, ending
from tests.engine.test_crash import START_S
from tests.wire.venue import UNLIMITED

KEPT = Rules(ignore_cancel_on_disconnect=True)
CONFIG = Path(__file__).parents[2] / "configs" / "two-accounts.toml"


async def the_engine() -> Any:
    """What `status` says of the only one."""
    [engine] = (await mmbot("status", "--json")).json()["engines"]
    return engine


# --- a run ------------------------------------------------------------------------------------


async def test_a_run_of_the_file_tells_of_each_account_and_each_desk(home: Path) -> None:
    try:
        done = await mmbot("quote", "--config", str(CONFIG), "--duration", "20", "--json")
    finally:
        end(home)
    assert done.code == 0, done.err
    for once in (
        "ETH-6JUN25-2800-C and 3 more: orders of 1 ETH",
        "ETH-PERPETUAL: orders of 1000 USD",
    ):
        assert once in done.err, "each desk says how large its orders are"
    said = done.json()
    venues, desks = said["venues"], said["desks"]
    assert list(venues) == ["deribit", "hedge"]
    assert list(desks) == ["options", "perp"]
    for one in venues.values():
        assert one.keys() == {"kind", "account", "orders", "fills", "open_orders_after_stop"}
        assert (one["kind"], one["open_orders_after_stop"]) == ("deribit", 0)
        assert one["orders"]["placed"] >= 2
    for parts in (venues, desks):
        for what, count in said["orders"].items():
            assert count == sum(one["orders"][what] for one in parts.values())
        assert said["fills"] == sum(one["fills"] for one in parts.values())
    assert venues["hedge"]["account"] == f"{venues['deribit']['account']}-hedge"
    world = venues["deribit"]["account"].removeprefix("sim-")
    assert done.err.count(f"simulated venue {world} at http://127.0.0.1:") == 2
    assert all(desk["quoted_share"] > 0.9 for desk in desks.values())
    assert (said["mode"], said["venue"], said["open_orders_after_stop"]) == (
        "sim",
        "deribit, hedge",
        0,
    )
    assert said["ended"] == "its time was up"


# --- beside it --------------------------------------------------------------------------------


async def test_status_tells_of_each_account(home: Path, tmp_path: Path) -> None:
    async with a_pair(tmp_path / "desks") as pair, pair.an_engine():
        async with asyncio.timeout(START_S):
            while (engine := await the_engine())["open_orders"] != OPTIONS + PERPETUAL:
                pass
        accounts = [venue.account for venue in pair.both]
        assert (engine["state"], engine["link"]["text"]) == ("running", "up")
        said = engine["venues"]
        assert [one["name"] for one in said] == list(NAMES)
        assert [one["account"] for one in said] == accounts
        assert [one["open_orders"] for one in said] == [OPTIONS, PERPETUAL]
        for one in said:
            assert one["kind"] == "deribit"
            assert one["link"] == {"ok": True, "text": "up"}
            assert one["equity"].keys() >= {"BTC", "ETH", "USDC"}
            limit, *reads = one["limits"]
            assert (limit["name"], limit["scope"], limit["full"]) == ("requests", "account", 20)
            assert 0 <= limit["left"] <= 20
            assert [read["name"] for read in reads] == [gate.name for gate in READ_GATES]
            assert all(0 < read["left"] <= read["full"] for read in reads)
        rows = {row["name"]: (row["venue"], row["desk"]) for row in engine["instruments"]}
        assert rows.pop("ETH-PERPETUAL") == ("hedge", "perp")
        assert set(rows.values()) == {("deribit", "options")}
        assert [desk["name"] for desk in engine["desks"]] == ["options", "perp"]


@pytest.mark.parametrize("state", ["running", "dead"])
async def test_cancel_all_proves_each_account_empty(state: str, home: Path, tmp_path: Path) -> None:
    async with a_pair(tmp_path / "desks") as pair:
        for venue in pair.both:
            venue.protocol.rules = KEPT
        async with pair.an_engine() as engine:
            if state == "dead":
                engine.kill()
                await engine.wait()
                assert pair.resting == (OPTIONS, PERPETUAL)
            done = await mmbot("cancel-all", "--json")
            assert done.code == 0, done.err
            said = done.json()
            assert said["latched"] is True
            assert [
                (one["venue"], one["account"], one["remaining"], one["problem"])
                for one in said["venues"]
            ] == [(name, v.account, 0, None) for name, v in zip(NAMES, pair.both, strict=True)]
            assert all(one["verified_by"] for one in said["venues"])
            assert pair.resting == (0, 0)


# --- the tape ---------------------------------------------------------------------------------


def list_another(venue: SimVenue) -> str:
    """The venue lists one more strike of the expiry that is quoted."""
    now_ms, exchange = venue.now_ms(), venue.exchange
    like = exchange.listings["ETH-3JUN25-2900-C"]
    name = "ETH-3JUN25-2905-C"
    exchange.list(replace(like, name=name, strike=Decimal(2905), created_ms=now_ms), now_ms)
    venue.publish()
    return name


def ours_on(venue: SimVenue, name: str) -> list[str]:
    """Orders that rest on an instrument for our account."""
    resting = venue.exchange.accounts[venue.account].open_orders.values()
    return [order.label for order in resting if order.name == name]


async def test_the_tape_of_a_run_comes_out_the_same(home: Path, tmp_path: Path) -> None:
    busy = VenueOptions(flow_scale=3.0, rules=UNLIMITED)
    async with a_pair(tmp_path / "desks", busy) as pair:
        pair.desks = DESKS.replace(
            "2025-06-06\nstrikes = [2800, 2900]", "2025-06-03\nall_strikes = true"
        )
        engine = await pair.start()
        async with ending(engine):
            await until(lambda: min(pair.resting) >= 2, "both quote", START_S)
            name = list_another(pair.first)
            await until(lambda: f"newly listed: {name}" in pair.log, "it is taken", START_S)
            quoted = partial(ours_on, pair.first, name)
            await until(lambda: bool(quoted()), "it is quoted", START_S)
            done = await mmbot("cancel-all", "--json")
            assert done.code == 0, done.err
            engine.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(engine.wait(), START_S) == 4
        [tape] = tapes_in(tape_folder(Mode.SIM, os.environ, None))
        verified = await mmbot("tape", "verify", str(tape), "--json")
        assert (verified.code, verified.err) == (0, "")
        shown = await mmbot("tape", "show", str(tape), "--instrument", name, "--turns", "100000")
        assert "> place" in shown.out, "it was quoted"


# --- what is refused --------------------------------------------------------------------------

FILE = DESKS.format("http://127.0.0.1:8801", "http://127.0.0.1:8802")


@pytest.mark.parametrize(
    ("text", "flags", "said"),
    [
        (FILE.replace('kind = "deribit"', 'kind = "derbit"'), "", "There is: deribit"),
        (FILE.replace('venue = "hedge"', 'venue = "hegde"'), "", "There is: deribit, hedge"),
        (FILE.replace(":8802", ":8801"), "", "[venues.deribit] is at that address already"),
        (
            FILE + '[desks.more]\nvenue = "hedge"\nsymbols = ["ETH-PERPETUAL"]\n',
            "",
            "desk more quotes ETH-PERPETUAL on hedge, and so does desk perp",
        ),
        (FILE, "--size 1", "--size: there are several desks: add --desk NAME, one of options, pe"),
        (FILE, "--size 1 --desk prep", "--desk: unknown desk 'prep'; did you mean 'perp'?"),
        (FILE, "--strikes 2800 --desk perp", "contradict each other: desk perp quotes symbols"),
        (FILE, "--aggression 1 --desk perp", "strategy simple_spread has no such setting"),
        (FILE, "--sim-url http://127.0.0.1:8803", "one address, and the venues are deribit, hedg"),
    ],
)
def test_bad_input_is_one_line(
    text: str,
    flags: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "desks.toml"
    file.write_text(text)
    assert refused(["quote", "--config", str(file), *flags.split()], monkeypatch) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("mmbot: ")
    assert said in written.err
    assert written.err.count("\n") == 1


@pytest.mark.parametrize("mode", ["testnet", "live"])
@pytest.mark.parametrize("missing", [("DERIBIT",), ("HEDGE",), ("DERIBIT", "HEDGE")])
def test_the_variables_of_missing_credentials_are_named(
    mode: str,
    missing: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    middle = "_TESTNET" if mode == "testnet" else ""
    variables = {
        f"{name}{middle}_API_{what}": name
        for name in ("DERIBIT", "HEDGE")
        for what in ("KEY", "SECRET")
    }
    for variable, name in variables.items():
        monkeypatch.delenv(variable, raising=False)
        if name not in missing:
            monkeypatch.setenv(variable, "something")
    assert refused(["quote", "--config", str(CONFIG), f"--{mode}"], monkeypatch) == 4
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.count("\n") == 1
    for variable, name in variables.items():
        assert (variable in written.err) == (name in missing), written.err


def refused(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """How a command ends that does not begin."""
    monkeypatch.setattr(sys, "argv", ["mmbot", *arguments])
    with pytest.raises(SystemExit) as end:
        app.run()
    assert isinstance(end.value.code, int)
    return end.value.code
