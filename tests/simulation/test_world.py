"""The virtual world: the same history everywhere, faults that happen, checks that can fail."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.error_scope import ErrorScope
from mmbot.core.intents import Amend, CancelAll, Place
from mmbot.core.inventory import Booked, Opened
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.sizes import Size
from mmbot.core.state import Note, State
from mmbot.core.statements import Fill, HeldPosition
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Label, Side, instrument_name
from mmbot.core.why import Why
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.exchange.listing import Side as VenueSide
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.market import chain
from mmbot.sim.market.market import START_MS, START_PRICES
from mmbot.sim.models.faults import STRENGTHS, FaultPlan, Harshness
from mmbot.sim.virtual.account import ACCOUNT
from mmbot.sim.virtual.checks import Checks
from mmbot.sim.virtual.history import WorldOptions
from mmbot.sim.virtual.pump import Pump
from mmbot.sim.virtual.store import VirtualStore
from mmbot.sim.virtual.translate import VENUE, fill_of, id_of, instrument_of
from mmbot.sim.virtual.violation import Violated
from mmbot.sim.virtual.world import World
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.manner import Manner
from mmbot.strategies.improve_top import ImproveTop
from mmbot.venues.deribit import parse as adapter
from mmbot.venues.reading import Unread
from tests.builders import a_fill
from tests.simulation.drawn import drawn_world

CALL = "ETH-6JUN25-2800-C"
PERPETUAL = "ETH-PERPETUAL"


def a_world(plan: FaultPlan | None = None, seed: int = 1, **changes: object) -> World:
    """An option and a perpetual, traded with often, for 40 s."""
    options = replace(WorldOptions(raids_per_s=1.0, market_ms=100), **changes)  # type: ignore[arg-type]  # by name
    desks = {id_of(CALL): a_desk(Decimal(1)), id_of(PERPETUAL): a_desk(Decimal(1_000))}
    return World(seed, plan or FaultPlan(seed=seed), desks, (), options)


def named(desks: Mapping[InstrumentId, Desk]) -> dict[str, Desk]:
    """Desks by the venue's names."""
    return {instrument_name(one): desk for one, desk in desks.items()}


def a_desk(lot: Decimal) -> Desk:
    strategy = ImproveTop(size=Size(lot), max_position=Size(3 * lot), requote_pct=0.0)
    return Desk("test", VENUE, strategy, (MaxPosition(limit=Size(3 * lot)),), 500 * MS)


# --- one seed, one history --------------------------------------------------------------------

HASHES = """
from mmbot.sim.models.faults import Harshness
from tests.simulation.drawn import drawn_world
print([drawn_world(seed).run().hash for seed in (3, 4, 20)])
"""


def test_a_seed_is_the_same_history_in_every_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    assert said == {f"{[drawn_world(seed).run().hash for seed in (3, 4, 20)]}\n"}


@pytest.mark.parametrize("manner", Manner)
@pytest.mark.parametrize("seed", [3, 4])
def test_frames_that_pass_as_text_are_the_same_history(seed: int, manner: Manner) -> None:
    def history(*, as_text: bool) -> str:
        world = drawn_world(seed)
        options = replace(world.options, manner=manner, as_text=as_text, seconds=15.0)
        plan = world.trouble.plan
        return World(seed, plan, world.desks, world.guards, options).run().hash

    assert history(as_text=True) == history(as_text=False)


def test_one_seed_in_ten_passes_its_frames_as_text() -> None:
    as_text = [seed for seed in range(1, 31) if a_world(seed=seed)._as_text]
    assert as_text == [10, 20, 30]


def test_another_seed_or_another_plan_is_another_history() -> None:
    one = a_world().run().hash
    assert a_world().run().hash == one
    assert a_world(seed=2).run().hash != one
    assert a_world(FaultPlan(seed=1, lost_reply=0.2)).run().hash != one


def test_an_exception_in_a_turn_is_a_violation_with_its_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError("planted")

    monkeypatch.setattr("mmbot.core.turn.decide", fail)
    violation = a_world(seed=4).run().violation
    assert violation is not None
    said = (violation.check, violation.detail, violation.seed)
    assert said == ("bug", "ArithmeticError: planted", 4)


# --- faults -----------------------------------------------------------------------------------

