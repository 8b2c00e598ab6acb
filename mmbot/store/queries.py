"""What people and restarting engines ask a store. Reading creates, upgrades and locks nothing.

`Reader` is opened on a store that exists; each question is answered from one moment of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import RowMapping, Select, Table, func, select

from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Pnl
from mmbot.core.statements import Equity, Fill, Finality, Liquidity, execution_key
from mmbot.core.terms import nested
from mmbot.core.types import InstrumentId, Label, Nanos, Side
from mmbot.store import baselines, commands, latch, order_ids, schema
from mmbot.store.baselines import BaselineRow
from mmbot.store.booking import OPENING, PositionRow
from mmbot.store.database import Database, open_existing
from mmbot.store.lease import Process
from mmbot.store.locations import Location
from mmbot.store.records import EMPTIED, AccountKey, Command, LatchState

_FETCH_ROWS = 1000
_LOOKUP_ROWS = 500
"""Names in one question; SQLite bounds the number of parameters."""

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account of a run, where it was reached, and the kind of its venue."""

    account_key: AccountKey
    kind: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run. `stopped_ns` and `exit_code` are None while it runs, and after a crash."""

    run: int
    accounts: tuple[AccountRow, ...]
    """One or several, in the order of its configuration."""
    config_path: str | None
    env_path: str | None
    host: str
    pid: int
    started_ns: Nanos
    stopped_ns: Nanos | None
    exit_code: int | None

    @property
    def account_key(self) -> AccountKey:
        """Its first account."""
        return self.accounts[0].account_key

    @property
    def endpoint(self) -> str:
        """Where its first account was reached."""
        return self.accounts[0].endpoint

    @property
    def account_keys(self) -> tuple[AccountKey, ...]:
        """All its accounts."""
        return tuple(account.account_key for account in self.accounts)

    @property
    def venues(self) -> str:
        """The names of its venues, for people."""
        return ", ".join(account_key.venue for account_key in self.account_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """Who has an account, and until when (wall time)."""

    run: int
    process: Process
    renewed_ns: Nanos
    expires_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """The newest run of an account, or of several, and what is known of it.

    `status` is what the engine last published, at `status_ns`: its own heartbeat.
    """

    run: RunRow
    accounts: tuple[AccountRow, ...]
    """Those of its accounts that no later run has had: all of them, as a rule."""
    lease: LeaseRow | None
    """Of the leases that it has, the one that runs out first."""
    latch: LatchState | None
    """Of an account of these where the kill switch is tripped, else of the first."""
    status: Mapping[str, Any] | None
    status_ns: Nanos | None
    emptied_ns: Nanos | None = None
    """When it was last proved from outside that nothing of ours was open there."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """When earlier runs of an account were last known to be there (wall time): their end, or what
    they last said of themselves; None where there was none."""

    sign_ns: Nanos | None
    unproved_ns: Nanos | None
    """Of those that did not end with the proof that nothing of them is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFilter:
    """Which fills: from `since_ms` on and before `until_ms` (venue time); None: no matter."""

    since_ms: int | None = None
    until_ms: int | None = None
    instrument: str | None = None
    """`venue:name`, or the name alone."""
    run: int | None = None
    venue: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """One execution on file. `fill.mark` is the mark it was valued against."""

    fill: Fill
    venue: str
    account: str
    run: int
    ours: bool
    booked_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """What changed a position or the account without a trade.

    `amount` is what of a position was taken over (opening, at the mark `price`) or ended (delivery,
    at the payoff `price`); `money` what funding and transfers brought, in `currency`.
    """

    venue: str
    account: str
    kind: str
    ref: str
    run: int
    instrument: InstrumentId | None
    currency: str
    amount: Decimal
    price: Decimal | None
    money: Decimal
    fee: Decimal
    at_ms: int
    index: Decimal | None = None
    """USD per coin at that moment; None where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCount:
    """Orders of ours that reached the venue and were last heard of on one day (UTC, counted in
    days since 1970)."""

    run: int
    venue: str
    account: str
    instrument: InstrumentId
    day: int
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order of ours as last written. `why` is the name of a reason (core.why)."""

    label: Label
    run: int
    venue: str
    account: str
    instrument: InstrumentId
    side: Side
    level: int
    price: Decimal
    amount: Decimal
    filled: Decimal
    status: str
    final: bool
    order_id: str
    venue_ms: int
    why: str
    noted_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityRow:
    """An account value at a moment (wall time)."""

    run: int
    venue: str
    account: str
    at_ns: Nanos
    equity: Equity
    desk_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRow:
    """A mark at a moment of desk time, as in records.MarkSampled."""

    run: int
    venue: str
    account: str
    instrument: InstrumentId
    desk_ms: int
    mark: Decimal
    index: Decimal | None
    accrued: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlRow:
    """A profit in one settlement currency at a moment (wall time)."""

    run: int
    venue: str
    account: str
    at_ns: Nanos
    currency: str
    pnl: Pnl


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One entry of the trail (wall time)."""

    run: int | None
    at_ns: Nanos
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCommand:
    """A command its engine has not taken yet."""

    run: int
    command: Command


class Reader:
    """Questions to one store. Every method raises StoreError when it cannot be read."""

    def __init__(self, location: Location) -> None:
        """Raises StoreError when there is no store of ours at `location`."""
        self.location = location
        self._database: Database = open_existing(location, read_only=True)

    # --- engines ---

    def runs(self) -> list[RunRow]:
        """Every run, oldest first."""
        runs, accounts = schema.runs, schema.run_accounts
        rows = self._rows(
            select(runs, accounts.c.kind, *(accounts.c[name].label(f"its_{name}") for name in _ITS))
            .join_from(runs, accounts)
            .order_by(runs.c.started_ns, runs.c.run, accounts.c.place)
        )
        return [_run(list(its)) for _, its in groupby(rows, key=lambda row: row["run"])]

    def used_run_numbers(self) -> frozenset[int]:
        """Run numbers, and so label prefixes, that were ever used on this store."""
        return frozenset(row["run"] for row in self._rows(select(schema.runs.c.run)))

    def engines(self) -> list[EngineRow]:
        """The newest run of every account, each run once, in the order the accounts were first
        used."""
        newest: dict[AccountKey, RunRow] = {}
        for run in self.runs():
            newest |= dict.fromkeys(run.account_keys, run)
        soonest_last = select(schema.lease).order_by(schema.lease.c.expires_ns.desc())
        leases = {row["run"]: row for row in self._rows(soonest_last)}
        statuses = {row["run"]: row for row in self._rows(select(schema.engine_status))}
        proofs = select(schema.audit).where(schema.audit.c.kind == EMPTIED)
        emptied = {
            row["run"]: row["at_ns"] for row in self._rows(proofs.order_by(schema.audit.c.id))
        }
        current = {
            run.run: tuple(one for one in run.accounts if newest[one.account_key].run == run.run)
            for run in newest.values()
        }
        return [
            EngineRow(
                run=run,
                accounts=current[run.run],
                lease=_lease(leases[run.run]) if run.run in leases else None,
                latch=self.worst_latch([account.account_key for account in current[run.run]]),
                status=orjson.loads(statuses[run.run]["body"]) if run.run in statuses else None,
                status_ns=statuses[run.run]["at_ns"] if run.run in statuses else None,
                emptied_ns=emptied.get(run.run),
            )
            for run in {run.run: run for run in newest.values()}.values()
        ]

    def earlier(self, account_key: AccountKey, besides: int) -> Earlier:
        """What is known of the runs of an account but `besides`."""
        runs = [r for r in self.runs() if account_key in r.account_keys and r.run != besides]
        unproved = [run for run in runs if run.exit_code != 0]
        return Earlier(
            self._last_sign_ns(runs[-1]) if runs else None,
            self._last_sign_ns(unproved[-1]) if unproved else None,
        )

    def _last_sign_ns(self, run: RunRow) -> Nanos:
        if run.stopped_ns is not None:
            return run.stopped_ns
        table = schema.engine_status
        [*said] = self._rows(select(table).where(table.c.run == run.run))
        return said[0]["at_ns"] if said else run.started_ns

    def labels_upto(self, run: int) -> int:
        """Label sequences below this were reserved by `run`."""
        blocks = schema.label_blocks
        [row] = self._rows(select(func.max(blocks.c.upto).label("upto")).where(blocks.c.run == run))
        return row["upto"] or 0

    def latch(self, account_key: AccountKey) -> LatchState | None:
        """The kill switch of an account; None when it was never tripped."""
        with self._database.transaction() as connection:
            return latch.read(connection, self.location, account_key)

    def worst_latch(self, account_keys: Sequence[AccountKey]) -> LatchState | None:
        """The kill switch of one of these accounts where it is tripped, else that of the first."""
        with self._database.transaction() as connection:
            return latch.worst(connection, self.location, account_keys)

    def latch_history(self, account_key: AccountKey) -> list[LatchState]:
        """Every trip and every re-arming of an account, oldest first."""
        with self._database.transaction() as connection:
            return latch.history(connection, account_key)

    def baseline(self, venue: str, account: str) -> BaselineRow | None:
        """Where the loss limits of an account count from; None before anything was traded."""
        table = schema.baselines
        mine = select(table).where(table.c.venue == venue, table.c.account == account)
        row = self._first(mine)
        return None if row is None else baselines.from_row(row)

    def taken(self, command: int) -> bool:
        """Whether the engine has taken a command."""
        table = schema.commands
        [row] = self._rows(select(table.c.taken_ns).where(table.c.id == command))
        return row["taken_ns"] is not None

    def waiting_commands(self) -> list[WaitingCommand]:
        """Commands not taken yet, oldest first."""
        table = schema.commands
        waiting = select(table).where(table.c.taken_ns.is_(None)).order_by(table.c.id)
        return [
            WaitingCommand(run=row["run"], command=commands.from_row(row))
            for row in self._rows(waiting)
        ]

    def audit(self, since_ns: Nanos = 0) -> list[AuditRow]:
        """The trail, oldest first."""
        table = schema.audit
        return [
            AuditRow(
                run=row["run"], at_ns=row["at_ns"], kind=row["kind"], body=orjson.loads(row["body"])
            )
            for row in self._rows(
                select(table).where(table.c.at_ns >= since_ns).order_by(table.c.id)
            )
        ]

    # --- trading ---

    def fills(self, wanted: FillFilter | None = None) -> Iterator[FillRow]:
        """Executions, oldest first (venue time; venue, account, trade id and side decide ties)."""
        wanted, table = wanted or FillFilter(), schema.fills
        query = select(table).order_by(
            table.c.venue_ms, table.c.venue, table.c.account, table.c.trade_id, table.c.side
        )
        if wanted.since_ms is not None:
            query = query.where(table.c.venue_ms >= wanted.since_ms)
        if wanted.until_ms is not None:
            query = query.where(table.c.venue_ms < wanted.until_ms)
        if wanted.instrument is not None:
            name = wanted.instrument
            same = table.c.instrument == name
            if ":" not in name:
                same = table.c.instrument == table.c.venue + ":" + name
            query = query.where(same)
        if wanted.run is not None:
            query = query.where(table.c.run == wanted.run)
        if wanted.venue is not None:
            query = query.where(table.c.venue == wanted.venue)
        if wanted.account is not None:
            query = query.where(table.c.account == wanted.account)
        return (_fill(row) for row in self._rows(query))

    def executions(self, venue: str, account: str, since_ms: int = 0) -> frozenset[str]:
        """Keys of an account's executions that are booked, from a venue moment on."""
        table = schema.fills
        query = select(table.c.trade_id, table.c.side).where(
            table.c.venue == venue, table.c.account == account, table.c.venue_ms >= since_ms
        )
        rows = self._rows(query)
        return frozenset(execution_key(row["trade_id"], Side(row["side"])) for row in rows)

    def provisional(self, venue: str, account: str) -> list[Fill]:
        """An account's fills of which the venue has yet to say whether they stand, oldest first."""
        table = schema.fills
        query = select(table).where(
            table.c.venue == venue,
            table.c.account == account,
            table.c.finality == Finality.PROVISIONAL.value,
        )
        return [_fill(row).fill for row in self._rows(query.order_by(table.c.venue_ms))]

    def booked_by(self, venue: str, account: str, labels: Iterable[Label]) -> dict[Label, Decimal]:
        """How much of each of these orders has been booked as fills; absent where nothing was."""
        table = schema.fills
        booked: dict[Label, Decimal] = {}
        for row in self._rows(
            select(table.c.label, table.c.amount).where(
                table.c.venue == venue,
                table.c.account == account,
                table.c.label.in_(list(labels)),
                table.c.finality != Finality.VOIDED.value,
            )
        ):
            booked[row["label"]] = booked.get(row["label"], Decimal(0)) + row["amount"]
        return booked

    def flow_keys(self, venue: str, account: str, since_ms: int = 0) -> list[str]:
        """What moved money without a trade and is booked, from a venue moment on: "kind ref", as
        core.state writes it."""
        table = schema.entries
        wanted = select(table.c.kind, table.c.ref).where(
            table.c.venue == venue,
            table.c.account == account,
            table.c.kind != OPENING,
            table.c.at_ms >= since_ms,
        )
        return [f"{row['kind']} {row['ref']}" for row in self._rows(wanted.order_by(table.c.id))]

    def entries(
        self, venue: str | None = None, account: str | None = None, since_ms: int = 0
    ) -> list[EntryRow]:
        """Openings and flows of an account, or of all, oldest first, from a venue moment on."""
        table = schema.entries
        query = select(table).where(table.c.at_ms >= since_ms).order_by(table.c.at_ms, table.c.id)
        if venue is not None:
            query = query.where(table.c.venue == venue)
        if account is not None:
            query = query.where(table.c.account == account)
        names = [field.name for field in fields(EntryRow)]
        return [EntryRow(**{name: row[name] for name in names}) for row in self._rows(query)]

    def positions(
        self,
        venue: str | None = None,
        account: str | None = None,
        instruments: Iterable[InstrumentId] | None = None,
    ) -> list[PositionRow]:
        """Positions of an account, or of all, ordered by name; only those in `instruments`, where
        they are given."""
        if instruments is not None:
            wanted, found = list(instruments), list[PositionRow]()
            for start in range(0, len(wanted), _LOOKUP_ROWS):
                found += self._positions(venue, account, wanted[start : start + _LOOKUP_ROWS])
            return sorted(found, key=lambda row: (row.venue, row.account, row.instrument))
        return self._positions(venue, account, None)

    def _positions(
        self, venue: str | None, account: str | None, instruments: list[InstrumentId] | None
    ) -> list[PositionRow]:
        table = schema.positions
        query = select(table).order_by(table.c.venue, table.c.account, table.c.instrument)
        if venue is not None:
            query = query.where(table.c.venue == venue)
        if account is not None:
            query = query.where(table.c.account == account)
        if instruments is not None:
            query = query.where(table.c.instrument.in_(instruments))
        return [PositionRow.of(row) for row in self._rows(query)]

    def open_orders(self, venue: str | None = None, account: str | None = None) -> list[OrderRow]:
        """Orders of all runs that were not final when last written, ordered by label."""
        table = schema.orders
        query = select(table).where(table.c.final.is_(False)).order_by(table.c.label)
        if venue is not None:
            query = query.where(table.c.venue == venue)
        if account is not None:
            query = query.where(table.c.account == account)
        return [_order(row) for row in self._rows(query)]

    def known_ids(self, account_key: AccountKey) -> list[order_ids.Known]:
        """Orders of ours by the venue's ids, where it names no labels, oldest first."""
        with self._database.transaction() as connection:
            return order_ids.read(connection, account_key)

    def order(self, label: Label) -> OrderRow | None:
        """One order, finished or not."""
        row = self._first(select(schema.orders).where(schema.orders.c.label == label))
        return None if row is None else _order(row)

    def equity(self, since_ns: Nanos = 0, until_ns: Nanos | None = None) -> Iterator[EquityRow]:
        """Account values, oldest first."""
        for row in self._rows(_between(schema.equity_samples, since_ns, until_ns)):
            yield EquityRow(
                run=row["run"],
                venue=row["venue"],
                account=row["account"],
                at_ns=row["at_ns"],
                equity=Equity(row["currency"], row["equity"], row["balance"]),
                desk_ms=row["desk_ms"],
            )

    def marks(self) -> Iterator[MarkRow]:
        """Marks, oldest first (desk time)."""
        table = schema.mark_samples
        names = [field.name for field in fields(MarkRow)]
        for row in self._rows(select(table).order_by(table.c.desk_ms, table.c.id)):
            yield MarkRow(**{name: row[name] for name in names})

    def instruments(self) -> dict[InstrumentId, Instrument]:
        """The contract terms of everything that was booked."""
        from pydantic import TypeAdapter

        reader = TypeAdapter(Instrument)
        rows = self._rows(select(schema.instruments))
        terms = {InstrumentId(row["instrument"]): orjson.loads(row["terms"]) for row in rows}
        return {name: reader.validate_python(nested(each)) for name, each in terms.items()}

    def order_counts(self) -> list[OrderCount]:
        """How many orders reached the venue, by run, instrument and day."""
        table = schema.orders
        key = [
            table.c.run,
            table.c.venue,
            table.c.account,
            table.c.instrument,
            (table.c.venue_ms // DAY_MS).label("day"),
        ]
        query = (
            select(*key, func.count().label("orders"))
            .where(table.c.order_id != "")
            .group_by(*key)
            .order_by(*key)
        )
        return [OrderCount(**row) for row in self._rows(query)]

    def pnl(self, since_ns: Nanos = 0, until_ns: Nanos | None = None) -> Iterator[PnlRow]:
        """Profits, oldest first."""
        for row in self._rows(_between(schema.pnl_samples, since_ns, until_ns)):
            yield PnlRow(
                run=row["run"],
                venue=row["venue"],
                account=row["account"],
                at_ns=row["at_ns"],
                currency=row["currency"],
                pnl=Pnl(
                    row["total"],
                    row["spread"],
                    row["inventory"],
                    row["fees"],
                    row["realized"],
                    row["unrealized"],
                    row["funding"],
                ),
            )

    def _rows(self, query: Select[Any]) -> Iterator[RowMapping]:
        with self._database.transaction() as connection:
            asked = connection.execution_options(yield_per=_FETCH_ROWS).execute(query)
            with closing(asked) as result:  # who has read enough leaves no cursor on the server
                yield from result.mappings()

    def _first(self, query: Select[Any]) -> RowMapping | None:
        with self._database.transaction() as connection:
            return connection.execute(query).mappings().first()


def _between(table: Table, since_ns: Nanos, until_ns: Nanos | None) -> Select[Any]:
    query = select(table).where(table.c.at_ns >= since_ns).order_by(table.c.at_ns, table.c.id)
    return query if until_ns is None else query.where(table.c.at_ns < until_ns)


_ITS = ("mode", "venue", "account", "endpoint")
"""What a run's row says of one account, and the rows of its accounts of each."""


def _run(rows: Sequence[RowMapping]) -> RunRow:
    """Of the rows of its accounts."""
    row = rows[0]
    return RunRow(
        run=row["run"],
        accounts=tuple(map(_account, rows)),
        config_path=row["config_path"],
        env_path=row["env_path"],
        host=row["host"],
        pid=row["pid"],
        started_ns=row["started_ns"],
        stopped_ns=row["stopped_ns"],
        exit_code=row["exit_code"],
    )


def _account(row: RowMapping) -> AccountRow:
    account_key = AccountKey(Mode(row["its_mode"]), row["its_venue"], row["its_account"])
    return AccountRow(account_key=account_key, kind=row["kind"], endpoint=row["its_endpoint"])


def _lease(row: RowMapping) -> LeaseRow:
    return LeaseRow(
        run=row["run"],
        process=Process(row["host"], row["pid"], row["birth"]),
        renewed_ns=row["renewed_ns"],
        expires_ns=row["expires_ns"],
    )


def _fill(row: RowMapping) -> FillRow:
    fill = Fill(
        trade_id=row["trade_id"],
        instrument=InstrumentId(row["instrument"]),
        side=Side(row["side"]),
        price=row["price"],
        amount=row["amount"],
        fee=row["fee"],
        fee_currency=row["fee_currency"],
        liquidity=Liquidity(row["liquidity"]) if row["liquidity"] else None,
        order_id=row["order_id"],
        label=None if row["label"] is None else Label(row["label"]),
        venue_ms=row["venue_ms"],
        mark=row["mark"],
        index=row["index"],
        finality=Finality(row["finality"]),
        reverses=row["reverses"] or "",
    )
    return FillRow(
        fill=fill,
        venue=row["venue"],
        account=row["account"],
        run=row["run"],
        ours=row["ours"],
        booked_ns=row["booked_ns"],
    )


def _order(row: RowMapping) -> OrderRow:
    return OrderRow(
        label=Label(row["label"]),
        run=row["run"],
        venue=row["venue"],
        account=row["account"],
        instrument=InstrumentId(row["instrument"]),
        side=Side(row["side"]),
        level=row["level"],
        price=row["price"],
        amount=row["amount"],
        filled=row["filled"],
        status=row["status"],
        final=row["final"],
        order_id=row["order_id"],
        venue_ms=row["venue_ms"],
        why=row["why"],
        noted_ns=row["noted_ns"],
    )
