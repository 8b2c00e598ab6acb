"""The command line itself: help, versions, and how errors end."""

import os
import re
import subprocess
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.models import OptionInfo

from mmbot import __version__
from mmbot.cli import app, quote
from mmbot.config import KNOWN_FLAGS, load_config
from mmbot.config.effective import effective
from mmbot.config.flags import FLAGS
from mmbot.errors import ConfigError, OrdersMayRemain, Refused, VenueUnreachable
from tests.cli.terminal import MMBOT, Terminal

OPTIONS = ("--exchange", "deribit", "--expiry", "20250606", "--strikes", "2800,2900")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MMBOT, *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def nobody_has_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's environment nor a .env of the project counts here."""
    for name in [name for name in os.environ if name.startswith(("DERIBIT_", "MMBOT_SIM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def in_process(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str, str]:
    """Exit code, stdout and stderr, without the time a new process takes."""
    monkeypatch.setattr(sys, "argv", ["mmbot", *arguments])
    with pytest.raises(SystemExit) as end:
        app.run()
    written = capsys.readouterr()
    return end.value.code, written.out, written.err


def test_help_names_the_commands_on_a_terminal() -> None:
    with Terminal(MMBOT, "--help") as terminal:
        assert terminal.exit_code() == 0
        text = terminal.text()
    assert re.search(r"quote +Make a market until Ctrl\+C", text)
    assert re.search(r"sim +The simulated venue", text)


@pytest.mark.parametrize("arguments", [["--help"], ["quote", "--help"], ["sim", "serve", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from mmbot.cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "heavy = {'ccxt', 'numpy', 'scipy', 'sqlalchemy', 'aiohttp', 'uvloop', 'asyncio'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_flag_of_quote_is_explained_with_its_default() -> None:
    with Terminal(MMBOT, "quote", "--help") as terminal:
        assert terminal.exit_code() == 0
        text = terminal.text()
    assert [flag for flag in KNOWN_FLAGS if flag not in text] == []
    assert "(default 0.1)" in text


def test_the_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"mmbot {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["qoute"], "No such command 'qoute'. Did you mean 'quote'?"),
        (["quote", "--strike", "2800"], "No such option: --strike"),
        (["quote", "--expiry"], "Option '--expiry' requires an argument."),
        (["quote"], "nothing to quote: give --expiry YYYYMMDD with --strikes"),
        (["quote", *OPTIONS, "--expiry", "6JUN"], "--expiry: '6JUN' is not a date: write it like"),
        (["quote", *OPTIONS, "--expiry", ""], "--expiry: '' is not a date"),
        (["quote", *OPTIONS, "--strikes", "2800,x"], "--strikes: strike 'x' is not a number"),
        (["quote", *OPTIONS, "--size", "1e"], "--size: [strategy.improve_top] size = '1e'"),
        (
            ["quote", *OPTIONS, "--exchange", "mtgox"],
            "unknown exchange 'mtgox'; there is: deribit, derive",
        ),
        (["quote", *OPTIONS, "--bid-only", "--ask-only"], "contradict each other: give one"),
        (["quote", *OPTIONS, "--live"], "DERIBIT_API_KEY and DERIBIT_API_SECRET are not set; put"),
        (["quote", *OPTIONS, "--testnet"], "--testnet needs credentials: DERIBIT_TESTNET_API_KEY"),
        (["quote", *OPTIONS, "--paper"], "--paper: mode paper is not available in this version"),
        (["quote", "--config", "missing.toml"], "missing.toml: cannot be read: No such file"),
        (
            ["quote", "--expiry", "20250606", "--strikes", "2800,", "2900"],
            "--strikes 2800, 2900: no blanks in a list: write --strikes 2800,2900",
        ),
        (
            ["config", "check", "--strikes=2800,", "2900,", "3000", "--expiry", "20250606"],
            "write --strikes 2800,2900,3000",
        ),
        (["quote", "--symbols", "BTC-PERPETUAL", ",ETH-PERPETUAL"], "write --symbols BTC-PERPETUA"),
        (
            ["quote", *OPTIONS, "--aggression", "5"],
            "aggression = 5: expected a number at least 0 an",
        ),
        (["quote", *OPTIONS, "--aggression", "5"], "at most 1"),
        (
            ["quote", *OPTIONS, "--duration", "1e-9"],
            "duration_s = 1E-9: expected a number at least ",
        ),
        (["set", "size", "-1"], "FACTOR: '-1' is not a number greater than 0 and at most 10"),
        (["set", "size", "0"], "FACTOR: '0' is not a number greater than 0 and at most 10"),
        (["set", "vol", "-99"], "POINTS: '-99' is not a number of vol points between -50 and 50"),
        (["sim", "serve"], "Missing option '--exchange'."),
        (["sim", "serve", "--exchange", "x"], "--exchange: unknown exchange 'x'; there is: deri"),
        (["sim", "serve", "--exchange", "deribit", "--port", "70000"], "--port: port = 70000: ex"),
        (["sim", "serve", "--exchange", "deribit", "--seed", "-1"], "--seed: seed = -1: expected"),
        (["sim", "serve", "--exchange", "deribit", "--at", "noon"], "--at: 'noon' is neither a da"),
        (["sim", "serve", "--exchange", "deribit", "--linger", "0"], "--linger: linger_s = 0: ex"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_2(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = in_process(arguments, monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("mmbot: ")
    assert said in err
    assert err.count("\n") == 1


def test_the_exit_code_reaches_the_shell() -> None:
    done = run("quote")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmbot: nothing to quote")


def test_debug_adds_the_traceback() -> None:
    done = run("quote", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mmbot: nothing to quote")


def ended(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    """Exit code and stderr of a quote that raises."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(quote, "load_config", fail)
    code, _, err = in_process(["quote", *OPTIONS], monkeypatch, capsys)
    return code, err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a\nb"), 2),
        (OrdersMayRemain("a b"), 3),
        (Refused("a b"), 4),
        (VenueUnreachable("a b"), 5),
    ],
)
def test_each_error_has_its_exit_code(
    error: Exception,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(error, monkeypatch, capsys) == (code, "mmbot: a b\n")


def test_a_bug_is_one_line_that_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = ended(ZeroDivisionError("division\nby zero"), monkeypatch, capsys)
    assert code == 70
    assert said.startswith("mmbot: a bug in mmbot: ZeroDivisionError: division by zero; run it")
    assert said.count("\n") == 1


def test_the_defaults_that_its_help_names_are_the_ones_in_force() -> None:
    desk = load_config({"--symbols": "ETH-PERPETUAL"})
    held = {entry.key: entry.text for entry in effective(desk)}
    checked = 0
    for hint in typing.get_type_hints(quote.quote, include_extras=True).values():
        option = next((m for m in typing.get_args(hint) if isinstance(m, OptionInfo)), None)
        said = re.search(r"\(default ([^)]+)", option.help or "") if option is not None else None
        # Typer takes the first name for a default until it builds the command.
        flag = str(option.default) if option is not None else ""
        if said is None or flag not in FLAGS:
            continue
        key = FLAGS[flag][1].replace("strategy.", "strategy.improve_top.")
        value, stated = held[key].split()[0], said[1].split()[0].rstrip(":")
        number = re.fullmatch(r"[\d.]+", value) is not None
        assert (float(value) == float(stated)) if number else (value == stated), (flag, held[key])
        checked += 1
    assert checked >= 10
