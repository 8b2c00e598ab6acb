"""The live table of `mmbot quote`, in a process of its own: `python -m mmbot.cli.screen`.

Reads lines of JSON on stdin: an object is a StatusFrame to draw, a string is printed above the
table. Rows that do not fit are counted, and keys reach them (cli.paging). At the end of its input
the last table stays on the terminal.
"""

import os
import sys
from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from mmbot.cli import cells, header, paging
from mmbot.cli.cells import Column, InstrumentTable
from mmbot.cli.keyboard import Keyboard, keyboard
from mmbot.cli.paging import Key, Pager
from mmbot.cli.streams import let_go, read_or_not
from mmbot.cli.sums import rounded
from mmbot.engine.status import InstrumentRow, StatusFrame

_CHUNK = 65_536
_LINES_BESIDE = 2
"""The titles of the table, and the line the cursor is left on."""


def main() -> None:
    """Draw until the input ends."""
    line_type: TypeAdapter[StatusFrame | str] = TypeAdapter(StatusFrame | str)
    console = Console(highlight=False)
    live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
    screen = Screen(sys.argv[1] if len(sys.argv) > 1 else None)
    with read_or_not(), keyboard() as keys, live:
        keys.quiet()
        for line in _heard(sys.stdin.fileno(), keys):
            if isinstance(line, Key):
                screen.press(line)
            else:
                what = line_type.validate_json(line)
                if isinstance(what, str):
                    console.print(Text(what))
                    continue
                screen.frame = what
            if screen.frame is not None:
                live.update(screen.picture(console.width, console.height), refresh=True)
    let_go(sys.stdout)


def _heard(stdin: int, keys: Keyboard) -> Iterator[bytes | Key]:
    """Lines of the input until it ends, and keys as they are pressed."""
    unread = b""
    while True:
        pressed, readable = keys.wait(None, [stdin])
        yield from pressed
        if readable:
            chunk = os.read(stdin, _CHUNK)
            *lines, unread = (unread + chunk).split(b"\n")
            yield from lines
            if not chunk:
                return


class Screen:
    """What is drawn: the newest frame, the rows that were asked for, the page that is open."""

    def __init__(self, only: str | None = None) -> None:
        self.frame: StatusFrame | None = None
        self._only = only
        self._pager = Pager()

    def press(self, key: Key) -> None:
        """Turn pages."""
        self._pager.press(key)

    def picture(self, width: int, height: int | None = None) -> Group:
        """The header and the table of the frame, for a terminal of so many columns and lines."""
        assert self.frame is not None
        frame, rows = self.frame, paging.only(cells.by_desk(self.frame.every_row), self._only)
        head = _header(frame, width)
        if not rows:
            like = f"is like {self._only}" if self._only is not None else "is traded at present"
            return Group(head, Text(f" nothing here {like}", "yellow"))
        table = _table(frame, rows, width)
        first, last = 0, len(rows)
        if height is not None:
            room = height - head.plain.count("\n") - 1 - _LINES_BESIDE
            if len(rows) < len(frame.every_row) or sum(table.heights) > room:
                room -= 1  # for the line that tells what is not shown
                room -= bool(table.desks)  # and for the desk of a page that begins among its rows
            first, last = self._pager.shown(table.heights, max(1, room))
        parts: list[RenderableType] = [head, table.lines(first, last)]
        if last - first < len(frame.every_row):
            parts.append(self._not_shown(rows, first, last))
        return Group(*parts)

    def _not_shown(self, rows: Sequence[InstrumentRow], first: int, last: int) -> Text:
        """How many rows are not on the screen, what they earned, and how to see them."""
        assert self.frame is not None
        frame = self.frame
        hidden = len(frame.every_row) - (last - first)
        shown = {row.instrument for row in rows[first:last]}
        profit = sum(
            earned
            for name, earned in header.row_profits(frame).items()
            if earned is not None and name not in shown
        )
        like = f" like {self._only}" if self._only is not None else ""
        line = Text(f" rows {first + 1}-{last} of {len(rows)}{like}, {hidden} not shown (PnL ")
        line.append_text(cells.cash(rounded(profit, header.digits_of(frame)))).append(")")
        if last - first < len(rows):
            line.append(f": {paging.HELP}")
        line.stylize("yellow")
        return line


def _header(frame: StatusFrame, width: int) -> Text:
    budget_style = "green" if frame.budget >= frame.budget_full / 2 else "yellow"
    who = Text.assemble(
        cells.mode(frame.mode),
        (f" {frame.venue}", "bold"),
        f"  run {frame.run_id}  up {cells.duration(frame.uptime_s)}",
    )
    groups = [
        [
            who,
            Text.assemble("link ", (frame.link, "green" if frame.link_ok else "bold red")),
            Text.assemble("budget ", (f"{frame.budget:.0f}/{frame.budget_full:.0f}", budget_style)),
            Text(f"fills {frame.fills}"),
            header.open_orders(frame),
        ],
        *header.parts(frame),
        *([] if len(frame.venues) > 1 else [header.scarce(frame)]),
        [*header.money(frame), *header.beside(frame)],
        [*header.account(frame), *header.small_print(frame)],
    ]
    if frame.trip:
        groups.append([header.trip(frame)])
    if frame.controls:
        groups.append([cells.controls(frame.controls)])
    return header.flowing(groups, width)


def _table(frame: StatusFrame, rows: Sequence[InstrumentRow], width: int) -> InstrumentTable:
    profits = header.row_profits(frame)
    columns = [
        *cells.market_columns(rows),
        *cells.size_columns(rows),
        Column("fair", [Text(cells.fair(row)) for row in rows], "dim"),
        Column("pos", [cells.position(row.position) for row in rows]),
        Column("delta", [cells.delta(row.delta_coin) for row in rows]),
        Column("PnL", [cells.profit(profits[row.instrument]) for row in rows]),
        Column("age", [cells.age(row) for row in rows]),
    ]
    return cells.instrument_table(rows, columns, width, cells.desks_above(frame, rows))


if __name__ == "__main__":
    main()
