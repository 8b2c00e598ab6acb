"""The first quotes a configuration would place, found out without an account.

Theory of operation
-------------------
The venue of the mode, State and `turn` are the ones that trade. Of the venue only its market data
is used, which has no credentials and cannot make a private call. What an account would have said
is made up here: the trading link is up, nothing is open, nothing is held, and the rate limit does
not bind. Public data flows until every market is known; then one turn decides about all of them,
and its intents are collected instead of sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mmbot.clock import Clock
from mmbot.config import Config, Mode
from mmbot.config.desks import trading_desk
from mmbot.config.select import choose
from mmbot.core import events as ev
from mmbot.core.apply import apply
from mmbot.core.bot import Bot, begun
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.intents import Place
from mmbot.core.labels import SEQUENCES_MAX
from mmbot.core.remember import remember
from mmbot.core.state import State
from mmbot.core.types import SECOND, Side, Term
from mmbot.core.why import Why
from mmbot.engine.order_sizes import size_lines
from mmbot.venues.arrival import LOOK_S, Arrival
from mmbot.venues.base import MarketData
from mmbot.venues.plugin import plugin_of
from mmbot.venues.simulated import visited
from mmbot.venues.site import Site

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
    """What a run would begin with."""

    instruments: tuple[Instrument, ...]
    sizes: tuple[str, ...]
    """What an order comes to, and what was changed about it, for people."""
    quotes: tuple[FirstQuote, ...]
    missing: tuple[NoQuote, ...]


async def rehearse(config: Config) -> Rehearsal:
    """Look at the market and decide once. Raises ConfigError and VenueUnreachable."""
    async with visited(config) as there:
        return await _rehearse(config, there)


async def _rehearse(config: Config, site: Site) -> Rehearsal:
    clock = Clock()
    venue = plugin_of(site.kind).data(site, clock)
    try:
        arrival = Arrival(venue, clock, LOOK_S)
        listed = await arrival.listed()
        if site.mode is Mode.SIM:
            clock.set_to_ms(await arrival.venue_ms())
        instruments = choose(
            listed, config.lone, config, venue.unread_listings, now_ns=clock.now_ns()
        )
        prices = await arrival.prices(instruments)
        instruments = choose(
            listed, config.lone, config, venue.unread_listings, prices, clock.now_ns()
        )
        state = _account_at_rest(venue.name, instruments, clock)
        desk = trading_desk(config.lone)
        await _learn(state, venue, instruments, desk, clock)
    finally:
        await venue.close()
    now_ns = clock.now_ns()
    bot = Bot(state, {})
    bot.step((), now_ns)  # asks for the snapshot that the next one gets
    nothing = ev.SnapshotTaken(venue.name, now_ns, (), (), ())
    bot.desks |= dict.fromkeys(state.markets, desk)
    taken = bot.step((nothing,), now_ns)
    if taken.error is not None:
        raise taken.error
    quotes = [_first_quote(state, intent) for intent in taken.intents if isinstance(intent, Place)]
    quoted = {(quote.instrument.id, quote.side) for quote in quotes}
    missing = [
        NoQuote(instrument=m.instrument, side=side, why=m.why.get(side, Why.STARTING))
        for m in state.markets.values()
        for side in Side
        if (m.instrument.id, side) not in quoted
    ]
    return Rehearsal(
        instruments=tuple(instruments),
        sizes=tuple(size_lines(config.lone, instruments, prices)),
        quotes=tuple(quotes),
        missing=tuple(missing),
    )


def _account_at_rest(venue: str, instruments: Sequence[Instrument], clock: Clock) -> State:
    """A state in which everything that needs an account has been said, and is quiet."""
    now_ns = clock.now_ns()
    return begun(
        "0",
        now_ns,
        (
            ev.InstrumentsListed(tuple(instruments)),
            ev.LabelsReserved(SEQUENCES_MAX),
            ev.LimitsRead(venue, UNBOUND, UNBOUND),
            ev.LinkChanged(venue, ev.Link.TRADING, True),
        ),
    )


async def _learn(
    state: State,
    venue: MarketData,
    instruments: Sequence[Instrument],
    desk: Desk,
    clock: Clock,
) -> None:
    """Take in public data until every market is known, or the time is over."""
    events: list[ev.Event] = []
    await Arrival(venue, clock, LOOK_S).connected(events.append, instruments)
    end_ns = clock.now_ns() + int(DATA_DEADLINE_S * SECOND)
    while clock.now_ns() < end_ns:
        for event in events:
            apply(state, event, clock.now_ns())
        remember(state, events, dict.fromkeys(state.markets, desk))
        events.clear()
        account = state.account(venue.name)
        alive = account.market_up and account.proven_ns >= account.doubted_ns
        if alive and all(m.lost is None and m.priced_ns for m in state.markets.values()):
            return
        await clock.sleep(LOOK_EVERY_S)


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
