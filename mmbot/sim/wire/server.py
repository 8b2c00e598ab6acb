"""The faces of a simulated world on ports of 127.0.0.1: WebSocket and REST.

`Venue` is one face: its sockets and its trouble. `Server` runs a world with all its faces, and
`serve` is that for the command line. `SimVenue` is a world with one face, as tests have it: in
process, port 0.
Every frame in and out passes the `Gate` of its face, which is where trouble is made: commanded by a
test, or drawn from the plan of the face (`faults.py` decides, this file carries out).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import WSMsgType, web

from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.commands import Commands
from mmbot.sim.wire.deribit.closures import Closures
from mmbot.sim.wire.faces import USUAL, Spoken, face_of
from mmbot.sim.wire.faults import (
    PASSES,
    Blow,
    Due,
    Fate,
    FaultInjector,
    Kind,
    garbled,
)
from mmbot.sim.wire.gate import Door, Gate, Link
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rest import RestCall, read_call
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.world import BALANCES, START_MS, FaceOptions, World, WorldOptions

if TYPE_CHECKING:
    from mmbot.sim.exchange.matching import Exchange
    from mmbot.sim.wire.face import Market

HOST: Final = "127.0.0.1"
FRAME_BYTES_MAX: Final = 32_768
TICK_S: Final = 0.05
CLOSE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a face listens; `rest` and `ws` are what ccxt wants as urls. `start_ms`: when its
    world began."""

    rest: str
    ws: str
    pid: int
    world_id: str
    start_ms: int
    login: Mapping[str, str | int] = field(default_factory=dict)
    """What opens its account, where it is not the key and the secret it was started with."""


