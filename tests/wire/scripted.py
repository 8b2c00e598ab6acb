"""A loopback Deribit that does what the test says: answers, stays silent, plays frames, cuts.

It is no exchange. It answers the calls of signing in and subscribing the way a friendly venue does;
a test overrides an answer by method, plays frames into a connection, and reads what was sent.
Everything listens on 127.0.0.1, and nothing here sleeps: tests wait for conditions with `until`.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

DEADLINE_S = 10.0
"""How long a test waits for something that ought to happen at once."""

SILENCE = object()
"""An answer that never comes."""

LIMITS = {
    "limits_per_currency": False,
    "non_matching_engine": {"burst": 1500, "rate": 1000},
    "matching_engine": {
        "trading": {"total": {"burst": 250, "rate": 200}},
        "cancel_all": {"burst": 50, "rate": 40},
        "quotes": {"burst": 500, "rate": 500},
    },
}

TOKEN = {
    "access_token": "access",
    "refresh_token": "refresh-1",
    "expires_in": 900,
    "token_type": "bearer",
}


class Refused(Exception):
    """Raised by an answer: the venue's error frame."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.error = {"code": code, "message": message, "data": data}


async def until(condition: Callable[[], Any], what: str = "condition") -> Any:
    """Wait until `condition()` is true and return it; fail the test if it never becomes so."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not (value := condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"never happened: {what}")
        await asyncio.sleep(0.001)
    return value


@dataclass(eq=False)
class Connection:
    """One client connection as the venue sees it."""

    ws: web.WebSocketResponse
    path: str
    transport: Any
    received: list[dict[str, Any]] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    closed: bool = False

    def methods(self) -> list[str]:
        return [frame["method"] for frame in self.received]

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The params of every call of `method`, in order."""
        return [frame["params"] for frame in self.received if frame["method"] == method]

    async def say(self, frame: Any) -> None:
        """Send a frame: text as it is, anything else as JSON."""
        await self.ws.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def push(self, channel: str, data: Any) -> None:
        await self.say(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": channel, "data": data},
            }
        )

    def sever(self) -> None:
        """Cut the TCP connection without a goodbye."""
        self.transport.abort()


