"""`mmbot sim serve`: readiness, how to connect, and its end."""

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.terminal import MMBOT, Terminal

SERVE = ("sim", "serve", "--exchange", "deribit")


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """A running venue and the one line it prints."""
    process = subprocess.Popen(
        [MMBOT, *SERVE, "--json", *arguments],
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
        assert ready.keys() == {"rest", "ws", "pid", "world_id"}
        assert ready["pid"] == process.pid
        assert str(ready["ws"]).startswith("ws://127.0.0.1:")
        venue_ms(ready["rest"])
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert err == "The simulated venue has ended.\n"


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
