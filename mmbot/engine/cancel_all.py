"""The kill switch pulled from outside: whatever the engines are doing, or not doing any more.

Theory of operation
-------------------
1. The latch first, for every account any engine ever traded on any store: from here on no engine
   quotes, and none starts. It needs neither the engine nor a venue, and where the database does
   not take it in time, a file beside it stands for it. Engines that run are also told so.
2. Then every account (emptying.py), all at the same time, over a connection of our own: look,
   cancel what is ours, look again. A way that fails (WebSocket, REST) gives place to the other one.
   Where neither shows a list that can be read, what the store knows of is canceled by its label.
   Accounts whose store is gone or was replaced are known from the register of stores (known.py),
   and those that no store knows of from the keys that are set: these are asked for, too.
3. An account is clean when a look shows nothing of ours, every row of it can be read, and it was
   asked so late that an engine that was running has heard of the latch. Until then we look again,
   within bounds.
4. Whose account it is decides what is said of the result, never whether what is ours is canceled.
   (A simulated venue that is another world than the one that was traded is nobody's account: it is
   left alone if it says so in time.)

Nothing here needs ccxt before the latch is set: importing it takes longer than tripping.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.statements import OpenOrder
from mmbot.core.types import Label, Nanos
from mmbot.core.why import Why
from mmbot.errors import ConfigError, MmbotError, Refused, StoreError
from mmbot.store import booking, commands, latch
from mmbot.store.database import open_existing
from mmbot.store.known import Stores, Used, settle
from mmbot.store.latch import Kept
from mmbot.store.locations import LIVE_FIRST, Location
from mmbot.store.queries import EngineRow, Reader
from mmbot.store.records import EMPTIED, Audited, CommandKind, Seat
from mmbot.store.seat_lock import holder
from mmbot.venues.credentials import Credentials, credentials, env_file, variables

if TYPE_CHECKING:
    from mmbot.venues.deribit.sweeper import DeribitSweeper

DETAIL = "mmbot cancel-all"

HEARD_AFTER_S = 1.5
"""A running engine reads the latch within this: once a second at the latest, and 0.1 s to act."""

BOUND_S = 15.0
ORDER_S = 0.5
"""An account is given up after BOUND_S, and ORDER_S more for each order that had to go."""

KNOCK_S = 1.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account some engine has traded, and where what it needs to be reached is found."""

    seat: Seat
    """Without a name where nobody has told which account the keys open."""
    endpoint: str
    """Empty: where the mode's own venue is."""
    env_folder: Path
    """Where its .env is, if it has one."""
    running: bool
    """An engine holds its lease."""
    labels: frozenset[Label] = frozenset()
    """Orders that are open by the store's account, of engines that run and of dead ones."""

    @property
    def known(self) -> frozenset[Label]:
        """Orders that count as open before the first look, because the engine that runs may take
        them back before it."""
        return self.labels if self.running else frozenset()


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
    """As last seen; None: the venue could not be asked, or has shown no list that can be read."""
    foreign: int = 0
    """Open orders that are not ours and were left alone."""
    unread: int = 0
    """Rows of the list as last seen that may be anybody's."""
    unlisted: bool = False
    """The list itself could not be read; what the store knows of was canceled by its label."""
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
    lost: list[str] = field(default_factory=list)
    """Stores that are gone or were replaced, for people."""
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What was asked for and cannot be: the rest was carried out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A venue to be asked, whatever the stores know."""

    mode: Mode
    venue: str = "deribit"
    endpoint: str = ""
    """Of a simulated one."""


class GoneError(Exception):
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
            before = accounts.get((seat, account.endpoint), account)
            first = account if account.running and not before.running else before
            labels = before.labels | account.labels
            accounts[seat, account.endpoint] = replace(first, labels=labels)
    return sorted(accounts.values(), key=lambda account: LIVE_FIRST.index(account.seat.mode))


def joined(accounts: Sequence[Account], further: Sequence[Account]) -> list[Account]:
    """Both, each account once."""
    there = {(account.seat, account.endpoint) for account in accounts}
    return [*accounts, *(one for one in further if (one.seat, one.endpoint) not in there)]


def trip_lost(
    stores: Stores, accounts: list[Account], who: str, clock: Clock, outcome: Outcome
) -> list[tuple[Used, Account]]:
    """Trip what only the register knows of; its accounts join the others, and are returned.

    The file beside the place of a store that is gone stands for its latch: an engine that lost its
    store reads it when the store comes back. One that lives is told by a signal, which needs none.
    """
    told = {(latched.store, latched.seat) for latched in outcome.latched}
    found: list[tuple[Used, Account]] = []
    for place, uses in stores.used.items():
        for used in uses:
            if (place.name, used.seat) in told:
                continue
            if used.ended:
                _settle(used)
                continue
            unread = (place.name, None) in told
            gone, kept = place in stores.gone, Kept.NOWHERE
            # Of a folder that is gone for good nothing is made again for this.
            if not unread and not (used.settled and not place.latch_file.parent.is_dir()):
                kept = latch.trip(place, used.seat, Why.USER, DETAIL, who, clock.wall_ns())
            running = signal_engine(used.seat, used.endpoint)
            if not unread:
                if running or not gone or kept is not Kept.NOWHERE:
                    outcome.latched.append(Latched(place.name, used.seat, kept))
                what = "is gone" if gone else "was replaced"
                said = f"{place.name} {what}: the venue was asked about {used.seat}"
                outcome.lost += [said] if said not in outcome.lost else []
            folder = Path(used.env_path).parent if used.env_path else Path.cwd()
            account = Account(used.seat, used.endpoint, folder, running)
            if account.seat not in [other.seat for other in accounts]:
                accounts.append(account)
            if not unread:
                found.append((used, account))
    return found


def settle_lost(lost: Sequence[tuple[Used, Account]], outcome: Outcome) -> None:
    """Stores that are gone need not be missed once nothing of ours is at the venue, and no engine
    is left that would place it there."""
    clean = {swept.seat for swept in outcome.swept if swept.verified_by is not None}
    for used, account in lost:
        if account.seat in clean and holder(account.seat, account.endpoint) is None:
            _settle(used)


def _settle(used: Used) -> None:
    with suppress(Refused):  # then it is missed again the next time
        settle(os.environ, used)


def signal_engine(seat: Seat, endpoint: str) -> bool:
    """Trip the kill switch of the engine that has a seat on this machine, whatever store or home it
    has; whether there is one."""
    pid = holder(seat, endpoint)
    if pid:
        with suppress(OSError):  # it has just ended
            os.kill(pid, signal.SIGUSR1)
    return pid is not None


def unknown_accounts(accounts: Sequence[Account], asked: Sequence[Asked]) -> list[Account]:
    """Accounts to ask for although no store knows of them: those that are asked for, and those of
    every real mode that has keys and no account yet. Raises ConfigError for a bad .env."""
    folder = Path.cwd()
    wanted = list(asked)
    for mode in (Mode.LIVE, Mode.TESTNET):
        names = variables(mode)
        keys = {**env_file(folder / ".env", names), **os.environ}
        if any(keys.get(name) for name in names) and not any(a.seat.mode is mode for a in accounts):
            wanted.append(Asked(mode))
    found: dict[Asked, Account] = {}
    for one in wanted:
        same = [a for a in accounts if a.seat.mode is one.mode and a.seat.venue == one.venue]
        covered = (
            one.endpoint in [account.endpoint for account in same]
            if one.mode is Mode.SIM
            else _keys(one.mode, folder) in [_keys(a.seat.mode, a.env_folder) for a in same]
        )
        if not covered:
            found[one] = Account(Seat(one.mode, one.venue, ""), one.endpoint, folder, False)
    return list(found.values())


def _keys(mode: Mode, folder: Path) -> Credentials | None:
    try:
        return credentials(mode, folder)
    except ConfigError:
        return None


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


def note_proofs(places: Sequence[Location], outcome: Outcome, clock: Clock) -> None:
    """Leave in the stores which accounts were found empty, for whoever asks afterwards what may
    still be open there. A simulated venue that runs no more has no orders either."""
    empty = {swept.seat: swept.verified_by for swept in outcome.swept if swept.verified_by}
    empty |= dict.fromkeys(outcome.ended, "the end of the venue")
    for place in places:
        try:
            now_ns = clock.wall_ns()
            proved = [e.run for e in Reader(place).engines() if e.run.seat in empty]
            if not proved:
                continue
            with open_existing(place, read_only=False).transaction() as connection:
                for run in proved:
                    body = {"who": DETAIL, "proved_over": empty[run.seat]}
                    booking.audit(connection, run.run, [Audited(EMPTIED, body, now_ns)])
        except StoreError:
            continue  # the orders are gone: that is what counts


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
    run, labels = engine.run, frozenset[Label]()
    with suppress(StoreError):  # for counting, and for a list that cannot be read
        rows = reader.open_orders(run.seat.venue, run.seat.account)
        labels = frozenset(row.label for row in rows)
    folder = Path(run.env_path).parent if run.env_path else Path.cwd()
    # An engine that is not this store's may run with another one.
    running = runs(engine, now_ns) or signal_engine(run.seat, run.endpoint)
    return Account(run.seat, run.endpoint, folder, running, labels)


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
        if isinstance(end, GoneError):
            outcome.ended.append(swept.seat)
            continue
        if isinstance(end, BaseException):
            expected = isinstance(end, MmbotError)
            swept.problem = str(end) if expected else f"bug: {type(end).__name__}: {end}"
        outcome.swept.append(swept)


async def _sweep(account: Account, swept: Swept, clock: Clock, foreign: bool) -> None:
    """One account. Raises VenueUnreachable, ConfigError for missing keys, and GoneError."""
    started_s = clock.monotonic_s()
    if account.seat.mode is Mode.PAPER or not await _listens(account):
        raise GoneError  # paper orders rest in the engine and nowhere else
    from mmbot.engine.emptying import Emptying

    sweeper = _sweeper(account, clock)
    try:
        if not account.seat.account:
            account = await _named(account, sweeper)
            swept.seat = account.seat
        emptying = Emptying(account, sweeper, clock, swept, foreign=foreign)
        await emptying.run(BOUND_S, ORDER_S)
    finally:
        swept.ms = round((clock.monotonic_s() - started_s) * 1000)
        await sweeper.close()


async def _named(account: Account, sweeper: "DeribitSweeper") -> Account:
    """The account with the name the venue has for it, if it says, and its engine, if one of this
    machine trades it, told to stop."""
    from mmbot.venues.deribit.sweeper import Way, WayFailedError

    for way in Way:
        with suppress(WayFailedError):
            name = await sweeper.account(way)
            if name is not None:
                seat = replace(account.seat, account=name)
                running = signal_engine(seat, account.endpoint)
                return replace(account, seat=seat, running=running)
    return account


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
    settings: dict[str, Any] = {"apiKey": keys.key, "secret": keys.secret}
    if rest:
        websocket = rest.replace("http", "ws", 1) + "/ws/api/v2"
        settings["urls"] = {"api": {"rest": rest, "ws": websocket}}
    client = Deribit(settings, now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    if not rest and account.seat.mode is Mode.TESTNET:
        client.set_sandbox_mode(True)
    return DeribitSweeper(client, clock)
