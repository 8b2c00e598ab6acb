"""The order table: what we believe of our own orders, and how the venue's word changes it.

Theory of operation
-------------------
1. An order is in one of six statuses. core.order_life says which trigger leads where; a missing key
   is a bug and raises. Nothing changes a status but this file and core.two_orders.
2. Only a venue statement ends an order: its own message, a refusal that says there is no such
   order, or proof of absence (rule 4). A time-out, a lost reply, a closed socket turn it UNKNOWN.
3. At most one request per order is in flight (PENDING, AMENDING, CANCELING), each with a deadline;
   past it the order is UNKNOWN. So an amend or a cancel never overtakes its place. A replace is
   one request about two orders: the old one is CANCELING, its successor PENDING, and from then on
   each goes its own way.
4. Absence is proof only when the venue was asked after `uncertain_until_ns`: the moment from which
   on no request of ours about this order can still take effect (`uncertain_ns` after it was sent).
5. Money first: fills are booked by inventory, and here counted as `booked`. What the venue says is
   filled but no fill was booked for is *unbooked*: such an order stays in the table, even when
   done, and counts for limits until its fills arrive.
6. Every status but DONE counts as working, for limits and for the diff.
7. An end without a word of how much was filled is none yet: the order is UNKNOWN until the venue
   says it or, asked afterwards, has listed its trades.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from mmbot.core.absence import uncertain_ns
from mmbot.core.ages import Ages
from mmbot.core.capabilities import Capabilities
from mmbot.core.events import OrderSeen
from mmbot.core.order_counts import OrderCounts
from mmbot.core.order_life import DONE, IN_FLIGHT, ORDER_LIFE, OrderState, Request, Status, Trigger
from mmbot.core.statements import Fill, OpenOrder, order_key
from mmbot.core.types import SECOND, ZERO, InstrumentId, Label, Nanos, Owner, Side, Slot, venue_name
from mmbot.core.why import Why

CANCEL_AGAIN_NS: Nanos = SECOND // 2
"""Between two cancels of one order, when the venue refused the first or nobody knows."""

CANCEL_AGAIN_MAX_NS: Nanos = 5 * SECOND
"""The same when the venue keeps refusing."""

ORPHAN_LEVEL = -1
"""The level of an order that fills no slot: found at the venue, to be cancelled."""

_FORGOTTEN_MAX = 4096
_AMEND, _AMEND_SENT = Request.AMEND, Trigger.AMEND_SENT


@dataclass(slots=True, kw_only=True)
class Order:
    """One order of ours. `amount` and `filled` as last stated by the venue (or as sent, before
    its first word); `want_*` are the terms of an amend in flight."""

    label: Label
    instrument: InstrumentId
    side: Side
    level: int
    price: Decimal
    amount: Decimal
    why: Why
    status: Status = Status.PENDING
    order_id: str = ""
    filled: Decimal = ZERO
    booked: Decimal = ZERO
    want_price: Decimal = ZERO
    want_amount: Decimal = ZERO
    request: Request | None = None
    sent_ns: Nanos = 0
    deadline_ns: Nanos = 0
    uncertain_until_ns: Nanos = 0
    unknown_ns: Nanos = 0
    cancel_again_ns: Nanos = 0
    """No further cancel before this moment."""
    cancels_refused: int = 0  # in a row
    venue_ms: int = 0
    unsized: bool = False
    """Found at the venue, which did not say what it is worth: it counts as nothing, so nothing is
    quoted beside it until it is gone."""
    adopted_ms: int = -1
    """Fills up to this venue moment were counted when the order was found at the venue."""
    fair: float = 0.0
    owner: Owner = Owner.DESK
    replaces: Label | None = None
    """The order that ends with the request that creates this one."""
    placed_ns: Nanos = 0
    """When it was sent."""
    ended: bool = False
    """The venue has said that it is over, but not how much of it was filled."""
    expires_ns: Nanos = 0  # it ends by itself then; 0: never, or nobody knows when (core.expiry)
    expiring: bool = False  # that is so soon, or so unclear, that it must be moved

    @property
    def slot(self) -> Slot:
        """Which of the instrument's slots it fills."""
        return self.side, self.owner, self.level

    @property
    def working(self) -> bool:
        """Whether it may rest at the venue, now or soon."""
        return self.status is not DONE

    @property
    def remaining(self) -> Decimal:
        """What the venue says is still open."""
        return self.amount - self.filled if self.filled < self.amount else ZERO

    @property
    def unbooked(self) -> Decimal:
        """Filled by the venue's word, but no fill of it booked yet."""
        return self.filled - self.booked if self.booked < self.filled else ZERO

    @property
    def exposed(self) -> Decimal:
        """The most that may still reach our position through this order."""
        if self.status is DONE:
            return self.unbooked
        most = self.amount if self.want_amount < self.amount else self.want_amount
        return most - self.booked if self.booked < most else ZERO

    def step(self, trigger: Trigger) -> None:
        """Move along the table; an impossible move is a bug."""
        following = ORDER_LIFE.get((self.status, trigger))
        assert following is not None, f"order {self.label}: {trigger.name} in {self.status.name}"
        self.status = following


