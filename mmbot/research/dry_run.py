"""The first quotes a configuration would place, found out without an account.

Theory of operation
-------------------
The venues of the mode, State and `turn` are the ones that trade. Of a venue only its market data
is used, which has no credentials and cannot make a private call. What an account would have said
is made up here: the trading link is up, nothing is open, nothing is held, and the rate limit does
not bind. Public data flows until every market is known; then one turn decides about all of them,
those of all desks, and its intents are collected instead of sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from mmbot.clock import Clock
from mmbot.config import Config, DeskConfig, Mode
from mmbot.config.desks import trading_desk
from mmbot.core import events as ev
from mmbot.core.apply import apply
from mmbot.core.bot import Bot, begun
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.intents import Place
from mmbot.core.labels import SEQUENCES_MAX
from mmbot.core.remember import remember
from mmbot.core.state import State
from mmbot.core.types import SECOND, InstrumentId, Nanos, Side, Term
from mmbot.core.why import Why
from mmbot.engine.members import chosen, looked_at
from mmbot.engine.order_sizes import size_lines
from mmbot.venues.arrival import LOOK_S, Arrival
from mmbot.venues.base import MarketData
from mmbot.venues.own_clock import moved
from mmbot.venues.plugin import plugin_of
from mmbot.venues.simulated import all_visited, needs_one
from mmbot.venues.site import Site, sites_of

DATA_DEADLINE_S = 10.0
"""How long a market may take to show a book and a ticker; later it counts as having none."""

LOOK_EVERY_S = 0.02
UNBOUND = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstQuote:
    """One order that would be placed. Price, size and terms as in core.types."""

    instrument: Instrument
    side: Side
    level: int
    price: Decimal
    size: Decimal
    fair: float
    why: Why
    terms: tuple[Term, ...]
    clamp: Why | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoQuote:
    """One side that would not be quoted, and why."""

    instrument: Instrument
    side: Side
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What one desk of a run would begin with."""

    instruments: tuple[Instrument, ...]
    watched: int
    """How many more it would look at."""
    sizes: tuple[str, ...]
    """What an order comes to, and what was changed about it, for people."""
    quotes: tuple[FirstQuote, ...]
    missing: tuple[NoQuote, ...]


async def rehearse(config: Config) -> dict[str, Rehearsal]:
    """Look at the markets and decide once; desk -> what it would begin with, in the order of the
    file. Raises ConfigError and VenueUnreachable."""
    clock = Clock()
    async with AsyncExitStack() as undo:
        there = await undo.enter_async_context(all_visited(config))
        looks: dict[str, _Look] = {}
        homeless = [site.name for site in sites_of(config) if needs_one(site)]
        for name, site in there.items():
            shares = bool(looks) and {name, next(iter(looks))} <= set(homeless)
            looks[name] = await _looked(site, clock, undo, first=not looks, shares=shares)
        found = await chosen(config, looks, clock.now_ns())
        watched = looked_at(config, looks, found, clock.now_ns())
        for desk in config.desks:
            looks[desk.settings.venue].instruments += found[desk.name]
        listings = (ev.InstrumentsListed(tuple(traded), name) for name, traded in found.items())
        state = _accounts_at_rest(list(looks), listings, clock)
        built = {desk.name: trading_desk(desk) for desk in config.desks}
        desks = {one.id: built[name] for name, traded in found.items() for one in traded}
        await _learn(state, looks.values(), desks, clock)
    now_ns = clock.now_ns()
    bot = Bot(state, {})
    bot.step((), now_ns)  # asks for the snapshots that the next one gets
    nothing = [ev.SnapshotTaken(name, now_ns, (), (), ()) for name in looks]
    bot.desks |= desks
    taken = bot.step(nothing, now_ns)
    if taken.error is not None:
        raise taken.error
    quotes = [_first_quote(state, intent) for intent in taken.intents if isinstance(intent, Place)]
    return {
        desk.name: _of_desk(desk, found[desk.name], len(watched[desk.name]), state, quotes, looks)
        for desk in config.desks
    }


