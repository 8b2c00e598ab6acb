"""What a session without I/O wants done, done: asyncio on ccxt's sockets and REST.

Theory of operation
-------------------
Frames come in in the socket's own callback, and what the session answers is carried out before that
callback returns: no task per frame, and all that is sent in one turn leaves in one write. One timer
of the loop stands for all of the session's, and is set again when they become due earlier. Only
dialing, goodbyes and REST are tasks.

A connection that is cut is forgotten first: nothing it says, nor that it ended, reaches the session
any more. Seconds are the clock's, which may run faster than the wall's; dialing and REST are real
work, and get REAL_MIN_S of the wall's time however fast ours runs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import orjson
from ccxt.base.errors import NetworkError, RequestTimeout

from mmbot.clock import Clock
from mmbot.core.events import Event, Link
from mmbot.core.types import SECOND, Nanos
from mmbot.venues.connection import Connection
from mmbot.venues.effects import (
    Cut,
    Dial,
    Driven,
    Effect,
    Emit,
    Frame,
    Http,
    HttpAnswer,
    Send,
    SendText,
)
from mmbot.venues.exchange import REAL_MIN_S, Exchange
from mmbot.venues.failures import said
from mmbot.venues.recipe import Recipe
from mmbot.venues.wire import Wire

T = TypeVar("T")

GOODBYE_S = 1.0
REST_MARGIN_S = 0.5
DIALED_MS = 20_000
"""ccxt's own limit, which comes after ours: it counts in whole seconds."""
SOON_S = 0.0005
"""Not sooner than that is looked again whether something is due that was not."""

TRADING_MARK = "#trading"
"""Marks ccxt's key for the second connection, and never goes on the wire."""