class Scripted:
    """`async with Scripted() as venue:`; `config()` points a ccxt exchange at it."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.dials = 0
        self.answers: dict[str, Any] = {
            "public/auth": TOKEN,
            "public/set_heartbeat": "ok",
            "public/test": {"version": "1.2.26"},
            "private/enable_cancel_on_disconnect": "ok",
            "private/get_cancel_on_disconnect": {"scope": "connection", "enabled": True},
            "private/get_account_summaries": {"summaries": [{"currency": "BTC", "limits": LIMITS}]},
        }
        self.rest: list[tuple[str, dict[str, str]]] = []
        self.refuse_dials = False

    def answer(self, method: str, answer: Any) -> None:
        """Answer `method` with a result, SILENCE, a Refused, or what a function of its params
        returns or raises; the function may be a coroutine."""
        self.answers[method] = answer

    def config(self, **more: Any) -> dict[str, Any]:
        return {
            "urls": {"api": {"rest": self.rest_url, "ws": f"{self.ws_url}/ws/api/v2"}},
            **more,
        }

    @property
    def last(self) -> Connection:
        return self.connections[-1]

    def serving(self, channel: str) -> Connection | None:
        """The open connection that has subscribed `channel`."""
        for connection in reversed(self.connections):
            if not connection.closed and channel in connection.channels:
                return connection
        return None

    async def __aenter__(self) -> "Scripted":
        app = web.Application()
        app.router.add_get("/ws/api/v2", self._serve)
        app.router.add_get("/api/v2/{scope}/{method}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.rest_url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: Any) -> None:
        for connection in self.connections:
            connection.sever()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.dials += 1
        if self.refuse_dials:
            return web.Response(status=503)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        connection = Connection(ws, request.raw_path, request.transport)
        self.connections.append(connection)
        tasks: set[asyncio.Task[None]] = set()
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    frame = json.loads(message.data)
                    frame["text"] = message.data
                    connection.received.append(frame)
                    task = asyncio.ensure_future(self._reply(connection, frame))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        finally:
            connection.closed = True
            for task in list(tasks):
                task.cancel()
        return ws

    async def _reply(self, connection: Connection, frame: dict[str, Any]) -> None:
        try:
            result = await self._result(connection, frame["method"], frame["params"])
        except Refused as refused:
            await connection.say({"jsonrpc": "2.0", "id": frame["id"], "error": refused.error})
            return
        if result is not SILENCE:
            await connection.say({"jsonrpc": "2.0", "id": frame["id"], "result": result})

    async def _result(
        self, connection: Connection | None, method: str, params: dict[str, Any]
    ) -> Any:
        answer = self.answers.get(method)
        if callable(answer):
            answer = answer(params)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Refused):
            raise answer
        if connection is not None and method.endswith("/subscribe"):
            answer = params["channels"] if answer is None else answer
            connection.channels += answer
        if connection is not None and method.endswith("/unsubscribe"):
            answer = params["channels"]
            connection.channels = [c for c in connection.channels if c not in answer]
        if answer is None:
            raise Refused(-32601, "Method not found")
        return answer

    async def _rest(self, request: web.Request) -> web.Response:
        method = f"{request.match_info['scope']}/{request.match_info['method']}"
        params = dict(request.query)
        self.rest.append((method, params))
        try:
            result = await self._result(None, method, params)
        except Refused as refused:
            return web.json_response({"jsonrpc": "2.0", "error": refused.error}, status=400)
        return web.json_response({"jsonrpc": "2.0", "result": result})


def instrument(name: str = "BTC-PERPETUAL", **over: Any) -> dict[str, Any]:
    """One row of public/get_instruments: BTC-PERPETUAL unless told otherwise."""
    row: dict[str, Any] = {
        "instrument_name": name,
        "kind": "future",
        "instrument_type": "reversed",
        "base_currency": "BTC",
        "counter_currency": "USD",
        "quote_currency": "USD",
        "settlement_currency": "BTC",
        "settlement_period": "perpetual",
        "price_index": "btc_usd",
        "expiration_timestamp": 32503708800000,
        "creation_timestamp": 1534242287000,
        "is_active": True,
        "tick_size": 0.5,
        "tick_size_steps": [],
        "contract_size": 10.0,
        "min_trade_amount": 10.0,
        "maker_commission": 0.0,
        "taker_commission": 0.0005,
    }
    return {**row, **over}


def option(name: str = "ETH-6JUN25-2800-C", **over: Any) -> dict[str, Any]:
    """An inverse ETH option with the two-step tick ladder."""
    row = instrument(
        name,
        kind="option",
        base_currency="ETH",
        quote_currency="ETH",
        settlement_currency="ETH",
        settlement_period="week",
        price_index="eth_usd",
        strike=2800.0,
        option_type="call",
        expiration_timestamp=1749196800000,
        tick_size=0.0001,
        tick_size_steps=[{"above_price": 0.005, "tick_size": 0.0005}],
        contract_size=1.0,
        min_trade_amount=1.0,
        maker_commission=0.0003,
        taker_commission=0.0003,
    )
    return {**row, **over}


def linear(name: str = "BTC_USDC-PERPETUAL", **over: Any) -> dict[str, Any]:
    """A linear perpetual settled in USDC, sized in BTC."""
    row = instrument(
        name,
        instrument_type="linear",
        counter_currency="USDC",
        quote_currency="USDC",
        settlement_currency="USDC",
        price_index="btc_usdc",
        tick_size=1.0,
        contract_size=0.001,
        min_trade_amount=0.001,
    )
    return {**row, **over}


def with_markets(venue: Scripted, *rows: dict[str, Any]) -> Scripted:
    """Let the venue list these instruments over REST."""
    codes = ("BTC", "ETH", "USDC")
    venue.answer("public/get_currencies", [{"currency": code} for code in codes])
    venue.answer("public/get_instruments", list(rows or (instrument(), option(), linear())))
    return venue


TICKER = "ticker.BTC-PERPETUAL.100ms"
BOOK = "book.BTC-PERPETUAL.100ms"
SYMBOL = "BTC/USD:BTC"


def ticker(bid: float, name: str = "BTC-PERPETUAL") -> dict[str, Any]:
    """The data of a ticker message."""
    return {
        "instrument_name": name,
        "timestamp": 1_700_000_000_000,
        "state": "open",
        "stats": {},
        "best_bid_price": bid,
        "best_bid_amount": 10.0,
        "best_ask_price": bid + 1.0,
        "best_ask_amount": 10.0,
        "mark_price": bid,
        "index_price": bid,
    }


def snapshot(
    change_id: int, bids: list[list[Any]], asks: list[list[Any]], name: str = "BTC-PERPETUAL"
) -> dict[str, Any]:
    """The data of a book snapshot; rows are [price, amount]."""
    return {
        "type": "snapshot",
        "timestamp": 1_700_000_000_000 + change_id,
        "instrument_name": name,
        "change_id": change_id,
        "bids": [["new", *row] for row in bids],
        "asks": [["new", *row] for row in asks],
    }


def change(
    previous: int,
    change_id: int,
    bids: list[list[Any]],
    asks: list[list[Any]],
    name: str = "BTC-PERPETUAL",
) -> dict[str, Any]:
    """The data of a book change; rows are [action, price, amount]."""
    return {
        "type": "change",
        "timestamp": 1_700_000_000_000 + change_id,
        "instrument_name": name,
        "prev_change_id": previous,
        "change_id": change_id,
        "bids": bids,
        "asks": asks,
    }


STOP: dict[str, Any] = {
    "order_id": "ETH-SLTS-77120",
    "order_state": "untriggered",
    "order_type": "stop_market",
    "price": "market_price",
    "label": "",
    "instrument_name": "ETH-PERPETUAL",
    "direction": "sell",
    "amount": 50.0,
}
"""A stop-loss of a person's, as the venue lists it: no filled_amount, no price that is a number."""


def order(**over: Any) -> dict[str, Any]:
    """An order as Deribit states it: a resting bid of 10 USD on BTC-PERPETUAL."""
    row: dict[str, Any] = {
        "order_id": "1001",
        "order_state": "open",
        "order_type": "limit",
        "time_in_force": "good_til_cancelled",
        "instrument_name": "BTC-PERPETUAL",
        "direction": "buy",
        "price": 100.0,
        "amount": 10.0,
        "filled_amount": 0.0,
        "average_price": 0.0,
        "label": "mm1-1",
        "post_only": True,
        "reject_post_only": True,
        "reduce_only": False,
        "replaced": False,
        "api": True,
        "creation_timestamp": 1_700_000_000_000,
        "last_update_timestamp": 1_700_000_000_000,
    }
    return {**row, **over}
