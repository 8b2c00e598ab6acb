"""The kill switch on the disk, per (venue, account). Tripping must work when little else does.

A trip is written in a thread and over a connection of its own, and waited for no longer than
200 ms: cancels are sent after that, whatever became of it. Should the database not take it in
time, a file beside it, `<store>.latch`, stands for the trip, for every account of the store. Only
a person re-arms. Every change stays in the table; the newest row of an account counts.
"""

import os
import threading
from collections.abc import Sequence
from enum import Enum, auto

import orjson
from sqlalchemy import Connection, RowMapping, insert, select

from mmbot.core.types import Nanos
from mmbot.core.why import Why
from mmbot.errors import Refused, StoreError
from mmbot.store import schema
from mmbot.store.database import Database, open_existing
from mmbot.store.locations import Location
from mmbot.store.moments import moment
from mmbot.store.records import AccountKey, LatchState

TRIP_LIMIT_S = 0.2
"""How long the cancels wait for the trip to be on the disk."""


class Kept(Enum):
    """Where a trip is kept."""

    STORE = auto()
    FILE = auto()
    NOWHERE = auto()
    """Neither database nor file took it: it holds for as long as this process lives."""


def trip(
    location: Location,
    account_keys: Sequence[AccountKey],
    why: Why,
    detail: str,
    who: str,
    now_ns: Nanos,
    limit_s: float = TRIP_LIMIT_S,
) -> Kept:
    """Trip the kill switch of these accounts, of all or of none. Blocks for `limit_s` at most (and
    for as long as creating a small file takes, should the database not answer in time). The first
    reason stays the newest row of an account until somebody re-arms."""
    state = LatchState(True, why, detail, who, now_ns)
    answered, written = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with open_existing(location, read_only=False).transaction() as connection:
                for account_key in account_keys:
                    before = _newest(connection, account_key)
                    if before is None or not before.tripped:
                        _insert(connection, account_key, state)
            written.set()
        except StoreError:
            pass  # the file stands for it
        finally:
            answered.set()

    threading.Thread(target=write, name="mmbot-latch", daemon=True).start()
    answered.wait(limit_s)
    if written.is_set():
        return Kept.STORE
    return Kept.FILE if _write_file(location, account_keys, state) else Kept.NOWHERE


def trip_store(location: Location, why: Why, detail: str, who: str, now_ns: Nanos) -> Kept:
    """Trip every account of a store that cannot be read: only the file can stand for that."""
    state = LatchState(True, why, detail, who, now_ns)
    return Kept.FILE if _write_file(location, (), state) else Kept.NOWHERE


def rearm(
    location: Location, account_key: AccountKey, reason: str, who: str, now_ns: Nanos
) -> bool:
    """Allow quoting again; False when nothing was tripped. Raises StoreError."""
    in_file = _read_file(location)
    with open_existing(location, read_only=False).transaction() as connection:
        before = _newest(connection, account_key)
        in_store = before is not None and before.tripped
        if not in_store and in_file is None:
            return False
        if in_file is not None and not in_store:
            _insert(connection, account_key, in_file)
        _insert(connection, account_key, LatchState(False, Why.USER, reason, who, now_ns))
    location.latch_file.unlink(missing_ok=True)
    return True


def rearm_gone(location: Location) -> LatchState | None:
    """Allow quoting again on a store that is gone, of which only the file beside it may be left;
    what that said. None where nothing was tripped."""
    state = _read_file(location)
    location.latch_file.unlink(missing_ok=True)
    return state


def read(connection: Connection, location: Location, account_key: AccountKey) -> LatchState | None:
    """The kill switch of an account; None when it was never tripped. The file counts first."""
    return _read_file(location) or _newest(connection, account_key)


