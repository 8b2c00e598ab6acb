"""Records into rows, inside a transaction somebody else has begun.

A fill is looked up by (venue, account, trade id) first: an execution that is in already changes
nothing, whatever brought it. A new one gets its row, and the position it belongs to is read,
moved by the very same accounting the engine uses, and written back, all in that transaction. A
provisional fill that comes again as final only changes its row; a reversal is a row of its own, and
marks the one it takes back. What is no fill (openings, funding, deliveries, transfers) is an entry,
by (venue, account, kind, ref).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Position
from mmbot.core.order_life import Status
from mmbot.core.statements import Finality, FlowKind
from mmbot.core.terms import flat
from mmbot.core.types import ZERO, InstrumentId
from mmbot.store import schema
from mmbot.store.records import (
    AccountKey,
    Audited,
    EquitySampled,
    FillBooked,
    FillClaimed,
    FlowBooked,
    MarkSampled,
    Money,
    OrderNoted,
    PositionOpened,
    Sample,
    StatusPublished,
)

OPENING = "opening"
"""The kind of entry that takes over what was there before us."""

_LOOKUP_ROWS = 500
"""Rows asked for in one statement; SQLite bounds the number of parameters."""


def book(
    connection: Connection,
    account_key: AccountKey,
    run: int,
    records: Iterable[Money],
    now_ns: int,
) -> None:
    """Book executions, openings and flows in the order given, each once for ever."""
    books: dict[InstrumentId, _Book] = {}
    for record in records:
        instrument = record.instrument
        touched = (
            _book_of(connection, account_key, books, instrument) if instrument is not None else None
        )
        held = touched.position.amount if touched is not None else ZERO
        if not _insert(connection, account_key, run, record, held, now_ns) or touched is None:
            continue
        match record:
            case FillBooked():
                touched.position.book(record.fill, record.mark)
            case PositionOpened():
                touched.position.open_with(record.amount, record.mark)
                touched.opened_ms = record.at_ms
            case FlowBooked():
                touched.position.flow(record.flow)
        touched.changed = True
    for moved in books.values():
        if moved.changed:
            _save(connection, account_key, moved, now_ns)
            _keep_terms(connection, moved.position.instrument)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """One position on file, with its accounting (core.inventory; settlement currency).

    Trades up to `opened_ms` (venue time) are part of `opening`; None: not opened yet.
    """

    venue: str
    account: str
    instrument: InstrumentId
    amount: Decimal
    opened_ms: int | None
    opening: Decimal
    open_value: Decimal
    cash: Decimal
    realized: Decimal
    fees: Decimal
    spread: Decimal
    inventory: Decimal
    funding: Decimal
    mark: Decimal | None
    fills: int
    volume: Decimal
    last_fill_ms: int

    @classmethod
    def of(cls, row: RowMapping) -> "PositionRow":
        """A row of the table."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    def restore(self, instrument: Instrument) -> Position:
        """The position, ready to continue."""
        assert instrument.id == self.instrument, f"{instrument.id} is not {self.instrument}"
        return Position(
            instrument=instrument,
            amount=self.amount,
            opened=self.opened_ms is not None,
            opened_ms=self.opened_ms or 0,
            opening=self.opening,
            open_value=self.open_value,
            cash=self.cash,
            realized=self.realized,
            fees=self.fees,
            spread=self.spread,
            inventory=self.inventory,
            funding=self.funding,
            mark=self.mark,
            fills=self.fills,
            volume=self.volume,
            last_fill_ms=self.last_fill_ms,
        )


@dataclass(slots=True)
class _Book:
    """A position on its way through one transaction."""

    position: Position
    opened_ms: int | None
    stored: bool
    changed: bool = False


def _book_of(
    connection: Connection,
    account_key: AccountKey,
    books: dict[InstrumentId, _Book],
    instrument: Instrument,
) -> _Book:
    book = books.get(instrument.id)
    if book is None:
        table = schema.positions
        row = (
            connection.execute(
                select(table).where(
                    table.c.venue == account_key.venue,
                    table.c.account == account_key.account,
                    table.c.instrument == instrument.id,
                )
            )
            .mappings()
            .one_or_none()
        )
        if row is None:
            book = _Book(Position(instrument), None, stored=False)
        else:
            stored = PositionRow.of(row)
            book = _Book(stored.restore(instrument), stored.opened_ms, stored=True)
        books[instrument.id] = book
    return book


