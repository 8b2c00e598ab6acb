"""The runner: events in, turns, intents out. The runner decides nothing.

A burst of frames is drained by the socket's callback, each frame putting events into the inbox;
the first one schedules one turn behind the burst (`call_soon`). The turn's intents are handed to
the venues, which write their frames at once. Whatever may wait (log lines, observers) runs 1 ms
later, so that nothing stands between a tick and its orders.

An exception in a turn is a bug. The first one trips the kill switch, so that the next turn cancels
everything; if turns keep failing, the runner stops running them, has the kill switch kept itself,
and `stop` falls back to the venues' second path. A file that appears trips the kill switch too.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.bot import Bot, Turn
from mmbot.core.chains import FitSurface
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.exit import taken_over, unproved
from mmbot.core.inbox import Inbox
from mmbot.core.intents import (
    CheckLease,
    Intent,
    ReserveLabels,
    SaveLatch,
    StoreIntent,
    VenueIntent,
    venue_of,
)
from mmbot.core.ports import Guard
from mmbot.core.resync import known_ids
from mmbot.core.state import State
from mmbot.core.statements import OpenOrder
from mmbot.core.types import InstrumentId, Nanos
from mmbot.core.why import Why
from mmbot.engine.fitting import SurfaceWorker
from mmbot.errors import VenueUnreachable
from mmbot.ops.limit import ALWAYS
from mmbot.venues.base import Venue
from mmbot.venues.patience import patiently

TICK_S = 0.1
AFTER_SEND_S = 0.001
"""uvloop counts in milliseconds: half of one would be rounded to none at all."""

SECOND_PATH_S = 4.0
"""How long leaving goes on asking over REST: one 429 is not the end of it."""

STOP_DEADLINE_S = 10.0
"""How long leaving may take over the first path before the second one is used."""

FAILURES_MAX = 3

LOOK_FOR_FILE_TICKS = 10
"""The stop file is looked for once a second."""

_FOR_STORE = (ReserveLabels, SaveLatch, CheckLease)

_log = logging.getLogger(__name__)

Observer = Callable[[Sequence[ev.Event], Sequence[Intent], Nanos], None]
"""Sees every turn after its intents have left: (events, intents, desk time)."""


Left = dict[str, list[OpenOrder] | None]
"""By venue, which orders of ours are still open; None where that could not be asked."""


class TapeSink(Protocol):
    """What the tape is to the runner."""

    def keep(self, turns: Sequence[Turn]) -> None:
        """Record turns; the state is as the last of them left it."""
        ...


class StoreSink(Protocol):
    """What the store is to the runner. Answers come back as events."""

    def carry_out(self, intent: StoreIntent) -> None:
        """Set labels aside, keep the latch: begun before this returns, answered later."""
        ...

    def keep(self, state: State) -> None:
        """Take what the state's entries and order table have that is not kept yet."""
        ...

    def may_leave(self, state: State, intents: Sequence[Intent]) -> Sequence[Intent]:
        """What may be sent now: what must be durable before it is, is so."""
        ...


