"""Closed windows, lost lines, Ctrl+backslash: every ending is a clean one, whoever still reads."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import MMBOT, Terminal
from tests.cli.test_interrupt import silence
from tests.cli.test_quote import QUOTE, open_orders, run, wait_until
from tests.cli.test_sim_serve import served

ALL_QUOTES = "a bid and an ask on all four"


@pytest.fixture(autouse=True)
def _not_under_nohup() -> Iterator[None]:
    """What is ignored here is ignored by whatever is started here."""
    before = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGHUP, signal.SIGQUIT)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


def last_run() -> dict[str, object]:
    """What the store says of the newest engine."""
    (engine,) = json.loads(run("status", "--json").stdout)["engines"]
    return {name: engine[name] for name in ("state", "exit_code", "ended", "open_orders")}


def at(ready: dict[str, object]) -> tuple[str, ...]:
    """A quote on that venue."""
    return (*QUOTE, "--sim-url", str(ready["rest"]))


# --- mmbot quote ------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["--no-screen"], ["--json"]], ids=" ".join)
def test_a_closed_window_ends_it_like_ctrl_c(more: list[str]) -> None:
    with served() as (_, ready), Terminal(MMBOT, *at(ready), *more) as terminal:
        terminal.until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES, deadline_s=60)
        assert terminal.hang_up(deadline_s=60) == 0
        assert open_orders(ready) == []
    assert last_run() == {
        "state": "stopped",
        "exit_code": 0,
        "ended": "its terminal was closed",
        "open_orders": 0,
    }


def test_ctrl_backslash_ends_it_like_ctrl_c() -> None:
    with served() as (_, ready), Terminal(MMBOT, *at(ready)) as terminal:
        terminal.until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES, deadline_s=60)
        # The table's process has the terminal; keys reach the bot, which has it as its own.
        terminal.quit()
        assert terminal.exit_code(deadline_s=60) == 0
        assert open_orders(ready) == []
        assert terminal.text().splitlines()[-1].split() == ["orders", "left", "0"]
    assert last_run()["ended"] == "SIGQUIT"


def test_a_window_closed_twice_is_closed_once() -> None:
    with served() as (_, ready):
        bot = subprocess.Popen(
            [MMBOT, *at(ready), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with bot:
            wait_until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES)
            for _ in range(3):
                bot.send_signal(signal.SIGHUP)
            out, err = bot.communicate(timeout=60)
        assert open_orders(ready) == []
    assert bot.returncode == 0, err
    assert json.loads(out)["open_orders_after_stop"] == 0
    assert "Traceback" not in err


def test_under_nohup_a_closed_window_is_nothing(tmp_path: Path) -> None:
    with served() as (_, ready):
        bot = subprocess.Popen(
            ["nohup", MMBOT, *at(ready), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        with bot:
            wait_until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES)
            bot.send_signal(signal.SIGHUP)
            bot.send_signal(signal.SIGTERM)
            bot.communicate(timeout=60)
    assert bot.returncode == 0
    assert last_run()["ended"] == "SIGTERM", "and not the window"


def test_output_that_nobody_reads_any_more_changes_nothing() -> None:
    with served() as (_, ready):
        bot = subprocess.Popen(
            [MMBOT, *at(ready), "--no-screen"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with bot:
            assert bot.stdout is not None
            assert bot.stderr is not None
            bot.stdout.close()
            bot.stderr.close()
            wait_until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES)
            bot.send_signal(signal.SIGTERM)
            assert bot.wait(timeout=60) == 0
        assert open_orders(ready) == []


def test_started_without_any_stream_it_quotes_and_leaves() -> None:
    with served() as (_, ready):
        command = f"exec {MMBOT} {' '.join(at(ready))} <&- >&- 2>&-"
        with subprocess.Popen(["/bin/sh", "-c", command]) as bot:
            wait_until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES)
            bot.send_signal(signal.SIGTERM)
            assert bot.wait(timeout=60) == 0
        assert open_orders(ready) == []


# --- before anything is connected -------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize(
    "command",
    [QUOTE, (*QUOTE, "--dry-run"), ("markets",), ("doctor",)],
    ids=["quote", "dry-run", "markets", "doctor"],
)
def test_an_ending_while_the_venue_does_not_answer_is_one_line(
    ending: signal.Signals, command: tuple[str, ...]
) -> None:
    with silence() as (url, came):
        bot = subprocess.Popen(
            [MMBOT, *command, "--sim-url", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert came.wait(60)
        bot.send_signal(ending)
        out, err = bot.communicate(timeout=9)
    assert (bot.returncode, out) == (130, "")
    *mode, last = err.splitlines()
    assert all(line.startswith("SIM") for line in mode), err
    assert last in ("mmbot: interrupted", "mmbot: stopped before it had begun: nothing was sent")


def test_a_window_closed_while_nothing_is_connected() -> None:
    with silence() as (url, came), Terminal(MMBOT, *QUOTE, "--sim-url", url) as terminal:
        terminal.until(came.is_set, "it asks the venue", deadline_s=60)
        assert terminal.hang_up(deadline_s=9) == 130


# --- the other commands -----------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGQUIT])
def test_a_simulated_venue_ends_with_one_line(ending: signal.Signals) -> None:
    with served() as (venue, _):
        venue.send_signal(ending)
        _, err = venue.communicate(timeout=30)
    assert (venue.returncode, err) == (0, "The simulated venue has ended.\n")


def test_a_venue_whose_window_is_closed_saves_its_state(tmp_path: Path) -> None:
    state = tmp_path / "venue.state"
    serve = ("sim", "serve", "--exchange", "deribit", "--state", str(state))
    with Terminal(MMBOT, *serve) as terminal:
        terminal.wait_for("Ctrl+C ends it", deadline_s=60)
        assert terminal.hang_up(deadline_s=60) == 0
    assert state.exists()


def test_a_live_status_ends_with_its_window_and_with_ctrl_backslash() -> None:
    assert run(*QUOTE, "--duration", "1").returncode == 0
    with Terminal(MMBOT, "status") as terminal:
        terminal.wait_for("stopped", deadline_s=60)
        assert terminal.hang_up() in (0, 130)
    with Terminal(MMBOT, "status") as terminal:
        terminal.wait_for("stopped", deadline_s=60)
        terminal.quit()
        assert terminal.exit_code() == 0
        assert "Traceback" not in terminal.text()


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGQUIT])
def test_simulate_says_what_it_has_and_leaves_no_process(
    ending: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "desk.toml").write_text("[desk]\nsymbols = ['ETH-PERPETUAL']\n")
    process = subprocess.Popen(
        [MMBOT, "simulate", "desk.toml", "--seeds", "100000", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    wait_until(lambda: len(processes_of(process.pid)) >= 4, "its workers are up")
    os.killpg(process.pid, ending)  # as a terminal does: every process of it gets one
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["seeds_asked"] == 100_000
    assert err == "mmbot: interrupted\n"
    wait_until(lambda: not processes_of(process.pid), "nobody is left")


def processes_of(session: int) -> list[int]:
    """Every process of a session, its leader included."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def test_a_kill_switch_is_carried_out_though_the_line_is_lost() -> None:
    with served() as (_, ready):
        bot = subprocess.Popen(
            [MMBOT, *at(ready)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with bot:
            wait_until(lambda: len(open_orders(ready)) == 8, ALL_QUOTES)
            bot.send_signal(signal.SIGSTOP)
            try:
                # The line is lost while it is still being read: it blocks the signal as it begins.
                with Terminal(sys.executable, "-c", LOST_LINE, "cancel-all") as terminal:
                    terminal.wait_for("the line is lost", deadline_s=60)
                    assert terminal.hang_up(deadline_s=60) == 0
                assert open_orders(ready) == []
            finally:
                bot.send_signal(signal.SIGCONT)
                bot.kill()


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_what_is_printed_to_a_closed_window_is_no_bug(
    buffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", buffered)
    with Terminal(sys.executable, "-c", CLOSED_WINDOW, "status") as terminal:
        terminal.wait_for("close it")
        assert terminal.hang_up(deadline_s=60) in (0, 130)


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    command = [sys.executable, "-c", IN_A_DESTRUCTOR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "mmbot: interrupted\n")


IN_A_DESTRUCTOR = """
import os
import signal
import time
import mmbot.cli.app as app
class Trap:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
def run():
    Trap()
    time.sleep(30)
app.run = run
from mmbot.__main__ import main
main()
"""

CLOSED_WINDOW = """
import os
import select
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
os.write(1, b"close it\\n")
poll = select.poll()
poll.register(1, 0)
poll.poll()
from mmbot.__main__ import main
main()
"""

LOST_LINE = """
import os
import mmbot.engine.tripping as kill
trip_all = kill.trip_all
def told(*arguments):
    os.write(1, b"the line is lost\\n")  # at once: nothing of it is left to be written afterwards
    return trip_all(*arguments)
kill.trip_all = told
from mmbot.__main__ import main
main()
"""


# --- the log ----------------------------------------------------------------------------------


def test_lines_of_one_kind_are_one_in_ten_seconds() -> None:
    with served() as (_, ready):
        quote = ("quote", "--symbols", "ETH-PERPETUAL", "--sim-url", str(ready["rest"]))
        done = run(*quote, "--duration", "13", "--json")
    orders = json.loads(done.stdout)["orders"]
    for what, count in (("place", orders["placed"]), ("amend", orders["amended"])):
        lines = [line for line in done.stderr.splitlines() if f" INFO    {what} " in line]
        assert 1 <= len(lines) <= 2, lines
        told = [
            int(n) for n in re.findall(r" \((\d+) more like it in the last 1\d s\)$", lines[-1])
        ]
        assert len(lines) - 1 == len(told), lines
        assert sum(told) + len(lines) <= count
    assert orders["amended"] > 2, "it would have been more"
    for link in ("market data", "trading"):
        assert done.stderr.count(f"deribit {link} link up: connected") == 1
