"""What runs an engine from its start to its last word: link, turns, chores, and the way out.

The engine connects, quotes until somebody or the duration ends it, and takes everything back.
Beside the turns, three chores tell how things stand: a line in the log, the store, the live table.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from mmbot.clock import Clock
from mmbot.config import Config
from mmbot.config.select import choose
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk as TradingDesk
from mmbot.core.why import Why
from mmbot.engine.leaving import Leave, trip_on_signal, unless
from mmbot.engine.report import statistics_line, status_frame, summary
from mmbot.engine.runner import Runner
from mmbot.engine.status import StatusFrame, Summary
from mmbot.engine.store_bridge import StoreBridge
from mmbot.engine.suspension import Suspension
from mmbot.errors import ConfigError, ExitCode, Interrupted, MmbotError, Refused
from mmbot.ops.limit import ALWAYS
from mmbot.store import known
from mmbot.store.account_lock import AccountLock
from mmbot.store.records import AccountKey
from mmbot.tape.recorder import Recorder
from mmbot.venues.deribit.arrival import START_S, Arrival
from mmbot.venues.deribit.venue import DeribitVenue

FRAME_EVERY_S = 0.5
STATISTICS_EVERY_S = 30.0
HEARTBEAT_S = 1.0
CLOSE_DEADLINE_S = 5.0

_log = logging.getLogger("mmbot")


@dataclass(slots=True)
class Engine:
    """One venue, one desk, ready to run."""

    config: Config
    clock: Clock
    account_key: AccountKey
    venue: DeribitVenue
    runner: Runner
    store: StoreBridge
    instruments: list[Instrument]
    desk: TradingDesk
    lock: AccountLock
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
            chosen = choose(listed, self.config, now_ns=self.clock.now_ns())
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
        self.store.publish(self.frame())
        await asyncio.to_thread(self.store.writer.flush, HEARTBEAT_S)

    async def close(self, exit_code: int) -> str:
        """Close every connection, then write what is left and give up the lease.

        Returns what the store did not take and why, in one line; empty when it took everything.
        """
        await self.venue.close()
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
        self.lock.release()
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
    runner, clock, venue = engine.runner, engine.clock, engine.venue
    mode = engine.config.desk.mode.value
    trip_on_signal(runner)
    try:
        await unless(leave.asked, _connected(engine))
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


async def _connected(engine: Engine) -> None:
    arrival = Arrival(engine.venue, engine.clock, START_S, tell=True)
    await arrival.connected(engine.runner.sink, engine.instruments)


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
