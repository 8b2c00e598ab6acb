"""A connection driven by hand: no sockets, no sleeping, and a friendly venue in a few lines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmbot.core.events import Link
from mmbot.core.types import SECOND, Nanos
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.connection import Connection
from mmbot.venues.effects import Cut, Dial, Effect, Http, HttpAnswer, Send
from mmbot.venues.requests import Reply
from mmbot.venues.timing import USUAL, Timing
from tests.wire.scripted import LIMITS, TOKEN

START_NS = 1_700_000_000_000_000_000
KEYS = ("key", "secret")
SILENCE = object()
"""An answer that never comes."""

Json = dict[str, Any]


class Refused(Exception):
    """An answer that is the venue's error."""

    def __init__(self, code: int, message: str = "name", data: Any = None) -> None:
        self.error = {"code": code, "message": message, "data": data}


ANSWERS: Mapping[str, Any] = {
    "public/auth": TOKEN,
    "public/set_heartbeat": "ok",
    "public/test": {"version": "1.2.26"},
    "private/enable_cancel_on_disconnect": "ok",
    "private/get_cancel_on_disconnect": {"scope": "connection", "enabled": True},
    "private/get_account_summaries": {"summaries": [{"currency": "BTC", "limits": LIMITS}]},
}


class Driver:
    """Drives a connection in a time of its own, and answers it as the venue would.

    Everything happens at once unless a test lets time pass: `wait` moves the clock from due moment
    to due moment. `answers` is by method; a function is called with the parameters.
    """

    def __init__(self, *, keys: tuple[str, str] | None = KEYS, timing: Timing = USUAL) -> None:
        self.connection = Connection("deribit", keys, timing, START_NS)
        self.now_ns: Nanos = START_NS
        self.answers = dict(ANSWERS)
        self.lets_in = True
        self.sent: list[tuple[Link, Json]] = []
        self.dials: list[tuple[Link, float, float]] = []
        """(link, when in seconds, how long it may take)"""
        self.cuts: list[tuple[Link, str, bool]] = []
        self.http: list[Http] = []
        self.books: list[tuple[str, bool, str]] = []
        self.user: list[tuple[str, Any]] = []
        self.tickers: list[tuple[str, Json]] = []
        self.links: list[tuple[Link, bool]] = []
        self.reasons: list[str] = []
        self.started: list[tuple[Link, Exception | None]] = []
        self.late: list[Reply] = []
        self.faults: list[Exception] = []
        self.unreadable: list[Link] = []
        self._waiting: list[tuple[Link, Json]] = []
        self._hear()

    def _hear(self) -> None:
        connection = self.connection

        def on_book(book: Book) -> None:
            self.books.append((book.name, book.valid, book.why))

        def on_link(link: Link, up: bool, why: str) -> None:
            self.links.append((link, up))
            self.reasons.append(why)

        connection.on_book = on_book
        connection.on_link = on_link
        connection.on_user = lambda channel, data: self.user.append((channel, data))
        connection.on_ticker = lambda name, data: self.tickers.append((name, data))
        connection.on_started = lambda link, error: self.started.append((link, error))
        connection.on_late_reply = self.late.append
        connection.on_fault = lambda error, _: self.faults.append(error)
        connection.on_unreadable = self.unreadable.append

    # -- what was said ---------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return (self.now_ns - START_NS) / SECOND

    def methods(self, link: Link) -> list[str]:
        return [frame["method"] for on, frame in self.sent if on is link]

    def calls(self, method: str) -> list[Json]:
        """The parameters of every call of `method`."""
        return [frame["params"] for _, frame in self.sent if frame["method"] == method]

    # -- what happens ----------------------------------------------------------------------------

    def start(
        self,
        links: Sequence[Link] = tuple(Link),
        channels: Mapping[Link, Sequence[str]] | None = None,
    ) -> "Driver":
        self.carry_out(self.connection.start(links, channels or {}, self.now_ns))
        return self

    def do(self, what: Callable[[Connection], Any]) -> Any:
        """Something whoever stands on the connection does, as an entry of its own."""
        self.connection.at(self.now_ns)
        came = what(self.connection)
        self.carry_out(self.connection.settle())
        return came

    def say(self, link: Link, frame: Any) -> None:
        """A frame of the venue's."""
        self.carry_out(self.connection.receive(link, frame, self.now_ns))

    def push(self, channel: str, data: Any, link: Link = Link.MARKET) -> None:
        params = {"channel": channel, "data": data}
        self.say(link, {"jsonrpc": "2.0", "method": "subscription", "params": params})

    def sever(self, link: Link, why: str = "reset") -> None:
        self.carry_out(self.connection.closed(link, why, self.now_ns))

    def answer_http(self, answer: HttpAnswer) -> None:
        self.carry_out(self.connection.answered(self.http[-1].id, answer, self.now_ns))

    def wait(self, seconds: float) -> None:
        """Let time pass, ticking whenever the connection wants it."""
        until_ns = self.now_ns + round(seconds * SECOND)
        while (due_ns := self.connection.due_ns) is not None and due_ns <= until_ns:
            assert due_ns >= self.now_ns or not self._waiting
            self.now_ns = max(self.now_ns, due_ns)
            self.carry_out(self.connection.tick(self.now_ns))
        self.now_ns = until_ns

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self.sent.append((effect.link, dict(effect.frame)))
                    self._waiting.append((effect.link, dict(effect.frame)))
                case Dial():
                    self.dials.append((effect.link, self.now_s, effect.limit_s))
                    if self.lets_in:
                        self.carry_out(self.connection.opened(effect.link, self.now_ns))
                    else:
                        refused = self.connection.closed(effect.link, "refused", self.now_ns)
                        self.carry_out(refused)
                case Cut():
                    self.cuts.append((effect.link, effect.why, effect.politely))
                    self._waiting = [one for one in self._waiting if one[0] is not effect.link]
                case Http():
                    self.http.append(effect)
        while self._waiting:
            self._reply(*self._waiting.pop(0))

    def _reply(self, link: Link, frame: Json) -> None:
        method, params = frame["method"], frame["params"]
        answer = self.answers.get(method)
        if callable(answer):
            answer = answer(params)
        if answer is None and method.endswith("subscribe"):
            answer = params["channels"]
        if answer is SILENCE:
            return
        said: Json = {"jsonrpc": "2.0", "id": frame["id"]}
        if answer is None:
            answer = Refused(-32601, "Method not found")
        if isinstance(answer, Refused):
            said["error"] = answer.error
        else:
            said["result"] = answer
        self.say(link, said)
