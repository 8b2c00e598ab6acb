"""The live table of `mmbot quote`, in a process of its own: `python -m mmbot.cli.screen`.

Reads lines of JSON on stdin: an object is a StatusFrame to draw, a string is printed above the
table. At the end of its input the last table stays on the terminal.
"""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

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
_QUIET = {Why.QUOTED, Why.IMPROVING, Why.JOINING, Why.LEANING, Why.REFRESH, Why.MOVED}
"""Reasons of normal quoting; the others are highlighted, because a quote is missing or held."""


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
                live.update(picture(what), refresh=True)


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


def picture(frame: StatusFrame) -> Group:
    """The header and the table of one frame."""
    return Group(_header(frame), _table(frame.rows))


def _header(frame: StatusFrame) -> Text:
    pnl = frame.pnl
    budget_style = "green" if frame.budget >= frame.budget_full / 2 else "yellow"
    return Text.assemble(
        (f" {frame.mode.upper()} ", _MODE_STYLES[frame.mode]),
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
        (" USD", "dim"),
    )


def _table(rows: tuple[InstrumentRow, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column("instrument", no_wrap=True, min_width=12)
    for name, style in (
        ("bid", ""),
        ("ask", ""),
        ("our bid", "green"),
        ("our ask", "red"),
        ("size", ""),
        ("fair", "dim"),
        ("pos", ""),
        ("delta", ""),
        ("PnL", ""),
        ("age", ""),
    ):
        table.add_column(name, justify="right", no_wrap=True, style=style)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1, min_width=10)
    for row in rows:
        table.add_row(
            row.instrument,
            _price(row.market_bid, row),
            _price(row.market_ask, row),
            _price(row.our_bid, row),
            _price(row.our_ask, row),
            _sizes(row),
            _fair(row),
            _position(row.position),
            "-" if row.delta_coin is None else _delta(row.delta_coin),
            "-" if row.pnl_usd is None else _money(row.pnl_usd),
            _age(row.age_s),
            Text(row.why.value, style="dim" if row.why in _QUIET else "yellow"),
        )
    return table


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


def _delta(coin: float) -> Text:
    shown = round(coin, 2)
    return Text(f"{shown:+.2f}") if shown else Text("0", style="dim")


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
