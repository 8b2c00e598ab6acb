"""A run of several accounts: all leases or none, any latch trips it, each account has its own."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Pnl
from mmbot.core.labels import base36
from mmbot.core.profit import Baseline
from mmbot.core.statements import Equity, Flow, FlowKind
from mmbot.core.types import MS, InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.engine.sinks import FillSink
from mmbot.errors import ExitCode, Refused
from mmbot.store import latch, lease
from mmbot.store.database import open_store
from mmbot.store.latch import Kept
from mmbot.store.queries import Reader
from mmbot.store.records import (
    AccountKey,
    BaselineKept,
    EquitySampled,
    FlowBooked,
    LatchTripped,
    LeaseLate,
    LeaseLost,
    PnlSampled,
    RunDraft,
    Standing,
)
from mmbot.store.runs import start_run
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.store.desk import (
    ACCOUNT_KEY,
    BOTH,
    HEDGE_KEY,
    Engine,
    Wall,
    a_draft,
    a_location,
    a_note,
    a_record,
    an_engine,
    begin,
)

THIRD = AccountKey(Mode.SIM, "spare", "sim-3")


def at_hedge() -> Instrument:
    """The perpetual, as the account that hedges trades it."""
    return a_perpetual(id=InstrumentId("hedge:ETH-PERPETUAL"), venue="hedge")


# --- leases and latches -----------------------------------------------------------------------


@pytest.mark.parametrize("taken", BOTH, ids=["the first", "the second"])
@pytest.mark.parametrize("wanted", [BOTH, BOTH[::-1]], ids=["in order", "reversed"])
def test_leases_are_taken_of_all_accounts_or_of_none(
    tmp_path: Path, taken: AccountKey, wanted: tuple[AccountKey, ...]
) -> None:
    database = open_store(a_location(tmp_path))
    first = begin(database, taken)
    with pytest.raises(Refused) as refused:
        begin(database, wanted)
    assert refused.value.exit_code is ExitCode.REFUSED
    assert str(refused.value).startswith(f"run {base36(first.run)} (process ")
    assert f" is trading {taken}: stop it first" in str(refused.value)
    assert "\n" not in str(refused.value)
    [other] = {*BOTH} - {taken}
    with database.transaction() as connection:
        assert lease.holder(connection, other) is None
    assert [run.run for run in Reader(database.location).runs()] == [first.run]
    begin(database, other)


def test_the_same_account_twice_is_refused(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    with pytest.raises(Refused, match="sim-1 on deribit"):
        begin(database, (ACCOUNT_KEY, ACCOUNT_KEY))


@pytest.mark.parametrize("tripped", BOTH, ids=["the first", "the second"])
def test_any_tripped_kill_switch_refuses_the_start(tmp_path: Path, tripped: AccountKey) -> None:
    location = a_location(tmp_path)
    database = open_store(location)
    latch.trip(location, [tripped], Why.MARGIN, "low", "guard", NOW_NS, limit_s=5)
    with pytest.raises(Refused) as refused:
        begin(database, BOTH)
    assert str(refused.value).startswith(f"the kill switch of {tripped} was tripped at ")
    [other] = {*BOTH} - {tripped}
    begin(database, other)


@pytest.mark.parametrize("by", ["lease", "kill switch"])
def test_an_account_is_the_same_by_whatever_name_of_its_venue(tmp_path: Path, by: str) -> None:
    database, wall = open_store(a_location(tmp_path)), Wall()
    begin(database, BOTH, wall)
    if by == "kill switch":
        wall.forward_s(6)
        latch.trip(database.location, [HEDGE_KEY], Why.USER, "", "test", wall(), limit_s=10)
    otherwise = replace(HEDGE_KEY, venue="deribit")
    with pytest.raises(Refused, match="sim-2 on hedge"):
        begin(database, otherwise, wall)
    latch.rearm(database.location, HEDGE_KEY, "looked at it", "test", wall())
    wall.forward_s(6)
    begin(database, otherwise, wall)
    begin(database, replace(HEDGE_KEY, account="sim-9"), wall)


async def test_all_leases_are_renewed_and_given_up(tmp_path: Path) -> None:
    location, wall = a_location(tmp_path), Wall()
    async with an_engine(location, BOTH, wall=wall) as engine:
        for _ in range(10):
            wall.forward_s(1)
            engine.flush()
        assert engine.writer.lease_until_ns == wall.ns + lease.EXPIRES_AFTER_NS
        for account_key in BOTH:
            with pytest.raises(Refused):
                begin(open_store(location), account_key, wall)
        assert not engine.told(LeaseLate)
    for account_key in BOTH:
        begin(open_store(location), account_key, wall)


@pytest.mark.parametrize("stolen", BOTH, ids=["the first", "the second"])
async def test_a_lost_lease_is_told_with_its_account_and_the_other_is_kept(
    tmp_path: Path, stolen: AccountKey
) -> None:
    location, ours, theirs = a_location(tmp_path), Wall(), Wall()
    async with an_engine(location, BOTH, wall=ours) as engine:
        engine.flush()
        theirs.forward_s(6)
        thief = begin(open_store(location), stolen, theirs)
        ours.forward_s(6)
        lost = await engine.hears(LeaseLost)
        assert (lost.account_key, lost.holder) == (stolen, thief.run)
        assert engine.writer.lease_until_ns == 0
        engine.writer.recheck()
        assert not (await engine.hears(Standing)).may_trade
        for _ in range(6):
            ours.forward_s(1)
            engine.flush()
        [other] = {*BOTH} - {stolen}
        with pytest.raises(Refused, match=f"run {base36(engine.run)} "):
            begin(open_store(location), other, ours)
        assert engine.writer.lease_until_ns == 0
    assert len(engine.told(LeaseLost)) == 1
    begin(open_store(location), other, ours)


async def test_an_engines_trip_is_kept_for_every_account(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, BOTH) as engine:
        kept = await asyncio.to_thread(engine.writer.trip, Why.INTERNAL_ERROR, "a bug", "engine")
        assert kept is not Kept.NOWHERE
    for account_key in BOTH:
        with pytest.raises(Refused, match="internal error: a bug"):
            begin(open_store(location), account_key)


@pytest.mark.parametrize("tripped", BOTH, ids=["the first", "the second"])
async def test_a_trip_of_one_account_by_somebody_else_is_told_with_its_name(
    tmp_path: Path, tripped: AccountKey
) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, BOTH) as engine:
        engine.flush()
        latch.trip(location, [THIRD], Why.USER, "not ours", "ann", NOW_NS, limit_s=5)
        latch.trip(location, [tripped], Why.USER, "enough", "ann", NOW_NS, limit_s=5)
        told = await engine.hears(LatchTripped)
        assert (told.account_key, told.latch.detail) == (tripped, "enough")
        engine.writer.recheck()
        standing = await engine.hears(Standing)
        assert (standing.lease_ours, standing.may_trade) == (True, False)
        latch.rearm(location, tripped, "seen", "ann", NOW_NS + 1)
        engine.writer.recheck()
        assert (await engine.hears(Standing, times=2)).may_trade
    assert len(engine.told(LatchTripped)) == 1


def test_the_first_reason_of_each_account_stays(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    open_store(location)
    latch.trip(location, [HEDGE_KEY], Why.MARGIN, "first", "guard", NOW_NS, limit_s=5)
    latch.trip(location, BOTH, Why.USER, "second", "ann", NOW_NS + 1, limit_s=5)
    details = [Reader(location).latch_history(account_key) for account_key in BOTH]
    assert [[state.detail for state in history] for history in details] == [["second"], ["first"]]


# --- what belongs to whom ---------------------------------------------------------------------


def put_everything(engine: Engine) -> None:
    """A bit of each kind at both venues, under the same trade id and the same reference."""
    hedge = at_hedge()
    for instrument in (an_option(), hedge):
        engine.writer.put(a_record(1, price="2000", mark="2000", instrument=instrument))
    for venue in ("deribit", "hedge"):
        flow = Flow(
            ref="f1",
            kind=FlowKind.TRANSFER,
            instrument=None,
            currency="ETH",
            money=Decimal(5),
            venue_ms=NOW_NS // MS,
        )
        engine.writer.put(FlowBooked(flow, None, venue))
        engine.writer.put(EquitySampled(Equity(venue.upper(), Decimal(1)), NOW_NS, None, venue))
        engine.writer.put(PnlSampled(venue.upper(), Pnl(), NOW_NS, venue))
    engine.writer.put(a_note(f"mm{engine.run}-0"))
    engine.writer.put(a_note(f"mm{engine.run}-1", instrument=hedge.id))
    baseline = Baseline(20241, 1.0, 4.0, 3.0, {hedge.id: Decimal("0.1")}, ("r1", "r2"))
    engine.writer.put(BaselineKept(baseline, NOW_NS))


async def test_what_is_written_is_each_accounts_own(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, BOTH) as engine:
        put_everything(engine)
        engine.flush()
    reader = Reader(location)
    for key, instrument, label in (
        (ACCOUNT_KEY, an_option(), f"mm{engine.run}-0"),
        (HEDGE_KEY, at_hedge(), f"mm{engine.run}-1"),
    ):
        own = (key.venue, key.account)
        assert reader.executions(*own) == {"t1 buy"}
        assert reader.flow_keys(*own) == ["transfer f1"]
        [held] = reader.positions(*own)
        assert (held.instrument, held.amount, held.fills) == (instrument.id, Decimal(1), 1)
        [order] = reader.open_orders(*own)
        assert (order.label, order.instrument[: len(key.venue)]) == (label, key.venue)
        assert reader.booked_by(*own, [Label("mm1-1")]) == {"mm1-1": Decimal(1)}
        kept = reader.baseline(*own)
        assert kept is not None
        assert (kept.baseline.total_usd, kept.at_ns) == (3.0, NOW_NS)
        assert kept.baseline.counted == {at_hedge().id: Decimal("0.1")}
        assert kept.baseline.books == ("r1", "r2")
    sampled = [(row.venue, row.account, row.equity.currency) for row in reader.equity()]
    assert sorted(sampled) == [("deribit", "sim-1", "DERIBIT"), ("hedge", "sim-2", "HEDGE")]
    profits = [(row.venue, row.account, row.currency) for row in reader.pnl()]
    assert sorted(profits) == [("deribit", "sim-1", "DERIBIT"), ("hedge", "sim-2", "HEDGE")]


async def test_a_trade_id_that_two_venues_use_is_two_fills_also_after_a_restart(
    tmp_path: Path,
) -> None:
    location = a_location(tmp_path)
    for _ in range(2):  # the second run is told of the same trades again
        async with an_engine(location, BOTH) as engine:
            put_everything(engine)
    reader = Reader(location)
    assert [(row.venue, row.fill.trade_id) for row in reader.fills()] == [
        ("deribit", "t1"),
        ("hedge", "t1"),
    ]
    assert [(held.venue, held.amount) for held in reader.positions()] == [
        ("deribit", Decimal(1)),
        ("hedge", Decimal(1)),
    ]


async def test_what_belongs_to_no_account_of_several_is_refused_at_once(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, BOTH) as engine:
        stranger = a_perpetual(id=InstrumentId("other:ETH-PERPETUAL"), venue="other")
        with pytest.raises(KeyError):
            engine.writer.put(a_record(1, side=Side.SELL, instrument=stranger))
        with pytest.raises(KeyError):
            engine.writer.put(EquitySampled(Equity("ETH", Decimal(1)), NOW_NS))
        engine.flush()
        assert (engine.writer.problem, engine.writer.unwritten) == (None, 0)
    assert list(Reader(location).fills()) == []


# --- what people ask --------------------------------------------------------------------------


def test_a_run_tells_its_accounts_in_order_with_their_venues_kinds(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    first, second = a_draft(BOTH).accounts
    draft = RunDraft((replace(first, kind=""), replace(second, endpoint="http://127.0.0.1:2")))
    start_run(database, draft, lambda: 7, 1)
    [run] = Reader(database.location).runs()
    assert [(one.account_key, one.kind, one.endpoint) for one in run.accounts] == [
        (ACCOUNT_KEY, "deribit", "http://127.0.0.1:1"),
        (HEDGE_KEY, "deribit", "http://127.0.0.1:2"),
    ]
    assert (run.account_key, run.endpoint) == (ACCOUNT_KEY, "http://127.0.0.1:1")
    assert run.venues == "deribit, hedge"


def test_an_engine_is_told_once_with_the_accounts_no_later_one_has(tmp_path: Path) -> None:
    database, wall = open_store(a_location(tmp_path)), Wall()
    reader = Reader(database.location)
    both = begin(database, BOTH, wall)
    [engine] = reader.engines()
    assert [one.account_key for one in engine.accounts] == list(BOTH)
    wall.forward_s(6)
    alone = begin(database, HEDGE_KEY, wall)
    latch.trip(database.location, [HEDGE_KEY], Why.MARGIN, "low", "guard", NOW_NS, limit_s=5)
    rows = reader.engines()
    assert [(row.run.run, [one.account_key for one in row.accounts]) for row in rows] == [
        (both.run, [ACCOUNT_KEY]),
        (alone.run, [HEDGE_KEY]),
    ]
    assert [row.latch is not None and row.latch.tripped for row in rows] == [False, True]
    assert rows[0].run.account_keys == BOTH
    for account_key in BOTH:
        assert reader.earlier(account_key, besides=alone.run).sign_ns == NOW_NS
    latch.rearm(database.location, HEDGE_KEY, "seen", "ann", NOW_NS)
    wall.forward_s(6)
    again = begin(database, BOTH, wall)
    assert [row.run.run for row in reader.engines()] == [again.run]
    signs = [reader.earlier(account_key, besides=again.run).sign_ns for account_key in BOTH]
    assert signs == [NOW_NS, NOW_NS + 6 * 10**9]


def test_any_tripped_account_shows_on_the_engine(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    begin(database, BOTH)
    [armed] = Reader(database.location).engines()
    assert armed.latch is None
    latch.trip(database.location, [HEDGE_KEY], Why.MARGIN, "low", "guard", NOW_NS, limit_s=5)
    [engine] = Reader(database.location).engines()
    assert engine.latch is not None
    assert (engine.latch.tripped, engine.latch.detail) == (True, "low")


# --- as a sink of fills -----------------------------------------------------------------------


async def test_the_store_is_a_sink_that_keeps_each_fill_once_and_says_when_it_is_full(
    tmp_path: Path,
) -> None:
    location = a_location(tmp_path)
    async with an_engine(location, BOTH) as engine:
        sink: FillSink = engine.writer
        assert sink.put(a_record(1))
        assert sink.put(a_record(1))
        assert sink.put(a_record(1, instrument=at_hedge()))
        engine.flush()
    assert [row.venue for row in Reader(location).fills()] == ["deribit", "hedge"]
    async with an_engine(location, BOTH, capacity=0) as full:
        assert not full.writer.put(a_record(2))