@dataclass(slots=True)
class _Look:
    """A venue as anybody sees it."""

    venue: MarketData
    arrival: Arrival
    listed: list[Instrument]
    ahead_ns: Nanos
    """Its clock less desk time: a simulated world has its own (venues.own_clock)."""
    prices: dict[str, float] = field(default_factory=dict)
    """USD per coin, of what is quoted here."""
    instruments: list[Instrument] = field(default_factory=list)
    """What is quoted here, by whichever desk."""


async def _looked(
    site: Site, clock: Clock, undo: AsyncExitStack, *, first: bool, shares: bool
) -> _Look:
    """One venue. Desk time is the first one's world's, which it may share."""
    theirs = clock if first or shares or site.mode is not Mode.SIM else Clock(clock.scale)
    venue = plugin_of(site.kind).data(site, theirs)
    undo.push_async_callback(venue.close)
    arrival = Arrival(venue, theirs, LOOK_S)
    listed = await arrival.listed()
    if site.mode is Mode.SIM and not shares:
        theirs.set_to_ms(await arrival.venue_ms())
    return _Look(venue, arrival, listed, theirs.now_ns() - clock.now_ns() if not first else 0)


def _accounts_at_rest(
    venues: Sequence[str], listings: Iterable[ev.InstrumentsListed], clock: Clock
) -> State:
    """A state in which everything that needs an account has been said, and is quiet."""
    at_rest: list[ev.Event] = [*listings, ev.LabelsReserved(SEQUENCES_MAX)]
    for venue in venues:
        at_rest.append(ev.LimitsRead(venue, UNBOUND, UNBOUND))
        at_rest.append(ev.LinkChanged(venue, ev.Link.TRADING, True))
    return begun("0", clock.now_ns(), at_rest)


async def _learn(
    state: State,
    looks: Iterable[_Look],
    desks: Mapping[InstrumentId, Desk],
    clock: Clock,
) -> None:
    """Take in public data until every market is known, or the time is over."""
    events: list[ev.Event] = []
    for look in looks:
        sink = partial(_hear, events, look.ahead_ns)
        await Arrival(look.venue, clock, LOOK_S).connected(sink, look.instruments)
    end_ns = clock.now_ns() + int(DATA_DEADLINE_S * SECOND)
    while clock.now_ns() < end_ns:
        for event in events:
            known_entries = len(state.entries)
            apply(state, event, clock.now_ns())
            remember(state, event, desks, known_entries)
        events.clear()
        accounts = state.accounts.values()
        alive = all(one.market_up and one.proven_ns >= one.doubted_ns for one in accounts)
        if alive and all(m.lost is None and m.priced_ns for m in state.markets.values()):
            return
        await clock.sleep(LOOK_EVERY_S)


def _hear(events: list[ev.Event], ahead_ns: Nanos, event: ev.Event) -> None:
    events.append(moved(event, -ahead_ns) if ahead_ns else event)


def _of_desk(
    desk: DeskConfig,
    instruments: Sequence[Instrument],
    watched: int,
    state: State,
    quotes: Iterable[FirstQuote],
    looks: Mapping[str, _Look],
) -> Rehearsal:
    """One desk's part of what was decided."""
    ids = {one.id for one in instruments}
    mine = tuple(quote for quote in quotes if quote.instrument.id in ids)
    quoted = {(quote.instrument.id, quote.side) for quote in mine}
    markets = [market for one, market in state.markets.items() if one in ids]
    missing = [
        NoQuote(instrument=m.instrument, side=side, why=m.why.get(side, Why.STARTING))
        for m in markets
        for side in Side
        if (m.instrument.id, side) not in quoted
    ]
    prices = looks[desk.settings.venue].prices
    return Rehearsal(
        instruments=tuple(instruments),
        watched=watched,
        sizes=tuple(size_lines(desk, instruments, prices)),
        quotes=mine,
        missing=tuple(missing),
    )


def _first_quote(state: State, place: Place) -> FirstQuote:
    market = state.markets[place.instrument]
    order = state.orders.by_label[place.label]
    built = next(q for q in market.quotes if (q.side, q.level) == (order.side, order.level))
    return FirstQuote(
        instrument=market.instrument,
        side=place.side,
        level=order.level,
        price=place.price,
        size=place.amount,
        fair=built.fair,
        why=place.why,
        terms=built.terms,
        clamp=built.clamp,
    )
