"""One database: opened only when it is ours, written in short transactions, its errors in words.

This is the only file that knows SQLite from PostgreSQL.

* A SQLite store is built beside its place and then linked there, so a half-made one is never
  seen. Its header carries our application id: a file of somebody else is told from ours by
  reading 100 bytes, without letting SQLite near it.
* Every writing transaction excludes every other from its first statement on (BEGIN IMMEDIATE; an
  advisory lock on PostgreSQL), so "look, then insert" needs no dialect of its own.
* Write-ahead log with synchronous=FULL: committed means on the disk. Who waits for a lock waits
  two seconds at most.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mmbot.errors import StoreError
from mmbot.store import migrations, schema
from mmbot.store.locations import HOME_VARIABLE, URL_VARIABLE, Location

FULL_BYTES = 1_000_000
"""With less than this, a disk is full: the log of writes alone takes several times as much."""

APPLICATION_ID = int.from_bytes(b"mmbt", "big")
_MAGIC = b"SQLite format 3\x00"
_APPLICATION_ID_AT = slice(68, 72)
_HEADER_BYTES = 100

_ADVISORY_LOCK = APPLICATION_ID

_FULL = "the disk is full: free some space"
_LOCKED = "another program keeps it locked: end that program or wait for it"

_IN_WORDS = (
    ("SQLITE_FULL", _FULL),
    ("SQLITE_BUSY", _LOCKED),
    ("SQLITE_LOCKED", _LOCKED),
    ("SQLITE_CORRUPT", "it is damaged: move it away or restore a copy"),
    ("SQLITE_NOTADB", "it is damaged or no database: move it away or restore a copy"),
    ("SQLITE_READONLY", "it may not be written: check the permissions of file and folder"),
    ("SQLITE_CANTOPEN", "it cannot be opened: check the permissions of file and folder"),
    ("SQLITE_PERM", "it cannot be opened: check the permissions of file and folder"),
    ("SQLITE_IOERR", "the disk fails to read or write it: check the disk and its free space"),
    ("53100", _FULL),
    ("55P03", _LOCKED),
)
"""The beginning of SQLite's name, or PostgreSQL's number, of an error; what it means to people."""


_GONE = "it was deleted or moved away while it is in use"
_BRING_BACK = "bring it back, or stop and look at the account"


class StoreVanished(StoreError):
    """The file of a store is gone, or another one has taken its place. A connection to it is kept
    as it is: SQLite, on closing it, would write to whatever lies there now."""


class Database:
    """An opened store. Connections are made when needed and closed after use."""

    def __init__(self, location: Location, engine: Engine) -> None:
        self.location = location
        self._engine = engine
        self._pinned: _Pinned | None = None

    def pin(self) -> None:
        """From now on `changes` tells a store that was deleted, replaced or cut short. Raises
        StoreVanished."""
        if self.location.path is None:
            return
        try:
            self._pinned = _Pinned(self.location.path)
        except OSError as error:
            raise StoreVanished(f"{self.location.name}: {error.strerror}") from error

    def connect(self) -> Connection:
        """A connection to keep, for `transaction`. Raises StoreError."""
        with self.in_words():
            return self._engine.connect()

    @contextmanager
    def transaction(self, connection: Connection | None = None) -> Iterator[Connection]:
        """All or nothing, on a connection of its own unless one is given. Raises StoreError."""
        with self.in_words():
            if connection is None:
                with self._engine.begin() as own:
                    yield own
            else:
                with connection.begin():
                    yield connection

    def changes(self, connection: Connection) -> object:
        """A value that differs from the last one on this connection if commands or latches may
        have been written by somebody else since; cheap enough to ask ten times a second.

        Raises StoreVanished for a pinned store that is not there any more, and StoreError.
        """
        with self.in_words():
            if self.location.path is not None:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                if self._pinned is not None:
                    self._pinned.check(driver)
                version = driver.execute("PRAGMA data_version").fetchone()
                if self._pinned is not None:
                    self._pinned.check_log(connection.info)
                return version
            with connection.begin():
                return tuple(
                    connection.scalar(select(func.max(table.c.id)))
                    for table in (schema.commands, schema.latch)
                )

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """A driver's errors leave this as StoreError."""
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(explain(self.location, error)) from error


