"""The kill switch in the stores: set for every account, and what the stores are told afterwards.

Nothing here needs ccxt: importing it takes longer than tripping.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mmbot.clock import Clock
from mmbot.core.types import Label, Nanos
from mmbot.core.why import Why
from mmbot.engine.accounts import Account, runs, signal_engine
from mmbot.engine.outcome import Latched, Outcome
from mmbot.errors import Refused, StoreError
from mmbot.store import booking, commands, latch
from mmbot.store.account_lock import holder
from mmbot.store.database import open_existing
from mmbot.store.known import Stores, Used, settle
from mmbot.store.latch import Kept
from mmbot.store.locations import LIVE_FIRST, Location
from mmbot.store.queries import AccountRow, EngineRow, Reader
from mmbot.store.records import EMPTIED, AccountKey, Audited, CommandKind

DETAIL = "mmbot cancel-all"


def trip_all(places: Sequence[Location], who: str, clock: Clock, outcome: Outcome) -> list[Account]:
    """Trip the kill switch of every account, and return the accounts, live first."""
    accounts: dict[tuple[AccountKey, str], Account] = {}
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
            keys = [row.account_key for row in engine.accounts]
            if kept is not Kept.FILE:  # the file counts for the whole store: no need to wait again
                kept = latch.trip(place, keys, Why.USER, DETAIL, who, now_ns)
            outcome.latched += [Latched(place.name, account_key, kept) for account_key in keys]
            for row in engine.accounts:
                account = _account(engine, row, reader, now_ns)
                key = (account.account_key, account.endpoint)
                before = accounts.get(key, account)
                first = account if account.running and not before.running else before
                accounts[key] = replace(
                    first,
                    labels=before.labels | account.labels,
                    order_ids=before.order_ids | account.order_ids,
                )
    return sorted(accounts.values(), key=lambda account: LIVE_FIRST.index(account.account_key.mode))


def trip_lost(
    stores: Stores, accounts: list[Account], who: str, clock: Clock, outcome: Outcome
) -> list[tuple[Used, Account]]:
    """Trip what only the register knows of; its accounts join the others, and are returned.

    The file beside the place of a store that is gone stands for its latch: an engine that lost its
    store reads it when the store comes back. One that lives is told by a signal, which needs none.
    """
    told = {(latched.store, latched.account_key) for latched in outcome.latched}
    found: list[tuple[Used, Account]] = []
    for place, uses in stores.used.items():
        for used in uses:
            if (place.name, used.account_key) in told:
                continue
            if used.ended:
                _settle(used)
                continue
            unread = (place.name, None) in told
            gone, kept = place in stores.gone, Kept.NOWHERE
            # Of a folder that is gone for good nothing is made again for this.
            if not unread and not (used.settled and not place.latch_file.parent.is_dir()):
                kept = latch.trip(place, [used.account_key], Why.USER, DETAIL, who, clock.wall_ns())
            running = signal_engine(used.account_key, used.endpoint, used.kind)
            if not unread:
                if running or not gone or kept is not Kept.NOWHERE:
                    outcome.latched.append(Latched(place.name, used.account_key, kept))
                what = "is gone" if gone else "was replaced"
                said = f"{place.name} {what}: the venue was asked about {used.account_key}"
                outcome.lost += [said] if said not in outcome.lost else []
            folder = Path(used.env_path).parent if used.env_path else Path.cwd()
            kind = used.kind or used.account_key.venue
            account = Account(used.account_key, used.endpoint, folder, running, kind)
            if account.account_key not in [other.account_key for other in accounts]:
                accounts.append(account)
            if not unread:
                found.append((used, account))
    return found


def settle_lost(lost: Sequence[tuple[Used, Account]], outcome: Outcome) -> None:
    """Stores that are gone need not be missed once nothing of ours is at the venue, and no engine
    is left that would place it there."""
    clean = {result.account_key for result in outcome.results if result.verified_by is not None}
    for used, account in lost:
        if (
            account.account_key in clean
            and holder(account.account_key, account.endpoint, account.kind) is None
        ):
            _settle(used)


def _settle(used: Used) -> None:
    with suppress(Refused):  # then it is missed again the next time
        settle(os.environ, used)


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
    """Leave in the stores the runs whose accounts were all found empty, for whoever asks afterwards
    what may still be open there. A simulated venue that runs no more has no orders either."""
    empty = {
        result.account_key: result.verified_by for result in outcome.results if result.verified_by
    }
    empty |= dict.fromkeys(outcome.ended, "the end of the venue")
    for place in places:
        try:
            now_ns = clock.wall_ns()
            runs_here = [engine.run for engine in Reader(place).engines()]
            proved = [run for run in runs_here if all(key in empty for key in run.account_keys)]
            if not proved:
                continue
            with open_existing(place, read_only=False).transaction() as connection:
                for run in proved:
                    ways = dict.fromkeys(empty[account_key] for account_key in run.account_keys)
                    body = {"who": DETAIL, "proved_over": ", ".join(ways)}
                    booking.audit(connection, run.run, [Audited(EMPTIED, body, now_ns)])
        except StoreError:
            continue  # the orders are gone: that is what counts


def _urgency(engine: EngineRow, now_ns: Nanos) -> tuple[bool, int]:
    """Sort key: what runs first, then the newest."""
    return (not runs(engine, now_ns), -engine.run.started_ns)


def _account(engine: EngineRow, row: AccountRow, reader: Reader, now_ns: Nanos) -> Account:
    run, account_key = engine.run, row.account_key
    labels, order_ids = frozenset[Label](), frozenset[str]()
    with suppress(StoreError):  # for counting, and for a list that cannot be read
        rows = reader.open_orders(account_key.venue, account_key.account)
        labels = frozenset(row.label for row in rows)
        known = reader.known_ids(account_key)
        order_ids = frozenset(one.order_id for one in known if one.order_id)
    folder = Path(run.env_path).parent if run.env_path else Path.cwd()
    # An engine that is not this store's may run with another one.
    running = runs(engine, now_ns) or signal_engine(account_key, row.endpoint, row.kind)
    file = Path(run.config_path) if run.config_path else None
    return Account(account_key, row.endpoint, folder, running, row.kind, labels, order_ids, file)
