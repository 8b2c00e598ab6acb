"""A table of profits whose lines and columns add up as they are shown (cli.sums).

Every line's total is its part of the total of all; its parts are parts of that, and so are what is
realized and what is not. The last line is the sum of those above it.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from mmbot.cli.sums import apportioned, digits_for, rounded

PARTS = ("spread", "inventory", "funding", "fees")
"""What a total is made of; fees are below zero where they were paid."""

HELD = ("realized", "unrealized")
"""And made of once more."""

TOTAL = "total"

Amounts = Mapping[str, float | None]
"""USD by name; None where no index is known."""


def table(lines: Sequence[Amounts]) -> list[dict[str, Decimal | None]]:
    """Of every line, then of all together where there are several. None: unknown, and so is the
    sum of what is unknown in part."""
    known = [line for line in lines if None not in line.values()]
    exact = [{name: usd or 0.0 for name, usd in line.items()} for line in known]
    digits = digits_for(*(usd for line in exact for usd in line.values()))
    totals = [line[TOTAL] for line in exact]
    together = sum(totals)
    rows = []
    for line, total in zip(exact, apportioned(totals, together, digits), strict=True):
        row: dict[str, Decimal | None] = {TOTAL: total}
        for names in (PARTS, HELD):
            shown = apportioned([line[name] for name in names], float(total), digits)
            row |= zip(names, shown, strict=True)
        rows.append(row)
    unknown: dict[str, Decimal | None] = dict.fromkeys((TOTAL, *PARTS, *HELD))
    found = iter(rows)
    told = [next(found) if line in known else unknown for line in lines]
    if len(lines) == 1:
        return told
    if len(known) < len(lines):
        return [*told, unknown]
    nothing = rounded(0, digits)
    sums = {name: sum((row[name] or nothing for row in rows), nothing) for name in unknown}
    return [*told, dict(sums)]


def column(amounts: Sequence[float | None], *, several: bool) -> list[Decimal | None]:
    """One column by itself, with its sum last where there are `several` lines."""
    known = [usd for usd in amounts if usd is not None]
    total = sum(known)
    digits = digits_for(total, *known)
    shown = iter(apportioned(known, total, digits))
    told = [None if usd is None else next(shown) for usd in amounts]
    return [*told, rounded(total, digits)] if several else told
