"""`mmbot fills list`: the last fills, for people."""

import sys
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.export import EPOCH, as_object, cells
from mmbot.cli.pages import print_json, show
from mmbot.cli.wanted import (
    DeskFile,
    InstrumentName,
    Json,
    ModeName,
    RunName,
    Since,
    StoreUrl,
    Until,
    wanted,
    whole_number,
)
from mmbot.config import Mode
from mmbot.core.sizes import plain
from mmbot.core.statements import Finality
from mmbot.core.types import told_apart

if TYPE_CHECKING:
    from mmbot.cli.wanted import Wanted
    from mmbot.store.queries import FillRow

LAST = "20"
_ROLE = 7
"""Where a line says what the fill was."""

_TINTS = {"provisional": "yellow", "voided": "red", "reversal": "red"}


def list_fills(
    last: Annotated[str, typer.Option("--last", metavar="N", help="How many of each mode.")] = LAST,
    since: Since = None,
    until: Until = None,
    instrument: InstrumentName = None,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the last fills, oldest first.

    "vs mark" is the price against the mark of its moment, in the instrument's quote unit: positive
    is good for us. The fee is as charged: positive is a cost. A provisional fill may still be taken
    back by the venue; one that was is voided, and its reversal is a line of its own. `mmbot fills
    export` writes every fill and all columns, for other programs; --json has its columns, their
    numbers as exact text.
    """
    count = whole_number(last, "--last")
    asked = wanted(since, until, instrument, run, mode, config, store)
    found = _last(asked, count)
    if json:
        objects = [as_object(cells(row, mode)) for mode, rows in found.items() for row in rows]
        print_json(objects, exact=True)
        asked.refuse_nothing(found)
        return
    for mode_found, rows in found.items():
        names = told_apart(row.fill.instrument for row in rows)
        show(
            f"{mode_found.value.upper()}: the last {len(rows)}",
            (
                "time (sim)" if mode_found is Mode.SIM else "time (UTC)",
                "instrument",
                "side",
                ">price",
                ">amount",
                ">vs mark",
                ">fee",
                "",
                "run",
            ),
            [_line(row, names[row.fill.instrument]) for row in rows],
            tint=lambda line: _TINTS.get(line[_ROLE], ""),
        )
    asked.refuse_nothing(found)
    if not found:
        print(f"no such fill in {asked.names}", file=sys.stderr)


def _last(asked: "Wanted", count: int) -> "dict[Mode, deque[FillRow]]":
    from mmbot.store.queries import Reader

    found: dict[Mode, deque[FillRow]] = {}
    for place in asked.places:
        reader = Reader(place)
        modes = {run.run: run.account_key.mode for run in reader.runs()}
        for row in reader.fills(asked.fills):
            mode = modes[row.run]
            if asked.mode in (None, mode):
                found.setdefault(mode, deque(maxlen=count)).append(row)
    return found


def _line(row: "FillRow", name: str) -> tuple[str, ...]:
    from mmbot.core.labels import base36

    fill = row.fill
    assert fill.mark is not None
    edge = (fill.mark - fill.price) * fill.side.sign
    return (
        f"{EPOCH + timedelta(milliseconds=fill.venue_ms):%m-%d %H:%M:%S}",
        name,
        fill.side.value,
        f"{fill.price:f}",
        plain(fill.amount),
        f"{edge:+f}",
        f"{plain(round(fill.fee, 8))} {fill.fee_currency}",
        _role(row),
        base36(row.run),
    )


def _role(row: "FillRow") -> str:
    """What a fill was; where it may not stand, that."""
    fill = row.fill
    if fill.reverses:
        return "reversal"
    if fill.finality is not Finality.FINAL:
        return str(fill.finality.value)
    if not row.ours:
        return "not ours"
    return "" if fill.liquidity is None else str(fill.liquidity.value)
