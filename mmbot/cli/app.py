"""The `mmbot` command: its groups, and how every error ends.

Imports no command: the one that is asked for is imported then (lazy.py), and what is heavy inside
the function that needs it.
"""

import os
import sys
from contextlib import suppress
from typing import Annotated, ClassVar

import typer
from typer.exceptions import TyperException

from mmbot import __version__
from mmbot.cli.lazy import Home, LazyGroup
from mmbot.cli.streams import has_no_reader, let_go, nobody_reads, open_missing
from mmbot.errors import ConfigError, ExitCode, MmbotError


class Commands(LazyGroup):
    """Every command of `mmbot`, as its help lists them."""

    homes: ClassVar = {
        "quote": Home(
            "mmbot.cli.quote",
            "quote",
            "Make a market until Ctrl+C; then cancel everything, prove it, and print a summary.",
        ),
        "simulate": Home(
            "mmbot.cli.simulate",
            "simulate",
            "Run a file's desks through seeded histories in virtual time, faults and crashes "
            "included.",
        ),
        "status": Home(
            "mmbot.cli.status",
            "status",
            "Show every engine: what it quotes and holds, what it earned, and whether it is well.",
        ),
        "cancel-all": Home(
            "mmbot.cli.cancel_all",
            "cancel_all",
            "Trip the kill switch everywhere and cancel every order of ours at every venue.",
        ),
        "resume": Home(
            "mmbot.cli.resume",
            "resume",
            "Re-arm the kill switch of every account where it is tripped, so that engines may "
            "start.",
        ),
        "pause": Home(
            "mmbot.cli.control",
            "pause",
            "Stop quoting and take all quotes back; the engine stays up and goes on watching.",
        ),
        "unpause": Home(
            "mmbot.cli.control",
            "unpause",
            "Quote again after `mmbot pause`; with --venue, after the venue froze our quotes "
            "there. A tripped kill switch needs `mmbot resume`.",
        ),
        "wind-down": Home(
            "mmbot.cli.control",
            "wind_down",
            "Quote only what reduces positions, until they are flat.",
        ),
        "explain": Home(
            "mmbot.cli.explain",
            "explain",
            "Show every term of an instrument's present bid and ask, and which bound had the last "
            "word.",
        ),
        "doctor": Home(
            "mmbot.cli.doctor",
            "doctor",
            "Check everything that trading needs: keys, database, disk, clock, account and venue.",
        ),
        "markets": Home(
            "mmbot.cli.markets",
            "markets",
            "List what a venue trades, with its ticks, sizes and fees. No key is needed.",
        ),
        "price": Home(
            "mmbot.cli.price",
            "app",
            "What an instrument is worth by a model: options, implied volatility, binary markets.",
        ),
        "research": Home("mmbot.cli.research", "app", "What recorded data say."),
        "strategies": Home(
            "mmbot.cli.strategies",
            "strategies",
            "Show what can be put into a desk file: strategies, risk rules, guards and their "
            "settings.",
        ),
        "config": Home("mmbot.cli.config_show", "app", "What a desk file and flags come to."),
        "fills": Home("mmbot.cli.fills", "app", "What was traded, and what came of it."),
        "ledger": Home("mmbot.cli.ledger", "app", "Everything that moved money."),
        "set": Home(
            "mmbot.cli.control",
            "app",
            "Change what running engines quote, until they end or it is changed back.",
        ),
        "sim": Home("mmbot.cli.sim", "app", "The simulated venue."),
        "tape": Home(
            "mmbot.cli.tape",
            "app",
            "The journal of turns: everything that happened to an engine, and what it decided.",
        ),
    }


app = typer.Typer(
    name="mmbot",
    cls=Commands,
    help="A market maker for crypto derivatives. Simulates unless told otherwise.",
    epilog="--debug, anywhere on the line, shows the traceback of an error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
            import traceback

            traceback.print_exc()
        print(f"mmbot: {message}", file=sys.stderr)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())
