"""`mmbot fills`: what was traded, out of the stores."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mmbot.cli.export import COLUMNS, Format, Row, cells, write
from mmbot.config import Mode, load_config, moment
from mmbot.errors import ConfigError, StoreError
from mmbot.settings import unknown

if TYPE_CHECKING:
    from mmbot.store.locations import Location
    from mmbot.store.queries import FillFilter

app = typer.Typer(no_args_is_help=True, add_completion=False)

E = TypeVar("E", bound=Enum)

_MAX_RUN = 2**63 - 1

_MANUAL = "\n".join(
    [
        "Write every fill of the stores as a table, oldest first, for other programs.",
        "",
        "Numbers are exact, moments are UTC. The columns:",
        "",
        "\b",  # keeps the lines below as they are
        *(f"{name:<13} {doc}" for name, (_, doc) in COLUMNS.items()),
    ]
)


@app.callback()
def fills() -> None:
    """What was traded."""


@app.command(help=_MANUAL)
def export(
    format_: Annotated[
        str, typer.Option("--format", metavar="F", help="csv, json or parquet.")
    ] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Instead of stdout.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From this date or moment on (venue time).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Before this date or moment.")
    ] = None,
    instrument: Annotated[
        str | None, typer.Option(metavar="NAME", help="One instrument, by the venue's name.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="ID", help="One run, as `mmbot quote` shows it.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="One of live, testnet, paper, sim. (default: all)"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A desk file that names a store.")
    ] = None,
) -> None:
    """The manual above is what people see."""
    from mmbot.store.queries import FillFilter

    wanted = FillFilter(
        since_ms=_when(since, "--since"),
        until_ms=_when(until, "--until"),
        instrument=instrument,
        run=_run_number(run),
    )
    since_ms, until_ms = wanted.since_ms, wanted.until_ms
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ConfigError("--since is not before --until: nothing lies between them")
    only = _one_of(Mode, mode, "mode", "--mode") if mode is not None else None
    chosen = _one_of(Format, format_, "format", "--format")
    url = load_config({}, config).store.url if config else None
    places = _stores(url, only)
    try:
        count = write(_rows(places, wanted, only), chosen, out)
    except BrokenPipeError:
        return  # whoever read our output has had enough of it
    names = ", ".join(place.name for place in places)
    print(f"{count} fill{'' if count == 1 else 's'} from {names}", file=sys.stderr)


def _stores(url: str | None, mode: Mode | None) -> "list[Location]":
    """The stores that exist, live first. Raises StoreError when there is none."""
    from mmbot.store.locations import URL_VARIABLE, existing, locate

    places = existing(os.environ, url)
    if mode is not None:
        files = {key: value for key, value in os.environ.items() if key != URL_VARIABLE}
        others = {locate(other, files) for other in Mode if other is not mode}
        places = [place for place in places if place not in others]
    if not places:
        which = "no store" if mode is None else f"no store of mode {mode.value}"
        looked = locate(mode or Mode.SIM, os.environ, url)
        raise StoreError(f"{which} yet: `mmbot quote` makes one (looked for {looked.name})")
    return places


def _rows(places: "list[Location]", wanted: "FillFilter", only: Mode | None) -> Iterator[Row]:
    from mmbot.store.queries import Reader

    for place in places:
        reader = Reader(place)
        modes = {run.run: run.seat.mode for run in reader.runs()}
        for row in reader.fills(wanted):
            if only in (None, modes[row.run]):
                yield cells(row, modes[row.run])


def _when(text: str | None, flag: str) -> int | None:
    """A date (its midnight, UTC) or a moment, in milliseconds."""
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y%m%d" if text.isdigit() else "%Y-%m-%d")
        when = day.replace(tzinfo=UTC)
    except ValueError:
        try:
            when = moment(text, flag)
        except ConfigError:
            raise ConfigError(
                f"{flag}: {text!r} is neither a date nor a moment in UTC: write it like "
                "2025-06-02 or 2025-06-02T12:00:00Z"
            ) from None
    return round(when.timestamp() * 1000)


def _run_number(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        number = int(text, 36) if text.isalnum() and text.isascii() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= _MAX_RUN:
        raise ConfigError(f"--run: {text!r} is not the name of a run; they look like 1c7h2t")
    return number


def _one_of(kind: type[E], text: str, what: str, flag: str) -> E:
    try:
        return kind(text)
    except ValueError:
        known = [member.value for member in kind]
        raise ConfigError(f"{flag}: {unknown(what, text, known)}") from None
