"""What reports need from the store: it is kept, read again, forgotten in time, and migrated to."""

from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from mmbot.core.statements import Equity, Flow, FlowKind
from mmbot.core.types import MS
from mmbot.store import housekeeping, migrations
from mmbot.store.database import open_store
from mmbot.store.queries import Reader
from mmbot.store.records import EquitySampled, FlowBooked, MarkSampled
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.store.desk import ACCOUNT_KEY, a_location, a_note, a_record, an_engine, booked

A_MARK = MarkSampled(
    an_option().id, NOW_NS // MS, Decimal("0.0210"), Decimal("2850.5"), Decimal("-0.1"), NOW_NS
)


async def test_marks_come_back_as_they_were(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(A_MARK)
        engine.writer.put(EquitySampled(Equity("ETH", Decimal(5)), NOW_NS, 123))
    (row,) = Reader(location).marks()
    assert (row.venue, row.account, row.run) == (ACCOUNT_KEY.venue, ACCOUNT_KEY.account, engine.run)
    assert (row.instrument, row.desk_ms, row.mark, row.index, row.accrued) == (
        A_MARK.instrument,
        A_MARK.desk_ms,
        A_MARK.mark,
        A_MARK.index,
        A_MARK.accrued,
    )
    (equity,) = Reader(location).equity()
    assert equity.desk_ms == 123


async def test_marks_are_forgotten_after_a_month(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(A_MARK)
    database = open_store(location)
    for age_ns, left in ((housekeeping.KEEP_NS, 1), (housekeeping.KEEP_NS + 1, 0)):
        with database.transaction() as connection:
            housekeeping.forget(connection, NOW_NS + age_ns)
        assert len(list(Reader(location).marks())) == left


async def test_the_terms_of_everything_booked_are_kept_once(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(a_record(1))
        engine.writer.put(a_record(2, instrument=a_perpetual(), price="2000", mark="2000"))
        engine.flush()
        engine.writer.put(a_record(3))
    kept = Reader(location).instruments()
    assert kept == {one.id: one for one in (an_option(), a_perpetual())}


async def test_orders_that_reached_the_venue_are_counted(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(a_note("mm1-1", order_id="a", venue_ms=86_400_000 * 3 + 5))
        engine.writer.put(a_note("mm1-2", order_id="b", venue_ms=86_400_000 * 3 + 9))
        engine.writer.put(a_note("mm1-3", order_id=""))
    (count,) = Reader(location).order_counts()
    assert (count.instrument, count.day, count.orders) == (an_option().id, 3, 2)


async def test_the_index_of_a_flow_is_kept(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    flow = Flow(
        ref="9",
        kind=FlowKind.TRANSFER,
        instrument=None,
        currency="ETH",
        money=Decimal(1),
        venue_ms=1,
        index=Decimal("2850.25"),
    )
    async with an_engine(location) as engine:
        engine.writer.put(FlowBooked(flow, None))
    (entry,) = Reader(location).entries()
    assert entry.index == Decimal("2850.25")


async def test_a_store_of_the_first_version_is_taken_forward(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location) as engine:
        engine.writer.put(a_record(1))
    database = open_store(location)
    with database.transaction() as connection:
        for table in ("mark_samples", "instruments", "run_accounts"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text('ALTER TABLE entries DROP COLUMN "index"'))
        connection.execute(text("ALTER TABLE equity_samples DROP COLUMN desk_ms"))
        connection.execute(text("UPDATE mmbot_schema SET version = 1"))
    open_store(location)
    async with an_engine(location) as engine:
        engine.writer.put(A_MARK)
        engine.writer.put(EquitySampled(Equity("ETH", Decimal(5)), NOW_NS, 123))
        engine.writer.put(a_record(2))
    reader = Reader(location)
    assert booked(location) == {"t1", "t2"}
    assert len(list(reader.marks())) == len(list(reader.equity())) == len(reader.instruments()) == 1
    with database.transaction() as connection:
        assert migrations.read_version(connection) == migrations.newest()
