"""The simulated venue on a port of 127.0.0.1: WebSocket and REST, and the one clock.

`serve` is for the command line, `SimVenue` for tests (in process, port 0). Venue time is
`start_ms` plus the wall time elapsed since the start; nothing else under `sim/` reads a clock.
With a state file, a venue that ends is saved, and the next one goes on with its accounts, its world
and its time: the outage has lasted as long as the wall says, though never more than `OUTAGE_S_MAX`.
Every frame in and out passes the `Gate`, which is where trouble is made: commanded by a test, or
drawn from `VenueOptions.faults` (`faults.py` decides, this file carries out).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import WSMsgType, web

from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.listing import DeliveryFee
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.commands import Commands
from mmbot.sim.wire.deribit.closures import Closures
from mmbot.sim.wire.face import Market
from mmbot.sim.wire.faces import USUAL, Behind, face_of
from mmbot.sim.wire.faults import (
    PASSES,
    Blow,
    Due,
    Fate,
    FaultInjector,
    Kind,
    expiry_ahead_s,
    garbled,
)
from mmbot.sim.wire.gate import Door, Gate, Link
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.rest import RestCall, read_call
from mmbot.sim.wire.rules import Rules

if TYPE_CHECKING:
    from mmbot.sim.exchange.state import SavedVenue

HOST: Final = "127.0.0.1"
START_MS: Final = 1_748_865_600_000  # 2025-06-02T12:00:00Z
FRAME_BYTES_MAX: Final = 32_768
TICK_S: Final = 0.05
CLOSE_TIMEOUT_S: Final = 1.0
OUTAGE_S_MAX: Final = 3_600
EXPIRY_MS: Final = 28_800_000  # 08:00 UTC, when things expire, into a day
DAY_MS: Final = 86_400_000
SEED_OF_RESTART: Final = 2**32  # keeps the draws of restarted worlds apart


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOptions:
    """One simulated venue. `make_market` replaces the seeded market, for scripted situations.

    `state_path`: where the venue is saved when it ends, and what it goes on from when there is such
    a file; world, seed, start and balances are the file's then. Without `restore_orders` the open
    orders in it come back cancelled (`cancel_on_disconnect`).
    `faults`: what goes wrong. With `expiry_soon`, a new world starts shortly before the first 08:00
    UTC after `start_ms`, when something expires. `manners`: how the venue says what it says.
    `exchange`: whose protocol it speaks (faces.py).
    """

    exchange: str = USUAL
    port: int = 0  # 0: any free one
    seed: int = 1
    start_ms: int = START_MS
    key: str = "sim"
    secret: str = "sim"
    balances: Mapping[str, Decimal] = field(
        default_factory=lambda: {
            "BTC": Decimal(10),
            "ETH": Decimal(100),
            "USDC": Decimal(250_000),
        }
    )
    world_id: str | None = None  # None: a new one
    flow_scale: float = 1.0
    preset: str = "normal"
    token_expires_in_s: float = 900.0
    self_trade: SelfTrade = SelfTrade.CANCEL_MAKER
    rules: Rules = field(default_factory=Rules)
    delivery_fee: DeliveryFee = field(default_factory=DeliveryFee)
    combos_per_hour: float | None = None  # how many are listed as time goes by; None: as usual
    settlement_pause_ms: int = 2_000  # how long nobody can trade after 08:00 UTC
    linger_s: float | None = None  # end that long after the last client left; None: never
    state_path: Path | None = None
    restore_orders: bool = True
    make_market: Callable[[Exchange], Market] | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    manners: Manner = Manner.PLAIN


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the venue listens; `rest` and `ws` are what ccxt wants as urls. `start_ms`: when its
    world began."""

    rest: str
    ws: str
    pid: int
    world_id: str
    start_ms: int


async def serve(
    options: VenueOptions,
    *,
    ready: Callable[[Endpoints], None],
    tell: Callable[[int, str, str], None] | None = None,
) -> None:
    """Run a venue until cancelled, or until `linger_s` after its last client left.

    `tell` hears what goes wrong, as (venue time in milliseconds, fault, detail).

    Raises OSError when the port is taken, ConfigError for a state file that cannot be used.
    """
    async with SimVenue(options) as venue:
        if tell is not None:
            venue.trouble.tell = lambda fault, detail: tell(venue.now_ms(), fault, detail)
        ready(venue.endpoints)
        await venue.until_over()


