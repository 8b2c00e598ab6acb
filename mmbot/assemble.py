"""The composition root: a configuration and a mode become a running engine.

The only file that knows every room. A mode is a constructor call here, never an `if` elsewhere.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import cast

from mmbot.clock import Clock
from mmbot.config import Config, DeskConfig
from mmbot.config.desks import trading_desk
from mmbot.config.effective import effective
from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.capabilities import dead_man_warning
from mmbot.core.chain_upkeep import reads_chain
from mmbot.core.desk import Desk as TradingDesk
from mmbot.core.labels import base36
from mmbot.core.ports import Guard
from mmbot.core.state import State
from mmbot.engine.members import Member, chosen, find_accounts, looked_at, reached
from mmbot.engine.order_sizes import size_lines
from mmbot.engine.runner import Runner, is_there
from mmbot.engine.sinks import FillSink, Sinks
from mmbot.engine.status import StatusFrame, Summary
from mmbot.engine.store_bridge import StoreBridge, restore
from mmbot.engine.supervise import Engine, TradedDesk, supervise
from mmbot.errors import ConfigError, Refused
from mmbot.ops.limit import ALWAYS
from mmbot.ops.log import log_taken
from mmbot.ops.samples import Sampler
from mmbot.plugins.registry import Family
from mmbot.pricing.theoretical import prepare
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
from mmbot.venues.own_clock import OwnClock
from mmbot.venues.timing import USUAL, Timing

RUN_BITS = 28
"""With the 24 bits of a sequence number, a label fits one 53-bit integer."""

MB = 1024 * 1024

_log = logging.getLogger("mmbot")


async def run_quote(
    config: Config,
    *,
    on_status: Callable[[StatusFrame], None] | None = None,
    on_suspended: Callable[[bool], None] | None = None,
    ahead: simulated_venue.Ahead | None = None,
) -> Summary:
    """Quote until a signal or the duration ends it, then leave nothing behind.

    `on_suspended`: Ctrl+Z is about to stop the process (True), or it goes on (False). `ahead` has a
    simulated world that was begun before.

    Raises MmbotError for everything a person can cause or cure.
    """
    clock = Clock()
    return await supervise(assemble(config, clock, ahead=ahead), clock, on_status, on_suspended)


async def assemble(
    config: Config,
    clock: Clock,
    timing: Timing = USUAL,
    ahead: simulated_venue.Ahead | None = None,
) -> Engine:
    """An engine with its store open, its leases taken and its past taken over, not yet connected.

    The caller closes it. Raises MmbotError.
    """
    location = locate(config.run.mode, os.environ, config.store.url)
    has_store = location.exists
    file = _stop_file(config)
    if is_there(file):
        raise Refused(f"{file} is there, so nothing may be quoted: remove it to start")
    # A new store and a new venue are for a run that can be: a bad strike leaves neither behind.
    database = open_store(location) if has_store else None
    async with AsyncExitStack() as undo:
        members = await reached(config, clock, timing, database, undo, ahead)
        at = {member.site.name: member for member in members}
        found = await chosen(config, at, clock.now_ns())
        watched = looked_at(config, at, found, clock.now_ns())
        traded = [
            TradedDesk(one, trading_desk(one), found[one.name], watched[one.name])
            for one in config.desks
        ]
        _prepare_pricing(traded)
        await find_accounts(members)
        for member in members:
            member.lock = _locked(member, database)
            undo.callback(member.lock.release)
        if database is None:
            database = open_store(location)
        _prepare_tapes(config)
        draft = RunDraft(
            tuple(member.draft for member in members),
            str(config.path.absolute()) if config.path else None,
            str(Path.cwd() / ".env"),
        )
        run = start_run(database, draft, lambda: secrets.randbits(RUN_BITS), clock.wall_ns())
        registration = _registered(location, draft, database, run, clock)
        for member in members:
            if member.made is not None:
                world = simulated_venue.world_of(config.sim, member.made)
                worlds.remember(database, world, clock.wall_ns())
        engine = _engine(config, clock, members, traded, run, database)
        engine.registration = registration
        undo.pop_all()
    for member in members:
        warning = dead_man_warning(member.capabilities)
        if warning:
            _log.warning("%s: %s", member.site.name, warning, extra=ALWAYS)
    for desk in traded:
        prices = at[desk.desk.venue].prices
        of_desk = f"{desk.desk.name} on {desk.desk.venue}: " if len(traded) > 1 else ""
        for line in size_lines(desk.config, desk.instruments, prices):
            _log.info("%s%s", of_desk, line, extra=ALWAYS)
    return engine


def _registered(
    location: Location, draft: RunDraft, database: Database, run: RunStarted, clock: Clock
) -> known.Registration:
    """Known to the kill switch from now on. Raises Refused, and the run is over, where not."""
    url = known.without_password(location.url)
    uses = [
        known.Used(url, one.account_key, one.endpoint, draft.env_path, kind=one.kind)
        for one in draft.accounts
    ]
    try:
        return known.Registration(os.environ, uses)
    except Refused as error:
        with database.transaction() as connection:
            stop_run(connection, run.run, error.exit_code, clock.wall_ns())
            for one in draft.accounts:
                lease.release(connection, one.account_key, run.run)
        raise


def _locked(member: Member, database: Database | None) -> AccountLock:
    """The account, for us alone on this machine. Raises Refused while another process has it,
    unless that is the one the store's lease tells about: then the lease decides."""
    account_key, endpoint = member.account_key, member.venue.endpoint
    lock = AccountLock(account_key, endpoint, member.site.kind)
    if lock.take():
        return lock
    pid = holder(account_key, endpoint, member.site.kind)
    who = f"process {pid}" if pid else "another process"
    if database is not None:
        with database.transaction() as connection:
            leased = lease.held_by(connection, account_key)
            run = lease.run_of(connection, account_key, pid)
        if leased is not None and leased.pid == pid:
            return lock
        if run is not None:  # under another name of the venue
            who = f"run {base36(run)} ({who})"
    else:
        run = None
    how = "" if run is not None else ", with another store or one that was deleted"
    raise Refused(f"{who} is trading {account_key} already{how}: stop it first")


