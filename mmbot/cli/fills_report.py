"""`mmbot fills report`: what the fills came to, and whether the venue agrees."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli import money_table
from mmbot.cli.export import EPOCH
from mmbot.cli.pages import plain, print_json, show
from mmbot.cli.sums import apportioned, rounded
from mmbot.cli.wanted import (
    DeskFile,
    InstrumentName,
    Json,
    ModeName,
    RunName,
    Since,
    StoreUrl,
    Until,
    one_of,
    wanted,
)
from mmbot.config import Mode
from mmbot.errors import ExitCode

if TYPE_CHECKING:
    from mmbot.cli.past import AccountPast
    from mmbot.cli.wanted import Wanted
    from mmbot.research.fills_report import Group, Tally
    from mmbot.research.reconcile import Finding


DAY_MS = 86_400_000


class By(Enum):
    """What a line of the report is."""

    INSTRUMENT = "instrument"
    DAY = "day"
    RUN = "run"


def report(
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="A line an instrument, day or run.")
    ] = "instrument",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Recompute positions from the fills and compare profit with the venue's equity.",
        ),
    ] = False,
    since: Since = None,
    until: Until = None,
    instrument: InstrumentName = None,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what the fills came to: profit, volume, fees, rates and markouts, in USD.

    total = realized + unrealized = spread + inventory + funding + fees, where fees that were paid
    are below zero. "Spread" is what fills earned against the mark of their moment, "inventory" what
    held positions earned as the mark moved; realized is net of fees. Fill rate: fills per order
    that reached the venue. Win rate: share of the fills and deliveries that closed something and
    earned more than their fee. Markouts: what the fills were worth 1, 10 and 60 s later, before
    fees. USD at the last known index; what the account's coins earned by their own price is not in
    here.

    --check looks at whole accounts, whatever --since and --until say, and ends with exit code 1
    when something does not agree.

    --json: numbers, of which fees are positive where they were paid; in "currencies" and in the
    findings of --check they are exact, as text.
    """
    what = one_of(By, by, "grouping", "--by")
    asked = wanted(since, until, instrument, run, mode, config, store)
    pages = _pages(asked, what, check)
    if not json and not check:
        asked.refuse_nothing(any(page.lines for page in pages.values()))
    if json:
        print_json([_object(page, what, check) for page in pages.values()], exact=True)
    else:
        for page in pages.values():
            _show(page, what, check)
        if not any(page.lines for page in pages.values()):
            print(f"no fill in {asked.names}", file=sys.stderr)
    if not check:
        asked.refuse_nothing(any(page.lines for page in pages.values()))
    if any(finding.agrees is False for page in pages.values() for finding in page.findings):
        raise typer.Exit(ExitCode.CHECK_FAILED)


# --- gathering --------------------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """One line: its tallies by settlement currency."""

    name: str
    sums: "dict[str, Tally]" = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """The report of one mode."""

    mode: Mode
    lines: dict[str, Line] = field(default_factory=dict)
    findings: "list[Finding]" = field(default_factory=list)


def _pages(asked: "Wanted", by: By, check: bool) -> dict[Mode, Page]:
    from mmbot.cli.past import accounts
    from mmbot.core.labels import base36
    from mmbot.research.fills_report import Tally, tallies

    pages: dict[Mode, Page] = {}
    for account in accounts(asked):
        page = pages.setdefault(account.seat.mode, Page(account.seat.mode))
        for name in account.unknown:
            print(f"{name}: left out, no contract terms are on file for it", file=sys.stderr)
        for past in account.pasts.values():
            if asked.fills.instrument not in (None, past.instrument.name, past.instrument.id):
                continue
            group = _group(asked, by, past.instrument.name)
            for title, tally in tallies(past, group).items():
                line = page.lines.setdefault(title, Line(title))
                line.sums.setdefault(tally.currency, Tally(tally.currency)).add(tally)
        group_of_day = _days(asked)
        for count in account.orders:
            past_of = account.pasts.get(count.instrument)
            if past_of is None or group_of_day(count.day, count.run) is None:
                continue
            names = {
                By.INSTRUMENT: past_of.instrument.name,
                By.DAY: _day(count.day * DAY_MS),
                By.RUN: base36(count.run),
            }
            placed_on = page.lines.get(names[by])
            if placed_on is not None and past_of.instrument.settlement in placed_on.sums:
                placed_on.sums[past_of.instrument.settlement].orders += count.orders
        if check:
            page.findings += _findings(account, asked)
    for page in pages.values():
        page.lines = {
            name: line
            for name, line in sorted(page.lines.items())
            if any(t.fills or t.orders or t.pnl.total or t.pnl.fees for t in line.sums.values())
        }
    return pages


def _group(asked: "Wanted", by: By, instrument: str) -> "Group":
    from mmbot.core.labels import base36

    since_ms, until_ms, only = asked.fills.since_ms, asked.fills.until_ms, asked.fills.run

    def group(ms: int, run: int) -> str | None:
        if (since_ms is not None and ms < since_ms) or (until_ms is not None and ms >= until_ms):
            return None
        if only is not None and run != only:
            return None
        if by is By.INSTRUMENT:
            return instrument
        return _day(ms) if by is By.DAY else base36(run)

    return group


def _days(asked: "Wanted") -> "Group":
    """The same question for a whole day, which counts when any part of it is asked for."""
    since_ms, until_ms, only = asked.fills.since_ms, asked.fills.until_ms, asked.fills.run

    def group(day: int, run: int) -> str | None:
        before = since_ms is not None and (day + 1) * DAY_MS <= since_ms
        after = until_ms is not None and day * DAY_MS >= until_ms
        return None if before or after or only not in (None, run) else ""

    return group