class Runner:
    """Runs turns for one State until it is told to stop."""

    def __init__(
        self,
        state: State,
        desks: dict[InstrumentId, Desk],
        venues: Mapping[str, Venue],
        clock: Clock,
        guards: Sequence[Guard] = (),
        stop_file: Path | None = None,
    ) -> None:
        self.state = state
        self.bot = Bot(state, desks, guards)
        self.store: StoreSink
        """Set before the first event; it answers into `sink`."""
        self.tape: TapeSink | None = None
        self.surfaces = SurfaceWorker(self.sink)
        self.observers: list[Observer] = []
        self.on_retired: Callable[[Sequence[InstrumentId]], None] | None = None
        """Told of instruments that have come to their end."""
        self._venues = venues
        self._clock = clock
        self._stop_file = stop_file
        self._inbox = Inbox()
        self._scheduled = False
        self._failures = 0
        self._after: list[Turn] = []
        self._after_handle: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    # --- the hot path ---

    def sink(self, event: ev.Event) -> None:
        """Something happened. The turn follows behind the burst this is part of."""
        self._inbox.put(event)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        self._scheduled = False
        if self._failures >= FAILURES_MAX:
            return
        taken = self.bot.step(self._inbox.drain(), self._clock.now_ns())
        if taken.error is not None:
            self._failed(taken.error)
        if taken.intents:
            try:
                self._submit(taken.intents)
            except Exception as error:  # noqa: BLE001  # a bug, whatever it is, trips
                self._failed(error)
        self._after.append(taken)
        if self._after_handle is None:
            self._after_handle = self._loop.call_later(AFTER_SEND_S, self._observe)

    def _submit(self, intents: Sequence[Intent]) -> None:
        by_venue: dict[str, list[VenueIntent]] = {}
        for intent in self.store.may_leave(self.state, intents):
            if isinstance(intent, _FOR_STORE):
                self.store.carry_out(intent)
            elif isinstance(intent, FitSurface):
                self.surfaces.ask(intent)
            else:
                by_venue.setdefault(venue_of(intent), []).append(intent)
        for name, wanted in by_venue.items():
            self._venues[name].submit(wanted)

    def _failed(self, error: Exception) -> None:
        """A bug: trip."""
        self._failures += 1
        _log.error("bug: %s: %s", type(error).__name__, error, exc_info=error, extra=ALWAYS)
        detail = f"{type(error).__name__}: {error}"
        self.sink(ev.Trip(Why.INTERNAL_ERROR, detail))
        if self.broken:  # no turn will do it any more
            self.bot.give_up(Why.INTERNAL_ERROR, detail, self._clock.now_ns())
            self.store.carry_out(SaveLatch(Why.INTERNAL_ERROR, detail))

    def _observe(self) -> None:
        self._after_handle = None
        self.store.keep(self.state)
        seen, self._after = self._after, []
        for taken in seen:
            for observer in self.observers:
                observer(taken.events, taken.intents, taken.now_ns)
            if taken.retired and self.on_retired is not None:
                self.on_retired(taken.retired)
        if self.tape is not None:
            self.tape.keep(seen)

    # --- life ---

    def trade(self, instruments: Sequence[Instrument], desk: Desk) -> None:
        """Further instruments for a desk: listed since we started."""
        self.bot.desks |= {instrument.id: desk for instrument in instruments}
        self.sink(ev.InstrumentsListed(tuple(instruments), desk.name))

    def watch(self, instruments: Sequence[Instrument], desk: Desk) -> None:
        """Further instruments that a desk looks at and does not trade."""
        self.sink(ev.InstrumentsWatched(tuple(instruments), desk.name))

    @property
    def broken(self) -> bool:
        """Whether turns failed so often that they are not run any more."""
        return self._failures >= FAILURES_MAX

    async def run(self, until: asyncio.Event, duration_s: float | None) -> None:
        """Tick until `until` is set, time is up, the lease is lost, or the core is broken."""
        end_ns = self._clock.now_ns() + int(duration_s * 1e9) if duration_s else None
        ticks = 0
        while not (until.is_set() or self.broken or self.state.lease_lost):
            self.sink(ev.Tick())
            if ticks % LOOK_FOR_FILE_TICKS == 0 and self.state.latch.tripped is None:
                self._look_for_file()
            ticks += 1
            if end_ns is not None and self._clock.now_ns() >= end_ns:
                return
            await self._clock.sleep(TICK_S)

    def _look_for_file(self) -> None:
        if self._stop_file is not None and is_there(self._stop_file):
            self.sink(ev.Trip(Why.STOP_FILE, str(self._stop_file)))

    async def stop(self, why: Why) -> Left:
        """Leave: no new order, everything of ours cancelled, proved by a query at each venue.

        A venue that cannot be asked holds up no other one.
        """
        self.sink(ev.Stop(why))
        deadline_ns = self._clock.now_ns() + int(STOP_DEADLINE_S * 1e9)
        while unproved(self.state, self._venues) and not self.broken:
            if self._clock.now_ns() >= deadline_ns:
                break
            self.sink(ev.Tick())
            await self._clock.sleep(TICK_S / 4)
        waits = unproved(self.state, self._venues)
        left: Left = {venue: [] for venue in self._venues if venue not in waits}
        left |= dict.fromkeys(taken_over(self.state, self._venues))
        return left | await self._take_back(waits, SECOND_PATH_S)

    async def take_back(self, limit_s: float) -> Left:
        """Cancel everything of ours over the second path; what is still open then."""
        lost = taken_over(self.state, self._venues)
        left: Left = dict.fromkeys(lost)
        return left | await self._take_back([v for v in self._venues if v not in lost], limit_s)

    async def _take_back(self, venues: Sequence[str], limit_s: float) -> Left:
        """The same at these venues, at all of them at once."""
        if venues:
            where = f" at {', '.join(venues)}" if len(self._venues) > 1 else ""
            _log.warning(
                "orders not cancelled in time%s: trying the second path (REST)",
                where,
                extra=ALWAYS,
            )
        tries = (self._over_second_path(venue, limit_s) for venue in venues)
        found = await asyncio.gather(*tries, return_exceptions=True)
        left: Left = {}
        for venue, one in zip(venues, found, strict=True):
            if isinstance(one, BaseException):
                raise one
            left[venue] = one
        return left

    async def _over_second_path(self, name: str, limit_s: float) -> list[OpenOrder] | None:
        try:
            account = self.state.accounts.get(name)
            order_ids = known_ids(self.state, account) if account is not None else ()
            return await patiently(
                partial(self._venues[name].cancel_ours, order_ids),
                may_pass=lambda error: isinstance(error, VenueUnreachable),
                clock=self._clock,
                limit_s=limit_s,
            )
        except VenueUnreachable as error:
            _log.error("%s", error, extra=ALWAYS)
            return None

    def flush(self) -> None:
        """Let observers see what they have not seen yet."""
        if self._after_handle is not None:
            self._after_handle.cancel()
        self._observe()


def is_there(file: Path) -> bool:
    """Whether a stop file exists. Where that cannot be told, it does."""
    try:
        return file.exists()
    except OSError:
        return True
