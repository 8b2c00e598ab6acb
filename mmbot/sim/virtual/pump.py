"""Frames between the real session of a venue and the simulated venue, in virtual time, with faults.

Theory of operation
-------------------
1. The session is the one that trades: it is told what happens and the time, and what it wants done
   is done here, in that order. It is ticked when it says so. One process of the bot has one session
   and one pump; a process that dies is told nothing more.
2. A line is one connection, from the dial until either end gives it up. Each end notices the end of
   a line by itself. Frames of one line arrive in the order they were sent, except those that a
   fault delays, and market data that leave together arrive together; what is under way to us when a
   line is over is never heard, and a request may still be carried out then.
3. Over REST a question travels alone: it may be lost, refused at the door, or answered too late.
4. Frames pass as the objects they are. With `as_text` each is encoded and read again on its way,
   and nothing else differs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from importlib import import_module
from random import Random
from typing import Any, Final, Protocol

import orjson

from mmbot.core import events as ev
from mmbot.core.contracts import Instrument
from mmbot.core.intents import Place, VenueIntent
from mmbot.core.types import MS, SECOND, InstrumentId, Nanos, instrument_name
from mmbot.sim.virtual.face import VirtualVenue
from mmbot.sim.virtual.faults import FaultInjector
from mmbot.sim.virtual.requests import OrderRequest
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.wire.faults import garbled
from mmbot.sim.wire.frame import Frame
from mmbot.venues.effects import (
    Cut,
    Dial,
    Driven,
    Effect,
    Emit,
    Http,
    HttpAnswer,
    Send,
    SendText,
)

LATENCY_MS: Final = (2.0, 40.0)
HANG_UP_NS: Nanos = 1 * MS
AGAIN_NS: Nanos = SECOND // 2
"""After a first attempt to connect has failed, the next one."""
QUEUED_CHANCE: Final = 0.3
"""That a request which arrives after its session has ended is carried out all the same."""

ENTERING_SHARE: Final = 1 / 7
"""A connection is entered by that many questions, each of which may be lost: together they shall be
as likely to fail as any one question."""

SUBSCRIBING: Final = frozenset({"subscribe", "unsubscribe"})
"""Methods without a group; all others have a slash, and no channel has one."""

Sink = Callable[[ev.Event], None]
_Said = list[tuple[Frame, str | None]]
"""Frames the venue has written, with what each is about."""


class Adapter(Driven, Protocol):
    """A session that trades."""

    def watch(
        self,
        started: Callable[[ev.Link, Exception | None], None],
        unexpected: Callable[[Exception], None],
    ) -> None:
        """Have it told how the first attempt of a link ended, and what was raised in there that is
        no trouble with the venue."""
        ...

    def start(
        self,
        instruments: Sequence[Instrument],
        now_ns: Nanos,
        watched: Sequence[Instrument] = (),
    ) -> Sequence[Effect]:
        """Bring both links up; events of these instruments follow."""
        ...

    def submit(self, intents: Sequence[VenueIntent], now_ns: Nanos) -> Sequence[Effect]:
        """Send every request now."""
        ...

    def unfollow(self, instruments: Sequence[InstrumentId], now_ns: Nanos) -> Sequence[Effect]:
        """Nothing is to be heard of these any more."""
        ...


@dataclass(slots=True, eq=False)
class _Line:
    """One connection, as both ends see it."""

    link: ev.Link
    session: Any = None
    """The venue's end of it, once it is established."""
    over: bool = False
    """At our end."""
    up_ns: Nanos = 0
    """When the last message to the venue arrives: the next one does not overtake it."""
    down_ns: Nanos = 0
    """The same of those to us."""
    written_ns: Nanos = -1
    """When the last one of those was written."""
    deaf_until_ns: Nanos = 0
    """Until then everything on it is swallowed ..."""
    mute_until_ns: Nanos = 0
    """... and what the venue tells of the account unasked."""
    untold_ns: Nanos = 0
    """Since when we have been told that an order request was carried out and nothing of it on the
    account's channel, nor anything else; 0: that is not so."""
    quiet: set[int] = field(default_factory=set)
    """Requests that were carried out and answered while nothing was told of them."""
    held: _Said | None = None
    """What the venue writes while a request is carried out, before it leaves; None: at once."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A request on its way to the venue."""


