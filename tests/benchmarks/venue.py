"""The bench's Deribit: it moves a book, and notes when the orders that answer it arrive.

Theory of operation
-------------------
It runs in a process of its own, so that every loop under comparison is measured alike, from the
outside: a *tick* is one book message (or ticker) sent to one account, and its latency is the time
from handing that frame to the socket to the arrival of the second of both orders. Both stamps are
taken here, on one monotonic clock. An account is named by its API key; each has its own book, so
that only the loop whose turn it is has anything to do.

Two cases are played:

* AMEND: the others' prices move apart by one grid step a tick, so that both resting orders have
  become too aggressive and must be amended at once. After a dozen steps the market closes again,
  unmeasured.
* PLACE: the book empties, which makes a market maker pull its orders; when they are gone, the
  tick is the book that comes back, and both orders must be placed.

Our own orders are part of the book, as at a real venue. Replies leave behind whatever else of the
same burst has to be read, so that answering the first order does not delay the arrival of the
second. REST is answered at once. There is no matching and no latency: a real round trip would only
add to the loops that await one.

    POST /run {account, case, ticks, pace_s} -> {"latencies_ns": [...]}
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
import uvloop
from aiohttp import WSMsgType, web

from tests.benchmarks.market import (
    CLOSED_ASK,
    CLOSED_BID,
    LEVELS,
    OTHERS_AMOUNT,
    STEPS_MAX,
    TICK,
)
from tests.wire.fixed import INDEX_USD, MARK, NAMES, OWN_FEED, START_MS, answers, position
from tests.wire.scripted import TOKEN

CALL = NAMES[0]
"""The instrument whose book moves."""
DEADLINE_S = 30.0
"""A tick that nobody answers ends the run."""

Json = dict[str, Any]
Levels = dict[float, float]
"""One side of a book: price -> amount."""
Book = tuple[Levels, Levels]
Row = list[Any]


@dataclass(eq=False)
class Connection:
    """One client connection."""

    ws: web.WebSocketResponse
    account: "Account"
    outbox: list[bytes] = field(default_factory=list)
    sending: asyncio.Task[None] | None = None

    def post(self, frame: Json) -> None:
        """Send a frame once the burst being read has been dealt with."""
        self.outbox.append(orjson.dumps(frame))
        if self.sending is None:
            self.sending = asyncio.ensure_future(self._send())

    async def _send(self) -> None:
        while self.outbox:
            await self.ws.send_frame(self.outbox.pop(0), WSMsgType.TEXT)
        self.sending = None


@dataclass(slots=True)
class Shown:
    """One instrument's book as an account has been told."""

    others: Book
    book: Book
    change_id: int = 1


@dataclass(eq=False)
class Account:
    """One loop under comparison: its connections, its orders, the books it is shown."""

    name: str
    channels: dict[str, Connection] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    arrivals: dict[str, int] = field(default_factory=dict)
    """When the first order of each side arrived in answer to the present tick."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    shown: dict[str, Shown] = field(default_factory=dict)
    step: int = 0
    """How far the others' prices are from the narrow market, in grid steps."""

    @property
    def makes_markets(self) -> bool:
        """Whether it follows the book and moves its orders; else it follows the ticker."""
        return CALL in self.shown

    def feed(self, kind: str, name: str) -> str | None:
        """The channel of that kind about an instrument, if it has been subscribed."""
        return next((c for c in self.channels if c.startswith(f"{kind}.{name}.")), None)

    def resting(self, side: str, name: str = CALL) -> list[Json]:
        """The open orders of a side."""
        return [
            order
            for order in self.orders.values()
            if order["direction"] == side and order["instrument_name"] == name
        ]

    async def settled(self) -> None:
        """Wait until everything that was posted to this account has left."""
        for connection in dict.fromkeys(self.channels.values()):
            if connection.sending is not None:
                await connection.sending

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something the loop has to do. Raises TimeoutError saying what."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{self.name}: waited {DEADLINE_S:.0f} s for {what}") from None


