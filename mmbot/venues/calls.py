"""Requests of a session: paced, put out at once, and each ended exactly once.

`send` never waits: it is for orders, whose pace is the core's business, and for proof of life.
`ask` and `get` wait for their place in the pool of their method (pools.py), first come, first
served, over both links and REST alike. Recipes (several questions in a row) are driven here.

Whoever asks is told later, never from within the call that asks: what is known at once is told at
the end of the entry (`settle`).
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from msgspec.structs import replace

from mmbot.core.events import Link
from mmbot.core.types import Nanos
from mmbot.venues.answers import OddMessage, result_of
from mmbot.venues.dialect import Dialect
from mmbot.venues.effects import Effect, Http, HttpAnswer, Send
from mmbot.venues.link import LinkState
from mmbot.venues.pools import Pools
from mmbot.venues.recipe import Ask, Recipe, Wait
from mmbot.venues.requests import (
    NO_REPLY,
    Done,
    Outcome,
    Pending,
    Reply,
    Requests,
    reply_of,
)
from mmbot.venues.timers import Timer, Timers

Fault = Callable[[Exception, Any], None]
Told = Callable[[Any, Exception | None], None]
"""Called with what came of a recipe, or with what it raised."""

ROUNDS_MAX = 20
"""What is told may ask again and be told at once; whoever never ends goes on in the next entry."""

NOT_OK_FROM = 400
"""HTTP statuses from here on are no success, whatever the body says."""


@dataclass(slots=True, eq=False)
class Turn:
    """Somebody who waits for a place in a pool: `go` is called with it, or `no` without."""

    go: Callable[[], None]
    no: Callable[[], None]
    connection: tuple[Link, int] | None = None
    """Only for this one."""
    canceled: bool = False


@dataclass(slots=True, eq=False)
class _Running:
    """A recipe under way. `connection`: it brings this one up; others ask on links that are up."""

    recipe: Recipe[Any]
    told: Told
    connection: tuple[Link, int] | None
    begun: bool = False


class Calls:
    """What every part of a session asks the venue with. `fault` is told what a handler raised."""

    def __init__(
        self,
        dialect: Dialect,
        links: Mapping[Link, LinkState],
        start_ns: Nanos,
        fault: Fault,
    ) -> None:
        self.dialect = dialect
        self.links = links
        self.fault = fault
        self.timers = Timers(start_ns, lambda error: fault(error, None))
        self.effects: list[Effect] = []
        self.requests = Requests()
        self._pools: Pools | None = None
        self._pool_of = dialect.pool_of
        self._queues: dict[Enum, deque[Turn]] = {}
        self._waiting: set[Enum] = set()
        """Pools whose queue goes on when a timer says so."""
        self._later: list[Callable[[], None]] = []
        self._expiry: tuple[float, Timer] | None = None
        self._gets: dict[int, tuple[Enum | None, Done]] = {}

    @property
    def now_s(self) -> float:
        """Seconds of the session."""
        return self.timers.now_s

    @property
    def pools(self) -> Pools:
        """The account's pools, from the first request on."""
        if self._pools is None:
            self._pools = self.dialect.pools(self.now_s)
        return self._pools

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call it in so many seconds, and not from within this."""
        return self.timers.after(seconds, call)

    # -- Entries ---------------------------------------------------------------------------------

    @property
    def due_ns(self) -> Nanos | None:
        """When the session wants to be ticked."""
        return self.timers.now_ns if self._later else self.timers.due_ns

    def settle(self) -> list[Effect]:
        """The end of an entry: tell what there is to tell, and hand over the effects."""
        rounds = 0
        while self._later and rounds < ROUNDS_MAX:
            rounds += 1
            told, self._later = self._later, []
            for tell in told:
                tell()
        return self.drain()

    def drain(self) -> list[Effect]:
        """The effects, handed over."""
        if not self.effects:
            return []
        effects = self.effects.copy()
        self.effects.clear()
        return effects

    def tell(self, handler: Callable[..., None] | None, *args: Any) -> None:
        """Call somebody's handler; what it raises is a fault and nothing worse."""
        if handler is None:
            return
        try:
            handler(*args)
        except Exception as error:  # noqa: BLE001  # a handler may raise anything
            self.fault(error, args)

    def tell_later(self, handler: Callable[..., None], *args: Any) -> None:
        """The same at the end of the entry; where that is over, in the next one, which is due."""
        self._later.append(partial(self.tell, handler, *args))

    # -- Asking ----------------------------------------------------------------------------------

    def send(
        self,
        link: LinkState,
        method: str,
        params: Mapping[str, Any],
        done: Done | None,
        timeout_s: float,
        *,
        paid: bool = False,
    ) -> int:
        """Put a request out on an open connection; its id.

        `done` is called with the Reply, later (never from within this call), exactly once. `paid`:
        its place in the pool has been waited for.
        """
        name = link.link
        if not link.open:
            return self.refuse(f"{name.name} is not connected", done)
        id_ = self.requests.next_id()
        pool = self._pool_of(method)
        if pool is not None:
            if not paid:
                self.pools.spend(pool, self.now_s)
            self.pools.sent(pool)
        self.effects.append(Send(name, self.dialect.frame(id_, method, params)))
        self.expect(id_, link, method, done, timeout_s)
        return id_

    def expect(
        self, id_: int, link: LinkState, method: str, done: Done | None, timeout_s: float
    ) -> None:
        """A request has been put out, and is to be answered within that time."""
        deadline_s = self.timers.now_s + timeout_s
        self.requests.add(id_, link.link, method, done, deadline_s)
        if self._expiry is None or deadline_s < self._expiry[0]:
            self._expire_at(deadline_s)

    def refuse(self, why: str, done: Done | None) -> int:
        """A request that certainly never left: its id, and `done` is told."""
        id_ = self.requests.next_id()
        if done is not None:
            self.tell_later(done, self._unknown(id_, why, sent=False))
        return id_

    def ask(
        self,
        link: LinkState,
        method: str,
        params: Mapping[str, Any],
        done: Done,
        timeout_s: float,
        *,
        connection: tuple[Link, int] | None = None,
    ) -> None:
        """A request that waits for its place; the deadline counts from then on. Sent on a link that
        is up, or on the `connection` that is being brought up; else `done` is told that it is not.
        """

        def may() -> bool:
            return link.up if connection is None else connection == (link.link, link.connections)

        def go() -> None:
            if may():
                self.send(link, method, params, done, timeout_s, paid=True)
            else:
                no()

        def no() -> None:
            self.refuse(f"{link.link.name} is not connected", done)

        if may():
            self.place(method, Turn(go, no, connection))
        else:
            no()

    def get(self, method: str, params: Mapping[str, Any], done: Done, timeout_s: float) -> None:
        """The same over REST."""
        id_, pool = self.requests.next_id(), self._pool_of(method)

        def go() -> None:
            if pool is not None:
                self.pools.sent(pool)
            self._gets[id_] = (pool, done)
            self.effects.append(Http(id_, method, params, timeout_s))

        def no() -> None:
            self.refuse("closed by us", done)

        self.place(method, Turn(go, no))

    def answered(self, id_: int, answer: HttpAnswer) -> None:
        """A REST request has ended."""
        pool, done = self._gets.pop(id_, (None, None))
        if pool is not None:
            self.pools.ended(pool, self.now_s)
        self.tell(done, self._reply_over_rest(id_, answer))

    # -- Recipes ---------------------------------------------------------------------------------

    def run(
        self, recipe: Recipe[Any], told: Told, connection: tuple[Link, int] | None = None
    ) -> None:
        """Drive a recipe; `told` is called once, later. With `connection`, it asks on that one
        before the link is up."""
        running = _Running(recipe, told, connection)
        self._resume(running, None)
        running.begun = True

    def _resume(self, running: _Running, value: Any) -> None:
        tell = self.tell if running.begun else self.tell_later
        try:
            question = running.recipe.send(value)
        except StopIteration as end:
            tell(running.told, end.value, None)
            return
        except Exception as error:  # noqa: BLE001  # whoever began it is told
            tell(running.told, None, error)
            return
        resume = partial(self._resume, running)
        if isinstance(question, Wait):
            self.after(question.seconds, partial(resume, None))
            return
        # What an answer means for its link comes before what is asked next.
        done = partial(self.tell_later, resume)
        method, params, limit_s = question.method, question.params, question.timeout_s
        if isinstance(question, Ask):
            link = self.links[question.link]
            self.ask(link, method, params, done, limit_s, connection=running.connection)
        else:
            self.get(method, params, done, limit_s)

    # -- Pace ------------------------------------------------------------------------------------

    def place(self, method: str, turn: Turn) -> None:
        """Call `turn.go` as soon as the method's pool has room for one more, which is taken."""
        pool = self._pool_of(method)
        if pool is None:
            turn.go()
            return
        self._queues.setdefault(pool, deque()).append(turn)
        if pool not in self._waiting:
            self._serve(pool)

    def _serve(self, pool: Enum) -> None:
        """Those who wait, as far as the pool goes."""
        self._waiting.discard(pool)
        while queue := self._queues[pool]:  # which a turn may change
            if queue[0].canceled:
                queue.popleft()
                continue
            if wait_s := self.pools.take(pool, self.now_s):
                self._waiting.add(pool)
                self.after(wait_s, partial(self._serve, pool))
                return
            queue.popleft().go()

    def give_up(self, mine: Callable[[Turn], bool]) -> None:
        """Let go, without a place, those who have waited for something that is over."""
        for pool, queue in list(self._queues.items()):
            gone = [turn for turn in queue if mine(turn) and not turn.canceled]
            self._queues[pool] = deque(turn for turn in queue if turn not in gone)
            for turn in gone:
                turn.no()

    # -- Ending ----------------------------------------------------------------------------------

    def replied(self, frame: dict[str, Any]) -> tuple[Reply, Pending | None]:
        """End the request a frame answers; None: it had ended before, or was never made."""
        pending = self.requests.take(frame["id"])
        if pending is None and not self._was_made(frame["id"]):
            raise OddMessage("answers a request that was never made", self.dialect.name)
        if pending is not None:
            self._ended(pending)
        return reply_of(self.dialect, frame), pending

    def _was_made(self, id_: object) -> bool:
        return isinstance(id_, int) and 0 < id_ <= self.requests.last_id

    def unsent(self, id_: object, why: str) -> None:
        """A frame could not be written."""
        pending = self.requests.take(id_)
        if pending is not None and isinstance(id_, int):
            self._ended(pending)
            self.tell(pending.done, self._unknown(id_, why, sent=False))

    def lost(self, link: LinkState, why: str) -> None:
        """Everything in flight on a link ends with it, its outcome unknown."""
        for id_, pending in self.requests.take_all(link.link):
            self._ended(pending)
            self.tell(pending.done, self._unknown(id_, why))
        over = (link.link, link.connections)
        self.give_up(lambda turn: turn.connection == over)

    def _ended(self, pending: Pending) -> None:
        pool = self._pool_of(pending.method)
        if pool is not None:
            self.pools.ended(pool, self.now_s)

    def _expire_at(self, deadline_s: float) -> None:
        if self._expiry is not None:
            self._expiry[1].cancel()
        self._expiry = (deadline_s, self.after(deadline_s - self.now_s, self._expire))

    def _expire(self) -> None:
        self._expiry = None
        for id_, pending in self.requests.take_expired(self.now_s):
            self._ended(pending)
            self.tell(pending.done, self._unknown(id_, NO_REPLY))
        if (earliest_s := self.requests.earliest_s) is not None:
            self._expire_at(earliest_s)

    def _unknown(self, id_: int, why: str, *, sent: bool = True) -> Reply:
        return Reply(id_, Outcome.UNKNOWN, why=why, sent=sent, venue=self.dialect.name)

    def _reply_over_rest(self, id_: int, answer: HttpAnswer) -> Reply:
        body, why, cause = answer.body, answer.why or f"HTTP {answer.status}", answer.cause
        if not isinstance(body, Mapping) or not ("result" in body or "error" in body):
            return replace(self._unknown(id_, why), cause=cause)
        if (answer.status or 0) >= NOT_OK_FROM and body.get("error") is None:
            return replace(self._unknown(id_, why), cause=cause)
        reply = reply_of(self.dialect, {**body, "id": id_})
        return replace(reply, why=answer.why or reply.why, cause=cause)


def call(link: Link, method: str, params: Mapping[str, Any], timeout_s: float) -> Recipe[Any]:
    """A request's result. Raises as `result_of` does."""
    reply = yield Ask(link, method, params, timeout_s)
    return result_of(method, reply)
