"""A configuration's desks through many seeded histories: each seed a world, on both cores.

A history depends on its seed, the configuration and the faults alone, so that the results are the
same on one core or two, and one seed can be looked at by itself.

Without faults a seed is the very market that `mmbot quote` trades on the embedded venue, nobody
else about. With faults the world is against the bot: other weather, twice the flow, and somebody
who trades through the book up to its orders, so that fills say nothing about what it would earn.
The accounts of a file are in one world, at one exchange; people end the run now and then.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import resource_tracker
from pathlib import Path
from random import Random
from typing import cast

from mmbot.config import Config, DeskConfig, load_config
from mmbot.config.desks import trading_desk
from mmbot.config.select import check_disjoint, choose
from mmbot.config.watched import watched as look_besides
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.ports import Guard
from mmbot.core.types import MS, InstrumentId, instrument_name, venue_name
from mmbot.errors import ConfigError
from mmbot.plugins.settings import unknown
from mmbot.sim.market import chain
from mmbot.sim.market.market import START_PRICES
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.models.finality import Finality
from mmbot.sim.virtual.history import Outcome, WorldOptions
from mmbot.sim.virtual.kinds import KINDS, kind_of
from mmbot.sim.virtual.translate import instrument_of
from mmbot.sim.virtual.world import Fit, World
from mmbot.sim.wire.faces import USUAL
from mmbot.sim.wire.manner import Manner
from mmbot.venues.plugin import plugin_of

USUAL_S = WorldOptions().seconds
ALONE_S = 160.0
"""So much virtual time, of all seeds together, is done before other processes have imported all."""

CHUNK_MAX = 4
DEPARTURES_PER_HOUR = 300.0
"""How often people end a run of several accounts, in the seeds in which they do."""

CRASHES_PER_HOUR = {Harshness.MILD: 30.0, Harshness.HARSH: 150.0}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which histories: `count` seeds of a desk file from `first` on. `hours` is their virtual
    length with faults, None for the usual one."""

    path: Path
    first: int
    count: int
    harshness: Harshness
    hours: float | None = None
    desk: str | None = None
    """Of a file with several, which one alone."""
    manner: Manner | None = None
    """How the venue says what it says; None: drawn from the seed."""
    move: Move = Move.SAME_ID
    """How orders move at the venue ..."""
    label_echoed: bool = True
    """... and whether it names our labels."""

    finality: Finality = Finality.FINAL
    """Whether the venue's fills stand at once."""

    @property
    def can(self) -> Capabilities:
        """What the venue can do. One where nothing moves says little of what it has cancelled."""
        kind = kind_of(_traded(self.path, self.desk).kind)
        if not kind.adapts:
            return plugin_of(kind.name).capabilities()
        return Capabilities(
            move=self.move,
            label_echoed=self.label_echoed,
            fills_final=self.finality is Finality.FINAL,
        )

    @property
    def lasts_s(self) -> float:
        """Virtual seconds of all seeds together, until nothing goes wrong any more."""
        return self.count * (USUAL_S if self.hours is None else self.hours * 3_600)

    @property
    def seeds(self) -> range:
        """The seeds themselves."""
        return range(self.first, self.first + self.count)


def check(wish: Wish) -> Mapping[str, Sequence[str]]:
    """The instruments that will be traded, by account. Raises ConfigError for what cannot be
    simulated."""
    found: dict[str, list[str]] = {}
    traded = _traded(wish.path, wish.desk)
    usual = (wish.move, wish.label_echoed, wish.finality) == (Move.SAME_ID, True, Finality.FINAL)
    if not (usual or kind_of(traded.kind).adapts):
        raise ConfigError(
            f"--move, --echo and --finality are about {USUAL}: on {traded.kind} orders live one way"
        )
    for instrument in traded.desks:
        found.setdefault(venue_name(instrument), []).append(instrument_name(instrument))
    return found


