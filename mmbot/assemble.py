"""The composition root: a configuration and a mode become a running engine.

The only file that knows every room. A mode is a constructor call here, never an `if` elsewhere.
"""

import logging
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

from mmbot.clock import Clock
from mmbot.config import Config, Mode
from mmbot.config.desks import trading_desk
from mmbot.config.effective import effective
from mmbot.config.select import choose
from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk as TradingDesk
from mmbot.core.labels import base36
from mmbot.core.ports import Guard
from mmbot.core.state import State
from mmbot.engine.order_sizes import size_lines
from mmbot.engine.runner import Runner, is_there
from mmbot.engine.sinks import FillSink, Sinks
from mmbot.engine.status import StatusFrame, Summary
from mmbot.engine.store_bridge import StoreBridge, restore
from mmbot.engine.supervise import Engine, supervise
from mmbot.errors import ConfigError, Refused
from mmbot.ops.log import log_taken
from mmbot.ops.samples import Sampler
from mmbot.plugins.registry import Family
from mmbot.store import known, lease, worlds
from mmbot.store.account_lock import AccountLock, holder
from mmbot.store.database import Database, open_store
from mmbot.store.locations import Location, locate, stop_file, tape_folder
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey, RunDraft, RunStarted
from mmbot.store.runs import start_run, stop_run
from mmbot.store.writer import Writer
from mmbot.tape.format import Origin
from mmbot.tape.plan import DeskPlan, Plan, PluginPlan
from mmbot.tape.recorder import Limits, Recorder
from mmbot.venues import simulated as simulated_venue
from mmbot.venues.credentials import credentials
from mmbot.venues.deribit.arrival import START_S, Arrival
from mmbot.venues.deribit.clients import client_for, signed
from mmbot.venues.deribit.timing import USUAL, Timing
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.embedded import LINGER_S

RUN_BITS = 28
"""With the 24 bits of a sequence number, a label fits one 53-bit integer."""

MB = 1024 * 1024

_log = logging.getLogger("mmbot")


async def run_quote(
    config: Config,
    *,
    on_status: Callable[[StatusFrame], None] | None = None,
    on_suspended: Callable[[bool], None] | None = None,
) -> Summary:
    """Quote until a signal or the duration ends it, then leave nothing behind.

    `on_suspended`: Ctrl+Z is about to stop the process (True), or it goes on (False).

    Raises MmbotError for everything a person can cause or cure.
    """
    clock = Clock()
    return await supervise(assemble(config, clock), clock, on_status, on_suspended)


async def assemble(config: Config, clock: Clock, timing: Timing = USUAL) -> Engine:
    """An engine with its store open, its lease taken and its past taken over, not yet connected.

    The caller closes it. Raises MmbotError.
    """
    location = locate(config.desk.mode, os.environ, config.store.url)
    has_store = location.exists
    file = _stop_file(config)
    if is_there(file):
        raise Refused(f"{file} is there, so nothing may be quoted: remove it to start")
    # A new store and a new venue are for a run that can be: a bad strike leaves neither behind.
    database = open_store(location) if has_store else None
    async with AsyncExitStack() as undo:
        there, made = config, None
        if simulated_venue.needs_one(config):
            url = simulated_venue.running(config, database) if database is not None else None
            if url is None:
                made = await simulated_venue.start(config, LINGER_S)
                undo.push_async_callback(made.end)
                url = made.url
            there = simulated_venue.at_venue(config, url)
        venue = _venue(there, clock, timing)
        undo.push_async_callback(venue.close)
        arrival = Arrival(venue, clock, START_S, tell=True)
        listed = await arrival.listed()
        if config.desk.mode is Mode.SIM:
            clock.set_to_ms(await arrival.venue_ms())
        instruments = choose(listed, config, venue.unread_listings, now_ns=clock.now_ns())
        prices = await arrival.prices(instruments)
        instruments = choose(listed, config, venue.unread_listings, prices, clock.now_ns())
        account_key = AccountKey(config.desk.mode, venue.name, await arrival.account())
        lock = _locked(account_key, venue.endpoint, database)
        undo.callback(lock.release)
        if database is None:
            database = open_store(location)
        _prepare_tapes(config)
        draft = RunDraft(
            account_key,
            venue.endpoint,
            str(config.path.absolute()) if config.path else None,
            str(Path.cwd() / ".env"),
        )
        run = start_run(database, draft, lambda: secrets.randbits(RUN_BITS), clock.wall_ns())
        registration = _registered(location, draft, database, run, clock)
        if made is not None:
            worlds.remember(database, simulated_venue.world_of(config, made), clock.wall_ns())
        engine = _engine(config, clock, venue, instruments, account_key, run, database, lock)
        engine.registration = registration
        undo.pop_all()
    for line in size_lines(config, instruments, prices):
        _log.info("%s", line)
    return engine


