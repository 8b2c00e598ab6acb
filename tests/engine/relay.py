"""A relay between engine and venue: a test decides what becomes of every frame.

    async with live(line=relay): ...
    relay.to_engine = lambda talk, frame: [] if frame.answers == "private/buy" else [frame]

Each WebSocket of the engine becomes a `Talk`, with a WebSocket of its own to the venue. The two
hooks `to_venue` and `to_engine` say what is passed on in place of a frame: nothing, itself, itself
twice, another one. What a hook keeps it can pass on later (`Talk.tell`, `Talk.say`). A link can be
made deaf: TCP stays up on both sides and nothing passes. Methods in `silent` are accepted and never
answered, over WebSocket and REST alike; `DIAL` stands for opening a WebSocket.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

DIAL = "dial"
_ARMED = "private/enable_cancel_on_disconnect"
_FRAME_BYTES_MAX = 1 << 24


class Kind(Enum):
    """Which of the engine's connections one is; told by what it asks for."""

    UNKNOWN = "not told yet"
    MARKET = "market"
    TRADING = "trading"


@dataclass(frozen=True, slots=True)
class Frame:
    """One text frame."""

    text: str
    body: dict[str, Any]
    answers: str = ""
    """The method it answers."""

    @property
    def method(self) -> str:
        """The method it asks for."""
        return str(self.body.get("method", ""))

    @property
    def channel(self) -> str:
        """The channel it is a message of."""
        params = self.body.get("params")
        return str(params.get("channel", "")) if isinstance(params, dict) else ""


@dataclass(eq=False)
class Talk:
    """One WebSocket of the engine's, and the relay's own one to the venue."""

    engine: web.WebSocketResponse
    venue: ClientWebSocketResponse
    kind: Kind = Kind.UNKNOWN
    asked: dict[int, str] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)
    """Subscribed on it, in the order asked for."""

    def read(self, text: str) -> Frame:
        """A frame, and what it tells of this talk."""
        body = json.loads(text)
        number, method = body.get("id"), body.get("method")
        if method is None:
            return Frame(text, body, self.asked.pop(number, ""))
        if method.endswith("/subscribe"):
            self.channels += body["params"]["channels"]
        if number is not None:
            self.asked[number] = method
        if self.kind is Kind.UNKNOWN and method == _ARMED:
            self.kind = Kind.TRADING
        elif self.kind is Kind.UNKNOWN and method == "public/subscribe":
            self.kind = Kind.MARKET
        return Frame(text, body)

    async def tell(self, frame: Frame) -> None:
        """Pass a frame on to the venue, unless that is gone."""
        with suppress(ConnectionError):
            await self.venue.send_str(frame.text)

    async def say(self, frame: Frame) -> None:
        """Pass a frame on to the engine, unless that is gone."""
        with suppress(ConnectionError):
            await self.engine.send_str(frame.text)


Hook = Callable[[Talk, Frame], Sequence[Frame]]


def passes(_: Talk, frame: Frame) -> Sequence[Frame]:
    """What goes in comes out."""
    return [frame]


class Relay:
    """See above. `talks` are the connections open now, `dials` how many there have been."""

    def __init__(self) -> None:
        self.to_venue: Hook = passes
        self.to_engine: Hook = passes
        self.silent: set[str] = set()
        self.talks: list[Talk] = []
        self.dials = 0
        self.asked: list[str] = []
        """Every method the engine has asked for, REST included."""
        self._deaf: dict[Kind, None] = {}
        self._hears = asyncio.Event()

    @asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[str]:
        """Listen; `url` is the venue's."""
        async with AsyncExitStack() as stack:
            self._url = url
            self._session = await stack.enter_async_context(ClientSession())
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", self._on_request)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            stack.callback(self.hear)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"

    def deafen(self, *kinds: Kind) -> None:
        """Nothing passes on these connections any more, present or to come; TCP stays up."""
        self._deaf |= dict.fromkeys(kinds)
        self._hears.clear()

    def hear(self) -> None:
        """Undo `deafen`; what was swallowed stays lost."""
        self._deaf.clear()
        self._hears.set()

    def is_deaf(self, talk: Talk) -> bool:
        return talk.kind in self._deaf

    async def _on_request(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._on_websocket(request)
        method = request.path.removeprefix("/api/v2/")
        self.asked.append(method)
        if method in self.silent:
            await asyncio.Event().wait()
        headers = {name: text for name, text in request.headers.items() if name == "Authorization"}
        async with self._session.request(
            request.method, self._url + request.raw_path, headers=headers, data=await request.read()
        ) as answer:
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                content_type=answer.content_type,
            )

    async def _on_websocket(self, request: web.Request) -> web.StreamResponse:
        self.dials += 1
        if DIAL in self.silent:
            await asyncio.Event().wait()
        engine = web.WebSocketResponse(compress=False, max_msg_size=_FRAME_BYTES_MAX)
        await engine.prepare(request)
        async with self._session.ws_connect(
            self._url + request.raw_path, max_msg_size=_FRAME_BYTES_MAX
        ) as venue:
            talk = Talk(engine, venue)
            self.talks.append(talk)
            hears = asyncio.ensure_future(self._hears.wait())
            ways = [
                asyncio.ensure_future(self._up(talk)),
                asyncio.ensure_future(self._down(talk)),
            ]
            try:
                _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                if self.is_deaf(talk):  # then neither side learns of the other's end
                    await asyncio.wait((*left, hears), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.talks.remove(talk)
                for task in (*ways, hears):
                    task.cancel()
                await asyncio.gather(*ways, hears, return_exceptions=True)
                await engine.close()
        return engine

    async def _up(self, talk: Talk) -> None:
        async for message in talk.engine:
            if message.type is not WSMsgType.TEXT:
                continue
            frame = talk.read(message.data)
            self.asked.append(frame.method)
            if not self.is_deaf(talk):
                for passed in self.to_venue(talk, frame):
                    await talk.tell(passed)

    async def _down(self, talk: Talk) -> None:
        async for message in talk.venue:
            if message.type is not WSMsgType.TEXT:
                continue
            frame = talk.read(message.data)
            if not self.is_deaf(talk) and frame.answers not in self.silent:
                for passed in self.to_engine(talk, frame):
                    await talk.say(passed)
