"""The soak's Deribit: it sends books, tickers and fills as fast as the engine takes them.

Theory of operation
-------------------
It runs in a process of its own and does what it is told on its standard input, one line a time:

    go N    let at least N messages pass, then fall silent and answer with one line of JSON
    cut X   break the connection of X (market, trading or both), which cancels our orders

Messages come in bursts, so that conflation works as it would: a few hundred frames in one write,
with a test request behind them. The client answers that when it has read everything before it, and
only then does the next burst leave.

In the market, the others' prices walk to and fro on a grid while their amounts flicker. Our own
orders are in the book, as at a real venue. An order of ours is filled when the others' prices move
through it, and now and then where it rests, rather on the side that takes the position back to
zero. There is no matching otherwise, and no rate limit that would be felt.
"""

import asyncio
import random
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
import uvloop
from aiohttp import WSMsgType, web

from tests.wire.fixed import INDEX_USD, NAMES, OWN_FEED, START_MS, answers, position
from tests.wire.scripted import TOKEN

DEADLINE_S = 60.0
"""So long the engine may take for a burst, or to come back after a cut."""

BURST = 250
STEP_SHARE = 0.04
"""The part of the messages in which an instrument's prices move by one grid step."""
TICKER_SHARE = 0.35
FILL_SHARE = 0.0001
TICK = 5
"""The price grid, in units of 0.0001."""
CENTER = 350
WALK_MAX = 4
"""So many grid steps the market walks away from its center."""
HALF_WIDTH = 3
"""Grid steps from the middle to the others' best prices."""
LEVELS = 10
AMOUNTS = (20.0, 25.0, 30.0, 35.0)
POSITION_MAX = 5
KEPT = 5_000
"""Trades and ended orders that can still be asked for."""

_ANSWERS = answers("soak")
_TEST = orjson.dumps({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}})
_NO_ORDER = {"error": {"code": 11044, "message": "not_open_order"}}
_CROSSES = {"error": {"code": 11054, "message": "post_only_reject"}}

Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class Link:
    """One client connection."""

    transport: asyncio.WriteTransport
    trading: bool = False
    tested: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has read everything up to the last test request."""


@dataclass(slots=True)
class Book:
    """One instrument's market: the others' middle in grid steps, and what has been shown."""

    name: str
    walk: int = 0
    amounts: list[dict[int, float]] = field(default_factory=lambda: [{}, {}])
    """The others' levels, bids and asks: price in units of 0.0001 -> amount."""
    change_id: int = 1

    def best(self, side: int) -> int:
        """The others' best price; side 0 is bids, 1 asks."""
        sign = (-1, 1)[side]
        return CENTER + (self.walk + sign * HALF_WIDTH) * TICK


