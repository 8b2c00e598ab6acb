"""`mmbot fills report` as tables: profit and quality by line, then what each currency earned."""

import sys
from decimal import Decimal

from mmbot.cli import money_table
from mmbot.cli.fills_pages import (
    PARTS,
    TOTAL,
    By,
    Line,
    Page,
)
from mmbot.cli.pages import show
from mmbot.cli.sums import apportioned, rounded
from mmbot.config import Mode
from mmbot.core.sizes import plain

_COIN_DIGITS = 8


def show_page(page: Page, by: By, check: bool) -> None:
    """Print the report of one mode; with `check`, what reconciliation found."""
    from mmbot.research.fills_report import HORIZONS_S, together

    lines = list(page.lines.values())
    amounts = [{name: line.usd(of) for name, of in PARTS.items()} for line in lines]
    money = money_table.table([{**one, "fees": _minus(one["fees"])} for one in amounts])
    several = len(lines) > 1
    volumes = money_table.column([line.usd_volume() for line in lines], several=several)
    markouts = [
        money_table.column([line.markout(seconds) for line in lines], several=several)
        for seconds in HORIZONS_S
    ]
    if several:
        lines.append(page.total())
    sim = page.mode is Mode.SIM and by is By.DAY
    title = f"{by.value} (sim)" if sim else by.value
    show(
        f"{page.mode.value.upper()}: profit in USD",
        (
            title,
            ">fills",
            ">volume",
            ">spread",
            ">inventory",
            ">funding",
            ">fees",
            ">total",
            ">realized",
            ">unreal.",
        ),
        [
            (
                line.name,
                str(line.count(lambda t: t.fills)),
                _dollars(volumes[place], sign=False),
                *(_dollars(money[place][name]) for name in PARTS),
            )
            for place, line in enumerate(lines)
        ],
    )
    show(
        f"{page.mode.value.upper()}: quality",
        (
            title,
            ">orders",
            ">fill rate",
            ">win rate",
            ">max pos.",
            ">at max",
            *(f">{horizon_s} s" for horizon_s in HORIZONS_S),
        ),
        [
            (
                line.name,
                str(line.count(lambda t: t.orders)),
                _percent(line.rate(lambda t: t.fills - t.not_ours, lambda t: t.orders)),
                _percent(line.rate(lambda t: t.wins, lambda t: t.closings)),
                *(_at_max(line) if by is By.INSTRUMENT and line.name != TOTAL else ("", "")),
                *(_dollars(column[place], unknown="-") for column in markouts),
            )
            for place, line in enumerate(lines)
        ],
    )
    exact = together(tally for line in page.lines.values() for tally in line.sums.values())
    for currency, tally in exact.items():
        pnl = tally.pnl
        parts = (pnl.spread, pnl.inventory, pnl.funding, -pnl.fees)
        shown = apportioned(parts, pnl.total, _COIN_DIGITS)
        spread, inventory, funding, fees = (f"{part:+f}" for part in shown)
        print(
            f"{currency} {rounded(pnl.total, _COIN_DIGITS):+f} = spread {spread}, inventory "
            f"{inventory}, funding {funding}, fees {fees}"
        )
    if check:
        _show_check(page)


def _show_check(page: Page) -> None:
    wrong = [finding for finding in page.findings if finding.agrees is False]
    unsure = [finding for finding in page.findings if finding.agrees is None]
    title = f"{page.mode.value.upper()}: the fill log does not agree"
    show(
        title,
        ("of", "what", ">recomputed", ">stated", ">tolerance"),
        [
            (f.subject, f.what, _number(f.recomputed), _number(f.stated), _number(f.tolerance))
            for f in wrong
        ],
    )
    for finding in unsure:
        print(f"not checked: {finding.what} of {finding.subject}: {finding.note}", file=sys.stderr)
    made = len(page.findings) - len(unsure)
    said = f"{len(wrong)} do not agree" if wrong else "all agree"
    print(f"{page.mode.value.upper()}: {made} comparisons, {said}")


def _at_max(line: Line) -> tuple[str, str]:
    """The largest position, and how much of the time it was held."""
    (tally,) = line.sums.values()
    return plain(tally.max_inventory), _percent(tally.at_max_share)


def _minus(usd: float | None) -> float | None:
    return None if usd is None else -usd


def _dollars(usd: Decimal | None, sign: bool = True, unknown: str = "?") -> str:
    if usd is None:
        return unknown
    return f"{usd:+f}" if sign and usd else f"{usd:f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _number(number: Decimal | None) -> str:
    return "-" if number is None else plain(round(number, 12))