class Pump:
    """The line of one process of the bot; a new process has a new one, with a new session.

    `flying` holds the order requests that will still arrive at the venue, whoever sent them.
    """

    def __init__(
        self,
        timeline: Timeline,
        venue: VirtualVenue,
        trouble: FaultInjector,
        draw: Random,
        sink: Sink,
        flying: dict[object, OrderRequest],
        on_arrival: Callable[[OrderRequest], None],
        on_carried_out: Callable[[OrderRequest], None],
        *,
        as_text: bool = False,
        adapter: Adapter | None = None,
    ) -> None:
        self._timeline = timeline
        self._venue = venue
        self._kind = venue.kind
        self._unpardoned = (venue.kind.too_many, venue.kind.unauthorized)
        """Refusals that nothing we ask may be met with."""
        self._trouble = trouble
        self._draw = draw
        self.unexpected: list[Exception] = []
        """What was raised inside the session that is no trouble with the venue."""
        self._adapter = adapter or self._session()
        self._sink = sink
        self._flying = flying
        self._on_arrival = on_arrival
        self._on_carried_out = on_carried_out
        self._as_text = as_text
        self._lines: dict[ev.Link, _Line] = {}
        self._up: dict[ev.Link, bool] = {}
        self._wakes_ns: Nanos | None = None
        self._closes_ns: Nanos = 0
        self._gone = False

    # --- the bot's process ---

    def connect(self) -> None:
        """Bring both links up; events follow."""
        instruments = list(self._venue.instruments.values())
        now_ns = self._timeline.now_ns
        self._carry_out(self._adapter.start(instruments, now_ns, self._venue.watched))

    def _session(self) -> Adapter:
        """The session that trades, listened to."""
        venue = self._venue
        make = import_module(f"mmbot.venues.{self._kind.name}.session").SESSION
        opening = self._kind.opening(venue.protocol, venue.counter, list(venue.instruments))
        session: Adapter = make(venue.name, start_ns=self._timeline.now_ns, **opening)
        session.watch(self._started, self.unexpected.append)
        return session

    def _started(self, _link: ev.Link, error: Exception | None) -> None:
        """Whoever cannot connect to begin with tries again."""
        if error is not None:
            self._timeline.after(AGAIN_NS, self._start_again)

    def _start_again(self) -> None:
        if not self._gone:
            self.connect()

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Send every request now."""
        self._carry_out(self._adapter.submit(intents, self._timeline.now_ns))

    def unfollow(self, instruments: Sequence[InstrumentId]) -> None:
        """Nothing is to be heard of these any more."""
        self._carry_out(self._adapter.unfollow(instruments, self._timeline.now_ns))

    def crash(self) -> None:
        """The process is dead: its connections are closed by the system, nobody hears a thing."""
        self._gone = True
        for line in self._lines.values():
            self._give_up(line)

    def up(self, link: ev.Link) -> bool:
        """Whether a link is up."""
        return self._up.get(link, False)

    def both_up(self) -> bool:
        """Whether both links are up."""
        return all(map(self.up, ev.Link))

    def untold_s(self) -> float:
        """How long a line has been up of which it should have been noticed that the account's
        channel tells nothing."""
        since_ns = [line.untold_ns for line in self._lines.values() if line.untold_ns]
        return max(((self._timeline.now_ns - at_ns) / SECOND for at_ns in since_ns), default=0.0)

    # --- what befalls it ---

    def cut(self, why: str) -> None:
        """Every connection breaks now."""
        for line in list(self._lines.values()):
            self._break(line, why)

    def deafen(self, link: ev.Link, for_ns: Nanos) -> None:
        """Everything on a connection is swallowed for a while, though it stays up."""
        line = self._lines.get(link)
        if line is not None:
            line.deaf_until_ns = self._timeline.now_ns + for_ns

    def mute(self, for_ns: Nanos) -> None:
        """On the connections there are, the account's channels tell nothing for a while."""
        for line in self._lines.values():
            line.mute_until_ns = self._timeline.now_ns + for_ns

    def close_before_an_order(self, for_ns: Nanos) -> None:
        """The book that the next place is for closes just before it arrives, for a while."""
        self._closes_ns = for_ns

    # --- what the session wants done ---

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        """Do it, in order; then see when the session wants to be called next."""
        for effect in effects:
            match effect:
                case Emit(event):
                    self._tell(event)
                case Send(link, frame):
                    self._send(self._lines[link], frame)
                case SendText(link, text):
                    self._send_text(self._lines[link], text)
                case Http():
                    self._ask(effect)
                case Dial(link):
                    self._dial(link)
                case Cut(link):
                    line = self._lines.pop(link, None)
                    if line is not None:
                        self._give_up(line)
        if self.unexpected:
            raise self.unexpected[0]
        self._wake_in_time()

    def _tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.LinkChanged):
            self._up[event.link] = event.up
        self._sink(event)

    def _wake_in_time(self) -> None:
        due_ns = self._adapter.due_ns
        if due_ns is not None and (self._wakes_ns is None or due_ns < self._wakes_ns):
            self._wakes_ns = max(due_ns, self._timeline.now_ns)
            self._timeline.at(self._wakes_ns, self._wake)

    def _wake(self) -> None:
        """Tick the session, if it still wants to be."""
        if self._gone or self._wakes_ns != self._timeline.now_ns:
            return
        self._wakes_ns = None
        due_ns, now_ns = self._adapter.due_ns, self._timeline.now_ns
        if due_ns is not None and due_ns <= now_ns:
            self._carry_out(self._adapter.tick(now_ns))
        else:
            self._wake_in_time()

    # --- a line's life ---

    def _dial(self, link: ev.Link) -> None:
        assert link not in self._lines, f"{link} is dialed twice"
        line = self._lines[link] = _Line(link)
        self._timeline.after(2 * self._latency_ns(), partial(self._dialed, line))

    def _dialed(self, line: _Line) -> None:
        if self._gone or line.over:
            return
        if not self._venue.reachable:
            self._lose(line, "refused")
            return
        line.session = self._venue.protocol.on_open(
            partial(self._written, line), partial(self._hung_up, line), self._venue.counter
        )
        self._carry_out(self._adapter.opened(line.link, self._timeline.now_ns))

    def _give_up(self, line: _Line) -> None:
        """Our end of a line is over; the venue notices later."""
        line.over = True
        self._timeline.after(self._latency_ns(), partial(self._close, line))

    def _close(self, line: _Line) -> None:
        """The venue's end of a line is over."""
        if line.session is not None:
            self._venue.protocol.on_closed(line.session)

    def _lose(self, line: _Line, why: str) -> None:
        """Our end of a line notices that it is over."""
        if self._gone or line.over:
            return
        del self._lines[line.link]
        self._give_up(line)
        self._carry_out(self._adapter.closed(line.link, why, self._timeline.now_ns))

    def _break(self, line: _Line, why: str) -> None:
        """The connection is severed: each end notices by itself."""
        self._timeline.after(self._latency_ns(), partial(self._close, line))
        self._timeline.after(self._latency_ns(), partial(self._lose, line, why))

    def _hung_up(self, line: _Line) -> None:
        """The venue ends a line, once everything that it has written is out."""
        self._timeline.after(HANG_UP_NS, partial(self._end, line))

    def _end(self, line: _Line) -> None:
        self._close(line)
        if self._timeline.now_ns >= line.deaf_until_ns:
            ends_ns = max(line.down_ns, self._timeline.now_ns + self._latency_ns())
            self._timeline.at(ends_ns, partial(self._lose, line, "the venue has hung up"))

    # --- to the venue ---

    def _send(self, line: _Line, frame: Mapping[str, Any]) -> None:
        """A frame leaves us."""
        message = self._through(_spoken(frame))
        asked = _Asked()
        request = self._request_of(message["method"], message.get("params", {}))
        share = ENTERING_SHARE if message["method"] in self._kind.entering else 1.0
        if self._trouble.strikes("lost_request", share):
            return
        arrives_ns = self._timeline.now_ns + self._latency_ns()
        if self._trouble.strikes("late_request", share):
            arrives_ns += self._trouble.up_to(self._trouble.plan.late_s)
        else:
            arrives_ns = line.up_ns = max(line.up_ns, arrives_ns)
        if request is not None:
            self._flying[asked] = request
        self._timeline.at(arrives_ns, partial(self._at_venue, line, asked, message))

    def _send_text(self, line: _Line, text: str) -> None:
        """Something that is no request leaves us: it shares the fate of its line."""
        line.up_ns = max(line.up_ns, self._timeline.now_ns + self._latency_ns())
        self._timeline.at(line.up_ns, partial(self._text_at_venue, line, text))

    def _text_at_venue(self, line: _Line, text: str) -> None:
        deaf = self._timeline.now_ns < line.deaf_until_ns
        if not (deaf or self._venue.down or _is_closed(line)):
            self._venue.protocol.on_frame(line.session, text)

    def _at_venue(self, line: _Line, asked: _Asked, message: dict[str, Any]) -> None:
        """A request arrives."""
        session, request = line.session, self._flying.pop(asked, None)
        assert session is not None, "nothing is sent before a line is established"
        if self._timeline.now_ns < line.deaf_until_ns or self._venue.down:
            return
        if session.closed and (request is None or self._draw.random() >= QUEUED_CHANCE):
            lose = partial(self._lose, line, "the venue has ended the session")
            self._timeline.after(self._latency_ns(), lose)
        elif request is None:
            self._leave(line, self._carried_out(line, session, message, self._unpardoned))
        else:
            self._order(line, session, request, message)

    def _order(
        self, line: _Line, session: Any, request: OrderRequest, message: dict[str, Any]
    ) -> None:
        """An order request is carried out, unless the line breaks or there are said to be too many;
        the notices of what it did go out before the reply or after it."""
        venue, trouble = self._venue, self._trouble
        severed = trouble.strikes("cut_mid_order")
        unconfirmed = severed and self._kind.unconfirmed is not None and trouble.either()
        if unconfirmed and trouble.either():
            venue.protocol.refuse(session, message, self._kind.unconfirmed)
            return
        if severed and not unconfirmed and trouble.either():
            self._break(line, "cut as an order arrived")
            return
        if trouble.strikes("rate_limited"):
            venue.protocol.refuse(session, message, self._kind.too_many)
            return
        if self._closes_ns and isinstance(request, Place):
            venue.close_book(instrument_name(request.instrument), self._closes_ns)
            self._closes_ns = 0
        venue.asked(request, guarded=session.cancels_on_disconnect)
        self._on_arrival(request)
        said = self._carried_out(line, session, message)
        self._on_carried_out(request)
        replies = [one for one in said if one[1] == message["method"]]
        notices = [one for one in said if one[1] != message["method"]]
        if unconfirmed:
            replies = self._held(line, message, self._kind.unconfirmed)
        elif severed:
            self._break(line, "cut as an order was carried out")
            replies = []
        self._leave(line, notices + replies if trouble.either() else replies + notices)
        self._note_silence(line, replies, notices)

    def _held(self, line: _Line, message: dict[str, Any], code: int | None) -> _Said:
        """An error in place of a reply."""
        line.held = held = _Said()
        self._venue.protocol.refuse(line.session, message, code)
        line.held = None
        return held

    def _note_silence(self, line: _Line, replies: _Said, notices: _Said) -> None:
        done = any("result" in frame.message for frame, _ in replies)
        now_ns = self._timeline.now_ns
        if done and notices and line.deaf_until_ns <= now_ns < line.mute_until_ns:
            line.quiet |= {frame.message["id"] for frame, _ in replies if "id" in frame.message}

    def _carried_out(
        self,
        line: _Line,
        session: Any,
        message: dict[str, Any],
        counted: Container[int] | None = None,
    ) -> _Said:
        """The venue carries a request out: what it says down that line. Of refusals, those with
        these codes count, or all."""
        line.held = held = _Said()
        self._venue.protocol.on_message(session, message)
        line.held = None
        for frame, about in held:
            if about == message["method"] and "error" in frame.message and not session.closed:
                error = frame.message["error"]
                if counted is None or error["code"] in counted:
                    self._venue.refused(error)
        return held

    def _request_of(self, method: str, params: Mapping[str, Any]) -> OrderRequest | None:
        venue = self._venue
        return self._kind.request_of(method, params, venue.exchange, venue.account, venue.name)

    # --- to us ---

    def _written(self, line: _Line, frame: Frame, about: str | None) -> None:
        """The venue writes a frame; `about` is the method it answers, the channel it is of, or
        None for the first of a channel and for heartbeats."""
        if line.held is None:
            self._leave(line, [(frame, about)])
        else:
            line.held.append((frame, about))

    def _leave(self, line: _Line, said: _Said) -> None:
        """What the venue has written leaves it, if anything does."""
        if self._timeline.now_ns >= line.deaf_until_ns and not _is_closed(line):
            for frame, about in said:
                self._leaves(line, frame, about)

    def _leaves(self, line: _Line, frame: Frame, about: str | None) -> None:
        trouble, late_ns = self._trouble, 0
        if about is None:
            if self._venue.stands_still(_channel_of(frame.message)):
                return
        elif "/" in about or about in SUBSCRIBING:
            share = ENTERING_SHARE if about in self._kind.entering else 1.0
            if trouble.strikes("lost_reply", share):
                return
            if trouble.strikes("late_reply", share):
                late_ns = trouble.up_to(trouble.plan.late_s)
        elif self._venue.is_of_account(about):
            self._tell_account(line, frame)
            return
        elif self._venue.is_book(about) and self._stays_away(about):
            return
        self._down(line, frame, late_ns)

    def _stays_away(self, book: str) -> bool:
        """Whether a change of a book is not sent."""
        return self._venue.stands_still(book) or self._trouble.strikes("book_gap")

    def _tell_account(self, line: _Line, frame: Frame) -> None:
        """A message about the account leaves the venue."""
        trouble, late_ns = self._trouble, 0
        if self._timeline.now_ns < line.mute_until_ns:
            return
        line.untold_ns = 0
        line.quiet.clear()
        if trouble.strikes("late_private"):
            late_ns = trouble.up_to(trouble.plan.late_s)
        elif trouble.strikes("reordered_private"):
            late_ns = self._latency_ns() * 2
        self._down(line, frame, late_ns)
        if trouble.strikes("duplicate_private"):
            self._down(line, frame, self._latency_ns())

    def _down(self, line: _Line, frame: Frame, late_ns: Nanos) -> None:
        """A frame is on its way to us; a late one is overtaken by those behind it."""
        now_ns = self._timeline.now_ns
        if late_ns:
            arrives_ns = now_ns + self._latency_ns() + late_ns
        else:
            together = line.link is ev.Link.MARKET and line.written_ns == now_ns
            if not together:
                line.down_ns = max(line.down_ns, now_ns + self._latency_ns())
                line.written_ns = now_ns
            arrives_ns = line.down_ns
        heard: Mapping[str, Any] | str | bytes
        if self._trouble.strikes("garbage"):
            noise, is_binary = garbled(frame.text, self._trouble.pick(3) / 3)
            heard = noise if is_binary else noise.decode(errors="replace")
        else:
            heard = self._read(frame)
        self._timeline.at(arrives_ns, partial(self._arrived, line, heard))

    def _arrived(self, line: _Line, heard: Mapping[str, Any] | str | bytes) -> None:
        if not self._gone and not line.over:
            now_ns = self._timeline.now_ns
            if isinstance(heard, dict):
                if self._venue.is_of_orders(_channel_of(heard)):
                    line.untold_ns = 0  # also one that left before the silence began
                elif line.quiet and heard.get("id") in line.quiet:
                    line.quiet.discard(heard["id"])
                    line.untold_ns = line.untold_ns or now_ns
            self._carry_out(self._adapter.receive(line.link, heard, now_ns))

    # --- over REST ---

    def _ask(self, http: Http) -> None:
        """A question over a connection of its own."""
        asked_ns = self._timeline.now_ns
        trouble = self._trouble
        if trouble.strikes("lost_request"):
            self._answer_at(http, asked_ns, None, HttpAnswer(None, why="no answer"))
            return
        arrives_ns = asked_ns + 2 * self._latency_ns()
        if trouble.strikes("late_request"):
            arrives_ns += trouble.up_to(trouble.plan.late_s)
        self._timeline.at(arrives_ns, partial(self._at_the_door, http, asked_ns))

    def _at_the_door(self, http: Http, asked_ns: Nanos) -> None:
        trouble, now_ns = self._trouble, self._timeline.now_ns
        answers_ns = now_ns + 2 * self._latency_ns()
        if not self._venue.reachable:
            self._answer_at(http, asked_ns, answers_ns, HttpAnswer(None, why="refused"))
            return
        if trouble.strikes("http_429"):
            self._answer_at(http, asked_ns, answers_ns, HttpAnswer(429, why="too many"))
            return
        if trouble.strikes("http_5xx"):
            # 503: refused at the door. 502: the door lost sight of who was inside.
            which = trouble.pick(3)
            if which == 2:
                self._ask_inside(http)
            status = 503 if which == 0 else 502
            self._answer_at(http, asked_ns, answers_ns, HttpAnswer(status, why="no JSON"))
            return
        answer = self._ask_inside(http)
        if trouble.strikes("lost_reply"):
            self._answer_at(http, asked_ns, None, HttpAnswer(None, why="no answer"))
            return
        if trouble.strikes("late_reply"):
            answers_ns += trouble.up_to(trouble.plan.late_s)
        self._answer_at(http, asked_ns, answers_ns, answer)

    def _ask_inside(self, http: Http) -> HttpAnswer:
        """The venue itself answers."""
        params = self._through(_spoken(http.params))
        request = self._request_of(http.method, params)
        if request is not None:
            self._venue.asked(request, guarded=True)
            self._venue.on_rest(request)
        now_ms = self._timeline.now_ns // MS
        header = self._kind.authorization(self._venue.counter, http.method, now_ms)
        status, frame = self._venue.protocol.on_rest(
            http.method, params, None, header, self._venue.counter
        )
        return HttpAnswer(status, self._read(frame))

    def _answer_at(
        self, http: Http, asked_ns: Nanos, answers_ns: Nanos | None, answer: HttpAnswer
    ) -> None:
        """Tell the session then, or that nothing came in time."""
        gives_up_ns = asked_ns + int(http.timeout_s * SECOND)
        if answers_ns is None or answers_ns > gives_up_ns:
            answers_ns = max(gives_up_ns, self._timeline.now_ns)
            answer = HttpAnswer(None, why="no answer in time")
        self._timeline.at(answers_ns, partial(self._answered, http.id, answer))

    def _answered(self, http_id: int, answer: HttpAnswer) -> None:
        if not self._gone:
            self._carry_out(self._adapter.answered(http_id, answer, self._timeline.now_ns))

    # --- small things ---

    def _through(self, message: dict[str, Any]) -> dict[str, Any]:
        """A message as the other end reads it."""
        if not self._as_text:
            return message
        read: dict[str, Any] = orjson.loads(orjson.dumps(message))
        return read

    def _read(self, frame: Frame) -> Any:
        """A frame as we read it; one that is no JSON passes as the word that it is."""
        is_object = isinstance(frame.message, dict)
        return orjson.loads(frame.text) if self._as_text and is_object else frame.message

    def _latency_ns(self) -> Nanos:
        least, most = LATENCY_MS
        return int((least + (most - least) * self._draw.random() ** 2) * MS)


def _is_closed(line: _Line) -> bool:
    return line.session is not None and bool(line.session.closed)


def _channel_of(message: Mapping[str, Any] | str) -> str:
    if isinstance(message, str):
        return ""
    params = message.get("params")
    return str(params.get("channel", "")) if params is not None else ""


def _spoken(value: Any) -> Any:
    """A message whose numbers may be Decimals, with the numbers that are read from its text."""
    match value:
        case Decimal():
            text = f"{value:f}"
            return float(text) if "." in text else int(text)
        case dict():
            return {name: _spoken(one) for name, one in value.items()}
        case list() | tuple():
            return [_spoken(one) for one in value]
        case _:
            return value
