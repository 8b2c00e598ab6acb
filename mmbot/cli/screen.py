"""The live table of `mmbot quote`, in a process of its own: `python -m mmbot.cli.screen`.

Reads lines of JSON on stdin: an object is a StatusFrame to draw, a string is printed above the
table. At the end of its input the last table stays on the terminal.
"""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pydantic import TypeAdapter
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mmbot.cli import cells
from mmbot.cli.cells import Column
from mmbot.cli.frame import InstrumentRow, StatusFrame
from mmbot.cli.streams import let_go, read_or_not


def main() -> None:
    """Draw until the input ends."""
    line_type: TypeAdapter[StatusFrame | str] = TypeAdapter(StatusFrame | str)
    console = Console(highlight=False)
    live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
    with read_or_not(), quiet_keyboard(), live:
        for line in sys.stdin.buffer:
            what = line_type.validate_json(line)
            if isinstance(what, str):
                console.print(Text(what))
            else:
                live.update(picture(what, console.width), refresh=True)
    let_go(sys.stdout)


@contextmanager
def quiet_keyboard() -> Iterator[None]:
    """Do not echo keys (^C above all) into the table. Done here, and not by the bot, because
    this process is there to undo it even if the bot is killed."""
    terminal = sys.stdout.fileno()
    if not os.isatty(terminal):
        yield
        return
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSANOW, silent)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def picture(frame: StatusFrame, width: int) -> Group:
    """The header and the table of one frame, for a terminal of so many columns."""
    return Group(_header(frame), _table(frame.rows, width))


def _header(frame: StatusFrame) -> Text:
    pnl = frame.pnl
    budget_style = "green" if frame.budget >= frame.budget_full / 2 else "yellow"
    return Text.assemble(
        cells.mode(frame.mode),
        (f" {frame.venue}", "bold"),
        f"  run {frame.run_id}  up {cells.duration(frame.uptime_s)}  link ",
        (frame.link, "green" if frame.link_ok else "bold red"),
        "  budget ",
        (f"{frame.budget:.0f}/{frame.budget_full:.0f}", budget_style),
        f"  fills {frame.fills}\n PnL ",
        cells.money(pnl.total_usd, "bold"),
        "  =  spread ",
        cells.money(pnl.spread_usd),
        "  inventory ",
        cells.money(pnl.inventory_usd),
        "  fees ",
        cells.money(-pnl.fees_usd),
        *(("  funding ", cells.money(pnl.funding_usd)) if pnl.funding_usd else ()),
        (" USD", "dim"),
        ("  open ", "dim"),
        cells.money(pnl.open_usd, "dim"),
        ("  coin moved ", "dim"),
        cells.money(pnl.revaluation_usd, "dim"),
        cells.controls(frame.controls, "\n"),
    )


def _table(rows: tuple[InstrumentRow, ...], width: int) -> Table:
    columns = [
        *cells.market_columns(rows),
        Column("size", [Text(cells.sizes(row)) for row in rows]),
        Column("fair", [Text(cells.fair(row)) for row in rows], "dim"),
        Column("pos", [cells.position(row.position) for row in rows]),
        Column("delta", [cells.delta(row.delta_coin) for row in rows]),
        Column("PnL", [cells.profit(row.pnl_usd) for row in rows]),
        Column("age", [cells.age(row.age_s) for row in rows]),
    ]
    return cells.instrument_table(rows, columns, width)


if __name__ == "__main__":
    main()
