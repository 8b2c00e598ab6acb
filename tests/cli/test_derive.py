"""`mmbot` on Derive, as a person meets it: quoting, refusals, doctor, and no key anywhere."""

import json
import os
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mmbot.config import Mode
from mmbot.sim.wire.derive.signatures import address_of
from mmbot.sim.wire.derive.wallet import SessionKey
from mmbot.sim.wire.server import Venue
from mmbot.sim.wire.world import FaceOptions
from mmbot.venues.plugin import plugin_of
from tests.cli.desk import Done, mmbot
from tests.cli.terminal import MMBOT, Terminal
from tests.sim.wire.derive.venue import served

DESK = ("--exchange", "derive", "--expiry", "20250606", "--strikes", "2800,2900")
OTHER_KEY = "0x" + "a1" * 32
OTHER = address_of(bytes.fromhex(OTHER_KEY[2:]))
PAST_S = 1_748_000_000  # before the simulated date


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMBOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def opens(venue: Venue, **changed: str) -> dict[str, str]:
    """The variables that open the account of a venue, some of them changed."""
    login = venue.endpoints.login
    parts = {
        "WALLET": str(login["wallet"]),
        "SUBACCOUNT": str(login["subaccount_id"]),
        "PRIVATE_KEY": str(login["session_key"]),
    }
    return {f"MMBOT_SIM_DERIVE_{name}": value for name, value in (parts | changed).items()}


async def refused(venue: Venue, *flags: str, **changed: str) -> tuple[int, str]:
    """The exit code and the last line of a start that comes to nothing."""
    at = ("--sim-url", str(venue.endpoints.rest), "--duration", "2", "--no-screen")
    done = await mmbot("quote", *(flags or DESK), *at, **opens(venue, **changed))
    assert "Traceback" not in done.err
    line = done.err.rstrip().rpartition("\n")[2]
    assert line.startswith("mmbot: "), done.err
    return done.code, line


# --- quoting --------------------------------------------------------------------------------------


