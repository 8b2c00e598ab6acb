"""Wishes of people, on their way to a running engine through its store."""

from collections.abc import Mapping
from getpass import getuser

import orjson
from sqlalchemy import Connection, RowMapping, insert, select, update

from mmbot.core.types import Nanos
from mmbot.store import schema
from mmbot.store.database import Database
from mmbot.store.records import Command, CommandKind


def send(
    database: Database,
    run: int,
    kind: CommandKind,
    arguments: Mapping[str, str],
    now_ns: Nanos,
) -> int:
    """Leave a command for the engine of `run`; its id. Raises StoreError."""
    with database.transaction() as connection:
        done = connection.execute(
            insert(schema.commands).values(
                run=run,
                at_ns=now_ns,
                who=whoami(),
                kind=kind.value,
                arguments=orjson.dumps(dict(arguments)).decode(),
            )
        )
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])


def waiting(connection: Connection, run: int) -> list[Command]:
    """Commands the engine of `run` has not taken yet, oldest first."""
    table = schema.commands
    rows = connection.execute(
        select(table).where(table.c.run == run, table.c.taken_ns.is_(None)).order_by(table.c.id)
    )
    return [from_row(row) for row in rows.mappings()]


def take(connection: Connection, run: int, now_ns: Nanos) -> list[Command]:
    """The same, and nobody gets them again once the transaction is through."""
    taken = waiting(connection, run)
    for command in taken:
        connection.execute(
            update(schema.commands)
            .where(schema.commands.c.id == command.id)
            .values(taken_ns=now_ns)
        )
    return taken


def from_row(row: RowMapping) -> Command:
    """A row of the table as a command."""
    return Command(
        id=row["id"],
        at_ns=row["at_ns"],
        who=row["who"],
        kind=CommandKind(row["kind"]),
        arguments=orjson.loads(row["arguments"]),
    )


def whoami() -> str:
    """Who asks, for the record."""
    try:
        return getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"  # a user without a name, as in some containers
