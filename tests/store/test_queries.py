"""What people and restarting engines read."""

from pathlib import Path

import pytest
from sqlalchemy import select

from mmbot.core.types import MS
from mmbot.store import schema
from mmbot.store.database import open_store
from mmbot.store.queries import FillFilter, Reader
from mmbot.store.records import AccountKey, StatusPublished
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.store.desk import (
    ACCOUNT_KEY,
    Wall,
    a_location,
    a_note,
    a_record,
    an_engine,
    begin,
)

NOW_MS = NOW_NS // MS

# Trade number n happens n seconds after NOW.


async def a_desk_with_a_past(folder: Path) -> tuple[Reader, int, int]:
    """Two runs on one account: trades 1 to 3 in the first, 4 and 5 in the second; the even ones
    on the perpetual."""
    location, numbers = a_location(folder), []
    for trades in ((3, 1, 2), (5, 4)):
        async with an_engine(location) as engine:
            for number in trades:
                instrument = a_perpetual() if number % 2 == 0 else an_option()
                engine.writer.put(
                    a_record(number, price="2000", mark="2000", instrument=instrument)
                )
            engine.writer.put(a_note(f"mm{engine.run}-0"))
        numbers.append(engine.run)
    return Reader(location), numbers[0], numbers[1]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (FillFilter(), [1, 2, 3, 4, 5]),
        (FillFilter(since_ms=NOW_MS + 2000), [2, 3, 4, 5]),
        (FillFilter(until_ms=NOW_MS + 2000), [1]),
        (FillFilter(since_ms=NOW_MS + 2000, until_ms=NOW_MS + 4000), [2, 3]),
        (FillFilter(instrument="ETH-PERPETUAL"), [2, 4]),
        (FillFilter(instrument="deribit:ETH-PERPETUAL"), [2, 4]),
        (FillFilter(instrument="ETH"), []),
        (FillFilter(venue="deribit", account=ACCOUNT_KEY.account), [1, 2, 3, 4, 5]),
        (FillFilter(venue="derive"), []),
        (FillFilter(account="sim-2"), []),
    ],
)
async def test_fills_come_in_the_order_of_the_venue_and_filtered(
    tmp_path: Path, wanted: FillFilter, numbers: list[int]
) -> None:
    reader, _, _ = await a_desk_with_a_past(tmp_path)
    assert [row.fill.trade_id for row in reader.fills(wanted)] == [f"t{n}" for n in numbers]


async def test_fills_of_one_run(tmp_path: Path) -> None:
    reader, first, second = await a_desk_with_a_past(tmp_path)
    runs = [
        {row.fill.trade_id for row in reader.fills(FillFilter(run=run))} for run in (first, second)
    ]
    assert runs == [{"t1", "t2", "t3"}, {"t4", "t5"}]


async def test_what_a_restarting_engine_needs(tmp_path: Path) -> None:
    reader, first, second = await a_desk_with_a_past(tmp_path)
    booked = {key.split()[0] for key in reader.executions("deribit", ACCOUNT_KEY.account)}
    assert booked == {"t1", "t2", "t3", "t4", "t5"}
    late = {
        key.split()[0] for key in reader.executions("deribit", ACCOUNT_KEY.account, NOW_MS + 4000)
    }
    assert late == {"t4", "t5"}
    assert reader.executions("deribit", "sim-2") == frozenset()
    assert {order.run for order in reader.open_orders("deribit", ACCOUNT_KEY.account)} == {
        first,
        second,
    }
    assert reader.open_orders("deribit", "sim-2") == []
    positions = {p.instrument: p.amount for p in reader.positions("deribit", ACCOUNT_KEY.account)}
    assert positions == {a_perpetual().id: 2, an_option().id: 3}
    assert reader.used_run_numbers() == {first, second}


async def test_an_engine_is_the_newest_run_of_its_account(tmp_path: Path) -> None:
    reader, first, second = await a_desk_with_a_past(tmp_path)
    async with an_engine(
        reader.location, AccountKey(ACCOUNT_KEY.mode, "deribit", "sim-2")
    ) as other:
        rows = reader.engines()
        assert [(row.run.run, row.lease is not None) for row in rows] == [
            (second, False),
            (other.run, True),
        ]
    run = reader.runs()[0]
    assert run.run == first
    assert (run.endpoint, run.config_path, run.env_path) == (
        "http://127.0.0.1:1",
        "desk.toml",
        ".env",
    )
    assert (run.exit_code, run.account_key) == (0, ACCOUNT_KEY)


async def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(a_record(1))
        engine.flush()
        rows = Reader(location).fills()
        next(rows)  # a reader in the middle of its answer ...
        engine.writer.put(a_record(2))
        engine.flush()  # ... holds nobody up
        assert list(rows) == []  # and sees the moment it began with


async def test_when_the_run_before_was_last_seen(tmp_path: Path) -> None:
    reader, first, second = await a_desk_with_a_past(tmp_path)
    stopped = {run.run: run.stopped_ns for run in reader.runs()}
    assert reader.earlier(ACCOUNT_KEY, besides=second).sign_ns == stopped[first]
    assert reader.earlier(ACCOUNT_KEY, besides=0).sign_ns == stopped[second]
    assert (
        reader.earlier(AccountKey(ACCOUNT_KEY.mode, "deribit", "sim-2"), besides=0).sign_ns is None
    )


async def test_a_killed_run_was_last_seen_when_it_last_spoke(tmp_path: Path) -> None:
    location, later = a_location(tmp_path), Wall(NOW_NS + 100 * 10**9)
    async with an_engine(location) as engine:
        engine.writer.put(StatusPublished({}, NOW_NS + 90 * 10**9))
        engine.flush()
        after = begin(open_store(location), wall=later)
        earlier = Reader(location).earlier(ACCOUNT_KEY, besides=after.run)
        assert earlier.sign_ns == earlier.unproved_ns == NOW_NS + 90 * 10**9
        [row] = Reader(location).engines()
        assert (row.run.run, row.status) == (after.run, None)
    begin(open_store(location), wall=Wall(later.ns + 10**10))
    with open_store(location).transaction() as connection:
        assert list(connection.scalars(select(schema.engine_status.c.run))) == []


async def test_when_a_run_that_proved_nothing_was_last_seen(tmp_path: Path) -> None:
    reader, _, second = await a_desk_with_a_past(tmp_path)
    assert reader.earlier(ACCOUNT_KEY, besides=0).unproved_ns is None  # both left with the proof
    async with an_engine(reader.location) as engine:
        mine = engine.run
        assert reader.earlier(ACCOUNT_KEY, besides=mine).unproved_ns is None
        [run] = [run for run in reader.runs() if run.run == mine]
        assert reader.earlier(ACCOUNT_KEY, besides=second).unproved_ns == run.started_ns
    assert (
        reader.earlier(AccountKey(ACCOUNT_KEY.mode, "deribit", "sim-2"), besides=0).unproved_ns
        is None
    )
