"""The composition root: a configuration and a mode become a running engine.

The only file that knows every room. A mode is a constructor call here, never an `if` elsewhere.
"""

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from mmbot.clock import Clock
from mmbot.config import Config, Mode
from mmbot.config.desks import trading_desk
from mmbot.config.effective import effective
from mmbot.config.select import choose
from mmbot.core import events as ev
from mmbot.core.ports import Guard
from mmbot.core.state import State, apply, base36
from mmbot.core.turn import Desk as TradingDesk
from mmbot.core.types import Instrument
from mmbot.core.why import Why
from mmbot.engine.keeper import StoreKeeper, restore
from mmbot.engine.order_sizes import size_lines
from mmbot.engine.report import statistics_line, status_frame, summary
from mmbot.engine.runner import Runner, is_there
from mmbot.engine.status import StatusFrame, Summary
from mmbot.engine.suspension import Suspension
from mmbot.errors import ConfigError, ExitCode, Interrupted, MmbotError, Refused
from mmbot.ops.limit import ALWAYS
from mmbot.ops.log import log_turn
from mmbot.ops.samples import Sampler
from mmbot.plugins.registry import Family
from mmbot.store import known, lease, worlds
from mmbot.store.database import Database, open_store
from mmbot.store.locations import Location, locate, stop_file, tape_folder
from mmbot.store.queries import Reader
from mmbot.store.records import RunDraft, RunStarted, Seat
from mmbot.store.runs import start_run, stop_run
from mmbot.store.seat_lock import SeatLock, holder
from mmbot.store.writer import Writer
from mmbot.tape.format import Origin
from mmbot.tape.plan import DeskPlan, Plan, PluginPlan
from mmbot.tape.recorder import Limits, Recorder
from mmbot.venues import simulated as simulated_venue
from mmbot.venues.credentials import credentials
from mmbot.venues.deribit.arrival import START_S, Arrival
from mmbot.venues.deribit.clients import client_for, signed
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.embedded import LINGER_S

RUN_BITS = 28
"""With the 24 bits of a sequence number, a label fits one 53-bit integer."""

FRAME_EVERY_S = 0.5
STATISTICS_EVERY_S = 30.0
HEARTBEAT_S = 1.0
CLOSE_DEADLINE_S = 5.0
MB = 1024 * 1024

T = TypeVar("T")

_log = logging.getLogger("mmbot")


