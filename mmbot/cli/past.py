"""Everything the stores know of the past, account by account, ready for the reports' arithmetic."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmbot.core.contracts import Instrument
from mmbot.core.types import InstrumentId
from mmbot.research.history import Past

if TYPE_CHECKING:
    from mmbot.cli.wanted import Wanted
    from mmbot.store.booking import PositionRow
    from mmbot.store.queries import EntryRow, EquityRow, OrderCount, Reader
    from mmbot.store.records import AccountKey


@dataclass(slots=True)
class AccountPast:
    """One account in one mode."""

    account_key: "AccountKey"
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
    found = _Found(reader.instruments())
    for run in reader.runs():
        if asked.mode in (None, run.account_key.mode):
            for account_key in run.account_keys:
                key = (account_key.venue, account_key.account)
                found.accounts.setdefault(key, AccountPast(account_key)).runs.append(run.run)
    found.add_history(reader)
    found.add_statements(reader)
    yield from found.accounts.values()


@dataclass(frozen=True, slots=True)
class _Found:
    """The accounts of one store, by venue and name."""

    known: "Mapping[InstrumentId, Instrument]"
    accounts: dict[tuple[str, str], AccountPast] = field(default_factory=dict)

    def add_history(self, reader: "Reader") -> None:
        """What is replayed: fills, entries of the ledger, marks."""
        for fill in reader.fills():
            past = self._past(fill.venue, fill.account, fill.fill.instrument)
            if past is not None:
                past.fills.append(fill)
        for entry in reader.entries():
            owner = self.accounts.get((entry.venue, entry.account))
            if owner is not None:
                owner.entries.append(entry)
            if entry.instrument is not None:
                past = self._past(entry.venue, entry.account, entry.instrument)
                if past is not None:
                    past.entries.append(entry)
        for mark in reader.marks():
            past = self._past(mark.venue, mark.account, mark.instrument)
            if past is not None:
                past.marks.append(mark)

    def add_statements(self, reader: "Reader") -> None:
        """What is compared with it: orders, positions, equity."""
        for count in reader.order_counts():
            if owner := self.accounts.get((count.venue, count.account)):
                owner.orders.append(count)
        for row in reader.positions():
            if owner := self.accounts.get((row.venue, row.account)):
                owner.positions[row.instrument] = row
        for sample in reader.equity():
            if owner := self.accounts.get((sample.venue, sample.account)):
                owner.equity.append(sample)

    def _past(self, venue: str, account: str, name: InstrumentId) -> Past | None:
        """An instrument's history; None where the account is not asked for or terms are missing."""
        owner = self.accounts.get((venue, account))
        if owner is None:
            return None
        if name not in owner.pasts:
            if name not in self.known:
                if name not in owner.unknown:
                    owner.unknown.append(name)
                return None
            owner.pasts[name] = Past(self.known[name], [], [], [])
        return owner.pasts[name]
