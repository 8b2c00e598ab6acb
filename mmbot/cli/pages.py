"""Tables and JSON of the reporting commands: 100 columns at most, one object or array."""

import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum

from mmbot.core.sizes import plain

WIDTH_MAX = 100


def show(
    title: str,
    columns: Iterable[str],
    rows: Iterable[tuple[str, ...]],
    alarming: Callable[[tuple[str, ...]], bool] = lambda _: False,
    tint: Callable[[tuple[str, ...]], str] = lambda _: "",
) -> None:
    """Print a table to stdout under its title, nothing when it has no rows. A column whose name
    begins with ">" is set flush right; a row that is alarming is red, another as its tint."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
        )
    for row in rows:
        style = "bold red" if alarming(row) else tint(row)
        table.add_row(*(Text(cell, style) for cell in row))
    if not table.row_count:
        return
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH_MAX) if console.is_terminal else WIDTH_MAX
    if title:
        console.print(Text(f"\n{title}", style="bold"))
    console.print(table)


def print_json(value: object, *, exact: bool = False) -> None:
    """One line of JSON on stdout. Decimals are numbers, or where their digits are documented as
    exact text."""
    import orjson

    default = _plain if exact else _number
    sys.stdout.write(orjson.dumps(value, default=default, option=orjson.OPT_NON_STR_KEYS).decode())
    sys.stdout.write("\n")


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    assert isinstance(value, Decimal), value
    return plain(value)


def _number(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else _plain(value)