class BenchVenue:
    """The server. `serve()` listens until cancelled."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._started_ns = time.perf_counter_ns()
        self._numbers = count(1)

    def now_ms(self) -> int:
        """Venue time: from START_MS on, at the pace of the wall."""
        return START_MS + (time.perf_counter_ns() - self._started_ns) // 1_000_000

    def app(self) -> web.Application:
        """Deribit's endpoints, and the bench's own."""
        app = web.Application()
        app.router.add_get("/ws/api/v2", self._socket)
        app.router.add_get("/api/v2/{scope}/{method}", self._rest)
        app.router.add_post("/run", self._run)
        return app

    def account(self, name: str) -> Account:
        """The account of an API key."""
        return self.accounts.setdefault(name, Account(name))

    # --- the protocol ---

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        connection = Connection(ws, Account("nobody"))
        async for message in ws:
            stamp_ns = time.perf_counter_ns()
            frame = orjson.loads(message.data)
            method, params = frame["method"], frame["params"]
            result = self._socket_call(connection, method, params, stamp_ns)
            connection.post({"jsonrpc": "2.0", "id": frame["id"], **result})
            self._tell(connection.account, result)
            if method.endswith("/subscribe"):
                self._introduce(connection, params["channels"])
        return ws

    def _socket_call(
        self, connection: Connection, method: str, params: Json, stamp_ns: int
    ) -> Json:
        if method == "public/auth":
            connection.account = self.account(params.get("client_id", connection.account.name))
            return {"result": TOKEN}
        if method.endswith("/subscribe"):
            for channel in params["channels"]:
                connection.account.channels[channel] = connection
            connection.account.changed.set()
            return {"result": params["channels"]}
        return self._call(connection.account, method, params, stamp_ns)

    async def _rest(self, request: web.Request) -> web.Response:
        stamp_ns = time.perf_counter_ns()
        method = f"{request.match_info['scope']}/{request.match_info['method']}"
        signed = request.headers.get("Authorization", "")
        name = signed.partition("id=")[2].partition(",")[0]
        result = self._call(self.account(name), method, dict(request.query), stamp_ns)
        body = orjson.dumps({"jsonrpc": "2.0", **result})
        status = 400 if "error" in result else 200
        return web.Response(body=body, status=status, content_type="application/json")

    def _call(self, account: Account, method: str, params: Json, stamp_ns: int) -> Json:
        match method:
            case "private/buy" | "private/sell":
                side = method.removeprefix("private/")
                return self._ordered(account, self._new(side, params), stamp_ns)
            case "private/edit":
                order = account.orders.get(params["order_id"])
                if order is None:
                    return {"error": {"code": 11044, "message": "not_open_order"}}
                return self._ordered(account, {**order, **self._terms(params)}, stamp_ns)
            case "private/cancel":
                order = account.orders.pop(params["order_id"], None)
                account.changed.set()
                if order is None:
                    return {"error": {"code": 11044, "message": "not_open_order"}}
                return {"result": {**order, **self._stamped(), "order_state": "cancelled"}}
            case "private/cancel_all" | "private/cancel_all_by_instrument":
                gone = len(account.orders)
                account.orders.clear()
                account.changed.set()
                return {"result": gone}
            case "private/get_open_orders":
                return {"result": list(account.orders.values())}
            case "private/get_position":
                return {"result": position(params["instrument_name"])}
            case "public/ticker":  # of a channel that has been silent for a while
                name = params["instrument_name"]
                bids, asks = account.shown[name].book
                best = max(bids, default=0.0), min(asks, default=0.0)
                return {"result": self._ticker(name, *best)}
            case "private/get_account_summaries":
                # One machine trades an account once: ours, the base's, those of another bench.
                return {"result": answers(f"{account.name}-{os.getpid()}")[method]}
            case "public/get_time":
                return {"result": self.now_ms()}
        if method in _ANSWERS:
            return {"result": _ANSWERS[method]}
        return {"error": {"code": -32601, "message": f"Method not found: {method}"}}

    def _ordered(self, account: Account, order: Json, stamp_ns: int) -> Json:
        account.orders[order["order_id"]] = order
        if order["instrument_name"] == CALL:
            account.arrivals.setdefault(order["direction"], stamp_ns)
        account.changed.set()
        return {"result": {"order": order, "trades": []}}

    def _new(self, side: str, params: Json) -> Json:
        return {
            "order_id": f"ETH-{next(self._numbers)}",
            "order_state": "open",
            "order_type": "limit",
            "time_in_force": "good_til_cancelled",
            "instrument_name": params["instrument_name"],
            "direction": side,
            "filled_amount": 0.0,
            "average_price": 0.0,
            "label": params.get("label", ""),
            "post_only": True,
            "reject_post_only": True,
            "reduce_only": False,
            "replaced": False,
            "api": True,
            "creation_timestamp": self.now_ms(),
            **self._terms(params),
        }

    def _terms(self, params: Json) -> Json:
        terms = {"price": float(params["price"]), "amount": float(params["amount"])}
        return {**terms, **self._stamped()}

    def _stamped(self) -> Json:
        return {"last_update_timestamp": self.now_ms()}

    def _tell(self, account: Account, reply: Json) -> None:
        """What an order request changed, on the account's own feed and in the book."""
        result = reply.get("result")
        order = result.get("order", result) if isinstance(result, dict) else {}
        if "order_state" not in order:
            return
        name = order["instrument_name"]
        listener = account.channels.get(OWN_FEED)
        if listener is not None:
            changes = {"instrument_name": name, "trades": [], "positions": [], "orders": [order]}
            listener.post(_push(OWN_FEED, changes))
        channel = account.feed("book", name)
        if channel is not None:
            account.channels[channel].post(self._change(account, name))

    def _introduce(self, connection: Connection, channels: list[str]) -> None:
        """The first message of every channel: a sound market on each instrument."""
        for channel in channels:
            kind, _, rest = channel.partition(".")
            name = rest.partition(".")[0]
            if kind == "ticker":
                connection.post(_push(channel, self._ticker(name, CLOSED_BID, CLOSED_ASK)))
            elif kind == "book":
                others = _others(0)
                connection.account.shown[name] = Shown(others, others)
                sides = [_rows({}, levels) for levels in others]
                connection.post(_push(channel, self._book(name, 1, sides)))
        connection.account.changed.set()

    def _change(self, account: Account, name: str) -> Json:
        """The message that brings an account's view of a book up to date."""
        shown = account.shown[name]
        book = _with_own(account, name, shown.others)
        sides = [_rows(old, new) for old, new in zip(shown.book, book, strict=True)]
        shown.book = book
        shown.change_id += 1
        data = self._book(name, shown.change_id, sides)
        data |= {"type": "change", "prev_change_id": shown.change_id - 1}
        return _push(account.feed("book", name) or "", data)

    def _book(self, name: str, change_id: int, sides: list[list[Row]]) -> Json:
        return {
            "type": "snapshot",
            "timestamp": self.now_ms(),
            "instrument_name": name,
            "change_id": change_id,
            "bids": sides[0],
            "asks": sides[1],
        }

    def _ticker(self, name: str, bid: float, ask: float) -> Json:
        return {
            "instrument_name": name,
            "timestamp": self.now_ms(),
            "state": "open",
            "stats": {"high": None, "low": None, "price_change": None, "volume": 0.0},
            "best_bid_price": bid,
            "best_bid_amount": OTHERS_AMOUNT,
            "best_ask_price": ask,
            "best_ask_amount": OTHERS_AMOUNT,
            "last_price": MARK,
            "mark_price": MARK,
            "mark_iv": 62.0,
            "index_price": INDEX_USD,
            "underlying_price": INDEX_USD,
            "min_price": 0.0001,
            "max_price": 0.2,
            "open_interest": 100.0,
            "greeks": {"delta": 0.5, "gamma": 0.001, "vega": 1.0, "theta": -5.0, "rho": 0.1},
        }

    # --- the market ---

    async def _run(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        account = self.account(asked["account"])
        play = self._amends if asked["case"] == "amend" else self._places
        try:
            await account.until(lambda: _follows(account), "its subscription")
            latencies_ns = await play(account, asked["ticks"], asked["pace_s"])
        except TimeoutError as error:
            return web.json_response({"error": str(error)})
        return web.json_response({"latencies_ns": latencies_ns})

    async def _amends(self, account: Account, ticks: int, pace_s: float) -> list[int]:
        """One latency (ns) per tick; each tick moves both sides outward."""
        latencies: list[int] = []
        await self._close_market(account)
        while len(latencies) < ticks:
            if account.step == STEPS_MAX:
                await self._close_market(account)
            await asyncio.sleep(pace_s)
            latencies.append(await self._tick(account, account.step + 1))
        return latencies

    async def _places(self, account: Account, ticks: int, pace_s: float) -> list[int]:
        """One latency (ns) per tick; before each the market was gone and so are the orders."""
        latencies: list[int] = []
        await self._close_market(account)
        while len(latencies) < ticks:
            if account.makes_markets:
                await self._show(account, _NOBODY)
                await account.until(
                    lambda: not account.resting("buy") and not account.resting("sell"),
                    "its orders to be cancelled on an empty book",
                )
            await asyncio.sleep(pace_s)
            latencies.append(await self._tick(account, 0))
        return latencies

    async def _close_market(self, account: Account) -> None:
        """Back to the narrow market, with both orders resting in it."""
        account.step = 0
        if account.makes_markets:
            await self._show(account, _others(0))
            await account.until(
                lambda: _rests_inside(account, "buy") and _rests_inside(account, "sell"),
                "both orders to follow the market",
            )

    async def _tick(self, account: Account, step: int) -> int:
        account.arrivals.clear()
        account.step = step
        sent_ns = await self._show(account, _others(step))
        await account.until(lambda: len(account.arrivals) == 2, "both orders after a tick")
        return max(account.arrivals.values()) - sent_ns

    async def _show(self, account: Account, others: Book) -> int:
        """Send the book (or its best prices), and return the moment (ns) at which it left."""
        await account.settled()
        if account.makes_markets:
            account.shown[CALL].others = others
            message = self._change(account, CALL)
        else:
            channel = account.feed("ticker", CALL) or ""
            message = _push(channel, self._ticker(CALL, max(others[0]), min(others[1])))
        connection = account.channels[message["params"]["channel"]]
        frame = orjson.dumps(message)
        sent_ns = time.perf_counter_ns()
        await connection.ws.send_frame(frame, WSMsgType.TEXT)
        return sent_ns


def _others(step: int) -> Book:
    """The others' levels after so many outward steps: equally spaced, all of one amount."""
    bids = (CLOSED_BID - (step + n) * TICK for n in range(LEVELS))
    asks = (CLOSED_ASK + (step + n) * TICK for n in range(LEVELS))
    return (
        {round(price, 4): OTHERS_AMOUNT for price in bids},
        {round(price, 4): OTHERS_AMOUNT for price in asks},
    )


def _with_own(account: Account, name: str, others: Book) -> Book:
    """A book of the others with the account's own orders in it."""
    sides = []
    for side, levels in zip(("buy", "sell"), others, strict=True):
        merged = dict(levels)
        for order in account.resting(side, name):
            merged[order["price"]] = merged.get(order["price"], 0.0) + order["amount"]
        sides.append(merged)
    return sides[0], sides[1]


def _follows(account: Account) -> bool:
    """Whether the account hears of the moving instrument, and of its own orders if it wants to."""
    return account.makes_markets or account.feed("ticker", CALL) is not None


def _rests_inside(account: Account, side: str) -> bool:
    """Whether the side's order improves on the narrow market."""
    best, sign = (CLOSED_BID, 1) if side == "buy" else (CLOSED_ASK, -1)
    return any((order["price"] - best) * sign > 0 for order in account.resting(side))


def _rows(old: Levels, new: Levels) -> list[Row]:
    """What turns one side into another, as Deribit writes it."""
    gone: list[Row] = [["delete", price, 0.0] for price in old if price not in new]
    fresh: list[Row] = [["new", price, new[price]] for price in new if price not in old]
    moved: list[Row] = [
        ["change", price, new[price]] for price in new if old.get(price, new[price]) != new[price]
    ]
    return gone + fresh + moved


def _push(channel: str, data: Json) -> Json:
    return {
        "jsonrpc": "2.0",
        "method": "subscription",
        "params": {"channel": channel, "data": data},
    }


_NOBODY: Book = ({}, {})
_ANSWERS: Json = answers("bench") | {
    "private/get_positions": [],
    "private/get_user_trades_by_currency_and_time": {"trades": [], "has_more": False},
    "private/get_order_state_by_label": [],
}


async def serve() -> None:
    """Listen on a free port of this machine, print its URL, and stay."""
    runner = web.AppRunner(BenchVenue().app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