class SoakVenue:
    """The server. `serve()` runs it."""

    def __init__(self, seed: int = 1) -> None:
        self.messages = 0
        """Frames in both directions."""
        self.fills = 0
        self._dice = random.Random(seed)
        self._numbers = count(1)
        self._started_ns = time.perf_counter_ns()
        self._channels: dict[str, Link] = {}
        self._changed = asyncio.Event()
        self._orders: dict[str, Json] = {}
        self._ended: deque[Json] = deque(maxlen=KEPT)
        self._trades: deque[Json] = deque(maxlen=KEPT)
        self._positions = dict.fromkeys(NAMES, 0)
        self._books = {name: Book(name) for name in NAMES}
        for book in self._books.values():
            for side, sign in enumerate((-1, 1)):
                for level in range(LEVELS):
                    book.amounts[side][book.best(side) + sign * level * TICK] = AMOUNTS[0]

    def now_ms(self) -> int:
        """Venue time: from START_MS on, at the pace of the wall."""
        return START_MS + (time.perf_counter_ns() - self._started_ns) // 1_000_000

    def app(self) -> web.Application:
        """Deribit's endpoints."""
        app = web.Application()
        app.router.add_get("/ws/api/v2", self._socket)
        app.router.add_get("/api/v2/{scope}/{method}", self._rest)
        return app

    # --- what it is told ---

    async def go(self, messages: int) -> Json:
        """Let so many messages pass. Raises TimeoutError when nobody takes them."""
        until = self.messages + messages
        while self.messages < until:
            market = await self._market_link()
            burst = [self._market_frame() for _ in range(min(BURST, until - self.messages))]
            # A short run has a fill, too.
            if self._dice.random() < FILL_SHARE * BURST or not self.fills:
                burst += self._fill_somewhere()
            market.tested.clear()
            self._write(market, [*burst, _TEST])
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await market.tested.wait()
            except TimeoutError:
                if market in self._channels.values():
                    raise
        return {"messages": self.messages, "fills": self.fills, "positions": self._positions}

    def cut(self, what: str) -> Json:
        """Break connections; the venue then cancels what the trading one had placed."""
        for link in set(self._channels.values()):
            if what in ("both", "trading" if link.trading else "market"):
                link.transport.abort()
        return {"messages": self.messages}

    async def _market_link(self) -> Link:
        """The connection of the books, once both connections are back."""
        async with asyncio.timeout(DEADLINE_S):
            while not (len(self._channels) > 2 * len(NAMES) and OWN_FEED in self._channels):
                self._changed.clear()
                await self._changed.wait()
        return self._channels[f"book.{NAMES[0]}.raw"]

    # --- connections ---

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        assert request.transport is not None
        link = Link(request.transport)
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._asked(link, orjson.loads(message.data))
        finally:
            self._lost(link)
        return ws

    def _asked(self, link: Link, frame: Json) -> None:
        self.messages += 1
        method, params = frame["method"], frame["params"]
        if method == "public/test":
            link.tested.set()
        result: Json
        if method == "public/auth":
            result = {"result": TOKEN}
        elif method.endswith("subscribe"):
            result = {"result": params["channels"]}
        else:
            result = self._call(method, params)
        reply = orjson.dumps({"jsonrpc": "2.0", "id": frame["id"], **result})
        if method.endswith("/subscribe"):
            self._write(link, [reply, *self._introduced(link, params["channels"])])
        else:
            self._write(link, [reply])

    def _introduced(self, link: Link, channels: list[str]) -> list[bytes]:
        """The first message of every channel."""
        frames = []
        for channel in channels:
            self._channels[channel] = link
            kind, _, rest = channel.partition(".")
            link.trading = link.trading or kind == "user"
            if kind == "book":
                frames.append(self._snapshot(self._books[rest.partition(".")[0]]))
            elif kind == "ticker":
                frames.append(self._ticker(self._books[rest.partition(".")[0]]))
        self._changed.set()
        return frames

    def _lost(self, link: Link) -> None:
        self._channels = {c: at for c, at in self._channels.items() if at is not link}
        link.tested.set()
        if link.trading:
            for order in list(self._orders.values()):
                self._end(order, "cancelled")

    def _write(self, link: Link, payloads: list[bytes]) -> None:
        """Frames straight into the transport: one write for a whole burst."""
        self.messages += len(payloads)
        if not link.transport.is_closing():
            link.transport.write(b"".join(map(_framed, payloads)))

    async def _rest(self, request: web.Request) -> web.Response:
        self.messages += 2
        method = f"{request.match_info['scope']}/{request.match_info['method']}"
        result = self._call(method, dict(request.query))
        body = orjson.dumps({"jsonrpc": "2.0", **result})
        status = 400 if "error" in result else 200
        return web.Response(body=body, status=status, content_type="application/json")

    # --- requests ---

    def _call(self, method: str, params: Json) -> Json:
        match method:
            case "private/buy" | "private/sell":
                return self._placed(method.removeprefix("private/"), params)
            case "private/edit":
                return self._edited(params)
            case "private/cancel":
                order = self._orders.get(params["order_id"])
                return _NO_ORDER if order is None else {"result": self._end(order, "cancelled")}
            case "private/cancel_all" | "private/cancel_all_by_instrument":
                name = params.get("instrument_name")
                gone = [o for o in self._orders.values() if name in (None, o["instrument_name"])]
                for order in gone:
                    self._tell(self._end(order, "cancelled"))
                return {"result": len(gone)}
            case "private/get_open_orders":
                return {"result": list(self._orders.values())}
            case "private/get_order_state_by_label":
                known = (*self._orders.values(), *self._ended)
                return {"result": [o for o in known if o["label"] == params["label"]]}
            case "private/get_positions":
                return {"result": [position(n, size) for n, size in self._positions.items()]}
            case "private/get_user_trades_by_currency_and_time":
                since_ms = int(params["start_timestamp"])
                trades = [t for t in self._trades if t["timestamp"] >= since_ms]
                return {"result": {"trades": trades, "has_more": False}}
            case "public/get_time":
                return {"result": self.now_ms()}
            case "public/ticker":
                return {"result": self._priced(self._books[params["instrument_name"]])}
        if method in _ANSWERS:
            return {"result": _ANSWERS[method]}
        return {"error": {"code": -32601, "message": f"Method not found: {method}"}}

    def _placed(self, direction: str, params: Json) -> Json:
        if self._crosses(params["instrument_name"], direction, params["price"]):
            return _CROSSES
        order = {
            "order_id": f"ETH-{next(self._numbers)}",
            "order_state": "open",
            "order_type": "limit",
            "time_in_force": "good_til_cancelled",
            "instrument_name": params["instrument_name"],
            "direction": direction,
            "filled_amount": 0.0,
            "average_price": 0.0,
            "label": params.get("label", ""),
            "post_only": True,
            "reject_post_only": True,
            "reduce_only": False,
            "replaced": False,
            "api": True,
            "creation_timestamp": self.now_ms(),
            "last_update_timestamp": self.now_ms(),
            "price": float(params["price"]),
            "amount": float(params["amount"]),
        }
        self._orders[order["order_id"]] = order
        self._tell(order, _units(order["price"]))
        return {"result": {"order": order, "trades": []}}

    def _edited(self, params: Json) -> Json:
        order = self._orders.get(params["order_id"])
        if order is None:
            return _NO_ORDER
        if self._crosses(order["instrument_name"], order["direction"], params["price"]):
            return _CROSSES
        left = _units(order["price"])
        order["price"], order["amount"] = float(params["price"]), float(params["amount"])
        order["last_update_timestamp"] = self.now_ms()
        self._tell(order, left, _units(order["price"]))
        return {"result": {"order": order, "trades": []}}

    def _crosses(self, name: str, direction: str, price: Any) -> bool:
        book, units = self._books[name], _units(float(price))
        return units >= book.best(1) if direction == "buy" else units <= book.best(0)

    def _end(self, order: Json, state: str) -> Json:
        del self._orders[order["order_id"]]
        order["order_state"], order["last_update_timestamp"] = state, self.now_ms()
        self._ended.append(order)
        self._show(order, _units(order["price"]))
        return order

    def _tell(self, order: Json, *prices: int) -> None:
        """An order changed: on the account's own feed, and in the book at these prices."""
        link = self._channels.get(OWN_FEED)
        if link is not None:
            self._write(link, [_changes(order, [])])
        self._show(order, *prices)

    def _show(self, order: Json, *prices: int) -> None:
        book, side = self._books[order["instrument_name"]], _side(order)
        link = self._channels.get(f"book.{book.name}.raw")
        if link is not None and prices:
            rows = [self._row(book, side, price) for price in dict.fromkeys(prices)]
            self._write(link, [self._change(book, *((rows, []) if side == 0 else ([], rows)))])

    # --- the market ---

    def _market_frame(self) -> bytes:
        """The next thing that happens: a ticker, a flickering amount, or a step of the market."""
        dice = self._dice.random()
        book = self._books[self._dice.choice(NAMES)]
        if dice < STEP_SHARE:
            return self._step(book)
        if dice < STEP_SHARE + TICKER_SHARE:
            return self._ticker(book)
        side = self._dice.randrange(2)
        price = book.best(side) + (-1, 1)[side] * self._dice.randrange(LEVELS) * TICK
        book.amounts[side][price] = self._dice.choice(AMOUNTS)
        rows = [self._row(book, side, price)]
        return self._change(book, *((rows, []) if side == 0 else ([], rows)))

    def _step(self, book: Book) -> bytes:
        """The others move by one step; what of ours they move through is filled."""
        up = self._dice.random() < 0.5 - book.walk / (2 * WALK_MAX)
        move = 1 if up else -1
        touched: list[set[int]] = []
        book.walk += move
        for side, sign in enumerate((-1, 1)):
            best = book.best(side)
            now = {best + sign * level * TICK for level in range(LEVELS)}
            before = set(book.amounts[side])
            book.amounts[side] = {p: book.amounts[side].get(p, AMOUNTS[0]) for p in sorted(now)}
            touched.append(before ^ now)
        for order in list(self._orders.values()):
            if order["instrument_name"] == book.name and self._crosses(
                book.name, order["direction"], order["price"]
            ):
                touched[_side(order)].add(_units(order["price"]))
                self._fill(order, order["amount"] - order["filled_amount"])
        rows = [[self._row(book, side, p) for p in sorted(touched[side])] for side in (0, 1)]
        return self._change(book, *rows)

    def _fill_somewhere(self) -> list[bytes]:
        """Somebody trades with one of our orders, where it rests."""
        at_rest = [o for o in self._orders.values() if self._may_fill(o)]
        if not at_rest:
            return []
        order = self._dice.choice(at_rest)
        self._fill(order, min(1.0, order["amount"] - order["filled_amount"]))
        book, side = self._books[order["instrument_name"]], _side(order)
        rows = [self._row(book, side, _units(order["price"]))]
        return [self._change(book, *((rows, []) if side == 0 else ([], rows)))]

    def _may_fill(self, order: Json) -> bool:
        position = self._positions[order["instrument_name"]]
        return position < POSITION_MAX if order["direction"] == "buy" else position > -POSITION_MAX

    def _fill(self, order: Json, amount: float) -> None:
        """One execution, told on the account's own feed; the caller shows the book."""
        buys = order["direction"] == "buy"
        self.fills += 1
        self._positions[order["instrument_name"]] += round(amount if buys else -amount)
        order["filled_amount"] += amount
        order["last_update_timestamp"] = self.now_ms()
        if order["filled_amount"] >= order["amount"]:
            del self._orders[order["order_id"]]
            order["order_state"] = "filled"
            self._ended.append(order)
        trade = {
            "trade_id": f"ETH-{next(self._numbers)}",
            "trade_seq": self.fills,
            "instrument_name": order["instrument_name"],
            "direction": order["direction"],
            "price": order["price"],
            "amount": amount,
            "fee": 0.0003 * amount,
            "fee_currency": "ETH",
            "liquidity": "M",
            "order_id": order["order_id"],
            "order_type": "limit",
            "label": order["label"],
            "timestamp": self.now_ms(),
            "mark_price": CENTER / 10_000,
            "index_price": INDEX_USD,
            "tick_direction": 0,
            "state": order["order_state"],
        }
        self._trades.append(trade)
        link = self._channels.get(OWN_FEED)
        if link is not None:
            self._write(link, [_changes(order, [trade])])

    # --- frames ---

    def _row(self, book: Book, side: int, price: int) -> list[Any]:
        """What the venue says of one price, our own orders there included."""
        amount = book.amounts[side].get(price, 0.0)
        for order in self._orders.values():
            if (
                order["instrument_name"] == book.name
                and _side(order) == side
                and _units(order["price"]) == price
            ):
                amount += order["amount"] - order["filled_amount"]
        return ["change" if amount else "delete", price / 10_000, amount]

    def _change(self, book: Book, bids: list[Any], asks: list[Any]) -> bytes:
        book.change_id += 1
        data = {
            "type": "change",
            "timestamp": self.now_ms(),
            "instrument_name": book.name,
            "change_id": book.change_id,
            "prev_change_id": book.change_id - 1,
            "bids": bids,
            "asks": asks,
        }
        return _push(f"book.{book.name}.raw", data)

    def _snapshot(self, book: Book) -> bytes:
        own: tuple[set[int], set[int]] = (set(), set())
        for order in self._orders.values():
            if order["instrument_name"] == book.name:
                own[_side(order)].add(_units(order["price"]))
        rows = [
            [
                ["new", *self._row(book, side, p)[1:]]
                for p in sorted({*book.amounts[side]} | own[side])
            ]
            for side in (0, 1)
        ]
        data = {
            "type": "snapshot",
            "timestamp": self.now_ms(),
            "instrument_name": book.name,
            "change_id": book.change_id,
            "bids": rows[0],
            "asks": rows[1],
        }
        return _push(f"book.{book.name}.raw", data)

    def _ticker(self, book: Book) -> bytes:
        return _push(f"ticker.{book.name}.raw", self._priced(book))

    def _priced(self, book: Book) -> Json:
        return {
            "instrument_name": book.name,
            "timestamp": self.now_ms(),
            "state": "open",
            "stats": {"high": None, "low": None, "price_change": None, "volume": 0.0},
            "best_bid_price": book.best(0) / 10_000,
            "best_bid_amount": AMOUNTS[0],
            "best_ask_price": book.best(1) / 10_000,
            "best_ask_amount": AMOUNTS[0],
            "last_price": CENTER / 10_000,
            "mark_price": CENTER / 10_000,
            "mark_iv": 62.0,
            "index_price": INDEX_USD,
            "underlying_price": INDEX_USD,
            "min_price": 0.0001,
            "max_price": 0.2,
            "open_interest": 100.0,
            "greeks": {"delta": 0.5, "gamma": 0.001, "vega": 1.0, "theta": -5.0, "rho": 0.1},
        }


def _framed(payload: bytes) -> bytes:
    """One unmasked WebSocket text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def _push(channel: str, data: Any) -> bytes:
    params = {"channel": channel, "data": data}
    return orjson.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})


def _changes(order: Json, trades: list[Json]) -> bytes:
    name = order["instrument_name"]
    data = {"instrument_name": name, "trades": trades, "positions": [], "orders": [order]}
    return _push(OWN_FEED, data)


def _side(order: Json) -> int:
    return 0 if order["direction"] == "buy" else 1


def _units(price: float) -> int:
    return round(price * 10_000)


async def serve() -> None:
    """Listen on a free port of this machine, print its URL, and do what is asked until the end of
    the input."""
    venue = SoakVenue()
    runner = web.AppRunner(venue.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    asked = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while line := await asked.readline():
        command, _, argument = line.decode().strip().partition(" ")
        try:
            answer = await venue.go(int(argument)) if command == "go" else venue.cut(argument)
        except TimeoutError:
            answer = {"error": f"the engine did not answer within {DEADLINE_S:.0f} s"}
        print(orjson.dumps(answer).decode(), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve())
