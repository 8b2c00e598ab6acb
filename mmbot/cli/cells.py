"""How values look in the tables for people: prices, positions, money, ages, and names that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmbot.core.sizes import plain
from mmbot.core.why import Why
from mmbot.engine.status import InstrumentRow, StatusFrame

_MODE_STYLES = {
    "sim": "bold black on cyan",
    "paper": "bold black on yellow",
    "testnet": "bold white on magenta",
    "live": "bold white on red",
}
_MODE_WORDS = {"live": "LIVE: REAL MONEY"}
_QUIET = {
    Why.QUOTED,
    Why.IMPROVING,
    Why.JOINING,
    Why.SKEWED,
    Why.REFRESH,
    Why.MOVED,
    Why.NOT_QUOTED,
}
"""Reasons of normal quoting; the others are highlighted, because a quote is missing or held."""

_GAP = 1
_PRICED = 5
"""Columns of names and prices, which come first."""

_THE_REST = 52
"""Room for all that comes after the prices, the reason included. Names are judged against it and
not against what is left just now, so that they do not change with every digit of the profit."""

_CONSOLE = Console()
"""For breaking lines; nothing is printed on it."""

_WORD = 8
_WHY_LEAST = 14
_WHY_MOST = 24
"""Room for one side's reason, whatever it is."""

SIZE = "size"
WORTH = "~USD"
"""What a size is worth: the header says it of one unit."""

NO_DESK = "no desk"
"""Stands above what is only held."""

_CAN_BE_MISSED = ("fair", "delta", "age")
"""What a terminal too narrow for the reasons of the moment goes without, in this order."""


@dataclass(slots=True)
class Column:
    """A title and one cell a row."""

    title: str
    cells: list[Text]
    style: str = ""
    least: int = 0
    """What else has to fit into it."""

    @property
    def width(self) -> int:
        """Of its widest cell, with the gap behind it."""
        return max(len(self.title), self.least, *(cell.cell_len for cell in self.cells), 0) + _GAP


def by_desk(rows: Sequence[InstrumentRow]) -> list[InstrumentRow]:
    """The rows of every desk together, desks in the order of their first row, and what is only held
    last."""
    places = {desk: place for place, desk in enumerate(dict.fromkeys(row.desk for row in rows))}
    return sorted(rows, key=lambda row: (row.desk == "", places[row.desk]))


def desks_above(frame: StatusFrame, rows: Sequence[InstrumentRow]) -> list[str]:
    """The desk of every row where a frame has several; none otherwise."""
    return [row.desk for row in rows] if len(frame.desks) > 1 else []


def market_columns(rows: Sequence[InstrumentRow]) -> list[Column]:
    """Names, the market and our quotes: what every table of instruments begins with."""
    return [
        Column("instrument", [Text(row.instrument) for row in rows]),
        Column("bid", [Text(price(row.market_bid, row)) for row in rows]),
        Column("ask", [Text(price(row.market_ask, row)) for row in rows]),
        Column("our bid", [Text(price(row.our_bid, row)) for row in rows], "green"),
        Column("our ask", [Text(price(row.our_ask, row)) for row in rows], "red"),
    ]


@dataclass(frozen=True, slots=True)
class InstrumentTable:
    """The rows of a table as text, all of them laid out alike, whichever are shown."""

    columns: list[Column]
    reasons: list[Text]
    width: int
    last: str = "why"
    """The title above the reasons."""
    desks: Sequence[str] = ()
    """Of every row, where a line with the desk stands above those of each; none otherwise."""

    @property
    def heights(self) -> list[int]:
        """Of every row, in lines."""
        return [
            reason.plain.count("\n") + 1 + (self._above(place, 0) is not None)
            for place, reason in enumerate(self.reasons)
        ]

    def _above(self, place: int, first: int) -> str | None:
        """The desk that is named above a row, where the table is shown from `first` on."""
        if not self.desks:
            return None
        desk = self.desks[place]
        if place != first and desk == self.desks[place - 1]:
            return None
        return desk or NO_DESK

    def __rich__(self) -> Table:
        return self.lines()

    def lines(self, first: int = 0, last: int | None = None) -> Table:
        """The rows from `first` up to but without `last`, under their titles."""
        table = Table(
            box=None, header_style="dim", pad_edge=False, padding=(0, _GAP, 0, 0), width=self.width
        )
        for column in self.columns:
            justify: Literal["left", "right"] = "left" if column is self.columns[0] else "right"
            table.add_column(column.title, justify=justify, no_wrap=True, style=column.style)
        table.add_column(self.last, no_wrap=True, overflow="ellipsis", ratio=1)
        for place in range(len(self.reasons))[first:last]:
            cells = [*(column.cells[place] for column in self.columns), self.reasons[place]]
            desk = self._above(place, first)
            if desk is not None:
                above = [Text(desk, "bold"), *(Text() for _ in cells[1:])]
                cells = [Text("\n").join(pair) for pair in zip(above, cells, strict=True)]
            table.add_row(*cells)
        return table