def test_options_and_the_perpetual_are_quoted_with_nothing_set_up(tmp_path: Path) -> None:
    running = []
    for name, flags in ("options", DESK), ("perpetual", ("--exchange", "derive", *PERPETUAL)):
        running.append(
            subprocess.Popen(
                [MMBOT, "quote", *flags, "--duration", "90", "--json"],
                env=os.environ | {"MMBOT_HOME": str(tmp_path / name)},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
    options, perpetual = (json.loads(one.communicate(timeout=200)[0]) for one in running)
    assert (options["venue"], len(options["instruments"])) == ("derive", 4)
    assert options["orders"]["placed"] >= 8
    assert options["fills"] >= 1
    assert perpetual["instruments"] == ["ETH-PERP"]
    assert perpetual["orders"]["placed"] + perpetual["orders"]["amended"] >= 8
    for said in options, perpetual:
        assert said["open_orders_after_stop"] == 0
        assert said["orders"]["rejected"] == 0
        pnl = said["pnl"]
        parts = pnl["spread_usd"] + pnl["inventory_usd"] + pnl["funding_usd"] - pnl["fees_usd"]
        assert pnl["total_usd"] == pytest.approx(parts, abs=1e-9)
        rows = sum(row["pnl_usd"] for row in said["rows"])
        assert pnl["total_usd"] == pytest.approx(rows, abs=1e-9)


PERPETUAL = ("--symbols", "ETH-PERP")

TWO = """\
[venues.derive]
[venues.hedge]
kind = "derive"
[desks.first]
venue = "hedge"
symbols = ["ETH-PERP"]
[desks.first.strategy.improve_top]
[desks.second]
venue = "derive"
symbols = ["BTC-PERP"]
[desks.second.strategy.improve_top]
"""


async def test_two_accounts_are_traded_with_nothing_set_up(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO)
    done = await mmbot("quote", "--config", "two.toml", "--duration", "3", "--json")
    assert done.code == 0, done.err
    said = done.json()
    assert {name: one["orders"]["placed"] for name, one in said["venues"].items()} == {
        "derive": 2,
        "hedge": 2,
    }
    accounts = {one["account"] for one in said["venues"].values()}
    assert len(accounts) == 2, "each its own"
    assert said["open_orders_after_stop"] == 0


@pytest.mark.parametrize("names", [("derive", "hedge"), ("hedge", "derive"), ("a b",)])
async def test_a_simulated_account_opens_with_what_its_name_says(names: tuple[str, ...]) -> None:
    faces = (FaceOptions(name=name, kind="derive") for name in names)
    async with served(*faces) as venues:
        told = [venue.endpoints.login for venue in venues]
        for name, login in zip(names, told, strict=True):
            (wanted,) = plugin_of("derive").credentials(Mode.SIM, name)
            assert {one.part: one.default for one in wanted} == {
                "wallet": login["wallet"],
                "subaccount": str(login["subaccount_id"]),
                "key": login["session_key"],
            }
        assert len({login["wallet"] for login in told}) == len(names)


def test_the_screen_says_what_goes_along_with_us_and_what_the_limits_leave() -> None:
    with Terminal(MMBOT, "quote", *DESK, columns=110) as terminal:
        shown = terminal.wait_for("held at edge", 60)
        assert "COD wallet-wide" in shown
        assert "per instrument" in shown
        assert "cancel_all 5/5" in shown
        assert "non_matching" in shown
        told = json.loads(subprocess.check_output([MMBOT, "status", "--json"]))
        (venue,) = told["engines"][0]["venues"]
        assert venue["dead_man"] == "wallet"
        limits = {limit["name"]: limit for limit in venue["limits"]}
        assert (limits["requests"]["scope"], limits["requests"]["full"]) == ("account", 5)
        assert (limits["per instrument"]["scope"], limits["per instrument"]["full"]) == (
            "instrument",
            5,
        )
        assert {"cancel_all", "non_matching"} <= limits.keys()
        why = subprocess.check_output([MMBOT, "explain", "ETH-20250606-2800-C"], text=True)
        assert "premiums and fees in USDC" in why
        terminal.interrupt()
        assert terminal.exit_code() == 0


# --- what is refused ------------------------------------------------------------------------------


async def test_what_opens_no_account_is_bad_input_and_said_in_one_line() -> None:
    async with served() as (venue,):
        none = await refused(venue, PRIVATE_KEY="0x1234")
        assert none == (
            2,
            "mmbot: derive: the private key is none: 64 hexadecimal digits are, with or without 0x",
        )
        code, line = await refused(venue, WALLET="0x" + "ab" * 19)
        assert (code, "are no wallet: 0x and 40 hexadecimal digits are" in line) == (2, True)
        code, line = await refused(venue, SUBACCOUNT="x1")
        assert (code, "the subaccount 'x1' is no number" in line) == (2, True)
        code, line = await refused(venue, SUBACCOUNT="9" * 80)
        assert (code, "is no number" in line) == (2, True)
        code, line = await refused(venue, SUBACCOUNT="77")
        there = venue.endpoints.login["subaccount_id"]
        assert code == 2
        assert "has no subaccount 77" in line
        assert line.endswith(f"it has {there}")


async def test_a_key_that_may_not_trade_for_the_wallet_is_refused_by_its_address() -> None:
    async with served() as (venue,):
        keys = venue._counter.wallet.keys
        code, line = await refused(venue, PRIVATE_KEY=OTHER_KEY)
        assert code == 4
        assert OTHER in line.lower()
        assert str(venue.endpoints.login["wallet"]) in line
        assert "14023" in line
        keys[OTHER] = SessionKey(address=OTHER, expiry_sec=PAST_S)
        code, line = await refused(venue, PRIVATE_KEY=OTHER_KEY)
        assert (code, "expired" in line.lower(), OTHER in line.lower()) == (4, True, True)
        keys[OTHER] = SessionKey(address=OTHER, scopes=("AccountRead",))
        code, line = await refused(venue, PRIVATE_KEY=OTHER_KEY)
        assert (code, "may not trade all" in line, "AccountRead" in line) == (4, True, True)


async def test_without_cancel_on_disconnect_nothing_is_quoted() -> None:
    async with served() as (venue,):
        venue.answer("private/set_cancel_on_disconnect", 14031, count=9)
        code, line = await refused(venue)
        assert (code, "did not confirm cancel-on-disconnect" in line) == (4, True)


async def test_what_is_not_listed_is_told_with_the_nearest() -> None:
    async with served() as (venue,):
        ours = ("--exchange", "derive")
        code, line = await refused(venue, *ours, "--expiry", "20250606", "--strikes", "2812")
        assert (code, line.endswith("the nearest are 2775, 2800, 2825, 2850")) == (2, True)
        code, line = await refused(venue, *ours, "--expiry", "20250609", "--strikes", "2800")
        assert (code, "20250607, 20250613" in line) == (2, True)
        code, line = await refused(venue, *ours, "--symbols", "ETH-PERPETUAL")
        assert (code, "did you mean ETH-PERP?" in line) == (2, True)


# --- doctor ---------------------------------------------------------------------------------------


async def doctor(venue: Venue, **changed: str) -> tuple[Done, dict[str, Any]]:
    """What it says of a venue, by check."""
    at = ("--exchange", "derive", "--sim-url", str(venue.endpoints.rest), "--json")
    done = await mmbot("doctor", *at, **opens(venue, **changed))
    return done, {one["check"]: one for one in done.json()["checks"]}


async def test_doctor_looks_at_key_subaccount_dead_man_protection_limits_and_clock() -> None:
    async with served() as (venue,):
        done, said = await doctor(venue)
        assert done.code == 0
        assert said["key"]["result"] == said["account"]["result"] == "pass"
        assert str(venue.endpoints.login["signer"]) in said["key"]["found"]
        assert said["cancel on disconnect"]["result"] == "warn"  # an engine switches it on
        assert said["market-maker protection"]["found"].startswith("not set")
        assert "a second an instrument" in said["rate limits"]["found"]
        assert {"clock", "latency", "margin", "fees"} <= said.keys()
        assert not venue._counter.wallet.cancels_on_disconnect  # looked at, and not touched


@pytest.mark.parametrize(
    ("changed", "check", "found"),
    [
        ({"PRIVATE_KEY": "nonsense"}, "key", "the private key is none"),
        ({"PRIVATE_KEY": OTHER_KEY}, "account", "14023"),
        ({"SUBACCOUNT": "77"}, "account", "has no subaccount 77"),
    ],
)
async def test_doctor_says_which_part_of_an_account_is_wrong(
    changed: dict[str, str], check: str, found: str
) -> None:
    async with served() as (venue,):
        done, said = await doctor(venue, **changed)
        assert done.code == 1
        assert said[check]["result"] == "fail"
        assert found in said[check]["found"]
        assert said[check]["do"]


# --- the key --------------------------------------------------------------------------------------


async def test_no_digit_of_the_key_is_in_anything_that_is_written(
    home: Path, tmp_path: Path
) -> None:
    async with served() as (venue,):
        key = str(venue.endpoints.login["session_key"]).removeprefix("0x")
        wrote = [await _quoted(venue, tmp_path, "improve_top"), await _quoted(venue, tmp_path, BAD)]
        assert "RuntimeError" in wrote[1]
        for command in ("doctor", "--exchange", "derive"), ("status", "--json"), ("config", "show"):
            done = await mmbot(*command, **opens(venue))
            wrote.append(done.out + done.err)
    files = _files(home)
    assert {".zst", ".db"} <= files.keys()
    for text in (*(one.encode() for one in wrote), *chain.from_iterable(files.values())):
        assert key.encode() not in text.lower()
        assert bytes.fromhex(key) not in text


BAD = "falls_over"
_STRATEGY = f'''
from dataclasses import dataclass
from mmbot.plugins.registry import Family, register

@register(Family.STRATEGY, "{BAD}")
@dataclass(frozen=True)
class FallsOver:
    """Raises, always."""

    def quotes(self, view):
        raise RuntimeError(f"no quote of {{view.instrument.name}}")
'''


async def _quoted(venue: Venue, folder: Path, strategy: str) -> str:
    (folder / "bad_plugin.py").write_text(_STRATEGY)
    desk = folder / f"{strategy}.toml"
    desk.write_text(
        'plugins = ["bad_plugin"]\n[desk]\nvenue = "derive"\nsymbols = ["ETH-PERP"]\n'
        f"[strategy.{strategy}]\n"
    )
    at = ("--sim-url", str(venue.endpoints.rest), "--duration", "6", "--no-screen")
    done = await mmbot("quote", "--config", str(desk), *at, **opens(venue))
    return done.out + done.err


def _files(folder: Path) -> dict[str, list[bytes]]:
    """What is in them, by the ends of their names."""
    found: dict[str, list[bytes]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found.setdefault(path.suffix, []).append(_content(path))
    return found


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix != ".zst":
        return raw
    return raw + zstandard.ZstdDecompressor().stream_reader(raw).read()
