"""The checks can fail: classic bugs, planted one at a time, are caught by a few seeds.

Each is put where it would be made, in the core; everything else is as it is. What catches it may
differ from seed to seed: that it is caught is what counts. The first seed that did, when this was
written, and the check that spoke:

    no_trade_id_dedup        2   booking
    unknown_is_dead          4   slot
    stale_snapshot_buries    6   slot
    limits_ignore_resting    4   limit
    cancel_overtakes_place   2   order
    resent_blindly           2   slot
    gap_ignored              1   book
    latch_not_persisted     38   tripped
    tripped_but_quoting      7   bug
    budget_ignored          12   credits
    foreign_is_ours          1   bug
    late_word_believed       5   memory
    void_not_reversed        2   settling
    limits_by_one_reading    4   limit
    late_end_ends_the_successor       2   slot
    successor_counts_the_old_fills   30   settling
    placed_before_the_end_is_known    2   slot
    never_renewed           18   expiry
    expired_is_alive         5   deadline

and of two accounts:

    first_flat_account_ends_the_leaving    1   left
    each_account_its_own_book             18   limit
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from mmbot.core import (
    approve,
    booking,
    books,
    budget,
    decide,
    diff,
    events,
    expiry,
    exposure,
    intents,
    inventory,
    lease_check,
    order_life,
    order_updates,
    reconcile,
    state,
)
from mmbot.core import exit as leaving_rules
from mmbot.core.capabilities import Capabilities, DeadMan, Move
from mmbot.core.contracts import Instrument
from mmbot.core.order_life import OrderState, Request, Status, Trigger
from mmbot.core.orders import Order, Orders
from mmbot.core.statements import Fill
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Nanos, Side
from mmbot.sim.virtual import leaving
from tests.simulation.drawn import drawn_pair, drawn_world

SEEDS_MAX = 100

CRASHES_PER_HOUR = {"latch_not_persisted": 1_000.0}
"""A bug that only a crash soon after the kill switch brings out needs many crashes."""

REPLACES = Capabilities(move=Move.REPLACE)
VOIDS = Capabilities(fills_final=False)
EXPIRES = Capabilities(dead_man=DeadMan.ORDER_EXPIRY, orders_expire_ns=10 * SECOND)
LIVES = {
    "late_end_ends_the_successor": REPLACES,
    "successor_counts_the_old_fills": REPLACES,
    "placed_before_the_end_is_known": Capabilities(move=Move.NONE),
    "void_not_reversed": VOIDS,
    "limits_by_one_reading": VOIDS,
    "never_renewed": EXPIRES,
    "expired_is_alive": EXPIRES,
}
"""How orders live where the bug can be made."""

Plant = Callable[[pytest.MonkeyPatch], None]


def no_trade_id_dedup(patch: pytest.MonkeyPatch) -> None:
    """A trade that is told twice is booked twice."""

    def book(self: inventory.Inventory, fill: Fill, instrument: Instrument, mark: Decimal) -> bool:
        self.know(fill.trade_id)
        self.add(instrument).book(fill, mark)
        return True

    patch.setattr(inventory.Inventory, "book", book)


def unknown_is_dead(patch: pytest.MonkeyPatch) -> None:
    """An order whose request is not answered is taken for gone."""
    lost = Orders.lost

    def bury(self: Orders, order: Order, now_ns: Nanos) -> None:
        lost(self, order, now_ns)
        _bury(self, order)

    patch.setattr(Orders, "lost", bury)


def stale_snapshot_buries(patch: pytest.MonkeyPatch) -> None:
    """What a snapshot does not list is gone, however long ago it was asked for."""

    def bury(self: Orders, order: Order, asked_ns: Nanos) -> None:
        if order.working:
            order.status = Status.UNKNOWN
            _bury(self, order)

    patch.setattr(Orders, "not_in_snapshot", bury)


def limits_ignore_resting(patch: pytest.MonkeyPatch) -> None:
    """Only what is filled already counts for limits."""

    def worst(ours: Iterable[Order], side: object, *_: object, **__: object) -> Decimal:
        return sum((o.unbooked for o in ours if o.side is side), ZERO)

    def worst_of_both(ours: Sequence[Order], *_: object) -> tuple[Decimal, Decimal]:
        return worst(ours, Side.BUY), worst(ours, Side.SELL)

    patch.setattr(exposure, "worst_amounts", worst_of_both)
    patch.setattr(approve, "worst_amount", worst)


def cancel_overtakes_place(patch: pytest.MonkeyPatch) -> None:
    """An unwanted order is cancelled before its place is answered."""
    plain = diff.diff

    def hasty(*args: Any) -> list[diff.Action]:
        actions: list[diff.Action] = plain(*args)
        targets, working, reasons = args[:3]
        wanted = {(t.side, t.level) for t in targets}
        for order in working:
            if order.status is Status.PENDING and (order.side, order.level) not in wanted:
                why = reasons.get(order.side, order.why)
                actions.append(diff.Action(Request.CANCEL, order.instrument, order, None, why))
        return actions

    patch.setattr(decide, "diff", hasty)
    patch.setitem(order_life.ORDER_LIFE, (Status.PENDING, Trigger.CANCEL_SENT), Status.CANCELING)
    patch.setitem(order_life.ORDER_LIFE, (Status.CANCELING, Trigger.PROVEN_ABSENT), Status.DONE)


def resent_blindly(patch: pytest.MonkeyPatch) -> None:
    """A place that is not answered in time is forgotten, and so placed again."""
    overdue = Orders.overdue

    def forget(self: Orders, now_ns: Nanos) -> list[Order]:
        pending = [o for o in self.all() if o.status is Status.PENDING]
        late = overdue(self, now_ns)
        for order in late:
            if order in pending:
                _bury(self, order)
        return late

    patch.setattr(Orders, "overdue", forget)


def gap_ignored(patch: pytest.MonkeyPatch) -> None:
    """A book with a gap is quoted on as if nothing had happened."""
    patch.setattr(books.Market, "lose_book", lambda self, why: None)


def latch_not_persisted(patch: pytest.MonkeyPatch) -> None:
    """The kill switch is known to the process alone."""
    wanted = lease_check._wanted

    def forgetful(bot: state.State, now_ns: Nanos) -> list[intents.StoreIntent]:
        return [i for i in wanted(bot, now_ns) if not isinstance(i, intents.SaveLatch)]

    patch.setattr(lease_check, "_wanted", forgetful)


def tripped_but_quoting(patch: pytest.MonkeyPatch) -> None:
    """The kill switch cancels, but does not keep from quoting."""
    standing = decide._standing_reason

    def blind(bot: state.State, *args: Any) -> Any:
        tripped, bot.latch.tripped = bot.latch.tripped, None
        why = standing(bot, *args)
        bot.latch.tripped = tripped
        return why

    patch.setattr(decide, "_standing_reason", blind)


def budget_ignored(patch: pytest.MonkeyPatch) -> None:
    """Requests are sent however many there have been."""
    patch.setattr(budget.Budget, "affords", lambda self, cancel=False: True)


def foreign_is_ours(patch: pytest.MonkeyPatch) -> None:
    """Every order on the account is taken for ours."""
    for module in (order_updates, reconcile):
        patch.setattr(module, "is_ours", lambda label: True)


def late_word_believed(patch: pytest.MonkeyPatch) -> None:
    """An old message about an order is believed like a new one."""
    seen = Orders.seen

    def believe(self: Orders, said: events.OrderSeen, order: Order, asked_ns: Nanos) -> None:
        order.venue_ms = min(order.venue_ms, said.venue_ms - 1)
        seen(self, said, order, asked_ns)

    patch.setattr(Orders, "seen", believe)


def late_end_ends_the_successor(patch: pytest.MonkeyPatch) -> None:
    """The end of an order that was replaced is taken for that of what replaced it, too."""
    seen = Orders.seen

    def end_both(self: Orders, said: events.OrderSeen, order: Order, asked_ns: Nanos) -> None:
        seen(self, said, order, asked_ns)
        for other in list(self.all()):
            if said.state is not OrderState.OPEN and other.replaces == order.label:
                other.status, other.amount = Status.DONE, other.filled
                self._settled(other)

    patch.setattr(Orders, "seen", end_both)


def successor_counts_the_old_fills(patch: pytest.MonkeyPatch) -> None:
    """What is filled of an order that is being replaced is booked to its successor as well."""
    book = Orders.book

    def book_twice(self: Orders, order: Order, fill: Fill) -> None:
        for other in list(self.all()):
            if other.replaces == order.label:
                book(self, other, fill)
        book(self, order, fill)

    patch.setattr(Orders, "book", book_twice)


def placed_before_the_end_is_known(patch: pytest.MonkeyPatch) -> None:
    """Where nothing can be moved, an order is placed as soon as the old one is being cancelled."""
    plain = diff.diff

    def hasty(targets: Any, working: Sequence[Order], *args: Any) -> list[diff.Action]:
        left = [order for order in working if order.status is not Status.CANCELING]
        return plain(targets, left, *args)

    patch.setattr(decide, "diff", hasty)


def void_not_reversed(patch: pytest.MonkeyPatch) -> None:
    """A fill that the venue takes back stays booked."""
    patch.setattr(booking, "_take_back", lambda *_: None)


def limits_by_one_reading(patch: pytest.MonkeyPatch) -> None:
    """Limits take a provisional fill for one that stands."""

    def worst(self: inventory.Inventory, instrument: InstrumentId, side: object) -> Decimal:
        return self.amount(instrument)

    patch.setattr(inventory.Inventory, "worst", worst)


def never_renewed(patch: pytest.MonkeyPatch) -> None:
    """An order that is wanted rests until it expires."""
    patch.setattr(expiry, "LAST_PART", 10**12)


def expired_is_alive(patch: pytest.MonkeyPatch) -> None:
    """An order that has expired is believed to rest for as long as nothing else ends it."""
    seen, not_found = Orders.seen, Orders.not_found

    def deny(self: Orders, said: events.OrderSeen, order: Order, asked_ns: Nanos) -> None:
        expired = 0 < order.expires_ns <= said.venue_ms * MS + SECOND
        if not (expired and said.state is OrderState.CANCELLED):
            seen(self, said, order, asked_ns)

    def deny_absence(self: Orders, order: Order, asked_ns: Nanos) -> None:
        if not expiry.has_expired(order, asked_ns):
            not_found(self, order, asked_ns)

    patch.setattr(Orders, "seen", deny)
    patch.setattr(Orders, "not_found", deny_absence)


def _bury(table: Orders, order: Order) -> None:
    if order.status is not Status.LIVE and order.working:
        order.status = Status.DONE
        order.amount = order.filled
        table._settled(order)


PLANTS: Sequence[Plant] = (
    no_trade_id_dedup,
    unknown_is_dead,
    stale_snapshot_buries,
    limits_ignore_resting,
    cancel_overtakes_place,
    resent_blindly,
    gap_ignored,
    latch_not_persisted,
    tripped_but_quoting,
    budget_ignored,
    foreign_is_ours,
    late_word_believed,
    late_end_ends_the_successor,
    successor_counts_the_old_fills,
    placed_before_the_end_is_known,
    void_not_reversed,
    limits_by_one_reading,
    never_renewed,
    expired_is_alive,
)


def assert_caught(
    plant: Plant, patch: pytest.MonkeyPatch, note: Callable[[str, object], None]
) -> None:
    """Run seeds until one of them is against it."""
    plant(patch)
    crashes, can = CRASHES_PER_HOUR.get(plant.__name__), LIVES.get(plant.__name__)
    for seed in range(1, SEEDS_MAX + 1):
        violation = drawn_world(seed, crash_per_hour=crashes, can=can).run().violation
        if violation is not None:
            note("seeds", seed)
            note("check", violation.check)
            print(f"{plant.__name__}: seed {seed}, {violation.check}: {violation.detail}")
            return
    raise AssertionError(f"not one of {SEEDS_MAX} seeds catches it")


# --- of two accounts --------------------------------------------------------------------------


def first_flat_account_ends_the_leaving(patch: pytest.MonkeyPatch) -> None:
    """Whoever leaves waits for the proof of one account, and takes it for that of all."""

    def hasty(bot: state.State, venues: Iterable[str]) -> list[str]:
        waits = leaving_rules.unproved(bot, venues)
        return waits if len(waits) == len(list(venues)) else []

    patch.setattr(leaving, "unproved", hasty)


def each_account_its_own_book(patch: pytest.MonkeyPatch) -> None:
    """What another account has of a coin does not count for the limit of all."""

    def others(bot: state.State, market: books.Market) -> Decimal:
        here = (
            one.worst_coin
            for one in bot.markets.values()
            if one is not market
            and one.instrument.venue == market.instrument.venue
            and one.instrument.underlying == market.instrument.underlying
        )
        return sum(here, ZERO)

    patch.setattr(decide, "others_coin", others)


@pytest.mark.parametrize(
    ("plant", "seeds_max"),
    [(first_flat_account_ends_the_leaving, 20), (each_account_its_own_book, SEEDS_MAX)],
)
def test_a_planted_bug_of_two_accounts_is_caught(
    plant: Plant,
    seeds_max: int,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    plant(monkeypatch)
    for seed in range(1, seeds_max + 1):
        violation = drawn_pair(seed).run().violation
        if violation is not None:
            record_property("seeds", seed)
            record_property("check", violation.check)
            print(f"{plant.__name__}: seed {seed}, {violation.check}: {violation.detail}")
            return
    raise AssertionError(f"not one of {seeds_max} seeds catches it")


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    assert_caught(plant, monkeypatch, record_property)
