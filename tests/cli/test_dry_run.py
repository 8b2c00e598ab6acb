"""`mmbot quote --dry-run`: what a run would begin with, found out without an account."""

import json
import math
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.eavesdrop import WireTap
from tests.cli.terminal import MMBOT
from tests.cli.test_quote import INSTRUMENTS, QUOTE, open_orders
from tests.cli.test_sim_serve import served

OPTION = ("--expiry", "20250606", "--strikes", "2800")


@pytest.fixture(scope="module")
def venue() -> Iterator[dict[str, object]]:
    """One venue for all: a dry run leaves it as it was."""
    with served() as (_, ready):
        yield ready


def run(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MMBOT, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


def dry(venue: dict[str, object], *arguments: str) -> dict[str, Any]:
    """The object of a dry run."""
    done = run(*QUOTE, "--sim-url", str(venue["rest"]), "--dry-run", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(venue: dict[str, object]) -> dict[str, Any]:
    """The object of a dry run with nothing but what to quote."""
    return dry(venue)


def test_the_venue_sees_no_private_method_and_nothing_of_a_key(
    venue: dict[str, object], tmp_path: Path
) -> None:
    secrets = {"MMBOT_SIM_KEY": "KEYMARK", "MMBOT_SIM_SECRET": "SECRETMARK"}
    with WireTap(str(venue["rest"])) as tap:
        done = run(*QUOTE, "--sim-url", tap.url, "--dry-run", cwd=tmp_path, env=secrets)
    assert done.returncode == 0, done.stderr
    asked = tap.methods()
    assert {"public/get_instruments", "public/subscribe"} <= set(asked)
    assert [method for method in asked if not method.startswith("public/")] == []
    assert "public/auth" not in asked
    assert re.search(rb"authorization|private|KEYMARK|SECRETMARK", tap.raw(), re.I) is None
    assert open_orders(venue) == []


def test_the_same_tap_sees_the_private_methods_of_a_run() -> None:
    with served() as (_, ready), WireTap(str(ready["rest"])) as tap:
        done = run(*QUOTE, "--sim-url", tap.url, "--duration", "1")
    assert done.returncode == 0, done.stderr
    assert {"public/auth", "private/buy", "private/sell"} <= set(tap.methods())


def test_every_side_is_quoted_or_says_why_not(found: dict[str, Any]) -> None:
    assert (found["mode"], found["venue"], found["dry_run"]) == ("sim", "deribit", True)
    assert [i["name"] for i in found["instruments"]] == INSTRUMENTS
    sides = [(q["instrument"], q["side"]) for q in (*found["quotes"], *found["not_quoted"])]
    assert sorted(sides) == sorted((name, side) for name in INSTRUMENTS for side in ("buy", "sell"))
    assert len(found["quotes"]) >= 4


def test_a_price_is_its_terms_on_the_grid_rounded_away_from_the_market(
    found: dict[str, Any],
) -> None:
    for quote in found["quotes"]:
        wanted, price = math.fsum(quote["terms"].values()), quote["price"]
        outward = wanted - price if quote["side"] == "buy" else price - wanted
        assert -1e-9 < outward < 0.0005  # the largest tick there is on these
        assert (Decimal(str(price)) / Decimal("0.0001")) % 1 == 0


def test_every_setting_is_there_with_its_value_and_origin(
    venue: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(
        "[strategy.improve_top]\nsize = 2\nimprovement = 0.2\n"
        "[risk.max_order]\nnotional_usd = 10000\n"
    )
    found = dry(venue, "--config", str(path), "--size", "3", "--max-position", "7")
    entries = {e["key"]: (e["value"], e["origin"]) for e in found["config"]}
    assert entries["desk.expiry"] == ("2025-06-06", "--expiry")
    assert entries["desk.strikes"] == ([2800, 2900], "--strikes")
    assert entries["strategy.improve_top.size"] == (3, "--size")
    assert entries["strategy.improve_top.improvement"] == (0.2, f"{path}:3")
    assert entries["strategy.improve_top.max_position"] == (7, "--max-position")
    assert entries["risk.max_exposure.limit"] == (100, "default")
    assert {q["size"] for q in found["quotes"]} == {3}


def test_a_person_reads_tables_of_at_most_100_columns(venue: dict[str, object]) -> None:
    done = run(*QUOTE, "--sim-url", str(venue["rest"]), "--dry-run", "--ask-only")
    assert (done.returncode, done.stderr) == (0, "SIM, dry run: nothing is sent\n")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    for heading in (
        "Configuration",
        "Instruments",
        "Sizes",
        "First quotes (nothing was sent)",
        "Not quoted",
    ):
        assert heading in lines
    text = " ".join(done.stdout.split())
    assert "strategy.improve_top.ask_only true --ask-only" in text
    assert "ETH-6JUN25-2800-C ETH 0.0001; 0.0005 from 0.005 1 ETH 0.03 % 0.03 %" in text
    assert re.search(r"ETH-6JUN25-2800-C and 3 more: orders of 1 ETH \(2,8\d\d USD\)", text)
    assert "ETH-6JUN25-2800-C buy side switched off" in text
    assert re.search(r"ETH-6JUN25-2800-C sell 0\.0\d+ 1 ETH 0\.0\d+ \w+ reference 0\.0", text)


def test_perpetuals_are_shown_in_their_own_units(venue: dict[str, object]) -> None:
    done = run(
        *("quote", "--symbols", "BTC-PERPETUAL", "--dry-run", "--sim-url", str(venue["rest"]))
    )
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "BTC-PERPETUAL USD 0.5 10 USD 0 % 0.05 % -" in text
    assert "BTC-PERPETUAL buy" in text
    assert "10 USD" in text


def test_the_file_may_say_live_and_a_flag_make_it_a_simulation(
    venue: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "desk.toml"
    path.write_text("[desk]\nmode = 'live'\n")
    assert dry(venue, "--config", str(path), "--sim")["mode"] == "sim"


SIZES = [
    # what is quoted, its --size (None: the default), the amount of an order, what is said of it
    (OPTION, None, 1, r"orders of 1 ETH \(2,8\d\d USD\)"),
    (OPTION, "1 eth", 1, r"orders of 1 ETH \(2,8\d\d USD\)"),
    (OPTION, "4000 USD", 1, r"orders of 1 ETH \(2,8\d\d USD\); size 4000 USD is 1 ETH: lots of 1"),
    (OPTION, "2 lots", 1, r"size 2 lots is cut to 1 ETH \(2,8\d\d USD\) by \[risk.max_order\]"),
    (("--symbols", "btc-perpetual"), None, 10, r"BTC-PERPETUAL: orders of 10 USD"),
    (("--symbols", "btc-perpetual"), "75 usd", 70, r"size 75 USD rounded down to 70 USD"),
    (("--symbols", "btc-perpetual"), "3 lots", 30, r"BTC-PERPETUAL: orders of 30 USD"),
    (("--symbols", "eth_usdc-perpetual"), "20 USD", 0.007, r"size 20 USD is 0.007 ETH: lots of 0"),
]


@pytest.mark.parametrize(("what", "size", "amount", "said"), SIZES)
def test_a_size_is_understood_in_every_unit_and_what_it_comes_to_is_said(
    venue: dict[str, object], what: tuple[str, ...], size: str | None, amount: float, said: str
) -> None:
    given = () if size is None else ("--size", size)
    done = run("quote", *what, *given, "--dry-run", "--json", "--sim-url", str(venue["rest"]))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {quote["size"] for quote in found["quotes"]} == {amount}
    (line,) = found["sizes"]
    assert re.search(said, line), line


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("1 BTC", "size = 1 BTC is no amount of ETH-6JUN25-2800-C: write it in ETH, USD or lots"),
        ("100 USD", "size = 100 USD is below the smallest order the venue takes"),
        (
            "-1 ETH",
            "size = '-1 ETH': expected an amount greater than 0, such as 5, 1 ETH, 1000 USD",
        ),
    ],
)
def test_a_size_that_makes_no_order_is_refused_with_what_is_possible(
    venue: dict[str, object], size: str, said: str
) -> None:
    done = run("quote", *OPTION, "--size", size, "--dry-run", "--sim-url", str(venue["rest"]))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]


def test_all_strikes_are_quoted_from_the_money_outward(
    venue: dict[str, object], tmp_path: Path
) -> None:
    done = run(
        *("quote", "--expiry", "6JUN25", "--all-strikes", "--duration", "3", "--json"),
        *("--sim-url", str(venue["rest"])),
        env={"MMBOT_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    strikes = [int(name.split("-")[2]) for name in json.loads(done.stdout)["instruments"]]
    assert len(strikes) > 40
    away = [abs(strike - 2850) for strike in strikes]  # where the world begins
    assert max(away[:12]) <= 100 < min(away[24:])
    # Twenty requests are all that may be sent at once: the nearest strikes have them.
    (tape,) = (tmp_path / "tapes" / "sim").iterdir()
    shown = run("tape", "show", str(tape), "--only", "orders", "--json")
    intents = [one for turn in json.loads(shown.stdout) for one in turn["intents"]]
    placed = [one["instrument"] for one in intents if one["type"] == "Place"]
    first = {int(name.split("-")[2]) for name in placed[:12]}
    assert max(abs(strike - 2850) for strike in first) <= 100 < max(away)


# --- several desks ----------------------------------------------------------------------------

TWO = Path(__file__).parents[2] / "configs" / "two-accounts.toml"


@pytest.fixture(scope="module")
def two_venues(venue: dict[str, object]) -> Iterator[list[str]]:
    """Two worlds, of which the second began later: the addresses of both."""
    with served("--at", "2025-06-03T09:00:00Z") as (_, other):
        yield [str(venue["rest"]), str(other["rest"])]


def two_accounts(folder: Path, urls: list[str]) -> str:
    """The desk file with two accounts, on venues that run already."""
    path = folder / "two.toml"
    text = TWO.read_text()
    text = text.replace("[venues.deribit]", f'[venues.deribit]\nurl = "{urls[0]}"')
    text = text.replace("[venues.hedge]", f'[venues.hedge]\nurl = "{urls[1]}"')
    path.write_text(text.partition("[sim]")[0])
    return str(path)


def test_every_desk_of_a_file_has_an_object_of_its_own(
    two_venues: list[str], tmp_path: Path, found: dict[str, Any]
) -> None:
    done = run("quote", "--config", two_accounts(tmp_path, two_venues), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["mode"], said["venue"], said["dry_run"]) == ("sim", "deribit, hedge", True)
    assert list(said["desks"]) == ["options", "perp"]
    options, perp = said["desks"].values()
    of_one_desk = found.keys() - {"mode", "dry_run", "config"}
    assert options.keys() == perp.keys() == of_one_desk
    assert (options["venue"], perp["venue"]) == ("deribit", "hedge")
    assert [i["name"] for i in options["instruments"]] == INSTRUMENTS
    assert [i["name"] for i in perp["instruments"]] == ["ETH-PERPETUAL"]
    assert {q["instrument"] for q in perp["quotes"]} == {"ETH-PERPETUAL"}
    assert {q["side"] for q in perp["quotes"]} == {"buy", "sell"}
    assert {q["size"] for q in perp["quotes"]} == {1000}
    for desk in (options, perp):
        sides = [(q["instrument"], q["side"]) for q in (*desk["quotes"], *desk["not_quoted"])]
        names = [i["name"] for i in desk["instruments"]]
        assert sorted(sides) == sorted((name, side) for name in names for side in ("buy", "sell"))


def test_a_person_reads_desk_after_desk(two_venues: list[str], tmp_path: Path) -> None:
    done = run("quote", "--config", two_accounts(tmp_path, two_venues), "--dry-run")
    assert (done.returncode, done.stderr) == (0, "SIM, dry run: nothing is sent\n")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    options = lines.index("options on deribit: First quotes (nothing was sent)")
    perp = lines.index("perp on hedge: First quotes (nothing was sent)")
    assert any(line.startswith("ETH-6JUN25-2800-C") for line in lines[options:perp])
    assert any(line.startswith("ETH-PERPETUAL") for line in lines[perp:])
    assert lines.count("Configuration") == 1


def test_no_venue_of_several_sees_a_private_method(two_venues: list[str], tmp_path: Path) -> None:
    with WireTap(two_venues[0]) as first, WireTap(two_venues[1]) as second:
        path = two_accounts(tmp_path, [first.url, second.url])
        done = run("quote", "--config", path, "--dry-run")
        assert done.returncode == 0, done.stderr
        for tap in (first, second):
            assert {"public/get_instruments", "public/subscribe"} <= set(tap.methods())
            assert [one for one in tap.methods() if not one.startswith("public/")] == []


def test_two_desks_on_one_instrument_are_refused(two_venues: list[str], tmp_path: Path) -> None:
    path = Path(two_accounts(tmp_path, two_venues))
    third = '\n[desks.again]\nvenue = "hedge"\nsymbols = ["ETH/USD:ETH"]\n'
    path.write_text(path.read_text() + third)
    done = run("quote", "--config", str(path), "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "desks perp and again both quote ETH-PERPETUAL" in done.stderr