@dataclass(slots=True)
class Orders:
    """Every order of ours that is working or owes us a fill, on every account."""

    by_instrument: dict[InstrumentId, dict[Label, Order]] = field(default_factory=dict)
    by_label: dict[Label, Order] = field(default_factory=dict)
    forgotten: dict[Label, int] = field(default_factory=dict)
    """Labels of finished orders -> the venue's last stamp: late words about them are old news."""
    ids: dict[str, Label] = field(default_factory=dict)
    """Our orders by order_key, finished ones too: executions may come without a label."""
    learned: dict[Label, tuple[str, str]] = field(default_factory=dict)
    """Of these, venue and id that the store is not told yet, where none names labels."""
    changed: dict[Label, Order] = field(default_factory=dict)
    """What the store has not been told yet; the newest state of an order counts."""
    counted: dict[InstrumentId, OrderCounts] = field(default_factory=dict)
    """By instrument, what became of our requests."""
    forgotten_ages: Ages = field(default_factory=Ages)
    id_ages: Ages = field(default_factory=Ages)

    # --- reading ---

    def on(self, instrument: InstrumentId) -> Iterator[Order]:
        """Our orders on one instrument, oldest first."""
        return iter(self.by_instrument.get(instrument, {}).values())

    @property
    def counts(self) -> OrderCounts:
        """What became of all our requests."""
        return sum(self.counted.values(), OrderCounts())

    def all(self) -> Iterator[Order]:
        """Every order, oldest first."""
        return iter(self.by_label.values())

    def at(self, venue: str) -> Iterator[Order]:
        """Our orders at one venue, oldest first."""
        return (order for order in self.by_label.values() if venue_name(order.instrument) == venue)

    def working(self, venue: str) -> bool:
        """Whether any order of ours may still rest at the venue."""
        return any(order.working and not order.ended for order in self.at(venue))

    # --- sending ---

    def add(self, order: Order) -> None:
        """A place is on its way (or a live order of ours was found at the venue)."""
        self.changed[order.label] = order
        assert order.label not in self.by_label, f"label {order.label} used twice"
        self.by_label[order.label] = order
        self.by_instrument.setdefault(order.instrument, {})[order.label] = order
        if order.order_id:
            self.ids[order_key(venue_name(order.instrument), order.order_id)] = order.label

    def amend_sent(
        self, order: Order, price: Decimal, amount: Decimal, can: Capabilities, now_ns: Nanos
    ) -> None:
        """An amend to these terms leaves now."""
        self.changed[order.label] = order
        order.step(_AMEND_SENT)
        order.request, order.want_price, order.want_amount = _AMEND, price, amount
        order.sent_ns, order.deadline_ns = now_ns, now_ns + can.request_deadline_ns
        order.uncertain_until_ns = now_ns + uncertain_ns(can)

    def cancel_sent(self, order: Order, can: Capabilities, now_ns: Nanos) -> None:
        """A cancel leaves now."""
        self.changed[order.label] = order
        order.step(Trigger.CANCEL_SENT)
        order.cancel_again_ns = now_ns + CANCEL_AGAIN_NS
        order.request = Request.CANCEL
        order.sent_ns, order.deadline_ns = now_ns, now_ns + can.request_deadline_ns
        order.uncertain_until_ns = max(order.uncertain_until_ns, now_ns)

    # --- the venue's word ---

    def seen(  # noqa: C901, PLR0912  # a statement is weighed against what is known in one place
        self, seen: OrderSeen, order: Order, asked_ns: Nanos
    ) -> None:
        """The venue states where `order` stands: asked at `asked_ns`, or by itself (0)."""
        self.changed[order.label] = order
        if seen.venue_ms < order.venue_ms:
            return  # overtaken by a newer statement, even if it is an answer
        over = not order.working or (order.ended and seen.state is OrderState.OPEN)
        if seen.venue_ms == order.venue_ms and over:
            return  # the last word was about its end
        known_ms, order.venue_ms = order.venue_ms, seen.venue_ms
        self._identify(order, seen.order_id)
        order.ended = False
        if seen.filled is not None:  # less than before only where a fill was taken back
            known = order.booked if seen.venue_ms > known_ms else order.filled
            order.filled = max(known, seen.filled)
        elif seen.state is OrderState.FILLED:
            most = max(order.amount, order.want_amount) if seen.amount is None else seen.amount
            order.filled = max(order.filled, most)
        if seen.state is not OrderState.OPEN:
            if order.working:
                if seen.state is OrderState.CANCELLED:
                    self._count(order).cancelled += order.request is not Request.REPLACE
                elif seen.state is OrderState.REJECTED:
                    self._count(order).rejected += 1
            if order.status is Status.PENDING and seen.state is not OrderState.REJECTED:
                self._count(order).placed += 1
            order.step(Trigger.SEEN_DONE)
            order.amount = order.filled
            self._settled(order)
            return
        amending = order.request is Request.AMEND
        # An answer that tells nothing new is the late one to an earlier amend.
        amended = amending and (
            (seen.price == order.want_price and seen.amount in (order.want_amount, None))
            or (seen.answers is Request.AMEND and seen.venue_ms > known_ms)
        )
        if (
            order.status is Status.UNKNOWN
            and amending
            and not amended
            and asked_ns < order.uncertain_until_ns
        ):
            return  # the amend may still take effect, or its message may be on its way
        if amended:
            if order.status is Status.AMENDING:
                self._count(order).amended += 1
                order.step(Trigger.SEEN_AMENDED)
            else:
                order.step(Trigger.SEEN_OPEN)
        else:
            if order.status is Status.PENDING and order.replaces is not None:
                self._count(order).amended += 1
            elif order.status is Status.PENDING:
                self._count(order).placed += 1
            order.step(Trigger.SEEN_OPEN)
        if None not in (seen.price, seen.amount, seen.filled):
            order.unsized = order.unsized and seen.instrument != order.instrument
        told = (order.price, order.amount)  # by what we asked for, where it is not repeated
        if amended:
            told = (order.want_price, order.want_amount)
        order.price = told[0] if seen.price is None else seen.price
        order.amount = told[1] if seen.amount is None else seen.amount
        if order.status is Status.LIVE:
            self._answered(order)

    def ended(self, order: Order, seen: OrderSeen, now_ns: Nanos) -> None:
        """The venue says that it is over, and not how much of it was filled: that is asked."""
        if seen.venue_ms >= order.venue_ms:
            order.venue_ms, order.ended = seen.venue_ms, True
            self._identify(order, seen.order_id)
            self.lost(order, now_ns)
            order.uncertain_until_ns = now_ns

    def _count(self, order: Order) -> OrderCounts:
        """Where the requests about its instrument are counted."""
        return self.counted.setdefault(order.instrument, OrderCounts())

    def _identify(self, order: Order, order_id: str) -> None:
        if order_id and order_id != order.order_id:
            order.order_id = order_id
            self.ids[order_key(venue_name(order.instrument), order_id)] = order.label
            if len(self.ids) > _FORGOTTEN_MAX:
                oldest = next(iter(self.ids))
                label = self.ids.pop(oldest)
                if label in self.by_label:
                    self.ids[oldest] = label  # it is still about

    def refused(self, order: Order, request: Request, stands: bool | None, now_ns: Nanos) -> None:
        """The venue said no to a request about `order`."""
        self.changed[order.label] = order
        if order.request is not None and request is not order.request:
            return  # to an earlier one, no longer waited for: the one in flight decides
        if order.working:
            # What a refused replace would have created is counted.
            self._count(order).rejected += request not in (Request.CANCEL, Request.REPLACE)
        if request is Request.CANCEL:
            order.cancels_refused += 1
            times = min(order.cancels_refused - 1, 10)
            order.cancel_again_ns = now_ns + min(CANCEL_AGAIN_MAX_NS, CANCEL_AGAIN_NS << times)
        if stands is True:
            order.step(Trigger.REFUSED_STANDS)
        elif stands is False and request is Request.PLACE:
            order.step(Trigger.REFUSED_NO_ORDER)
        else:
            # Answered, so nothing is outstanding: the next look at the venue decides.
            order.step(Trigger.REFUSED_UNCLEAR)
            order.uncertain_until_ns = order.unknown_ns = now_ns
        if order.status is Status.LIVE:
            self._answered(order)
        elif order.status is Status.UNKNOWN:
            order.request, order.want_price, order.want_amount = None, ZERO, ZERO
        else:
            self._settled(order)

    def lost(self, order: Order, now_ns: Nanos) -> None:
        """No answer will come, or the line it lived on is gone."""
        self.changed[order.label] = order
        if order.status not in IN_FLIGHT:
            order.uncertain_until_ns = max(order.uncertain_until_ns, now_ns)
        order.step(Trigger.LOST)
        if order.status is Status.UNKNOWN and not order.unknown_ns:
            order.unknown_ns = now_ns

    def overdue(self, now_ns: Nanos) -> list[Order]:
        """Orders whose request passed its deadline just now; they become UNKNOWN."""
        late = [o for o in self.all() if o.status in IN_FLIGHT and now_ns >= o.deadline_ns]
        for order in late:
            self.lost(order, now_ns)
        return late

    def in_snapshot(self, order: Order, stated: OpenOrder, asked_ns: Nanos) -> None:
        """A snapshot lists `order` as open."""
        if order.status in IN_FLIGHT or order.status is Status.DONE:
            return  # its own answer is under way, or newer than the snapshot
        if order.status is Status.LIVE and order.sent_ns > asked_ns:
            return  # asked before our last request was answered
        self.seen(
            OrderSeen(
                venue="",
                label=order.label,
                order_id=stated.order_id,
                instrument=order.instrument,
                side=order.side,
                price=stated.price,
                amount=stated.amount,
                filled=stated.filled,
                state=OrderState.OPEN,
                venue_ms=stated.venue_ms,
            ),
            order,
            asked_ns,
        )

    def not_in_snapshot(self, order: Order, asked_ns: Nanos) -> None:
        """A snapshot asked at `asked_ns` does not list `order` as open: look it up by name."""
        if order.status is Status.LIVE and order.sent_ns < asked_ns:
            self.lost(order, asked_ns)

    def not_found(self, order: Order, asked_ns: Nanos) -> None:
        """Asked about by name at `asked_ns` (and not open then), the venue knows no such order."""
        self.changed[order.label] = order
        if order.status is Status.UNKNOWN and asked_ns > order.uncertain_until_ns:
            order.step(Trigger.PROVEN_ABSENT)
            order.amount = order.filled
            self._settled(order)

    def book(self, order: Order, fill: Fill) -> None:
        """A fill of this order, or the reversal of one, has been booked."""
        self.changed[order.label] = order
        if fill.venue_ms <= order.adopted_ms:
            return  # counted when the order was adopted
        change = -fill.amount if fill.reverses else fill.amount
        order.booked += change
        order.filled = max(order.filled + min(change, ZERO), order.booked)
        self._settled(order)

    def all_listed(self, order: Order, filled: Decimal | None) -> None:
        """Its end is known, with so much `filled`, and every trade of it has been listed since."""
        if order.status is Status.DONE:
            self.changed[order.label] = order
            order.filled = max(order.booked, filled or ZERO)
            self._settled(order)

    # --- housekeeping ---

    def _answered(self, order: Order) -> None:
        order.request, order.want_price, order.want_amount = None, ZERO, ZERO
        order.unknown_ns = order.uncertain_until_ns = 0  # nothing is outstanding

    def _settled(self, order: Order) -> None:
        """Forget an order that is done and owes nothing."""
        if order.status is not Status.DONE or order.unbooked > 0:
            return
        self.by_label.pop(order.label, None)
        self.by_instrument.get(order.instrument, {}).pop(order.label, None)
        self.forgotten[order.label] = order.venue_ms
        if len(self.forgotten) > _FORGOTTEN_MAX:
            del self.forgotten[next(iter(self.forgotten))]
