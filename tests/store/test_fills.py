"""Fills are booked once for ever, together with what they do to the position."""

import itertools
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Position
from mmbot.core.statements import Flow, FlowKind
from mmbot.core.types import MS, Side
from mmbot.store import booking
from mmbot.store.database import Database, open_store
from mmbot.store.queries import FillFilter, Reader
from mmbot.store.records import AccountKey, FillBooked, FlowBooked, Money, PositionOpened
from tests.builders import NOW_NS, a_linear_perpetual, a_perpetual, an_option
from tests.store.desk import ACCOUNT_KEY, a_location, a_record, an_engine, begin

MARK = Decimal("2000")
LINEAR = a_linear_perpetual()
_accounts = itertools.count()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return open_store(a_location(tmp_path_factory.mktemp("fills")))


def trades() -> st.SearchStrategy[list[FillBooked]]:
    """Different trades on one instrument whose worth is exact in Decimal."""
    one = st.tuples(
        st.sampled_from(Side),
        st.integers(190_000, 210_000).map(lambda cents: Decimal(cents) / 100),
        st.integers(1, 500).map(lambda lots: Decimal(lots) / 100),
        st.integers(-50, 50).map(lambda fee: Decimal(fee) / 1000),
        st.integers(190_000, 210_000).map(lambda cents: Decimal(cents) / 100),
    )
    return st.lists(one, min_size=1, max_size=8).map(
        lambda many: [
            a_record(
                number, side=side, price=price, amount=amount, fee=fee, mark=mark, instrument=LINEAR
            )
            for number, (side, price, amount, fee, mark) in enumerate(many)
        ]
    )


