"""Reports on what a real engine did at the simulated venue: the venue's own equity must agree."""

import csv
import io
import json
import signal
import sqlite3
import subprocess
import time
from decimal import Decimal
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest

from mmbot.core.why import Why
from mmbot.engine.report import summary
from mmbot.sim.exchange.ledger import EntryType
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.server import VenueOptions
from tests.cli.inprocess import Mmbot
from tests.cli.terminal import MMBOT
from tests.engine.live import live, until
from tests.engine.test_products import BEFORE_EXPIRY_MS, RESIDUAL, held, looked, trade_with_us

QUIET = VenueOptions(flow_scale=0.0)
CALL, PUT, PERPETUAL = "ETH-6JUN25-2800-C", "ETH-6JUN25-2800-P", "ETH-PERPETUAL"


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


async def a_session() -> dict[str, float]:
    """Trade three instruments, stop; the profit the engine itself reports, in USD."""
    listed = f"{CALL},{PUT},{PERPETUAL}"
    async with live(QUIET, desk={}, symbols=listed, size="2", max_position="2000") as bot:
        await until(lambda: len(bot.at_venue()) == 6, "every side quoted")
        for name, side in ((CALL, Side.SELL), (PUT, Side.BUY), (PERPETUAL, Side.SELL)):
            trade_with_us(bot, side, "2", name)
        await held(bot, CALL, PUT, PERPETUAL)
        assert await bot.engine.runner.stop(Why.USER) == {"deribit": []}
        bot.venue.freeze()
        bot.engine.runner.flush()
        pnl = summary(bot.state, "sim", "deribit", bot.engine.clock.now_ns(), {}, "").pnl
        return {"spread": pnl.spread_usd, "fees": pnl.fees_usd}


async def test_a_session_is_reported_as_it_was_and_the_venue_agrees(mmbot: Mmbot) -> None:
    said = await a_session()
    (page,) = mmbot.json("fills", "report", "--check")
    assert page["check"]["ok"], page["check"]
    assert {line["name"]: line["fills"] for line in page["lines"]} == {
        CALL: 1,
        PUT: 1,
        PERPETUAL: 1,
    }
    assert page["total"]["orders"] >= 6
    assert page["total"]["usd"]["spread"] == pytest.approx(said["spread"], rel=1e-3)
    assert page["total"]["usd"]["fees"] == pytest.approx(said["fees"], rel=1e-3)
    compared = [f for f in page["check"]["findings"] if f["what"] == "change of equity"]
    assert [f["agrees"] for f in compared if f["subject"].endswith(" ETH")] == [True]


async def test_a_statement_of_the_venue_that_does_not_fit_is_found(
    mmbot: Mmbot, home: Path
) -> None:
    await a_session()
    with sqlite3.connect(home / "sim.db") as connection:
        last = "SELECT max(id) FROM equity_samples WHERE currency = 'ETH'"
        connection.execute(f"UPDATE equity_samples SET equity = '99.5' WHERE id = ({last})")
    connection.close()
    page = mmbot.page("fills", "report", "--check", code=1)
    assert "change of equity" in page


async def test_what_the_ledger_adds_up_to_is_what_the_venue_paid(mmbot: Mmbot) -> None:
    names = ("ETH-6JUN25-2825-C", "ETH-6JUN25-2875-P", "ETH-6JUN25")
    options = VenueOptions(flow_scale=0.0, start_ms=BEFORE_EXPIRY_MS)
    listed = ",".join(names)
    async with live(options, desk={}, symbols=listed, size="2", max_position="2000") as bot:
        before = bot.venue.exchange.equity(bot.venue.account, "ETH")
        await until(lambda: len(bot.at_venue()) >= len(names), "quotes")
        quoted = {
            order.name: order.side
            for order in bot.venue.exchange.accounts[bot.venue.account].open_orders.values()
        }
        for name, side in quoted.items():
            trade_with_us(bot, Side.SELL if side is Side.BUY else Side.BUY, "2", name)
        await held(bot, *quoted)
        positions = [bot.state.inventory.of(m.instrument) for m in bot.state.markets.values()]
        await until(lambda: all(p.amount == 0 for p in positions), "all delivered", 30.0)
        await bot.engine.runner.stop(Why.USER)
        paid = bot.venue.exchange.equity(bot.venue.account, "ETH") - before
    code, out, err = mmbot.run("ledger", "export")
    assert code == 0, err
    rows = [row for row in csv.DictReader(io.StringIO(out)) if row["currency"] == "ETH"]
    assert {row["kind"] for row in rows} >= {"trade", "fee", "delivery"}
    assert abs(sum(Decimal(row["money"]) for row in rows) - paid) < RESIDUAL
    assert all(row["usd"] for row in rows), "every line has its dollars"
    (page,) = mmbot.json("fills", "report", "--check")
    assert page["check"]["ok"], page["check"]


