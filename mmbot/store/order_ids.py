"""Which orders are ours where the venue names no labels.

The label of an order is written before the order is sent, with its terms, so that it can be told by
them after a crash; its id when the venue has said it. Rows are kept for as long as anybody may ask
about the order.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from mmbot.core.types import MS, Label, Nanos
from mmbot.errors import StoreError
from mmbot.store import booking, schema
from mmbot.store.database import open_existing
from mmbot.store.locations import Location
from mmbot.store.records import AccountKey, IdLearned, OrderNoted

TERMS_LIMIT_S = 0.2
"""How long sending may wait for it. What is not written by then is not sent."""

KEEP_NS: Nanos = 30 * 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Known:
    """What is written of one order. `order_id` is empty while it is not known."""

    label: Label
    order_id: str
    placed_ns: Nanos
    """Desk time."""


def write_terms(
    location: Location,
    run: int,
    orders: Mapping[AccountKey, Sequence[tuple[OrderNoted, Nanos]]],
    now_ns: Nanos,
    limit_s: float = TERMS_LIMIT_S,
) -> bool:
    """Write orders that are about to be sent, each with its moment (desk time); whether all of it
    is on the disk. Blocks for `limit_s` at most."""
    written, answered = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with open_existing(location, read_only=False).transaction() as connection:
                for account_key, notes in orders.items():
                    booking.note_orders(connection, account_key, run, [n for n, _ in notes], now_ns)
                    connection.execute(
                        insert(schema.order_ids),
                        [
                            _key(account_key, note.label)
                            | {"sent_ms": sent_ns // MS, "noted_ns": now_ns}
                            for note, sent_ns in notes
                        ],
                    )
            written.set()
        except StoreError:
            pass  # then nothing is sent
        finally:
            answered.set()

    threading.Thread(target=write, name="mmbot-terms", daemon=True).start()
    answered.wait(limit_s)
    return written.is_set()


def learn(
    connection: Connection, account_key: AccountKey, learned: Sequence[IdLearned], now_ns: Nanos
) -> None:
    """The venue has said the ids of these."""
    table = schema.order_ids
    for one in learned:
        key = _key(account_key, one.label)
        same = [table.c[name] == value for name, value in key.items()]
        done = connection.execute(update(table).where(*same).values(order_id=one.order_id))
        if not done.rowcount:  # found at the venue, whatever it took
            row = key | {"order_id": one.order_id, "sent_ms": 0, "noted_ns": now_ns}
            connection.execute(insert(table).values(row))


def read(connection: Connection, account_key: AccountKey) -> list[Known]:
    """Everything that is written of one account, oldest first."""
    table = schema.order_ids
    rows = connection.execute(
        select(table)
        .where(table.c.venue == account_key.venue, table.c.account == account_key.account)
        .order_by(table.c.noted_ns, table.c.label)
    )
    return [
        Known(Label(row["label"]), row["order_id"] or "", row["sent_ms"] * MS)
        for row in rows.mappings()
    ]


def forget(connection: Connection, now_ns: Nanos) -> None:
    """Drop what nobody asks about any more."""
    connection.execute(
        delete(schema.order_ids).where(schema.order_ids.c.noted_ns < now_ns - KEEP_NS)
    )


def _key(account_key: AccountKey, label: Label) -> dict[str, object]:
    return {"venue": account_key.venue, "account": account_key.account, "label": label}