def instrument_table(
    rows: Sequence[InstrumentRow], columns: list[Column], width: int, desks: Sequence[str] = ()
) -> InstrumentTable:
    """One line an instrument, the reason last. Where long names and prices would cut the reasons,
    names are shortened, what can be missed makes room, and two reasons take two lines. `desks`: as
    in InstrumentTable."""
    columns = [_with_room(columns[0], desks), *columns[1:]]
    if sum(column.width for column in columns[:_PRICED]) > width - _THE_REST:
        columns = [_without_chain(_short_names(columns[0])), *columns[1:]]
    now = max((line.cell_len for row in rows for line in _stacked(row)), default=0)
    for title, least in ((WORTH, _WHY_MOST), *((title, now) for title in _CAN_BE_MISSED)):
        if width - sum(column.width for column in columns) < max(least, _WHY_LEAST):
            columns = [column for column in columns if column.title != title]
    if width - sum(column.width for column in columns) < _WORD:
        columns = [column for column in columns if column.title != SIZE]
    room = width - sum(column.width for column in columns)
    return InstrumentTable(columns, [reason(row, room) for row in rows], width, desks=desks)


def _with_room(column: Column, desks: Sequence[str]) -> Column:
    """The names, with room for those of the desks above them."""
    least = max((len(desk or NO_DESK) for desk in desks), default=0)
    return Column(column.title, column.cells, column.style, least)


def reason(row: InstrumentRow, room: int | None = None) -> Text:
    """Why a row is quoted as it is. Where bid and ask differ, both are told; where they do not
    fit, the one that is no ordinary quoting, or each on lines of its own. Nothing is cut."""
    lines = _stacked(row)
    whole = Text(", ").join(lines)
    if room is None or whole.cell_len <= room:
        return whole
    if len(lines) == 2:
        odd = [line for line, why in zip(lines, _sides(row), strict=True) if why not in _QUIET]
        lines = odd if len(odd) == 1 else lines
    broken = [part for line in lines for part in line.wrap(_CONSOLE, max(room, _WORD))]
    return Text("\n").join(broken)


def _sides(row: InstrumentRow) -> tuple[Why, Why]:
    return row.worth_saying.get("buy", row.why), row.worth_saying.get("sell", row.why)


def _stacked(row: InstrumentRow) -> list[Text]:
    bid, ask = _sides(row)
    if bid is ask:
        return [_one_reason(bid)]
    return [Text("bid ").append_text(_one_reason(bid)), Text("ask ").append_text(_one_reason(ask))]


def _one_reason(why: Why) -> Text:
    return Text(why.value, style="dim" if why in _QUIET else "yellow")


def _short_names(column: Column) -> Column:
    """BTC-PERPETUAL as BTC-PERP."""
    cells = [Text(cell.plain.replace("-PERPETUAL", "-PERP")) for cell in column.cells]
    return Column(column.title, cells, least=column.least)


def _without_chain(column: Column) -> Column:
    """What the names of one option chain share goes into the title."""
    chains = {cell.plain.rsplit("-", 2)[0] for cell in column.cells}
    if len(chains) != 1 or any(cell.plain.count("-") < 3 for cell in column.cells):
        return column
    (chain,) = chains
    short = [Text(cell.plain.removeprefix(f"{chain}-")) for cell in column.cells]
    return Column(chain, short, least=column.least)


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


def size_columns(rows: Sequence[InstrumentRow]) -> list[Column]:
    """Sizes of our quotes, with their unit where the rows' differ, and what they are worth."""
    units = {row.unit for row in rows if row.quoted}
    shown = [sizes(row) for row in rows]
    if len(units) > 1:
        pairs = zip(shown, rows, strict=True)
        shown = [f"{text} {row.unit}" if text != "-" else text for text, row in pairs]
    columns = [Column(SIZE, [Text(text) for text in shown])]
    if units == {"USD"}:
        return columns
    return [*columns, Column(WORTH, [Text(_worth(row)) for row in rows], "dim")]


def _worth(row: InstrumentRow) -> str:
    size = row.our_bid_size if row.our_bid_size is not None else row.our_ask_size
    if size is None or row.unit_usd is None:
        return "-"
    return dollars(float(size) * row.unit_usd)


def sizes(row: InstrumentRow) -> str:
    """Of our bid and ask; one number where they agree."""
    bid, ask = row.our_bid_size, row.our_ask_size
    if bid is None or ask is None or bid == ask:
        size = ask if bid is None else bid
        return "-" if size is None else plain(size)
    return f"{plain(bid)}/{plain(ask)}"


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


def profit(usd: Decimal | None) -> Text:
    """Money, where it is known."""
    return Text("-") if usd is None else cash(usd)


def cash(usd: Decimal, style: str = "") -> Text:
    """Money as it was rounded (cli.sums): signed and colored."""
    color = "green" if usd > 0 else "red" if usd < 0 else "dim"
    return Text(f"{usd:+f}" if usd else f"{usd:f}", style=f"{style} {color}".strip())


def dollars(usd: float) -> str:
    """What something is worth, to the dollar; small things to the cent."""
    return f"{usd:,.0f}" if abs(usd) >= 100 else f"{usd:,.2f}"


def holding(amount: Decimal) -> str:
    """An amount of a currency, of which nobody needs the last digit."""
    return f"{amount:,.0f}" if abs(amount) >= 10_000 else plain(round(amount, 4))


def age(row: InstrumentRow) -> Text:
    """Seconds since a sign of life; red from three on, where something is quoted on it."""
    if row.age_s is None:
        return Text("-", style="bold red" if row.quoted else "dim")
    text = f"{row.age_s:.1f}s" if row.age_s < 10 else f"{min(row.age_s, 999):.0f}s"
    return Text(text, style="dim" if not row.quoted else "" if row.age_s < 3 else "bold red")


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def controls(said: Sequence[str]) -> Text:
    """What a person has changed while the engine runs."""
    return Text(f"changed: {'; '.join(said)}", style="yellow")
