"""What runs an engine from its start to its last word: link, turns, chores, and the way out.

The engine connects, quotes until somebody or the duration ends it, and takes everything back.
Beside the turns, three chores tell how things stand: a line in the log, the store, the live table.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from mmbot.clock import Clock
from mmbot.config import Config, DeskConfig
from mmbot.config.select import choose
from mmbot.config.watched import watched
from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk as TradingDesk
from mmbot.core.intents import Intent
from mmbot.core.types import InstrumentId, Nanos, venue_name
from mmbot.core.why import Why
from mmbot.engine.leaving import Leave, tell_left, trip_on_signal, unless
from mmbot.engine.members import Member, connect
from mmbot.engine.report import statistics_line, status_frame, summary
from mmbot.engine.runner import Runner
from mmbot.engine.status import StatusFrame, Summary
from mmbot.engine.store_bridge import StoreBridge
from mmbot.engine.suspension import Suspension
from mmbot.errors import (
    ConfigError,
    ExitCode,
    Interrupted,
    MmbotError,
    OrdersMayRemain,
    Refused,
)
from mmbot.ops.limit import ALWAYS
from mmbot.store import known
from mmbot.tape.recorder import Recorder

FRAME_EVERY_S = 0.5
STATISTICS_EVERY_S = 30.0
HEARTBEAT_S = 1.0
CLOSE_DEADLINE_S = 5.0

_log = logging.getLogger("mmbot")


@dataclass(slots=True)
class TradedDesk:
    """A desk and what it trades by now."""

    config: DeskConfig
    desk: TradingDesk
    instruments: list[Instrument]
    watched: list[Instrument] = field(default_factory=list)
    """What it looks at besides."""


@dataclass(slots=True)
class Engine:
    """The venues and the desks of a run, ready to go."""

    config: Config
    clock: Clock
    members: list[Member]
    desks: list[TradedDesk]
    runner: Runner
    store: StoreBridge
    tape: Recorder | None = None
    registration: known.Registration | None = None
    ended: str = ""
    """Why the run ended, for people; empty while it runs."""

    def frame(self) -> StatusFrame:
        """How things stand."""
        desks = self.runner.bot.desks
        return status_frame(
            self.runner.state,
            self.config.run.mode.value,
            self.where,
            self.clock.now_ns(),
            self.ended,
            {id_: desk.refresh_ns for id_, desk in desks.items()},
            accounts=self.accounts,
            desks=self.desk_names,
            reads_left={one.site.name: one.venue.reads_left() for one in self.members},
            signal_desks=desks,
        )

    @property
    def where(self) -> str:
        """The venues, for people."""
        return ", ".join(member.site.name for member in self.members)

    @property
    def accounts(self) -> dict[str, tuple[str, str]]:
        """By venue: its kind, and whose account."""
        return {one.site.name: (one.site.kind, one.account) for one in self.members}

    @property
    def desk_names(self) -> dict[InstrumentId, str]:
        """By instrument: the desk that quotes it, or did while it could be quoted."""
        markets = self.runner.state.markets.items()
        once = {id_: market.desk for id_, market in markets if market.desk}
        return once | {id_: desk.name for id_, desk in self.runner.bot.desks.items()}

    @property
    def instruments(self) -> list[Instrument]:
        """Everything that is traded."""
        return [instrument for one in self.desks for instrument in one.instruments]

    async def connect(self) -> None:
        """Connect to every venue. Raises VenueUnreachable, Refused."""
        watched = [instrument for one in self.desks for instrument in one.watched]
        await connect(self.members, self.runner.sink, self.instruments, watched)

    def reset_protection(self, venue: str) -> bool:
        """A person has a venue take quotes again that it froze; whether there is such a venue."""
        for member in self.members:
            if member.site.name == venue and member.capabilities.protects_quotes:
                member.venue.reset_protection()
                return True
        _log.error("%s has no market-maker protection to be reset", venue)
        return False

    def extend(self, member: Member, listed: list[Instrument]) -> None:
        """A venue lists something new: what the configuration names of it is traded too, by the
        first desk that names it, or watched."""
        here = [one for one in self.desks if one.desk.venue == member.site.name]
        for one in here:
            try:
                chosen = choose(listed, one.config, self.config, now_ns=self.clock.now_ns())
            except ConfigError:
                continue  # what it trades has expired, and nothing took its place
            self._extend(member, one, chosen)
        for one in here:
            self._extend_watched(member, one, listed)

    def _extend(self, member: Member, one: TradedDesk, chosen: Sequence[Instrument]) -> None:
        others = {i.id for other in self.desks if other is not one for i in other.instruments}
        traded = {instrument.id: instrument for instrument in one.instruments}
        new = [i for i in chosen if i.id not in traded and i.id not in others]
        now_ns = self.clock.now_ns()  # what is gone may still be listed
        new = [i for i in new if i.expiry_ns is None or now_ns < i.expiry_ns]
        changed = [i for i in chosen if i.id in traded and i != traded[i.id]]
        if changed:
            _log.info("on new terms: %s", ", ".join(instrument.name for instrument in changed))
        if new:
            _log.info("newly listed: %s", ", ".join(instrument.name for instrument in new))
            member.venue.follow(new)
        if new or changed:
            one.instruments = list((traded | {i.id: i for i in changed + new}).values())
            self.runner.trade(changed + new, one.desk)

    def _extend_watched(self, member: Member, one: TradedDesk, listed: list[Instrument]) -> None:
        now_ns = self.clock.now_ns()
        try:
            wanted = watched(listed, one.instruments, one.config, self.config, now_ns)
        except ConfigError:
            return  # what it names has expired
        traded = {instrument.id for instrument in self.instruments}
        one.watched = [i for i in one.watched if i.id not in traded]
        known = {i.id: i for other in self.desks for i in other.watched}
        new = [i for i in wanted if i.id not in known and i.id not in traded]
        changed = [i for i in wanted if i.id in known and i != known[i.id]]
        if new:
            _log.info("watched as well: %s", ", ".join(instrument.name for instrument in new))
            member.venue.look_at(new)
        if new or changed:
            mine = {i.id: i for i in one.watched}
            mine |= {i.id: i for i in changed if i.id in mine} | {i.id: i for i in new}
            one.watched = list(mine.values())
            self.runner.watch(new + changed, one.desk)

    def forget(self, retired: Sequence[InstrumentId]) -> None:
        """These have come to their end: nothing is heard of them any more."""
        for one in self.desks:
            gone = [i for i in one.instruments if i.id in retired]
            if gone:
                one.instruments = [i for i in one.instruments if i.id not in retired]
                _log.info("settled: %s", ", ".join(instrument.name for instrument in gone))
            one.watched = [i for i in one.watched if i.id not in retired]
        for member in self.members:
            here = [i for i in retired if venue_name(i) == member.site.name]
            if here:
                member.venue.unfollow(here)
                member.listed = [i for i in member.listed if i.id not in here]

    def tell_links(
        self, events: Sequence[ev.Event], _intents: Sequence[Intent], _now_ns: Nanos
    ) -> None:
        """An observer for the runner: that a link went or came back is published at once."""
        if any(isinstance(event, ev.LinkChanged) for event in events):
            self.store.publish(self.frame())

    async def record(self) -> None:
        """Let other processes see how things stand at this moment."""
        self.store.publish(self.frame())
        await asyncio.to_thread(self.store.writer.flush, HEARTBEAT_S)

    async def close(self, exit_code: int) -> str:
        """Close every connection, then write what is left and give up the lease.

        Returns what the store did not take and why, in one line; empty when it took everything.
        """
        await asyncio.gather(*(member.venue.close() for member in self.members))
        self.runner.surfaces.close()
        self.runner.flush()
        self.store.publish(self.frame())
        writer, unwritten = self.store.writer, ""
        if not await asyncio.to_thread(writer.close, exit_code, CLOSE_DEADLINE_S):
            lost = "all that this run kept is lost with it, and " if writer.vanished else ""
            unwritten = (
                f"{writer.problem or 'the store does not answer'}; {lost}{writer.unwritten} "
                "records are not in it: the next start reads trades and funding again from the "
                "venue"
            )
        if self.tape is not None and not await asyncio.to_thread(self.tape.close):
            _log.error("the tape did not take everything: its last turns are missing", extra=ALWAYS)
        for member in self.members:
            if member.lock is not None:
                member.lock.release()
        return unwritten


async def supervise(
    starting: Coroutine[Any, Any, Engine],
    clock: Clock,
    on_status: Callable[[StatusFrame], None] | None,
    on_suspended: Callable[[bool], None] | None,
) -> Summary:
    """Run the engine that `starting` comes to until a signal or its duration ends it, and close it.

    Raises MmbotError for everything a person can cause or cure.
    """
    leave = Leave()
    leave.on_signals()
    suspension = Suspension(clock, on_suspended)
    suspension.on_signals()
    engine = await unless(leave.asked, starting)
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


async def _quote(
    engine: Engine, leave: Leave, on_status: Callable[[StatusFrame], None] | None
) -> Summary:
    runner, clock = engine.runner, engine.clock
    mode = engine.config.run.mode.value
    trip_on_signal(runner)
    runner.observers.append(engine.tell_links)
    try:
        await unless(leave.asked, engine.connect())
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
        await runner.run(leave.asked, engine.config.run.duration_s)
        if runner.state.lease_lost:
            raise await _taken_over(runner)
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
    tell_left(left)
    if on_status is not None:
        on_status(engine.frame())
    return summary(
        runner.state,
        mode,
        engine.where,
        clock.now_ns(),
        {name: None if orders is None else len(orders) for name, orders in left.items()},
        engine.ended,
        accounts=engine.accounts,
        desks=engine.desk_names,
    )


async def _taken_over(runner: Runner) -> MmbotError:
    """Another engine has an account of ours; the others are left first."""
    accounts = runner.state.accounts.values()
    lost = next(account for account in accounts if account.lease_lost)
    if all(account.lease_lost for account in accounts):
        said = f"run {lost.lease_lost} has taken this account over"
        return Refused(f"{said}: nothing was sent any more")
    left = await runner.stop(Why.LEASE_LOST)
    tell_left({name: orders for name, orders in left.items() if name != lost.venue})
    said = f"run {lost.lease_lost} has taken the account at {lost.venue} over"
    if any(orders != [] for name, orders in left.items() if name != lost.venue):
        return OrdersMayRemain(f"{said}, and the others were not proved empty")
    return Refused(f"{said}: nothing was sent there any more, and the others were left")


async def _statistics(engine: Engine) -> None:
    """The line in the log."""
    state, clock = engine.runner.state, engine.clock
    while True:
        await clock.sleep(STATISTICS_EVERY_S)
        _log.info("%s", statistics_line(state, clock.now_ns()))


async def _heartbeat(engine: Engine) -> None:
    """Tell other processes, through the store, that we live and how things stand."""
    while True:
        engine.store.publish(engine.frame())
        for member in engine.members:
            lock = member.lock
            if lock is not None and lock.take():  # an engine that hung may have had it at our start
                lock.greet()
        if engine.registration is not None:
            with suppress(Refused):  # who deletes the register may do so again
                await asyncio.to_thread(engine.registration.keep)
        await engine.clock.sleep(HEARTBEAT_S)


async def _frames(engine: Engine, on_status: Callable[[StatusFrame], None]) -> None:
    while True:
        on_status(engine.frame())
        await engine.clock.sleep(FRAME_EVERY_S)
