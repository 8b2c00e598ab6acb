"""Every command and flag the documentation names exists, and every command in a block runs.

Commands that trade do so on the simulated venue and for seconds; those that look or control do it
beside an engine that runs. Real money and the test network are not run.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer.main

from mmbot.cli.app import app
from mmbot.cli.lazy import LazyCommand
from tests.cli.terminal import MMBOT
from tests.cli.test_quote import QUOTE, wait_until
from tests.house.pages import (
    PAGES,
    PROJECT,
    README,
    Line,
    code,
    commands,
    how_to_desk,
    how_to_module,
    lines,
)

DESKS = sorted((PROJECT / "configs").glob("*.toml"))

EVERYWHERE = {"--help", "--debug"}


def imported(command: Any) -> Any:
    """The real command, where one stands in for it."""
    return command.imported() if isinstance(command, LazyCommand) else command


def option_names(command: Any) -> set[str]:
    return EVERYWHERE | {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def complaint(words: Sequence[str]) -> str | None:
    """What is wrong with a command line of mmbot, without running it; None when nothing is."""
    command: Any = typer.main.get_command(app)
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return f"there is no command {words[0]}"
        command, words = imported(command.commands[words[0]]), words[1:]
    for word in words:
        name = word.partition("=")[0]
        if word.startswith("--") and name not in option_names(command):
            return f"{command.name} has no flag {name}"
        if word.startswith("configs/") and not (PROJECT / word).exists():
            return f"there is no {word}"
    return None


def targets() -> list[str]:
    return re.findall(r"^([a-z][\w-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE)


# --- every command exists ---------------------------------------------------------------------


def test_the_readme_has_commands_to_check() -> None:
    text = README.read_text()
    assert ["quote"] in [words[:1] for words in commands(text, "mmbot")]
    assert ["quote"] in commands(text, "make")


@pytest.mark.parametrize("line", lines("mmbot"), ids=str)
def test_a_documented_command_exists_with_its_flags(line: Line) -> None:
    assert complaint(line.words) is None


@pytest.mark.parametrize("line", lines("make"), ids=str)
def test_a_documented_target_exists(line: Line) -> None:
    assert [word for word in line.words if "=" not in word and word not in targets()] == []


@pytest.mark.parametrize("line", lines("python"), ids=str)
def test_a_documented_run_of_python_finds_its_module_and_its_files(line: Line) -> None:
    flag, module, *words = line.words
    assert flag == "-m"
    own = PROJECT.joinpath(*module.split("."))
    assert module == "pytest" or own.is_dir() or own.with_suffix(".py").is_file()
    named = [word.partition("::")[0] for word in words if word.startswith("tests/")]
    assert [name for name in named if not (PROJECT / name).exists()] == []


def test_a_flag_that_is_named_by_itself_belongs_to_some_command() -> None:
    every = set(EVERYWHERE)
    groups: list[Any] = [typer.main.get_command(app)]
    while groups:
        command = groups.pop()
        every |= option_names(command)
        groups += map(imported, getattr(command, "commands", {}).values())
    spans = [span for page in PAGES for span in code(page.read_text())]
    named = [span.split()[0] for span in spans if span.startswith("--")]
    assert [flag for flag in named if flag.partition("=")[0] not in every] == []


@pytest.mark.parametrize("path", DESKS, ids=lambda path: path.name)
def test_the_command_at_the_top_of_a_desk_file_exists(path: Path) -> None:
    line = path.read_text().splitlines()[0]
    (words,) = re.findall(r"  (mmbot .*)", line)
    assert complaint(words.split()[1:]) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("quote --symbol X", "quote has no flag --symbol"),
        ("quotes", "there is no command quotes"),
        ("fills import", "there is no command import"),
        ("quote --config configs/none.toml", "there is no configs/none.toml"),
        ("sim serve --exchange deribit --live", "serve has no flag --live"),
    ],
)
def test_what_does_not_exist_is_found_out(line: str, said: str) -> None:
    assert complaint(line.split()) == said


# --- every command in a block runs ------------------------------------------------------------

REAL = {"--live", "--testnet"}
SERVE = ("sim", "serve")
CONTROLS = ("pause", "unpause", "wind-down", "set", "cancel-all", "resume")
"""They change what an engine does: one after another, in this order, after everything else."""

RUNNABLE = [line for line in lines("mmbot", runnable=True) if not REAL & set(line.words)]
SERVED = [line for line in RUNNABLE if line.words[:2] == SERVE]
TRADING = [line for line in RUNNABLE if line.words[0] == "quote"]
SIMULATED = [line for line in RUNNABLE if line.words[0] == "simulate"]
BESIDE = [line for line in RUNNABLE if line not in (*SERVED, *TRADING, *SIMULATED)]

WITHOUT_FILLS = ("fills", "ledger")
"""They end with 1 where nothing has been filled yet."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader stands: the how-tos' files beside the project's own."""
    (tmp_path / "my_module.py").write_text(how_to_module())
    (tmp_path / "desk.toml").write_text(how_to_desk())
    (tmp_path / "configs").symlink_to(PROJECT / "configs")
    (tmp_path / "docs").symlink_to(PROJECT / "docs")
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MMBOT, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def with_value(words: Sequence[str], flag: str, value: str) -> list[str]:
    """The words with another value behind a flag, which is added where it is not there."""
    kept = list(words)
    if flag in kept:
        at = kept.index(flag)
        del kept[at : at + 2]
    return [*kept, flag, value]