class Venue(Commands):
    """One face of a world, on a port of its own. Whoever made it opens, ticks and closes it.

    `exchange` and `market` are those behind it, for scripting what others do (then `publish`);
    `freeze` stops the market's own flow; the rest is trouble. Seconds are seconds of the wall.
    `trouble.counts` says what has happened, `trouble.tell` hears of it.
    """

    exchange: Exchange
    market: Market
    protocol: Spoken
    endpoints: Endpoints
    account: str
    gate: Gate

    def __init__(self, world: World, settings: FaceOptions) -> None:
        self.world = world
        self.settings = settings
        self.face = face_of(settings.kind)
        self._links: dict[Link, Any] = {}  # and the session each has with the protocol
        self._counter: Any = None
        self._runner: web.AppRunner | None = None
        self._door: Door | None = None
        self._ping_due_ms = 0
        self._shut_until_ms = 0
        self._away_until_ms = 0
        self._silent_until_ms: int | None = None  # None: until `speak`
        self._closed_until_ms: dict[str, int] = {}  # instruments, until they trade again

    def take_port(self) -> None:
        """From now on the port is its own. Raises OSError where it is taken."""
        self._door = Door(HOST, self.settings.port)

    async def open(self) -> None:
        """Let clients in. The world is open."""
        assert self._door is not None, "the door comes first"
        world = self.world
        self.trouble = FaultInjector(
            world.plan_of(self.settings), world.now_ms(), self.face.dialect
        )
        self.gate = Gate(self.trouble, world.now_ms)
        entered = world.enter(self.settings, self.trouble.keeps_orders)
        self.account, self._counter = entered.account, entered.counter
        self.exchange, self.market = entered.house.exchange, entered.house.market
        self.protocol = entered.house.protocol
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get(self.face.ws_path, self._on_websocket)
        app.router.add_route("*", self.face.api_path + "{tail:.*}", self._on_rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        await self._runner.setup()
        await self._let_in()
        at = f"{HOST}:{self._door.port}"
        self.endpoints = Endpoints(
            f"http://{at}{self.face.rest_base}",
            f"ws://{at}{self.face.ws_path}",
            os.getpid(),
            world.world_id,
            world.start_ms,
            self.protocol.credentials(self._counter),
        )

    def hush(self) -> None:
        """The end has come: nothing that is under way arrives any more."""
        if self._runner is not None:
            self.gate.speak()
            self.gate.under_way.lose()

    async def close(self) -> None:
        """Give up the port and break every line."""
        if self._door is not None:
            self._door.remove()
        self.sever()
        if self._runner is not None:
            await self._runner.cleanup()

    async def tick(self, now_ms: int) -> None:
        """A few milliseconds have passed."""
        for due in self.trouble.due(now_ms):
            self._strike(due)
        if self._silent_until_ms is not None and now_ms >= self._silent_until_ms:
            self._silent_until_ms = None
            self.speak()
        self._open_books(now_ms)
        if self.face.ping_s is not None and now_ms >= self._ping_due_ms:
            self._ping_due_ms = now_ms + round(self.face.ping_s * 1000)
            for link in self._links:
                link.ping()
        if now_ms >= self._shut_until_ms:
            await self._let_in()

    # -- for tests and the command line --------------------------------------------------------

    @property
    def rest_url(self) -> str:
        """Where REST requests go."""
        return self.endpoints.rest

    @property
    def ws_url(self) -> str:
        """Where WebSockets connect."""
        return self.endpoints.ws

    @property
    def start_ms(self) -> int:
        """When the world started, by the right clock."""
        return self.world.start_ms

    @property
    def is_open(self) -> bool:
        """Whether it can be connected to at present."""
        return self._door is not None and self._door.is_open

    @property
    def connections(self) -> int:
        """How many WebSockets are open."""
        return len(self._links)

    def is_away(self, now_ms: int) -> bool:
        """Whether it has gone for a while, in a restart."""
        return now_ms < self._away_until_ms

    def now_ms(self) -> int:
        """World time in milliseconds."""
        return self.world.now_ms()

    def publish(self) -> None:
        """Send what was done directly to `exchange`."""
        self.protocol.publish()

    def freeze(self) -> None:
        """Stop the market's own moves and orders."""
        self.protocol.market_moves = False

    def thaw(self) -> None:
        """Undo `freeze`; the market catches up on the time it missed."""
        self.protocol.market_moves = True

    # -- trouble -------------------------------------------------------------------------------
    # What befalls the venue as a whole; for single messages see `Commands`.

    def stop_book(self, name: str, seconds: float) -> None:
        """Nothing of that instrument's books is sent for so long; then there is a gap."""
        self.trouble.stop_book(name, self.now_ms() + round(seconds * 1000))

    def mute(self, seconds: float) -> None:
        """The accounts' channels tell nothing for so long, while everything else goes on."""
        self.trouble.mute(self.now_ms() + round(seconds * 1000))

    def sever(self) -> None:
        """Abort every TCP connection at once."""
        for link in self._links:
            link.is_cut = True
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    def refuse_connections(self, seconds: float) -> None:
        """Refuse new connections for so long; who is connected stays."""
        assert self._door is not None, "not entered"
        self._shut_until_ms = max(self._shut_until_ms, self.now_ms() + round(seconds * 1000))
        self._door.shut()

    def silence(self) -> None:
        """Swallow every frame in both directions; TCP stays up."""
        self._silent_until_ms = None
        self.gate.silence()

    def speak(self) -> None:
        """Undo `silence`; what was swallowed stays lost."""
        self.gate.speak()

    def half_open(self, seconds: float, *, trading: bool | None = None) -> None:
        """Swallow every frame of the WebSockets that are open now for so long; TCP stays up.

        `trading`: only of those that cancel on disconnect, or only of the others.
        """
        for link, session in self._links.items():
            if trading is None or session.cancels_on_disconnect is trading:
                link.deaf_until_ms = self.now_ms() + round(seconds * 1000)
        self.trouble.note("half_open", f"{seconds:.1f} s")

    def restart(self, *, with_orders: bool = True, away_s: float = 0.0) -> None:
        """Sessions and tokens are gone and nobody can connect for a while; accounts stay as they
        are, open orders too unless told otherwise. What was under way is lost."""
        self.gate.under_way.lose()
        self.protocol.restart(self._counter, with_orders=with_orders)
        self.sever()
        self.refuse_connections(away_s)
        self._away_until_ms = self._shut_until_ms
        self.trouble.note("restart", "with its orders" if with_orders else "without its orders")

    def plan_trouble(self, plan: FaultPlan) -> None:
        """From now on this goes wrong, and nothing else that is drawn; the clock stays as it is."""
        self.trouble.begin(plan, self.now_ms())

    def heal(self) -> None:
        """End all trouble: nothing is drawn any more, no command waits, everybody can connect and
        is heard, and what was under way arrives."""
        self.trouble.heal()
        self._shut_until_ms = self._away_until_ms = 0
        self.speak()
        for link in self._links:
            link.deaf_until_ms = 0
        self._open_books(float("inf"))
        self.gate.under_way.hurry()

    # -- inside --------------------------------------------------------------------------------

    async def _let_in(self) -> None:
        assert self._door is not None, "not entered"
        assert self._runner is not None, "not entered"
        if not self._door.is_open:
            assert self._runner.server is not None, "the runner is set up first"
            await self._door.open(self._runner.server)

    def _strike(self, due: Due) -> None:
        """Something befalls the venue as a whole."""
        match due.blow:
            case Blow.CUT:
                self.sever()
                self.refuse_connections(due.seconds)
                self.trouble.note("cut", f"down for {due.seconds:.1f} s")
            case Blow.RESTART:
                self.restart(with_orders=due.keeps_orders, away_s=due.seconds)
            case Blow.STALE_BOOK:
                watched = self.protocol.books_at(self._counter)
                if watched:
                    name = watched[int(due.share * len(watched))]
                    self.stop_book(name, due.seconds)
            case Blow.HALF_OPEN:
                self._half_open(due)
            case Blow.PRIVATE_SILENCE:
                self.mute(due.seconds)
            case Blow.CLOSED_BOOK:
                self._close_book(due)

    def _close_book(self, due: Due) -> None:
        books = self.protocol.books_at(self._counter)
        open_now = [name for name in books if name not in self.exchange.halted]
        if open_now:
            name = open_now[int(due.share * len(open_now))]
            self.exchange.halt(name, self.now_ms())
            self.publish()
            self._closed_until_ms[name] = self.now_ms() + round(due.seconds * 1000)
            self.trouble.note("closed_book", f"{name}, {due.seconds:.1f} s")

    def _open_books(self, now_ms: float) -> None:
        """Those whose time has come trade again."""
        for name, until_ms in list(self._closed_until_ms.items()):
            if until_ms <= now_ms:
                del self._closed_until_ms[name]
                if name not in self.exchange.expired:
                    self.exchange.resume_trading(name, self.now_ms())
                    self.publish()

    def _half_open(self, due: Due) -> None:
        """One of the open WebSockets, or (in half of the draws) the venue as a whole."""
        until_ms = self.now_ms() + round(due.seconds * 1000)
        lines = list(self._links)
        whole = due.share < 0.5 or not lines
        if whole:
            self.gate.silence()
            self._silent_until_ms = until_ms
        else:
            lines[int((due.share - 0.5) * 2 * len(lines))].deaf_until_ms = until_ms
        what = "everything" if whole else "one connection"
        self.trouble.note("half_open", f"{what}, {due.seconds:.1f} s")

    async def _on_websocket(self, request: web.Request) -> web.WebSocketResponse:
        # Pings are answered below, so that silence can swallow them too.
        socket = web.WebSocketResponse(
            autoping=False,
            compress=False,
            max_msg_size=FRAME_BYTES_MAX,
            timeout=CLOSE_TIMEOUT_S,
        )
        await socket.prepare(request)
        link = Link(socket, request, self.gate)
        session: Any = self.protocol.on_open(
            link.write, lambda: self._hang_up(link, session), self._counter
        )
        self._links[link] = session
        sending = asyncio.create_task(link.send_all(), name="simulated venue: sending")
        try:
            async for message in socket:
                if link.is_cut:
                    break
                if link.is_deaf or not self.gate.lets_in():
                    continue
                if message.type in (WSMsgType.PING, WSMsgType.PONG):
                    self.protocol.on_beat(session)
                    if message.type is WSMsgType.PING:
                        await socket.pong(message.data)
                elif session.closed:
                    # The venue gave it up while the line was silent, and says so now.
                    link.close()
                elif message.type is WSMsgType.TEXT:
                    self._receive(link, session, message.data)
        finally:
            self.protocol.on_closed(session)
            del self._links[link]
            self.world.hear()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return socket

    def _receive(self, link: Link, session: Any, frame: bytes) -> None:
        """A request has come; what becomes of it is up to fate."""
        method = _method_of(frame) if self.trouble.is_on else None
        if method is None:
            self.protocol.on_frame(session, frame)
            return
        is_order = self.face.is_order(method)
        fate = self.trouble.request(method, is_order=is_order, is_rest=False)
        match fate.kind:
            case Kind.LOST:
                return
            case Kind.LATE:
                self.gate.under_way.later(
                    fate.seconds, lambda: self._receive_late(link, session, frame, is_order)
                )
            case Kind.ERROR | Kind.ERROR_AFTER:
                if fate.kind is Kind.ERROR_AFTER:
                    with link.without_reply(method):
                        self.protocol.on_frame(session, frame)
                self.protocol.refuse(session, orjson.loads(frame), fate.code)
            case Kind.CUT_BEFORE | Kind.CUT_AFTER:
                if fate.kind is Kind.CUT_AFTER:
                    self.protocol.on_frame(session, frame)
                link.cut()
                if fate.seconds:
                    self.refuse_connections(fate.seconds)
            case _:
                self.protocol.on_frame(session, frame)

    def _receive_late(self, link: Link, session: Any, frame: bytes, is_order: bool) -> None:
        if self.gate.is_silent or (link.is_deaf and not session.closed):
            return
        # An order that was on its way reaches the exchange whatever has become of its line.
        if is_order or not session.closed:
            self.protocol.on_frame(session, frame)

    def _hang_up(self, link: Link, session: Any) -> None:
        if link.is_deaf:
            # The close would not get through either; the venue's side of it happens all the same.
            self.protocol.on_closed(session)
        else:
            link.close()

    async def _on_rest(self, request: web.Request) -> web.Response:
        self.world.hear()
        await self.gate.until_speaking()
        body = await request.text()
        call = read_call(request, body)
        if call is None:
            return web.Response(status=400, text="the body is not a JSON object")
        fate = PASSES
        if self.trouble.is_on:
            fate = self.trouble.request(
                call.method, is_order=self.face.is_order(call.method), is_rest=True
            )
        struck = await self._strike_rest(request, call, fate)
        if struck is not None:
            return struck
        authorization = self.face.authorization(
            request.headers, request.method, request.raw_path, body
        )
        status, answer = self.protocol.on_rest(
            call.method, call.params, call.request_id, authorization, self._counter
        )
        if fate.kind is Kind.ERROR_AFTER:
            status, answer = self.protocol.refuse_rest(call.request_id, fate.code, self._counter)
        if fate.kind is Kind.CUT_AFTER:
            return _broken(request)
        if fate.kind is Kind.STATUS_AFTER:
            return web.Response(status=fate.code, text="trouble at the door")
        return await self._reply_rest(request, call.method, status, answer.text)

    async def _strike_rest(
        self, request: web.Request, call: RestCall, fate: Fate
    ) -> web.Response | None:
        """The answer to a REST request that is not carried out; None where it is, if late."""
        if fate.kind is Kind.LATE and not await self.gate.under_way.wait(fate.seconds):
            return _broken(request)
        if fate.kind in (Kind.LOST, Kind.CUT_BEFORE):
            return _broken(request)
        if fate.kind is Kind.STATUS:
            return web.Response(status=fate.code, text="trouble at the door")
        if fate.kind is Kind.ERROR:
            status, answer = self.protocol.refuse_rest(call.request_id, fate.code, self._counter)
            return web.Response(status=status, body=answer.text, content_type="application/json")
        return None

    async def _reply_rest(
        self, request: web.Request, name: str, status: int, answer: bytes
    ) -> web.Response:
        fate = self.gate.fate_out(name)
        if self.gate.is_silent or fate.kind is Kind.LOST:
            return _broken(request)
        if fate.kind is Kind.LATE and not await self.gate.under_way.wait(fate.seconds):
            return _broken(request)
        if fate.kind is Kind.GARBLED:
            answer, _ = garbled(answer, fate.share)
        return web.Response(status=status, body=answer, content_type="application/json")


class Server:
    """A world behind its faces: `async with Server(world, venues)`."""

    def __init__(self, world: World, venues: Sequence[Venue]) -> None:
        self.world = world
        self.venues = venues
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Server:
        """Restore or create the world, and let clients in. Raises ConfigError, OSError."""
        saved = self.world.read_state()
        try:
            for venue in self.venues:
                venue.take_port()
            self.world.open(saved)
            for venue in self.venues:
                await venue.open()
        except BaseException:
            await self._close()
            raise
        self._ticking = asyncio.create_task(self._tick(), name="simulated world")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save the world, break every line and end."""
        assert self._ticking is not None, "left before it was entered"
        for venue in self.venues:
            venue.hush()
        self._ticking.cancel()
        # Before the lines break: what cancel-on-disconnect takes is up to `restore_orders`.
        self.world.write_state()
        await self._close()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking

    async def until_over(self) -> None:
        """Return when `linger_s` has passed without a client; raise if the world broke."""
        assert self._ticking is not None, "not entered"
        linger_s = self.world.options.linger_s
        while True:
            await asyncio.wait({self._ticking}, timeout=None if linger_s is None else 0.25)
            if self._ticking.done():
                self._ticking.result()
                return
            nobody = not any(venue.connections for venue in self.venues)
            if linger_s is not None and nobody and self.world.idle_s >= linger_s:
                return

    async def _close(self) -> None:
        for venue in self.venues:
            await venue.close()

    async def _tick(self) -> None:
        """An exchange of which every face is away stands still, as one that has ended would."""
        while True:
            now_ms = self.world.now_ms()
            for venue in self.venues:
                await venue.tick(now_ms)
            there = {v.settings.kind for v in self.venues if not v.is_away(now_ms)}
            for kind, house in self.world.houses.items():
                if kind in there:
                    house.protocol.tick()
            await asyncio.sleep(TICK_S)


async def serve(
    options: WorldOptions,
    *,
    ready: Callable[[Mapping[str, Endpoints]], None],
    tell: Callable[[str, int, str, str], None] | None = None,
) -> None:
    """Run a world until cancelled, or until `linger_s` after its last client left.

    `ready` hears where each face listens. `tell` hears what goes wrong, as (the face's name, world
    time in milliseconds, fault, detail).

    Raises OSError when a port is taken, ConfigError for a state file that cannot be used.
    """
    world = World(options)
    venues = {face.name: Venue(world, face) for face in options.faces}
    async with Server(world, list(venues.values())) as server:
        if tell is not None:
            for name, venue in venues.items():
                venue.trouble.tell = partial(_told, tell, name, world)
        ready({name: venue.endpoints for name, venue in venues.items()})
        await server.until_over()


def _told(
    tell: Callable[[str, int, str, str], None], name: str, world: World, fault: str, detail: str
) -> None:
    tell(name, world.now_ms(), fault, detail)


def _broken(request: web.Request) -> web.Response:
    """The answer that nobody gets."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _method_of(frame: bytes) -> str | None:
    """The method a frame asks for, None where it is no request."""
    try:
        request = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    method = request.get("method") if isinstance(request, dict) else None
    return method if isinstance(method, str) else None


# --- alone in its world -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOptions:
    """A world with one face: `WorldOptions` and `FaceOptions` in one. `exchange_rules`: None as the
    kind has them."""

    kind: str = USUAL
    port: int = 0
    seed: int = 1
    start_ms: int = START_MS
    key: str = "sim"
    secret: str = "sim"
    balances: Mapping[str, Decimal] = field(default_factory=lambda: BALANCES)
    world_id: str | None = None
    flow_scale: float = 1.0
    preset: str = "normal"
    token_expires_in_s: float = 900.0
    rules: Rules = field(default_factory=Rules)
    exchange_rules: VenueRules | None = None
    combos_per_hour: float | None = None
    state_path: Path | None = None
    restore_orders: bool = True
    make_market: Callable[[Exchange], Market] | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    manners: Manner = Manner.PLAIN
    scale: float = 1.0

    @property
    def world(self) -> WorldOptions:
        """The world, with its face."""
        face = FaceOptions(
            name=self.kind,
            kind=self.kind,
            port=self.port,
            key=self.key,
            secret=self.secret,
            balances=self.balances,
            token_expires_in_s=self.token_expires_in_s,
            manners=self.manners,
        )
        return WorldOptions(
            faces=(face,),
            seed=self.seed,
            start_ms=self.start_ms,
            world_id=self.world_id,
            flow_scale=self.flow_scale,
            preset=self.preset,
            exchange_rules={} if self.exchange_rules is None else {self.kind: self.exchange_rules},
            rules=self.rules,
            combos_per_hour=self.combos_per_hour,
            state_path=self.state_path,
            restore_orders=self.restore_orders,
            make_market=self.make_market,
            faults=self.faults,
            scale=self.scale,
        )


class SimVenue(Closures, Venue):  # type: ignore[misc]  # both say whose protocol it speaks
    """An exchange alone in its world, in this process: `async with SimVenue(options)`. What it
    closes and locks is the usual one's to close and lock."""

    def __init__(self, options: VenueOptions | None = None) -> None:
        self.options = options or VenueOptions()
        world = World(self.options.world)
        super().__init__(world, world.options.faces[0])
        self._server = Server(world, [self])

    async def __aenter__(self) -> SimVenue:
        """Restore or create the world, and let clients in. Raises ConfigError, OSError."""
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save the world, break every line and end."""
        await self._server.__aexit__(kind, error, trace)
