"""The writer thread: what is accepted is written, and what stands in its way is said."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from mmbot.core.inventory import Pnl
from mmbot.core.labels import SEQUENCES_MAX
from mmbot.core.order_life import Status
from mmbot.core.statements import Equity
from mmbot.core.types import Label
from mmbot.core.why import Why
from mmbot.store import commands, runs
from mmbot.store.database import open_existing, open_store
from mmbot.store.housekeeping import KEEP_AUDIT_NS, KEEP_NS, PORTION_ROWS
from mmbot.store.latch import Kept
from mmbot.store.locations import Location
from mmbot.store.queries import Reader
from mmbot.store.records import (
    AccountKey,
    Audited,
    Command,
    CommandKind,
    EquitySampled,
    LabelsGranted,
    PnlSampled,
    StatusPublished,
    StoreFailing,
    StoreWorking,
)
from tests.builders import NOW_NS
from tests.store import desk
from tests.store.desk import (
    ACCOUNT_KEY,
    Wall,
    a_draft,
    a_note,
    a_record,
    an_engine,
    booked,
    until,
)

DAY_NS = 86_400 * 10**9


def a_location(folder: Path) -> Location:
    """Where locks take milliseconds."""
    return replace(desk.a_location(folder), busy_s=0.02)


# --- labels -----------------------------------------------------------------------------------


async def test_labels_are_on_the_disk_when_they_are_granted(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        assert engine.started.labels_upto == runs.LABEL_BLOCK
        engine.writer.reserve()
        granted = await engine.hears(LabelsGranted)
        assert granted.upto == 2 * runs.LABEL_BLOCK
        assert Reader(location).labels_upto(engine.run) == granted.upto
        engine.writer.reserve(10)
        engine.writer.reserve(10)
        assert (await engine.hears(LabelsGranted, times=3)).upto == 2 * runs.LABEL_BLOCK + 20


async def test_labels_end_where_their_numbers_end(tmp_path: Path) -> None:
    async with an_engine(a_location(tmp_path)) as engine:
        engine.writer.reserve(SEQUENCES_MAX)
        assert (await engine.hears(LabelsGranted)).upto == SEQUENCES_MAX
        engine.writer.reserve()
        assert (await engine.hears(LabelsGranted, times=2)).upto == SEQUENCES_MAX


def test_a_run_number_is_never_used_twice_on_a_store(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    numbers = iter([5, 5, 5, 8])
    for account_key in (ACCOUNT_KEY, AccountKey(ACCOUNT_KEY.mode, "derive", "sim-2")):
        started = runs.start_run(database, a_draft(account_key), lambda: next(numbers), 1)
    assert started.run == 8
    assert Reader(database.location).used_run_numbers() == {5, 8}


# --- orders -----------------------------------------------------------------------------------


async def test_of_an_order_the_newest_state_is_kept(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    async with an_engine(location, wall=wall) as engine:
        for tick in range(20):
            engine.writer.put(a_note(price=Decimal("0.0200") + Decimal("0.0001") * tick))
        engine.flush()
        [row] = Reader(location).open_orders()
        assert (row.price, row.run, row.status) == (Decimal("0.0219"), engine.run, "LIVE")
        engine.writer.put(a_note(status=Status.DONE, filled=Decimal(1)))
        engine.flush()
    reader = Reader(location)
    assert reader.open_orders() == []
    done = reader.order(Label("mm1-0"))
    assert done is not None
    assert (done.final, done.filled, done.why) == (True, Decimal(1), "QUOTED")


async def test_an_amended_order_is_written_once_a_second(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    reader_price = Decimal("0.0200")
    async with an_engine(location, wall=wall) as engine:
        engine.writer.put(a_note())
        engine.flush()
        engine.writer.put(a_note(price=Decimal("0.0201")))
        engine.writer.put(a_note("mm1-1"))
        # The new order is written in the next cycle, the amended one of the same cycle is not.
        await until(lambda: len(Reader(location).open_orders()) == 2)
        assert Reader(location).open_orders()[0].price == reader_price
        wall.forward_s(1)
        await until(lambda: Reader(location).open_orders()[0].price == Decimal("0.0201"))


async def test_a_finished_order_is_written_without_waiting(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(a_note())
        engine.flush()
        engine.writer.put(a_note(status=Status.DONE))
        await until(lambda: Reader(location).open_orders() == [])


# --- the rest ---------------------------------------------------------------------------------


async def test_status_samples_and_the_trail_are_written(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    pnl = Pnl(*map(Decimal, ("1", "2", "-0.5", "0.25", "0.75", "0.0003")))
    async with an_engine(location) as engine:
        for at_ns in (NOW_NS, NOW_NS + 1):
            engine.writer.put(
                StatusPublished({"fair": Decimal("0.0130"), "why": Why.QUOTED}, at_ns)
            )
        engine.writer.put(EquitySampled(Equity("ETH", Decimal("10.0001"), Decimal(10)), NOW_NS))
        engine.writer.put(PnlSampled("ETH", pnl, NOW_NS))
        engine.writer.put(Audited("set", {"spread": Decimal("0.1")}, NOW_NS))
        engine.flush()
        [row] = Reader(location).engines()
        assert (row.status, row.status_ns) == ({"fair": "0.0130", "why": "quoting"}, NOW_NS + 1)
    reader = Reader(location)
    [equity] = reader.equity()
    assert (equity.equity, equity.at_ns) == (Equity("ETH", Decimal("10.0001"), Decimal(10)), NOW_NS)
    assert [row.pnl for row in reader.pnl()] == [pnl]
    assert [(row.kind, row.body, row.run) for row in reader.audit()] == [
        ("set", {"spread": "0.1"}, engine.run)
    ]


async def test_a_command_reaches_its_engine_exactly_once(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    other = AccountKey(ACCOUNT_KEY.mode, "deribit", "sim-2")
    async with an_engine(location) as engine, an_engine(location, other) as bystander:
        database = open_existing(location, read_only=False)
        for spread in ("1", "2", "3"):
            commands.send(database, engine.run, CommandKind.SIZE, {"spread": spread}, 9)
        await engine.hears(Command, times=3)
        commands.send(database, bystander.run, CommandKind.PAUSE, {}, 10)
        await bystander.hears(Command)
        assert Reader(location).waiting_commands() == []
        engine.flush()
    assert [(c.kind, c.arguments) for c in engine.told(Command)] == [
        (CommandKind.SIZE, {"spread": spread}) for spread in ("1", "2", "3")
    ]
    assert [c.kind for c in bystander.told(Command)] == [CommandKind.PAUSE]


async def test_a_command_to_an_engine_that_is_gone_waits_unheard(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as first:
        pass
    commands.send(open_existing(location, read_only=False), first.run, CommandKind.STOP, {}, 9)
    async with an_engine(location) as second:
        second.flush()
    assert second.told(Command) == []
    [waiting] = Reader(location).waiting_commands()
    assert (waiting.run, waiting.command.kind) == (first.run, CommandKind.STOP)


async def test_what_is_old_is_forgotten_and_money_never(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    async with an_engine(location, wall=wall) as engine:
        for number in range(PORTION_ROWS + 10):
            engine.writer.put(a_note(f"mm1-{number}", status=Status.DONE))
        engine.writer.put(a_note("mm2-0"))
        engine.writer.put(a_record(1))
        engine.writer.put(EquitySampled(Equity("ETH", Decimal(1)), wall.ns))
        engine.flush()
        wall.forward_s((KEEP_NS + DAY_NS) / 10**9)
        await until(lambda: Reader(location).order(Label(f"mm1-{PORTION_ROWS + 9}")) is None)
        await until(lambda: Reader(location).order(Label("mm1-0")) is None)
    reader = Reader(location)
    assert [row.label for row in reader.open_orders()] == ["mm2-0"]
    assert booked(location) == {"t1"}
    assert list(reader.equity()) == []


async def test_the_audit_trail_lasts_a_year(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    async with an_engine(location, wall=wall) as engine:
        engine.writer.put(Audited("tripped", {}, wall.ns))
        engine.flush()
        wall.forward_s((KEEP_NS + DAY_NS) / 10**9)
        engine.writer.put(Audited("control", {}, wall.ns))
        engine.flush()
        assert [row.kind for row in Reader(location).audit()] == ["tripped", "control"]
        wall.forward_s((KEEP_AUDIT_NS - KEEP_NS) / 10**9)
        await until(lambda: [row.kind for row in Reader(location).audit()] == ["control"])


# --- trouble ----------------------------------------------------------------------------------


async def test_the_queue_is_bounded_and_keeps_room_for_fills(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, capacity=100) as engine:
        with locked(location.path):
            accepted = [engine.writer.put(a_record(number)) for number in range(100)]
            assert all(accepted)
            assert engine.writer.full
            assert engine.writer.unwritten == 100
            assert not engine.writer.put(a_record(100))
        engine.flush()
        assert not engine.writer.full
        assert engine.writer.put(a_record(100))
    assert booked(location) == {f"t{number}" for number in range(101)}


async def test_full_comes_before_the_end_of_the_queue(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, capacity=100) as engine:
        with locked(location.path):
            for number in range(79):
                engine.writer.put(a_record(number))
            assert not engine.writer.full
            engine.writer.put(a_record(79))
            assert engine.writer.full


async def test_a_locked_store_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.flush()
        with locked(location.path):
            engine.writer.put(a_record(1))
            engine.writer.reserve()
            failing = await engine.hears(StoreFailing)
            assert failing.reason == engine.writer.problem
            assert "sim.db: another program keeps it locked" in failing.reason
            assert not engine.writer.flush(0.05)
            assert not engine.told(LabelsGranted)
        await engine.hears(StoreWorking)
        await engine.hears(LabelsGranted)
        engine.flush()
        assert engine.writer.problem is None
    assert booked(location) == {"t1"}
    assert len(engine.told(StoreFailing)) == 1


async def test_a_full_disk_is_said_and_what_waited_is_written_when_there_is_room(
    tmp_path: Path,
) -> None:
    location = a_location(tmp_path)
    with pages_at_most(60) as limit:
        async with an_engine(location) as engine:
            for number in range(2000):
                engine.writer.put(a_record(number))
            failing = await engine.hears(StoreFailing)
            assert failing.reason == f"{location.name}: the disk is full: free some space"
            assert len(booked(location)) < 2000
            assert engine.writer.unwritten > 0
            limit[0] = 100_000
            engine.flush()
            assert engine.writer.problem is None
    assert len(booked(location)) == 2000
    [position] = Reader(location).positions()
    assert position.amount == position.fills == 2000


async def test_on_a_disk_that_is_really_full_the_latch_still_holds(tmp_path: Path) -> None:
    with a_small_disk(tmp_path / "disk") as folder:
        location = a_location(folder)
        async with an_engine(location) as engine:
            engine.flush()
            filler = folder / "filler"
            fill_up(filler)
            engine.writer.put(a_record(1))
            assert "the disk is full" in (await engine.hears(StoreFailing)).reason
            assert engine.writer.trip(Why.INTERNAL_ERROR, "disk full", "engine") is Kept.FILE
            assert location.latch_file.exists()
            filler.unlink()
            await engine.hears(StoreWorking)
            engine.flush()
        assert booked(location) == {"t1"}


async def test_closing_in_vain_says_what_is_lost(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        with locked(location.path):
            engine.writer.put(a_record(1))
            closed = await asyncio.to_thread(engine.writer.close, 0, 0.2)
            assert not closed
            assert engine.writer.unwritten == 1
            assert "locked" in str(engine.writer.problem)


async def test_a_bug_in_a_record_is_said_and_stops_nothing_silently(tmp_path: Path) -> None:
    async with an_engine(a_location(tmp_path)) as engine:
        engine.writer.put(a_record(1, mark=Decimal("NaN")))
        assert "not a number one can own" in (await engine.hears(StoreFailing)).reason
        assert engine.writer.unwritten == 1
        await asyncio.to_thread(engine.writer.close, 70, 0.05)


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Somebody else is writing and does not stop."""
    assert path is not None
    other = sqlite3.connect(path, isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@contextmanager
def pages_at_most(pages: int) -> Iterator[list[int]]:
    """SQLite finds the disk full beyond so many pages; put a larger number in to make room."""
    limit = [pages]

    def bound(driver: sqlite3.Connection, record: object) -> None:
        driver.execute(f"PRAGMA max_page_count={limit[0]}")

    event.listen(SqlEngine, "connect", bound)
    try:
        yield limit
    finally:
        event.remove(SqlEngine, "connect", bound)


@contextmanager
def a_small_disk(folder: Path) -> Iterator[Path]:
    """A megabyte, mounted on `folder`."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only the superuser can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(path: Path) -> None:
    """Leave no byte free."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