def test_commands_of_every_kind_are_run() -> None:
    assert all((SERVED, TRADING, SIMULATED, BESIDE))
    assert set(CONTROLS) <= {line.words[0] for line in BESIDE}


@pytest.mark.parametrize("line", TRADING, ids=str)
def test_a_documented_quote_trades(line: Line, folder: Path) -> None:
    dry = "--dry-run" in line.words
    done = run(folder, *(line.words if dry else with_value(line.words, "--duration", "1")))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", SIMULATED, ids=str)
def test_a_documented_simulation_holds(line: Line, folder: Path) -> None:
    done = run(folder, *with_value(with_value(line.words, "--seeds", "1"), "--hours", "0.005"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", SERVED, ids=str)
def test_a_documented_venue_serves_until_ctrl_c(line: Line, folder: Path) -> None:
    with subprocess.Popen(
        [MMBOT, *line.words], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        assert any("REST" in said for said in served.stdout)
        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=60) == 0


def test_documented_commands_run_beside_an_engine(folder: Path, home: Path) -> None:
    controls = [line for name in CONTROLS for line in BESIDE if line.words[0] == name]
    looks = [line for line in BESIDE if line not in controls]
    with an_engine(folder):
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda line: _ends_well(line, folder), looks))
        done += [_ends_well(line, folder) for line in controls]
    done += [_ends_well(line, folder, home) for line in looks if "FILE" in line.words]
    assert [said for said in done if said] == []


def _ends_well(line: Line, folder: Path, home: Path | None = None) -> str:
    """What went wrong, if anything did. FILE is a tape, of an engine that has ended."""
    words = list(line.words)
    if "FILE" in words:
        if home is None:
            return ""
        words[words.index("FILE")] = str(next((home / "tapes" / "sim").iterdir()))
    done = run(folder, *words)
    fine = {0, 1} if words[0] in WITHOUT_FILLS else {0}
    return "" if done.returncode in fine else f"{line}: {done.returncode} {done.stderr}"


@contextmanager
def an_engine(folder: Path) -> Iterator[None]:
    """The README's engine, quoting; ended in the end."""

    def quotes() -> bool:
        told = json.loads(run(folder, "status", "--json").stdout or "[]")
        return "ETH-6JUN25-2800-C" in json.dumps(told)

    with subprocess.Popen(
        [MMBOT, *QUOTE, "--no-screen"], cwd=folder, stderr=subprocess.DEVNULL, env=os.environ
    ) as engine:
        try:
            wait_until(quotes, "the engine quotes")
            yield
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(timeout=60)
