"""The simulated venue on a port of 127.0.0.1: WebSocket and REST, and the one clock.

`serve` is for the command line, `SimVenue` for tests (in process, port 0). Venue time is
`start_ms` plus the wall time elapsed since the start; nothing else under `sim/` reads a clock.
With a state file, a venue that ends is saved, and the next one goes on with its accounts, its world
and its time: the outage has lasted as long as the wall says, though never more than `OUTAGE_S_MAX`.
Every frame in and out passes the `Gate`, which is where trouble is made: a reply dropped, the line
gone silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import WSMsgType, web

from mmbot.errors import ConfigError
from mmbot.sim.matching import DeliveryFee, Exchange, SelfTrade
from mmbot.sim.wire.auth import Gatekeeper
from mmbot.sim.wire.calls import Session
from mmbot.sim.wire.deribit import DeribitVenue, Rules
from mmbot.sim.wire.face import Market

if TYPE_CHECKING:
    from mmbot.sim.state import SavedVenue

HOST: Final = "127.0.0.1"
START_MS: Final = 1_748_865_600_000  # 2025-06-02T12:00:00Z
API_PATH: Final = "/api/v2"
WS_PATH: Final = "/ws/api/v2"
FRAME_BYTES_MAX: Final = 32_768
UNSENT_FRAMES_MAX: Final = 20_000  # a client that does not read is cut off
TICK_S: Final = 0.05
CLOSE_TIMEOUT_S: Final = 1.0
OUTAGE_S_MAX: Final = 3_600
SEED_OF_RESTART: Final = 2**32  # keeps the draws of restarted worlds apart


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOptions:
    """One simulated venue. `make_market` replaces the seeded market, for scripted situations.

    `state_path`: where the venue is saved when it ends, and what it goes on from when there is such
    a file; world, seed, start and balances are the file's then. Without `restore_orders` the open
    orders in it come back cancelled (`cancel_on_disconnect`).
    """

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
    settlement_pause_ms: int = 2_000  # how long nobody can trade after 08:00 UTC
    linger_s: float | None = None  # end that long after the last client left; None: never
    state_path: Path | None = None
    restore_orders: bool = True
    make_market: Callable[[Exchange], Market] | None = None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the venue listens; `rest` and `ws` are what ccxt wants as urls."""

    rest: str
    ws: str
    pid: int
    world_id: str


async def serve(options: VenueOptions, *, ready: Callable[[Endpoints], None]) -> None:
    """Run a venue until cancelled, or until `linger_s` after its last client left.

    Raises OSError when the port is taken, ConfigError for a state file that cannot be used.
    """
    async with SimVenue(options) as venue:
        ready(venue.endpoints)
        await venue.until_over()


class Gate:
    """The one place every frame passes, in and out."""

    def __init__(self) -> None:
        self._to_drop: Counter[str] = Counter()
        self._speaks = asyncio.Event()
        self._speaks.set()

    @property
    def is_silent(self) -> bool:
        return not self._speaks.is_set()

    def drop_reply(self, method: str, count: int) -> None:
        self._to_drop[method] += count

    def lets_in(self) -> bool:
        """Whether a frame that has arrived is seen."""
        return not self.is_silent

    def lets_out(self, method: str | None) -> bool:
        """Whether a frame leaves; `method` is the one it answers, None for pushes."""
        if self.is_silent:
            return False
        if method is not None and self._to_drop[method] > 0:
            self._to_drop[method] -= 1
            return False
        return True

    def silence(self) -> None:
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()

    async def until_speaking(self) -> None:
        await self._speaks.wait()


