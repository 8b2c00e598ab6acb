"""`mmbot sim serve` with several venues, and `mmbot quote` on several of them in one world."""

import http.client
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from mmbot.cli.sim_faces import faces_of, ports
from mmbot.errors import ConfigError
from tests.cli.terminal import MMBOT, Terminal
from tests.cli.test_joining import end, run, venues_of
from tests.cli.test_quote import QUOTE
from tests.cli.test_sim_serve import served

CONFIG = Path(__file__).parents[2] / "configs" / "two-accounts.toml"
DESKS = ("quote", "--config", str(CONFIG))
RESTING = 10
"""Both sides of four options and of the perpetual."""
START_S = 60.0


# --- the faces of sim serve -------------------------------------------------------------------


def asked(rest: str, method: str) -> Any:
    with urllib.request.urlopen(f"{rest}/api/v2/{method}", timeout=30) as reply:
        return json.load(reply)["result"]


def test_several_venues_are_told_by_their_names_and_one_as_ever() -> None:
    with served("--seed", "7", exchange="deribit,deribit:hedge") as (process, told):
        assert told.keys() == {"world_id", "pid", "start_ms", "venues", "faults", "manners"}
        assert told["pid"] == process.pid
        assert list(told["venues"]) == ["deribit", "hedge"]
        first, second = told["venues"].values()
        assert first.keys() == second.keys() == {"kind", "rest", "ws"}
        assert first["kind"] == second["kind"] == "deribit"
        assert first["rest"] != second["rest"]
        times = [asked(one["rest"], "public/get_time") for one in (first, second, first)]
        assert times == sorted(times)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "The simulated world has ended.\n")
    with served(exchange="deribit:hedge") as (_, told):
        assert told.keys() == {"rest", "ws", "pid", "world_id", "start_ms", "faults", "manners"}


def test_the_ports_follow_each_other() -> None:
    with served(exchange="deribit") as (_, told):
        free = int(told["rest"].rpartition(":")[2])
    with served("--port", str(free), exchange="deribit"):
        taken = run(
            Path(os.devnull),
            "sim",
            "serve",
            "--exchange",
            "deribit,deribit:b",
            "--port",
            str(free - 1),
        )
    assert taken.returncode == 2
    assert taken.stderr == (
        f"mmbot: --port: one of {free - 1} to {free} is taken on 127.0.0.1: choose another, or "
        "leave it out\n"
    )
    assert ports(0, 3) == [0, 0, 0]
    assert ports(8800, 3) == [8800, 8801, 8802]
    with pytest.raises(ConfigError, match="--port: 3 ports from 65534 on go beyond 65535"):
        ports(65534, 3)


def test_a_fault_is_told_with_the_name_of_its_venue() -> None:
    with served("--faults", "lost_reply=1", exchange="deribit,deribit:hedge") as (process, told):
        for _ in range(2):
            with pytest.raises(http.client.RemoteDisconnected):
                asked(told["venues"]["hedge"]["rest"], "public/get_time")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert "fault hedge lost_reply: public/get_time" in err
    assert err.endswith("The simulated world has ended. Faults: hedge lost_reply 2.\n")


def test_a_person_reads_where_each_is() -> None:
    with Terminal(MMBOT, "sim", "serve", "--exchange", "deribit,deribit:hedge") as terminal:
        text = terminal.wait_for("Ctrl+C ends it")
        assert "  hedge, a deribit\n    REST       http://127.0.0.1:" in text
        assert "  [venues.hedge]\n" in text
        terminal.interrupt()
        assert terminal.exit_code() == 0


