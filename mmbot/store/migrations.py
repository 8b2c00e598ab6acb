"""How a store comes to have the present schema: one function a version, in order.

A new store is created as schema.py describes it. An older one is taken forward by the functions
it has not seen, all in one transaction, so that it is never between two versions.
"""

from collections.abc import Callable

from sqlalchemy import Connection, Table, insert, inspect, literal, select, update

from mmbot.store import schema


def create_everything(connection: Connection) -> None:
    """Version 1, and the way into the newest version for a database that has nothing yet."""
    schema.metadata.create_all(connection)


def add_what_reports_need(connection: Connection) -> None:
    """Version 2: marks after fills, contract terms, and the index of what is no trade."""
    create_everything(connection)
    _add_column(connection, schema.entries, "index")
    _add_column(connection, schema.equity_samples, "desk_ms")


def key_executions_by_side(connection: Connection) -> None:
    """Version 4: a trade with ourselves is two executions under one id."""
    table, old = schema.fills, "fills_by_trade_alone"
    known = {found["name"] for found in inspect(connection).get_columns(table.name)}
    columns = ", ".join(f'"{one.name}"' for one in table.columns if one.name in known)
    for index in table.indexes:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index.name}")
    connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {old}")
    if connection.dialect.name == "postgresql":  # where a constraint's name outlives the renaming
        connection.exec_driver_sql(f"ALTER TABLE {old} DROP CONSTRAINT IF EXISTS fills_pkey")
    table.create(connection)
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {old}")
    connection.exec_driver_sql(f"DROP TABLE {old}")


def list_the_accounts_of_runs(connection: Connection) -> None:
    """Version 5: a run has one account or several."""
    create_everything(connection)
    runs = schema.runs.c
    connection.execute(
        insert(schema.run_accounts).from_select(
            ["run", "place", "mode", "venue", "account", "kind", "endpoint"],
            select(
                runs.run,
                literal(0),
                runs.mode,
                runs.venue,
                runs.account,
                runs.venue,  # every venue had the name of its kind
                runs.endpoint,
            ),
        )
    )


def tell_provisional_fills(connection: Connection) -> None:
    """Version 7: a fill may be provisional, and taken back. All there were so far are final."""
    _add_column(connection, schema.fills, "finality", "NOT NULL DEFAULT 'final'")
    _add_column(connection, schema.fills, "reverses")


def _add_column(connection: Connection, table: Table, column: str, terms: str = "") -> None:
    """Add a column that an older store does not have."""
    known = {found["name"] for found in inspect(connection).get_columns(table.name)}
    if column not in known:
        kind = table.c[column].type.compile(connection.dialect)
        added = f'ALTER TABLE {table.name} ADD COLUMN "{column}" {kind} {terms}'
        connection.exec_driver_sql(added.rstrip())


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    create_everything,
    add_what_reports_need,
    create_everything,  # version 3: where loss limits count from
    key_executions_by_side,
    list_the_accounts_of_runs,
    create_everything,  # version 6: orders by the venue's ids
    tell_provisional_fills,
)
"""The function at index n leads from version n to n + 1."""


def newest() -> int:
    """The version this program writes."""
    return len(MIGRATIONS)


def read_version(connection: Connection) -> int:
    """The version of a store that has one."""
    return int(connection.scalars(select(schema.version.c.version)).one())


def create(connection: Connection) -> None:
    """Fill an empty database."""
    create_everything(connection)
    connection.execute(insert(schema.version).values(version=newest()))


def upgrade(connection: Connection) -> None:
    """Take a store to the newest version, if it is older."""
    version = read_version(connection)
    if version < newest():
        for step in MIGRATIONS[version:]:
            step(connection)
        connection.execute(update(schema.version).values(version=newest()))