def _day(ms: int) -> str:
    return f"{EPOCH + timedelta(milliseconds=ms):%Y-%m-%d}"


def _findings(account: "AccountPast", asked: "Wanted") -> "list[Finding]":
    from mmbot.core.labels import base36
    from mmbot.research import reconcile

    found: list[Finding] = []
    for past in account.pasts.values():
        found += reconcile.positions(past, account.positions.get(past.instrument.id))
    for run in account.runs:
        if asked.fills.run not in (None, run):
            continue
        stated = [row for row in account.equity if row.run == run]
        for currency in dict.fromkeys(row.equity.currency for row in stated):
            pasts = [p for p in account.pasts.values() if p.instrument.settlement == currency]
            of_currency = [row for row in stated if row.equity.currency == currency]
            subject = f"run {base36(run)} {currency}"
            found.append(reconcile.equity(subject, currency, pasts, of_currency, account.entries))
    return found


# --- showing ----------------------------------------------------------------------------------


def _show(page: Page, by: By, check: bool) -> None:
    from mmbot.research.fills_report import HORIZONS_S, together

    lines = list(page.lines.values())
    amounts = [{name: _usd(line, of) for name, of in _PARTS.items()} for line in lines]
    money = money_table.table([{**one, "fees": _minus(one["fees"])} for one in amounts])
    several = len(lines) > 1
    volumes = money_table.column([_usd_volume(line) for line in lines], several=several)
    markouts = [
        money_table.column([_markout(line, seconds) for line in lines], several=several)
        for seconds in HORIZONS_S
    ]
    if several:
        lines.append(_total(page))
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
                str(_count(line, lambda t: t.fills)),
                _dollars(volumes[place], sign=False),
                *(_dollars(money[place][name]) for name in _PARTS),
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
                str(_count(line, lambda t: t.orders)),
                _percent(_rate(line, lambda t: t.fills - t.not_ours, lambda t: t.orders)),
                _percent(_rate(line, lambda t: t.wins, lambda t: t.closings)),
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


TOTAL = "total"
_COIN_DIGITS = 8

_PARTS: "dict[str, Callable[[Tally], Decimal]]" = {
    "spread": lambda t: t.pnl.spread,
    "inventory": lambda t: t.pnl.inventory,
    "funding": lambda t: t.pnl.funding,
    "fees": lambda t: t.pnl.fees,
    "total": lambda t: t.pnl.total,
    "realized": lambda t: t.pnl.realized,
    "unrealized": lambda t: t.pnl.unrealized,
}


def _total(page: Page) -> Line:
    from mmbot.research.fills_report import together

    every = (tally for line in page.lines.values() for tally in line.sums.values())
    return Line(TOTAL, together(every))


def _usd(line: Line, of: "Callable[[Tally], Decimal]") -> float | None:
    from mmbot.research.fills_report import in_usd

    return in_usd(line.sums, of)


def _usd_volume(line: Line) -> float:
    return float(sum(tally.volume_usd for tally in line.sums.values()))


def _count(line: Line, of: "Callable[[Tally], int]") -> int:
    return sum(of(tally) for tally in line.sums.values())


def _rate(
    line: Line, part: "Callable[[Tally], int]", whole: "Callable[[Tally], int]"
) -> float | None:
    of = _count(line, whole)
    return _count(line, part) / of if of else None


def _at_max(line: Line) -> tuple[str, str]:
    """The largest position, and how much of the time it was held."""
    (tally,) = line.sums.values()
    return plain(tally.max_inventory), _percent(tally.at_max_share)


def _markout(line: Line, horizon_s: int) -> float | None:
    """None where no mark is known so long after any of its fills."""
    if not _count(line, lambda t: t.markouts[horizon_s].fills):
        return None
    return _usd(line, lambda t: t.markouts[horizon_s].money)


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


def _object(page: Page, by: By, check: bool) -> dict[str, Any]:
    lines = [_line_object(line, by is By.INSTRUMENT) for line in page.lines.values()]
    said: dict[str, Any] = {
        "mode": page.mode,
        "by": by,
        "lines": lines,
        "total": _line_object(_total(page), False),
    }
    if check:
        said["check"] = {
            "ok": all(finding.agrees is not False for finding in page.findings),
            "findings": [asdict(finding) for finding in page.findings],
        }
    return said


def _line_object(line: Line, one_instrument: bool) -> dict[str, Any]:
    from mmbot.research.fills_report import HORIZONS_S

    said: dict[str, Any] = {
        "name": line.name,
        "fills": _count(line, lambda t: t.fills),
        "not_ours": _count(line, lambda t: t.not_ours),
        "orders": _count(line, lambda t: t.orders),
        "volume_usd": _usd_volume(line),
        "usd": {name: _usd(line, of) for name, of in _PARTS.items()},
        "fill_rate": _rate(line, lambda t: t.fills - t.not_ours, lambda t: t.orders),
        "win_rate": _rate(line, lambda t: t.wins, lambda t: t.closings),
        "markouts_usd": {str(seconds): _markout_object(line, seconds) for seconds in HORIZONS_S},
        "currencies": {name: asdict(tally.pnl) for name, tally in line.sums.items()},
    }
    if one_instrument:
        (tally,) = line.sums.values()
        said |= {
            "volume": float(tally.volume),
            "max_position": float(tally.max_inventory),
            "at_max_s": tally.at_max_s,
            "at_max_share": tally.at_max_share,
        }
    return said


def _markout_object(line: Line, horizon_s: int) -> dict[str, Any]:
    return {
        "total": _usd(line, lambda t: t.markouts[horizon_s].money),
        "fills": _count(line, lambda t: t.markouts[horizon_s].fills),
    }