ALWAYS_ON = {
    **dict.fromkeys(("lost_request", "lost_reply", "late_request", "late_reply"), 0.2),
    **dict.fromkeys(("late_private", "duplicate_private", "reordered_private"), 0.3),
    "book_gap": 0.05,
    "stale_book_per_hour": 600.0,
    "half_open_per_hour": 200.0,
    "private_silence_per_hour": 400.0,
    "closed_book_per_hour": 400.0,
    "cut_per_hour": 400.0,
    "cut_mid_order": 0.1,
    "rate_limited": 0.05,
    "garbage": 0.02,
    "restart_per_hour": 400.0,
    "expiry_soon": 1.0,
}
"""A strength at which a fault comes several times in 40 s."""

WITH_OTHERS = {
    "ignored_cod": {"ignored_cod": 1.0, "cut_per_hour": 400.0},
    "restart_loses_orders": {"restart_loses_orders": 1.0, "restart_per_hour": 400.0},
    "http_429": {"http_429": 1.0, "cut_per_hour": 400.0, "ignored_cod": 1.0, "down_s": 20.0},
    "http_5xx": {"http_5xx": 1.0, "cut_per_hour": 400.0, "ignored_cod": 1.0, "down_s": 20.0},
}
"""Faults of something that has to happen first."""


@pytest.mark.parametrize("name", [*ALWAYS_ON, *WITH_OTHERS])
def test_a_fault_that_is_on_happens_and_does_no_harm(name: str) -> None:
    strengths = WITH_OTHERS.get(name) or {name: ALWAYS_ON[name]}
    outcome = a_world(FaultPlan(seed=1, **strengths)).run()
    assert outcome.violation is None
    assert outcome.faults[name.removesuffix("_per_hour")]


def test_every_fault_is_tested() -> None:
    assert ALWAYS_ON.keys() | WITH_OTHERS.keys() | {"clock_skew_s"} == STRENGTHS.keys()


def test_without_a_plan_nothing_goes_wrong() -> None:
    outcome = a_world().run()
    assert outcome.faults == {}
    assert outcome.violation is None
    assert outcome.fills > 5


@pytest.mark.parametrize("skew_s", [-0.9, 0.9])
def test_the_venue_may_have_another_clock(skew_s: float) -> None:
    world = a_world(FaultPlan(seed=1, clock_skew_s=skew_s))
    assert world.lone.venue.ms == world.timeline.now_ns // MS + round(skew_s * 1_000)
    assert world.run().violation is None


def test_a_process_that_crashes_is_followed_by_another_one() -> None:
    outcome = a_world(crash_per_hour=600.0).run()
    assert outcome.crashes > 2
    assert outcome.violation is None


def test_a_tripped_bot_stays_out_after_a_crash() -> None:
    world = a_world(crash_per_hour=600.0)
    for second in range(5, 15):  # whoever is down at one of these moments is up at another
        world.timeline.after(second * SECOND, lambda: world._sink(world._lives, ev.Trip(Why.USER)))
    outcome = world.run()
    assert outcome.tripped == Why.USER.value
    assert outcome.violation is None
    assert world.lone.venue.our_orders == []


def test_harsh_plans_have_every_fault_within_fifty_seeds() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1, 51):
        seen.update(FaultPlan.drawn(seed, Harshness.HARSH).active())
    assert seen.keys() == STRENGTHS.keys()


def test_an_option_expires_in_mid_flight_and_is_delivered() -> None:
    world = a_world(FaultPlan(seed=1, expiry_soon=1.0), raids_per_s=3.0)
    outcome = world.run()
    assert outcome.violation is None
    assert CALL in world.exchange.expired
    assert "delivery" in [key.split()[1] for key in world.store.flows]


@pytest.mark.parametrize("crash_per_hour", [0.0, 60.0])
def test_an_option_that_expired_leaves_the_state_and_every_change_of_equity_is_explained(
    crash_per_hour: float,
) -> None:
    plan = FaultPlan(seed=1, expiry_soon=1.0)
    world = a_world(
        plan, raids_per_s=3.0, seconds=240.0, turns=10**6, crash_per_hour=crash_per_hour
    )
    outcome = world.run()
    assert outcome.violation is None
    assert outcome.crashes > 0 or not crash_per_hour
    assert world.state is not None
    if world.state.started_ns > world.instruments[id_of(CALL)].expiry_ns:  # type: ignore[operator]  # it has one
        return  # the venue tells no mark of it any more, and a profit without one is not counted
    assert id_of(CALL) in world.state.retired.lately
    assert id_of(CALL) not in world.state.markets
    (total,) = world.state.retired.of()
    assert total.instruments == 1
    assert total.fills > 0 or crash_per_hour


