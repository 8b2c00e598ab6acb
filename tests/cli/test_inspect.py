"""explain, markets, config, strategies and doctor: what is so, said in one page."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import update

from mmbot.core.why import Why
from mmbot.engine.report import status_frame
from mmbot.engine.status import QuoteRow, ReferenceRow
from mmbot.plugins.registry import BUILT_IN, Family
from mmbot.sim.wire.server import VenueOptions
from mmbot.store import latch, schema
from mmbot.store.database import open_store
from mmbot.store.records import AccountKey, StatusPublished
from tests.cli.inprocess import Mmbot
from tests.cli.test_screen import a_frame, a_row
from tests.engine.live import CALL, live, until
from tests.house.test_documented_commands import complaint
from tests.store.desk import ACCOUNT_KEY, a_location, an_engine

DESKS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.fixture
def mmbot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Mmbot:
    monkeypatch.chdir(tmp_path)  # no .env of somebody else
    for name in ("DERIBIT_API", "DERIBIT_TESTNET_API", "MMBOT_SIM"):
        for half in ("KEY", "SECRET"):
            monkeypatch.delenv(f"{name}_{half}", raising=False)
    return Mmbot(monkeypatch, capsys)


SERVE = """
import asyncio, dataclasses, json
from mmbot.sim.wire.server import VenueOptions, serve
from tests.wire.venue import MANY_STARTS

def ready(venues):
    [endpoints] = venues.values()
    print(json.dumps(dataclasses.asdict(endpoints)), flush=True)

asyncio.run(serve(VenueOptions(rules=MANY_STARTS).world, ready=ready))
"""


@pytest.fixture(scope="module")
def venue() -> Iterator[dict[str, str]]:
    """A simulated venue in a process of its own, which lets us start many times in a row."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


# --- explain ----------------------------------------------------------------------------------

BID = QuoteRow(
    side="buy",
    level=0,
    price=0.03452,
    grid=Decimal("0.0345"),
    size=1.0,
    fair=0.03523,
    why=Why.IMPROVING,
    clamp=Why.EDGE_CLAMP,
    terms=(("reference", 0.0345), ("improvement", 0.00012), ("skew", -0.0001)),
)


def publish(
    home: Path,
    quotes: tuple[QuoteRow, ...],
    age_s: float = 0.0,
    held_back: Mapping[str, str] | None = None,
    references: tuple[ReferenceRow, ...] = (),
    signals: Mapping[str, float | None] | None = None,
) -> None:
    """An engine says this of its one instrument, and has not stopped since."""
    row = replace(
        a_row(),
        quotes=quotes,
        pricer="mark",
        held_back=dict(held_back or {}),
        reasons={"buy": Why.IMPROVING, "sell": Why.MAX_POSITION},
        mark=0.0352,
        references=references,
        signals=dict(signals or {}),
        signal_units={"trade_flow": "lots", "own_markout": "half-spreads"},
    )

    async def said() -> None:
        async with an_engine(a_location(home)) as engine:
            at_ns = clock_ns() - round(age_s * 1e9)
            assert engine.writer.put(StatusPublished(a_frame(row), at_ns))

    asyncio.run(said())
    with open_store(a_location(home)).transaction() as connection:
        connection.execute(update(schema.runs).values(stopped_ns=None, exit_code=None))


def clock_ns() -> int:
    from mmbot.clock import Clock

    return Clock().wall_ns()


def test_every_term_is_shown_and_the_bound_that_decided(mmbot: Mmbot, home: Path) -> None:
    publish(home, (BID,))
    page = mmbot.page("explain", "ETH-6JUN25-2800-C")
    squeezed = [" ".join(line.split()) for line in page.splitlines()]
    assert squeezed[0].startswith("SIM deribit ETH-6JUN25-2800-C, run k3f9x2")
    assert "reference 0.034500" in squeezed
    assert "+ improvement 0.000120" in squeezed
    assert "- skew 0.000100" in squeezed
    assert "= model price 0.034520" in squeezed
    assert "on the grid 0.0345" in squeezed
    assert "bound that decided held at edge" in squeezed
    assert "fair 0.035230, by the pricer mark" in squeezed
    assert "ask 2 @ 0.0355 rests; why: position limit" in squeezed
    assert "no quote is wanted, so there are no terms" in squeezed


