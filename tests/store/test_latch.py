"""The kill switch survives everything; only a person re-arms it."""

import sqlite3
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.why import Why
from mmbot.errors import ExitCode, Refused
from mmbot.store import latch
from mmbot.store.database import open_store
from mmbot.store.latch import Kept
from mmbot.store.locations import Location
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey, LatchTripped, Standing
from tests.builders import NOW_NS
from tests.store.desk import ACCOUNT_KEY, Wall, a_location, an_engine, begin

OTHER = AccountKey(Mode.SIM, "deribit", "sim-2")


def trip(
    location: Location, account_key: AccountKey = ACCOUNT_KEY, detail: str = "down 5 %"
) -> Kept:
    return latch.trip(location, [account_key], Why.MAX_POSITION, detail, "guard", NOW_NS, limit_s=5)


def rearm(location: Location, account_key: AccountKey = ACCOUNT_KEY) -> bool:
    return latch.rearm(location, account_key, "limit raised", "ann", NOW_NS + 1)


def test_a_tripped_bot_does_not_start_until_a_person_rearms_it(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    assert trip(location) is Kept.STORE
    with pytest.raises(Refused, match=r"kill switch of sim-1 on deribit \(sim\)") as refused:
        begin(open_store(location))
    assert "2025-06-02 12:00:00 UTC by guard (position limit: down 5 %)" in str(refused.value)
    assert "mmbot resume --reason" in str(refused.value)
    assert refused.value.exit_code is ExitCode.REFUSED
    assert rearm(location)
    begin(database)
    history = Reader(location).latch_history(ACCOUNT_KEY)
    assert [(state.tripped, state.who, state.detail) for state in history] == [
        (True, "guard", "down 5 %"),
        (False, "ann", "limit raised"),
    ]


def test_it_is_one_accounts_switch(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    trip(location, OTHER)
    begin(database, ACCOUNT_KEY)
    with pytest.raises(Refused):
        begin(database, OTHER)
    assert not rearm(location, ACCOUNT_KEY)
    assert rearm(location, OTHER)


def test_the_first_reason_stays(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    open_store(location)
    trip(location, detail="first")
    trip(location, detail="second")
    state = Reader(location).latch(ACCOUNT_KEY)
    assert state is not None
    assert (state.tripped, state.detail) == (True, "first")


def test_a_store_that_does_not_answer_in_time_gets_a_file_beside_it(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    assert location.path is not None
    other = sqlite3.connect(location.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept = latch.trip(
        location, [ACCOUNT_KEY], Why.MAX_POSITION, "late", "guard", NOW_NS, limit_s=0.01
    )
    assert kept is Kept.FILE
    state = Reader(location).latch(ACCOUNT_KEY)
    assert state is not None
    assert (state.tripped, state.why, state.detail, state.at_ns) == (
        True,
        Why.MAX_POSITION,
        "late",
        NOW_NS,
    )
    other.close()
    with pytest.raises(Refused, match="late"):
        begin(database)


def test_a_damaged_store_gets_a_file_at_once(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    assert location.path is not None
    location.path.write_bytes(b"garbage")
    assert trip(location) is Kept.FILE


def test_the_file_alone_keeps_the_bot_from_starting_until_it_is_rearmed(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    location.latch_file.touch()  # a full disk lets a file be made, but not filled
    for account_key in (ACCOUNT_KEY, OTHER):
        with pytest.raises(Refused):
            begin(database, account_key)
    assert rearm(location)
    assert not location.latch_file.exists()
    begin(database)
    assert [state.tripped for state in Reader(location).latch_history(ACCOUNT_KEY)] == [True, False]


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert trip(a_location(tmp_path / "file" / "no folder")) is Kept.NOWHERE


async def test_a_running_engine_hears_of_a_trip_by_somebody_else(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.flush()
        trip(location, OTHER, "not ours")
        trip(location, detail="cancel-all")
        told = await engine.hears(LatchTripped)
        assert told.latch.detail == "cancel-all"
        engine.writer.recheck()
        assert not (await engine.hears(Standing)).may_trade
        rearm(location)
        engine.writer.recheck()
        assert (await engine.hears(Standing, times=2)).may_trade
    assert len(engine.told(LatchTripped)) == 1


async def test_a_running_engine_hears_of_the_file(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    async with an_engine(location, wall=wall) as engine:
        engine.flush()
        location.latch_file.touch()
        wall.forward_s(1)
        await engine.hears(LatchTripped)


async def test_an_engine_persists_its_own_trip(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        assert engine.writer.trip(Why.INTERNAL_ERROR, "a bug", "engine") is Kept.STORE
    with pytest.raises(Refused, match="internal error: a bug"):
        begin(open_store(location))