# --- the words are the adapter's --------------------------------------------------------------


def test_instruments_are_what_the_adapter_reads_off_the_wire() -> None:
    for family in chain.FAMILIES.values():
        price = START_PRICES[family.underlying]
        for number, listing in enumerate(chain.listings(family, price, START_MS)):
            info = shapes.instrument(listing, number, is_open=True)
            ours = instrument_of(listing)
            read = adapter.instrument_of("deribit", info, Unread())
            assert read is not None
            assert replace(read, symbol=ours.symbol) == ours


# --- each check alone -------------------------------------------------------------------------


class ProlongedSilence(Pump):
    """A line that has told nothing of the account for so long."""

    def __init__(self) -> None:
        self.seconds = 10.0

    def untold_s(self) -> float:
        return self.seconds


class Judged:
    """Checks over a quiet exchange with one option, and a bot that believes what it is told to."""

    def __init__(self) -> None:
        self.world = a_world()
        self.checks: Checks = self.world.checks
        self.at_account = self.checks.at[VENUE]
        self.exchange = self.world.exchange
        self.instrument = self.world.instruments[id_of(CALL)]
        self.state = State(run="test")
        self.state.add_account(VENUE)
        self.checks.begin()
        self.show(True, True)

    def show(self, bid: bool, ask: bool, *, crossed: bool = False) -> None:
        """The bot is shown the top of the book as it is, or half of it, or crossed."""
        book = self.exchange.book(CALL)
        assert book.best_bid is not None
        assert book.best_ask is not None
        best = (float(book.best_bid.price), float(book.best_ask.price))
        shown = best[::-1] if crossed else (best[0] if bid else None, best[1] if ask else None)
        self.checks._border._truth[CALL].lately[shown] = None  # as if it had been so
        bids, asks = (((price, 1.0),) if price is not None else () for price in shown)
        self.checks.told(ev.BookChanged(id_of(CALL), bids, asks, 1, 1))

    def rest(self, side: VenueSide, price: str, label: str, amount: int = 1) -> Placed:
        wish = NewOrder(
            name=CALL, side=side, amount=Decimal(amount), price=Decimal(price), label=label
        )
        placed = self.exchange.place(ACCOUNT, wish, self.world.lone.venue.ms)
        assert isinstance(placed, Placed)
        return placed

    def place(self, side: Side = Side.BUY, price: str = "0.0010", amount: str = "1") -> Place:
        label = Label(f"mmtest-{len(self.state.orders.by_label)}")
        where = id_of(CALL)
        intent = Place(
            where, label, side, Decimal(price), Decimal(amount), True, False, 10**19, Why.QUOTED
        )
        self.state.orders.add(
            Order(
                label=label,
                instrument=where,
                side=side,
                level=len(self.state.orders.by_label),
                price=intent.price,
                amount=intent.amount,
                why=Why.QUOTED,
                deadline_ns=10**19,
            )
        )
        return intent

    def decide(self, *intents: Place | Amend | CancelAll, now_ns: int = 1) -> None:
        self.checks.decided(self.state, intents, now_ns)
        self.checks.sent(intents)


def fails(check: str) -> pytest.RaisesExc[Violated]:
    return pytest.raises(Violated, match=f"^{check}:")


def refused(detail: str, scope: ErrorScope) -> ev.RequestRefused:
    label = Label("mmtest-a")
    return ev.RequestRefused(label, Request.PLACE, Why.REFUSED, detail, False, scope)


def ticker(mark: float | None) -> ev.TickerChanged:
    return ev.TickerChanged(id_of(CALL), mark, 2_850.0, 2_850.0, 0.5, 0.5, None, None, 1)


def look(held: Decimal, fills: tuple[Fill, ...]) -> ev.SnapshotTaken:
    positions = (HeldPosition(id_of(CALL), held, None),)
    return ev.SnapshotTaken(VENUE, 1, (), positions, fills, (), (), ())


