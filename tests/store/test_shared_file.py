"""One file, several programs: what a connection writes stays, whoever comes and goes meanwhile."""

import subprocess
import sys
from pathlib import Path

from mmbot.core.why import Why
from mmbot.store import latch
from mmbot.store.database import open_store
from mmbot.store.latch import Kept
from mmbot.store.queries import Reader
from tests.builders import NOW_NS
from tests.store.desk import ACCOUNT_KEY, a_location, a_record, an_engine, booked

LOOK = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
    "print(c.execute('select count(*) from fills').fetchone()[0]); c.close()"
)


def fills_seen_by_another_program(path: Path) -> int:
    done = subprocess.run([sys.executable, "-c", LOOK, str(path)], capture_output=True, check=True)
    return int(done.stdout)


async def test_a_trip_does_not_cost_the_engine_its_hold_on_the_store(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    async with an_engine(location) as engine:
        engine.flush()
        assert engine.writer.trip(Why.USER, "", "test") is Kept.STORE
        Reader(location).runs()
        # Who leaves a store last throws its log away; they must see that they are not the last.
        assert fills_seen_by_another_program(location.path) == 0
        engine.writer.put(a_record(1))
        engine.flush()
        assert fills_seen_by_another_program(location.path) == 1
    assert booked(location) == {"t1"}


def test_a_latch_is_tripped_and_read_while_others_come_and_go(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    database = open_store(location)
    with database.connect() as held:
        database.changes(held)
        for detail in ("first", "second"):
            latch.trip(location, [ACCOUNT_KEY], Why.USER, detail, "test", NOW_NS, limit_s=5)
            latch.rearm(location, ACCOUNT_KEY, "seen", "test", NOW_NS)
            fills_seen_by_another_program(location.path)
            assert location.path.with_name(location.path.name + "-wal").exists()
    assert len(Reader(location).latch_history(ACCOUNT_KEY)) == 4
