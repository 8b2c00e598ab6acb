"""Everything the stores know of the past, account by account, ready for the reports' arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmbot.core.types import InstrumentId
from mmbot.research.history import Past

if TYPE_CHECKING:
    from mmbot.cli.wanted import Wanted
    from mmbot.store.booking import PositionRow
    from mmbot.store.queries import EntryRow, EquityRow, OrderCount, Reader
    from mmbot.store.records import Seat


@dataclass(slots=True)
class AccountPast:
    """One account in one mode."""

    seat: "Seat"
    pasts: dict[InstrumentId, Past] = field(default_factory=dict)
    unknown: list[InstrumentId] = field(default_factory=list)
    """Traded before the store kept contract terms: nothing can be reckoned."""
    entries: "list[EntryRow]" = field(default_factory=list)
    orders: "list[OrderCount]" = field(default_factory=list)
    positions: "dict[InstrumentId, PositionRow]" = field(default_factory=dict)
    equity: "list[EquityRow]" = field(default_factory=list)
    runs: list[int] = field(default_factory=list)


def accounts(asked: "Wanted") -> Iterator[AccountPast]:
    """Every account that ever had a run, in the order of the stores and of their first runs."""
    from mmbot.store.queries import Reader

    for place in asked.places:
        yield from _of_store(Reader(place), asked)


def _of_store(reader: "Reader", asked: "Wanted") -> "Iterator[AccountPast]":
    found: dict[tuple[str, str], AccountPast] = {}
    for run in reader.runs():
        if asked.mode in (None, run.seat.mode):
            key = (run.seat.venue, run.seat.account)
            found.setdefault(key, AccountPast(run.seat)).runs.append(run.run)
    traded: dict[tuple[str, str, InstrumentId], Past] = {}
    known = reader.instruments()

    def past_of(venue: str, account: str, name: InstrumentId) -> Past | None:
        owner = found.get((venue, account))
        if owner is None:
            return None
        key = (venue, account, name)
        if key not in traded:
            if name not in known:
                if name not in owner.unknown:
                    owner.unknown.append(name)
                return None
            traded[key] = owner.pasts[name] = Past(known[name], [], [], [])
        return traded[key]

    for fill in reader.fills():
        past = past_of(fill.venue, fill.account, fill.fill.instrument)
        if past is not None:
            past.fills.append(fill)
    for entry in reader.entries():
        owner = found.get((entry.venue, entry.account))
        if owner is not None:
            owner.entries.append(entry)
        if entry.instrument is not None:
            past = past_of(entry.venue, entry.account, entry.instrument)
            if past is not None:
                past.entries.append(entry)
    for mark in reader.marks():
        past = past_of(mark.venue, mark.account, mark.instrument)
        if past is not None:
            past.marks.append(mark)
    for count in reader.order_counts():
        if (count.venue, count.account) in found:
            found[count.venue, count.account].orders.append(count)
    for row in reader.positions():
        if (row.venue, row.account) in found:
            found[row.venue, row.account].positions[row.instrument] = row
    for sample in reader.equity():
        if (sample.venue, sample.account) in found:
            found[sample.venue, sample.account].equity.append(sample)
    yield from found.values()