def outcomes(wish: Wish) -> Iterator[Outcome]:
    """What became of each seed, in order, as they come."""
    processes = min(os.cpu_count() or 1, wish.count)
    if processes == 1 or wish.lasts_s <= ALONE_S:
        yield from (run(wish, seed) for seed in wish.seeds)
        return
    context = multiprocessing.get_context("spawn")
    with _children_leave_signals_alone():
        pool = context.Pool(processes)
    with pool:
        chunk = max(1, min(CHUNK_MAX, wish.count // processes))
        yield from pool.imap(_Run(wish), wish.seeds, chunk)


def run(wish: Wish, seed: int) -> Outcome:
    """One history."""
    return world(wish, seed).run()


def world(wish: Wish, seed: int) -> World:
    """The world of one seed, not begun."""
    traded = _traded(wish.path, wish.desk)
    plan = FaultPlan.drawn(seed, wish.harshness)
    options = _options(wish, seed, traded)
    rates = kind_of(traded.kind).rates
    options = replace(
        options,
        manner=wish.manner or Manner.drawn(seed),
        kind=traded.kind,
        watched=traded.watched,
        rate=rates[seed % len(rates)],
    )
    return World(seed, plan, traded.desks, traded.guards, options, fitting=_fitting)


def _fitting() -> Fit:
    from mmbot.pricing.chain_fit import ChainFitter  # where no option is traded it is not needed

    return ChainFitter().fitted


def _options(wish: Wish, seed: int, traded: "_Traded") -> WorldOptions:
    """Without faults, the market of `mmbot quote`; else who else is about, drawn from the seed."""
    if wish.harshness is Harshness.NONE:
        options = replace(WorldOptions.plain(traded.start_ms), can=wish.can)
    else:
        draw = Random(f"company {seed}")
        options = WorldOptions(
            start_ms=traded.start_ms,
            preset=draw.choice(("normal", "normal", "toxic", "crash")),
            raids_per_s=draw.choice((0.0, 0.2, 1.0)),
            crash_per_hour=draw.choice((0.0, CRASHES_PER_HOUR[wish.harshness])),
            foreign=draw.random() < 0.3,
            people=draw.random() < 0.2,
            can=wish.can,
        )
        if len({venue_name(instrument) for instrument in traded.desks}) > 1:
            often = draw.choice((0.0, DEPARTURES_PER_HOUR))
            options = replace(options, departures_per_hour=often)
    if wish.hours is None:
        return options
    return options.lasting(wish.hours * 3_600)


# --- the desks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Traded:
    desks: Mapping[InstrumentId, Desk]
    guards: tuple[Guard, ...]
    start_ms: int
    kind: str
    """Of the exchange that all accounts are at."""
    watched: tuple[InstrumentId, ...]
    """What the desks look at besides."""


@lru_cache(1)
def _traded(path: Path, name: str | None) -> _Traded:
    """The strategies, rules and guards of a desk file on the instruments of its desks, or of the
    one that is named. Raises ConfigError."""
    config = load_config({}, path)
    start_ms = round(config.sim.at.timestamp() * 1_000)
    named = _named(config, name)
    listed = {desk.name: _listed(config, desk, start_ms) for desk in named}
    now_ns = start_ms * MS
    chosen = {one.name: choose(listed[one.name], one, config, now_ns=now_ns) for one in named}
    check_disjoint(chosen)
    watched = [
        each.id
        for one in named
        for each in look_besides(listed[one.name], chosen[one.name], one, config, now_ns)
    ]
    desks: dict[InstrumentId, Desk] = {}
    for one in named:
        desks |= dict.fromkeys((i.id for i in chosen[one.name]), trading_desk(one))
    guards = tuple(cast(Guard, guard.build()) for guard in config.guards)
    besides = tuple(one for one in dict.fromkeys(watched) if one not in desks)
    return _Traded(desks, guards, start_ms, _kind(config, named), besides)


def _kind(config: Config, desks: Sequence[DeskConfig]) -> str:
    """The one kind of venue that desks are at. Raises ConfigError where they are several."""
    kinds = list(dict.fromkeys(config.venue(desk.settings.venue).kind for desk in desks))
    if len(kinds) > 1:
        where = config.origin(f"{desks[-1].path}.venue")
        raise ConfigError(
            f"{where}: {' and '.join(kinds)} cannot be simulated together: name a --desk"
        )
    return kinds[0]


def _named(config: Config, name: str | None) -> Sequence[DeskConfig]:
    """The desks that are meant. Raises ConfigError."""
    desks = {desk.name: desk for desk in config.desks}
    if name is None:
        return config.desks
    if name not in desks:
        raise ConfigError(f"--desk: {unknown('desk', name, list(desks))}")
    return [desks[name]]


def _listed(config: Config, desk: DeskConfig, start_ms: int) -> list[Instrument]:
    """What a desk's venue lists in the beginning. Raises ConfigError."""
    venue = config.venue(desk.settings.venue)
    if venue.kind not in KINDS:
        raise ConfigError(
            f"{config.origin(f'{desk.path}.venue')}: {venue.kind} cannot be simulated: only "
            f"{' and '.join(KINDS)} can"
        )
    return [
        instrument_of(listing, venue.name)
        for family in chain.families_of(kind_of(venue.kind).face.rules)
        for listing in chain.listings(family, START_PRICES[family.underlying], start_ms)
    ]


# --- the other processes ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """`run` of one wish, as another process can be given it."""

    wish: Wish

    def __call__(self, seed: int) -> Outcome:
        return run(self.wish, seed)


@contextmanager
def _children_leave_signals_alone() -> Iterator[None]:
    """Ctrl+C and the end of a terminal reach every process of it: the first one ends the others. A
    signal that is blocked when a process is started is blocked in it for good; for us it waits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP, signal.SIGQUIT))
    try:
        resource_tracker.ensure_running()  # on its own start it unblocks SIGINT
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
