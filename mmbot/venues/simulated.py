"""Which simulated world a command is at: the one that runs already, or a new one.

All simulated venues of a configuration that do not say where they are live in one world, in one
process: one seed, one clock, one price a coin. `mmbot quote` leaves it running for a while and
notes in the store where its venues listen, so that the next run with the same seed and date goes on
in the same world. A world without all of the venues is not joined: a new one is started for all of
them. Commands that only look go there too; where none runs, they start one that ends with them and
is noted nowhere.
"""

import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmbot.config import Config, Mode
from mmbot.config.model import SimSettings
from mmbot.errors import MmbotError, StoreError
from mmbot.ops.limit import about
from mmbot.store.locations import Location, locate
from mmbot.venues.embedded import LINGER_S, Embedded, Starting, begin, still_runs
from mmbot.venues.site import Site, site_of, sites_of

if TYPE_CHECKING:
    from mmbot.store.database import Database
    from mmbot.store.worlds import World

VISIT_LINGER_S = 10
"""A visitor ends the world it started; should the visitor be killed, the world ends by itself."""

_log = logging.getLogger(__name__)


def needs_one(site: Site) -> bool:
    """Whether it is a simulated venue without saying which."""
    return site.mode is Mode.SIM and not site.url


def running(
    sites: Sequence[Site], sim: SimSettings, database: "Database"
) -> dict[str, Site] | None:
    """Those venues, by name, where the last world of this seed and date that has them all listens;
    None where that does not run. Raises StoreError."""
    known = _known(sim, database)
    faces = [_face(site) for site in sites]
    for world in known:
        if all(face in world.urls for face in faces):
            if not _runs(world):
                break
            for site in sites:
                _log.info(
                    "back on simulated venue %s at %s",
                    world.world_id,
                    world.urls[_face(site)],
                    extra=about(site.name),
                )
            return _at(sites, world.urls)
    for world in known:
        here = [site.name for site in sites if _face(site) in world.urls]
        if here and len(here) < len(sites) and _runs(world):
            _log.info(
                "simulated world %s has %s alone: a new one is started for %s",
                world.world_id,
                " and ".join(here),
                " and ".join(site.name for site in sites),
            )
            break
    return None


@dataclass(slots=True)
class Ahead:
    """A world that was begun before it was known to be needed, while there is much to import."""

    starting: Starting | None = None

    def take(self, sites: Sequence[Site]) -> Starting | None:
        """The world, if it was begun for these venues; it is the caller's from now on."""
        taken = self.starting
        if taken is None or list(taken.faces) != [_face(site) for site in sites]:
            return None
        self.starting = None
        return taken

    async def end(self) -> None:
        """End the world if nobody took it."""
        if self.starting is not None:
            await self.starting.end()
            self.starting = None


async def begin_ahead(config: Config) -> Ahead:
    """Begin a new world where the configuration will need one: none is named, and none runs. What
    cannot be asked now is not begun."""
    sites = [site for site in sites_of(config) if needs_one(site)]
    if not sites:
        return Ahead()
    try:
        place = locate(sites[0].mode, os.environ, config.store.url)
        if place.exists and _one_runs(sites, config.sim, place):
            return Ahead()
        return Ahead(await _begin(sites, config.sim, LINGER_S))
    except (MmbotError, OSError):
        return Ahead()  # whoever starts in earnest is told


async def _begin(sites: Sequence[Site], sim: SimSettings, linger_s: int) -> Starting:
    return await begin([_face(site) for site in sites], sim.seed, sim.at, linger_s)


async def start(
    sites: Sequence[Site], sim: SimSettings, linger_s: int, begun: Starting | None = None
) -> Embedded:
    """A new world of this seed and date with these venues; `begun`: the one that was begun for them
    before. Raises VenueUnreachable."""
    made = await (begun or await _begin(sites, sim, linger_s)).listening()
    for site in sites:
        url = made.urls[_face(site)]
        whom = about(site.name)
        _log.info("simulated venue %s at %s (pid %d)", made.world, url, made.pid, extra=whom)
    return made


def placed(sites: Sequence[Site], made: Embedded) -> dict[str, Site]:
    """Those venues, by name, where that world's listen."""
    return _at(sites, made.urls)


def world_of(sim: SimSettings, made: Embedded) -> "World":
    """What the store keeps of a world that others may come back to."""
    from mmbot.store.worlds import World

    return World(sim.seed, sim.at.isoformat(), made.world, made.pid, made.urls)


@asynccontextmanager
async def visited(config: Config) -> AsyncIterator[Site]:
    """The configuration's venue, to look at; a world that was started for this ends with it.

    Raises StoreError for the address of no database, and VenueUnreachable.
    """
    site = site_of(config)
    async with _visited([site], config) as there:
        yield there[site.name]


@asynccontextmanager
async def all_visited(config: Config) -> AsyncIterator[Mapping[str, Site]]:
    """All venues of the configuration, by name, to look at in the same way."""
    async with _visited(sites_of(config), config) as there:
        yield there


@asynccontextmanager
async def _visited(sites: Sequence[Site], config: Config) -> AsyncIterator[dict[str, Site]]:
    there = {site.name: site for site in sites}
    wanted = [site for site in sites if needs_one(site)]
    if not wanted:
        yield there
        return
    place = locate(wanted[0].mode, os.environ, config.store.url)
    found = _running_if_known(wanted, config.sim, place)
    if found is not None:
        yield there | found
        return
    made = await start(wanted, config.sim, VISIT_LINGER_S)
    try:
        yield there | placed(wanted, made)
    finally:
        await made.end()


def _running_if_known(
    sites: Sequence[Site], sim: SimSettings, place: Location
) -> dict[str, Site] | None:
    """To look at a market needs no store: one that is broken is like one that is not there."""
    from mmbot.store.database import open_existing

    try:
        return running(sites, sim, open_existing(place, read_only=True)) if place.exists else None
    except StoreError:
        return None


def _face(site: Site) -> str:
    """How `mmbot sim serve --exchange` names a venue."""
    return site.kind if site.name == site.kind else f"{site.kind}:{site.name}"


def _one_runs(sites: Sequence[Site], sim: SimSettings, place: Location) -> bool:
    """Whether `running` will find a world, without a word about it. Raises StoreError."""
    from mmbot.store.database import open_existing

    faces = [_face(site) for site in sites]
    known = _known(sim, open_existing(place, read_only=True))
    last = next((world for world in known if all(face in world.urls for face in faces)), None)
    return last is not None and _runs(last)


def _known(sim: SimSettings, database: "Database") -> "list[World]":
    from mmbot.store import worlds

    return worlds.known(database, sim.seed, sim.at.isoformat())


def _runs(world: "World") -> bool:
    return still_runs(next(iter(world.urls.values())), world.pid)


def _at(sites: Sequence[Site], urls: Mapping[str, str]) -> dict[str, Site]:
    return {site.name: replace(site, url=urls[_face(site)]) for site in sites}
