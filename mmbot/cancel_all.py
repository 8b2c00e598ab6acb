"""The kill switch pulled from outside: whatever the engines are doing, or not doing any more.

Theory of operation
-------------------
1. The latch first, for every account any engine ever traded on any store: from here on no engine
   quotes, and none starts. It needs neither the engine nor a venue, and where the database does
   not take it in time, a file beside it stands for it. Engines that run are also told so.
2. Then every account, all at the same time, over a connection of our own: look, cancel what is
   ours, look again. A way that fails (WebSocket, REST) gives place to the other one.
3. An account is clean when a look shows nothing of ours, and the look was asked so late that an
   engine that was running has heard of the latch. Until then we look again, within bounds.

Nothing here needs ccxt before the latch is set: importing it takes longer than tripping.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mmbot.config import Mode
from mmbot.core.state import is_ours
from mmbot.core.types import Label, Nanos, OpenOrder
from mmbot.core.why import Why
from mmbot.credentials import credentials
from mmbot.engine.clock import Clock
from mmbot.errors import MmbotError, StoreError, VenueUnreachable
from mmbot.store import commands, latch
from mmbot.store.database import open_existing
from mmbot.store.latch import Kept
from mmbot.store.locations import LIVE_FIRST, Location
from mmbot.store.queries import EngineRow, Reader
from mmbot.store.records import CommandKind, Seat

if TYPE_CHECKING:
    from mmbot.venues.deribit.sweeper import DeribitSweeper

DETAIL = "mmbot cancel-all"

HEARD_AFTER_S = 1.5
"""A running engine reads the latch within this: once a second at the latest, and 0.1 s to act."""

BOUND_S = 15.0
ORDER_S = 0.5
"""An account is given up after BOUND_S, and ORDER_S more for each order that had to go."""

LOOK_AGAIN_S = 0.1
RETRY_S = 0.5
KNOCK_S = 1.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account some engine has traded, and where what it needs to be reached is found."""

    seat: Seat
    endpoint: str
    env_folder: Path
    """Where its .env is, if it has one."""
    running: bool
    """An engine holds its lease."""
    known: frozenset[Label]
    """Orders that engine had open by its own account; empty where none runs."""


@dataclass(frozen=True, slots=True)
class Latched:
    """What became of the kill switch of one account; no seat: of all those of one store."""

    store: str
    seat: Seat | None
    kept: Kept


@dataclass(slots=True, kw_only=True)
class Swept:
    """What became of one account's orders.

    `verified_by` names the way of the look that found nothing of ours, None if there was none.
    `cancelled` counts orders of ours that were open and are not any more, whoever took them back:
    a running engine does so by itself once it hears of the latch.
    """

    seat: Seat
    cancelled: int = 0
    remaining: list[OpenOrder] | None = None
    """As last seen; None: the venue could not be asked."""
    foreign: int = 0
    """Open orders that are not ours and were left alone."""
    verified_by: str | None = None
    ms: int = 0
    problem: str = ""
    """Why it is not clean, in one line."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The whole of it."""

    latched: list[Latched] = field(default_factory=list)
    swept: list[Swept] = field(default_factory=list)
    ended: list[Seat] = field(default_factory=list)
    """Accounts of simulated venues that run no more: their orders died with them."""
    unread: list[str] = field(default_factory=list)
    """Stores that could not be read: which accounts they know of is not known."""


class _GoneError(Exception):
    """There is no such account any more."""


# --- the latch --------------------------------------------------------------------------------


def trip_all(places: Sequence[Location], who: str, clock: Clock, outcome: Outcome) -> list[Account]:
    """Trip the kill switch of every account, and return the accounts, live first."""
    accounts: dict[tuple[Seat, str], Account] = {}
    for place in places:
        now_ns = clock.wall_ns()
        try:
            reader = Reader(place)
            engines = sorted(reader.engines(), key=lambda engine: _urgency(engine, now_ns))
        except StoreError as error:
            outcome.unread.append(str(error))
            kept = latch.trip_store(place, Why.USER, DETAIL, who, now_ns)
            outcome.latched.append(Latched(place.name, None, kept))
            continue
        kept = Kept.STORE
        for engine in engines:
            seat = engine.run.seat
            if kept is not Kept.FILE:  # the file counts for the whole store: no need to wait again
                kept = latch.trip(place, seat, Why.USER, DETAIL, who, now_ns)
            outcome.latched.append(Latched(place.name, seat, kept))
            account = _account(engine, reader, now_ns)
            before = accounts.setdefault((seat, account.endpoint), account)
            if account.running and not before.running:
                accounts[seat, account.endpoint] = account
    order = {mode: rank for rank, mode in enumerate(LIVE_FIRST)}
    return sorted(accounts.values(), key=lambda account: order[account.seat.mode])


def tell_engines(places: Sequence[Location], clock: Clock) -> None:
    """Ask every engine that runs to stop. The latch makes it do so; this says who asked."""
    for place in places:
        try:
            for engine in Reader(place).engines():
                if runs(engine, clock.wall_ns()):
                    database = open_existing(place, read_only=False)
                    commands.send(database, engine.run.run, CommandKind.KILL, {}, clock.wall_ns())
        except StoreError:
            continue  # the latch is set, in the file if not in the store: that is what counts


def runs(engine: EngineRow, now_ns: Nanos) -> bool:
    """Whether the engine may be trading at this moment (wall time)."""
    return (
        engine.run.stopped_ns is None
        and engine.lease is not None
        and engine.lease.expires_ns > now_ns
        and not engine.lease.process.provably_dead
    )


