"""The numbers of the bench, their aims, and how both are shown."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from rich.table import Table

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Aim:
    """What a number is to become: one column of it against a bound."""

    bound: float
    of: str = "p50"
    """`p50` or `blocks`."""
    at_least: bool = False

    def __str__(self) -> str:
        where = "" if self.of == "p50" else f"{self.of} "
        return f"{where}{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Number:
    """One line of the table: a median and a 90th percentile, or the ratios of two contestants.

    `blocks` is the median of the ratios of neighboring blocks (blocks.py).
    """

    group: str
    name: str
    unit: str
    p50: float
    p90: float | None = None
    blocks: float | None = None
    aims: Sequence[Aim] = ()

    def met(self, aim: Aim) -> bool:
        """Whether an aim of this number holds."""
        value = self.blocks if aim.of == "blocks" else self.p50
        if value is None:
            raise ValueError(f"{self.name} has no {aim.of}")
        return value >= aim.bound if aim.at_least else value <= aim.bound


def as_json(numbers: Sequence[Number]) -> list[dict[str, Any]]:
    """The numbers for programs. `met` is whether every aim holds, None without one."""
    return [
        {
            **asdict(number),
            "aims": [{**asdict(aim), "met": number.met(aim)} for aim in number.aims],
            "aim": "; ".join(map(str, number.aims)),
            "met": all(map(number.met, number.aims)) if number.aims else None,
        }
        for number in numbers
    ]


def as_table(numbers: Sequence[Number]) -> Table:
    """The numbers for people, at most WIDTH columns wide."""
    caption = (
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. x: a ratio; blocks: the "
        "median of the ratios of neighboring blocks; guarded: guards watch; fresh: no price twice"
    )
    table = Table(
        *("", "p50", "p90", "blocks", "unit", "aim", ""), title="mmbot bench", caption=caption
    )
    for column in (1, 2, 3):
        table.columns[column].justify = "right"
    for group, members in groupby(numbers, key=lambda number: number.group):
        table.add_section()
        table.add_row(f"[bold]{group}")
        for number in members:
            table.add_row(
                f"  {number.name}",
                *(map(_short, (number.p50, number.p90, number.blocks))),
                number.unit,
                "\n".join(map(str, number.aims)),
                "\n".join(_verdict(number.met(aim)) for aim in number.aims),
            )
    return table


def _verdict(met: bool) -> str:
    return "[green]met[/]" if met else "[red]MISSED[/]"


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
