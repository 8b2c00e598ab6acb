"""Commands beside `mmbot quote` in simulation: they look at its world, and leave none of theirs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.terminal import MMBOT, Terminal
from tests.cli.test_quote import QUOTE

DRY = (*QUOTE, "--dry-run")
LOOKS = {
    "doctor": ("doctor",),
    "markets": ("markets", "--kind", "perpetual"),
    "dry run": DRY,
}


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MMBOT, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "MMBOT_HOME": str(home)},
    )


def venues_of(home: Path) -> list[int]:
    """Simulated venues that were started for this home, by what they inherited from it."""
    wanted = f"MMBOT_HOME={home}".encode()
    found = []
    for process in Path("/proc").iterdir():
        try:
            told = (process / "cmdline").read_bytes()
            if b"\0serve\0" in told and wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except (OSError, ValueError):
            continue
    return found


def end(home: Path) -> None:
    for pid in venues_of(home):
        os.kill(pid, 9)


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a `mmbot quote` that trades on its own simulated venue."""
    home = tmp_path_factory.mktemp("busy")
    with Terminal(MMBOT, *QUOTE, env={"MMBOT_HOME": str(home)}) as terminal:
        terminal.wait_for("2900-P", deadline_s=60)
        yield home
        terminal.interrupt()
        assert terminal.exit_code() == 0
    end(home)


def engine(home: Path) -> dict[str, Any]:
    done = run(home, "status", "--json")
    (found,) = orjson.loads(done.stdout)["engines"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_what_looks_beside_a_run_looks_at_its_world(busy_home: Path, look: tuple[str, ...]) -> None:
    before = venues_of(busy_home)
    assert len(before) == 1
    done = run(busy_home, *look, "--json")
    assert done.returncode == 0, done.stderr
    assert venues_of(busy_home) == before
    if look == LOOKS["doctor"]:
        account = engine(busy_home)["account"]
        (line,) = (c for c in orjson.loads(done.stdout)["checks"] if c["check"] == "account")
        assert line["found"].startswith(f"{account}: ")


def test_another_seed_is_another_world_that_ends_with_the_command(busy_home: Path) -> None:
    before = venues_of(busy_home)
    done = run(busy_home, "doctor", "--seed", "7", "--json")
    assert engine(busy_home)["account"] not in done.stdout
    assert venues_of(busy_home) == before


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_with_no_run_a_look_leaves_nothing_behind(tmp_path: Path, look: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    done = run(home, *look)
    assert done.returncode == 0, done.stderr
    assert venues_of(home) == []
    assert not home.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--expiry", "20250606", "--strikes", "2801"), "--strikes: 2801 is not listed"),
        (("--expiry", "20250611", "--strikes", "2800"), "--expiry: no ETH options expire on"),
        (("--symbols", "ETH-PERPETUA"), "did you mean ETH-PERPETUAL?"),
    ],
)
def test_a_run_that_cannot_be_leaves_nothing_behind(
    tmp_path: Path, wrong: tuple[str, ...], said: str
) -> None:
    home = tmp_path / "home"
    done = run(home, "quote", *wrong)
    assert done.returncode == 2
    assert said in done.stderr
    assert venues_of(home) == []
    assert not home.exists()


def test_a_look_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Terminal(MMBOT, *DRY, env={"MMBOT_HOME": str(home)}) as terminal:
        terminal.until(lambda: len(venues_of(home)) == 1, "its venue has been started")
        terminal.interrupt()
        assert terminal.exit_code() == 130
        assert "mmbot: interrupted" in terminal.text()
    assert venues_of(home) == []
    assert not home.exists()