class SimVenue:
    """A venue in this process: `async with SimVenue(options) as venue`.

    Tests reach in: `exchange` and `market` to script what others do (then `publish`), `freeze` to
    stop the market's own flow, `drop_reply`, `sever` and `silence` to make trouble.
    """

    exchange: Exchange
    market: Market
    protocol: DeribitVenue
    endpoints: Endpoints
    account: str

    def __init__(self, options: VenueOptions | None = None) -> None:
        self.options = options or VenueOptions()
        self.gate = Gate()
        self._links: dict[_Link, None] = {}
        self._runner: web.AppRunner | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._started_ns = 0
        self._start_ms = self.options.start_ms
        self._seed = self.options.seed
        self._restarts = 0
        self._last_client_ns = 0

    async def __aenter__(self) -> SimVenue:
        options = self.options
        saved = self._read_state()
        if saved is None:
            world_id = options.world_id or str(time.time_ns() // 1_000_000)
            self.exchange = Exchange(world_id, options.delivery_fee)
            self.account = f"sim-{world_id}"
            self.exchange.open_account(
                self.account, options.balances, self_trade=options.self_trade
            )
            self._open_market(options.start_ms, None)
        else:
            self._go_on_from(saved)
            world_id = self.exchange.world
        self._started_ns = self._last_client_ns = time.monotonic_ns()
        gatekeeper = Gatekeeper(
            options.key, options.secret, self.account, options.token_expires_in_s
        )
        self.protocol = DeribitVenue(
            self.exchange, self.market, gatekeeper, options.rules, self.now_us
        )
        if saved is not None:
            self.protocol.remember(saved.user_trades)
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get(WS_PATH, self._on_websocket)
        app.router.add_route("*", API_PATH + "{tail:.*}", self._on_rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, options.port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        port = self._runner.addresses[0][1]
        self.endpoints = Endpoints(
            f"http://{HOST}:{port}", f"ws://{HOST}:{port}{WS_PATH}", os.getpid(), world_id
        )
        self._ticking = asyncio.create_task(self._tick(), name="simulated venue")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._ticking is not None, "left before it was entered"
        assert self._runner is not None, "left before it was entered"
        self.gate.speak()
        self._ticking.cancel()
        # Before the lines break: what cancel-on-disconnect takes is up to `restore_orders`.
        self._write_state()
        self.sever()
        await self._runner.cleanup()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking

    # -- for tests and the command line --------------------------------------------------------

    @property
    def rest_url(self) -> str:
        return self.endpoints.rest

    @property
    def ws_url(self) -> str:
        return self.endpoints.ws

    @property
    def connections(self) -> int:
        """How many WebSockets are open."""
        return len(self._links)

    def now_us(self) -> int:
        """Venue time in microseconds."""
        return self._start_ms * 1000 + (time.monotonic_ns() - self._started_ns) // 1000

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

    def drop_reply(self, method: str, count: int = 1) -> None:
        """Carry out the next `count` requests of that method, but do not answer them."""
        self.gate.drop_reply(method, count)

    def sever(self) -> None:
        """Abort every TCP connection at once."""
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    def silence(self) -> None:
        """Swallow every frame in both directions; TCP stays up."""
        self.gate.silence()

    def speak(self) -> None:
        """Undo `silence`; what was swallowed stays lost."""
        self.gate.speak()

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
        from mmbot.sim.market import START_PRICES
        from mmbot.sim.market import Market as SeededMarket

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
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"{path}: cannot be written there: choose another place")
        # Imported here, because most venues are never saved.
        from mmbot.sim.state import BadState, decode

        try:
            return decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}: choose another file") from error
        except BadState as error:
            raise ConfigError(
                f"{path}: is no saved venue ({error}): choose another file, or remove it"
            ) from error

    def _go_on_from(self, saved: SavedVenue) -> None:
        """Restore the exchange, and let the market live through the outage."""
        from mmbot.sim.state import restore_exchange

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
        from mmbot.sim.state import VERSION, SavedVenue, encode, save_exchange

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
        # Whole or not at all: a venue killed meanwhile leaves the file as it was.
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_bytes(encode(saved))
        unfinished.replace(path)

    async def _tick(self) -> None:
        while True:
            self.protocol.tick()
            await asyncio.sleep(TICK_S)

    async def _on_websocket(self, request: web.Request) -> web.WebSocketResponse:
        # Pings are answered below, so that silence can swallow them too.
        socket = web.WebSocketResponse(
            autoping=False,
            compress=False,
            max_msg_size=FRAME_BYTES_MAX,
            timeout=CLOSE_TIMEOUT_S,
        )
        await socket.prepare(request)
        link = _Link(socket, request, self.gate)
        session = self.protocol.on_open(link.write, lambda: self._hang_up(link, session))
        self._links[link] = None
        sending = asyncio.create_task(link.send_all(), name="simulated venue: sending")
        try:
            async for message in socket:
                if not self.gate.lets_in():
                    continue
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif session.closed:
                    # The venue gave it up while the line was silent, and says so now.
                    link.close()
                elif message.type is WSMsgType.TEXT:
                    self.protocol.on_frame(session, message.data)
        finally:
            self.protocol.on_closed(session)
            del self._links[link]
            self._last_client_ns = time.monotonic_ns()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return socket

    def _hang_up(self, link: _Link, session: Session) -> None:
        if self.gate.is_silent:
            # The close would not get through either; the venue's side of it happens all the same.
            self.protocol.on_closed(session)
        else:
            link.close()

    async def _on_rest(self, request: web.Request) -> web.Response:
        self._last_client_ns = time.monotonic_ns()
        await self.gate.until_speaking()
        body = await request.text()
        name = request.match_info["tail"].strip("/")
        params: dict[str, Any] = dict(request.query)
        request_id: Any = None
        if body:
            try:
                posted = orjson.loads(body)
            except orjson.JSONDecodeError:
                posted = None
            if not isinstance(posted, dict):
                return web.Response(status=400, text="the body is not a JSON object")
            if isinstance(posted.get("method"), str):
                name = posted["method"]
                request_id = posted.get("id")
                posted = posted.get("params") or {}
            params |= posted
        header = request.headers.get("Authorization")
        authorization = None
        if header is not None:
            authorization = (header, request.method, request.raw_path, body)
        status, answer = self.protocol.on_rest(name, params, request_id, authorization)
        if not self.gate.lets_out(name) and request.transport is not None:
            request.transport.abort()
        return web.Response(status=status, body=answer, content_type="application/json")


class _Link:
    """One WebSocket's way out: frames are queued at once and sent in order."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, gate: Gate) -> None:
        self._socket = socket
        self._request = request
        self._gate = gate
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue()

    def write(self, payload: bytes, method: str | None) -> None:
        """Queue a frame; `method` is the one it answers, None for pushes."""
        if not self._gate.lets_out(method):
            return
        self._unsent.put_nowait(payload)
        if self._unsent.qsize() > UNSENT_FRAMES_MAX and self._request.transport is not None:
            self._request.transport.abort()

    def close(self) -> None:
        """Close once everything queued is out."""
        self._unsent.put_nowait(None)

    async def send_all(self) -> None:
        """Send what is queued until closed."""
        while True:
            payload = await self._unsent.get()
            if payload is None:
                await self._socket.close()
                return
            try:
                await self._socket.send_frame(payload, WSMsgType.TEXT)
            except ConnectionError:
                return
