"""One engine per account: refusal, expiry, the dead, the late and the stolen lease."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.errors import ExitCode, Refused
from mmbot.store import lease
from mmbot.store.database import open_store
from mmbot.store.lease import Process
from mmbot.store.queries import Reader
from mmbot.store.records import (
    AccountDraft,
    AccountKey,
    LeaseLate,
    LeaseLost,
    RunDraft,
    Standing,
)
from mmbot.store.runs import start_run
from tests.builders import NOW_NS
from tests.store.desk import ACCOUNT_KEY, Wall, a_location, an_engine, begin


def test_a_second_engine_is_refused_with_the_first_ones_run(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    first = begin(database)
    with pytest.raises(
        Refused, match=rf"run {base36(first.run)} .*trading sim-1 on deribit \(sim\)"
    ) as e:
        begin(database)
    assert e.value.exit_code is ExitCode.REFUSED
    assert "\n" not in str(e.value)
    assert [run.run for run in Reader(database.location).runs()] == [first.run]


def test_other_accounts_venues_and_modes_are_other_keys(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    for number, account_key in enumerate(
        (
            ACCOUNT_KEY,
            AccountKey(Mode.SIM, "deribit", "sim-2"),
            AccountKey(Mode.SIM, "derive", "sim-1"),
            AccountKey(Mode.LIVE, "deribit", "sim-1"),
        )
    ):
        draft = RunDraft((AccountDraft(account_key, "", kind=account_key.venue),))
        start_run(database, draft, partial(int, number), NOW_NS)
    assert len(Reader(database.location).engines()) == 4


def test_a_lease_that_is_not_renewed_runs_out_after_five_seconds(tmp_path: Path) -> None:
    database, wall = open_store(a_location(tmp_path)), Wall()
    begin(database, wall=wall)
    wall.forward_s(4.9)
    with pytest.raises(Refused):
        begin(database, wall=wall)
    wall.forward_s(0.1)
    second = begin(database, wall=wall)
    [engine] = Reader(database.location).engines()
    assert engine.lease is not None
    assert engine.lease.run == engine.run.run == second.run


@pytest.mark.skipif(not lease.this_process().birth, reason="the system does not tell births")
def test_a_killed_engine_is_followed_at_once(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    child = subprocess.run(
        [sys.executable, "-m", "tests.store.children", "start", str(tmp_path), "11"],
        check=False,
    )
    assert child.returncode == -9
    [held] = Reader(location).engines()
    assert held.lease is not None
    assert held.lease.run == 11
    begin(database)  # the same wall time: nothing has run out


def test_a_process_is_dead_only_when_that_can_be_proved() -> None:
    own = lease.this_process()
    assert not own.provably_dead
    boot, _, _ = own.birth.rpartition("/")
    if boot:  # the system tells when a process was born
        assert Process(own.host, own.pid, f"{boot}/1").provably_dead  # its number is ours now
        assert not Process(own.host, own.pid, "another boot/1").provably_dead
    assert not Process(own.host, 2**22 + 1, "").provably_dead


async def test_a_running_engine_keeps_its_account(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    async with an_engine(location, wall=wall) as engine:
        for _ in range(10):
            wall.forward_s(1)
            engine.flush()
        assert engine.writer.lease_until_ns == wall.ns + lease.EXPIRES_AFTER_NS
        with pytest.raises(Refused):
            begin(open_store(location), wall=wall)
        assert not engine.told(LeaseLate)


async def test_a_wall_clock_that_is_set_back_does_not_stop_the_renewals(tmp_path: Path) -> None:
    wall = Wall()
    async with an_engine(a_location(tmp_path), wall=wall) as engine:
        engine.flush()
        wall.forward_s(-3600)
        engine.flush()
        assert engine.writer.lease_until_ns == wall.ns + lease.EXPIRES_AFTER_NS


async def test_a_late_renewal_is_told(tmp_path: Path) -> None:
    wall = Wall()
    async with an_engine(a_location(tmp_path), wall=wall) as engine:
        engine.flush()
        wall.forward_s(7)
        late = await engine.hears(LeaseLate)
        assert late.late_ns == 2 * 10**9
        engine.writer.recheck()
        assert (await engine.hears(Standing)).may_trade


async def test_a_stolen_lease_is_told_and_not_taken_back(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    ours, theirs = Wall(), Wall()
    async with an_engine(location, wall=ours) as engine:
        engine.flush()
        theirs.forward_s(6)
        thief = begin(open_store(location), wall=theirs)
        ours.forward_s(6)
        assert (await engine.hears(LeaseLost)).holder == thief.run
        assert engine.writer.lease_until_ns == 0
        ours.forward_s(2)
        engine.writer.recheck()
        assert not (await engine.hears(Standing)).may_trade
    [row] = Reader(location).engines()
    assert row.lease is not None
    assert row.lease.run == thief.run


async def test_an_engine_that_stops_leaves_its_account_and_its_exit_code(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as first:
        pass
    [run] = Reader(location).runs()
    assert (run.run, run.exit_code, run.stopped_ns) == (first.run, 0, first.wall.ns)
    async with an_engine(location):
        pass
