"""Every engine of every store, as it stands at one moment: read from the stores alone.

No engine is asked: one that hangs or is dead is told apart by the age of its last word.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import Enum

from pydantic import TypeAdapter, ValidationError

from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.core.types import SECOND, Nanos
from mmbot.engine.status import Doing, InstrumentRow, StatusFrame, VenueFrame
from mmbot.errors import ExitCode, NothingFound, StoreError
from mmbot.plugins.settings import unknown
from mmbot.store.account_lock import holder
from mmbot.store.database import trouble
from mmbot.store.known import Stores, Used
from mmbot.store.locations import LIVE_FIRST, Location
from mmbot.store.moments import moment
from mmbot.store.queries import AccountRow, EngineRow, Reader, RunRow
from mmbot.store.records import LatchState

STALE_AFTER_NS: Nanos = 3 * SECOND
"""An engine speaks once a second; silent for this long, what it last said is not to be trusted."""

START_NS: Nanos = 30 * SECOND
"""How long an engine that has not spoken yet may be connecting."""

_NAMES_MAX = 8

_FRAMES: TypeAdapter[StatusFrame] = TypeAdapter(StatusFrame)


class EngineState(Enum):
    """What an engine is doing, as far as can be told from outside."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    KILLED = "killed"
    """Up, and held by the kill switch: it quotes nothing."""
    STALE = "stale"
    """Silent for too long: it hangs, is stopped, or its machine is gone."""
    DEAD = "dead"
    """Its process ended without a word: orders may be open."""
    STOPPED = "stopped"

    @property
    def up(self) -> bool:
        """Whether there is a process that speaks."""
        return self not in (EngineState.STALE, EngineState.DEAD, EngineState.STOPPED)

    @property
    def silent(self) -> bool:
        """Whether it went without saying how it left things."""
        return self in (EngineState.STALE, EngineState.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The newest run of an account, or of several."""

    store: str
    run: RunRow
    accounts: tuple[AccountRow, ...]
    """Those of its accounts that no later run has had."""
    state: EngineState
    since_ns: Nanos
    """Since when it is silent or stopped (wall time), else when it started."""
    uptime_s: float
    heartbeat_age_s: float | None
    """Since its last word; None: it never said one."""
    latch: LatchState | None
    """The kill switch of an account of its where it is tripped, else of the first; None: never
    tripped."""
    lease_left_s: float | None
    """How long its leases last unless renewed; negative: run out. None: it has none."""
    frame: StatusFrame | None
    """Its last word, ages counted up to now; None when there is none that can be read."""
    emptied_ns: Nanos | None = None
    """When it was proved, after its last word, that nothing of ours is open there (wall time)."""

    @property
    def tripped(self) -> bool:
        """Whether nothing may be quoted on its accounts until somebody re-arms."""
        return self.latch is not None and self.latch.tripped


@dataclass(slots=True)
class Everything:
    """All engines, live first, those that are up before the others, then the newest first."""

    engines: list[Engine] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """What is wrong with stores that cannot be read."""
    blind: list[Location] = field(default_factory=list)
    """Those stores, as far as they are there."""
    troubles: list[str] = field(default_factory=list)
    """Why stores cannot be written, where an engine is silent: it may be that alone."""


def survey(stores: Stores, now_ns: Nanos) -> Everything:
    """Read every store, and say what is missing among them. `now_ns` is wall time."""
    found = look(stores.places, now_ns)
    found.unread += [*stores.problems, *stores.notes]
    found.unread += [missing(stores, found, used) for used in lost(stores, found)]
    return found


def lost(stores: Stores, found: Everything) -> list[Used]:
    """Accounts whose store is gone or damaged, or knows nothing of them because it is another one
    now. Not those that an engine of another store has, nor those where the venue has shown since
    that nothing of ours rests."""
    keys = [(engine, one.account_key) for engine in found.engines for one in engine.accounts]
    there = {(engine.store, account_key) for engine, account_key in keys}
    processes = {account_key: engine.run.pid for engine, account_key in keys}
    return [
        used
        for place, uses in stores.used.items()
        for used in uses
        if not used.settled
        and (place.name, used.account_key) not in there
        and not (
            used.account_key in processes
            and holder(used.account_key, used.endpoint, used.kind)
            in (None, processes[used.account_key])
        )
        and not used.ended
    ]


def missing(stores: Stores, found: Everything, used: Used) -> str:
    """What became of the store of an account, in one line."""
    place = next(place for place, uses in stores.used.items() if used in uses)
    account_key, pid = used.account_key, holder(used.account_key, used.endpoint, used.kind)
    what = "is gone" if place in stores.gone else "was replaced"
    what = "cannot be read" if place in found.blind else what
    still = "" if pid is None else f"; process {pid or '?'} runs on with it and quotes nothing"
    return (
        f"{place.name} {what}: which orders rest on {account_key} is not known{still}; "
        "`mmbot cancel-all` asks the venue"
    )


def chosen(found: Everything, run: int | None, mode: Mode | None) -> Everything:
    """The engines that a filter names. Raises NothingFound with the nearest where there is none;
    where a store cannot be read, none is no surprise."""
    engines = [engine for engine in found.engines if mode in (None, engine.run.account_key.mode)]
    if mode is not None and not engines and not found.unread:
        modes = list(dict.fromkeys(engine.run.account_key.mode.value for engine in found.engines))
        there = f"there is {', '.join(modes)}" if modes else "there is none at all"
        raise NothingFound(f"--mode: no engine has run in mode {mode.value}; {there}")
    meant = [engine for engine in engines if run in (None, engine.run.run)]
    if run is not None and not meant:
        name, names = base36(run), [base36(engine.run.run) for engine in engines]
        near = get_close_matches(name, names, n=_NAMES_MAX, cutoff=0.0)
        also = f" ({'; '.join(found.unread)})" if found.unread else ""
        raise NothingFound(f"--run: {unknown('run', name, near)}{also}")
    return replace(found, engines=meant)


def look(places: Iterable[Location], now_ns: Nanos) -> Everything:
    """Read every store. `now_ns` is wall time."""
    found = Everything()
    for place in places:
        try:
            rows = Reader(place).engines()
        except StoreError as error:
            found.unread.append(str(error))
            found.blind.append(place)
            continue
        here = [_engine(place, row, now_ns) for row in rows]
        if any(engine.state is EngineState.STALE for engine in here) and (why := trouble(place)):
            found.troubles.append(why)
        found.engines += here
    found.engines.sort(key=_rank)
    return found


def obituary(engine: Engine) -> str:
    """Which engine that was, and how and when it ended or was last heard of."""
    run = engine.run
    who = f"{run.account_key.mode.value.upper()} {run.venues}, run {base36(run.run)}"
    at = moment(engine.since_ns)
    if engine.state is EngineState.STOPPED:
        why = engine.frame.ended if engine.frame and engine.frame.ended else "it did not say why"
        return f"{who} stopped at {at} ({why})"
    if engine.state is EngineState.DEAD:
        return f"{who} ended without a word after {at}, see `mmbot status`"
    return f"{who} was last heard of at {at}, see `mmbot status`"


def _rank(engine: Engine) -> tuple[int, bool, Nanos]:
    mode = LIVE_FIRST.index(engine.run.account_key.mode)
    return mode, not engine.state.up, -engine.run.started_ns


def _engine(place: Location, row: EngineRow, now_ns: Nanos) -> Engine:
    run = row.run
    frame = _frame(row)
    state = _state(row, frame, now_ns)
    spoke_ns = row.status_ns if row.status_ns is not None else run.started_ns
    since_ns = run.started_ns
    if state is EngineState.STOPPED:
        assert run.stopped_ns is not None
        since_ns = run.stopped_ns
    elif state.silent:
        since_ns = spoke_ns
    ended_ns = now_ns if state.up else since_ns
    emptied_ns = row.emptied_ns
    if state.up or (emptied_ns is not None and emptied_ns < since_ns):
        emptied_ns = None  # of another time: what it placed since is what counts
    if frame is not None:
        frame = _now(frame, state, run, max(0.0, (now_ns - spoke_ns) / SECOND))
        if emptied_ns is not None:
            frame = replace(frame, rows=tuple(map(_without_orders, frame.rows)))
    return Engine(
        store=place.name,
        run=run,
        accounts=row.accounts,
        state=state,
        since_ns=since_ns,
        uptime_s=max(0.0, (ended_ns - run.started_ns) / SECOND),
        heartbeat_age_s=(
            None if row.status_ns is None else max(0.0, (now_ns - row.status_ns) / SECOND)
        ),
        latch=row.latch,
        lease_left_s=None if row.lease is None else (row.lease.expires_ns - now_ns) / SECOND,
        frame=frame,
        emptied_ns=emptied_ns,
    )


def _state(row: EngineRow, frame: StatusFrame | None, now_ns: Nanos) -> EngineState:
    if row.run.stopped_ns is not None:
        return EngineState.STOPPED
    if row.lease is not None and row.lease.process.provably_dead:
        return EngineState.DEAD
    if row.status_ns is None:
        young = now_ns - row.run.started_ns < START_NS
        return EngineState.STARTING if young else EngineState.STALE
    if now_ns - row.status_ns > STALE_AFTER_NS:
        return EngineState.STALE
    tripped = row.latch is not None and row.latch.tripped
    if tripped or (frame is not None and frame.doing is Doing.KILLED):
        return EngineState.KILLED
    return EngineState.RUNNING if frame is None else _DOING[frame.doing]


_DOING = {
    Doing.RUNNING: EngineState.RUNNING,
    Doing.PAUSED: EngineState.PAUSED,
    Doing.STOPPING: EngineState.STOPPING,
    Doing.KILLED: EngineState.KILLED,
}


def _frame(row: EngineRow) -> StatusFrame | None:
    if row.status is None:
        return None
    try:
        return _FRAMES.validate_python(row.status)
    except ValidationError:
        return None  # another version's words


def _now(frame: StatusFrame, state: EngineState, run: RunRow, silent_s: float) -> StatusFrame:
    """What was said that long ago, as it must be read now."""
    rows = tuple(_older(row, silent_s) for row in frame.rows)
    if state is EngineState.STOPPED:
        rows = tuple(map(_without_market, rows))
        if run.exit_code == ExitCode.OK:
            rows = tuple(map(_without_orders, rows))  # proved when it stopped
        frame = replace(frame, link="stopped", controls=())
    if not state.up:
        proved = state is EngineState.STOPPED and run.exit_code == ExitCode.OK
        venues = tuple(_not_linked(one, frame.link, proved=proved) for one in frame.venues)
        desks = tuple(replace(one, open_orders=0) if proved else one for one in frame.desks)
        frame = replace(frame, venues=venues, desks=desks)
        return replace(frame, rows=rows, market_up=False, trading_up=False, link_ok=False)
    return replace(frame, rows=rows)


def _not_linked(venue: VenueFrame, text: str, *, proved: bool) -> VenueFrame:
    """One account of an engine that is not up; `proved`: nothing of ours was left there."""
    link = replace(venue.link, ok=False, text=text)
    return replace(venue, link=link, open_orders=0 if proved else venue.open_orders)


def _older(row: InstrumentRow, by_s: float) -> InstrumentRow:
    return replace(
        row,
        age_s=None if row.age_s is None else row.age_s + by_s,
        last_fill_s=None if row.last_fill_s is None else row.last_fill_s + by_s,
    )


def _without_market(row: InstrumentRow) -> InstrumentRow:
    """What the market was then is nobody's business now; what is held is valued at the mark."""
    unknown_by_now = dict.fromkeys(row.signals)
    return replace(
        row,
        market_bid=None,
        market_ask=None,
        fair=None,
        age_s=None,
        quotes=(),
        signals=unknown_by_now,
    )


def _without_orders(row: InstrumentRow) -> InstrumentRow:
    return replace(
        row, our_bid=None, our_bid_size=None, our_ask=None, our_ask_size=None, open_orders=0
    )