def tripped_of(
    connection: Connection, location: Location, account_keys: Sequence[AccountKey]
) -> tuple[AccountKey, LatchState] | None:
    """The first of these accounts whose kill switch is tripped; None when all are armed."""
    for account_key in account_keys:
        state = read(connection, location, account_key)
        if state is not None and state.tripped:
            return account_key, state
    return None


def worst(
    connection: Connection, location: Location, account_keys: Sequence[AccountKey]
) -> LatchState | None:
    """The kill switch of the first of these accounts where it is tripped, else of the first."""
    tripped = tripped_of(connection, location, account_keys)
    return tripped[1] if tripped is not None else read(connection, location, account_keys[0])


def require_armed(database: Database, account_keys: Sequence[AccountKey]) -> None:
    """Raises Refused when the kill switch of one of them is tripped, StoreError when that cannot be
    read."""
    with database.transaction() as connection:
        tripped = tripped_of(connection, database.location, account_keys)
    if tripped is not None:
        account_key, state = tripped
        detail = f": {state.detail}" if state.detail else ""
        raise Refused(
            f"the kill switch of {account_key} was tripped at {moment(state.at_ns)} by {state.who} "
            f"({state.why.value}{detail}): look at the account, then `mmbot resume --reason "
            '"what was done about it"`'
        )


def history(connection: Connection, account_key: AccountKey) -> list[LatchState]:
    """Every trip and every re-arming, oldest first."""
    table = schema.latch
    rows = connection.execute(
        select(table)
        .where(table.c.venue == account_key.venue, table.c.account == account_key.account)
        .order_by(table.c.id)
    )
    return [_state(row) for row in rows.mappings()]


def _newest(connection: Connection, account_key: AccountKey) -> LatchState | None:
    table = schema.latch
    rows = connection.execute(
        select(table)
        .where(table.c.venue == account_key.venue, table.c.account == account_key.account)
        .order_by(table.c.id.desc())
        .limit(1)
    )
    return next(map(_state, rows.mappings()), None)


def _state(row: RowMapping) -> LatchState:
    return LatchState(row["tripped"], _why(row["why"]), row["detail"], row["who"], row["at_ns"])


def _why(name: str) -> Why:
    """A reason this version has no word for is still a reason."""
    return Why.__members__.get(name, Why.TRIPPED)


def _insert(connection: Connection, account_key: AccountKey, state: LatchState) -> None:
    connection.execute(
        insert(schema.latch).values(
            venue=account_key.venue,
            account=account_key.account,
            tripped=state.tripped,
            why=state.why.name,
            detail=state.detail,
            who=state.who,
            at_ns=state.at_ns,
        )
    )


# --- the file beside the store ----------------------------------------------------------------


def _write_file(location: Location, account_keys: Sequence[AccountKey], state: LatchState) -> bool:
    """Whether the file exists now. On a full disk it may be empty: that is enough. The account it
    names is for people: it counts for all."""
    account_key = next(iter(account_keys), None)
    text = orjson.dumps(
        {
            "venue": account_key.venue if account_key is not None else None,
            "account": account_key.account if account_key is not None else None,
            "why": state.why.name,
            "detail": state.detail,
            "who": state.who,
            "at_ns": state.at_ns,
        }
    )
    try:
        location.latch_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(location.latch_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return True  # the first reason stays
    except OSError:
        return False
    try:
        os.write(handle, text + b"\n")
        os.fsync(handle)
    except OSError:
        pass  # what it says is lost; that it is there is what counts
    finally:
        os.close(handle)
    return True


def _read_file(location: Location) -> LatchState | None:
    try:
        text = location.latch_file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return LatchState(True, Why.TRIPPED, f"{location.latch_file}: {error.strerror}", "?", 0)
    try:
        said = orjson.loads(text)
        return LatchState(
            True, _why(said["why"]), str(said["detail"]), str(said["who"]), int(said["at_ns"])
        )
    except (ValueError, KeyError, TypeError):
        return LatchState(True, Why.TRIPPED, f"see {location.latch_file}", "?", 0)
