"""`mmbot sim serve`: readiness, how to connect, and its end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmbot.cli.fault_plan import fault_plan
from mmbot.cli.sim import MANNERS
from mmbot.errors import ConfigError
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.wire.manner import Manner
from tests.cli.terminal import MMBOT, Terminal

SERVE = ("sim", "serve", "--exchange", "deribit")


@contextmanager
def served(
    *arguments: str, exchange: str = "deribit"
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running venue and the one line it prints."""
    process = subprocess.Popen(
        [MMBOT, "sim", "serve", "--exchange", exchange, "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            if process.poll() is None:
                process.kill()


def venue_ms(rest: object) -> int:
    with urllib.request.urlopen(f"{rest}/api/v2/public/get_time", timeout=30) as reply:
        return int(json.load(reply)["result"])


def test_json_prints_exactly_one_object_once_it_listens() -> None:
    with served() as (process, ready):
        assert ready.keys() == {"rest", "ws", "pid", "world_id", "start_ms", "faults", "manners"}
        assert (ready["faults"], ready["manners"]) == ({}, "plain")
        assert ready["pid"] == process.pid
        assert str(ready["ws"]).startswith("ws://127.0.0.1:")
        venue_ms(ready["rest"])
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert err == "The simulated venue has ended.\n"


def test_a_venue_that_is_asked_by_wallet_says_what_opens_it() -> None:
    with served(exchange="derive") as (_, ready):
        login = {"wallet", "signer", "session_key", "subaccount_id"}
        usual = {"rest", "ws", "pid", "world_id", "start_ms", "faults", "manners"}
        assert ready.keys() == usual | login | {"snippets"}
        assert ready["snippets"].keys() == {"ccxt", "derive-py"}
        for text in ready["snippets"].values():
            compile(text, "snippet", "exec")
            assert all(str(ready[name]) in text for name in ("rest", "ws", "session_key", "wallet"))
    with served(exchange="deribit,derive") as (_, ready):
        deribit, derive = ready["venues"].values()
        assert deribit.keys() == {"kind", "rest", "ws"}
        assert derive.keys() == {"kind", "rest", "ws"} | login


def test_a_session_key_of_ones_own_is_not_printed() -> None:
    key = "0x" + "5a" * 32
    with served("--secret", key, exchange="derive") as (_, ready):
        assert "session_key" not in ready
        assert key not in json.dumps(ready)
        assert "SESSION_KEY" in ready["snippets"]["ccxt"]
    with Terminal(MMBOT, "sim", "serve", "--exchange", "derive", "--secret", key) as terminal:
        text = terminal.wait_for("Ctrl+C ends it")
        assert "its key    the --secret you gave" in text
        assert key not in text
        terminal.interrupt()
        assert terminal.exit_code() == 0


def test_the_world_starts_at_the_moment_asked_for() -> None:
    with served("--at", "2025-03-01T08:00:00+02:00") as (_, ready):
        # 2025-03-01 06:00 UTC is 1,740,787,200 s + 21,600 s after 1970.
        start_ms = 1_740_808_800_000
        assert start_ms <= venue_ms(ready["rest"]) < start_ms + 60_000


def test_it_ends_by_itself_after_its_last_client() -> None:
    with served("--linger", "0.3") as (process, ready):
        venue_ms(ready["rest"])
        assert process.wait(timeout=30) == 0


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [MMBOT, *SERVE, "--port", port], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"mmbot: --port: {port} is taken on 127.0.0.1: choose another, or leave it out\n"
    )


def test_a_person_reads_how_to_connect_and_ctrl_c_ends_it() -> None:
    with Terminal(MMBOT, *SERVE, "--seed", "7") as terminal:
        text = terminal.wait_for("Ctrl+C ends it")
        assert "seed       7, from 2025-06-02 12:00 UTC" in text
        assert "--sim-url http://127.0.0.1:" in text
        assert '"apiKey": "sim", "secret": "sim"' in text
        terminal.interrupt()
        assert terminal.exit_code() == 0


def test_a_key_pair_of_ones_own_is_not_printed() -> None:
    with Terminal(MMBOT, *SERVE, "--key", "mine", "--secret", "hush") as terminal:
        text = terminal.wait_for("Ctrl+C ends it")
    assert "hush" not in text
    assert "MMBOT_SIM_KEY=KEY MMBOT_SIM_SECRET=SECRET mmbot quote" in text


def test_a_venue_whose_reader_went_away_goes_on() -> None:
    with served() as (process, ready):
        assert process.stdout is not None
        process.stdout.close()
        venue_ms(ready["rest"])
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_an_outage_can_be_played_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "venue.json"
    with served("--state", str(file)) as (process, first):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    with served("--state", str(file), "--without-orders") as (_, second):
        assert second["world_id"] == first["world_id"]


def test_without_orders_needs_a_file() -> None:
    done = subprocess.run(
        [MMBOT, *SERVE, "--without-orders"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "give --state FILE" in done.stderr


# --- manners ----------------------------------------------------------------------------------


def test_the_manners_are_named_and_kept() -> None:
    with served("--manners", "thin") as (_, ready):
        assert ready["manners"] == "thin"
        with urllib.request.urlopen(f"{ready['rest']}/api/v2/public/test", timeout=30) as reply:
            assert json.load(reply).keys() == {"jsonrpc", "result"}


def test_a_person_reads_which_manners_it_has() -> None:
    with Terminal(MMBOT, *SERVE, "--manners", "odd") as terminal:
        assert "manners    odd: says everything" in terminal.wait_for("Ctrl+C ends it")


def test_manners_that_there_are_not_are_one_line() -> None:
    done = subprocess.run(
        [MMBOT, *SERVE, "--manners", "thick"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mmbot: --manners: unknown manners 'thick'; did you mean 'thin'? "
        "There is: plain, thin, odd\n"
    )


def test_the_command_line_knows_every_manner() -> None:
    assert [one.value for one in Manner] == list(MANNERS)


# --- faults -----------------------------------------------------------------------------------


def test_the_faults_are_named_told_as_they_happen_and_summed_up() -> None:
    with served("--faults", "lost_reply=1,late_s=0.5", "--fault-seed", "7") as (process, ready):
        assert ready["faults"] == {"lost_reply": 1.0}
        for _ in range(3):
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                venue_ms(ready["rest"])
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    first, last = err.splitlines()[0], err.splitlines()[-1]
    assert first.startswith("sim 12:00:0")
    assert first.endswith("fault lost_reply: public/get_time")
    assert last == "The simulated venue has ended. Faults: lost_reply 3."


def test_a_person_reads_which_faults_are_on() -> None:
    with Terminal(MMBOT, *SERVE, "--faults", "harsh", "--fault-seed", "3") as terminal:
        text = terminal.wait_for("Ctrl+C ends it")
    assert "  faults     seed 3: " in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_a_plan_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("lost_request = 0.25\ncut_per_hour = 60\nexpiry_soon = 1\n")
    with served("--faults", str(file)) as (_, ready):
        assert ready["faults"] == {
            "lost_request": 0.25,
            "cut_per_hour": 60.0,
            "expiry_soon": 1.0,
        }
        # The default start is 2025-06-02 12:00 UTC; the next expiry is at 08:00 on the third.
        expiry_ms = 1_748_937_600_000
        assert expiry_ms - 180_000 <= int(str(ready["start_ms"])) <= expiry_ms - 45_000


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("harhs", "--faults: unknown plan 'harhs'; did you mean 'harsh'? There is: none, mild"),
        ("lost_replay=0.1", "unknown setting 'lost_replay'; did you mean 'lost_reply'?"),
        ("lost_reply=2", "lost_reply = 2: expected a number at least 0 and at most 1"),
        ("lost_reply=nan", "lost_reply = NaN: expected a number at least 0 and at most 1"),
        ("lost_reply=much", "lost_reply = 'much': expected a number"),
        ("lost_reply=0.1,garbage", "'garbage': expected name=value"),
        ("lost_reply=0.1,lost_reply=0.2", "lost_reply is given twice"),
        ("nowhere.toml", "nowhere.toml: cannot be read: No such file or directory"),
        ("/dev/zero", "/dev/zero: larger than any plan"),
        ("a" * 5_000, f"--faults: unknown plan '{'a' * 60}'; there is: none"),
        ("/", "/: cannot be read: Is a directory"),
    ],
)
def test_a_plan_that_is_none_is_one_line(plan: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        fault_plan(plan, None)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lost_reply = 0.1\nlost_request = 7\n", "plan.toml:2: fault lost_request = 7: expected"),
        ("[faults]\nlost_reply = 0.1\n", "plan.toml:1: fault unknown setting 'faults'"),
        ("lost_reply = ", "plan.toml: not valid TOML"),
        ("lost_reply = true", "plan.toml:1: fault lost_reply = true: expected a number"),
        ("lost_reply = '0.1'", "plan.toml:1: fault lost_reply = '0.1': expected a number"),
        ("lost_reply = 1e999999999999999999999", "plan.toml"),
    ],
)
def test_a_file_that_is_no_plan_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        fault_plan(str(file), None)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_seed_is_the_flags_or_the_plans_own(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("seed = 9\nlost_reply = 0.5\n")
    assert fault_plan(str(file), None).seed == 9
    assert fault_plan(str(file), 4).seed == 4
    assert fault_plan("lost_reply=0.5", None).seed == 1
    assert fault_plan("mild", None) == FaultPlan.drawn(1, Harshness.MILD)
    assert fault_plan("harsh", 5) == FaultPlan.drawn(5, Harshness.HARSH)
    assert fault_plan("none", None).calm


def test_a_seed_without_faults_is_refused() -> None:
    done = subprocess.run(
        [MMBOT, *SERVE, "--fault-seed", "3"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "give --faults mild, or harsh" in done.stderr
