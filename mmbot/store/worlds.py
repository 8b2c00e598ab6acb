"""Simulated venues that were started for us: where they listen, and which world they run.

A venue outlives its last client by a while; a run with the same seed and date finds it here and
goes on in the same world, with the same account.
"""

from dataclasses import dataclass

from sqlalchemy import insert, select

from mmbot.core.types import Nanos
from mmbot.store import schema
from mmbot.store.database import Database


@dataclass(frozen=True, slots=True)
class World:
    """A simulated venue. `at` is the moment its world began, as text."""

    exchange: str
    seed: int
    at: str
    world_id: str
    url: str
    pid: int


def remember(database: Database, world: World, now_ns: Nanos) -> None:
    """A venue was started. Raises StoreError."""
    with database.transaction() as connection:
        connection.execute(
            insert(schema.worlds).values(
                world_id=world.world_id,
                exchange=world.exchange,
                seed=str(world.seed),
                at=world.at,
                url=world.url,
                pid=world.pid,
                started_ns=now_ns,
            )
        )


def newest(database: Database, exchange: str, seed: int, at: str) -> World | None:
    """The last one started for this seed and date; whether it still runs is another question."""
    table = schema.worlds
    with database.transaction() as connection:
        row = (
            connection.execute(
                select(table)
                .where(table.c.exchange == exchange, table.c.seed == str(seed), table.c.at == at)
                .order_by(table.c.started_ns.desc())
                .limit(1)
            )
            .mappings()
            .first()
        )
    if row is None:
        return None
    return World(exchange, seed, at, row["world_id"], row["url"], row["pid"])