class TestChecks:
    def test_what_is_sound_passes(self) -> None:
        judged = Judged()
        judged.decide(judged.place())
        judged.checks.second()

    def test_money_from_nowhere(self) -> None:
        judged = Judged()
        judged.exchange.accounts[ACCOUNT].cash["ETH"] += Decimal("0.000000000001")
        with fails("money"):
            judged.checks.second()

    @pytest.mark.parametrize(("price", "amount"), [("0.00015", "1"), ("0.0010", "0.5")])
    def test_off_the_grid(self, price: str, amount: str) -> None:
        judged = Judged()
        with fails("grid"):
            judged.decide(judged.place(price=price, amount=amount))

    def test_a_quote_on_an_empty_book(self) -> None:
        judged = Judged()
        judged.show(False, False)
        with fails("book"):
            judged.decide(judged.place())

    def test_a_quote_on_a_crossed_book(self) -> None:
        judged = Judged()
        judged.show(True, True, crossed=True)
        with fails("book"):
            judged.decide(judged.place())

    def test_a_quote_on_a_book_that_is_lost(self) -> None:
        judged = Judged()
        judged.checks.told(ev.LinkChanged(VENUE, ev.Link.MARKET, up=False))
        with fails("book"):
            judged.decide(judged.place())

    def test_an_order_after_the_kill_switch(self) -> None:
        judged = Judged()
        judged.state.latch.trip(Why.USER, "", 1)
        with fails("tripped"):
            judged.decide(judged.place())

    def test_an_order_of_ours_in_the_way_of_another(self) -> None:
        judged = Judged()
        judged.rest(VenueSide.BUY, "0.0100", "mmtest-a")
        with fails("crossing"):
            judged.at_account.arriving(judged.place(Side.SELL, "0.0100"))

    def test_two_orders_in_one_slot_of_the_table(self) -> None:
        judged = Judged()
        judged.place()
        judged.place()
        for order in judged.state.orders.all():
            order.level = 0
        with fails("slot"):
            judged.decide()

    def test_two_orders_in_one_slot_at_the_venue(self) -> None:
        judged = Judged()
        first, second = judged.place(), judged.place()
        judged.decide(first, second)
        for intent in (first, second):
            judged.state.orders.by_label[intent.label].level = 0
            judged.rest(VenueSide.BUY, "0.0010", intent.label)
        judged.checks.believed(judged.state)
        with fails("slot"):
            judged.at_account.carried_out(second)

    def test_more_than_the_limit_may_come(self) -> None:
        judged = Judged()
        judged.rest(VenueSide.BUY, "0.0010", "mmtest-a", 2)
        place = judged.place(amount="2")
        judged.world.lone.flying["it"] = place
        with fails("limit"):
            judged.decide(place)

    def test_a_request_past_its_deadline(self) -> None:
        judged = Judged()
        judged.place()
        with fails("deadline"):
            judged.decide(now_ns=10**19 + SECOND)

    def test_an_old_word_believed(self) -> None:
        judged = Judged()
        label = judged.place().label
        judged.at_account._existed[label] = None
        said = ev.OrderSeen(
            VENUE,
            label,
            "id",
            id_of(CALL),
            Side.BUY,
            Decimal("0.001"),
            Decimal(1),
            ZERO,
            OrderState.OPEN,
            venue_ms=5,
        )
        judged.checks.told(said)
        with fails("memory"):
            judged.decide()

    def test_an_amend_before_there_is_an_order(self) -> None:
        judged = Judged()
        label = judged.place().label
        amend = Amend(id_of(CALL), label, "", Decimal("0.001"), Decimal(1), True, 1, Why.QUOTED)
        with fails("order"):
            judged.decide(amend)

    def test_a_trade_that_never_happened(self) -> None:
        judged = Judged()
        fill = a_fill(instrument=judged.instrument)
        with fails("booking"):
            judged.checks.booked([Booked(fill, judged.instrument, fill.price, True)])

    def test_a_foreign_order_cancelled_along(self) -> None:
        judged = Judged()
        judged.at_account.foreign(judged.rest(VenueSide.BUY, "0.0010", "by hand").order)
        with fails("foreign"):
            judged.at_account.arriving(CancelAll(VENUE, None, (), Why.USER))

    def test_an_order_over_a_line_that_would_not_take_it_along(self) -> None:
        judged = Judged()
        judged.at_account.arriving(judged.place())
        judged.world.lone.venue.guarded = False
        with fails("dead-man"):
            judged.at_account.arriving(judged.place())

    def test_a_login_that_was_left_to_expire(self) -> None:
        judged = Judged()
        judged.world.lone.venue.refused({"code": 13009, "message": "unauthorized"})
        with fails("login"):
            judged.checks.second()

    def test_a_silent_channel_that_nobody_minds(self) -> None:
        judged = Judged()
        line = ProlongedSilence()
        judged.world.lone.line = line
        judged.checks.second()
        line.seconds = 15.0
        with fails("silence"):
            judged.checks.second()

    @pytest.mark.parametrize(
        ("detail", "scope"),
        [
            ("10028 too_many_requests", ErrorScope.ORDER),
            ("13019 orderbook_closed", ErrorScope.ACCOUNT),
            ("-32602 Invalid params {'reason': 'instrument is not open'}", ErrorScope.US),
        ],
    )
    def test_a_refusal_with_another_reach_than_it_has(self, detail: str, scope: ErrorScope) -> None:
        judged = Judged()
        with fails("blame"):
            judged.checks.told(refused(detail, scope))

    def test_refusals_with_the_reach_they_have(self) -> None:
        judged = Judged()
        judged.checks.told(refused("10028 too_many_requests", ErrorScope.SESSION))
        judged.checks.told(refused("13019 orderbook_closed", ErrorScope.INSTRUMENT))
        judged.checks.told(refused("trading is not connected", ErrorScope.REQUEST))

    @pytest.mark.parametrize("mark", [0.0, 1.0])
    def test_a_mark_that_is_not_the_venues(self, mark: float) -> None:
        judged = Judged()
        truth = float(judged.exchange.book(CALL).mark)
        judged.checks.told(ticker(truth))
        judged.checks.told(ticker(None))
        with fails("mark"):
            judged.checks.told(ticker(mark))

    def test_a_book_that_never_was(self) -> None:
        judged = Judged()
        with fails("book"):
            judged.checks.told(ev.BookChanged(id_of(CALL), ((0.3, 1.0),), (), 2, 2))

    def test_positions_from_before_the_trades_beside_them(self) -> None:
        judged = Judged()
        book = judged.exchange.book(CALL)
        assert book.best_ask is not None
        judged.rest(VenueSide.BUY, str(book.best_ask.price), "mmtest-a")
        (made,) = judged.exchange.accounts[ACCOUNT].trades
        for held, fills in ((1, ()), (0, ()), (1, (fill_of(made, VENUE),))):
            judged.checks.told(look(Decimal(held), fills))
        with fails("look"):
            judged.checks.told(look(ZERO, (fill_of(made, VENUE),)))

    def test_one_request_too_many(self) -> None:
        judged = Judged()
        judged.world.lone.venue.refusals[10028] += 1
        with fails("credits"):
            judged.at_account.carried_out(judged.place())

    def test_a_cancel_that_waits(self) -> None:
        judged = Judged()
        label = judged.place().label
        judged.state.orders.by_label[label].status = Status.LIVE
        apply_listed(judged.state, judged)
        judged.decide(now_ns=SECOND)
        with fails("cancel"):
            judged.decide(now_ns=2 * SECOND)

    def test_a_profit_that_nobody_explains(self) -> None:
        judged = Judged()
        judged.exchange.accounts[ACCOUNT].cash["ETH"] += Decimal("0.00000001")
        with fails("money"):
            judged.checks.settle_up(judged.state)


