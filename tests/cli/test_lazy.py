"""Commands that are imported when they are asked for, and what a list of them says meanwhile."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from mmbot.cli.app import Commands, app
from mmbot.cli.lazy import LazyCommand
from mmbot.config import Mode
from mmbot.store.database import open_store
from mmbot.store.locations import locate
from tests.cli.terminal import MMBOT

HEAVY = {"ccxt", "numpy", "scipy", "sqlalchemy", "aiohttp", "uvloop", "asyncio"}


def loaded_by(*arguments: str) -> set[str]:
    """The modules a command leaves behind."""
    program = (
        "import sys\n"
        "from mmbot.cli.app import run\n"
        f"sys.argv = {['mmbot', *arguments]!r}\n"
        "try:\n    run()\n"
        "except SystemExit:\n    pass\n"
        "print(chr(10) + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MMBOT, *arguments], capture_output=True, text=True, timeout=60)


def lazy(name: str) -> LazyCommand:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    command = group.commands[name]
    assert isinstance(command, LazyCommand)
    return command


@pytest.mark.parametrize("name", Commands.homes)
def test_a_list_of_commands_says_what_the_command_itself_says(name: str) -> None:
    real = lazy(name).imported()
    assert real.name == name
    assert not real.hidden
    assert not real.deprecated
    first = re.split(r"\n\s*\n", real.help.strip())[0]
    assert Commands.homes[name].about == " ".join(first.split())


@pytest.mark.parametrize("arguments", [["--help"], [], ["--version"], ["qoute"]])
def test_a_list_of_commands_imports_none_of_them(arguments: Sequence[str]) -> None:
    loaded = loaded_by(*arguments)
    homes = {home.module for home in Commands.homes.values()}
    assert "mmbot.cli.app" in loaded
    assert not loaded & (homes | HEAVY | {"mmbot.config", "mmbot.core", "rich.markdown"})


def test_a_command_imports_no_other_one() -> None:
    loaded = loaded_by("status", "--help")
    assert {one for one in loaded if one in {h.module for h in Commands.homes.values()}} == {
        "mmbot.cli.status"
    }
    assert not loaded & HEAVY


HEAVIEST = {"ccxt", "numpy", "scipy", "aiohttp", "uvloop", "mmbot.assemble", "mmbot.sim"}


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["status"], HEAVIEST),
        (["resume", "--reason", "looked"], HEAVIEST | {"rich"}),
        (["cancel-all"], HEAVIEST | {"rich"}),
        (["config", "check", "--symbols", "X"], HEAVIEST | {"rich", "sqlalchemy"}),
        (["quote"], HEAVIEST | {"rich", "sqlalchemy"}),
    ],
)
def test_what_a_command_does_not_use_is_not_loaded(
    arguments: Sequence[str], unused: set[str], home: Path
) -> None:
    """Nothing is known to the stores here: what a venue needs is not needed, either."""
    open_store(locate(Mode.SIM, os.environ))
    loaded = loaded_by(*arguments)
    assert "mmbot.cli.app" in loaded
    assert not loaded & unused


def test_a_run_of_quote_loads_one_exchange_and_no_numbers(home: Path) -> None:
    flags = ("--symbols", "BTC-PERPETUAL", "--duration", "0.5", "--no-screen", "--json")
    loaded = loaded_by("quote", *flags)
    assert {"ccxt.pro.deribit", "mmbot.assemble"} <= loaded
    assert not loaded & {"ccxt.pro.binance", "ccxt.binance", "ccxt.async_support.binance"}
    assert not loaded & {"numpy", "scipy", "rich", "mmbot.sim"}


def test_one_that_is_misspelled_is_told_its_name_whatever_was_imported() -> None:
    done = run("fils")
    assert (done.returncode, done.stderr) == (
        2,
        "mmbot: No such command 'fils'. Did you mean 'fills'?\n",
    )
    done = run("fills", "lst")
    assert (done.returncode, done.stderr) == (
        2,
        "mmbot: No such command 'lst'. Did you mean 'list'?\n",
    )


def test_the_help_of_a_command_is_that_of_the_real_one() -> None:
    done = run("tape", "--help")
    assert done.returncode == 0
    assert "Usage: mmbot tape [OPTIONS] COMMAND [ARGS]..." in done.stdout
    assert re.search(r"show +\w", done.stdout)
    assert re.search(r"verify +\w", done.stdout)


def test_markdown_and_tracebacks_are_real_ones_if_they_are_called_after_all() -> None:
    program = (
        "from mmbot.cli.help_screen import prepare; prepare()\n"
        "import sys; assert 'rich.markdown' not in sys.modules\n"
        "from typer import rich_utils\n"
        "import rich.markdown, rich.traceback\n"
        "assert isinstance(rich_utils.Markdown('x', style='bold'), rich.markdown.Markdown)\n"
        "try:\n    1 / 0\n"
        "except ZeroDivisionError as error:\n"
        "    told = rich_utils.Traceback.from_exception(type(error), error, None)\n"
        "assert isinstance(told, rich.traceback.Traceback)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