@dataclass(slots=True)
class Engine:
    """One venue, one desk, ready to run."""

    config: Config
    clock: Clock
    seat: Seat
    venue: DeribitVenue
    runner: Runner
    keeper: StoreKeeper
    instruments: list[Instrument]
    desk: TradingDesk
    lock: SeatLock
    tape: Recorder | None = None
    registration: known.Registration | None = None
    ended: str = ""
    """Why the run ended, for people; empty while it runs."""

    def frame(self) -> StatusFrame:
        """How things stand."""
        return status_frame(
            self.runner.state,
            self.config.desk.mode.value,
            self.venue.name,
            self.clock.now_ns(),
            self.ended,
            self.desk.refresh_ns,
        )

    def extend(self, listed: list[Instrument]) -> None:
        """The venue lists something new: what the configuration names of it is traded too."""
        try:
            chosen = choose(listed, self.config)
        except ConfigError:
            return  # what we trade has expired, and nothing took its place
        traded = {instrument.id: instrument for instrument in self.instruments}
        new = [instrument for instrument in chosen if instrument.id not in traded]
        changed = [i for i in chosen if i.id in traded and i != traded[i.id]]
        if changed:
            _log.info("on new terms: %s", ", ".join(instrument.name for instrument in changed))
        if new:
            _log.info("newly listed: %s", ", ".join(instrument.name for instrument in new))
            self.venue.follow(new)
        if new or changed:
            self.instruments = list((traded | {i.id: i for i in changed + new}).values())
            self.runner.trade(changed + new, self.desk)

    async def record(self) -> None:
        """Let other processes see how things stand at this moment."""
        self.keeper.publish(self.frame())
        await asyncio.to_thread(self.keeper.writer.flush, HEARTBEAT_S)

    async def close(self, exit_code: int) -> str:
        """Close every connection, then write what is left and give up the lease.

        Returns what the store did not take and why, in one line; empty when it took everything.
        """
        await self.venue.close()
        self.runner.flush()
        self.keeper.publish(self.frame())
        writer, unwritten = self.keeper.writer, ""
        if not await asyncio.to_thread(writer.close, exit_code, CLOSE_DEADLINE_S):
            lost = "all that this run kept is lost with it, and " if writer.vanished else ""
            unwritten = (
                f"{writer.problem or 'the store does not answer'}; {lost}{writer.unwritten} "
                "records are not in it: the next start reads trades and funding again from the "
                "venue"
            )
        if self.tape is not None and not await asyncio.to_thread(self.tape.close):
            _log.error("the tape did not take everything: its last turns are missing", extra=ALWAYS)
        self.lock.release()
        return unwritten


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
    leave = _Leave()
    leave.on_signals()
    clock = Clock()
    suspension = Suspension(clock, on_suspended)
    suspension.on_signals()
    engine = await _unless(leave.asked, assemble(config, clock))
    suspension.runner, suspension.record = engine.runner, engine.record
    exit_code = ExitCode.BUG
    said: Summary | None = None
    try:
        said = await _quote(engine, leave, on_status)
        exit_code = said.exit_code
    except MmbotError as error:
        exit_code, engine.ended = error.exit_code, str(error)
        raise
    except Exception as error:
        engine.ended = f"{type(error).__name__}: {error}"
        raise
    finally:
        unwritten = await engine.close(exit_code)
        if unwritten and said is None:
            _log.error("%s", unwritten, extra=ALWAYS)
    return replace(said, unwritten=unwritten)


async def _connected(engine: Engine) -> None:
    arrival = Arrival(engine.venue, engine.clock, START_S, tell=True)
    await arrival.connected(engine.runner.sink, engine.instruments)