def test_what_a_move_waits_for_is_said(mmbot: Mmbot, home: Path) -> None:
    publish(home, (BID,))
    assert "not at the price below" not in mmbot.page("explain", "ETH-6JUN25-2800-C")
    publish(home, (BID,), held_back={"buy": "it lags by 0.0005"})
    page = mmbot.page("explain", "ETH-6JUN25-2800-C")
    assert "not at the price below: it lags by 0.0005" in page


def test_explain_as_json_is_what_the_engine_published(mmbot: Mmbot, home: Path) -> None:
    publish(home, (BID,))
    (said,) = mmbot.json("explain", "eth-6jun25-2800-c")
    assert said["mode"] == "sim"
    (quote,) = said["quotes"]
    assert quote["clamp"] == "held at edge"
    assert (said["our_bid"], said["position"], quote["grid"]) == (0.035, -3, 0.0345)
    assert quote["terms"] == [["reference", 0.0345], ["improvement", 0.00012], ["skew", -0.0001]]


def test_references_are_shown_where_there_are_any(mmbot: Mmbot, home: Path) -> None:
    publish(home, (BID,))
    assert "received" not in mmbot.page("explain", "ETH-6JUN25-2800-C")
    assert "references" not in mmbot.json("explain", "ETH-6JUN25-2800-C")[0]
    binance = ReferenceRow(source="binance", price=2850.5, age_s=0.21, source_age_s=None)
    coinbase = ReferenceRow(source="coinbase", price=2851.0, age_s=1.5, source_age_s=1.74)
    publish(home, (BID,), references=(binance, coinbase))
    page = mmbot.page("explain", "ETH-6JUN25-2800-C")
    assert "  binance  2850.5, received 0.2 s ago\n" in page
    assert "  coinbase 2851, received 1.5 s ago, stamped 1.7 s ago\n" in page
    (said,) = mmbot.json("explain", "ETH-6JUN25-2800-C")
    assert said["references"][1] == {
        "source": "coinbase",
        "price": 2851.0,
        "age_s": 1.5,
        "source_age_s": 1.74,
    }


def test_signals_are_shown_with_their_units_where_there_are_any(mmbot: Mmbot, home: Path) -> None:
    publish(home, (BID,))
    assert "signals" not in mmbot.page("explain", "ETH-6JUN25-2800-C")
    numbers = {"imbalance": -0.25, "trade_flow": 12.3456789, "own_markout": None}
    publish(home, (BID,), signals=numbers)
    lines = mmbot.page("explain", "ETH-6JUN25-2800-C").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  signals"))
    assert [" ".join(line.split()) for line in lines[at : at + 3]] == [
        "signals imbalance -0.25",
        "trade_flow 12.346 lots",
        "own_markout not known",
    ]
    (said,) = mmbot.json("explain", "ETH-6JUN25-2800-C")
    assert said["signals"] == numbers


def test_the_last_words_of_a_silent_engine_are_marked_as_such(mmbot: Mmbot, home: Path) -> None:
    publish(home, (BID,), age_s=90)
    code, out, err = mmbot.run("explain", "ETH-6JUN25-2800-C")
    assert code == 0
    assert "model price" in out
    assert "silent for 9" in err


def test_an_instrument_nobody_quotes_is_one_line_with_those_that_are(
    mmbot: Mmbot, home: Path
) -> None:
    publish(home, (BID,))
    said = mmbot.refusal("explain", "eth-6jun25-2800-p", code=1)
    assert "did you mean ETH-6JUN25-2800-C?" in said


def test_without_an_engine_explain_says_how_to_start_one(mmbot: Mmbot, home: Path) -> None:
    assert "no store yet" in mmbot.refusal("explain", "X")
    asyncio.run(silent(home))
    assert "start one with `mmbot quote`" in mmbot.refusal("explain", "X")


async def silent(home: Path) -> None:
    async with an_engine(a_location(home)):
        pass


async def test_the_terms_of_a_live_quote_add_up_to_its_price(mmbot: Mmbot) -> None:
    async with live(VenueOptions(flow_scale=0.0)) as bot:
        await until(lambda: len(bot.at_venue()) == 8, "every side quoted")
        frame = status_frame(bot.state, "sim", "deribit", bot.engine.clock.now_ns())
        bot.engine.store.publish(frame)
        assert bot.engine.store.writer.flush(10.0)
        (said,) = mmbot.json("explain", CALL)
        assert {quote["side"] for quote in said["quotes"]} == {"buy", "sell"}
        for quote in said["quotes"]:
            assert sum(value for _, value in quote["terms"]) == pytest.approx(quote["price"])
        assert set(said["reasons"]) == {"buy", "sell"}
        mmbot.page("explain", CALL)


