"""A configuration's desk through many seeded histories: each seed a world, on both cores.

A history depends on its seed, the configuration and the faults alone, so that the results are the
same on one core or two, and one seed can be looked at by itself.

Without faults a seed is the very market that `mmbot quote` trades on the embedded venue, nobody
else about. With faults the world is against the bot: other weather, twice the flow, and somebody
who trades through the book up to its orders, so that fills say nothing about what it would earn.
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
from mmbot.config.select import choose
from mmbot.core.desk import Desk
from mmbot.core.ports import Guard
from mmbot.core.types import MS
from mmbot.errors import ConfigError
from mmbot.plugins.settings import unknown
from mmbot.sim.market import chain
from mmbot.sim.market.market import START_PRICES
from mmbot.sim.models.faults import FaultPlan, Harshness
from mmbot.sim.models.finality import Finality
from mmbot.sim.virtual.translate import VENUE, instrument_of
from mmbot.sim.virtual.world import Outcome, World, WorldOptions

ALONE_MAX = 8
"""So few seeds are not worth a second process."""

CHUNK = 4
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
    """Of a file with several, which one."""
    finality: Finality = Finality.FINAL
    """Whether the venue's fills stand at once."""

    @property
    def seeds(self) -> range:
        """The seeds themselves."""
        return range(self.first, self.first + self.count)


def check(wish: Wish) -> Sequence[str]:
    """The instruments that will be traded. Raises ConfigError for what cannot be simulated."""
    return tuple(_desk(wish.path, wish.desk).desks)


def outcomes(wish: Wish) -> Iterator[Outcome]:
    """What became of each seed, in order, as they come."""
    if wish.count <= ALONE_MAX:
        yield from (run(wish, seed) for seed in wish.seeds)
        return
    context = multiprocessing.get_context("spawn")
    with _children_leave_signals_alone():
        pool = context.Pool(min(os.cpu_count() or 1, wish.count))
    with pool:
        yield from pool.imap(_Run(wish), wish.seeds, CHUNK)


def run(wish: Wish, seed: int) -> Outcome:
    """One history."""
    return world(wish, seed).run()


def world(wish: Wish, seed: int) -> World:
    """The world of one seed, not begun."""
    traded = _desk(wish.path, wish.desk)
    plan = FaultPlan.drawn(seed, wish.harshness)
    return World(seed, plan, traded.desks, traded.guards, _options(wish, seed, traded.start_ms))


def _options(wish: Wish, seed: int, start_ms: int) -> WorldOptions:
    """Without faults, the market of `mmbot quote`; else who else is about, drawn from the seed."""
    if wish.harshness is Harshness.NONE:
        options = WorldOptions.plain(start_ms)
    else:
        draw = Random(f"company {seed}")
        options = WorldOptions(
            start_ms=start_ms,
            preset=draw.choice(("normal", "normal", "toxic", "crash")),
            raids_per_s=draw.choice((0.0, 0.2, 1.0)),
            crash_per_hour=draw.choice((0.0, CRASHES_PER_HOUR[wish.harshness])),
            foreign=draw.random() < 0.3,
            people=draw.random() < 0.2,
        )
    options = replace(options, late_finality=wish.finality is Finality.LATE)
    if wish.hours is None:
        return options
    return options.lasting(wish.hours * 3_600)


# --- the desk ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Traded:
    desks: Mapping[str, Desk]
    guards: tuple[Guard, ...]
    start_ms: int


@lru_cache(1)
def _desk(path: Path, name: str | None) -> _Traded:
    """A desk file's strategy, rules and guards on its instruments. Raises ConfigError."""
    config = load_config({}, path)
    chosen = _named(config, name)
    venue = config.venue(chosen.settings.venue)
    if venue.kind != VENUE:
        raise ConfigError(
            f"{config.origin(f'{chosen.path}.venue')}: {venue.kind} cannot be simulated: only "
            f"{VENUE} can"
        )
    desk = replace(trading_desk(chosen), venue=VENUE)  # the world's own name of it
    start_ms = round(config.sim.at.timestamp() * 1_000)
    listed = [
        instrument_of(listing)
        for family in chain.FAMILIES.values()
        for listing in chain.listings(family, START_PRICES[family.underlying], start_ms)
    ]
    named = choose(listed, chosen, config, now_ns=start_ms * MS)
    desks = {instrument.name: desk for instrument in named}
    guards = tuple(cast(Guard, guard.build()) for guard in config.guards)
    return _Traded(desks, guards, start_ms)


def _named(config: Config, name: str | None) -> DeskConfig:
    """The desk that is meant. Raises ConfigError."""
    desks = {desk.name: desk for desk in config.desks}
    if name is None:
        if len(desks) > 1:
            raise ConfigError(
                f"{config.path}: there are several desks, and one is simulated at a time: add "
                f"--desk NAME, one of {', '.join(desks)}"
            )
        return config.lone
    if name not in desks:
        raise ConfigError(f"--desk: {unknown('desk', name, list(desks))}")
    return desks[name]


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
