"""Two accounts of one exchange under one bot: one kill switch, one book; each account by itself."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.intents import Cancel
from mmbot.core.sizes import Size
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.risk.max_exposure import MaxExposure
from mmbot.sim.exchange.listing import Side as VenueSide
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.virtual.account import VirtualAccount
from mmbot.sim.virtual.account_checks import AccountChecks
from mmbot.sim.virtual.history import WorldOptions
from mmbot.sim.virtual.translate import VENUE, id_of
from mmbot.sim.virtual.violation import Violated
from mmbot.sim.virtual.world import World
from mmbot.strategies.improve_top import ImproveTop
from tests.simulation.drawn import HEDGE, drawn_pair

CALL = "ETH-6JUN25-2800-C"
PERPETUAL = "ETH-PERPETUAL"
CHUNK = 4
SHORT = range(1, 13, CHUNK)
LONG = range(10_001, 11_001, CHUNK)


def failures(first: int) -> list[str]:
    """What did not hold in one chunk of seeds."""
    found: list[str] = []
    for seed in range(first, first + CHUNK):
        wrong = drawn_pair(seed).run().violation
        if wrong is not None:
            found.append(f"seed {seed}, turn {wrong.turn}: {wrong.check}: {wrong.detail}")
    return found


@pytest.mark.parametrize("first", SHORT)
def test_a_dozen_harsh_seeds_hold(first: int) -> None:
    assert not failures(first)


@pytest.mark.long
@pytest.mark.parametrize("first", LONG)
def test_a_thousand_more_hold(first: int) -> None:
    assert not failures(first)


def test_a_seed_is_the_same_history_every_time() -> None:
    assert drawn_pair(3).run().hash == drawn_pair(3).run().hash != drawn_pair(4).run().hash


# --- one world ------------------------------------------------------------------------------


def a_pair(plan: FaultPlan | None = None, **options: object) -> World:
    """An option on one account and the perpetual on the other, traded with often, for 20 s."""
    book = MaxExposure(limit=Decimal(20))
    desks: dict[InstrumentId, Desk] = {}
    for name, venue, lot in ((CALL, VENUE, Decimal(1)), (PERPETUAL, HEDGE, Decimal(1_000))):
        strategy = ImproveTop(size=Size(lot), max_position=Size(3 * lot), requote_pct=0.0)
        desks[id_of(name, venue)] = Desk(venue, venue, strategy, (book,), 500 * MS)
    chosen = WorldOptions(**{"seconds": 20.0, "raids_per_s": 1.0, **options})  # type: ignore[arg-type]  # by name
    return World(1, plan or FaultPlan(seed=1), desks, (), chosen)


def after(world: World, seconds: float, act: Callable[[], None]) -> None:
    world.timeline.after(int(seconds * SECOND), act)


def resting(world: World) -> list[int]:
    """How many orders of ours rest on each account."""
    return [len(account.venue.our_orders) for account in world.accounts.values()]


def test_both_accounts_trade_on_one_exchange_and_every_trade_is_booked_where_it_was() -> None:
    world = a_pair()
    assert world.run().violation is None
    for account in world.accounts.values():
        made = world.exchange.accounts[account.account].trades
        booked = [key for key in world.store.fills if key.startswith(f"{account.name} ")]
        assert len(booked) == len(made) > 0


def test_a_line_that_is_cut_leaves_the_other_account_quoting() -> None:
    world, seen = a_pair(), []
    hedge = world.accounts[HEDGE]

    def cut() -> None:
        assert hedge.line is not None
        hedge.venue.away_until_ns = world.timeline.now_ns + 5 * SECOND
        hedge.line.cut("cut")
        after(world, 2.0, lambda: seen.append(resting(world)))

    after(world, 8.0, cut)
    assert world.run().violation is None
    [[here, there]] = seen
    assert here > 0
    assert there == 0


def test_lines_have_troubles_of_their_own() -> None:
    world = a_pair(FaultPlan(seed=1, cut_per_hour=600.0, late_reply=0.2))
    assert world.run().violation is None
    here, there = (account.trouble.counts for account in world.accounts.values())
    assert here["cut"] > 0
    assert there["cut"] > 0
    assert here != there


def test_the_venue_restarts_for_both() -> None:
    world = a_pair(FaultPlan(seed=1, restart_per_hour=600.0, restart_loses_orders=1.0))
    outcome = world.run()
    assert outcome.violation is None
    assert outcome.faults["restart"] > 0
    down = [account.venue.down_until_ns for account in world.accounts.values()]
    assert down[0] == down[1] > 0


def test_a_crash_takes_both_lines_and_each_account_is_taken_over() -> None:
    outcome = a_pair(crash_per_hour=900.0, seconds=60.0).run()
    assert outcome.violation is None
    assert outcome.crashes > 1


# --- the ways out ---------------------------------------------------------------------------


def test_people_end_runs_and_all_is_taken_over_each_time() -> None:
    outcome = a_pair(departures_per_hour=900.0, seconds=60.0).run()
    assert outcome.violation is None
    assert outcome.departures > 2


def test_an_old_look_that_comes_late_takes_no_proof_away() -> None:
    judge = a_pair().checks.at["deribit"]
    judge.looked(2_000, [])
    judge.looked(1_000, [])
    assert judge.empty_ns == 2_000
    ours = OpenOrder("1", Label("mm1-1"), None, Side.BUY, Decimal(1), Decimal(1), Decimal(0))
    judge.looked(3_000, [ours])
    assert judge.empty_ns == 0


def test_a_stop_empties_both_accounts_before_the_process_ends() -> None:
    world, seen = a_pair(), []
    after(world, 8.0, lambda: seen.append(resting(world)))
    after(world, 8.0, lambda: world._leave(Why.USER))
    after(world, 8.45, lambda: seen.append([*resting(world), world.departures]))
    outcome = world.run()
    assert outcome.violation is None
    assert min(seen[0]) > 0
    assert seen[1] == [0, 0, 1]
    assert outcome.seconds > 20


def test_an_account_whose_line_is_deaf_is_emptied_before_the_process_ends() -> None:
    """Nothing comes through either way: the process notices, and goes round the line."""
    world = a_pair(seconds=40.0, raids_per_s=0.0)
    seen: list[list[int]] = []
    hedge = world.accounts[HEDGE]

    def stop() -> None:
        assert hedge.line is not None
        hedge.line.deafen(ev.Link.TRADING, 60 * SECOND)
        world._leave(Why.USER)

    after(world, 8.0, stop)
    for tenth in range(5, 110):
        look_s = 8.0 + tenth / 10
        after(world, look_s, lambda: seen.append([*resting(world), world.departures]))
    assert world.run().violation is None
    here, there, ended = seen[0]
    assert (here, ended) == (0, 0)
    assert there > 0
    assert next(look for look in seen if look[-1]) == [0, 0, 1]


def test_the_kill_switch_of_one_account_is_that_of_both() -> None:
    world = a_pair()

    def one_is_tripped() -> None:
        world.store.keep_latch((HEDGE,), (Why.USER, "cancel-all"))
        world._sink(world._lives, ev.Trip(Why.USER, "cancel-all"))

    after(world, 8.0, one_is_tripped)
    outcome = world.run()
    assert outcome.violation is None
    assert outcome.tripped == Why.USER.value
    assert resting(world) == [0, 0]
    assert world.store.latches.keys() == {VENUE, HEDGE}


def test_with_one_kill_switch_tripped_no_process_begins() -> None:
    """It was tripped while there was none; a person takes back what rests on both."""
    world = a_pair(FaultPlan(seed=1, ignored_cod=1.0))

    def crash() -> None:
        world._crash()
        world.store.keep_latch((HEDGE,), (Why.USER, "cancel-all"))

    after(world, 8.0, crash)
    outcome = world.run()
    assert outcome.violation is None
    assert world.state is None
    assert resting(world) == [0, 0]


def test_where_another_engine_has_the_account_nothing_is_sent_and_the_other_is_left() -> None:
    world, seen = a_pair(), []
    after(world, 8.0, lambda: world._sink(world._lives, ev.LeaseLost("thief", HEDGE)))
    after(world, 8.45, lambda: seen.append([resting(world)[0], world.departures]))
    outcome = world.run()
    assert outcome.violation is None
    assert seen == [[0, 1]]


# --- each check of several accounts alone -----------------------------------------------------


class Judged:
    """A world that has not begun, and the judges of its accounts."""

    def __init__(self) -> None:
        self.world = a_pair()
        self.checks = self.world.checks
        self.checks.begin()

    def account(self, name: str) -> tuple[VirtualAccount, AccountChecks]:
        return self.world.accounts[name], self.checks.at[name]

    def rest(self, account: str, name: str, price: str, amount: int) -> Placed:
        wish = NewOrder(
            name=name,
            side=VenueSide.BUY,
            amount=Decimal(amount),
            price=Decimal(price),
            label="mmtest-1",
        )
        at = self.world.accounts[account]
        placed = self.world.exchange.place(at.account, wish, at.venue.ms)
        assert isinstance(placed, Placed)
        return placed


def fails(check: str) -> pytest.RaisesExc[Violated]:
    return pytest.raises(Violated, match=f"^{check}:")


def test_a_request_that_arrives_on_the_other_account() -> None:
    judged = Judged()
    _, judge = judged.account(VENUE)
    with fails("account"):
        judge.arriving(Cancel(id_of(PERPETUAL, HEDGE), Label("mmtest-1"), "1", Why.USER))


def test_more_than_the_one_book_allows_on_both_accounts_together() -> None:
    """The limit is 20 ETH; 57,000 USD of the perpetual are 20 ETH at 2,850."""
    judged = Judged()
    judged.rest(VENUE, CALL, "0.0010", 10)
    judged.rest(HEDGE, PERPETUAL, "2000", 20_000)
    judged.checks._check_limits(id_of(CALL))
    judged.rest(HEDGE, PERPETUAL, "2000", 20_000)
    for instrument in (id_of(CALL), id_of(PERPETUAL, HEDGE)):
        with fails("limit"):
            judged.checks._check_limits(instrument)


def left(orders: Sequence[OpenOrder] | None = ()) -> dict[str, Sequence[OpenOrder] | None]:
    return {VENUE: (), HEDGE: orders}


class TestLeft:
    """What a process says when it ends, held against what rests."""

    def judged(self, shown: Sequence[str] = (VENUE, HEDGE)) -> Judged:
        judged = Judged()
        judged.world._start()
        assert judged.world.state is not None
        judged.world.state.exit_ns = 1
        for venue in shown:
            judged.checks.told(ev.SnapshotTaken(venue, 2, (), (), ()))
        return judged

    def end(self, judged: Judged, said: dict[str, Sequence[OpenOrder] | None]) -> None:
        assert judged.world.state is not None
        judged.checks.left(judged.world.state, said)

    def test_nothing_rests_and_both_were_shown_empty(self) -> None:
        judged = self.judged()
        self.end(judged, left())
        judged.checks.second()

    def test_an_order_rests_on_the_second_account(self) -> None:
        judged = self.judged()
        judged.rest(HEDGE, PERPETUAL, "2000", 10)
        with fails("left"):
            self.end(judged, left())

    def test_an_order_comes_to_rest_later(self) -> None:
        judged = self.judged()
        self.end(judged, left())
        judged.rest(HEDGE, PERPETUAL, "2000", 10)
        with fails("left"):
            judged.checks.second()

    def test_an_order_rests_and_is_told_of(self) -> None:
        judged = self.judged()
        placed = judged.rest(HEDGE, PERPETUAL, "2000", 10)
        assert placed.order.label == "mmtest-1"
        order = placed.order
        told = OpenOrder(
            order.order_id,
            Label(order.label),
            id_of(order.name, HEDGE),
            Side(order.side.value),
            order.price,
            order.amount,
            order.filled,
            order.updated_ms,
        )
        self.end(judged, left((told,)))

    def test_an_account_that_could_not_be_asked_is_not_held_against_it(self) -> None:
        judged = self.judged()
        judged.rest(HEDGE, PERPETUAL, "2000", 10)
        self.end(judged, left(None))

    def test_an_account_is_said_to_be_empty_that_was_not_looked_at(self) -> None:
        judged = self.judged(shown=(VENUE,))
        with fails("left"):
            self.end(judged, left())


def test_an_intent_for_an_account_that_another_engine_has() -> None:
    judged = Judged()
    judged.world._start()
    state = judged.world.state
    assert state is not None
    state.account(HEDGE).lease_lost = "thief"
    cancel = Cancel(id_of(PERPETUAL, HEDGE), Label("mmtest-1"), "1", Why.USER)
    with fails("lease"):
        judged.checks.decided(state, [cancel], 1)
