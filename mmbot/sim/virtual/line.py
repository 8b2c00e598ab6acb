"""Our end of the line: what the adapter does with intents and frames, on a line full of faults.

Theory of operation
-------------------
1. Two links, each with at most one session. A link dials, signs in and subscribes, is up, is lost,
   waits (0.25 s, doubling to 30 s, forgiven after 10 s of being up) and dials again.
2. A request ends exactly once: answered, refused, or unknown when its time is up or its link is
   lost. An answer after that is still the venue's word about the order.
3. Messages of one session arrive in the order they were sent, except those a fault delays; messages
   of a session that is lost are never heard. A request may still arrive when its session is lost.
4. Books are kept by `books.py`; a snapshot of the account is several questions (`questions.py`),
   and anything may happen between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final, cast

from mmbot.core import events as ev
from mmbot.core.capabilities import REQUEST_DEADLINE_NS
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    FallbackCancel,
    Place,
    Replace,
    Resync,
    VenueIntent,
)
from mmbot.core.order_life import Request
from mmbot.core.types import MS, SECOND, Label, Nanos
from mmbot.core.why import Why
from mmbot.sim.models.credits import Rate
from mmbot.sim.virtual.books import Books
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.messages import (
    AccountMessage,
    Answer,
    BookMessage,
    Message,
    OrderRequest,
    Session,
    TickerMessage,
)
from mmbot.sim.virtual.questions import Questions, cancel_ours, snapshot
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import VENUE, id_of, too_many
from mmbot.sim.virtual.venue import VirtualVenue

LATENCY_MS: Final = (2.0, 40.0)
PROBE_EVERY_NS: Nanos = 1 * SECOND
PROBE_TIMEOUT_NS: Nanos = 2 * SECOND
ORDER_TIMEOUT_NS: Nanos = 2 * REQUEST_DEADLINE_NS
SNAPSHOT_TIMEOUT_NS: Nanos = 5 * SECOND
LOGIN_TIMEOUT_NS: Nanos = 10 * SECOND
LOGIN_TRIPS: Final = 4
"""Questions and answers before a link is up."""
SILENCE_PROBE_NS: Nanos = 10 * SECOND
SILENCE_MAX_NS: Nanos = 20 * SECOND
BACKOFF_FIRST_NS: Nanos = SECOND // 4
BACKOFF_MAX_NS: Nanos = 30 * SECOND
STEADY_NS: Nanos = 10 * SECOND
COOL_DOWN_NS: Nanos = 5 * SECOND
QUEUED_CHANCE: Final = 0.3
"""That a request which arrives after its session has ended is carried out all the same."""

Sink = Callable[[ev.Event], None]


@dataclass(slots=True, eq=False)
class _Asked:
    """A request in flight."""

    session: Session
    done: Callable[[Any], None]
    """Told the answer, or None when there will be none."""
    late: Callable[[Any], None] | None = None
    ended: bool = False


@dataclass(slots=True, eq=False)
class _Wire:
    """One link's lasting side."""

    link: ev.Link
    session: Session | None = None
    up: bool = False
    up_since_ns: Nanos = 0
    heard_ns: Nanos = 0
    failures: int = 0
    cool_down_ns: Nanos = 0
    asked: dict[_Asked, None] = field(default_factory=dict)


