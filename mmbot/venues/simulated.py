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
from mmbot.config.model import SimSettings
from mmbot.errors import StoreError
from mmbot.ops.limit import about
from mmbot.store import worlds
from mmbot.store.database import Database, open_existing
from mmbot.store.locations import Location, locate
from mmbot.venues.embedded import Embedded, start_embedded, still_runs
from mmbot.venues.site import Site, site_of

VISIT_LINGER_S = 10
"""A visitor ends the venue it started; should the visitor be killed, the venue ends by itself."""

_log = logging.getLogger(__name__)


def needs_one(site: Site) -> bool:
    """Whether it is a simulated venue without saying which."""
    return site.mode is Mode.SIM and not site.url


def running(site: Site, sim: SimSettings, database: Database) -> str | None:
    """Where the site's venue of this seed and date listens, if one runs. Raises StoreError."""
    known = worlds.newest(database, site.name, sim.seed, sim.at.isoformat())
    if known is None or not still_runs(known.url, known.pid):
        return None
    whom = about(site.name)
    _log.info("back on simulated venue %s at %s", known.world_id, known.url, extra=whom)
    return known.url


async def start(site: Site, sim: SimSettings, linger_s: int) -> Embedded:
    """A new venue of this seed and date, with a world of its own. Raises VenueUnreachable."""
    made = await start_embedded(site.kind, sim.seed, sim.at, linger_s)
    whom = about(site.name)
    _log.info("simulated venue %s at %s (pid %d)", made.world, made.url, made.pid, extra=whom)
    return made


def world_of(site: Site, sim: SimSettings, made: Embedded) -> worlds.World:
    """What the store keeps of a venue that others may come back to."""
    return worlds.World(site.name, sim.seed, sim.at.isoformat(), made.world, made.url, made.pid)


@asynccontextmanager
async def visited(config: Config) -> AsyncIterator[Site]:
    """The configuration's venue, to look at; one that was started for this ends with it.

    Raises StoreError for the address of no database, and VenueUnreachable.
    """
    site = site_of(config)
    if not needs_one(site):
        yield site
        return
    place = locate(site.mode, os.environ, config.store.url)
    url = _running_if_known(site, config.sim, place)
    if url is not None:
        yield replace(site, url=url)
        return
    made = await start(site, config.sim, VISIT_LINGER_S)
    try:
        yield replace(site, url=made.url)
    finally:
        await made.end()


def _running_if_known(site: Site, sim: SimSettings, place: Location) -> str | None:
    """To look at a market needs no store: one that is broken is like one that is not there."""
    try:
        return running(site, sim, open_existing(place, read_only=True)) if place.exists else None
    except StoreError:
        return None
