"""The live table of `mmbot quote`, in a process of its own: `python -m mmbot.cli.screen`.

Reads lines of JSON on stdin: an object is a StatusFrame to draw, a string is printed above the
table. At the end of its input the last table stays on the terminal.
"""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import TypeAdapter
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mmbot.cli.frame import InstrumentRow, StatusFrame
from mmbot.core.why import Why

_MODE_STYLES = {
    "sim": "bold black on cyan",
    "paper": "bold black on yellow",
    "testnet": "bold white on magenta",
    "live": "bold white on red",
}
_MODE_WORDS = {"live": "LIVE: REAL MONEY"}
_QUIET = {Why.QUOTED, Why.IMPROVING, Why.JOINING, Why.LEANING, Why.REFRESH, Why.MOVED}
"""Reasons of normal quoting; the others are highlighted, because a quote is missing or held."""

_GAP = 1
_THE_REST = 52
"""Room for all that comes after the prices, the reason included. Names are judged against it and
not against what is left just now, so that they do not change with every digit of the profit."""

_WHY_LEAST = 14
_CAN_BE_MISSED = ("fair", "delta")
"""What a terminal too narrow for the reasons goes without, in this order."""


def main() -> None:
    """Draw until the input ends."""
    line_type: TypeAdapter[StatusFrame | str] = TypeAdapter(StatusFrame | str)
    console = Console(highlight=False)
    live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
    with _quiet_keyboard(), live:
        for line in sys.stdin.buffer:
            what = line_type.validate_json(line)
            if isinstance(what, str):
                console.print(Text(what))
            else:
                live.update(picture(what, console.width), refresh=True)


@contextmanager
def _quiet_keyboard() -> Iterator[None]:
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
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def picture(frame: StatusFrame, width: int) -> Group:
    """The header and the table of one frame, for a terminal of so many columns."""
    return Group(_header(frame), _table(frame.rows, width))


def _header(frame: StatusFrame) -> Text:
    pnl = frame.pnl
    budget_style = "green" if frame.budget >= frame.budget_full / 2 else "yellow"
    return Text.assemble(
        (f" {_MODE_WORDS.get(frame.mode, frame.mode.upper())} ", _MODE_STYLES[frame.mode]),
        (f" {frame.venue}", "bold"),
        f"  run {frame.run_id}  up {_duration(frame.uptime_s)}  link ",
        (frame.link, "green" if frame.link_ok else "bold red"),
        "  budget ",
        (f"{frame.budget:.0f}/{frame.budget_full:.0f}", budget_style),
        f"  fills {frame.fills}\n PnL ",
        _money(pnl.total_usd, "bold"),
        "  =  spread ",
        _money(pnl.spread_usd),
        "  inventory ",
        _money(pnl.inventory_usd),
        "  fees ",
        _money(-pnl.fees_usd),
        *(("  funding ", _money(pnl.funding_usd)) if pnl.funding_usd else ()),
        (" USD", "dim"),
        ("  open ", "dim"),
        _money(pnl.open_usd, "dim"),
        ("  coin moved ", "dim"),
        _money(pnl.revaluation_usd, "dim"),
    )


@dataclass(slots=True)
class _Column:
    title: str
    cells: list[Text]
    style: str = ""

    @property
    def width(self) -> int:
        return max(len(self.title), *(cell.cell_len for cell in self.cells), 0) + _GAP