# --- markets ----------------------------------------------------------------------------------


def test_markets_lists_grids_sizes_and_fees(mmbot: Mmbot, venue: dict[str, str]) -> None:
    listed = mmbot.json("markets", "--sim-url", venue["rest"], "--kind", "perpetual")
    by_name = {one["name"]: one for one in listed}
    eth = by_name["ETH-PERPETUAL"]
    assert (eth["tick"], eth["min_amount"], eth["taker_fee"]) == (0.05, 1, 0.0005)
    page = mmbot.page("markets", "--sim-url", venue["rest"], "--kind", "perpetual")
    assert "BTC_USDC-PERPETUAL" in page


def test_markets_are_filtered(mmbot: Mmbot, venue: dict[str, str]) -> None:
    at = ("--sim-url", venue["rest"])
    found = mmbot.json(
        "markets", *at, "--underlying", "eth", "--expiry", "6jun25", "--kind", "OPTION"
    )
    assert found
    assert {one["underlying"] for one in found} == {"ETH"}
    assert {one["kind"] for one in found} == {"option"}
    in_usdc = mmbot.json("markets", *at, "--underlying", "ETH_USDC", "--kind", "option")
    assert {one["settlement"] for one in in_usdc} == {"USDC"}
    mmbot.page("markets", *at, "--underlying", "ETH", "--expiry", "20250606")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--kind", "spot"], 2, "--kind: unknown kind 'spot'; there is: option, perpetual, future"),
        (["--expiry", "friday"], 2, "--expiry: 'friday' is not a date: write it like 20250606"),
        (["--expiry", "20250707"], 1, "live expiries are 20250603"),
        (["--underlying", "DOGE"], 1, "nothing on DOGE is listed; there is BTC, ETH"),
        (["--kind", "perpetual", "--expiry", "20250606"], 1, "leave one of the filters out"),
        (["--live", "--testnet"], 2, "contradict each other"),
        (["--exchange", "derbit"], 2, "did you mean 'deribit'?"),
    ],
)
def test_filters_that_are_bad_or_fit_nothing_are_one_line(
    mmbot: Mmbot, venue: dict[str, str], arguments: list[str], code: int, said: str
) -> None:
    url = [] if "--live" in arguments else ["--sim-url", venue["rest"]]
    assert said in mmbot.refusal("markets", *url, *arguments, code=code)


def test_a_venue_that_is_not_there_is_one_line(mmbot: Mmbot) -> None:
    said = mmbot.refusal("markets", "--sim-url", "http://127.0.0.1:1", code=5)
    assert "does not answer" in said


# --- config -----------------------------------------------------------------------------------


def a_desk(tmp_path: Path, text: str = "") -> Path:
    path = tmp_path / "desk.toml"
    path.write_text(f'[desk]\nsymbols = ["ETH-PERPETUAL"]\n{text}')
    return path


def test_every_value_says_where_it_is_from(mmbot: Mmbot, home: Path, tmp_path: Path) -> None:
    path = a_desk(tmp_path, "refresh_s = 2.5\n")
    entries = mmbot.json("config", "show", "--config", str(path), "--size", "7")
    by_key = {entry["key"]: (entry["value"], entry["from"]) for entry in entries}
    assert by_key["desk.refresh_s"] == (2.5, f"{path}:3")
    assert by_key["strategy.improve_top.size"] == (7, "--size")
    assert by_key["risk.max_position.limit"][1] == "default"
    assert by_key["store"] == (str(home / "sim.db"), "MMBOT_HOME")
    mmbot.page("config", "show", "--config", str(path))