def apply_listed(state: State, judged: Judged) -> None:
    """The option is known, its buying side has no quote, and the trading link is up."""
    from mmbot.core.apply import apply

    apply(state, ev.InstrumentsListed((judged.instrument,)), 1)
    state.account(VENUE).trading_up = True
    state.markets[judged.instrument.id].why = {Side.BUY: Why.BOOK_STALE}


# --- the store --------------------------------------------------------------------------------


class TestStore:
    def test_what_waits_is_lost_in_a_crash(self) -> None:
        store, state = VirtualStore(), State(run="a")
        instrument = a_world().instruments[id_of(CALL)]
        fill = a_fill(instrument=instrument)
        state.entries += [
            Opened(instrument, ZERO, None, 1),
            Booked(fill, instrument, fill.price, True),
        ]
        store.keep(state)
        store.lose_queue()
        store.cycle(1)
        assert store.fills == {}

    def test_a_restart_goes_on_with_what_is_durable(self) -> None:
        store, state = VirtualStore(), State(run="a")
        instrument = a_world().instruments[id_of(CALL)]
        fill = a_fill(instrument=instrument)
        state.entries += [
            Opened(instrument, ZERO, None, 1),
            Booked(fill, instrument, fill.price, True),
        ]
        state.notes.append(Note("kind", {}))
        store.keep(state)
        store.cycle(1)
        store.lose_queue()
        fresh = State(run="b", started_ns=2)
        store.restore(fresh, (VENUE,), {instrument.id: instrument})
        assert fresh.inventory.of(instrument).amount == fill.amount
        assert fill.key in fresh.inventory.booked