class _Pinned:
    """The file that was opened, told from any other that may lie in its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = path.stat()
        self._file = (found.st_dev, found.st_ino)
        self._bytes = found.st_size
        self._cut = False

    def check(self, driver: sqlite3.Connection) -> None:
        """Raises StoreVanished."""
        try:
            found = self._path.stat()
        except OSError as error:
            raise StoreVanished(
                f"{self._path}: {_GONE if isinstance(error, FileNotFoundError) else error.strerror}"
                f": {_BRING_BACK}"
            ) from error
        if (found.st_dev, found.st_ino) != self._file:
            raise StoreVanished(f"{self._path}: another file has taken its place: {_BRING_BACK}")
        # What was cut off stays so, even if the file grows again.
        self._cut = self._cut or (found.st_size < self._bytes and not _is_sound(driver))
        if self._cut:
            raise StoreVanished(
                f"{self._path}: another program has cut it short: stop, move it away, start again"
            )
        self._bytes = found.st_size

    def check_log(self, connection: dict[Any, Any]) -> None:
        """The log of a connection, by what is remembered with it. Raises StoreError: closing the
        connection saves what the log holds, and the next one has a new log."""
        for kind in ("-wal", "-shm"):
            path = self._path.with_name(self._path.name + kind)
            try:
                found = path.stat()
            except FileNotFoundError:
                if kind not in connection:
                    continue  # nothing was read or written yet
                raise StoreError(f"{path}: it was deleted, and belongs to the store") from None
            except OSError as error:
                raise StoreError(f"{path}: {error.strerror}") from error
            if connection.setdefault(kind, (found.st_dev, found.st_ino)) != (
                found.st_dev,
                found.st_ino,
            ):
                raise StoreError(f"{path}: another file has taken its place")


def _is_sound(driver: sqlite3.Connection) -> bool:
    """Whether a file that got smaller is whole: somebody may have had it tidied up (VACUUM)."""
    try:
        ours = driver.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        return bool(ours and driver.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.Error:
        return False


def open_store(location: Location) -> Database:
    """The store to trade with: created if there is none, brought to the newest version if older.

    Raises StoreError, having changed nothing, when it is damaged, locked, written by a newer
    version, or not ours.
    """
    if location.path is None:
        return _open_server(location, create=True, read_only=False)
    if not location.path.exists():
        _create_file(location, location.path)
    with _open_file(location, location.path, read_only=True).transaction() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise StoreError(f"{location.name}: it is damaged ({found}): move it away")
    database = _open_file(location, location.path, read_only=False)
    with database.transaction() as connection:
        migrations.upgrade(connection)
    return database


def open_existing(location: Location, *, read_only: bool) -> Database:
    """A store that is there already and has the present version. Creates and upgrades nothing.

    Raises StoreError.
    """
    if location.path is None:
        database = _open_server(location, create=False, read_only=read_only)
    elif location.path.exists():
        database = _open_file(location, location.path, read_only=read_only)
    else:
        raise StoreError(f"{location.name}: there is no store yet; `mmbot quote` makes one")
    with database.transaction() as connection:
        if migrations.read_version(connection) < migrations.newest():
            raise StoreError(
                f"{location.name} was written by an older version of mmbot: start `mmbot quote` "
                "on it once to bring it up to date"
            )
    return database


def trouble(location: Location) -> str:
    """Why nobody can write to a store that is there, in one line; empty where nothing is seen.

    Writes nothing. Waits for a lock as long as everybody does.
    """
    if location.path is not None and disk_usage(location.path.parent).free < FULL_BYTES:
        return f"{location.name}: {_FULL}"
    try:
        with open_existing(location, read_only=False).transaction():
            return ""
    except StoreError as error:
        return str(error)


def explain(location: Location, error: Exception) -> str:
    """A driver's error as one line that names the store and what to do."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    for prefix, words in _IN_WORDS:
        if code.startswith(prefix):
            return f"{location.name}: {words}"
    first_line = str(cause).strip().partition("\n")[0]
    hint = ""
    if location.path is None and "password" in first_line:
        hint = f"; give it with PGPASSWORD, ~/.pgpass or {URL_VARIABLE}: it is kept nowhere"
    return f"{location.name}: {type(cause).__name__}: {first_line}{hint}"


