"""Does the fill log say what the positions say, and what the venue paid?

* *Positions*: fills, openings, funding and deliveries of each instrument, replayed, against the
  position on file. What does not depend on the order of booking must agree to the last digit that
  decimals keep.
* *Equity*, per run and settlement currency: between the first and the last statement of the venue,
  its change is our trading profit (replayed, at the marks sampled with those statements) plus
  transfers. The statement and the marks are some tens of milliseconds apart, so what was held may
  have moved by DRIFT_SHARE of its worth; what is flat must agree to the rounding of the venue.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Position
from mmbot.core.profit import DOLLARS
from mmbot.core.statements import FlowKind
from mmbot.core.types import ZERO, InstrumentId
from mmbot.research.history import Past, profits, replayed

if TYPE_CHECKING:
    from mmbot.store.booking import PositionRow
    from mmbot.store.queries import EntryRow, EquityRow

DIGITS = Decimal("1e-12")
"""Decimals keep 28 digits; sums in another order may differ in the last ones."""

DRIFT_SHARE = Decimal("0.0001")
ROUNDING_COIN = Decimal("1e-7")
ROUNDING_USD = Decimal("1e-4")
"""What the venue's own rounding of its statements may come to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison. `agrees` None: it could not be made, and `note` says why."""

    subject: str
    what: str
    recomputed: Decimal | None
    stated: Decimal | None
    tolerance: Decimal
    agrees: bool | None
    note: str = ""


def positions(past: Past, stored: "PositionRow | None", named: str = "") -> list[Finding]:
    """One instrument on one account against its position on file. `named`: what people call it;
    the venue's name of it otherwise."""
    name = named or past.instrument.name
    if stored is None:
        return [Finding(name, "position", None, None, ZERO, False, "fills without a position")]
    found = replayed(Past(past.instrument, past.fills, past.entries))
    compared = [
        ("position", found.amount, stored.amount),
        ("cash", found.cash, stored.cash),
        ("fees", found.fees, stored.fees),
        ("spread", found.spread, stored.spread),
        ("funding", found.funding, stored.funding),
        ("volume", found.volume, stored.volume),
        ("fills", Decimal(found.fills), Decimal(stored.fills)),
    ]
    return [
        Finding(name, what, ours, theirs, DIGITS * max(Decimal(1), abs(theirs)), agrees)
        for what, ours, theirs in compared
        for agrees in [abs(ours - theirs) <= DIGITS * max(Decimal(1), abs(theirs))]
    ]


def equity(
    subject: str,
    currency: str,
    pasts: Iterable[Past],
    stated: Sequence["EquityRow"],
    entries: Iterable["EntryRow"],
) -> Finding:
    """One run in one currency: everything of the account that settles in it, the venue's
    statements of the run in that currency, and the account's entries."""
    what = "change of equity"
    known = sorted((row for row in stated if row.desk_ms is not None), key=lambda r: r.desk_ms or 0)
    if len(known) < 2:
        note = f"{len(known)} statement of the venue in this run, two are needed"
        return Finding(subject, what, None, None, ZERO, None, note)
    first_ms, last_ms = known[0].desk_ms or 0, known[-1].desk_ms or 0
    change = known[-1].equity.equity - known[0].equity.equity
    earned = ZERO
    tolerance = ROUNDING_USD if currency in DOLLARS else ROUNDING_COIN
    unmarked: list[InstrumentId] = []
    for past in pasts:
        totals = []
        for pnl, position, sure in profits(past, (first_ms, last_ms)):
            totals.append(pnl.total)
            tolerance += DRIFT_SHARE * _worth(past.instrument, position, past)
            if not sure:
                unmarked.append(past.instrument.id)
        earned += totals[1] - totals[0]
    if unmarked:
        names = ", ".join(dict.fromkeys(unmarked))
        note = f"held, but not watched by this run: {names}"
        return Finding(subject, what, None, change, tolerance, None, note)
    for entry in entries:
        if entry.kind == FlowKind.TRANSFER.value and entry.currency == currency:
            earned += entry.money if first_ms < entry.at_ms <= last_ms else ZERO
    return Finding(subject, what, earned, change, tolerance, abs(earned - change) <= tolerance)


def _worth(instrument: Instrument, position: Position, past: Past) -> Decimal:
    """Delta-one worth of a position in settlement currency, roughly: for a tolerance."""
    if not position.amount:
        return ZERO
    index = next((row.index for row in reversed(past.marks) if row.index), None)
    if index is None:
        return ZERO
    coin = abs(instrument.coin(position.amount, index))
    return coin * index if instrument.settlement in DOLLARS else coin