def _save(connection: Connection, account_key: AccountKey, book: _Book, now_ns: int) -> None:
    position, table = book.position, schema.positions
    key = {
        "venue": account_key.venue,
        "account": account_key.account,
        "instrument": position.instrument.id,
    }
    values: dict[str, Any] = {
        "amount": position.amount,
        "opened_ms": book.opened_ms,
        "opening": position.opening,
        "open_value": position.open_value,
        "cash": position.cash,
        "realized": position.realized,
        "fees": position.fees,
        "spread": position.spread,
        "inventory": position.inventory,
        "funding": position.funding,
        "mark": position.mark,
        "fills": position.fills,
        "volume": position.volume,
        "last_fill_ms": position.last_fill_ms,
        "booked_ns": now_ns,
    }
    if book.stored:
        connection.execute(
            update(table)
            .where(*(table.c[name] == value for name, value in key.items()))
            .values(values)
        )
    else:
        connection.execute(insert(table).values({**key, **values}))


def _keep_terms(connection: Connection, instrument: Instrument) -> None:
    table = schema.instruments
    known = select(table.c.instrument).where(table.c.instrument == instrument.id)
    if connection.execute(known).first() is None:
        terms = as_json(flat(instrument))
        connection.execute(insert(table).values(instrument=instrument.id, terms=terms))


def _insert(
    connection: Connection,
    account_key: AccountKey,
    run: int,
    record: Money,
    held: Decimal,
    now_ns: int,
) -> bool:
    """Whether it was new. `held` is the position before it."""
    account = {"venue": account_key.venue, "account": account_key.account}
    written = {"run": run, "booked_ns": now_ns}
    table = schema.entries
    match record:
        case FillBooked():
            table = schema.fills
            key = account | {"trade_id": record.fill.trade_id, "side": record.fill.side.value}
            values = _fill_row(record)
        case PositionOpened():
            key = account | {"kind": OPENING, "ref": record.instrument.id}
            values = _opening_row(record)
        case FlowBooked():
            key = account | {"kind": record.flow.kind.value, "ref": record.flow.ref}
            values = _flow_row(record, held)
    same = [table.c[name] == value for name, value in key.items()]
    if connection.execute(select(table.c.run).where(*same)).first() is not None:
        if isinstance(record, FillBooked) and record.again:
            _restate(connection, same, Finality.FINAL)
        return False
    connection.execute(insert(table).values({**key, **values, **written}))
    if isinstance(record, FillBooked) and record.fill.reverses:
        fill = record.fill
        taken_back = account | {"trade_id": fill.reverses, "side": fill.side.opposite.value}
        voided = [table.c[name] == value for name, value in taken_back.items()]
        _restate(connection, voided, Finality.VOIDED)
    return True


def _restate(
    connection: Connection, which: Sequence[ColumnElement[bool]], finality: Finality
) -> None:
    """The venue's last word on a fill that was provisional."""
    table = schema.fills
    open_ = table.c.finality == Finality.PROVISIONAL.value
    connection.execute(update(table).where(*which, open_).values(finality=finality.value))


def _fill_row(record: FillBooked) -> dict[str, Any]:
    fill = record.fill
    return {
        "ours": record.ours,
        "instrument": fill.instrument,
        "price": fill.price,
        "amount": fill.amount,
        "fee": fill.fee,
        "fee_currency": fill.fee_currency,
        "liquidity": fill.liquidity.value if fill.liquidity is not None else "",
        "order_id": fill.order_id,
        "label": fill.label,
        "venue_ms": fill.venue_ms,
        "mark": record.mark,
        "index": fill.index,
        "finality": fill.finality.value,
        "reverses": fill.reverses or None,
    }


def _opening_row(record: PositionOpened) -> dict[str, Any]:
    return {
        "instrument": record.instrument.id,
        "currency": record.instrument.settlement,
        "amount": record.amount,
        "price": record.mark,
        "money": ZERO,
        "fee": ZERO,
        "at_ms": record.at_ms,
        "index": None,
    }


