"""A simulated venue in the test's own process, and a scripted market to put inside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp
import orjson

from mmbot.sim.exchange.effects import Prints
from mmbot.sim.exchange.funding import FundingHour
from mmbot.sim.exchange.listing import Kind, Listing, Right, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.models.credits import Pool, Rate
from mmbot.sim.wire.face import Best
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, Venue, VenueOptions

OPTION = "ETH-6JUN25-2800-C"
PUT = "ETH-6JUN25-2800-P"
PERPETUAL = "ETH-PERPETUAL"
BTC_PERPETUAL = "BTC-PERPETUAL"
EXPIRY_MS = 1_749_196_800_000  # 2025-06-06T08:00:00Z
CREATED_MS = 1_748_000_000_000
MAKER = "maker"
DEADLINE_S = 10.0

# No request is ever refused for its number: for tests about anything else.
_NO_LIMITS: dict[str, Any] = {pool.value: Rate(1e6, 1_000_000) for pool in Pool}
UNLIMITED = Rules(**_NO_LIMITS)
# Every start costs listings, channels and the log: for tests that start often, or whose client's
# clock runs faster than the venue's.
MANY_STARTS = Rules(
    instruments=UNLIMITED.instruments,
    subscribe=UNLIMITED.subscribe,
    transaction_log=UNLIMITED.transaction_log,
)


def option(name: str = OPTION, **changes: Any) -> Listing:
    """An inverse option with the venue's own terms."""
    underlying, _, strike, right = name.split("-")
    terms: dict[str, Any] = {
        "name": name,
        "kind": Kind.OPTION,
        "underlying": underlying,
        "settlement": underlying,
        "inverse": True,
        "contract_size": Decimal(1),
        "min_amount": Decimal(1),
        "amount_step": Decimal(1),
        "tick": Decimal("0.0001"),
        "tick_steps": ((Decimal("0.005"), Decimal("0.0005")),),
        "maker_fee": Decimal("0.0003"),
        "taker_fee": Decimal("0.0003"),
        "strike": Decimal(strike),
        "right": Right.CALL if right == "C" else Right.PUT,
        "expiry_ms": EXPIRY_MS,
        "created_ms": CREATED_MS,
    }
    return Listing(**(terms | changes))


def perpetual(name: str = PERPETUAL, **changes: Any) -> Listing:
    """An inverse perpetual with the venue's own terms: 1 USD contracts on ETH, 10 on BTC."""
    underlying = name.partition("-")[0]
    size = Decimal(10) if underlying == "BTC" else Decimal(1)
    terms: dict[str, Any] = {
        "name": name,
        "kind": Kind.PERPETUAL,
        "underlying": underlying,
        "settlement": underlying,
        "inverse": True,
        "contract_size": size,
        "min_amount": size,
        "amount_step": size,
        "tick": Decimal("0.5") if underlying == "BTC" else Decimal("0.05"),
        "maker_fee": Decimal(0),
        "taker_fee": Decimal("0.0005"),
        "created_ms": CREATED_MS,
    }
    return Listing(**(terms | changes))


@dataclass(frozen=True)
class FixedGreeks:
    delta: float = 0.62
    gamma: float = 0.0021
    vega: float = 1.1
    theta: float = -9.5
    rho: float = 0.2


@dataclass(frozen=True)
class FixedStats:
    high: float | None = None
    low: float | None = None
    price_change: float | None = None
    volume: float = 0.0
    volume_usd: float = 0.0


@dataclass(frozen=True)
class FixedTicker:
    index_price: float
    mark_price: float
    min_price: float
    max_price: float
    stats: FixedStats = FixedStats()
    delivery_estimate: float = 2850.0
    underlying_price: float | None = None
    underlying_index: str | None = None
    mark_iv: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    greeks: FixedGreeks | None = None
    current_funding: float | None = None
    funding_8h: float | None = None
    quotes: Best | None = None


@dataclass
class ScriptedMarket:
    """Marks that stay, a `maker` account with deep pockets, and no will of its own."""

    exchange: Exchange
    watched: list[str] = field(default_factory=list)
    moved_to: list[int] = field(default_factory=list)  # the last few times it was told

    def __post_init__(self) -> None:
        if MAKER in self.exchange.accounts:
            return  # restored, with everything listed
        self.exchange.open_account(
            MAKER, {"ETH": Decimal(10**6), "BTC": Decimal(10**6)}, followed=False
        )
        for listing in (option(OPTION), option(PUT), perpetual(), perpetual(BTC_PERPETUAL)):
            self.exchange.list(listing)

    def watch(self, name: str) -> None:
        self.watched.append(name)
        ticker = self.ticker(name)
        self.exchange.set_mark(
            name,
            Decimal(repr(ticker.mark_price)),
            index=Decimal(repr(ticker.index_price)),
            min_price=Decimal(repr(ticker.min_price)),
            max_price=Decimal(repr(ticker.max_price)),
        )

    def glance(self, name: str) -> None:
        """Nobody quotes here by themselves."""

    def unglance(self, name: str) -> None:
        """Nor then."""

    def glanced(self, _name: str) -> None:
        """So nothing is to be seen."""

    def unwatch(self, name: str) -> None:
        self.watched.remove(name)

    def advance(self, now_ms: int) -> None:
        self.moved_to = [*self.moved_to[-9:], now_ms]

    def note(self, prints: Prints) -> None:
        """No statistics are kept."""

    def index(self, name: str) -> float:
        return {"eth_usd": 2850.0, "btc_usd": 105_000.0}[name]

    def delivery_estimate(self, name: str) -> float:
        return self.index(name)

    def prices(self) -> dict[str, float]:
        return {"BTC": 105_000.0, "ETH": 2_850.0}

    def funding_hours(self, name: str) -> list[FundingHour]:
        return []

    def ticker(self, name: str) -> FixedTicker:
        listing = self.exchange.listings[name]
        index = self.index(f"{listing.underlying.lower()}_usd")
        if listing.kind is Kind.OPTION:
            return FixedTicker(
                index,
                0.0312,
                0.0005,
                0.1,
                underlying_price=index + 1,
                underlying_index="SYN.ETH-6JUN25",
                mark_iv=65.2,
                bid_iv=64.0,
                ask_iv=66.5,
                greeks=FixedGreeks(),
            )
        return FixedTicker(
            index, index, index * 0.9, index * 1.1, current_funding=0.0, funding_8h=1.7e-05
        )


