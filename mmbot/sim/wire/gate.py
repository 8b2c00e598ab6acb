"""How frames get in and out of the simulated venue, and how the fates of `faults.py` look there.

`Gate` is the one for all lines: silence, and what is under way. `Link` is one WebSocket. `Door` is
the listening socket.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import WSMsgType, web

from mmbot.sim.wire.faults import PASSES, Fate, FaultInjector, Kind, garbled
from mmbot.sim.wire.frame import Frame

UNSENT_FRAMES_MAX: Final = 20_000  # a client that does not read is cut off
BEHIND_S_MAX: Final = 1.0  # a push that should follow the next one waits so long for it
BACKLOG: Final = 128
BARE: Final = ("subscribe", "unsubscribe")  # methods that are named without a slash


class Gate:
    """The one place every frame passes, in and out."""

    def __init__(self, trouble: FaultInjector, now_ms: Callable[[], int]) -> None:
        self.trouble = trouble
        self.now_ms = now_ms
        self.under_way = UnderWay()
        self._speaks = asyncio.Event()
        self._speaks.set()

    @property
    def is_silent(self) -> bool:
        """Whether every frame is swallowed."""
        return not self._speaks.is_set()

    def lets_in(self) -> bool:
        """Whether a frame that has arrived is seen."""
        return not self.is_silent

    def silence(self) -> None:
        """Swallow every frame from now on."""
        self._speaks.clear()

    def speak(self) -> None:
        """Let frames pass again."""
        self._speaks.set()

    async def until_speaking(self) -> None:
        """Return when frames pass."""
        await self._speaks.wait()

    def fate_out(self, about: str | None) -> Fate:
        """Of a frame that leaves; `about` is the method it answers or the channel it is from."""
        if about is None or not self.trouble.is_on:
            return PASSES
        if "/" in about or about in BARE:
            return self.trouble.reply(about)
        return self.trouble.push(about, self.now_ms())


class UnderWay:
    """Messages that travel longer than others."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[int, tuple[asyncio.TimerHandle, Callable[[bool], None]]] = {}

    def later(self, seconds: float, arrive: Callable[[], None]) -> None:
        """Call `arrive` when the time has come, unless it is lost before."""
        self._add(seconds, lambda arrives: arrive() if arrives else None)

    async def wait(self, seconds: float) -> bool:
        """Return when the time has come; False where what waited is lost."""
        arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._add(seconds, lambda arrives: None if arrived.done() else arrived.set_result(arrives))
        return await arrived

    def hurry(self) -> None:
        """Everything arrives now, in the order in which it would have."""
        self._end(arrives=True)

    def lose(self) -> None:
        """Nothing of it arrives any more."""
        self._end(arrives=False)

    def _add(self, seconds: float, end: Callable[[bool], None]) -> None:
        self._count += 1
        timer = asyncio.get_running_loop().call_later(seconds, self._arrived, self._count)
        self._waiting[self._count] = (timer, end)

    def _arrived(self, number: int) -> None:
        _, end = self._waiting.pop(number)
        end(True)

    def _end(self, *, arrives: bool) -> None:
        waiting = sorted(self._waiting.values(), key=lambda one: one[0].when())
        self._waiting.clear()
        for timer, end in waiting:
            timer.cancel()
            end(arrives)


class Link:
    """One WebSocket's way out: frames are queued at once and sent in order, unless fate says
    otherwise."""

    def __init__(self, websocket: web.WebSocketResponse, request: web.Request, gate: Gate) -> None:
        self.is_cut = False
        self.deaf_until_ms = 0  # venue time; until then nothing passes, and TCP stays up
        self._socket = websocket
        self._request = request
        self._gate = gate
        self._unsent: asyncio.Queue[tuple[bytes, WSMsgType] | None] = asyncio.Queue()
        self._behind: dict[str, list[bytes]] = {}  # by kind of channel
        self._unanswered: str | None = None

    @property
    def is_deaf(self) -> bool:
        """Whether frames are swallowed at present, in both directions."""
        return self._gate.is_silent or self._gate.now_ms() < self.deaf_until_ms

    def write(self, frame: Frame, about: str | None) -> None:
        """Queue a frame; `about` is the method it answers, the channel it is from, or None."""
        if self.is_deaf:
            return
        if about is not None and about == self._unanswered:
            return
        payload = frame.text
        fate = self._gate.fate_out(about)
        match fate.kind:
            case Kind.LOST:
                return
            case Kind.LATE:
                self._gate.under_way.later(fate.seconds, lambda: self._arrive(payload))
            case Kind.TWICE:
                self._send(payload)
                self._send(payload)
            case Kind.BEHIND:
                assert about is not None, "only what is about something meets a fate"
                self._hold(payload, _kind_of(about))
                return
            case Kind.GARBLED:
                noise, is_binary = garbled(payload, fate.share)
                self._send(noise, WSMsgType.BINARY if is_binary else WSMsgType.TEXT)
            case _:
                self._send(payload)
        if self._behind and about is not None:
            self._let_follow(_kind_of(about))

    def close(self) -> None:
        """Close once everything queued is out."""
        self._unsent.put_nowait(None)

    @contextmanager
    def without_reply(self, method: str) -> Iterator[None]:
        """What that method answers meanwhile is not sent."""
        self._unanswered = method
        yield
        self._unanswered = None

    def ping(self) -> None:
        """Ask whether somebody is there."""
        if not self.is_deaf:
            self._send(b"", WSMsgType.PING)

    def cut(self) -> None:
        """Break the TCP connection; what is queued stays unsent, what has come in unread."""
        self.is_cut = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def send_all(self) -> None:
        """Send what is queued until closed."""
        while True:
            unsent = await self._unsent.get()
            if unsent is None:
                await self._socket.close()
                return
            try:
                await self._socket.send_frame(*unsent)
            except ConnectionError:
                return

    # -- inside --------------------------------------------------------------------------------

    def _send(self, payload: bytes, kind: WSMsgType = WSMsgType.TEXT) -> None:
        self._unsent.put_nowait((payload, kind))
        if self._unsent.qsize() > UNSENT_FRAMES_MAX:
            self.cut()

    def _arrive(self, payload: bytes) -> None:
        if not self.is_deaf:
            self._send(payload)

    def _hold(self, payload: bytes, kind: str) -> None:
        self._behind.setdefault(kind, []).append(payload)
        self._gate.under_way.later(BEHIND_S_MAX, lambda: self._let_follow(kind))

    def _let_follow(self, kind: str) -> None:
        for payload in self._behind.pop(kind, ()):
            self._arrive(payload)


class Door:
    """The listening socket on 127.0.0.1, which can be shut for a while: connections are refused
    then, and the port is still nobody else's.

    Raises OSError where the port is taken.
    """

    def __init__(self, host: str, port: int) -> None:
        # Bound but never listening: it keeps the port while the door is shut.
        self._keeper = _bound(host, port)
        self._host = host
        self.port: int = self._keeper.getsockname()[1]
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    async def open(self, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        """Let connections in."""
        listening = _bound(self._host, self.port)
        listening.listen(BACKLOG)
        self._server = await asyncio.get_running_loop().create_server(protocol, sock=listening)

    def shut(self) -> None:
        """Refuse connections from now on; those that are there stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def remove(self) -> None:
        """Give up the port."""
        self.shut()
        self._keeper.close()


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def _kind_of(about: str) -> str:
    return about.partition(".")[0]
