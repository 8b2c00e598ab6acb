"""Which simulated venue a command is at: the one that runs already, or a new one.

`mmbot quote` leaves its venue running for a while and notes in the store where it listens, so that
the next run with the same seed and date goes on in the same world. Commands that only look go
there too; where none runs, they start one that ends with them and is noted nowhere.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from mmbot.config import Config, Mode
from mmbot.errors import StoreError
from mmbot.store import worlds
from mmbot.store.database import Database, open_existing
from mmbot.store.locations import Location, locate
from mmbot.venues.embedded import Embedded, start_embedded, still_runs

VISIT_LINGER_S = 10
"""A visitor ends the venue it started; should the visitor be killed, the venue ends by itself."""

_log = logging.getLogger(__name__)


def needs_one(config: Config) -> bool:
    """Whether the configuration trades on a simulated venue without saying on which."""
    return config.run.mode is Mode.SIM and config.sim.url is None


def at_venue(config: Config, url: str) -> Config:
    """The same configuration, at the simulated venue that listens there."""
    return replace(config, sim=replace(config.sim, url=url))


def running(config: Config, database: Database) -> str | None:
    """Where the venue of this seed and date listens, if one runs. Raises StoreError."""
    sim = config.sim
    known = worlds.newest(database, config.lone_venue.name, sim.seed, sim.at.isoformat())
    if known is None or not still_runs(known.url, known.pid):
        return None
    _log.info("back on simulated venue %s at %s", known.world_id, known.url)
    return known.url


async def start(config: Config, linger_s: int) -> Embedded:
    """A new venue of this seed and date. Raises VenueUnreachable."""
    sim = config.sim
    made = await start_embedded(config.lone_venue.kind, sim.seed, sim.at, linger_s)
    _log.info("simulated venue %s at %s (pid %d)", made.world, made.url, made.pid)
    return made


def world_of(config: Config, made: Embedded) -> worlds.World:
    """What the store keeps of a venue that others may come back to."""
    sim = config.sim
    at = sim.at.isoformat()
    return worlds.World(config.lone_venue.name, sim.seed, at, made.world, made.url, made.pid)


@asynccontextmanager
async def visited(config: Config) -> AsyncIterator[Config]:
    """The configuration with a venue in it to look at; one started for this ends with it.

    Raises StoreError for the address of no database, and VenueUnreachable.
    """
    if not needs_one(config):
        yield config
        return
    url = _running_if_known(config, locate(config.run.mode, os.environ, config.store.url))
    if url is not None:
        yield at_venue(config, url)
        return
    made = await start(config, VISIT_LINGER_S)
    try:
        yield at_venue(config, made.url)
    finally:
        await made.end()


def _running_if_known(config: Config, place: Location) -> str | None:
    """To look at a market needs no store: one that is broken is like one that is not there."""
    try:
        return running(config, open_existing(place, read_only=True)) if place.exists else None
    except StoreError:
        return None
