"""A venue that tells the truth, on a line that does not: what can really happen to our requests.

A request travels, is carried out or refused once, in any order, late or never; after its
`valid_until` by the venue's own clock (which is up to 0.9 s off) it dies. What the venue says about
it travels back as messages that can be late, reordered, repeated or lost; when the line is cut all
of them are. A snapshot is three questions, and anything may happen between them. Only two things
are certain: the venue's own list of orders and trades, and that its stamps per order grow.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace, Resync, VenueIntent
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import Fill, HeldPosition, OpenOrder
from mmbot.core.types import MS, ZERO, InstrumentId, Label, Nanos, Side
from mmbot.core.why import Why
from tests.builders import a_fill
from tests.core.bot import VENUE


@dataclass(slots=True)
class Resting:
    """One order as the venue has it."""

    label: Label
    order_id: str
    instrument: InstrumentId
    side: Side
    price: Decimal
    amount: Decimal
    session: int
    filled: Decimal = ZERO
    state: OrderState = OrderState.OPEN
    ms: int = 0

    @property
    def open(self) -> bool:
        return self.state is OrderState.OPEN

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.filled


@dataclass(slots=True)
class Traveling:
    """A request on its way. `heard` ends when the line it left on is cut: nobody will see a reply.

    A snapshot has `stage` 0 to 2 and collects its answer.
    """

    intent: VenueIntent
    sent_ns: Nanos
    session: int
    stage: int = 0
    orders: tuple[OpenOrder, ...] = ()
    positions: tuple[HeldPosition, ...] = ()
    fills: tuple[Fill, ...] = ()


@dataclass(slots=True)
class VenueModel:
    """The venue, and the line to it."""

    instrument: InstrumentId
    skew_ns: Nanos = 0
    vague: bool = False
    """Whether the answer to a cancel leaves out how much was filled."""
    session: int = 0
    up: bool = True
    now_ns: Nanos = 0
    orders: dict[Label, Resting] = field(default_factory=dict)
    trades: list[Fill] = field(default_factory=list)
    requests: list[Traveling] = field(default_factory=list)
    messages: list[ev.Event] = field(default_factory=list)
    _ms: int = 0

    # --- the truth ---

    @property
    def position(self) -> Decimal:
        return sum((f.amount * f.side.sign for f in self.trades), ZERO)

    def open_orders(self) -> list[Resting]:
        return [o for o in self.orders.values() if o.open]

    def traded(self, side: Side) -> Decimal:
        return sum((f.amount for f in self.trades if f.side is side), ZERO)

    def alive(self) -> Iterator[Traveling]:
        """Requests that may still take effect."""
        for request in self.requests:
            intent = request.intent
            dies = isinstance(intent, Place | Amend | Replace)
            if not dies or self.now_ns + self.skew_ns <= intent.valid_until_ns:  # type: ignore[union-attr]  # those two have it
                yield request

    def asked(self) -> list[Traveling]:
        """Snapshots under way."""
        return [r for r in self.requests if isinstance(r.intent, Resync)]

    def may_still_fill(self, label: Label) -> Decimal:
        """The most that may still be traded under this label, whatever else we do."""
        order = self.orders.get(label)
        flying = [r.intent for r in self.alive()]
        if order is None:
            return sum(
                (i.amount for i in flying if isinstance(i, Place | Replace) and i.label == label),
                ZERO,
            )
        if not order.open:
            return ZERO
        amended = [i.amount for i in flying if isinstance(i, Amend) and i.label == label]
        return max(order.amount, *amended) - order.filled if amended else order.remaining

    # --- our side of the line ---

    def submit(self, intents: list[VenueIntent]) -> None:
        self.requests += [Traveling(intent, self.now_ns, self.session) for intent in intents]

    def cut(self, *, cancels_orders: bool) -> list[ev.Event]:
        """The line breaks. What was on its way to us is lost; what was on its way to the venue
        may still arrive."""
        failed: list[ev.Event] = []
        for request in list(self.requests):
            if isinstance(request.intent, Resync):
                self.requests.remove(request)
                failed = [ev.SnapshotFailed(VENUE, "cut")]
        if cancels_orders:
            for order in self.open_orders():
                self._end(order, OrderState.CANCELLED)
        self.messages.clear()
        self.up, self.session = False, self.session + 1
        return failed

    # --- the venue's side ---

    def carry_out(self, index: int) -> None:
        """One request arrives."""
        request = self.requests[index % len(self.requests)]
        intent = request.intent
        if isinstance(intent, Resync):
            self._answer_snapshot(request, intent)
            return
        in_time = request in list(self.alive())
        self.requests.remove(request)
        match intent:
            case Place() if in_time:
                self._create(intent, request)
            case Replace() if in_time:
                order = self.orders[intent.old]
                if order.open:
                    self._end(order, OrderState.CANCELLED, request, Request.REPLACE)
                    self._create(intent, request)
                else:
                    self._refuse(request, intent.old, Request.REPLACE, Why.ABSENT, None)
            case Amend():
                order = self.orders[intent.label]
                if not order.open:
                    self._refuse(request, intent.label, Request.AMEND, Why.ABSENT, None)
                elif in_time and intent.amount > order.filled:
                    order.price, order.amount = intent.price, intent.amount
                    self._changed(order, request, Request.AMEND)
                elif in_time:  # less than what is filled already: nothing is left of it
                    self._end(order, OrderState.CANCELLED, request, Request.AMEND)
            case Cancel():
                order = self.orders[intent.label]
                if order.open:
                    self._end(order, OrderState.CANCELLED, request, Request.CANCEL)
                else:
                    self._refuse(request, intent.label, Request.CANCEL, Why.ABSENT, None)
            case CancelAll():
                for order in self.open_orders():
                    self._end(order, OrderState.CANCELLED)

    def _create(self, intent: Place | Replace, request: Traveling) -> None:
        order = Resting(
            label=intent.label,
            order_id=f"v{len(self.orders)}",
            instrument=intent.instrument,
            side=intent.side,
            price=intent.price,
            amount=intent.amount,
            session=request.session,
        )
        assert intent.label not in self.orders, "sent twice"
        self.orders[intent.label] = order
        self._changed(order, request, Request.PLACE)

    def refuse(self, index: int, *, gone: bool) -> None:
        """One request is refused: too many of them, or (`gone`) an amend that met the book, or a
        replace that cancelled and could not create."""
        request = self.requests[index % len(self.requests)]
        match request.intent:
            case Place(label=label):
                self.requests.remove(request)
                self._refuse(request, label, Request.PLACE, Why.CROSSED_BOOK, False)
            case Amend(label=label):
                self.requests.remove(request)
                order = self.orders[label]
                if gone and order.open:
                    self._end(order, OrderState.CANCELLED)
                stands = None if gone or not order.open else True
                self._refuse(request, label, Request.AMEND, Why.CROSSED_BOOK, stands)
            case Replace(old=label):
                self.requests.remove(request)
                order = self.orders[label]
                if gone and order.open:
                    self._end(order, OrderState.CANCELLED, request, Request.REPLACE)
                    new = request.intent.label
                    self._refuse(request, new, Request.PLACE, Why.CROSSED_BOOK, False)
                else:
                    stands = True if order.open else None
                    self._refuse(request, label, Request.REPLACE, Why.REFUSED, stands)
            case Cancel(label=label):
                self.requests.remove(request)
                self._refuse(request, label, Request.CANCEL, Why.REFUSED, True)
            case Resync():
                self.requests.remove(request)
                if request.session == self.session:
                    self.messages.append(ev.SnapshotFailed(VENUE, "refused"))
            case CancelAll(labels=labels):
                self.requests.remove(request)
                if request.session == self.session:
                    self.messages += [
                        ev.OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST) for label in labels
                    ]

    def trade(self, index: int, amount: Decimal) -> None:
        """Somebody trades with one of our orders."""
        resting = self.open_orders()
        order = resting[index % len(resting)]
        amount = min(amount, order.remaining)
        order.filled += amount
        fill = a_fill(
            order.side,
            order.price,
            amount,
            trade_id=f"trade-{len(self.trades)}",
            label=order.label,
            venue_ms=self._stamp(),
        )
        self.trades.append(fill)
        if self.up:
            self.messages.append(ev.Filled(fill))
        if order.remaining:
            self._changed(order)
        else:
            self._end(order, OrderState.FILLED)

    def _answer_snapshot(self, request: Traveling, intent: Resync) -> None:
        if request.stage == 0:
            request.orders = tuple(self._listed(o) for o in self.open_orders())
        elif request.stage == 1:
            request.fills = tuple(t for t in self.trades if t.venue_ms >= intent.fills_since_ms)
            request.positions = (HeldPosition(self.instrument, self.position),)
        else:
            self.requests.remove(request)
            self.messages.append(
                ev.SnapshotTaken(
                    venue=VENUE,
                    asked_ns=request.sent_ns,
                    orders=request.orders,
                    positions=request.positions,
                    fills=request.fills,
                    lookups=tuple((label, self._statement(label)) for _, label in intent.labels),
                )
            )
        request.stage += 1

    def _statement(self, label: Label) -> ev.OrderSeen | None:
        order = self.orders.get(label)
        return None if order is None else self._seen(order, None)

    def _listed(self, order: Resting) -> OpenOrder:
        return OpenOrder(
            order_id=order.order_id,
            label=order.label,
            instrument=order.instrument,
            side=order.side,
            price=order.price,
            amount=order.amount,
            filled=order.filled,
            venue_ms=order.ms,
        )

    def _seen(self, order: Resting, answers: Request | None) -> ev.OrderSeen:
        return ev.OrderSeen(
            venue=VENUE,
            label=order.label,
            order_id=order.order_id,
            instrument=order.instrument,
            side=order.side,
            price=order.price,
            amount=order.amount,
            filled=order.filled,
            state=order.state,
            venue_ms=order.ms,
            answers=answers,
        )

    def _changed(
        self, order: Resting, request: Traveling | None = None, answers: Request | None = None
    ) -> None:
        """A push to whoever listens, and the reply if its line still stands."""
        order.ms = self._stamp()
        if self.up:
            self.messages.append(self._seen(order, None))
        if request is not None and request.session == self.session:
            answer = self._seen(order, answers)
            if self.vague and answers is Request.CANCEL:
                answer = replace(answer, price=None, amount=None, filled=None)
            self.messages.append(answer)

    def _end(
        self,
        order: Resting,
        state: OrderState,
        request: Traveling | None = None,
        answers: Request | None = None,
    ) -> None:
        order.state = state
        self._changed(order, request, answers)

    def _refuse(
        self,
        request: Traveling,
        label: Label,
        kind: Request,
        why: Why,
        stands: bool | None,
    ) -> None:
        if request.session == self.session:
            self.messages.append(ev.RequestRefused(label, kind, why, "model", stands))

    def _stamp(self) -> int:
        self._ms = max(self._ms + 1, (self.now_ns + self.skew_ns) // MS)
        return self._ms