def scripted_options(**changes: Any) -> VenueOptions:
    """Options of a venue with the scripted market and no limits on requests."""
    terms: dict[str, Any] = {"make_market": ScriptedMarket, "rules": UNLIMITED}
    return VenueOptions(**(terms | changes))


def scripted_venue(**changes: Any) -> SimVenue:
    """A venue where nothing happens unless the test does it."""
    return SimVenue(scripted_options(**changes))


def rest(venue: Venue, side: Side, amount: str, price: str, name: str = OPTION) -> Placed:
    """Place an order of the maker's and publish what it causes."""
    placed = venue.exchange.place(
        MAKER,
        NewOrder(name=name, side=side, amount=Decimal(amount), price=Decimal(price)),
        venue.now_ms(),
    )
    assert isinstance(placed, Placed), placed
    venue.publish()
    return placed


class PlainClient:
    """The protocol by hand: one WebSocket, replies by id, pushes kept in order of arrival."""

    def __init__(self, venue: Venue, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.venue = venue
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.answers_heartbeats = True
        self._next_id = 0
        self._reading = asyncio.create_task(self._read())

    async def send(self, method: str, **params: Any) -> int:
        """Send a request without waiting for its reply; returns its id."""
        self._next_id += 1
        frame = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params}
        await self.socket.send_str(orjson.dumps(frame).decode())
        return self._next_id

    async def ask(self, method: str, **params: Any) -> Any:
        """The result of a request; an error reply raises `Refused`."""
        request_id = await self.send(method, **params)
        reply = await self.wait_for(lambda frame: frame.get("id") == request_id)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    async def login(self) -> Any:
        return await self.ask(
            "public/auth", grant_type="client_credentials", client_id="sim", client_secret="sim"
        )

    async def subscribe(self, *channels: str) -> list[str]:
        accepted: list[str] = await self.ask("public/subscribe", channels=list(channels))
        return accepted

    def pushed(self, channel: str) -> list[Any]:
        """The data of every push of that channel so far."""
        return [
            frame["params"]["data"]
            for frame in self.frames
            if frame.get("method") == "subscription" and frame["params"]["channel"] == channel
        ]

    async def push(self, channel: str, count: int = 1) -> Any:
        """The data of the `count`-th push of that channel."""
        await self.until(lambda: len(self.pushed(channel)) >= count)
        return self.pushed(channel)[count - 1]

    async def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first frame, past or to come, that is wanted."""
        await self.until(lambda: any(wanted(frame) for frame in self.frames))
        return next(frame for frame in self.frames if wanted(frame))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition on what has arrived."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def until_closed(self) -> None:
        """Wait until the venue has closed the socket."""
        await asyncio.wait_for(asyncio.shield(self._reading), DEADLINE_S)

    async def close(self) -> None:
        await self.socket.close()
        await self._reading

    async def _read(self) -> None:
        async for message in self.socket:
            frame = orjson.loads(message.data)
            self.frames.append(frame)
            self.arrived.set()
            is_test = frame.get("method") == "heartbeat" and (
                frame["params"]["type"] == "test_request"
            )
            if is_test and self.answers_heartbeats:
                await self.send("public/test")
        self.arrived.set()


class Refused(Exception):
    """An error reply."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error["data"]


async def refused(client: PlainClient, method: str, **params: Any) -> Refused:
    """The error that a request is answered with."""
    try:
        answer = await client.ask(method, **params)
    except Refused as error:
        return error
    raise AssertionError(f"{method} is not refused: {answer}")


async def refusal(client: PlainClient, method: str, **params: Any) -> tuple[int, str]:
    """Its code and message."""
    error = await refused(client, method, **params)
    return error.code, error.message


@asynccontextmanager
async def connected(venue: Venue, *, login: bool = True) -> AsyncIterator[PlainClient]:
    """A `PlainClient` on a venue, logged in unless told otherwise."""
    async with aiohttp.ClientSession() as session:
        client = PlainClient(venue, await session.ws_connect(venue.ws_url))
        try:
            if login:
                await client.login()
            yield client
        finally:
            await client.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that nothing announces, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - there is no event for what a server has done
            await asyncio.sleep(0.005)