def _flow_row(record: FlowBooked, held: Decimal) -> dict[str, Any]:
    flow = record.flow
    return {
        "instrument": flow.instrument,
        "currency": flow.currency,
        "amount": held if flow.kind is FlowKind.DELIVERY else ZERO,
        "price": flow.price,
        "money": flow.money,
        "fee": flow.fee,
        "at_ms": flow.venue_ms,
        "index": flow.index,
    }


def note_orders(
    connection: Connection,
    account_key: AccountKey,
    run: int,
    notes: Sequence[OrderNoted],
    now_ns: int,
) -> None:
    """Each order's row says what its note says. At most one note per label."""
    table = schema.orders
    for start in range(0, len(notes), _LOOKUP_ROWS):
        chunk = notes[start : start + _LOOKUP_ROWS]
        # Nothing refers to these rows: writing one anew is simpler than updating it, and as safe
        # within one transaction.
        connection.execute(delete(table).where(table.c.label.in_([n.label for n in chunk])))
        connection.execute(insert(table), [_order_row(account_key, run, n, now_ns) for n in chunk])


def _order_row(account_key: AccountKey, run: int, note: OrderNoted, now_ns: int) -> dict[str, Any]:
    return {
        "label": note.label,
        "run": run,
        "venue": account_key.venue,
        "account": account_key.account,
        "instrument": note.instrument,
        "side": note.side.value,
        "level": note.level,
        "price": note.price,
        "amount": note.amount,
        "filled": note.filled,
        "status": note.status.name,
        "final": note.status is Status.DONE,
        "order_id": note.order_id,
        "venue_ms": note.venue_ms,
        "why": note.why.name,
        "noted_ns": now_ns,
    }


def claim(connection: Connection, account_key: AccountKey, claimed: Sequence[FillClaimed]) -> None:
    """These executions, which are booked, are ours."""
    table = schema.fills
    for one in claimed:
        fill = one.fill
        same = (
            table.c.venue == account_key.venue,
            table.c.account == account_key.account,
            table.c.trade_id == fill.trade_id,
            table.c.side == fill.side.value,
        )
        connection.execute(update(table).where(*same).values(ours=True, label=fill.label))


def publish(connection: Connection, run: int, status: StatusPublished) -> None:
    """The engine's newest word about itself."""
    table = schema.engine_status
    connection.execute(delete(table).where(table.c.run == run))
    connection.execute(insert(table).values(run=run, at_ns=status.at_ns, body=as_json(status.body)))


def sample(
    connection: Connection,
    account_key: AccountKey,
    run: int,
    samples: Iterable[Sample],
) -> None:
    """Append account values, profits and marks."""
    equities: list[dict[str, Any]] = []
    profits: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for one in samples:
        row = {
            "run": run,
            "venue": account_key.venue,
            "account": account_key.account,
            "at_ns": one.at_ns,
        }
        if isinstance(one, EquitySampled):
            stated = one.equity
            row |= {"currency": stated.currency, "equity": stated.equity, "balance": stated.balance}
            equities.append(row | {"desk_ms": one.desk_ms})
        elif isinstance(one, MarkSampled):
            names = ("instrument", "desk_ms", "mark", "index", "accrued")
            marks.append(row | {name: getattr(one, name) for name in names})
        else:
            pnl = one.pnl
            row |= {
                "currency": one.currency,
                "total": pnl.total,
                "spread": pnl.spread,
                "inventory": pnl.inventory,
                "fees": pnl.fees,
                "realized": pnl.realized,
                "unrealized": pnl.unrealized,
                "funding": pnl.funding,
            }
            profits.append(row)
    if equities:
        connection.execute(insert(schema.equity_samples), equities)
    if profits:
        connection.execute(insert(schema.pnl_samples), profits)
    if marks:
        connection.execute(insert(schema.mark_samples), marks)


def audit(connection: Connection, run: int | None, events: Iterable[Audited]) -> None:
    """Append to the trail."""
    rows = [
        {"run": run, "at_ns": event.at_ns, "kind": event.kind, "body": as_json(event.body)}
        for event in events
    ]
    if rows:
        connection.execute(insert(schema.audit), rows)


def as_json(body: object) -> str:
    """JSON; what it has no word for (decimals, above all) as text."""
    return orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
