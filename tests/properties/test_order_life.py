"""Whatever the line does to our requests and the venue's answers, these hold after every turn:

* no slot ever has two orders that are open at the venue or may still open there;
* no slot of the table has more than one working order, or one and its successor;
* what we believe may still reach the position is never less than what may;
* an order held for live is what the newest statement says that has reached us;
* position limits hold in that worst case.

And once the line is good again: our orders are the venue's, the positions are equal, the quotes are
what the strategy wants; told to stop, nothing is left.
"""

from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.intents import Place, Replace, Resync, VenueIntent
from mmbot.core.order_life import OrderState, Status
from mmbot.core.orders import Order
from mmbot.core.sizes import Size
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, Label, Quote, Side
from mmbot.core.why import Why
from mmbot.risk.max_position import MaxPosition
from tests.builders import a_quote, an_option
from tests.core.bot import VENUE, Bot
from tests.properties.venue_model import VenueModel

LIMIT = Decimal(6)
Slot = tuple[Side, int]

bids = st.integers(0, 7).map(lambda n: 0.0100 + 0.0005 * n)
asks = st.integers(0, 7).map(lambda n: 0.0140 + 0.0005 * n)
sizes = st.integers(1, 5)
picks = st.integers(0, 20)


class OrderLife(RuleBasedStateMachine):
    """A bot, a venue and a bad line between them."""

    can = Capabilities()
    """How orders live at the venue."""

    def __init__(self) -> None:
        super().__init__()
        self.bot = Bot(rules=[MaxPosition(limit=Size(LIMIT))])
        self.venue = VenueModel(an_option().id, vague=not self.can.end_tells_filled)
        self.slots: dict[Label, Slot] = {}
        self.heard: dict[Label, ev.OrderSeen | OpenOrder] = {}
        self.pushed: list[ev.OrderSeen | ev.Filled] = []

    @initialize(skew_ms=st.integers(-900, 900))
    def start(self, skew_ms: int) -> None:
        self.venue.skew_ns = skew_ms * MS
        self.bot.turn(ev.VenueDescribed(VENUE, self.can))
        self.bot.connect()
        self.turn(ev.SnapshotFailed(VENUE, "first"), after_s=0.01)
        self.turn(after_s=1.1)
        self.turn(ev.LimitsRead(VENUE, rate_per_s=1000.0, burst=1000.0))
        for _ in range(3):
            self.venue.carry_out(0)
        self.turn(*self.venue.messages, self.bot.alive(), self.bot.ticker(), self.book())
        self.venue.messages.clear()

    # --- the loop ---

    def turn(self, *events: ev.Event, after_s: float = 0.001) -> None:
        lease_check = ev.LeaseChecked(self.bot.now_ns)
        self.venue.now_ns = self.bot.now_ns + int(after_s * SECOND)
        intents = self.bot.turn(lease_check, *events, after_s=after_s)
        for event in events:
            self.hear(event)
        self.sent(intents)

    def hear(self, event: ev.Event) -> None:
        """Keep the newest statement about each order that has reached us."""
        statements: list[ev.OrderSeen | OpenOrder] = []
        if isinstance(event, ev.Filled):
            self.pushed.append(event)
        elif isinstance(event, ev.OrderSeen):
            statements.append(event)
            if event.answers is None:
                self.pushed.append(event)
        elif (
            isinstance(event, ev.SnapshotTaken)
            and event.asked_ns == self.bot.account.last_snapshot_ns  # else it was superseded
        ):
            statements += [*event.orders, *(seen for _, seen in event.lookups if seen is not None)]
        for statement in statements:
            assert statement.label is not None
            known = self.heard.get(statement.label)
            if known is None or known.venue_ms <= statement.venue_ms:
                self.heard[statement.label] = statement

    def sent(self, intents: list[VenueIntent]) -> None:
        for intent in intents:
            if isinstance(intent, Place | Replace):
                order = self.bot.state.orders.by_label[intent.label]
                self.slots[intent.label] = (order.side, order.level)
        self.venue.submit(intents)

    def well(self) -> list[ev.Event]:
        """Market data flows, lease and latch are read, time passes."""
        return [
            self.bot.alive(),
            self.bot.lease_check(),
            self.bot.ticker(mark=0.0140),
            self.book(),
            ev.Tick(),
        ]

    def book(self) -> ev.BookChanged:
        """The others far outside, and what the venue really has of ours."""
        book: dict[Side, dict[float, float]] = {Side.BUY: {0.0090: 10.0}, Side.SELL: {0.0190: 10.0}}
        for order in self.venue.open_orders():
            level = book[order.side]
            level[float(order.price)] = level.get(float(order.price), 0.0) + float(order.remaining)
        best_bid, best_ask = max(book[Side.BUY]), min(book[Side.SELL])
        if best_bid >= best_ask:  # one of ours is meeting another: the venue cancels one
            book = {Side.BUY: {0.0090: 10.0}, Side.SELL: {0.0190: 10.0}}
        return ev.BookChanged(
            instrument=an_option().id,
            bids=tuple(sorted(book[Side.BUY].items(), reverse=True)),
            asks=tuple(sorted(book[Side.SELL].items())),
            venue_ms=(self.venue.now_ns + self.venue.skew_ns) // MS + 1,
            received_ns=self.bot.now_ns,
        )

    # --- the market, and a good line ---

    @rule(bid=bids, ask=asks, size=sizes, levels=st.integers(1, 3), sides=st.integers(1, 3))
    def want(self, bid: float, ask: float, size: int, levels: int, sides: int) -> None:
        quotes: list[Quote] = []
        for level in range(levels):
            if sides & 1:
                quotes.append(a_quote(Side.BUY, bid - 0.0010 * level, size, level=level))
            if sides & 2:
                quotes.append(a_quote(Side.SELL, ask + 0.0010 * level, size, level=level))
        self.bot.wants = quotes
        self.turn(self.bot.ticker(mark=0.0140), self.book())

    @rule()
    def want_nothing(self) -> None:
        self.bot.wants = ()
        self.turn(self.bot.ticker(mark=0.0140), self.book())

    @rule(bid=bids, size=sizes, seconds=st.sampled_from([0.25, 0.5, 1.0]))
    def all_is_well_for(self, bid: float, size: int, seconds: float) -> None:
        self.bot.wants = [a_quote(Side.BUY, bid, size), a_quote(Side.SELL, bid + 0.0040, size)]
        if self.venue.up:
            self.run_well(seconds)

    @rule(pick=picks, amount=st.integers(1, 5))
    @precondition(lambda self: self.venue.open_orders())
    def somebody_trades(self, pick: int, amount: int) -> None:
        self.venue.trade(pick, Decimal(amount))

    @rule(count=st.integers(1, 6))
    @precondition(lambda self: self.venue.requests)
    def requests_arrive_in_order(self, count: int) -> None:
        for _ in range(min(count, len(self.venue.requests))):
            self.venue.carry_out(0)

    @rule()
    @precondition(lambda self: self.venue.messages)
    def all_messages_arrive(self) -> None:
        messages, self.venue.messages = self.venue.messages, []
        self.turn(*messages, self.book())

    @rule()
    def a_moment_passes(self) -> None:
        self.turn(*self.well(), after_s=0.1)

    # --- and a bad one ---

    @rule(pick=picks)
    @precondition(lambda self: len(self.venue.requests) > 1)
    def request_overtakes(self, pick: int) -> None:
        self.venue.carry_out(pick)

    @rule()
    @precondition(lambda self: self.venue.asked())
    def snapshot_overtakes_everything(self) -> None:
        snapshot = self.venue.asked()[-1]
        while snapshot in self.venue.requests:
            self.venue.carry_out(self.venue.requests.index(snapshot))
        self.turn(self.venue.messages.pop(), *self.well(), after_s=0.1)

    @rule()
    @precondition(lambda self: self.venue.asked())
    def snapshot_is_slow(self) -> None:
        """It has read the orders; everything else happens before it is back."""
        snapshot = self.venue.asked()[-1]
        if snapshot.stage == 0:
            self.venue.carry_out(self.venue.requests.index(snapshot))

    @rule(pick=picks)
    @precondition(lambda self: self.venue.requests)
    def request_is_lost(self, pick: int) -> None:
        lost = self.venue.requests.pop(pick % len(self.venue.requests))
        if isinstance(lost.intent, Resync):
            self.turn(ev.SnapshotFailed(VENUE, "lost"))

    @rule(pick=picks, gone=st.booleans())
    @precondition(lambda self: self.venue.requests)
    def request_is_refused(self, pick: int, gone: bool) -> None:
        self.venue.refuse(pick, gone=gone)

    @rule(pick=picks, again=st.booleans())
    @precondition(lambda self: self.venue.messages)
    def message_overtakes(self, pick: int, again: bool) -> None:
        index = pick % len(self.venue.messages)
        message = self.venue.messages[index] if again else self.venue.messages.pop(index)
        self.turn(message)

    @rule(pick=picks)
    @precondition(lambda self: self.pushed)
    def old_push_comes_again(self, pick: int) -> None:
        self.turn(self.pushed[-1 - pick % len(self.pushed)])

    @rule(pick=picks)
    @precondition(lambda self: self.venue.messages)
    def message_is_lost(self, pick: int) -> None:
        lost = self.venue.messages.pop(pick % len(self.venue.messages))
        if isinstance(lost, ev.SnapshotTaken):
            self.turn(ev.SnapshotFailed(VENUE, "lost"))

    @rule(seconds=st.sampled_from([0.6, 2.2, 2.4, 6.0, 35.0]))
    def nothing_comes_for(self, seconds: float) -> None:
        step_s = max(0.2, seconds / 20)
        for _ in range(round(seconds / step_s)):
            self.turn(*self.well(), after_s=step_s)

    @rule(seconds=st.sampled_from([2.0, 9.0]), cut=st.booleans(), cancels_orders=st.booleans())
    def something_breaks(self, seconds: float, cut: bool, cancels_orders: bool) -> None:
        """The line is cut, or the engine stands still."""
        if not cut:
            self.turn(after_s=seconds)
        elif self.venue.up:
            failed = self.venue.cut(cancels_orders=cancels_orders)
            self.turn(*failed, ev.LinkChanged(VENUE, ev.Link.TRADING, up=False))

    @rule()
    @precondition(lambda self: not self.venue.up)
    def line_comes_back(self) -> None:
        self.venue.up = True
        self.turn(ev.LinkChanged(VENUE, ev.Link.TRADING, up=True), *self.well())

    # --- what must always hold ---

    @invariant()
    def no_slot_has_two_orders(self) -> None:
        count: dict[Slot, int] = {}
        possible = [o.label for o in self.venue.open_orders()]
        possible += [r.intent.label for r in self.venue.alive() if isinstance(r.intent, Place)]
        for label in possible:
            slot = self.slots[label]
            count[slot] = count.get(slot, 0) + 1
        assert all(n == 1 for n in count.values()), (count, possible)

    @invariant()
    def no_slot_of_the_table_has_more_than_an_order_and_its_successor(self) -> None:
        slots: dict[Slot, list[Order]] = {}
        for order in self.bot.orders:
            if order.working:
                slots.setdefault((order.side, order.level), []).append(order)
        for working in slots.values():
            labels = [order.label for order in working]
            linked = [order for order in working if order.replaces in labels]
            assert len(working) - len(linked) == 1, labels
            assert len(working) <= 2, labels

    @invariant()
    def nothing_that_may_still_happen_is_left_out(self) -> None:
        for side in Side:
            may = self.venue.traded(side)
            may += sum(
                self.venue.may_still_fill(label)
                for label, (of, _) in self.slots.items()
                if of is side
            )
            assert self.believed(side) >= may, side

    @invariant()
    def a_live_order_is_what_the_newest_statement_says(self) -> None:
        for order in self.bot.orders:
            if order.status is Status.LIVE:
                newest = self.heard[order.label]
                assert (order.price, order.amount) == (newest.price, newest.amount)
                assert not isinstance(newest, ev.OrderSeen) or newest.state is OrderState.OPEN

    @invariant()
    def limits_hold_in_the_worst_case(self) -> None:
        position = self.bot.position
        assert position + self.exposed(Side.BUY) <= LIMIT
        assert position - self.exposed(Side.SELL) >= -LIMIT

    def exposed(self, side: Side) -> Decimal:
        """What our orders on that side may still add."""
        orders = self.bot.state.orders.on(an_option().id)
        return sum((order.exposed for order in orders if order.side is side), Decimal(0))

    def believed(self, side: Side) -> Decimal:
        """Booked on that side, and what may come."""
        booked = sum(
            t.amount
            for t in self.venue.trades
            if t.side is side and t.key in self.bot.state.inventory.booked
        )
        return booked + self.exposed(side)

    # --- what must hold in the end ---

    def teardown(self) -> None:
        if self.bot.state.turns < 3:
            return
        if not self.venue.up:
            self.line_comes_back()
        self.bot.wants = [a_quote(Side.BUY, 0.0120, 1), a_quote(Side.SELL, 0.0150, 1)]
        self.run_well(40.0)
        self.the_same_on_both_sides()
        position = self.bot.position
        wanted = {Side.BUY: Decimal("0.0120"), Side.SELL: Decimal("0.0150")}
        if abs(position) < LIMIT:
            assert {o.side: o.price for o in self.bot.orders} == wanted
        self.turn(ev.Stop(Why.USER))
        self.run_well(2.0)
        assert self.bot.state.flat_verified
        assert self.venue.open_orders() == []

    def run_well(self, seconds: float) -> None:
        """A good line for that long."""
        for _ in range(round(seconds / 0.25)):
            while self.venue.requests:
                self.venue.carry_out(0)
            messages, self.venue.messages = self.venue.messages, []
            self.turn(*messages, *self.well(), after_s=0.25)
            self.limits_hold_in_the_worst_case()

    def the_same_on_both_sides(self) -> None:
        assert self.bot.position == self.venue.position
        assert self.bot.market.halted == ""
        assert {o.status for o in self.bot.orders} <= {Status.LIVE}
        ours = {(o.label, o.price, o.amount, o.filled) for o in self.bot.orders}
        theirs = {(o.label, o.price, o.amount, o.filled) for o in self.venue.open_orders()}
        assert ours == theirs


class Replaced(OrderLife):
    """The same where a move ends one order and creates another."""

    can = Capabilities(move=Move.REPLACE)


class Unmoved(OrderLife):
    """The same where nothing can be moved, and a cancel is confirmed without saying what was
    filled."""

    can = Capabilities(move=Move.NONE, end_tells_filled=False)


SETTINGS = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

TestOrderLife = OrderLife.TestCase
TestOrderLife.settings = SETTINGS
TestReplaced = Replaced.TestCase
TestReplaced.settings = SETTINGS
TestUnmoved = Unmoved.TestCase
TestUnmoved.settings = SETTINGS
