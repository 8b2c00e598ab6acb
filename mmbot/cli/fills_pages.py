"""The numbers of `mmbot fills report`: a page a mode, a line an instrument, a day or a run."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from mmbot.cli.export import EPOCH
from mmbot.config import Mode
from mmbot.core.types import InstrumentId, told_apart

if TYPE_CHECKING:
    from mmbot.cli.past import AccountPast
    from mmbot.cli.wanted import Wanted
    from mmbot.research.fills_report import Group, Tally
    from mmbot.research.reconcile import Finding

Names = Mapping[InstrumentId, str]
"""What people call the instruments of all accounts that are asked for."""

DAY_MS = 86_400_000
TOTAL = "total"

PARTS: "dict[str, Callable[[Tally], Decimal]]" = {
    "spread": lambda t: t.pnl.spread,
    "inventory": lambda t: t.pnl.inventory,
    "funding": lambda t: t.pnl.funding,
    "fees": lambda t: t.pnl.fees,
    "total": lambda t: t.pnl.total,
    "realized": lambda t: t.pnl.realized,
    "unrealized": lambda t: t.pnl.unrealized,
}


class By(Enum):
    """What a line of the report is."""

    INSTRUMENT = "instrument"
    DAY = "day"
    RUN = "run"


@dataclass(slots=True)
class Line:
    """One line: its tallies by settlement currency."""

    name: str
    sums: "dict[str, Tally]" = field(default_factory=dict)

    def usd(self, of: "Callable[[Tally], Decimal]") -> float | None:
        """A number in USD; None where a currency's rate is not known."""
        from mmbot.research.fills_report import in_usd

        return in_usd(self.sums, of)

    def usd_volume(self) -> float:
        """The volume traded, in USD."""
        return float(sum(tally.volume_usd for tally in self.sums.values()))

    def count(self, of: "Callable[[Tally], int]") -> int:
        """A number of things, all currencies together."""
        return sum(of(tally) for tally in self.sums.values())

    def rate(self, part: "Callable[[Tally], int]", whole: "Callable[[Tally], int]") -> float | None:
        """The share that one count has of another; None where there is nothing to share."""
        of = self.count(whole)
        return self.count(part) / of if of else None

    def markout(self, horizon_s: int) -> float | None:
        """None where no mark is known so long after any of its fills."""
        if not self.count(lambda t: t.markouts[horizon_s].fills):
            return None
        return self.usd(lambda t: t.markouts[horizon_s].money)


@dataclass(slots=True)
class Page:
    """The report of one mode."""

    mode: Mode
    lines: dict[str, Line] = field(default_factory=dict)
    findings: "list[Finding]" = field(default_factory=list)

    def total(self) -> Line:
        """Every line together."""
        from mmbot.research.fills_report import together

        every = (tally for line in self.lines.values() for tally in line.sums.values())
        return Line(TOTAL, together(every))


def gathered(asked: "Wanted", by: By, check: bool) -> dict[Mode, Page]:
    """The report of every mode that is asked for; with `check`, what reconciliation found too."""
    from mmbot.cli.past import accounts

    pages: dict[Mode, Page] = {}
    found = list(accounts(asked))
    named = told_apart(name for account in found for name in account.pasts)
    shared = Counter(run for account in found for run in account.runs)
    for account in found:
        page = pages.setdefault(account.account_key.mode, Page(account.account_key.mode))
        for name in account.unknown:
            print(f"{name}: left out, no contract terms are on file for it", file=sys.stderr)
        _add_fills(page, account, asked, by, named)
        _add_orders(page, account, asked, by, named)
        if check:
            page.findings += _findings(account, asked, named, shared)
    for page in pages.values():
        page.lines = {
            name: line
            for name, line in sorted(page.lines.items())
            if any(t.fills or t.orders or t.pnl.total or t.pnl.fees for t in line.sums.values())
        }
    return pages


def _add_fills(page: Page, account: "AccountPast", asked: "Wanted", by: By, named: Names) -> None:
    from mmbot.research.fills_report import Tally, tallies

    for past in account.pasts.values():
        if asked.fills.instrument not in (None, past.instrument.name, past.instrument.id):
            continue
        group = _group(asked, by, named[past.instrument.id])
        for title, tally in tallies(past, group).items():
            line = page.lines.setdefault(title, Line(title))
            line.sums.setdefault(tally.currency, Tally(tally.currency)).add(tally)


def _add_orders(page: Page, account: "AccountPast", asked: "Wanted", by: By, named: Names) -> None:
    """How many orders were placed, on the lines that have fills."""
    from mmbot.core.labels import base36

    group_of_day = _days(asked)
    for count in account.orders:
        past_of = account.pasts.get(count.instrument)
        if past_of is None or group_of_day(count.day, count.run) is None:
            continue
        names = {
            By.INSTRUMENT: named[past_of.instrument.id],
            By.DAY: _day(count.day * DAY_MS),
            By.RUN: base36(count.run),
        }
        placed_on = page.lines.get(names[by])
        if placed_on is not None and past_of.instrument.settlement in placed_on.sums:
            placed_on.sums[past_of.instrument.settlement].orders += count.orders


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


def _findings(
    account: "AccountPast", asked: "Wanted", named: Names, shared: Mapping[int, int]
) -> "list[Finding]":
    """`shared`: how many accounts each run had."""
    from mmbot.core.labels import base36
    from mmbot.research import reconcile

    found: list[Finding] = []
    for past in account.pasts.values():
        one = past.instrument.id
        found += reconcile.positions(past, account.positions.get(one), named[one])
    for run in account.runs:
        if asked.fills.run not in (None, run):
            continue
        stated = [row for row in account.equity if row.run == run]
        for currency in dict.fromkeys(row.equity.currency for row in stated):
            pasts = [p for p in account.pasts.values() if p.instrument.settlement == currency]
            of_currency = [row for row in stated if row.equity.currency == currency]
            at = f" at {account.account_key.venue}" if shared[run] > 1 else ""
            subject = f"run {base36(run)} {currency}{at}"
            found.append(reconcile.equity(subject, currency, pasts, of_currency, account.entries))
    return found
