"""Simulated worlds that were started for us: where their venues listen, and which world it is.

A world outlives its last client by a while; a run with the same seed and date finds it here and
goes on in it, with the same accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select

from mmbot.core.types import Nanos
from mmbot.store import schema
from mmbot.store.database import Database

KNOWN_MAX = 100
"""Of a seed and date, so many of the last ones are looked at."""


@dataclass(frozen=True, slots=True)
class World:
    """A simulated world. `at` is the moment it began, as text."""

    seed: int
    at: str
    world_id: str
    pid: int
    urls: Mapping[str, str]
    """Its venues as `mmbot sim serve --exchange` names them (KIND, KIND:NAME) -> where each
    listens."""


def remember(database: Database, world: World, now_ns: Nanos) -> None:
    """A world was started. Raises StoreError."""
    with database.transaction() as connection:
        connection.execute(
            insert(schema.worlds).values(
                world_id=world.world_id,
                exchange=",".join(world.urls),
                seed=str(world.seed),
                at=world.at,
                url=" ".join(world.urls.values()),
                pid=world.pid,
                started_ns=now_ns,
            )
        )


def known(database: Database, seed: int, at: str) -> list[World]:
    """Those that were started for this seed and date, the last one first; whether they still run is
    another question."""
    table = schema.worlds
    with database.transaction() as connection:
        rows = connection.execute(
            select(table)
            .where(table.c.seed == str(seed), table.c.at == at)
            .order_by(table.c.started_ns.desc())
            .limit(KNOWN_MAX)
        ).mappings()
        return [
            World(
                seed,
                at,
                row["world_id"],
                row["pid"],
                dict(zip(row["exchange"].split(","), row["url"].split(" "), strict=False)),
            )
            for row in rows
        ]