def test_secrets_are_named_and_never_shown(
    mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DERIBIT_TESTNET_API_KEY", "hunter-key")
    (tmp_path / ".env").write_text("DERIBIT_TESTNET_API_SECRET=hunter2\n")
    monkeypatch.setenv("MMBOT_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1/desk")
    for flag in ([], ["--json"]):
        code, out, err = mmbot.run("config", "show", "--symbols", "X", "--testnet", *flag)
        assert code == 0
        assert "hunter" not in out + err
        assert "the environment" in out
        assert "me:***@" in out


def test_check_approves_or_names_the_place(mmbot: Mmbot, tmp_path: Path) -> None:
    good = a_desk(tmp_path)
    assert "fine: SIM on deribit, strategy improve_top" in mmbot.page(
        "config", "check", "--config", str(good)
    )
    assert "stale_market, price_band, min_spread, cost_floor, max_order, max_position, max_" in (
        mmbot.page("config", "check", str(good))
    )
    bad = a_desk(tmp_path, "refesh_s = 2\n")
    assert (
        mmbot.run("config", "check", str(good))[:2]
        == mmbot.run("config", "check", "--config", str(good))[:2]
    )
    assert "one desk file" in mmbot.refusal("config", "check", str(good), "--config", str(good))
    said = mmbot.refusal("config", "check", "--config", str(bad))
    assert said.startswith(f"{bad}:3: ")
    assert "did you mean 'refresh_s'" in said


def test_check_as_json_is_one_object(mmbot: Mmbot, tmp_path: Path) -> None:
    path = a_desk(tmp_path, "[risk.max_position]\noff = true\n")
    said = mmbot.json("config", "check", str(path))
    assert (said["fine"], said["file"], said["mode"]) == (True, str(path), "sim")
    assert said["off"] == ["max_position"]
    assert "max_order" in said["rules"]
    assert "max_position" not in said["rules"]


def test_a_rule_that_is_switched_off_is_shown_wherever_the_desk_is(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    path = a_desk(tmp_path, "[risk.max_position]\noff = true\n")
    page = " ".join(mmbot.page("config", "check", str(path)).split())
    assert f"[risk.max_position] is switched off ({path}:4)" in page
    entries = mmbot.json("config", "show", str(path))
    assert [e["key"] for e in entries if e["value"] is True and ".off" in e["key"]] == [
        "risk.max_position.off"
    ]


def test_check_misses_the_keys_of_a_real_mode(mmbot: Mmbot) -> None:
    said = mmbot.refusal("config", "check", "--symbols", "ETH-PERPETUAL", "--testnet")
    assert "DERIBIT_TESTNET_API_KEY and DERIBIT_TESTNET_API_SECRET are not set" in said


@pytest.mark.parametrize("path", DESKS, ids=lambda path: path.name)
def test_every_desk_file_that_comes_along_is_fine(mmbot: Mmbot, path: Path) -> None:
    assert "fine" in mmbot.run("config", "check", "--config", str(path), "--sim")[1]


TWO_ACCOUNTS = next(path for path in DESKS if path.name == "two-accounts.toml")


def test_a_file_with_two_desks_is_checked_desk_by_desk(mmbot: Mmbot) -> None:
    found = mmbot.json("config", "check", str(TWO_ACCOUNTS))
    assert found["venues"] == {"deribit": {"kind": "deribit"}, "hedge": {"kind": "deribit"}}
    assert {name: desk["venue"] for name, desk in found["desks"].items()} == {
        "options": "deribit",
        "perp": "hedge",
    }
    assert {"venue", "strategy", "rules"}.isdisjoint(found)
    said = mmbot.run("config", "check", str(TWO_ACCOUNTS))[1]
    assert "fine: desk perp, SIM on hedge, strategy simple_spread, 7 rules" in said


def test_the_key_pairs_of_all_venues_are_shown_and_missed(mmbot: Mmbot) -> None:
    shown = mmbot.json("config", "show", str(TWO_ACCOUNTS), "--testnet")
    keys = [row["key"] for row in shown if row["value"] == "missing"]
    assert keys == [
        f"{name}_TESTNET_API_{half}" for name in ("DERIBIT", "HEDGE") for half in ("KEY", "SECRET")
    ]
    code, _, said = mmbot.run("quote", "--config", str(TWO_ACCOUNTS), "--testnet")
    assert code == 4
    assert said.count("\n") == 1
    assert [key for key in keys if key not in said] == []


def test_a_flag_about_a_desk_is_shown_where_it_went(mmbot: Mmbot) -> None:
    flags = ("--desk", "perp", "--size", "2000 USD")
    shown = {row["key"]: row for row in mmbot.json("config", "show", str(TWO_ACCOUNTS), *flags)}
    assert shown["desks.perp.strategy.simple_spread.size"]["from"] == "--size"
    assert shown["desks.options.strategy.improve_top.size"]["value"] == "1 ETH"


# --- strategies -------------------------------------------------------------------------------


def test_every_plug_in_has_its_manual(mmbot: Mmbot) -> None:
    manuals = mmbot.json("strategies")
    told = {(one["family"], one["name"]) for one in manuals}
    assert told >= {
        (family.value, name)
        for family in Family
        if family is not Family.VENUE
        for name in BUILT_IN.get(family, {})
    }
    built_in = {name for plugins in BUILT_IN.values() for name in plugins}
    for one in manuals:
        if one["name"] not in built_in:
            continue  # another test's own, in the same process
        assert one["manual"], one["name"]
        assert all(setting["doc"] for setting in one["settings"]), one["name"]
    page = mmbot.page("strategies")
    assert "[strategy.improve_top]" in page
    assert "[risk.max_position]" in page


def test_one_plug_in_is_told_in_full(mmbot: Mmbot) -> None:
    (one,) = mmbot.json("strategies", "max_position")
    (limit,) = one["settings"]
    assert (limit["name"], limit["default"], limit["expected"]) == (
        "limit",
        "10 lots",
        "an amount greater than 0, such as 5, 1 ETH, 1000 USD or 2 lots",
    )
    assert "[risk.max_position]" in mmbot.page("strategies", "risk.max_position")
    assert "did you mean 'max_position'?" in mmbot.refusal("strategies", "max_positon")


# --- doctor -----------------------------------------------------------------------------------


def checks(said: dict[str, object]) -> dict[str, str]:
    found = said["checks"]
    assert isinstance(found, list)
    return {line["check"]: line["result"] for line in found}


def test_a_healthy_desk_passes_every_check(mmbot: Mmbot, venue: dict[str, str]) -> None:
    said = mmbot.json("doctor", "--sim-url", venue["rest"])
    assert said["ok"]
    assert set(checks(said)) == {
        "credentials",
        "database",
        "disk",
        "stores",
        "venue",
        "account",
        "kill switch",
        "cancel on disconnect",
        "rate limits",
        "clock",
        "latency",
        "tick rules",
        "fees",
        "margin",
    }
    assert "fail" not in checks(said).values()
    page = mmbot.page("doctor", "--sim-url", venue["rest"])
    assert "confirmed by the venue" in page


def test_every_venue_of_a_file_is_checked_and_one_that_is_away_hides_no_other(
    mmbot: Mmbot, venue: dict[str, str], tmp_path: Path
) -> None:
    text = TWO_ACCOUNTS.read_text().partition("[sim]")[0]
    text = text.replace("[venues.deribit]", f'[venues.deribit]\nurl = "{venue["rest"]}"')
    text = text.replace("[venues.hedge]", '[venues.hedge]\nurl = "http://127.0.0.1:9"')
    (path := tmp_path / "two.toml").write_text(text)
    said = mmbot.json("doctor", "--config", str(path), code=1)
    assert (said["mode"], said["venue"], said["ok"]) == ("sim", "deribit, hedge", False)
    assert set(checks(said)) == {"database", "disk", "stores"}
    deribit, hedge = said["venues"]["deribit"], said["venues"]["hedge"]
    assert (deribit["ok"], hedge["ok"]) == (True, False)
    assert {"credentials", "venue", "account", "kill switch"} <= set(checks(deribit))
    assert checks(hedge) == {"credentials": "pass", "venue": "fail"}
    page = mmbot.page("doctor", "--config", str(path), code=1).splitlines()
    assert page.index("deribit") < page.index("hedge")
    one = mmbot.json("doctor", "--config", str(path), "--exchange", "deribit")
    assert one.keys() == {"mode", "venue", "ok", "checks"}
    assert (one["venue"], one["ok"]) == ("deribit", True)


def test_the_missing_keys_of_each_venue_are_named(mmbot: Mmbot) -> None:
    said = mmbot.json("doctor", "--testnet", "--config", str(TWO_ACCOUNTS), code=1)
    for name, one in said["venues"].items():
        (check,) = one["checks"]
        assert f"{name.upper()}_TESTNET_API_KEY and" in check["found"]


def test_which_of_several_venues_lists_what_has_to_be_said(
    mmbot: Mmbot, venue: dict[str, str], tmp_path: Path
) -> None:
    text = TWO_ACCOUNTS.read_text().partition("[sim]")[0]
    text = text.replace("[venues.hedge]", f'[venues.hedge]\nurl = "{venue["rest"]}"')
    (path := tmp_path / "two.toml").write_text(text)
    asked = ("markets", "--config", str(path))
    assert mmbot.refusal(*asked).endswith("add --exchange NAME, one of deribit, hedge")
    assert "did you mean 'hedge'?" in mmbot.refusal(*asked, "--exchange", "hdge")
    listed = mmbot.json(*asked, "--exchange", "hedge", "--kind", "perpetual")
    assert "hedge:ETH-PERPETUAL" in {one["id"] for one in listed}


def test_missing_keys_fail_before_anything_is_asked(mmbot: Mmbot) -> None:
    said = mmbot.json("doctor", "--testnet", code=1)
    assert not said["ok"]
    assert checks(said)["credentials"] == "fail"
    assert "venue" not in checks(said)


def test_wrong_keys_fail_with_what_to_do(
    mmbot: Mmbot, venue: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMBOT_SIM_KEY", "somebody")
    said = mmbot.json("doctor", "--sim-url", venue["rest"], code=1)
    (line,) = [line for line in said["checks"] if line["result"] == "fail"]
    assert "refuses the credentials" in line["found"]
    assert line["do"]


def test_an_env_file_others_may_read_is_a_warning(
    mmbot: Mmbot, venue: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("MMBOT_SIM_KEY=sim\n")
    (tmp_path / ".env").chmod(0o644)
    said = mmbot.json("doctor", "--sim-url", venue["rest"])
    assert checks(said)["credentials"] == "warn"
    assert said["ok"], "a warning is no failure"


def test_a_tripped_kill_switch_fails(mmbot: Mmbot, venue: dict[str, str], home: Path) -> None:
    account = f"sim-{venue['world_id']}"
    account_key = AccountKey(ACCOUNT_KEY.mode, "deribit", account)
    asyncio.run(silent(home))
    latch.trip(a_location(home), [account_key], Why.USER, "on purpose", "me", clock_ns())
    said = mmbot.json("doctor", "--sim-url", venue["rest"], code=1)
    (line,) = [line for line in said["checks"] if line["result"] == "fail"]
    assert line["check"] == "kill switch"
    assert "mmbot resume" in line["do"]


def test_a_store_that_is_none_fails(mmbot: Mmbot, venue: dict[str, str], home: Path) -> None:
    home.mkdir()
    (home / "sim.db").write_bytes(b"garbage" * 100)
    said = mmbot.json("doctor", "--sim-url", venue["rest"], code=1)
    assert checks(said)["database"] == "fail"


def test_a_venue_that_is_away_fails_in_one_line(mmbot: Mmbot) -> None:
    page = mmbot.page("doctor", "--sim-url", "http://127.0.0.1:1", code=1)
    assert "does not answer" in page


# --- what they cost ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["config", "check", "--symbols", "X"], {"sqlalchemy", "ccxt", "scipy"}),
        (["strategies"], {"sqlalchemy", "ccxt", "scipy"}),
        (["explain", "X"], {"ccxt", "scipy"}),
        (["fills", "report"], {"ccxt", "scipy"}),
        (["ledger", "export"], {"ccxt", "scipy"}),
    ],
)
def test_commands_import_nothing_they_do_not_use(
    arguments: list[str], unused: set[str], home: Path
) -> None:
    program = (
        "import sys\n"
        "from mmbot.cli import app\n"
        f"sys.argv = {['mmbot', *arguments]!r}\n"
        "try:\n    app.run()\n"
        "except SystemExit:\n    pass\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not unused & loaded, done.stderr


# --- what their help says ---------------------------------------------------------------------

COMMANDS = (
    "explain",
    "markets",
    "strategies",
    "doctor",
    "config check",
    "config show",
    "fills list",
    "fills report",
    "ledger export",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_names_only_what_exists(mmbot: Mmbot, command: str) -> None:
    page = mmbot.page(*command.split(), "--help")
    words = " ".join(page.replace("│", " ").split())
    assert f"mmbot {command}" in words
    for named in re.findall(r"`mmbot ([^`]+)`", words):
        assert complaint(shlex.split(named)) is None