def _registered(
    location: Location, draft: RunDraft, database: Database, run: RunStarted, clock: Clock
) -> known.Registration:
    """Known to the kill switch from now on. Raises Refused, and the run is over, where not."""
    url = known.without_password(location.url)
    used = known.Used(url, draft.account_key, draft.endpoint, draft.env_path)
    try:
        return known.Registration(os.environ, used)
    except Refused as error:
        with database.transaction() as connection:
            stop_run(connection, run.run, error.exit_code, clock.wall_ns())
            lease.release(connection, draft.account_key, run.run)
        raise


def _locked(account_key: AccountKey, endpoint: str, database: Database | None) -> AccountLock:
    """The account, for us alone on this machine. Raises Refused while another process has it,
    unless that is the one the store's lease tells about: then the lease decides."""
    lock = AccountLock(account_key, endpoint)
    if lock.take():
        return lock
    pid = holder(account_key, endpoint)
    if database is not None:
        with database.transaction() as connection:
            leased = lease.held_by(connection, account_key)
        if leased is not None and leased.pid == pid:
            return lock
    who = f"process {pid}" if pid else "another process"
    raise Refused(
        f"{who} is trading {account_key} already, with another store or one that was deleted: "
        "stop it first"
    )


def _venue(config: Config, clock: Clock, timing: Timing) -> DeribitVenue:
    """Where the quoting goes. Every mode ends in the same client on the same code."""
    keys = credentials(config.desk.mode, Path.cwd(), config.desk.venue)
    return DeribitVenue(client_for(config, clock, signed(keys), timing), clock)


def _engine(
    config: Config,
    clock: Clock,
    venue: DeribitVenue,
    instruments: Sequence[Instrument],
    account_key: AccountKey,
    run: RunStarted,
    database: Database,
    lock: AccountLock,
) -> Engine:
    now_ns = clock.now_ns()
    listed = ev.InstrumentsListed(tuple(instruments))
    state = begun(base36(run.run), now_ns, (listed, ev.LabelsReserved(run.labels_upto)))
    restore(state, Reader(database.location), account_key, clock)
    desk = trading_desk(config, venue.name)
    desks = {instrument.id: desk for instrument in instruments}
    guards = [cast(Guard, guard.build()) for guard in config.guards]
    runner = Runner(state, desks, {venue.name: venue}, clock, guards, _stop_file(config))
    store = runner.store = StoreBridge(runner.sink, clock)
    store.writer = Writer(database, account_key, run, wall_ns=clock.wall_ns, tell=store.tell)
    store.sinks = Sinks([(one.name, cast(FillSink, one.build())) for one in config.sinks])
    runner.observers += [log_taken, Sampler(state, store.writer.put, clock.wall_ns).observe]
    tape = None
    if config.tape.on:
        tape = runner.tape = Recorder(
            _tapes(config),
            Limits(config.tape.file_mb * MB, config.tape.total_mb * MB),
            _origin(config, account_key, state),
            _plan(config, desk, guards),
            desks,
            state,
            runner.sink,
            clock,
        )
    engine = Engine(
        config, clock, account_key, venue, runner, store, list(instruments), desk, lock, tape
    )
    venue.on_listed = engine.extend
    return engine


def _prepare_tapes(config: Config) -> None:
    """The folder of the tapes, writable. Raises ConfigError."""
    folder = _tapes(config)
    if not config.tape.on:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
        why = "no permission to write there"
    except OSError as error:
        writable, why = False, error.strerror or str(error)
    if not writable:
        raise ConfigError(
            f"{config.origin('tape.directory')}: tapes cannot be written to {folder}: {why}; "
            "give another [tape] directory, or --no-tape"
        )


def _tapes(config: Config) -> Path:
    return tape_folder(config.desk.mode, os.environ, config.tape.directory)


def _origin(config: Config, account_key: AccountKey, state: State) -> Origin:
    settings = tuple((one.key, one.text, one.origin) for one in effective(config))
    return Origin(
        state.run, account_key.mode.value, account_key.venue, account_key.account, settings
    )


def _plan(config: Config, desk: TradingDesk, guards: Sequence[Guard]) -> Plan:
    """What the desk and the guards were built from, for whoever takes their turns again."""
    hedger = None
    if desk.hedger is not None:
        hedger = PluginPlan.of(Family.HEDGER, desk.hedger_name, desk.hedger)
    traded = DeskPlan(
        name=desk.name,
        venue=desk.venue,
        strategy=PluginPlan.of(Family.STRATEGY, config.strategy.name, desk.strategy),
        rules=tuple(
            PluginPlan.of(Family.RULE, table.name, rule)
            for table, rule in zip(config.rules, desk.rules, strict=True)
        ),
        refresh_ns=desk.refresh_ns,
        pricer=PluginPlan.of(Family.PRICER, desk.pricer_name, desk.pricer),
        signals=tuple(PluginPlan.of(Family.SIGNAL, name, built) for name, built in desk.signals),
        hedger=hedger,
    )
    watching = tuple(
        PluginPlan.of(Family.GUARD, table.name, guard)
        for table, guard in zip(config.guards, guards, strict=True)
    )
    return Plan((traded,), watching, config.plugins, tuple(map(str, config.plugin_folders)))


def _stop_file(config: Config) -> Path:
    configured = config.desk.stop_file
    return Path(configured) if configured else stop_file(config.desk.mode, os.environ)