async def test_over_a_settlement_the_ledger_adds_up_to_the_change_of_the_balance(
    mmbot: Mmbot,
) -> None:
    # The perpetual and the later future settle their session at 08:00, the other one expires.
    names = ("ETH-PERPETUAL", "ETH-27JUN25", "ETH-6JUN25")
    options = VenueOptions(flow_scale=0.0, start_ms=BEFORE_EXPIRY_MS)
    listed = ",".join(names)
    async with live(options, desk={}, symbols=listed, size="500", max_position="5000") as bot:
        await until(lambda: len(bot.at_venue()) == 6, "every side quoted")
        account = bot.state.accounts["deribit"]
        before = account.equity["ETH"].balance
        for name in names:
            trade_with_us(bot, Side.SELL, "500", name)
        await held(bot, *names)
        at_venue = bot.venue.exchange.accounts[bot.venue.account]

        def offers(name: str) -> bool:
            return any(
                o.name == name and o.side is Side.SELL for o in at_venue.open_orders.values()
            )

        for name in names:  # a part is realized, the rest is held over the settlement
            await until(partial(offers, name), f"an ask on {name}")
            trade_with_us(bot, Side.BUY, "200", name)
            assert at_venue.positions[name].size == 300
        log = at_venue.log
        await until(lambda: sum(e.type is not EntryType.TRADE for e in log) == 3, "08:00", 30.0)
        await until(lambda: len(bot.at_venue()) >= 2, "quotes after the settlement", 30.0)
        await until(lambda: offers(names[0]), "an ask after the settlement")
        trade_with_us(bot, Side.BUY, "100", names[0])  # realized, and not in the balance yet
        await looked(bot)
        change = account.equity["ETH"].balance - before
        await bot.engine.runner.stop(Why.USER)
    code, out, err = mmbot.run("ledger", "export")
    assert code == 0, err
    rows = [row for row in csv.DictReader(io.StringIO(out)) if row["currency"] == "ETH"]
    settled = {row["instrument"] for row in rows if row["kind"] == "settlement"}
    assert settled == {"ETH-PERPETUAL", "ETH-27JUN25"}
    assert {row["instrument"] for row in rows if row["kind"] == "delivery"} == {"ETH-6JUN25"}
    assert change
    assert abs(sum(Decimal(row["money"]) for row in rows) - change) < RESIDUAL
    (page,) = mmbot.json("fills", "report", "--check")
    assert page["check"]["ok"], page["check"]


def test_an_engine_in_one_terminal_is_asked_about_in_another(tmp_path: Path) -> None:
    folder: dict[str, Any] = {"cwd": tmp_path, "text": True}
    serve = [MMBOT, "sim", "serve", "--exchange", "deribit", "--json"]
    with subprocess.Popen(serve, stdout=PIPE, stderr=DEVNULL) as venue:
        assert venue.stdout is not None
        url = json.loads(venue.stdout.readline())["rest"]
        quoting = [MMBOT, "quote", "--symbols", PERPETUAL, "--sim-url", url, "--json"]
        with subprocess.Popen(quoting, stdout=PIPE, stderr=DEVNULL, **folder) as engine:

            def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
                command = [MMBOT, *arguments]
                return subprocess.run(command, capture_output=True, timeout=60, **folder)

            end = time.monotonic() + 60
            while "model price" not in (said := ask("explain", PERPETUAL)).stdout:
                assert time.monotonic() < end, said
            assert ask("doctor", "--sim-url", url).returncode == 0
            for question in (["fills", "list"], ["fills", "report", "--check"]):
                answer = ask(*question)
                assert answer.returncode == 0, answer
            assert ask("ledger", "export").stdout.startswith("time,mode,")
            engine.send_signal(signal.SIGINT)
            out, _ = engine.communicate(timeout=60)
            assert engine.returncode == 0
            fills = json.loads(out)["fills"]
        (page,) = json.loads(ask("fills", "report", "--check", "--json").stdout)
        assert page["check"]["ok"], page["check"]
        assert page["total"]["fills"] == fills
        venue.terminate()
