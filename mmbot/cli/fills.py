"""`mmbot fills`: what was traded, out of the stores."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.export import COLUMNS, Format, Row, cells, write
from mmbot.cli.fills_list import list_fills
from mmbot.cli.fills_report import report
from mmbot.cli.wanted import (
    DeskFile,
    InstrumentName,
    ModeName,
    RunName,
    Since,
    StoreUrl,
    Until,
    one_of,
    wanted,
)

if TYPE_CHECKING:
    from mmbot.cli.wanted import Wanted

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command("list")(list_fills)
app.command("report")(report)

_MANUAL = "\n".join(
    [
        "Write every fill of the stores as a table, oldest first, for other programs.",
        "",
        "Numbers are exact, moments are UTC. A fill that the venue took back is followed by its "
        "reversal, so that amounts by side and fees add up to what is held and paid. The columns:",
        "",
        "\b",  # keeps the lines below as they are
        *(f"{name:<13} {doc}" for name, (_, doc) in COLUMNS.items()),
    ]
)


@app.callback()
def fills() -> None:
    """What was traded, and what came of it."""


@app.command(help=_MANUAL)
def export(
    format_: Annotated[
        str, typer.Option("--format", metavar="F", help="csv, json or parquet.")
    ] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Instead of stdout.")
    ] = None,
    since: Since = None,
    until: Until = None,
    instrument: InstrumentName = None,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
) -> None:
    """The manual above is what people see."""
    chosen = one_of(Format, format_, "format", "--format")
    asked = wanted(since, until, instrument, run, mode, config, store)
    try:
        count = write(_rows(asked), chosen, out)
    except BrokenPipeError:
        return  # whoever read our output has had enough of it
    asked.refuse_nothing(count)
    print(f"{count} fill{'' if count == 1 else 's'} from {asked.names}", file=sys.stderr)


def _rows(asked: "Wanted") -> Iterator[Row]:
    from mmbot.store.queries import Reader

    for place in asked.places:
        reader = Reader(place)
        modes = {run.run: run.account_key.mode for run in reader.runs()}
        for row in reader.fills(asked.fills):
            if asked.mode in (None, modes[row.run]):
                yield cells(row, modes[row.run])
