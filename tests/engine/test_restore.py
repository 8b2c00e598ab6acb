"""A run that takes over two accounts: each brings its own past, and together they are one book."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core import events as ev
from mmbot.core.bot import begun
from mmbot.core.profit import Baseline
from mmbot.core.recovery import KNOWN_BEFORE_MS
from mmbot.core.state import State
from mmbot.core.statements import Flow, FlowKind
from mmbot.core.types import MS, InstrumentId
from mmbot.core.why import Why
from mmbot.engine.store_bridge import restore
from mmbot.store import latch
from mmbot.store.locations import Location
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey, BaselineKept, FlowBooked, PositionOpened
from tests.builders import NOW_NS
from tests.core.two import HEDGE, HERE, THERE
from tests.store.desk import ACCOUNT_KEY, a_location, a_note, a_record, a_trade, an_engine

OTHER_KEY = AccountKey(Mode.SIM, HEDGE, "sim-2")
BOTH = [ACCOUNT_KEY, OTHER_KEY]
TRANSFER = Flow(
    ref="5",
    kind=FlowKind.TRANSFER,
    instrument=None,
    currency="ETH",
    money=Decimal(1),
    venue_ms=NOW_NS // MS,
)


async def two_pasts(folder: Path) -> Location:
    """Each account was traded by a run of its own: the same trade and flow ids, other amounts, and
    an order of the second one is still open."""
    place = a_location(folder)
    for account_key, instrument, amount, usd in (
        (ACCOUNT_KEY, HERE, 2, -10.0),
        (OTHER_KEY, THERE, 3, -30.0),
    ):
        async with an_engine(place, account_key) as engine:
            put = engine.writer.put
            put(PositionOpened(instrument, Decimal(0), Decimal("0.02"), NOW_NS // MS))
            put(a_record(amount=amount, instrument=instrument))
            put(FlowBooked(TRANSFER, None))
            put(BaselineKept(Baseline(7, 0.0, 5.0, usd, {instrument.id: Decimal(1)}), NOW_NS))
            if account_key is OTHER_KEY:
                put(a_note("mm2-1", instrument=instrument.id, venue_ms=7))
            engine.flush()
    return place


def taken_over(place: Location, translated: Sequence[str] = ()) -> State:
    listed = ev.InstrumentsListed((HERE, THERE))
    state = begun("test", NOW_NS, (listed,))
    restore(state, Reader(place), BOTH, Clock(), translated)
    return state


async def test_what_is_booked_is_known_by_its_venue(tmp_path: Path) -> None:
    state = taken_over(await two_pasts(tmp_path))
    assert sorted(state.inventory.booked) == sorted(
        f"{venue} {name}" for venue in ("deribit", HEDGE) for name in ("t1 buy", "transfer 5")
    )
    trade = a_trade(1, instrument=THERE)
    assert replace(trade, instrument=HERE.id).key in state.inventory.booked
    assert trade.key in state.inventory.booked


async def test_a_stamp_by_a_clock_that_each_run_reads_anew_outdates_no_statement(
    tmp_path: Path,
) -> None:
    place = await two_pasts(tmp_path)
    for translated, stamp_ms in (((), 7), ((HEDGE,), 0)):
        [order] = taken_over(place, translated).orders.at(HEDGE)
        assert order.venue_ms == stamp_ms


async def test_positions_and_orders_are_those_of_their_accounts(tmp_path: Path) -> None:
    state = taken_over(await two_pasts(tmp_path))
    assert [state.inventory.amount(i.id) for i in (HERE, THERE)] == [2, 3]
    assert [order.label for order in state.orders.at(HEDGE)] == ["mm2-1"]
    assert list(state.orders.at("deribit")) == []


async def test_each_account_is_asked_for_what_happened_since_its_own_last_trade(
    tmp_path: Path,
) -> None:
    place = await two_pasts(tmp_path)
    async with an_engine(place, OTHER_KEY) as engine:
        engine.writer.put(a_record(60, instrument=THERE))
        engine.flush()
    state = taken_over(place)
    since_ms = [state.account(venue).resume_ms - NOW_NS // MS for venue in ("deribit", HEDGE)]
    assert since_ms == [1_000, 60_000]
    assert since_ms[1] < KNOWN_BEFORE_MS


async def test_loss_limits_count_from_the_books_of_both(tmp_path: Path) -> None:
    profit = taken_over(await two_pasts(tmp_path)).watch.profit
    assert (profit.total_usd, profit.drawdown_usd) == (-40.0, 10.0 + 40.0)


async def test_the_book_of_an_account_that_was_re_armed_begins_anew(tmp_path: Path) -> None:
    place = await two_pasts(tmp_path)
    latch.trip(place, [OTHER_KEY], Why.DAY_LOSS, "", "test", NOW_NS + 1, limit_s=20.0)
    latch.rearm(place, OTHER_KEY, "seen to", "test", NOW_NS + 2)
    assert taken_over(place).watch.profit.total_usd == -10.0


async def test_what_is_neither_traded_nor_held_any_more_is_counted_no_more(tmp_path: Path) -> None:
    place, gone = await two_pasts(tmp_path), InstrumentId(f"{HEDGE}:GONE")
    async with an_engine(place, OTHER_KEY) as engine:
        counted = {THERE.id: Decimal(1), gone: Decimal(2)}
        engine.writer.put(BaselineKept(Baseline(7, 0.0, 5.0, -30.0, counted), NOW_NS + 1))
        engine.flush()
    profit = taken_over(place).watch.profit
    assert profit.earlier == {HERE.id: Decimal(1), THERE.id: Decimal(1)}
    assert profit.total_usd == -40.0
    assert profit.books == ("test",)
    state = begun("test", NOW_NS, (ev.InstrumentsListed((HERE,)),))
    restore(state, Reader(place), BOTH, Clock())
    assert THERE.id in state.watch.profit.earlier, "it is held"


async def test_a_restart_reads_of_positions_those_that_are_listed_and_of_flows_the_recent(
    tmp_path: Path,
) -> None:
    place = await two_pasts(tmp_path)
    reader = Reader(place)
    own = (OTHER_KEY.venue, OTHER_KEY.account)
    assert [row.instrument for row in reader.positions(*own, [THERE.id, HERE.id])] == [THERE.id]
    assert reader.positions(*own, [HERE.id]) == reader.positions(*own, []) == []
    assert len(reader.positions(*own, (InstrumentId(f"x:{n}") for n in range(1_200)))) == 0
    assert reader.flow_keys(*own, TRANSFER.venue_ms) == ["transfer 5"]
    assert reader.flow_keys(*own, TRANSFER.venue_ms + 1) == []
