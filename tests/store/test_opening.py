"""A database is used only when it is ours and sound; otherwise one line, and it stays as it was."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from mmbot.errors import ExitCode, StoreError
from mmbot.store import migrations
from mmbot.store.database import open_existing, open_store
from mmbot.store.locations import Location
from mmbot.store.queries import Reader
from tests.store.desk import a_location, a_record, an_engine, begin, booked

OPENERS: list[Callable[[Location], object]] = [
    open_store,
    lambda location: open_existing(location, read_only=False),
    Reader,
]

PAGE_BYTES = 4096


@contextmanager
def refused(location: Location, words: str) -> Iterator[None]:
    """A StoreError of one line that names the file; the folder is as it was."""
    assert location.path is not None
    folder = location.path.parent
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(StoreError, match=words) as raised:
        yield
    message = str(raised.value)
    assert location.name in message
    assert "\n" not in message
    assert raised.value.exit_code is ExitCode.BAD_INPUT
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


def a_store(folder: Path) -> Location:
    location = a_location(folder)
    open_store(location)
    return location


@contextmanager
def raw(location: Location) -> Iterator[sqlite3.Connection]:
    """Somebody else's hands on the file."""
    assert location.path is not None
    connection = sqlite3.connect(location.path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize("opened", OPENERS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff garbage \x80" * 999, b"SQLite format 3\x00", b"[desk]\nvenue = 'deribit'\n"],
    ids=["empty", "garbage", "cut short", "text"],
)
def test_a_file_that_is_no_database(
    tmp_path: Path, content: bytes, opened: Callable[[Location], object]
) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    location.path.write_bytes(content)
    with refused(location, "is not a database: move it away"):
        opened(location)


@pytest.mark.parametrize("opened", OPENERS)
def test_a_database_of_another_program(
    tmp_path: Path, opened: Callable[[Location], object]
) -> None:
    location = a_location(tmp_path)
    with raw(location) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    with refused(location, "of another program"):
        opened(location)


@pytest.mark.parametrize("opened", OPENERS)
def test_a_store_of_a_newer_version(tmp_path: Path, opened: Callable[[Location], object]) -> None:
    location = a_store(tmp_path)
    with raw(location) as connection:
        connection.execute("UPDATE mmbot_schema SET version = 99")
    with refused(location, "newer version of mmbot .*schema is 99.*knows 7"):
        opened(location)


@pytest.mark.parametrize("opened", OPENERS)
def test_a_store_whose_pages_are_garbage(
    tmp_path: Path, opened: Callable[[Location], object]
) -> None:
    location = a_store(tmp_path)
    assert location.path is not None
    whole = location.path.read_bytes()
    location.path.write_bytes(whole[:100] + os.urandom(len(whole) - 100))
    with refused(location, "damaged"):
        opened(location)


def test_a_store_with_one_damaged_page_is_not_traded_with(tmp_path: Path) -> None:
    location = a_store(tmp_path)
    assert location.path is not None
    whole = location.path.read_bytes()
    location.path.write_bytes(whole[:-PAGE_BYTES] + os.urandom(PAGE_BYTES))
    with refused(location, "damaged"):
        open_store(location)


def test_a_store_that_somebody_keeps_locked(tmp_path: Path) -> None:
    location = replace(a_store(tmp_path), busy_s=0.05)
    with raw(location) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program keeps it locked"):
            begin(open_existing(location, read_only=False))
        assert Reader(location).runs() == []  # who only reads is not disturbed
        with pytest.raises(StoreError, match=r"sim\.db.*another program keeps it locked"):
            open_store(location)


def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    location.path.mkdir()
    with refused(location, "cannot be read: Is a directory"):
        open_store(location)


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    location = a_location(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be created"):
        open_store(location)


def test_a_lost_file_whose_log_is_still_there_is_not_replaced(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    (tmp_path / "sim.db-wal").write_bytes(b"the fills of last night")
    with refused(location, "is missing, but sim.db-wal is left"):
        open_store(location)


@pytest.mark.parametrize("opened", OPENERS[1:])
def test_looking_at_a_store_that_is_not_there_does_not_create_it(
    tmp_path: Path, opened: Callable[[Location], object]
) -> None:
    location = a_location(tmp_path)
    with refused(location, "there is no store yet"):
        opened(location)


def test_looking_changes_no_byte(tmp_path: Path) -> None:
    location = a_store(tmp_path)
    assert location.path is not None
    before = location.path.read_bytes()
    Reader(location).engines()
    assert location.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["sim.db"]


def test_what_is_committed_is_synced_to_the_disk(tmp_path: Path) -> None:
    with open_store(a_location(tmp_path)).transaction() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    full = 2  # PRAGMA synchronous: 0 off, 1 normal, 2 full
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 2000,
    }


def test_only_its_owner_may_read_a_new_store(tmp_path: Path) -> None:
    location = a_location(tmp_path / "home")
    open_store(location)
    assert location.path is not None
    assert location.path.stat().st_mode & 0o777 == 0o600
    assert location.path.parent.stat().st_mode & 0o777 == 0o700


def test_many_processes_may_create_the_same_store_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.store.desk import *; "
        "begin(open_store(a_location(Path(sys.argv[1]))), AccountKey(Mode.SIM, 'deribit', "
        "sys.argv[2]), run=int(sys.argv[2]))"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)])
        for number in range(1, 5)
    ]
    assert [child.wait() for child in children] == [0] * 4
    assert Reader(a_location(tmp_path)).used_run_numbers() == {1, 2, 3, 4}
    assert [path.name for path in tmp_path.iterdir()] == ["sim.db"]


# --- versions ---------------------------------------------------------------------------------


def add_a_column(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE runs ADD COLUMN mood TEXT"))


def fail(connection: Connection) -> None:
    connection.execute(text("INSERT INTO a_table_that_is_not_there VALUES (1)"))


def columns_of_runs(location: Location) -> set[str]:
    with raw(location) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(runs)")}


async def test_an_older_store_is_brought_up_to_date_with_all_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(a_record(1))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_a_column))
    with refused(location, "older version of mmbot: start `mmbot quote`"):
        Reader(location)
    open_store(location)
    open_store(location)  # the second time there is nothing left to do
    assert "mood" in columns_of_runs(location)
    assert booked(location) == {"t1"}


def test_a_failed_upgrade_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    location = a_store(tmp_path)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_a_column, fail))
    with pytest.raises(StoreError, match="a_table_that_is_not_there"):
        open_store(location)
    assert "mood" not in columns_of_runs(location)
    monkeypatch.undo()
    open_store(location)