def _engine(
    config: Config,
    clock: Clock,
    members: Sequence[Member],
    traded: Sequence[TradedDesk],
    run: RunStarted,
    database: Database,
) -> Engine:
    keys = [member.account_key for member in members]
    described = [ev.VenueDescribed(m.site.name, m.capabilities) for m in members]
    listed: list[ev.ListEvent] = [
        ev.InstrumentsListed(tuple(one.instruments), one.desk.name) for one in traded
    ]
    listed += [
        ev.InstrumentsWatched(tuple(one.watched), one.desk.name) for one in traded if one.watched
    ]
    reserved = ev.LabelsReserved(run.labels_upto)
    state = begun(base36(run.run), clock.now_ns(), (*described, *listed, reserved))
    translated = {m.site.name for m in members if isinstance(m.venue, OwnClock)}
    restore(state, Reader(database.location), keys, clock, translated)
    desks = {i.id: one.desk for one in traded for i in one.instruments}
    guards = [cast(Guard, guard.build()) for guard in config.guards]
    venues = {member.site.name: member.venue for member in members}
    runner = Runner(state, desks, venues, clock, guards, _stop_file(config))
    store = runner.store = StoreBridge(runner.sink, clock)
    store.writer = Writer(database, keys, run, wall_ns=clock.wall_ns, tell=store.tell)
    store.sinks = Sinks([(one.name, cast(FillSink, one.build())) for one in config.sinks])
    logged = partial(log_taken, name_of=str) if len(venues) > 1 else log_taken
    runner.observers += [logged, Sampler(state, store.writer.put, clock.wall_ns).observe]
    tape = None
    if config.tape.on:
        tape = runner.tape = Recorder(
            _tapes(config),
            Limits(config.tape.file_mb * MB, config.tape.total_mb * MB),
            _origin(config, keys, state),
            _plan(config, traded, guards),
            desks,
            state,
            runner.sink,
            clock,
        )
    engine = Engine(config, clock, list(members), list(traded), runner, store, tape)
    runner.on_retired = engine.forget
    store.reset_protection = engine.reset_protection
    for member in members:
        member.venue.on_listed = partial(engine.extend, member)
    return engine


def _prepare_pricing(traded: Sequence[TradedDesk]) -> None:
    """Have what values chains of options imported while the venues are connected to."""
    if any(reads_chain(one.desk) and any(i.has_vega for i in one.instruments) for one in traded):
        asyncio.get_running_loop().run_in_executor(None, prepare)


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
    return tape_folder(config.run.mode, os.environ, config.tape.directory)


def _origin(config: Config, account_keys: Sequence[AccountKey], state: State) -> Origin:
    settings = tuple((one.key, one.text, one.origin) for one in effective(config))
    venues, accounts = zip(*((key.venue, key.account) for key in account_keys), strict=True)
    return Origin(
        state.run, config.run.mode.value, ", ".join(venues), ", ".join(accounts), settings
    )


def _plan(config: Config, traded: Sequence[TradedDesk], guards: Sequence[Guard]) -> Plan:
    """What the desks and the guards were built from, for whoever takes their turns again."""
    watching = tuple(
        PluginPlan.of(Family.GUARD, table.name, guard)
        for table, guard in zip(config.guards, guards, strict=True)
    )
    desks = tuple(_desk_plan(one.config, one.desk) for one in traded)
    return Plan(desks, watching, config.plugins, tuple(map(str, config.plugin_folders)))


def _desk_plan(config: DeskConfig, desk: TradingDesk) -> DeskPlan:
    hedger = None
    if config.hedger is not None:
        hedger = PluginPlan.of(Family.HEDGER, config.hedger.name, desk.hedger)
    return DeskPlan(
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


def _stop_file(config: Config) -> Path:
    configured = config.run.stop_file
    return Path(configured) if configured else stop_file(config.run.mode, os.environ)
