"""A store written by an earlier version, taken forward with all it holds.

fixtures/version-3.sqlite was written by commit 742c7e6: a run that ended, one that was killed, and
a kill switch that was tripped on another account.
"""

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.types import InstrumentId, Label
from mmbot.core.why import Why
from mmbot.errors import Refused, StoreError
from mmbot.store.database import open_store
from mmbot.store.locations import HOME_VARIABLE, Location, locate
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.store.desk import ACCOUNT_KEY, BOTH, Wall, a_note, a_record, an_engine, begin

OLD = Path(__file__).parent / "fixtures" / "version-3.sqlite"
TRIPPED = AccountKey(Mode.SIM, "deribit", "sim-9")


@pytest.fixture
def location(tmp_path: Path) -> Location:
    """The old store, where a simulated desk looks for its own."""
    shutil.copy(OLD, tmp_path / "sim.db")
    return locate(Mode.SIM, {HOME_VARIABLE: str(tmp_path)})


def rows(path: Path) -> dict[str, list[dict[str, object]]]:
    """Every row of every table, by the names of the columns, but for the number of the version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: sorted(map(dict, connection.execute(f"SELECT * FROM {name}")), key=in_order)
            for (name,) in names.fetchall()
            if name != "mmbot_schema"
        }


def in_order(row: dict[str, object]) -> str:
    """Sort key that does not depend on the order of the columns."""
    return repr(sorted(row.items()))


def test_not_a_row_is_changed_and_its_runs_have_their_account(location: Location) -> None:
    assert location.path is not None
    before = rows(location.path)
    assert len(before["fills"]) == 4
    open_store(location)
    after = rows(location.path)
    accounts = after.pop("run_accounts")
    for fill in after["fills"]:
        assert (fill.pop("finality"), fill.pop("reverses")) == ("final", None)
    assert after.pop("order_ids") == []
    assert after == before
    assert [tuple(row.values()) for row in accounts] == [
        (1, 0, "sim", "deribit", "sim-1", "deribit", "http://127.0.0.1:1"),
        (2, 0, "sim", "deribit", "sim-1", "deribit", "http://127.0.0.1:1"),
        (9, 0, "sim", "deribit", "sim-9", "deribit", "http://127.0.0.1:1"),
    ]


def test_it_is_only_read_once_it_was_brought_up_to_date(location: Location) -> None:
    with pytest.raises(StoreError, match="start `mmbot quote` on it once"):
        Reader(location)


def test_everything_is_read_out_of_it_as_it_was_put_in(location: Location) -> None:
    open_store(location)
    reader = Reader(location)
    assert [(run.run, run.exit_code, run.account_keys) for run in reader.runs()] == [
        (1, 0, (ACCOUNT_KEY,)),
        (9, None, (TRIPPED,)),
        (2, None, (ACCOUNT_KEY,)),
    ]
    mine = (ACCOUNT_KEY.venue, ACCOUNT_KEY.account)
    assert reader.executions(*mine) == {"t1 buy", "t2 sell", "t3 buy", "t4 buy"}
    assert [(row.fill.trade_id, row.run, row.ours) for row in reader.fills()] == [
        ("t1", 1, True),
        ("t2", 1, True),
        ("t3", 1, False),
        ("t4", 2, True),
    ]
    option, perpetual = an_option().id, a_perpetual().id
    held = {row.instrument: row for row in reader.positions(*mine)}
    # 3 taken over, then +1 -2 +5; the fee is 0.0003, the funding 0.0005.
    assert (held[option].amount, held[option].opening, held[option].fees) == (
        Decimal(7),
        Decimal(3),
        Decimal("0.0003"),
    )
    assert (held[perpetual].amount, held[perpetual].funding) == (Decimal(1000), Decimal("0.0005"))
    assert reader.flow_keys(*mine) == ["funding f1", "transfer t1"]
    [order] = reader.open_orders(*mine)
    assert (order.amount, order.price) == (Decimal(4), Decimal("0.0190"))
    assert order.label == "mm2-0"
    assert reader.booked_by(*mine, [Label("mm1-4")]) == {"mm1-4": 5}
    assert set(reader.instruments()) == {option, perpetual}
    kept = reader.baseline(*mine)
    assert kept is not None
    assert (kept.baseline.day_start_usd, kept.baseline.peak_usd, kept.baseline.total_usd) == (
        12.5,
        20.0,
        17.25,
    )
    assert kept.baseline.counted == {option: Decimal("0.0061")}
    assert [row.equity.equity for row in reader.equity()] == [Decimal("10.0001")]
    assert [(row.instrument, row.mark) for row in reader.marks()] == [(option, Decimal("0.0210"))]
    assert [row.pnl.total for row in reader.pnl()] == [1]
    assert [(row.run, row.kind, row.body) for row in reader.audit()] == [
        (2, "set", {"spread": "0.1"})
    ]
    [waiting] = reader.waiting_commands()
    assert (waiting.run, waiting.command.kind.value) == (2, "pause")
    assert [state.tripped for state in reader.latch_history(ACCOUNT_KEY)] == [True, False]
    tripped = reader.latch(TRIPPED)
    assert tripped is not None
    assert (tripped.tripped, tripped.why, tripped.detail) == (True, Why.MAX_POSITION, "too much")
    killed = {row.run.run: row for row in reader.engines()}[2]
    assert killed.lease is not None
    assert (killed.lease.run, killed.status, killed.emptied_ns) == (2, {"doing": "running"}, None)


async def test_it_is_gone_on_with_by_one_account_and_by_two(location: Location) -> None:
    wall = Wall(NOW_NS + 3600 * 10**9)
    with pytest.raises(Refused, match=r"kill switch of sim-9 on deribit .*too much"):
        begin(open_store(location), TRIPPED, wall)
    async with an_engine(location, wall=wall) as engine:
        engine.writer.put(a_record(4, price="0.0210", amount=5))  # again, and booked already
        engine.writer.put(a_record(5, amount=1))
        engine.writer.put(a_note("mm2-0"))
    wall.forward_s(10)
    async with an_engine(location, BOTH, wall=wall) as engine:
        other = an_option(venue="hedge", id=InstrumentId("hedge:ETH-6JUN25-2800-C"))
        engine.writer.put(a_record(5, amount=2, instrument=other))
    reader = Reader(location)
    held = {(row.venue, row.account, row.instrument): row.amount for row in reader.positions()}
    assert held[("deribit", "sim-1", an_option().id)] == 8
    assert held[("hedge", "sim-2", other.id)] == 2
    assert [row.run.account_keys for row in reader.engines()] == [BOTH, (TRIPPED,)]