# --- SQLite -----------------------------------------------------------------------------------


def _open_file(location: Location, path: Path, *, read_only: bool) -> Database:
    _check_header(location, path)
    database = Database(location, _file_engine(location, path, "rw", read_only=read_only))
    with database.transaction() as connection:
        _check_version(location, connection)
    return database


_checked: set[tuple[Path, int, int]] = set()
"""Files whose header this process has read. Never twice: closing a file gives up every lock the
process has on it, also those of SQLite's connections (POSIX), and the next program to leave the
store would then throw away the log that a connection of ours still writes to."""


def _check_header(location: Location, path: Path) -> None:
    try:
        found = path.stat()
        if (key := (path, found.st_dev, found.st_ino)) in _checked:
            return
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise StoreError(f"{location.name} cannot be read: {error.strerror}") from error
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise StoreError(f"{location.name} is not a database: move it away, then start again")
    if int.from_bytes(header[_APPLICATION_ID_AT], "big") != APPLICATION_ID:
        raise StoreError(
            f"{location.name} is a database of another program: name another file, or move it away"
        )
    _checked.add(key)


def _create_file(location: Location, path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    if log.exists():
        raise StoreError(
            f"{location.name} is missing, but {log.name} is left of it: bring the file back, or "
            "move its rest away"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".new-store-") as folder:
            made = Path(folder) / path.name
            _fill_file(location, made)
            try:
                os.link(made, path)
            except FileExistsError:
                return  # somebody else was faster with the same
            _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{location.name} cannot be created: {error.strerror}; set {HOME_VARIABLE} to a folder "
            "that may be written"
        ) from error


def _fill_file(location: Location, path: Path) -> None:
    database = Database(location, _file_engine(location, path, "rwc", read_only=False))
    connection = database.connect()
    with database.in_words(), connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        try:
            driver.execute(f"PRAGMA application_id={APPLICATION_ID}")
            driver.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            raise StoreError(explain(location, error)) from error
        with connection.begin():
            migrations.create(connection)
    path.chmod(0o600)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_engine(location: Location, path: Path, mode: str, *, read_only: bool) -> Engine:
    address = f"file:{quote(str(path))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # No isolation level: transactions begin where we say so.
        driver = sqlite3.connect(
            address,
            uri=True,
            timeout=location.busy_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            driver.execute("PRAGMA foreign_keys=ON")
            driver.execute("PRAGMA synchronous=FULL")
            if read_only:
                driver.execute("PRAGMA query_only=ON")
        except sqlite3.Error:
            driver.close()
            raise
        return driver

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


# --- PostgreSQL -------------------------------------------------------------------------------


def _open_server(location: Location, *, create: bool, read_only: bool) -> Database:
    try:
        engine = create_engine(
            make_url(location.url).set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={"connect_timeout": int(location.busy_s)},
        )
    except (ImportError, NoSuchModuleError):
        raise StoreError(
            f"{location.name}: no driver for it is installed: pip install 'mmbot[postgresql]'"
        ) from None
    except ArgumentError:
        raise StoreError(f"{location.name} is not the address of a database") from None
    if read_only:
        engine = engine.execution_options(postgresql_readonly=True)
    else:

        @event.listens_for(engine, "begin")
        def _begin_alone(connection: Connection) -> None:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{location.busy_s:.0f}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    database = Database(location, engine)
    with database.transaction() as connection:
        tables = inspect(connection).get_table_names()
        if tables and schema.version.name not in tables:
            raise StoreError(
                f"{location.name} holds tables of another program: name a database of its own"
            )
        if tables:
            _check_version(location, connection)
        if create and tables:
            migrations.upgrade(connection)
        elif create:
            migrations.create(connection)
        elif not tables:
            raise StoreError(f"{location.name}: there is no store yet; `mmbot quote` makes one")
    return database


def _check_version(location: Location, connection: Connection) -> None:
    found = migrations.read_version(connection)
    if found > migrations.newest():
        raise StoreError(
            f"{location.name} was written by a newer version of mmbot (its schema is {found}, this "
            f"one knows {migrations.newest()}): use that version, or another file"
        )
