"""How values look in the tables for people: prices, positions, money, ages, and names that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rich.table import Table
from rich.text import Text

from mmbot.cli.frame import InstrumentRow
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
_PRICED = 5
"""Columns of names and prices, which come first."""

_THE_REST = 52
"""Room for all that comes after the prices, the reason included. Names are judged against it and
not against what is left just now, so that they do not change with every digit of the profit."""

_WHY_LEAST = 14
_CAN_BE_MISSED = ("fair", "delta")
"""What a terminal too narrow for the reasons goes without, in this order."""


@dataclass(slots=True)
class Column:
    """A title and one cell a row."""

    title: str
    cells: list[Text]
    style: str = ""

    @property
    def width(self) -> int:
        """Of its widest cell, with the gap behind it."""
        return max(len(self.title), *(cell.cell_len for cell in self.cells), 0) + _GAP


def market_columns(rows: Sequence[InstrumentRow]) -> list[Column]:
    """Names, the market and our quotes: what every table of instruments begins with."""
    return [
        Column("instrument", [Text(row.instrument) for row in rows]),
        Column("bid", [Text(price(row.market_bid, row)) for row in rows]),
        Column("ask", [Text(price(row.market_ask, row)) for row in rows]),
        Column("our bid", [Text(price(row.our_bid, row)) for row in rows], "green"),
        Column("our ask", [Text(price(row.our_ask, row)) for row in rows], "red"),
    ]


def instrument_table(rows: Sequence[InstrumentRow], columns: list[Column], width: int) -> Table:
    """One line an instrument, the reason last. Where long names and prices would cut the reasons,
    names are shortened, and on a narrow terminal what can be missed makes room."""
    if sum(column.width for column in columns[:_PRICED]) > width - _THE_REST:
        columns = [_without_chain(_short_names(columns[0])), *columns[1:]]
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


def _short_names(column: Column) -> Column:
    """BTC-PERPETUAL as BTC-PERP."""
    cells = [Text(cell.plain.replace("-PERPETUAL", "-PERP")) for cell in column.cells]
    return Column(column.title, cells)


def _without_chain(column: Column) -> Column:
    """What the names of one option chain share goes into the title."""
    chains = {cell.plain.rsplit("-", 2)[0] for cell in column.cells}
    if len(chains) != 1 or any(cell.plain.count("-") < 3 for cell in column.cells):
        return column
    (chain,) = chains
    return Column(chain, [Text(cell.plain.removeprefix(f"{chain}-")) for cell in column.cells])


# --- single values ----------------------------------------------------------------------------


def mode(name: str) -> tuple[str, str]:
    """Where the quoting goes, as a badge: text and style."""
    return f" {_MODE_WORDS.get(name, name.upper())} ", _MODE_STYLES[name]


def price(value: Decimal | None, row: InstrumentRow) -> str:
    """A price with the decimals of its row."""
    return "-" if value is None else f"{value:.{_decimals(row)}f}"


def _decimals(row: InstrumentRow) -> int:
    """Enough for every price of the row; four at least for small numbers of coins."""
    shown = [p for p in (row.market_bid, row.market_ask, row.our_bid, row.our_ask) if p is not None]
    least = 4 if all(one < 1 for one in shown) else 0
    return max((least, *(len(f"{one:f}".partition(".")[2]) for one in shown)))


def fair(row: InstrumentRow) -> str:
    """With the market's decimals; one more for small numbers of coins, none for thousands."""
    if row.fair is None:
        return "-"
    if row.fair >= 1000:
        return f"{row.fair:.0f}"
    return f"{row.fair:.{_decimals(row) + (row.fair < 1)}f}"


def sizes(row: InstrumentRow) -> str:
    """Of our bid and ask; one number where they agree."""
    bid, ask = row.our_bid_size, row.our_ask_size
    if bid is None or ask is None or bid == ask:
        size = ask if bid is None else bid
        return "-" if size is None else plain(size)
    return f"{plain(bid)}/{plain(ask)}"


def plain(amount: Decimal) -> str:
    """Without trailing zeros: 1.0 as 1, 100 as 100."""
    return f"{amount.normalize():f}"


def position(amount: Decimal) -> Text:
    """Signed and colored."""
    if not amount:
        return Text("0", style="dim")
    return Text(f"{amount.normalize():+f}", style="bold green" if amount > 0 else "bold red")


def delta(coin: float | None) -> Text:
    """Coins, to two decimals."""
    if coin is None:
        return Text("-")
    shown = round(coin, 2)
    return Text(f"{shown:+.2f}") if shown else Text("0", style="dim")


def profit(usd: float | None) -> Text:
    """Money, where it is known."""
    return Text("-") if usd is None else money(usd)


def money(usd: float, style: str = "") -> Text:
    """Signed and colored; whole dollars from a hundred on."""
    # Rounded before its sign is looked at, so that -0.001 is an uncolored 0.00.
    shown = round(usd, 2 if abs(usd) < 100 else 0) or 0.0
    color = "green" if shown > 0 else "red" if shown < 0 else "dim"
    text = f"{shown:+.0f}" if abs(usd) >= 100 else f"{shown:+.2f}" if shown else "0.00"
    return Text(text, style=f"{style} {color}".strip())


def age(age_s: float | None) -> Text:
    """Seconds since a sign of life; red from three on."""
    if age_s is None:
        return Text("-", style="bold red")
    text = f"{age_s:.1f}s" if age_s < 10 else f"{min(age_s, 999):.0f}s"
    return Text(text, style="" if age_s < 3 else "bold red")


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def controls(said: Sequence[str], before: str = "") -> Text:
    """What a person has changed while the engine runs, behind `before`; nothing without any."""
    return Text(f"{before} changed: {'; '.join(said)}", style="yellow") if said else Text()
