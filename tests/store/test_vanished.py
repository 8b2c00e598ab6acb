"""The file of a store goes, is replaced or cut short under the writer: it is said, and what waits
is written where it belongs or not at all."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mmbot.store.records import StoreFailing, StoreWorking
from tests.store.desk import Engine, a_location, a_record, an_engine, booked, until

BRING_BACK = "bring it back, or stop and look at the account"


def another(folder: Path) -> Path:
    """A database of somebody else."""
    path = folder / "another.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE theirs (a)")
    made.close()
    return path


def unlink(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    another(path.parent).rename(path)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, 8192)


LOSSES: dict[str, tuple[Callable[[Path], None], str]] = {
    "deleted": (unlink, f"it was deleted or moved away while it is in use: {BRING_BACK}"),
    "replaced": (replace, f"another file has taken its place: {BRING_BACK}"),
    "emptied": (empty, "another program has cut it short: stop, move it away, start again"),
    "cut": (cut, "another program has cut it short: stop, move it away, start again"),
}


def settled(engine: Engine) -> None:
    """Something is in the store, and in the file itself rather than in its log."""
    engine.writer.put(a_record(1))
    engine.flush()


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_store_that_is_lost_is_said_and_nothing_is_written_anywhere_else(
    loss: str, tmp_path: Path
) -> None:
    lose, words = LOSSES[loss]
    location = a_location(tmp_path)
    assert location.path is not None
    async with an_engine(location) as engine:
        settled(engine)
        lose(location.path)
        said = f"{location.path}: {words}"
        await until(lambda: StoreFailing(said) in engine.news)
        assert (engine.writer.vanished, engine.writer.problem) == (True, said)
        engine.writer.put(a_record(2))
        assert not engine.writer.close(0, 20.0)
        assert engine.writer.unwritten > 0
        assert engine.told(StoreWorking) == []
    if loss == "replaced":
        with sqlite3.connect(location.path) as theirs:
            assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
        theirs.close()


async def test_a_store_that_comes_back_gets_what_waited(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    async with an_engine(location) as engine:
        settled(engine)
        location.path.rename(tmp_path / "away")
        await until(lambda: engine.writer.vanished)
        engine.writer.put(a_record(2))
        (tmp_path / "away").rename(location.path)
        await engine.hears(StoreWorking)
        engine.flush()
        assert not engine.writer.vanished
    assert booked(location) == {"t1", "t2"}


async def test_a_log_that_is_deleted_costs_nothing(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    async with an_engine(location) as engine:
        settled(engine)
        location.path.with_name(location.path.name + "-wal").unlink()
        said = await engine.hears(StoreFailing)
        assert said.reason == f"{location.path}-wal: it was deleted, and belongs to the store"
        await engine.hears(StoreWorking)
        engine.writer.put(a_record(2))
        engine.flush()
    assert booked(location) == {"t1", "t2"}


async def test_a_store_that_somebody_tidied_up_is_the_same_store(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    async with an_engine(location) as engine:
        for number in range(1, 2000):
            engine.writer.put(a_record(number))
        engine.flush()
        with sqlite3.connect(location.path, timeout=20, isolation_level=None) as person:
            person.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            before = location.path.stat().st_size
            person.execute("DELETE FROM fills WHERE trade_id != 't1'")
            person.execute("VACUUM")
            person.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        person.close()
        assert location.path.stat().st_size < before
        engine.writer.put(a_record(2000))
        engine.flush()
        assert engine.told(StoreFailing) == []
    assert booked(location) == {"t1", "t2000"}