@given(trades(), st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_replays_in_any_order_and_number_change_nothing(
    database: Database, records: list[FillBooked], data: st.DataObject
) -> None:
    account_key = AccountKey(Mode.SIM, "deribit", f"account-{next(_accounts)}")
    run = begin(database, account_key).run
    times = data.draw(st.integers(1, 3))
    stream = data.draw(st.permutations(records * times))
    cut = data.draw(st.integers(0, len(stream)))
    for batch in (stream[:cut], stream[cut:]):
        with database.transaction() as connection:
            booking.book(connection, account_key, run, batch, NOW_NS)

    reader = Reader(database.location)
    rows = list(reader.fills(FillFilter(account=account_key.account)))
    assert [row.fill for row in rows] == [replace(r.fill, mark=r.mark) for r in records]
    [position] = reader.positions(account=account_key.account)
    # By hand: worth is linear, so everything is a sum over the trades.
    signed = [(r.fill.amount * r.fill.side.sign, r) for r in records]
    amount = sum(q for q, _ in signed)
    fees = sum(r.fill.fee for r in records)
    cash = -sum(q * r.fill.price for q, r in signed) - fees
    spread = sum(q * (r.mark - r.fill.price) for q, r in signed)
    assert position.amount == amount
    assert position.fees == fees
    assert position.cash == cash
    assert position.spread == spread
    assert position.volume == sum(r.fill.amount for r in records)
    assert position.fills == len(records)
    profit = position.restore(LINEAR).pnl(MARK)
    assert profit.total == cash + amount * MARK
    assert profit.inventory == profit.total - spread + fees


def test_the_accounting_continues_after_a_restart_as_if_there_had_been_none(
    database: Database,
) -> None:
    account_key = AccountKey(Mode.SIM, "deribit", "restarted")
    perpetual = a_perpetual()
    first: list[Money] = [
        PositionOpened(perpetual, Decimal(3000), Decimal(2500), 1),
        a_record(1, price="2000", amount=1000, mark="2100", fee="0.001", instrument=perpetual),
        a_record(2, side=Side.SELL, price="2050", amount=7000, mark="2040", instrument=perpetual),
    ]
    second: list[Money] = [a_record(3, price="1999", amount=300, mark="2001", instrument=perpetual)]
    run = begin(database, account_key).run
    for session in (first, second):
        with database.transaction() as connection:
            booking.book(connection, account_key, run, session, NOW_NS)

    expected = Position(perpetual)
    expected.open_with(Decimal(3000), Decimal(2500))
    expected.opened_ms = 1
    for record in (*first[1:], *second):
        assert isinstance(record, FillBooked)
        expected.book(record.fill, record.mark)
    [row] = Reader(database.location).positions(account="restarted")
    assert row.restore(perpetual) == expected
    assert row.opened_ms == 1


def test_an_opening_is_booked_once_per_instrument(database: Database) -> None:
    account_key = AccountKey(Mode.SIM, "deribit", "opened-twice")
    run = begin(database, account_key).run
    for amount in (5, 7):
        with database.transaction() as connection:
            opening = PositionOpened(an_option(), Decimal(amount), Decimal("0.02"), amount)
            booking.book(connection, account_key, run, [opening], NOW_NS)
    [row] = Reader(database.location).positions(account="opened-twice")
    assert (row.amount, row.opening, row.opened_ms) == (Decimal(5), Decimal(5), 5)


def test_what_moves_money_without_a_trade_is_booked_once(database: Database) -> None:
    # Long 2 calls bought at 0.0200; funding of 0.003 comes in; the calls are delivered at 0.0500
    # for a fee of 0.001: cash = -2 x 0.0200 + 0.003 + 2 x 0.0500 - 0.001 = 0.062.
    account_key = AccountKey(Mode.SIM, "deribit", "flows")
    run, call = begin(database, account_key).run, an_option()
    records: list[Money] = [
        a_record(1, amount=2, mark="0.0200"),
        FlowBooked(a_flow("f1", FlowKind.FUNDING, call, money="0.003"), call),
        FlowBooked(a_flow("d1", FlowKind.DELIVERY, call, price="0.0500", fee="0.001"), call),
        FlowBooked(a_flow("f1", FlowKind.TRANSFER, None, money="5"), None),
    ]
    for _ in range(2):
        for record in records:
            with database.transaction() as connection:
                booking.book(connection, account_key, run, [record], NOW_NS)
    reader = Reader(database.location)
    [position] = reader.positions(account="flows")
    assert (position.amount, position.cash) == (Decimal(0), Decimal("0.062"))
    assert (position.funding, position.fees) == (Decimal("0.003"), Decimal("0.001"))
    entries = reader.entries(account="flows")
    assert [(row.kind, row.ref, row.amount, row.price, row.money) for row in entries] == [
        ("funding", "f1", Decimal(0), None, Decimal("0.003")),
        ("delivery", "d1", Decimal(2), Decimal("0.0500"), Decimal(0)),
        ("transfer", "f1", Decimal(0), None, Decimal(5)),
    ]
    assert reader.flow_keys("deribit", "flows") == ["funding f1", "delivery d1", "transfer f1"]


def test_the_same_trade_id_on_another_account_is_another_trade(database: Database) -> None:
    for account in ("one", "two"):
        account_key = AccountKey(Mode.SIM, "deribit", account)
        run = begin(database, account_key).run
        with database.transaction() as connection:
            booking.book(connection, account_key, run, [a_record(1)], NOW_NS)
    reader = Reader(database.location)
    assert len(reader.executions("deribit", "one")) == 1
    assert reader.executions("deribit", "one") == reader.executions("deribit", "two")


def test_nothing_of_the_accounting_is_left_out() -> None:
    kept = {field.name for field in fields(booking.PositionRow)}
    assert {field.name for field in fields(Position)} - kept == {
        "opened",  # kept as opened_ms
        "accrued",  # the venue states it anew with every snapshot
    }


async def test_a_fill_keeps_every_field(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    fill = replace(a_record(1, fee="-0.0003").fill, index=Decimal("2850.12"), label=None)
    async with an_engine(location) as engine:
        engine.writer.put(FillBooked(fill, an_option(), Decimal("0.0210"), ours=False))
        engine.flush()
    [row] = Reader(location).fills()
    assert row.fill == replace(fill, mark=Decimal("0.0210"))
    assert (row.venue, row.account, row.run, row.ours) == (
        ACCOUNT_KEY.venue,
        ACCOUNT_KEY.account,
        engine.run,
        False,
    )


def a_flow(
    ref: str,
    kind: FlowKind,
    instrument: Instrument | None,
    *,
    money: str = "0",
    price: str | None = None,
    fee: str = "0",
) -> Flow:
    return Flow(
        ref=ref,
        kind=kind,
        instrument=None if instrument is None else instrument.id,
        currency="ETH",
        money=Decimal(money),
        venue_ms=NOW_NS // MS,
        price=None if price is None else Decimal(price),
        fee=Decimal(fee),
    )
