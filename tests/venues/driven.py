"""A session driven by hand: no socket, no clock; what it sends is a list, what it hears is told it.

Calls that are not the test's business are answered as a friendly venue does; a test overrides an
answer by method, over either way, and moves time itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from mmbot.core.contracts import Instrument
from mmbot.core.events import Event, Link
from mmbot.core.intents import VenueIntent
from mmbot.core.types import SECOND
from mmbot.venues.account_session import AccountSession
from mmbot.venues.effects import Cut, Dial, Effect, Emit, Http, HttpAnswer, Send, SendText
from mmbot.venues.public_session import PublicSession
from tests.builders import NOW_NS
from tests.wire.scripted import SILENCE, Refused

T = TypeVar("T")


class Driven:
    """A session, and everything that came out of it. `answers` are by method, over either way."""

    instruments: tuple[Instrument, ...]
    """Those that are followed unless a test says others."""

    def __init__(
        self, session: PublicSession, answers: Mapping[str, Any], now_ns: int = NOW_NS
    ) -> None:
        self.session = session
        self.answers = dict(answers)
        self.now_ns = now_ns
        self.sent: list[tuple[Link, dict[str, Any]]] = []
        self.asked: list[Http] = []
        self.cuts: list[Cut] = []
        self.dials: list[Link] = []
        self.events: list[Event] = []
        self.notes: list[str] = []
        self.texts: list[tuple[Link, str]] = []
        self._waiting: list[Callable[[], Sequence[Effect]]] = []
        session.on_note = lambda level, said, *values: self.notes.append(
            f"{level}: {said % values}"
        )

    # --- what happens ---

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """What a shell would do, and the venue's answers, until nothing more comes of it."""
        self._take(effects)
        while self._waiting:
            self._take(self._waiting.pop(0)())

    def _take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Dial(link):
                    self.dials.append(link)
                    self._waiting.append(partial(self._let_in, link))
                case Send(link, frame):
                    self.sent.append((link, dict(frame)))
                    self._answer(link, frame)
                case SendText(link, text):
                    self.texts.append((link, text))
                    self._answer_text(link, text)
                case Cut():
                    self.cuts.append(effect)
                case Http():
                    self.asked.append(effect)
                    self._answer_http(effect)
                case Emit(event):
                    self.events.append(event)

    def _let_in(self, link: Link) -> Sequence[Effect]:
        return self.session.opened(link, self.now_ns)

    def _answer(self, link: Link, frame: Mapping[str, Any]) -> None:
        body = self._body(frame["method"], frame["params"])
        if body is not None:
            self._waiting.append(lambda: self._reply(link, frame["id"], body))

    def _reply(self, link: Link, id_: int, body: Mapping[str, Any]) -> Sequence[Effect]:
        return self.session.receive(link, self.framed({"id": id_, **body}), self.now_ns)

    def framed(self, frame: dict[str, Any]) -> dict[str, Any]:
        """A frame with what the venue puts around every one."""
        return frame

    def _answer_text(self, link: Link, text: str) -> None:
        """What comes of a text."""

    def _body(self, method: str, params: Any) -> dict[str, Any] | None:
        answer = self.answers.get(method, SILENCE)
        if answer is SILENCE:
            return None
        try:
            return {"result": answer(params) if callable(answer) else answer}
        except Refused as refused:
            return {"error": refused.error}
        except Silent:
            return None

    def _answer_http(self, asked: Http) -> None:
        answer = self.answers.get(asked.method, SILENCE)
        if not isinstance(answer, HttpAnswer):
            body = self._body(asked.method, asked.params)
            if body is None:
                return
            answer = HttpAnswer(200 if "result" in body else 400, self.framed(body))
        self._waiting.append(lambda: self.session.answered(asked.id, answer, self.now_ns))

    # --- what a test does ---

    def wait(self, seconds: float) -> None:
        """Time passes; the session is told whenever it wanted to be."""
        end_ns = self.now_ns + round(seconds * SECOND)
        while (due_ns := self.session.due_ns) is not None and due_ns <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.carry_out(self.session.tick(self.now_ns))
        self.now_ns = end_ns

    def start(self, *instruments: Instrument) -> Self:
        """Bring the links up, and forget what came of that."""
        self.carry_out(self.session.start(instruments or self.instruments, self.now_ns))
        self.forget()
        return self

    def submit(self, *intents: VenueIntent) -> None:
        assert isinstance(self.session, AccountSession)
        self.carry_out(self.session.submit(intents, self.now_ns))

    def push(self, link: Link, channel: str, data: Any) -> None:
        params = {"channel": channel, "data": data}
        self.hear(link, self.framed({"method": "subscription", "params": params}))

    def hear(self, link: Link, frame: Any) -> None:
        self.carry_out(self.session.receive(link, frame, self.now_ns))

    def reply(self, method: str, **body: Any) -> None:
        """Answer, now, the last request of that method that was left unanswered."""
        link, frame = next(one for one in reversed(self.sent) if one[1]["method"] == method)
        self.carry_out(self._reply(link, frame["id"], body))

    def lose(self, link: Link, why: str = "reset") -> None:
        self.carry_out(self.session.closed(link, why, self.now_ns))

    def forget(self) -> None:
        for told in (
            self.sent,
            self.texts,
            self.asked,
            self.cuts,
            self.dials,
            self.events,
            self.notes,
        ):
            told.clear()

    # --- what a test looks at ---

    def methods(self, link: Link | None = None) -> list[str]:
        """What was asked over a link, or over both."""
        return [frame["method"] for one, frame in self.sent if link in (None, one)]

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The params of every request of `method`, over a link or REST."""
        sent = [frame["params"] for _, frame in self.sent if frame["method"] == method]
        return sent + [dict(one.params) for one in self.asked if one.method == method]

    def told(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


class Silent(Exception):
    """Raised by an answer that does not come."""


def raising(error: Refused) -> Callable[[Any], Any]:
    """An answer that is a refusal."""

    def answer(_params: Any) -> Any:
        raise error

    return answer
