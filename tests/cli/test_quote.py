"""`mmbot quote` from end to end: the real client on the simulated venue, judged by stock ccxt."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.cli.terminal import MMBOT, Terminal
from tests.cli.test_sim_serve import served

QUOTE = ("quote", "--exchange", "deribit", "--expiry", "20250606", "--strikes", "2800,2900")
INSTRUMENTS = [
    "ETH-6JUN25-2800-C",
    "ETH-6JUN25-2800-P",
    "ETH-6JUN25-2900-C",
    "ETH-6JUN25-2900-P",
]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MMBOT, *arguments], capture_output=True, text=True, timeout=120, **options
    )


def open_orders(ready: dict[str, object]) -> list[dict[str, Any]]:
    """What the venue says is open on ETH, asked by a client that is not ours."""
    client = ccxt.deribit(
        {
            "apiKey": "sim",
            "secret": "sim",
            "enableRateLimit": False,
            "urls": {"api": {"rest": ready["rest"]}},
        }
    )
    reply = client.private_get_get_open_orders_by_currency({"currency": "ETH"})
    orders: list[dict[str, Any]] = reply["result"]
    return orders


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.1)


def test_a_person_watches_four_options_and_ctrl_c_cancels_everything() -> None:
    with Terminal(MMBOT, *QUOTE) as terminal:
        text = terminal.wait_for("2900-P", deadline_s=60)
        assert text.startswith("SIM: ")
        header = text[text.index(" SIM ") :].splitlines()[0]
        assert header.split()[:2] == ["SIM", "deribit"]
        terminal.wait_for("link up", deadline_s=60)
        terminal.interrupt()
        terminal.interrupt()
        assert terminal.exit_code(deadline_s=60) == 0
        text = terminal.text()
    # The last table, and below it the summary.
    assert all(name in text for name in INSTRUMENTS)
    assert text.index("link stopping") < text.index("SIM deribit, run ")
    assert text.splitlines()[-1].split() == ["orders", "left", "0"]


def test_sigterm_leaves_no_order_behind_and_prints_one_object() -> None:
    with served() as (_, ready):
        bot = subprocess.Popen(
            [MMBOT, *QUOTE, "--sim-url", str(ready["rest"]), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with bot:
            try:
                wait_until(lambda: len(open_orders(ready)) == 8, "a bid and an ask on all four")
                assert all(order["label"].startswith("mm") for order in open_orders(ready))
                bot.send_signal(signal.SIGTERM)
                out, err = bot.communicate(timeout=60)
            finally:
                if bot.poll() is None:
                    bot.kill()
        assert open_orders(ready) == []
    assert bot.returncode == 0, err
    assert out.count("\n") == 1
    summary = json.loads(out)
    assert summary.keys() == {
        "mode",
        "venue",
        "run_id",
        "instruments",
        "orders",
        "fills",
        "positions",
        "rows",
        "delta_coin",
        "ended",
        "pnl",
        "open_orders_after_stop",
        "duration_s",
        "venues",
        "desks",
    }
    assert (summary["mode"], summary["venue"]) == ("sim", "deribit")
    assert summary["instruments"] == INSTRUMENTS
    assert summary["orders"].keys() == {"placed", "amended", "cancelled", "rejected"}
    assert summary["orders"]["placed"] >= 8
    assert summary["open_orders_after_stop"] == 0
    assert isinstance(summary["fills"], int)
    assert summary["ended"] == "SIGTERM"
    assert err.startswith("SIM: ")
    assert "place ETH-6JUN25-2800-C buy" in err
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ SIM INFO    place ETH-6JUN25-2800-C buy"
    assert re.search(rf"^{stamp}", err, re.M), "date, zone and mode"


def test_duration_ends_it_with_a_summary_for_people() -> None:
    with served() as (_, ready):
        done = run(*QUOTE, "--sim-url", str(ready["rest"]), "--duration", "2")
    assert done.returncode == 0, done.stderr
    lines = {line.split("  ")[1]: line for line in done.stdout.splitlines()[1:]}
    assert done.stdout.startswith("SIM deribit, run ")
    assert "ETH-6JUN25-2900-P" in lines["ran"]
    assert lines["orders left"].split()[-1] == "0"
    assert lines["ended"].endswith("  its time was up")


def test_one_side_only() -> None:
    with served() as (_, ready):
        bot = subprocess.Popen(
            [MMBOT, *QUOTE, "--sim-url", str(ready["rest"]), "--bid-only"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with bot:
            try:
                wait_until(lambda: len(open_orders(ready)) == 4, "a bid on all four")
                assert {order["direction"] for order in open_orders(ready)} == {"buy"}
            finally:
                bot.terminate()
                assert bot.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strikes", "2805"], "--strikes: 2805 is not listed for 20250606; the nearest are"),
        (["--expiry", "20250701"], "--expiry: no ETH options expire on 20250701; live expiries"),
        (
            ["--underlying", "SOL"],
            "--underlying: no options on SOL; there are options on BTC, BTC_",
        ),
        (
            ["--symbols", "ETH-PERP"],
            "--symbols: ETH-PERP is not listed; did you mean ETH-PERPETUAL?",
        ),
    ],
)
def test_what_is_not_listed_is_answered_with_what_is(arguments: list[str], said: str) -> None:
    with served() as (_, ready):
        done = run(*QUOTE, *arguments, "--sim-url", str(ready["rest"]), "--duration", "1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"mmbot: {said}")


def test_a_venue_that_is_not_there_is_exit_5() -> None:
    done = run(*QUOTE, "--sim-url", "http://127.0.0.1:9", "--duration", "1")
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith("mmbot: deribit does not answer")
    assert "Traceback" not in done.stderr


def test_a_wrong_key_pair_is_exit_5(tmp_path: Any) -> None:
    (tmp_path / ".env").write_text("MMBOT_SIM_KEY=sim\nMMBOT_SIM_SECRET=wrong\n")
    with served() as (_, ready):
        url = str(ready["rest"])
        done = run(*QUOTE, "--sim-url", url, "--duration", "1", cwd=tmp_path)
    assert done.returncode == 5
    assert "mmbot: deribit refuses the credentials" in done.stderr
    assert "wrong" not in done.stderr