async def _unless(leave: asyncio.Event, starting: Coroutine[Any, Any, T]) -> T:
    """What comes of it, unless leaving is asked for before: then Interrupted."""
    start, asked = asyncio.ensure_future(starting), asyncio.ensure_future(leave.wait())
    await asyncio.wait((start, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not start.done():
        start.cancel()
        await asyncio.wait((start,))
        if start.cancelled() or start.exception():
            raise Interrupted("stopped before it had begun: nothing was sent")
    return start.result()


async def assemble(config: Config, clock: Clock) -> Engine:
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
        venue = _venue(there, clock)
        undo.push_async_callback(venue.close)
        arrival = Arrival(venue, clock, START_S, tell=True)
        listed = await arrival.listed()
        if config.desk.mode is Mode.SIM:
            clock.set_to_ms(await arrival.venue_ms())
        instruments = choose(listed, config, venue.unread_listings)
        prices = await arrival.prices(instruments)
        instruments = choose(listed, config, venue.unread_listings, prices)
        seat = Seat(config.desk.mode, venue.name, await arrival.account())
        lock = _locked(seat, venue.endpoint, database)
        undo.callback(lock.release)
        if database is None:
            database = open_store(location)
        _prepare_tapes(config)
        draft = RunDraft(
            seat,
            venue.endpoint,
            str(config.path.absolute()) if config.path else None,
            str(Path.cwd() / ".env"),
        )
        run = start_run(database, draft, lambda: secrets.randbits(RUN_BITS), clock.wall_ns())
        registration = _registered(location, draft, database, run, clock)
        if made is not None:
            worlds.remember(database, simulated_venue.world_of(config, made), clock.wall_ns())
        engine = _engine(config, clock, venue, instruments, seat, run, database, lock)
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
    used = known.Used(url, draft.seat, draft.endpoint, draft.env_path)
    try:
        return known.Registration(os.environ, used)
    except Refused as error:
        with database.transaction() as connection:
            stop_run(connection, run.run, error.exit_code, clock.wall_ns())
            lease.release(connection, draft.seat, run.run)
        raise


def _locked(seat: Seat, endpoint: str, database: Database | None) -> SeatLock:
    """The seat, for us alone on this machine. Raises Refused while another process has it, unless
    that is the one the store's lease tells about: then the lease decides."""
    lock = SeatLock(seat, endpoint)
    if lock.take():
        return lock
    pid = holder(seat, endpoint)
    if database is not None:
        with database.transaction() as connection:
            leased = lease.held_by(connection, seat)
        if leased is not None and leased.pid == pid:
            return lock
    who = f"process {pid}" if pid else "another process"
    raise Refused(
        f"{who} is trading {seat} already, with another store or one that was deleted: stop it "
        "first"
    )


async def _quote(
    engine: Engine, leave: "_Leave", on_status: Callable[[StatusFrame], None] | None
) -> Summary:
    runner, clock, venue = engine.runner, engine.clock, engine.venue
    mode = engine.config.desk.mode.value
    _trip_on_signal(runner)
    try:
        await _unless(leave.asked, _connected(engine))
    except Interrupted:
        if not runner.state.orders.by_label:
            raise
        # What an earlier run left, or a link that was up already has sent, is taken back.
    chores = [
        asyncio.ensure_future(_statistics(engine)),
        asyncio.ensure_future(_heartbeat(engine)),
    ]
    if on_status is not None:
        chores.append(asyncio.ensure_future(_frames(engine, on_status)))
    try:
        await runner.run(leave.asked, engine.config.desk.duration_s)
        holder = runner.state.lease_lost
        if holder:
            raise Refused(f"run {holder} has taken this account over: nothing was sent any more")
        ended = Why.USER if leave.why or runner.broken else Why.TIME_UP
        engine.ended = "turns kept failing" if runner.broken else leave.why or ended.value
        tripped = runner.state.latch.tripped
        if tripped is not None:
            engine.ended += f", after the kill switch ({tripped.value})"
        left = await runner.stop(ended)
    finally:
        for chore in chores:
            chore.cancel()
            with suppress(asyncio.CancelledError):
                await chore
        runner.flush()
    for order in left or ():
        _log.error("still open: %s %s", order.label, order.instrument, extra=ALWAYS)
    open_orders = None if left is None else len(left)
    if on_status is not None:
        on_status(engine.frame())
    return summary(runner.state, mode, venue.name, clock.now_ns(), open_orders, engine.ended)


def _venue(config: Config, clock: Clock) -> DeribitVenue:
    """Where the quoting goes. Every mode ends in the same client on the same code."""
    keys = credentials(config.desk.mode, Path.cwd(), config.desk.venue)
    return DeribitVenue(client_for(config, clock, signed(keys)), clock)


def _engine(
    config: Config,
    clock: Clock,
    venue: DeribitVenue,
    instruments: Sequence[Instrument],
    seat: Seat,
    run: RunStarted,
    database: Database,
    lock: SeatLock,
) -> Engine:
    now_ns = clock.now_ns()
    state = State(run=base36(run.run), started_ns=now_ns)
    apply(state, ev.InstrumentsListed(tuple(instruments)), now_ns)
    apply(state, ev.LabelsReserved(run.labels_upto), now_ns)
    restore(state, Reader(database.location), seat, clock)
    desk = trading_desk(config, venue.name)
    desks = {instrument.id: desk for instrument in instruments}
    guards = [cast(Guard, guard.build()) for guard in config.guards]
    runner = Runner(state, desks, {venue.name: venue}, clock, guards, _stop_file(config))
    keeper = runner.keeper = StoreKeeper(runner.sink, clock)
    keeper.writer = Writer(database, seat, run, wall_ns=clock.wall_ns, tell=keeper.tell)
    runner.observers += [log_turn, Sampler(state, keeper.writer.put, clock.wall_ns).observe]
    tape = None
    if config.tape.on:
        tape = runner.journal = Recorder(
            _tapes(config),
            Limits(config.tape.file_mb * MB, config.tape.total_mb * MB),
            _origin(config, seat, state),
            _plan(config, desk, guards),
            desks,
            state,
            runner.sink,
            clock,
        )
    engine = Engine(config, clock, seat, venue, runner, keeper, list(instruments), desk, lock, tape)
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


def _origin(config: Config, seat: Seat, state: State) -> Origin:
    settings = tuple((one.key, one.text, one.origin) for one in effective(config))
    return Origin(state.run, seat.mode.value, seat.venue, seat.account, settings)


def _plan(config: Config, desk: TradingDesk, guards: Sequence[Guard]) -> Plan:
    """What the desk and the guards were built from, for whoever takes their turns again."""
    traded = DeskPlan(
        name=desk.name,
        venue=desk.venue,
        strategy=PluginPlan.of(Family.STRATEGY, config.strategy.name, desk.strategy),
        rules=tuple(
            PluginPlan.of(Family.RULE, table.name, rule)
            for table, rule in zip(config.rules, desk.rules, strict=True)
        ),
        refresh_ns=desk.refresh_ns,
    )
    watching = tuple(
        PluginPlan.of(Family.GUARD, table.name, guard)
        for table, guard in zip(config.guards, guards, strict=True)
    )
    return Plan((traded,), watching, config.plugins, tuple(map(str, config.plugin_folders)))


def _stop_file(config: Config) -> Path:
    configured = config.desk.stop_file
    return Path(configured) if configured else stop_file(config.desk.mode, os.environ)


_LEAVE_ON = {
    signal.SIGINT: "Ctrl+C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "its terminal was closed",
    signal.SIGQUIT: "SIGQUIT",
    signal.SIGUSR1: "SIGUSR1",
}
"""SIGUSR1 trips the kill switch as soon as there is one (_trip_on_signal)."""


@dataclass(slots=True)
class _Leave:
    """Whether somebody wants us to leave, and by what."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""

    def on_signals(self) -> None:
        """Ctrl+C and `kill` mean it, and so does a terminal that is closed, unless `nohup` or a
        shell's `&` had that ignored from the start."""
        loop = asyncio.get_running_loop()
        for ending, why in _LEAVE_ON.items():
            always = ending in (signal.SIGINT, signal.SIGTERM)
            if always or signal.getsignal(ending) is not signal.SIG_IGN:
                loop.add_signal_handler(ending, self._ask, why)

    def _ask(self, why: str) -> None:
        if self.asked.is_set():
            _log.warning("already leaving: orders are being cancelled, this takes a moment")
            return
        self.why = why
        self.asked.set()


def _trip_on_signal(runner: Runner) -> None:
    """`kill -USR1` is a kill switch that needs neither store nor disk."""
    trip = ev.Trip(Why.SIGNAL, "SIGUSR1")
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, runner.sink, trip)


async def _statistics(engine: Engine) -> None:
    """The line in the log."""
    state, clock = engine.runner.state, engine.clock
    while True:
        await clock.sleep(STATISTICS_EVERY_S)
        _log.info("%s", statistics_line(state, clock.now_ns()))


async def _heartbeat(engine: Engine) -> None:
    """Tell other processes, through the store, that we live and how things stand."""
    while True:
        engine.keeper.publish(engine.frame())
        if engine.lock.take():  # an engine that hung may have had it when we started
            engine.lock.greet()
        if engine.registration is not None:
            with suppress(Refused):  # who deletes the register may do so again
                await asyncio.to_thread(engine.registration.keep)
        await engine.clock.sleep(HEARTBEAT_S)


async def _frames(engine: Engine, on_status: Callable[[StatusFrame], None]) -> None:
    while True:
        on_status(engine.frame())
        await engine.clock.sleep(FRAME_EVERY_S)