class Line:
    """The adapter of one process of the bot; a new process has a new one.

    `flying` holds the order requests that will still arrive at the venue, whoever sent them.
    """

    def __init__(
        self,
        timeline: Timeline,
        venue: VirtualVenue,
        trouble: FaultInjector,
        draw: Random,
        rate: Rate,
        sink: Sink,
        flying: dict[object, OrderRequest],
        on_arrival: Callable[[OrderRequest], None],
        on_carried_out: Callable[[OrderRequest], None],
    ) -> None:
        self._flying = flying
        self._timeline = timeline
        self._venue = venue
        self._trouble = trouble
        self._draw = draw
        self._rate = rate
        self._sink = sink
        self._on_arrival = on_arrival
        self._on_carried_out = on_carried_out
        self._wires = {link: _Wire(link) for link in ev.Link}
        self._books = Books(timeline, venue.instruments, sink, self._ask_for_books)
        self._gone = False

    # --- coming and going ---

    def connect(self) -> None:
        """Bring both links up; events follow."""
        for wire in self._wires.values():
            self._dial(wire)
        self._care()
        self._probe()

    def crash(self) -> None:
        """The process is dead: its connections are closed by the system, nobody hears a thing."""
        self._gone = True
        for wire in self._wires.values():
            if wire.session is not None:
                wire.session.lost = True
                self._timeline.after(self._latency_ns(), partial(self._venue.close, wire.session))

    def both_up(self) -> bool:
        """Whether both links are up."""
        return all(wire.up for wire in self._wires.values())

    def up(self, link: ev.Link) -> bool:
        """Whether a link is up."""
        return self._wires[link].up

    def cut(self, why: str) -> None:
        """Every connection breaks now."""
        for wire in self._wires.values():
            if wire.session is not None:
                self._break(wire.session, why)

    def deafen(self, link: ev.Link, for_ns: Nanos) -> None:
        """Everything on a connection is swallowed for a while, though it stays up."""
        session = self._wires[link].session
        if session is not None:
            session.deaf_until_ns = self._timeline.now_ns + for_ns

    # --- a link's life ---

    def _dial(self, wire: _Wire) -> None:
        if self._gone:
            return
        session = Session(wire.link, tell=_nobody, hang_up=_nothing)
        session.tell = partial(self._push, session)
        session.hang_up = partial(self._timeline.after, 1 * MS, partial(self._lose, session, "hup"))
        wire.session = session
        self._timeline.after(2 * self._latency_ns(), partial(self._dialed, wire, session))

    def _dialed(self, wire: _Wire, session: Session) -> None:
        if self._gone or session.lost:
            return
        if not self._venue.reachable:
            self._lose(session, "refused")
            return
        wire.heard_ns = self._timeline.now_ns
        if wire.link is ev.Link.MARKET:
            self._books.await_all()
        asked = _Asked(session, partial(self._entered, wire, session))
        trips_ns = sum(self._latency_ns() for _ in range(2 * LOGIN_TRIPS))
        question = partial(self._venue.enter, session)
        self._timeline.after(
            trips_ns, partial(self._ask, asked, partial(_yes, question), LOGIN_TIMEOUT_NS)
        )

    def _entered(self, wire: _Wire, session: Session, answer: object) -> None:
        if session.lost:
            return
        if answer is None:
            self._lose(session, "no answer to the login")
            return
        wire.up, wire.up_since_ns = True, self._timeline.now_ns
        if wire.link is ev.Link.TRADING:
            self._sink(ev.LimitsRead(VENUE, self._rate.per_s, float(self._rate.burst)))
        self._sink(ev.LinkChanged(VENUE, wire.link, up=True, detail="connected"))
        self._ask_alive(wire)

    def _break(self, session: Session, why: str) -> None:
        """The connection is severed: each end notices by itself."""
        self._timeline.after(self._latency_ns(), partial(self._venue.close, session))
        self._timeline.after(self._latency_ns(), partial(self._lose, session, why))

    def _lose(self, session: Session, why: str) -> None:
        """Called when a connection is over at our end."""
        wire = self._wires[session.link]
        if self._gone or session.lost or wire.session is not session:
            return
        session.lost, wire.session = True, None
        was_up, wire.up = wire.up, False
        self._timeline.after(self._latency_ns(), partial(self._venue.close, session))
        if was_up:
            self._sink(ev.LinkChanged(VENUE, wire.link, up=False, detail=why))
        for asked in list(wire.asked):
            self._end(asked, None)
        if wire.link is ev.Link.MARKET:
            self._books.lose_all()
        steady = was_up and self._timeline.now_ns - wire.up_since_ns > STEADY_NS
        wire.failures = 1 if steady else wire.failures + 1
        grown_ns = min(BACKOFF_FIRST_NS << min(wire.failures - 1, 10), BACKOFF_MAX_NS)
        wait_ns = max(wire.cool_down_ns, grown_ns)
        wire.cool_down_ns = 0
        self._timeline.after(wait_ns, partial(self._dial, wire))

    def _care(self) -> None:
        """Once a second: notice silence, chase snapshots of books."""
        if self._gone:
            return
        now_ns = self._timeline.now_ns
        for wire in self._wires.values():
            if wire.session is None or not wire.up:
                continue
            silent_ns = now_ns - wire.heard_ns
            if silent_ns > SILENCE_MAX_NS:
                self._lose(wire.session, f"nothing heard for {silent_ns // SECOND} s")
            elif silent_ns > SILENCE_PROBE_NS:
                self._ask(_Asked(wire.session, _hear), _pong, PROBE_TIMEOUT_NS)
        self._books.chase()
        self._timeline.after(1 * SECOND, self._care)

    def _probe(self) -> None:
        if self._gone:
            return
        for wire in self._wires.values():
            if wire.up:
                self._ask_alive(wire)
        self._timeline.after(PROBE_EVERY_NS, self._probe)

    def _ask_alive(self, wire: _Wire) -> None:
        assert wire.session is not None, "the link is up"
        asked_ns = self._timeline.now_ns

        def done(venue_ms: int | None) -> None:
            if venue_ms is not None:
                now_ns = self._timeline.now_ns
                self._sink(ev.LinkAlive(VENUE, wire.link, asked_ns, now_ns, venue_ms * MS))

        self._ask(_Asked(wire.session, done), lambda: self._venue.ms, PROBE_TIMEOUT_NS)

    # --- intents ---

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Send every request now."""
        for intent in intents:
            match intent:
                case Place() | Amend() | Replace() | Cancel() | CancelAll():
                    self._order(intent)
                case Resync():
                    market = self._wires[ev.Link.MARKET]
                    if market.up:
                        self._ask_alive(market)
                    self._resync(intent)
                case FallbackCancel():
                    self._take_back(intent)

    def _order(self, request: OrderRequest) -> None:
        wire = self._wires[ev.Link.TRADING]
        if not wire.up or wire.session is None:
            self._timeline.after(0, partial(self._not_sent, request))
            return
        asked = _Asked(wire.session, partial(self._answered, wire, request), self._too_late)
        self._ask(
            asked,
            partial(self._venue.carry_out, wire.session, request),
            ORDER_TIMEOUT_NS,
            request,
        )

    def _not_sent(self, request: OrderRequest) -> None:
        if isinstance(request, CancelAll):
            self._say(self._venue.unknown(request))
            return
        kind = _kind_of(request)
        stands = kind is not Request.PLACE
        detail = "trading is not connected"
        self._sink(ev.RequestRefused(_label_of(request), kind, Why.LINK_DOWN, detail, stands))

    def _answered(self, wire: _Wire, request: OrderRequest, answer: Answer | None) -> None:
        if answer is None:
            if isinstance(request, CancelAll):
                self._say(self._venue.unknown(request))
            else:
                kind = _kind_of(request)
                self._sink(ev.OutcomeUnknown(_label_of(request), kind, Why.REPLY_LOST))
            return
        self._say(answer)
        if answer.too_many and wire.session is not None:
            wire.cool_down_ns = COOL_DOWN_NS
            self._lose(wire.session, "10028 too_many_requests")

    def _too_late(self, answer: Answer) -> None:
        """The answer came after we stopped waiting: still the venue's word about the order."""
        for said in answer.said:
            if isinstance(said, ev.OrderSeen):
                self._sink(_unasked(said))

    def _say(self, answer: Answer) -> None:
        for fill in answer.fills:
            self._sink(ev.Filled(fill))
        for said in answer.said:
            self._sink(said)

    # --- questions ---

    def _resync(self, intent: Resync) -> None:
        questions = snapshot(self._venue, intent, self._timeline.now_ns)
        self._go_on(questions, None)

    def _go_on(self, questions: Questions, answer: object) -> None:
        """Ask the next question of a snapshot, or say what came of it."""
        try:
            question = questions.send(answer)
        except StopIteration as end:
            self._sink(cast(ev.SnapshotTaken, end.value))
            return
        wire = self._wires[ev.Link.TRADING]
        if not wire.up or wire.session is None:
            self._timeline.after(0, partial(self._failed, "trading is not connected"))
            return

        def done(reply: tuple[object] | None) -> None:
            if reply is None:
                self._failed("no answer")
            else:
                self._go_on(questions, reply[0])

        self._ask(_Asked(wire.session, done), lambda: (question(),), SNAPSHOT_TIMEOUT_NS)

    def _failed(self, detail: str) -> None:
        if not self._gone:
            self._sink(ev.SnapshotFailed(VENUE, detail))

    def _take_back(self, intent: FallbackCancel) -> None:
        """The second path: over connections of its own, which do not care for our links."""
        questions = cancel_ours(self._venue, intent.order_ids)
        self._go_on_over_rest(questions, self._timeline.now_ns, None)

    def _go_on_over_rest(self, questions: Questions, asked_ns: Nanos, answer: object) -> None:
        """Ask the next question, or say what came of it; a failure ends the attempt."""
        if self._gone:
            return
        trouble = self._trouble
        trip_ns = 2 * self._latency_ns()
        try:
            question = questions.send(answer)
        except StopIteration as end:
            self._sink(ev.FallbackTried(VENUE, asked_ns, end.value))
            return

        def arrive() -> None:
            refused = trouble.strikes("http_429") or trouble.strikes("http_5xx")
            if refused or not self._venue.reachable:
                self._timeline.after(trip_ns, fail)
                return
            said = question()
            self._venue.publish()
            self._timeline.after(trip_ns, partial(self._go_on_over_rest, questions, asked_ns, said))

        def fail() -> None:
            if not self._gone:
                self._sink(ev.FallbackTried(VENUE, asked_ns, None))

        self._timeline.after(trip_ns, arrive)

    # --- messages to us ---

    def _push(self, session: Session, message: Message) -> None:
        """The venue sends a message down a session."""
        hear = partial(self._hear, message)
        if not isinstance(message, AccountMessage):
            self._down(session, hear)
            return
        late_ns = 0
        if self._trouble.strikes("late_private"):
            late_ns = self._trouble.up_to(self._trouble.plan.late_s)
        elif self._trouble.strikes("reordered_private"):
            late_ns = self._latency_ns() * 2
        self._down(session, hear, late_ns)
        if self._trouble.strikes("duplicate_private"):
            self._down(session, hear, self._latency_ns())

    def _down(self, session: Session, hear: Callable[[], None], late_ns: Nanos = 0) -> None:
        """A frame on its way to us; a late one is overtaken by those behind it."""
        now_ns = self._timeline.now_ns
        if now_ns < session.deaf_until_ns:
            return
        if self._trouble.strikes("garbage"):
            hear = partial(self._unreadable, session)
        arrives_ns = now_ns + self._latency_ns() + late_ns
        if not late_ns:
            arrives_ns = session.down_ns = max(session.down_ns, arrives_ns)
        self._timeline.at(arrives_ns, partial(self._arrived, session, hear))

    def _arrived(self, session: Session, hear: Callable[[], None]) -> None:
        if self._gone or session.lost:
            return
        self._wires[session.link].heard_ns = self._timeline.now_ns
        hear()

    def _unreadable(self, session: Session) -> None:
        """On the market link a book has a gap now, and says so itself."""
        if session.link is ev.Link.TRADING:
            self._sink(ev.MessageLost(VENUE))

    def _hear(self, message: Message) -> None:
        match message:
            case BookMessage():
                self._books.hear(message)
            case TickerMessage():
                self._sink(
                    ev.TickerChanged(
                        instrument=id_of(message.name),
                        mark=message.mark,
                        index=message.index,
                        forward=message.forward,
                        mark_iv=message.mark_iv,
                        delta=message.delta,
                        min_price=message.min_price,
                        max_price=message.max_price,
                        received_ns=self._timeline.now_ns,
                    )
                )
            case AccountMessage():
                for fill in message.fills:
                    self._sink(ev.Filled(fill))
                for seen in message.orders:
                    self._sink(seen)

    def _ask_for_books(self, names: Sequence[str]) -> bool:
        """Ask for whole books; False where there is nothing to ask over."""
        session = self._wires[ev.Link.MARKET].session
        if self._gone or session is None:
            return False

        def again() -> tuple[()]:
            for name in names:
                self._venue.send_book(session, name)
            return ()

        self._ask(_Asked(session, _hear), again, LOGIN_TIMEOUT_NS)
        return True

    # --- requests on the line ---

    def _ask(
        self,
        asked: _Asked,
        question: Callable[[], Any],
        timeout_ns: Nanos,
        request: OrderRequest | None = None,
    ) -> None:
        """Send a question; `asked.done` is told the answer, or None, exactly once."""
        session = asked.session
        if self._gone or session.lost:
            return
        self._wires[session.link].asked[asked] = None
        self._timeline.after(timeout_ns, partial(self._end, asked, None))
        if self._trouble.strikes("lost_request"):
            return
        now_ns = self._timeline.now_ns
        arrives_ns = now_ns + self._latency_ns()
        if self._trouble.strikes("late_request"):
            arrives_ns += self._trouble.up_to(self._trouble.plan.late_s)
        else:
            arrives_ns = session.up_ns = max(session.up_ns, arrives_ns)
        if request is not None:
            self._flying[asked] = request
        self._timeline.at(arrives_ns, partial(self._at_venue, asked, question))

    def _at_venue(self, asked: _Asked, question: Callable[[], Any]) -> None:
        """A question arrives, is carried out, and its answer leaves."""
        session, venue, trouble = asked.session, self._venue, self._trouble
        request = self._flying.pop(asked, None)
        if self._timeline.now_ns < session.deaf_until_ns or venue.down:
            return
        if session.closed and (request is None or self._draw.random() >= QUEUED_CHANCE):
            return
        severed = request is not None and trouble.strikes("cut_mid_order")
        if severed and trouble.either():
            self._break(session, "cut as an order arrived")
            return
        answer: Any
        if request is not None:
            if self._over_the_limit(asked, request):
                return
            self._on_arrival(request)
        answer = question()
        if request is not None:
            self._on_carried_out(request)
        if trouble.either():
            venue.publish()
        if severed:
            self._break(session, "cut as an order was carried out")
        elif not session.closed and not trouble.strikes("lost_reply"):
            late = trouble.strikes("late_reply")
            late_ns = trouble.up_to(trouble.plan.late_s) if late else 0
            self._down(session, partial(self._end, asked, answer), late_ns)
        venue.publish()

    def _over_the_limit(self, asked: _Asked, request: OrderRequest) -> bool:
        """Whether there are too many requests: then it is refused, and its session ends."""
        venue, session = self._venue, asked.session
        injected = self._trouble.strikes("rate_limited")
        if not injected and venue.spend():
            return False
        if not injected:
            venue.counts["10028 too_many_requests"] += 1
            self._on_carried_out(request)
        self._down(session, partial(self._end, asked, _refusal(venue, request)))
        self._timeline.after(1 * MS, partial(venue.close, session))
        return True

    def _end(self, asked: _Asked, answer: Any) -> None:
        """A request ends, unless it has; a real answer after that is a late one."""
        if self._gone:
            return
        if asked.ended:
            if answer is not None and asked.late is not None:
                asked.late(answer)
            return
        asked.ended = True
        self._wires[asked.session.link].asked.pop(asked, None)
        asked.done(answer)

    def _latency_ns(self) -> Nanos:
        least, most = LATENCY_MS
        return int((least + (most - least) * self._draw.random() ** 2) * MS)


