"""The `mmbot` command: its groups, and how every error ends.

Imports nothing a command does not use: what is heavy is imported inside the command that needs it.
"""

import os
import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer
from typer.exceptions import TyperException

from mmbot import __version__
from mmbot.cli import (
    cancel_all,
    config_show,
    control,
    doctor,
    explain,
    fills,
    ledger,
    markets,
    quote,
    resume,
    sim,
    simulate,
    status,
    strategies,
    tape,
)
from mmbot.cli.streams import has_no_reader, let_go, nobody_reads, open_missing
from mmbot.errors import ConfigError, ExitCode, MmbotError

app = typer.Typer(
    name="mmbot",
    help="A market maker for crypto derivatives. Simulates unless told otherwise.",
    epilog="--debug, anywhere on the line, shows the traceback of an error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("quote")(quote.quote)
app.command("simulate")(simulate.simulate)
app.command("status")(status.status)
app.command("cancel-all")(cancel_all.cancel_all)
app.command("resume")(resume.resume)
app.command("pause")(control.pause)
app.command("unpause")(control.unpause)
app.command("wind-down")(control.wind_down)
app.command("explain")(explain.explain)
app.command("doctor")(doctor.doctor)
app.command("markets")(markets.markets)
app.command("strategies")(strategies.strategies)
app.add_typer(config_show.app, name="config")
app.add_typer(fills.app, name="fills")
app.add_typer(ledger.app, name="ledger")
app.add_typer(control.app, name="set")
app.add_typer(sim.app, name="sim")
app.add_typer(tape.app, name="tape")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mmbot {__version__}")
        raise typer.Exit


@app.callback()
def mmbot(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A market maker for crypto derivatives. Simulates unless told otherwise."""


def run() -> None:
    """Run the command line: one line on stderr and an exit code for whatever goes wrong."""
    open_missing()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        _refuse_torn_list(arguments)
        code = app(arguments, prog_name="mmbot", standalone_mode=False) or ExitCode.OK
        if code == ExitCode.INTERRUPTED:  # Typer's word for KeyboardInterrupt
            code = _end("interrupted", ExitCode.INTERRUPTED, debug)
    except MmbotError as error:
        code = _end(str(error), error.exit_code, debug)
    except TyperException as error:
        # A group without a command has shown its help, and says no more.
        said = _one_line(error.format_message())
        code = _end(said, ExitCode.BAD_INPUT, debug) if said else ExitCode.BAD_INPUT
    except Exception as error:  # noqa: BLE001  # every error ends in one line
        if nobody_reads(error) and any(map(has_no_reader, (sys.stdout, sys.stderr))):
            sys.exit(_flushed(ExitCode.INTERRUPTED))
        curable = _curable(error)
        if curable:
            sys.exit(_flushed(_end(curable, ExitCode.BAD_INPUT, debug)))
        said = _one_line(f"{type(error).__name__}: {error}")
        hint = "" if debug else "; run it again with --debug for the traceback, and report it"
        code = _end(f"a bug in mmbot: {said}{hint}", ExitCode.BUG, debug)
    sys.exit(_flushed(code))


_LISTS = ("--strikes", "--symbols", "--only")


def _refuse_torn_list(arguments: list[str]) -> None:
    """A blank after a comma makes two arguments of one, the second of which fits nowhere. Raises
    ConfigError with the line as it was meant."""
    for place, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag not in _LISTS:
            continue
        parts = [value] if equals else []
        for more in arguments[place + 1 :]:
            torn = not parts or parts[-1].endswith(",") or more.startswith(",")
            if not torn or more.startswith("-"):
                break
            parts.append(more)
        if len(parts) > 1:
            raise ConfigError(
                f"{flag} {' '.join(parts)}: no blanks in a list: write {flag} {''.join(parts)}"
            )


def _curable(error: Exception) -> str:
    """What a person has to change about files and folders; empty where it is not about those."""
    if isinstance(error, PermissionError) and error.filename:
        return (
            f"{error.filename}: {error.strerror}: check its permissions, or set MMBOT_HOME to a "
            "folder of yours"
        )
    if isinstance(error, FileNotFoundError):
        try:
            os.getcwd()
        except FileNotFoundError:
            return "the folder this was started in is gone: change to one that is there"
    return ""


def _flushed(code: int) -> int:
    """Let go of what is still unwritten: the interpreter would complain about a reader that left,
    or a disk that is full, in a traceback of its own."""
    error = let_go(sys.stdout)
    if error is not None and not nobody_reads(error):
        code = code or _end(
            f"stdout cannot be written: {error.strerror}", ExitCode.BAD_INPUT, False
        )
    let_go(sys.stderr)
    return code


def _end(message: str, code: ExitCode, debug: bool) -> ExitCode:
    with suppress(OSError):  # a disk that is full must not cost the exit code either
        if debug:
            traceback.print_exc()
        print(f"mmbot: {message}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())
