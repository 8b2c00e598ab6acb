"""What the store forgets, so that it does not grow for ever: finished orders, samples and taken
commands after a month, the audit trail after a year. Fills, openings, positions, runs and the
latch's history are kept.
"""

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from mmbot.core.types import SECOND, Nanos
from mmbot.store import schema

KEEP_NS: Nanos = 30 * 86_400 * SECOND
KEEP_AUDIT_NS: Nanos = 366 * 86_400 * SECOND
TIDY_EVERY_NS: Nanos = 3_600 * SECOND
PORTION_ROWS = 2_000
"""Rows of one table deleted in one transaction: nobody waits long for it."""


def forget(connection: Connection, now_ns: Nanos) -> bool:
    """Delete a portion of what is old; whether there may be more of it."""
    portions = [_delete(connection, table, old) for table, old in _old(now_ns)]
    return max(portions) >= PORTION_ROWS


def _old(now_ns: Nanos) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    orders, before_ns = schema.orders, now_ns - KEEP_NS
    return (
        (orders, orders.c.final & (orders.c.noted_ns < before_ns)),
        (schema.commands, schema.commands.c.taken_ns < before_ns),
        (schema.audit, schema.audit.c.at_ns < now_ns - KEEP_AUDIT_NS),
        (schema.equity_samples, schema.equity_samples.c.at_ns < before_ns),
        (schema.pnl_samples, schema.pnl_samples.c.at_ns < before_ns),
        (schema.mark_samples, schema.mark_samples.c.at_ns < before_ns),
    )


def _delete(connection: Connection, table: Table, old: ColumnElement[bool]) -> int:
    [key] = table.primary_key.columns
    portion = select(key).where(old).limit(PORTION_ROWS)
    return connection.execute(delete(table).where(key.in_(portion))).rowcount