def _label_of(request: Place | Amend | Replace | Cancel) -> Label:
    """The order that a request is about; of a replace, the one it ends."""
    return request.old if isinstance(request, Replace) else request.label


def _kind_of(request: Place | Amend | Replace | Cancel) -> Request:
    match request:
        case Replace():
            return Request.REPLACE
        case Place():
            return Request.PLACE
        case Amend():
            return Request.AMEND
        case Cancel():
            return Request.CANCEL


def _refusal(venue: VirtualVenue, request: OrderRequest) -> Answer:
    if isinstance(request, CancelAll):
        return Answer(said=venue.unknown(request).said, too_many=True)
    return Answer(said=(too_many(_label_of(request), _kind_of(request)),), too_many=True)


def _unasked(seen: ev.OrderSeen) -> ev.OrderSeen:
    return ev.OrderSeen(
        seen.venue,
        seen.label,
        seen.order_id,
        seen.instrument,
        seen.side,
        seen.price,
        seen.amount,
        seen.filled,
        seen.state,
        seen.venue_ms,
    )


def _yes(question: Callable[[], None]) -> bool:
    question()
    return True


def _pong() -> tuple[()]:
    return ()


def _hear(_answer: object) -> None:
    """Having heard something is enough."""


def _nobody(_message: Message) -> None:
    """Before a session has a line nobody hears it."""


def _nothing() -> None:
    """Before a session has a line there is nothing to end."""