def _table(rows: tuple[InstrumentRow, ...], width: int) -> Table:
    """One line an instrument. Where long names and prices would cut the reasons, names are
    shortened, and on a narrow terminal what can be missed makes room."""
    columns = [
        _Column("instrument", [Text(row.instrument) for row in rows]),
        _Column("bid", [Text(_price(row.market_bid, row)) for row in rows]),
        _Column("ask", [Text(_price(row.market_ask, row)) for row in rows]),
        _Column("our bid", [Text(_price(row.our_bid, row)) for row in rows], "green"),
        _Column("our ask", [Text(_price(row.our_ask, row)) for row in rows], "red"),
        _Column("size", [Text(_sizes(row)) for row in rows]),
        _Column("fair", [Text(_fair(row)) for row in rows], "dim"),
        _Column("pos", [_position(row.position) for row in rows]),
        _Column("delta", [_delta(row.delta_coin) for row in rows]),
        _Column("PnL", [_profit(row.pnl_usd) for row in rows]),
        _Column("age", [_age(row.age_s) for row in rows]),
    ]

    if sum(column.width for column in columns[:5]) > width - _THE_REST:
        columns[0] = _without_chain(_short_names(columns[0]))
    for title in _CAN_BE_MISSED:
        if width - sum(column.width for column in columns) < _WHY_LEAST:
            columns = [column for column in columns if column.title != title]

    table = Table(
        box=None, header_style="dim", pad_edge=False, padding=(0, _GAP, 0, 0), width=width
    )
    for column in columns:
        justify: Literal["left", "right"] = "left" if column is columns[0] else "right"
        table.add_column(column.title, justify=justify, no_wrap=True, style=column.style)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
    for place, row in enumerate(rows):
        why = Text(row.why.value, style="dim" if row.why in _QUIET else "yellow")
        table.add_row(*(column.cells[place] for column in columns), why)
    return table


def _short_names(column: _Column) -> _Column:
    """BTC-PERPETUAL as BTC-PERP."""
    cells = [Text(cell.plain.replace("-PERPETUAL", "-PERP")) for cell in column.cells]
    return _Column(column.title, cells)


def _without_chain(column: _Column) -> _Column:
    """What the names of one option chain share goes into the title."""
    chains = {cell.plain.rsplit("-", 2)[0] for cell in column.cells}
    if len(chains) != 1 or any(cell.plain.count("-") < 3 for cell in column.cells):
        return column
    (chain,) = chains
    return _Column(chain, [Text(cell.plain.removeprefix(f"{chain}-")) for cell in column.cells])


def _price(price: Decimal | None, row: InstrumentRow) -> str:
    return "-" if price is None else f"{price:.{_decimals(row)}f}"


def _decimals(row: InstrumentRow) -> int:
    """Enough for every price of the row; four at least for small numbers of coins."""
    shown = [p for p in (row.market_bid, row.market_ask, row.our_bid, row.our_ask) if p is not None]
    least = 4 if all(price < 1 for price in shown) else 0
    return max((least, *(len(f"{price:f}".partition(".")[2]) for price in shown)))


def _fair(row: InstrumentRow) -> str:
    """With the market's decimals; one more for small numbers of coins, none for thousands."""
    if row.fair is None:
        return "-"
    if row.fair >= 1000:
        return f"{row.fair:.0f}"
    return f"{row.fair:.{_decimals(row) + (row.fair < 1)}f}"


def _sizes(row: InstrumentRow) -> str:
    bid, ask = row.our_bid_size, row.our_ask_size
    if bid is None or ask is None or bid == ask:
        size = ask if bid is None else bid
        return "-" if size is None else _plain(size)
    return f"{_plain(bid)}/{_plain(ask)}"


def _plain(amount: Decimal) -> str:
    """Without trailing zeros: 1.0 as 1, 100 as 100."""
    return f"{amount.normalize():f}"


def _position(amount: Decimal) -> Text:
    if not amount:
        return Text("0", style="dim")
    return Text(f"{amount.normalize():+f}", style="bold green" if amount > 0 else "bold red")


def _delta(coin: float | None) -> Text:
    if coin is None:
        return Text("-")
    shown = round(coin, 2)
    return Text(f"{shown:+.2f}") if shown else Text("0", style="dim")


def _profit(usd: float | None) -> Text:
    return Text("-") if usd is None else _money(usd)


def _money(usd: float, style: str = "") -> Text:
    # Rounded before its sign is looked at, so that -0.001 is an uncolored 0.00.
    shown = round(usd, 2 if abs(usd) < 100 else 0) or 0.0
    color = "green" if shown > 0 else "red" if shown < 0 else "dim"
    text = f"{shown:+.0f}" if abs(usd) >= 100 else f"{shown:+.2f}" if shown else "0.00"
    return Text(text, style=f"{style} {color}".strip())


def _age(age_s: float | None) -> Text:
    if age_s is None:
        return Text("-", style="bold red")
    text = f"{age_s:.1f}s" if age_s < 10 else f"{min(age_s, 999):.0f}s"
    return Text(text, style="" if age_s < 3 else "bold red")


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


if __name__ == "__main__":
    main()
