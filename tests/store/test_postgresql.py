"""The store on a PostgreSQL server: everything of this room that is not about files, once more.

Needs a server and the `postgresql` extra. MMBOT_TEST_POSTGRESQL names a database on it whose user
may create others, for instance postgresql://postgres@127.0.0.1:5432/postgres: every test gets a
database of its own there and drops it.
"""

import asyncio
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from mmbot.config import Mode
from mmbot.core.why import Why
from mmbot.errors import StoreError
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.database import Database, open_existing, open_store
from mmbot.store.latch import Kept
from mmbot.store.locations import URL_VARIABLE, locate
from mmbot.store.queries import Reader
from tests.cli.desk import ended, mmbot
from tests.engine.live import until
from tests.engine.test_crash import START_S, ours_at_venue, start
from tests.store import (
    test_fills,
    test_latch,
    test_lease,
    test_queries,
    test_samples,
    test_several_accounts,
    test_writer,
)
from tests.store.desk import ACCOUNT_KEY, a_location, a_record, an_engine, begin, booked

SERVER = os.environ.get("MMBOT_TEST_POSTGRESQL", "")

pytestmark = pytest.mark.skipif(
    not SERVER, reason="MMBOT_TEST_POSTGRESQL does not name a PostgreSQL server to test with"
)

ABOUT_FILES = {
    "test_a_store_that_does_not_answer_in_time_gets_a_file_beside_it",
    "test_a_damaged_store_gets_a_file_at_once",
    "test_where_nothing_can_be_written_that_is_said",
    "test_a_store_of_the_first_version_is_taken_forward",
    "test_the_queue_is_bounded_and_keeps_room_for_fills",
    "test_full_comes_before_the_end_of_the_queue",
    "test_a_locked_store_is_said_and_nothing_is_lost",
    "test_a_full_disk_is_said_and_what_waited_is_written_when_there_is_room",
    "test_on_a_disk_that_is_really_full_the_latch_still_holds",
    "test_closing_in_vain_says_what_is_lost",
}
"""They damage, lock or fill a file of SQLite's."""

ABOUT_SPEED = {"test_an_engine_persists_its_own_trip"}
"""A trip has 200 ms; a server on a busy machine may miss that, and then the file stands for it."""

_numbers = itertools.count(1)

_ROOMS = (
    test_fills,
    test_latch,
    test_lease,
    test_queries,
    test_samples,
    test_several_accounts,
    test_writer,
)

for _room in _ROOMS:
    for _name, _test in list(vars(_room).items()):
        if _name.startswith("test_") and _name not in ABOUT_FILES | ABOUT_SPEED:
            globals()[_name] = _test


@pytest.fixture(autouse=True)
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database that nobody has used yet, as the one that the environment names."""
    name = f"mmbot_test_{os.getpid()}_{next(_numbers)}"
    there = make_url(SERVER).set(drivername="postgresql+psycopg")
    server = create_engine(there, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        address = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        monkeypatch.setenv(URL_VARIABLE, address)
        yield address
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """What the tests of fills book into."""
    return open_store(a_location(tmp_path))


def test_looking_at_an_empty_database_creates_nothing(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreError, match="there is no store yet"):
            Reader(location)
    open_store(location)
    assert Reader(location).runs() == []


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    server = create_engine(make_url(location.url).set(drivername="postgresql+psycopg"))
    with server.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (number INTEGER)"))
    server.dispose()
    for use in (open_store, Reader):
        with pytest.raises(StoreError, match="tables of another program"):
            use(location)


async def test_many_engines_may_create_the_same_store_at_once(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    await asyncio.gather(*(asyncio.to_thread(open_store, location) for _ in range(8)))
    assert Reader(location).runs() == []


def test_a_store_of_version_4_is_given_the_accounts_of_its_runs(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    begin(database, run=7)
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE run_accounts"))
        connection.execute(text("UPDATE mmbot_schema SET version = 4"))
    with pytest.raises(StoreError, match="older version"):
        Reader(location)
    open_store(location)
    [run] = Reader(location).runs()
    assert [(one.account_key, one.kind) for one in run.accounts] == [(ACCOUNT_KEY, "deribit")]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    open_store(location)
    with (
        pytest.raises(StoreError),
        open_existing(location, read_only=True).transaction() as connection,
    ):
        connection.execute(text("DELETE FROM runs"))


async def test_who_has_read_enough_leaves_no_transaction_open(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        for number in range(3):
            engine.writer.put(a_record(number))
        engine.flush()
        fills = Reader(location).fills()
        next(iter(fills))
        del fills
        with open_store(location).transaction() as connection:
            idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            idle += " AND state = 'idle in transaction'"
            assert connection.scalar(text(idle)) == 0
    assert booked(location) == {"t0", "t1", "t2"}


def test_a_server_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "postgresql://me:hush@127.0.0.1:1/desk")
    with pytest.raises(StoreError) as refused:
        open_store(locate(Mode.SIM, os.environ))
    assert "127.0.0.1:1" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_an_engines_own_trip_holds_wherever_it_was_kept(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        assert engine.writer.trip(Why.INTERNAL_ERROR, "a bug", "engine") is not Kept.NOWHERE
        state = Reader(location).latch(ACCOUNT_KEY)
        assert state is not None
        assert (state.tripped, state.why, state.detail) == (True, Why.INTERNAL_ERROR, "a bug")


async def test_a_run_and_every_question_about_it(home: Path) -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        engine = await start(venue, home)
        await until(lambda: len(ours_at_venue(venue)) == 8, "every side quoted", START_S)
        (running,) = (await mmbot("status", "--json")).json()["engines"]
        assert running["state"] == "running"
        done = await mmbot("cancel-all", "--json")
        assert (done.code, done.json()["latched"] != []) == (0, True), done.err
        await until(lambda: not ours_at_venue(venue), "everything cancelled")
        assert await ended(engine) == 4
        assert (await mmbot("resume", "--reason", "seen")).code == 0
        again = await start(venue, home)
        await until(lambda: len(ours_at_venue(venue)) == 8, "every side quoted again", START_S)
        assert await ended(again) == 0
    for question in (["fills", "list"], ["fills", "report"], ["ledger", "export"]):
        assert (await mmbot(*question)).code == 0
    (stopped,) = json.loads((await mmbot("status", "--json")).out)["engines"]
    assert (stopped["state"], stopped["ended"]) == ("stopped", "SIGTERM")
    assert [name for name in os.listdir(home) if name.endswith(".db")] == []