def test_the_names_of_faces() -> None:
    kinds = ("deribit", "derive")
    assert faces_of("deribit", kinds) == {"deribit": "deribit"}
    assert faces_of("deribit, deribit:hedge,derive", kinds) == {
        "deribit": "deribit",
        "hedge": "deribit",
        "derive": "derive",
    }


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        ("", "unknown exchange ''; there is: deribit"),
        ("derbit", "unknown exchange 'derbit'; did you mean 'deribit'? There is: deribit"),
        ("deribit,derbit:x", "unknown exchange 'derbit'; did you mean 'deribit'?"),
        (":x", "unknown exchange ''; there is: deribit"),
        ("deribit,", "'deribit,' has an empty part: write it like deribit,deribit:hedge"),
        (",", "',' has an empty part: write it like deribit,deribit:hedge"),
        ("deribit:", "'deribit:' has no name of letters, digits, - and _ after the colon"),
        ("deribit:a b", "'deribit:a b' has no name of letters"),
        ("deribit:a:b", "'deribit:a:b' has no name of letters"),
        ("deribit,deribit", "two of them are called deribit: give each a name of its own"),
        ("deribit:a,deribit:a", "two of them are called a: give each a name of its own"),
        ("," * 5_000, "has an empty part"),
    ],
)
def test_what_names_no_faces_is_one_line(exchange: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        faces_of(exchange, ("deribit",))
    assert str(refused.value).startswith("--exchange: ")
    assert said in str(refused.value)
    assert len(str(refused.value)) < 200
    assert refused.value.exit_code == 2


# --- one world for all venues of a run --------------------------------------------------------


@pytest.fixture
def place(home: Path) -> Iterator[Path]:
    """A home whose simulated worlds end with the test."""
    yield home
    end(home)


def engines(home: Path) -> list[Any]:
    found: list[Any] = json.loads(run(home, "status", "--json").stdout)["engines"]
    return found


def accounts(engine: Any) -> list[str]:
    return [one["account"] for one in engine["venues"]]


def worlds_during(home: Path, *arguments: str) -> set[int]:
    """Every simulated world that ran while a command did, which ends well."""
    with subprocess.Popen([MMBOT, *arguments], stdout=subprocess.DEVNULL) as process:
        seen: set[int] = set()
        while process.poll() is None:
            seen |= set(venues_of(home))
    assert process.returncode == 0
    return seen


@contextmanager
def an_engine(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Both desks, once all their orders rest."""
    with (home.parent / "log").open("ab") as log:
        engine = subprocess.Popen([MMBOT, *DESKS], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with engine:
        try:
            until_s = monotonic() + START_S
            while [one["open_orders"] for one in engines(home) if one["state"] == "running"] != [
                RESTING
            ]:
                assert engine.poll() is None, (home.parent / "log").read_text()
                assert monotonic() < until_s, (home.parent / "log").read_text()
            yield engine
        finally:
            if engine.poll() is None:
                engine.kill()


def test_a_run_on_two_venues_has_one_world_and_finds_it_again_when_it_was_killed(
    place: Path,
) -> None:
    with an_engine(place) as engine:
        (pid,) = venues_of(place)
        (told,) = engines(place)
        first, second = accounts(told)
        assert second == f"{first}-hedge"
        assert first.startswith("sim-")
        # What looks beside it looks at the same accounts.
        doctor = json.loads(run(place, "doctor", "--config", str(CONFIG), "--json").stdout)
        for name, account in (("deribit", first), ("hedge", second)):
            (line,) = [one for one in doctor["venues"][name]["checks"] if one["check"] == "account"]
            assert line["found"].startswith(f"{account}: ")
        looks = (
            ("markets", "--config", str(CONFIG), "--exchange", "hedge", "--kind", "perpetual"),
            (*DESKS, "--dry-run"),
        )
        for look in looks:
            assert worlds_during(place, *look) == {pid}
        engine.kill()
        engine.wait(START_S)
    assert venues_of(place) == [pid], "it outlives us"
    again = run(place, *DESKS, "--duration", "3", "--json")
    assert again.returncode == 0, again.stderr
    said = json.loads(again.stdout)
    assert [one["account"] for one in said["venues"].values()] == [first, second]
    assert [one["open_orders_after_stop"] for one in said["venues"].values()] == [0, 0]
    assert venues_of(place) == [pid]
    assert again.stderr.count(f"back on simulated venue {first.removeprefix('sim-')} at ") == 2


def test_a_dry_run_on_two_venues_makes_one_world_and_ends_it(place: Path) -> None:
    assert len(worlds_during(place, *DESKS, "--dry-run")) == 1
    assert venues_of(place) == []


def test_a_world_without_one_of_the_venues_is_not_joined(place: Path) -> None:
    alone = json.loads(run(place, *QUOTE, "--duration", "1", "--json").stdout)
    (old,) = venues_of(place)
    both = run(place, *DESKS, "--duration", "1", "--json")
    assert both.returncode == 0, both.stderr
    world = alone["venues"]["deribit"]["account"].removeprefix("sim-")
    said = f"simulated world {world} has deribit alone: a new one is started for deribit and hedge"
    assert both.stderr.count(said) == 1
    pids = venues_of(place)
    assert len(pids) == 2
    first, second = (one["account"] for one in json.loads(both.stdout)["venues"].values())
    assert world not in first
    assert second == f"{first}-hedge"
    # One of the venues that the new world has is found there.
    again = json.loads(run(place, *QUOTE, "--duration", "1", "--json").stdout)
    assert again["venues"]["deribit"]["account"] == first
    assert venues_of(place) == pids
    assert old in pids