class SimVenue(Commands, Closures):
    """A venue in this process: `async with SimVenue(options) as venue`.

    Tests reach in: `exchange` and `market` to script what others do (then `publish`), `freeze` to
    stop the market's own flow, the commands under "trouble", and those of `Closures`. Seconds are
    seconds of the wall. `trouble.counts` says what has happened, `trouble.tell` hears of it.
    """

    exchange: Exchange
    market: Market
    endpoints: Endpoints
    account: str
    gate: Gate

    def __init__(self, options: VenueOptions | None = None) -> None:
        self.options = options or VenueOptions()
        self.face = face_of(self.options.exchange)
        self._links: dict[Link, Any] = {}  # and the session each has with the protocol
        self._runner: web.AppRunner | None = None
        self._door: Door | None = None
        self._shut_until_ms = 0
        self._away_until_ms = 0
        self._silent_until_ms: int | None = None  # None: until `speak`
        self._closed_until_ms: dict[str, int] = {}  # instruments, until they trade again
        self._skew_us = round(self.options.faults.clock_skew_s * 1e6)
        self._ticking: asyncio.Task[None] | None = None
        self._started_ns = 0
        self._start_ms = _start_ms(self.options)
        self._seed = self.options.seed
        self._restarts = 0
        self._last_client_ns = 0

    async def __aenter__(self) -> SimVenue:
        """Restore or create the world, and let clients in. Raises ConfigError, OSError."""
        options = self.options
        saved = self._read_state()
        self._door = Door(HOST, options.port)
        try:
            await self._open_up(saved)
        except BaseException:
            self._door.remove()
            raise
        return self

    async def _open_up(self, saved: SavedVenue | None) -> None:
        assert self._door is not None, "the door comes first"
        options = self.options
        if saved is None:
            world_id = options.world_id or str(time.time_ns() // 1_000_000)
            self.exchange = Exchange(world_id, options.delivery_fee)
            self.account = f"sim-{world_id}"
            self.exchange.open_account(
                self.account, options.balances, self_trade=options.self_trade
            )
            self._open_market(self._start_ms, None)
        else:
            self._go_on_from(saved)
            world_id = self.exchange.world
        self._started_ns = self._last_client_ns = time.monotonic_ns()
        self.trouble = FaultInjector(options.faults, self.now_ms())
        self.gate = Gate(self.trouble, self.now_ms)
        self.protocol = self.face.protocol(
            Behind(
                exchange=self.exchange,
                market=self.market,
                account=self.account,
                key=options.key,
                secret=options.secret,
                token_expires_in_s=options.token_expires_in_s,
                rules=options.rules,
                manner=options.manners,
                seed=self._seed,
                now_us=self.now_us,
                skew_ms=self._skew_us // 1000,
                keeps_orders=self.trouble.keeps_orders,
                combos_per_hour=options.combos_per_hour,
            )
        )
        if saved is not None:
            self.protocol.remember(saved.user_trades)
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get(self.face.ws_path, self._on_websocket)
        app.router.add_route("*", self.face.api_path + "{tail:.*}", self._on_rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        await self._runner.setup()
        try:
            await self._let_in()
        except OSError:
            await self._runner.cleanup()
            raise
        at = f"{HOST}:{self._door.port}"
        self.endpoints = Endpoints(
            f"http://{at}", f"ws://{at}{self.face.ws_path}", os.getpid(), world_id, self._start_ms
        )
        self._ticking = asyncio.create_task(self._tick(), name="simulated venue")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save the venue, break every line and end."""
        assert self._ticking is not None, "left before it was entered"
        assert self._runner is not None, "left before it was entered"
        assert self._door is not None, "left before it was entered"
        self.gate.speak()
        self.gate.under_way.lose()
        self._ticking.cancel()
        # Before the lines break: what cancel-on-disconnect takes is up to `restore_orders`.
        self._write_state()
        self._door.remove()
        self.sever()
        await self._runner.cleanup()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking

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
        return self._start_ms

    @property
    def is_open(self) -> bool:
        """Whether it can be connected to at present."""
        return self._door is not None and self._door.is_open

    @property
    def connections(self) -> int:
        """How many WebSockets are open."""
        return len(self._links)

    def now_us(self) -> int:
        """Venue time in microseconds; ahead of the right one by `faults.clock_skew_s`."""
        elapsed_us = (time.monotonic_ns() - self._started_ns) // 1000
        return self._start_ms * 1000 + elapsed_us + self._skew_us

    def now_ms(self) -> int:
        """Venue time in milliseconds."""
        return self.now_us() // 1000

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
        self.protocol.restart(with_orders=with_orders)
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

    async def until_over(self) -> None:
        """Return when `linger_s` has passed without a client; raise if the venue broke."""
        assert self._ticking is not None, "not entered"
        linger_s = self.options.linger_s
        while True:
            await asyncio.wait({self._ticking}, timeout=None if linger_s is None else 0.25)
            if self._ticking.done():
                self._ticking.result()
                return
            idle_s = (time.monotonic_ns() - self._last_client_ns) / 1e9
            if linger_s is not None and not self._links and idle_s >= linger_s:
                return

    # -- inside --------------------------------------------------------------------------------

    def _open_market(self, start_ms: int, prices: Mapping[str, float] | None) -> None:
        options = self.options
        if options.make_market is not None:
            self.market = options.make_market(self.exchange)
            return
        # Imported here, so that a scripted market does not pay for the seeded one.
        from mmbot.sim.market.market import START_PRICES
        from mmbot.sim.market.market import Market as SeededMarket

        self.market = SeededMarket(
            self.exchange,
            self._seed + self._restarts * SEED_OF_RESTART,
            start_ms,
            flow_scale=options.flow_scale,
            preset=options.preset,
            prices=START_PRICES if prices is None else prices,
            settlement_pause_ms=options.settlement_pause_ms,
        )

    def _read_state(self) -> SavedVenue | None:
        """What the state file holds, None without one. Raises ConfigError."""
        path = self.options.state_path
        if path is None:
            return None
        # Imported here, because most venues are never saved.
        from mmbot.sim.wire.state_file import read_state

        return read_state(path)

    def _go_on_from(self, saved: SavedVenue) -> None:
        """Restore the exchange, and let the market live through the outage."""
        from mmbot.sim.exchange.state import restore_exchange

        options = self.options
        self._seed, self._restarts = saved.seed, saved.restarts + 1
        self.exchange = restore_exchange(
            saved.exchange, options.delivery_fee, with_orders=options.restore_orders
        )
        self.account = f"sim-{self.exchange.world}"
        away_ms = time.time_ns() // 1_000_000 - saved.wall_ms
        self._start_ms = saved.time_ms + min(max(away_ms, 0), OUTAGE_S_MAX * 1_000)
        self._open_market(saved.time_ms, saved.prices)
        self.market.advance(self._start_ms)

    def _write_state(self) -> None:
        path = self.options.state_path
        if path is None:
            return
        from mmbot.sim.exchange.state import VERSION, SavedVenue, save_exchange
        from mmbot.sim.wire.state_file import write_state

        saved = SavedVenue(
            version=VERSION,
            seed=self._seed,
            restarts=self._restarts,
            time_ms=self.now_ms(),
            wall_ms=time.time_ns() // 1_000_000,
            prices=dict(self.market.prices()),
            exchange=save_exchange(self.exchange),
            user_trades=self.protocol.all_user_trades(),
        )
        write_state(path, saved)

    async def _tick(self) -> None:
        while True:
            now_ms = self.now_ms()
            for due in self.trouble.due(now_ms):
                self._strike(due)
            if self._silent_until_ms is not None and now_ms >= self._silent_until_ms:
                self._silent_until_ms = None
                self.speak()
            self._open_books(now_ms)
            if now_ms >= self._shut_until_ms:
                await self._let_in()
            if now_ms >= self._away_until_ms:
                self.protocol.tick()
            await asyncio.sleep(TICK_S)

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
                watched = self.protocol.hub.books()
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
        open_now = [name for name in self.protocol.hub.books() if name not in self.exchange.halted]
        if open_now:
            name = open_now[int(due.share * len(open_now))]
            self.close_instrument(name)
            self._closed_until_ms[name] = self.now_ms() + round(due.seconds * 1000)
            self.trouble.note("closed_book", f"{name}, {due.seconds:.1f} s")

    def _open_books(self, now_ms: float) -> None:
        """Those whose time has come trade again."""
        for name, until_ms in list(self._closed_until_ms.items()):
            if until_ms <= now_ms:
                del self._closed_until_ms[name]
                if name not in self.exchange.expired:
                    self.open_instrument(name)

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
        session = self.protocol.on_open(link.write, lambda: self._hang_up(link, session))
        self._links[link] = session
        sending = asyncio.create_task(link.send_all(), name="simulated venue: sending")
        try:
            async for message in socket:
                if link.is_cut:
                    break
                if link.is_deaf or not self.gate.lets_in():
                    continue
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
            self._last_client_ns = time.monotonic_ns()
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
            case Kind.ERROR:
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
        self._last_client_ns = time.monotonic_ns()
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
        status, answer = self.protocol.on_rest(
            call.method, call.params, call.request_id, call.authorization
        )
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
            status, answer = self.protocol.refuse_rest(call.request_id, fate.code)
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


def _start_ms(options: VenueOptions) -> int:
    """When a new world starts: as told, or shortly before something expires."""
    ahead_s = expiry_ahead_s(options.faults)
    if ahead_s is None:
        return options.start_ms
    expiry_ms = options.start_ms - options.start_ms % DAY_MS + EXPIRY_MS
    if expiry_ms <= options.start_ms + ahead_s * 1000:
        expiry_ms += DAY_MS
    return expiry_ms - round(ahead_s * 1000)