class Shell:
    """Drives `session` over `exchange`, whose session, proxies and addresses are used; `kind` is
    how the venue is called in what is said of it. Events go
    to `emit`. `on_over` is told a wire that has ended, whoever ended it."""

    def __init__(
        self,
        kind: str,
        session: Driven,
        exchange: Exchange,
        clock: Clock,
        emit: Callable[[Event], None] | None = None,
    ) -> None:
        self.wires: dict[Link, Wire] = {}
        """The present connections, those that are not dialed yet included."""
        self.failures: dict[Link, Exception] = {}
        """Why the last dial of a link failed."""
        self.on_over: Callable[[Link, Wire, Exception], None] | None = None
        self._kind = kind
        self._session = session
        self._exchange = exchange
        self._clock = clock
        self._emit = emit
        self._dialing: dict[Link, asyncio.Task[None]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns: Nanos = 0

    # -- Carrying out ----------------------------------------------------------------------------

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do all of it, in its order."""
        for effect in effects:
            if type(effect) is Send:  # isinstance is slow to say no of a Struct
                self._write(effect)
            elif type(effect) is Emit:
                if self._emit is not None:
                    self._emit(effect.event)
            elif isinstance(effect, Cut):
                self._cut(effect)
            elif isinstance(effect, SendText):
                self._write_text(effect)
            elif isinstance(effect, Dial):
                task = self._start(self._dial(effect))
                self._dialing[effect.link] = task
            elif isinstance(effect, Http):
                self._asking.add(task := self._start(self._ask(effect)))
                task.add_done_callback(self._asking.discard)
        self._set_timer()

    def _write(self, effect: Send) -> None:
        wire = self.wires.get(effect.link)
        try:
            if wire is None:
                raise ConnectionError(f"{effect.link.name} is not connected")
            wire.write(encoded(effect.frame))
        except (ConnectionError, TypeError) as error:
            # Told afterwards: what is left to be done comes first.
            asyncio.get_running_loop().call_soon(self._unsent, effect, str(error))

    def _write_text(self, effect: SendText) -> None:
        wire = self.wires.get(effect.link)
        if wire is not None:
            with suppress(ConnectionError):
                wire.write(effect.text.encode())

    def _unsent(self, effect: Send, why: str) -> None:
        self.carry_out(self._session.unsent(effect.frame, why, self._clock.now_ns()))

    def _cut(self, effect: Cut) -> None:
        wire = self._forget(effect.link)
        task = self._dialing.pop(effect.link, None)
        if task is not None:
            task.cancel()
        if wire is not None:
            wire.lose(effect.why, cut=not effect.politely)
            self._end(effect.link, wire, self._lost(effect.link, effect.why))

    def _forget(self, link: Link) -> Wire | None:
        wire = self.wires.pop(link, None)
        if wire is not None:
            self._exchange.clients.pop(wire.url, None)
        return wire

    def _end(self, link: Link, wire: Wire, error: Exception) -> None:
        """Nothing is left behind of a connection that is over."""
        if self.on_over is not None:
            self.on_over(link, wire, error)
        self._start(wire.shut())

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- Time ------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        due_ns = self._session.due_ns
        if self._timer is not None:
            if due_ns is not None and self._timer_ns <= due_ns:
                return
            self._timer.cancel()
            self._timer = None
        if due_ns is None:
            return
        left_s = (due_ns - self._clock.now_ns()) / SECOND / self._clock.scale
        loop = asyncio.get_running_loop()
        self._timer_ns = due_ns
        self._timer = loop.call_later(max(SOON_S, left_s) if left_s > 0 else 0.0, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.carry_out(self._session.tick(self._clock.now_ns()))

    # -- Connections -----------------------------------------------------------------------------

    def wire(self, link: Link) -> Wire:
        """The present connection of a link, or one not yet dialed."""
        wire = self.wires.get(link)
        if wire is None:
            exchange = self._exchange
            exchange.open()
            http_proxy, https_proxy, _ = exchange.check_ws_proxy_settings()
            settings = {
                "asyncio_loop": exchange.asyncio_loop,
                "keepAlive": 0,  # silence is watched by the session
                "compress": 0,  # so that a frame can be written in one step
                "connectionTimeout": DIALED_MS,
                "goodbye_s": GOODBYE_S / self._clock.scale,
                "proxy": http_proxy or https_proxy,
            }
            heard, lost = partial(self._heard, link), partial(self._closed, link)
            wire = Wire(self.url(link), heard, lost, settings)
            self.wires[link] = exchange.clients[wire.url] = wire
        return wire

    def url(self, link: Link) -> str:
        """ccxt's key for a link."""
        return f"{self._exchange.socket_url}{TRADING_MARK if link is Link.TRADING else ''}"

    async def _dial(self, effect: Dial) -> None:
        link, limit_s = effect.link, max(effect.limit_s / self._clock.scale, REAL_MIN_S)
        wire = self.wire(link)
        failure: Exception | None = None
        try:
            async with asyncio.timeout(limit_s):
                await wire.dial(self._exchange.session)
        except TimeoutError:
            failure = RequestTimeout(f"{self._kind} lets nobody in within {effect.limit_s:.0f} s")
        except Exception as error:  # noqa: BLE001  # whatever it was, we are not let in
            failure = error
        if self.wires.get(link) is not wire:  # cut meanwhile
            await wire.shut()
            return
        self._dialing.pop(link, None)
        now_ns = self._clock.now_ns()
        if failure is None:
            self.failures.pop(link, None)
            self.carry_out(self._session.opened(link, now_ns))
            return
        self.failures[link] = failure
        self._forget(link)
        wire.lose("given up")
        self._end(link, wire, failure)
        self.carry_out(self._session.closed(link, said(failure), now_ns))

    def _heard(self, link: Link, wire: Wire, data: str | bytes) -> None:
        """Every text frame, in the receive callback."""
        if self.wires.get(link) is wire:
            self.carry_out(self._session.receive(link, data, self._clock.now_ns()))

    def _closed(self, link: Link, wire: Wire, why: str) -> None:
        """A connection has ended, and not by a Cut."""
        if self.wires.get(link) is wire and link not in self._dialing:
            self._forget(link)
            self._end(link, wire, self._lost(link, why))
            self.carry_out(self._session.closed(link, why, self._clock.now_ns()))

    def _lost(self, link: Link, why: str) -> Exception:
        error: Exception = NetworkError(f"{self._kind} {link.name}: {why}")
        return error

    # -- REST ------------------------------------------------------------------------------------

    async def _ask(self, effect: Http) -> None:
        # The exchange has the same limit, and says of whom it asked: let it come first.
        limit_s = max(effect.timeout_s / self._clock.scale, REAL_MIN_S) + REST_MARGIN_S
        request = self._exchange.over_rest(effect.method, effect.params)
        try:
            async with asyncio.timeout(limit_s):
                answer = HttpAnswer(200, await request)
        except Exception as error:  # noqa: BLE001  # whatever it was, it is no answer
            status, body = getattr(error, "http", (None, None))
            answer = HttpAnswer(status, body, said(error), error)
        self.carry_out(self._session.answered(effect.id, answer, self._clock.now_ns()))

    async def run(self, connection: Connection, recipe: Recipe[T]) -> T:
        """What comes of a recipe on the connection that this drives. Raises what it raises."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def told(result: T, error: Exception | None) -> None:
            if future.done():  # whoever asked has gone
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        connection.at(self._clock.now_ns())
        connection.run(recipe, told)
        self.carry_out(connection.drain())
        return await future

    async def close(self) -> None:
        """Nothing is left running. What is open is to be cut before; REST is not waited for."""
        for task in self._asking:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.gather(*self._tasks, return_exceptions=True)


def encoded(frame: Frame) -> bytes:
    """A frame as it goes on the wire."""
    return orjson.dumps(frame, default=_number)


def _number(value: object) -> orjson.Fragment:
    """A decimal's own digits, without exponent or rounding."""
    if isinstance(value, Decimal):
        text = str(value)
        return orjson.Fragment(text if "E" not in text else f"{value:f}")
    raise TypeError(f"{type(value).__name__} is no JSON")
