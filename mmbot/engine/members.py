"""The venues of a run: each one reached, asked what it lists and whose account our keys open."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mmbot.clock import Clock
from mmbot.config import Config, Mode
from mmbot.config.select import check_disjoint, choose
from mmbot.config.watched import watched_by_all
from mmbot.core.capabilities import Capabilities, unsupported, without_dead_man
from mmbot.core.contracts import Instrument
from mmbot.core.types import Nanos
from mmbot.errors import ConfigError, Refused
from mmbot.store.account_lock import AccountLock
from mmbot.store.database import Database
from mmbot.store.records import AccountDraft, AccountKey
from mmbot.venues import simulated
from mmbot.venues.arrival import START_S, Arrival
from mmbot.venues.base import MarketData, Sink, Venue
from mmbot.venues.embedded import LINGER_S, Embedded
from mmbot.venues.own_clock import OwnClock
from mmbot.venues.plugin import credentials_of, plugin_of, prepare
from mmbot.venues.site import Site, sites_of
from mmbot.venues.timing import Timing


@dataclass(slots=True)
class Member:
    """One venue of a run, and our account there."""

    site: Site
    venue: Venue
    arrival: Arrival
    capabilities: Capabilities
    listed: list[Instrument]
    prices: dict[str, float] = field(default_factory=dict)
    """USD per coin, of what is traded here."""
    account: str = ""
    lock: AccountLock | None = None
    made: Embedded | None = None
    """The simulated world that was started for this run, at the first venue that is in it."""

    @property
    def account_key(self) -> AccountKey:
        """What one engine at a time may trade."""
        return AccountKey(self.site.mode, self.site.name, self.account)

    @property
    def draft(self) -> AccountDraft:
        """The account, for the store."""
        return AccountDraft(self.account_key, self.venue.endpoint, self.site.kind)

    async def connect(
        self, sink: Sink, instruments: Iterable[Instrument], watched: Iterable[Instrument] = ()
    ) -> None:
        """Connect, with those of the instruments that are traded or watched here."""
        name = self.venue.name
        here = [one for one in instruments if one.venue == name]
        await self.arrival.connected(sink, here, [one for one in watched if one.venue == name])


async def reached(
    config: Config,
    clock: Clock,
    timing: Timing,
    database: Database | None,
    undo: AsyncExitStack,
    ahead: simulated.Ahead | None = None,
) -> list[Member]:
    """Every venue of the run, in the order of the file. `undo` takes back what was begun; `ahead`
    has a simulated world that was begun before.

    Raises MmbotError.
    """
    sites = sites_of(config)
    homeless = [site for site in sites if simulated.needs_one(site)]
    for site in sites:
        prepare(site.kind)
    there, made = await _in_one_world(homeless, config, database, undo, ahead)
    members: list[Member] = []
    for site in sites:
        at, first = there.get(site.name, site), not members
        shares = not first and sites[0] in homeless and site in homeless
        required = config.venue(site.name).require_dead_man
        if required is None:
            required = config.run.require_dead_man
        reach = _reached(at, required, clock, timing, undo, first=first, shares=shares)
        members.append(await reach)
        if site in homeless:
            members[-1].made, made = made, None
    return members


async def _in_one_world(
    sites: Sequence[Site],
    config: Config,
    database: Database | None,
    undo: AsyncExitStack,
    ahead: simulated.Ahead | None,
) -> tuple[Mapping[str, Site], Embedded | None]:
    """Where these simulated venues are, by name; and the world, if it was started for them."""
    if not sites:
        return {}, None
    there = simulated.running(sites, config.sim, database) if database is not None else None
    if there is not None:
        return there, None
    begun = ahead.take(sites) if ahead is not None else None
    made = await simulated.start(sites, config.sim, LINGER_S, begun)
    undo.push_async_callback(made.end)
    return simulated.placed(sites, made), made


async def _reached(
    site: Site,
    dead_man_required: bool,  # named at the one call
    clock: Clock,
    timing: Timing,
    undo: AsyncExitStack,
    *,
    first: bool,
    shares: bool,
) -> Member:
    """One venue. Desk time is that of the first one's world, which it may share; other simulated
    worlds keep their own."""
    plugin = plugin_of(site.kind)
    capabilities = plugin.capabilities()
    if site.mmp is not None and not capabilities.protects_quotes:
        raise ConfigError(f"[venues.{site.name}.mmp]: {site.kind} has no market-maker protection")
    lacking = unsupported(capabilities)
    if lacking is not None:
        raise Refused(f"{site.name}: this version cannot trade there: {lacking}")
    unsafe = without_dead_man(capabilities, require_dead_man=dead_man_required)
    if unsafe is not None:
        raise Refused(f"{site.name}: {unsafe}")
    theirs = clock if first or shares or site.mode is not Mode.SIM else Clock(clock.scale)
    venue = plugin.trading(site, credentials_of(site, Path.cwd()), theirs, timing)
    undo.push_async_callback(venue.close)
    arrival = Arrival(venue, theirs, START_S, tell=True)
    listed = await arrival.listed()
    if site.mode is Mode.SIM and not shares:
        theirs.set_to_ms(await arrival.venue_ms())
    if theirs is not clock:
        venue = OwnClock(venue, theirs.now_ns() - clock.now_ns())
        arrival = Arrival(venue, clock, START_S, tell=True)
    return Member(site, venue, arrival, capabilities, listed)


class Listing(Protocol):
    """A venue that has said what it lists."""

    arrival: Arrival
    listed: list[Instrument]
    prices: dict[str, float]

    @property
    def venue(self) -> MarketData:
        """What has been asked."""
        ...


async def chosen(
    config: Config, at: Mapping[str, Listing], now_ns: Nanos
) -> dict[str, list[Instrument]]:
    """The instruments of every desk, each of which has one. `at`: the venues by their names; they
    learn the prices of what is traded there. Raises ConfigError."""
    for name, listing in at.items():
        mine = [desk for desk in config.desks if desk.settings.venue == name]
        unread = listing.venue.unread_listings
        wanted = [
            i for desk in mine for i in choose(listing.listed, desk, config, unread, now_ns=now_ns)
        ]
        listing.prices = await listing.arrival.prices(wanted)
    found = {}
    for desk in config.desks:
        listing = at[desk.settings.venue]
        unread = listing.venue.unread_listings
        found[desk.name] = choose(listing.listed, desk, config, unread, listing.prices, now_ns)
    check_disjoint(found)
    return found


def looked_at(
    config: Config,
    at: Mapping[str, Listing],
    found: Mapping[str, Sequence[Instrument]],
    now_ns: Nanos,
) -> dict[str, list[Instrument]]:
    """What every desk watches besides what is traded (`found`). Raises ConfigError."""
    listed = {name: listing.listed for name, listing in at.items()}
    return watched_by_all(found, listed, config, now_ns)


async def find_accounts(members: Iterable[Member]) -> None:
    """Ask each venue whose account our keys open. Raises ConfigError where two are the same one."""
    known: dict[tuple[str, str, str], str] = {}
    for member in members:
        member.account = await member.arrival.asked(member.venue.account)
        key = (member.site.kind, member.venue.endpoint, member.account)
        other = known.setdefault(key, member.site.name)
        if other != member.site.name:
            raise ConfigError(
                f"venues {other} and {member.site.name} are the same account, {member.account}: "
                "give each keys of its own, or leave one of them out"
            )


async def connect(
    members: Iterable[Member],
    sink: Sink,
    instruments: Sequence[Instrument],
    watched: Sequence[Instrument] = (),
) -> None:
    """Connect to all of them at once. Raises what the first that fails raises, once none is on its
    way any more."""
    tasks = [asyncio.ensure_future(one.connect(sink, instruments, watched)) for one in members]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