def _urgency(engine: EngineRow, now_ns: Nanos) -> tuple[bool, int]:
    """Sort key: what runs first, then the newest."""
    return (not runs(engine, now_ns), -engine.run.started_ns)


def _account(engine: EngineRow, reader: Reader, now_ns: Nanos) -> Account:
    run, known = engine.run, frozenset[Label]()
    running = runs(engine, now_ns)
    if running:
        with suppress(StoreError):  # only for counting
            rows = reader.open_orders(run.seat.venue, run.seat.account)
            known = frozenset(row.label for row in rows)
    folder = Path(run.env_path).parent if run.env_path else Path.cwd()
    return Account(run.seat, run.endpoint, folder, running, known)


# --- the venues -------------------------------------------------------------------------------


async def sweep_all(
    accounts: Sequence[Account], clock: Clock, outcome: Outcome, *, foreign: bool
) -> None:
    """Empty every account at the same time. `foreign`: of everything, not only of what is ours."""
    attempts = [Swept(seat=account.seat) for account in accounts]
    ends = await asyncio.gather(
        *(_sweep(*pair, clock, foreign) for pair in zip(accounts, attempts, strict=True)),
        return_exceptions=True,  # whatever is wrong with one account, the others are emptied
    )
    for swept, end in zip(attempts, ends, strict=True):
        if isinstance(end, _GoneError):
            outcome.ended.append(swept.seat)
            continue
        if isinstance(end, BaseException):
            expected = isinstance(end, MmbotError)
            swept.problem = str(end) if expected else f"bug: {type(end).__name__}: {end}"
        outcome.swept.append(swept)


async def _sweep(account: Account, swept: Swept, clock: Clock, foreign: bool) -> None:
    """One account. Raises VenueUnreachable, ConfigError for missing keys, and _GoneError."""
    started_s = clock.monotonic_s()
    if account.seat.mode is Mode.PAPER or not await _listens(account):
        raise _GoneError  # paper orders rest in the engine and nowhere else
    sweeper = _sweeper(account, clock)
    try:
        await _empty(account, sweeper, clock, swept, started_s, foreign)
    finally:
        swept.ms = round((clock.monotonic_s() - started_s) * 1000)
        await sweeper.close()


async def _empty(
    account: Account,
    sweeper: "DeribitSweeper",
    clock: Clock,
    swept: Swept,
    started_s: float,
    foreign: bool,
) -> None:
    """Look and cancel until nothing of ours is left, or time is up."""
    from mmbot.venues.deribit.failures import said
    from mmbot.venues.deribit.sweeper import Way, WayFailedError

    heard_s = started_s + (HEARD_AFTER_S if account.running else 0.0)
    way, entered = Way.WEBSOCKET, False
    ours: dict[str, None] = dict.fromkeys(account.known)
    while clock.monotonic_s() < started_s + BOUND_S + ORDER_S * len(ours):
        try:
            if not entered:
                _require_same(account, await sweeper.account(way))
                entered = True
            asked_s = clock.monotonic_s()
            found = await sweeper.orders(way)
            wanted = [order for order in found if foreign or is_ours(order.label)]
            kept = [order for order in found if not (foreign or is_ours(order.label))]
            ours |= dict.fromkeys(order.label or order.order_id for order in wanted)
            swept.remaining, swept.foreign = wanted, len(kept)
            swept.cancelled, swept.problem = len(ours) - len(wanted), ""
            if wanted:
                await sweeper.cancel(way, wanted, kept)
            elif asked_s >= heard_s:
                swept.verified_by = way.value
                return
            await clock.sleep(LOOK_AGAIN_S)
        except (MmbotError, _GoneError):
            raise
        except Exception as error:  # an answer nobody can read is one way that failed
            known = isinstance(error, WayFailedError)
            swept.problem = (
                str(error) if known else f"{account.seat.venue} over {way.value}: {said(error)}"
            )
            way = way.other
            await clock.sleep(RETRY_S if way is Way.WEBSOCKET else 0.0)
    swept.problem = swept.problem or "they did not go in time"


def _require_same(account: Account, opened: str) -> None:
    """Raises VenueUnreachable, or _GoneError, unless this is the account."""
    if opened == account.seat.account:
        return
    if account.seat.mode is Mode.SIM:
        raise _GoneError  # another world on the same port
    raise VenueUnreachable(
        f"the credentials open the account {opened}, not {account.seat.account}: set those of "
        f"{account.seat} in the environment or in {account.env_folder / '.env'}"
    )


async def _listens(account: Account) -> bool:
    """Whether anybody is there; asked only of simulated venues, which end by themselves."""
    if account.seat.mode is not Mode.SIM:
        return True
    address = urlsplit(account.endpoint)
    try:
        async with asyncio.timeout(KNOCK_S):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # a reason to go on and say what is wrong
    writer.close()
    return True


def _sweeper(account: Account, clock: Clock) -> "DeribitSweeper":
    """Raises ConfigError when the keys are missing."""
    from mmbot.venues.deribit.client import Deribit
    from mmbot.venues.deribit.sweeper import DeribitSweeper

    keys = credentials(account.seat.mode, account.env_folder, account.seat.venue)
    rest = account.endpoint
    websocket = rest.replace("http", "ws", 1) + "/ws/api/v2"
    settings = {
        "apiKey": keys.key,
        "secret": keys.secret,
        "urls": {"api": {"rest": rest, "ws": websocket}},
    }
    client = Deribit(settings, now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    return DeribitSweeper(client, clock)
