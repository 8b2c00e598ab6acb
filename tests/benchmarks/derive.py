"""The same race on Derive: `python -m tests.benchmarks.derive venue`, or `bare URL`.

The venue is the bench's Deribit in Derive's words: what it plays and stamps is in `venue.py`,
prices are a thousand times those (USDC for a coin of option), and every message of a book is the
whole of it. Orders move by being replaced, each one signed; the venue verifies nothing, as nobody
who is measured should wait for that. So the bare loop signs as little as can be: the three hashes
and the one operation on the curve that every order takes (`signing.py`).
"""

import asyncio
import os
import sys
import time
from itertools import count
from typing import Any, Final

import aiohttp
import orjson
import uvloop
from aiohttp import WSMsgType, web
from coincurve import PrivateKey
from eth_hash.backends.pysha3 import keccak256

from tests.benchmarks import venue as bench
from tests.benchmarks.venue import CALL, Account, BenchVenue, Connection, Json, Shown
from tests.venues.derive import samples

NAME: Final = "ETH-20250606-2800-C"
SUBACCOUNT: Final = 130_837
SCALE: Final = 1000
SIZE: Final = 1.0
"""Of the bare loop's orders; the others' are larger."""
MUCH: Final = 10**6
_BUDGET: Final = {
    "remainingPoints": 5 * MUCH,
    "consumedPoints": 0,
    "msBeforeNext": 0,
    "isFirstInDuration": True,
}
_LISTS: Final = {
    "private/get_positions": "positions",
    "private/get_trade_history": "trades",
    "private/get_order_history": "orders",
    "private/get_option_settlement_history": "settlements",
    "private/get_interest_history": "events",
    "private/get_deposit_history": "deposits",
    "private/get_withdrawal_history": "withdrawals",
    "private/get_erc20_transfer_history": "transfers",
}
_NOTHING: Final = {"num_pages": 1, "count": 0}


class DeriveBench(BenchVenue):
    """See above. Inside, instruments and prices are those of the bench's Deribit."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, Json] = {}
        """Orders in the venue's words."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{account}/ws", self._socket)
        app.router.add_post("/{account}/{scope}/{method}", self._rest)
        app.router.add_post("/run", self._run)
        return app

    # --- the protocol ---

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        connection = Connection(ws, self.account(request.match_info["account"]))
        async for message in ws:
            stamp_ns = time.perf_counter_ns()
            if message.data == "ping":
                await ws.send_str("pong")
                continue
            frame = orjson.loads(message.data)
            method, params = frame["method"], frame["params"]
            result = self._derive(connection.account, method, params, stamp_ns)
            if method == "subscribe":
                connection.account.channels |= dict.fromkeys(params["channels"], connection)
                connection.account.changed.set()
            connection.post({"id": frame["id"], **result})
            self._tell(connection.account, result)
            if method == "subscribe":
                self._introduce(connection, params["channels"])
        return ws

    async def _rest(self, request: web.Request) -> web.Response:
        stamp_ns = time.perf_counter_ns()
        method = f"{request.match_info['scope']}/{request.match_info['method']}"
        account = self.account(request.match_info["account"])
        result = self._derive(account, method, orjson.loads(await request.read()), stamp_ns)
        return web.json_response({"id": "1", **result})

    def _derive(self, account: Account, method: str, params: Json, stamp_ns: int) -> Json:
        match method:
            case "private/order":
                return {"result": {"order": self._made(account, params, stamp_ns), "trades": []}}
            case "private/replace":
                ended = self._ended(account, params["order_id_to_cancel"])
                if ended is None:
                    return _NO_ORDER
                made = self._made(account, params, stamp_ns)
                replaced = {"cancelled_order": ended, "order": made, "create_order_error": None}
                return {"result": {**replaced, "trades": []}}
            case "private/cancel":
                ended = self._ended(account, params["order_id"])
                return _NO_ORDER if ended is None else {"result": ended}
            case "private/cancel_all":
                account.orders.clear()
                account.changed.set()
                return {"result": "ok"}
            case "private/get_open_orders":
                return {"result": {"orders": [self._told[one] for one in account.orders]}}
            case "private/get_subaccount":
                name = f"bench-{account.name}-{os.getpid()}"
                told = {"label": name, "open_orders": [], "positions": []}
                return {"result": {**samples.SUBACCOUNT, **told, "subaccount_id": SUBACCOUNT}}
            case "public/get_all_instruments":
                rows = [samples.ETH_CALL] if params["instrument_type"] == "option" else []
                return {"result": {"instruments": rows, "pagination": {**_NOTHING, "count": 1}}}
            case "public/get_ticker":
                return {"result": self._slim(account)}
            case "public/get_time":
                return {"result": self.now_ms()}
            case "public/login":
                return {"result": [SUBACCOUNT]}
            case "subscribe":
                status = dict.fromkeys(params["channels"], "ok")
                return {"result": {"status": status, "current_subscriptions": list(status)}}
        if method in _LISTS:
            return {"result": {_LISTS[method]: [], "pagination": _NOTHING}}
        if method in _DERIVE:
            return {"result": _DERIVE[method]}
        return {"error": {"code": -32601, "message": "Method not found", "data": method}}

    def _made(self, account: Account, params: Json, stamp_ns: int) -> Json:
        order = {
            **samples.ORDER,
            **{key: params[key] for key in ("direction", "limit_price", "amount", "label")},
            **self._stamp(),
            "order_id": f"o{next(self._numbers)}",
            "subaccount_id": SUBACCOUNT,
            "instrument_name": NAME,
            "nonce": params["nonce"],
            "replaced_order_id": params.get("order_id_to_cancel"),
        }
        self._told[order["order_id"]] = order
        account.orders[order["order_id"]] = {
            "instrument_name": CALL,
            "direction": order["direction"],
            "price": float(order["limit_price"]) / SCALE,
            "amount": float(order["amount"]),
        }
        account.arrivals.setdefault(order["direction"], stamp_ns)
        account.changed.set()
        return order

    def _ended(self, account: Account, order_id: str) -> Json | None:
        """An order as it is told once it is over; None where there is none."""
        account.changed.set()
        if account.orders.pop(order_id, None) is None:
            return None
        return {**self._told.pop(order_id), **self._stamp(), "order_status": "cancelled"}

    def _stamp(self) -> Json:
        return {"last_update_timestamp": self.now_ms(), "creation_timestamp": self.now_ms()}

    def _tell(self, account: Account, reply: Json) -> None:
        result = reply.get("result")
        if not isinstance(result, dict):
            return
        told = [result.get("cancelled_order"), result.get("order")]
        told = [one for one in told if one] or ([result] if "order_status" in result else [])
        if not told:
            return
        channel = f"{SUBACCOUNT}.orders"
        if channel in account.channels:
            account.channels[channel].post(_push(channel, told))
        if account.makes_markets:
            message = self._change(account, CALL)
            account.channels[message["params"]["channel"]].post(message)

    def _introduce(self, connection: Connection, channels: list[str]) -> None:
        for channel in channels:
            if channel.startswith("ticker_slim."):
                connection.post(_push(channel, self._slim(connection.account)))
            elif channel.startswith("orderbook."):
                others = bench._others(0)
                connection.account.shown[CALL] = Shown(others, others)
                connection.post(self._change(connection.account, CALL))
        connection.account.changed.set()

    # --- the market ---

    def _change(self, account: Account, name: str) -> Json:
        """The whole book, our own orders in it."""
        shown = account.shown[name]
        shown.change_id += 1
        data = {
            "timestamp": self.now_ms(),
            "instrument_name": NAME,
            "publish_id": shown.change_id,
            "bids": _best_first(account, "buy", shown.others[0]),
            "asks": _best_first(account, "sell", shown.others[1]),
        }
        channel = next(one for one in account.channels if one.startswith("orderbook."))
        return _push(channel, data)

    def _slim(self, account: Account) -> Json:
        """The ticker, its best prices those of the book."""
        others = account.shown[CALL].others if CALL in account.shown else bench._others(0)
        (bid, bids), (ask, asks) = (
            next(iter(_best_first(account, side, levels)), ["0", "0"])
            for side, levels in zip(("buy", "sell"), others, strict=True)
        )
        pricing = {**samples.OPTION_PRICING, "d": "0.5", "i": "0.62", "f": "2850"}
        told = {"t": self.now_ms(), "I": "2850", "M": "35", "minp": "0.1", "maxp": "400"}
        slim = {**samples.OPTION_TICKER, **told, "option_pricing": pricing}
        slim |= {"b": bid, "B": bids, "a": ask, "A": asks}
        return {"timestamp": self.now_ms(), "instrument_ticker": slim}


class Bare:
    """One socket, two orders, signed."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._ids = count(1)
        self._orders: dict[str, str] = {}
        self._prices: dict[str, float] = {}
        self._key = PrivateKey(bytes.fromhex("11" * 32))

    async def run(self) -> None:
        """Subscribe, and answer every book until the connection ends."""
        await self._call("subscribe", {"channels": [f"orderbook.{NAME}.1.10"]})
        async for message in self._ws:
            frame = orjson.loads(message.data)
            if "id" not in frame:
                await self._quote(frame["params"]["data"])
            elif isinstance(frame["result"], dict) and "order" in frame["result"]:
                order = frame["result"]["order"]
                self._orders[order["direction"]] = order["order_id"]

    async def _quote(self, book: Json) -> None:
        bids = [float(price) for price, amount in book["bids"] if float(amount) > SIZE]
        asks = [float(price) for price, amount in book["asks"] if float(amount) > SIZE]
        if not bids or not asks:  # nobody but us
            for order_id in self._orders.values():
                await self._call("private/cancel", {"order_id": order_id})
            self._orders.clear()
            self._prices.clear()
            return
        for side, price in ("buy", round(bids[0] + 0.1, 1)), ("sell", round(asks[0] - 0.1, 1)):
            if self._prices.get(side) == price:
                continue
            self._prices[side] = price
            terms = {
                "instrument_name": NAME,
                "direction": side,
                "limit_price": f"{price:.1f}",
                "amount": f"{SIZE:g}",
                "label": "",
                "nonce": str(time.time_ns()),
                "signature": self._signed(),
            }
            known = self._orders.get(side)
            if known is None:
                await self._call("private/order", terms)
            else:
                await self._call("private/replace", {**terms, "order_id_to_cancel": known})

    def _signed(self) -> str:
        keccak256(_DATA)
        keccak256(_ACTION)
        return self._key.sign_recoverable(keccak256(_DIGEST), hasher=None).hex()

    async def _call(self, method: str, params: Json) -> None:
        request = {"id": next(self._ids), "method": method, "params": params}
        await self._ws.send_frame(orjson.dumps(request), WSMsgType.TEXT)


_NO_ORDER: Final = {"error": {"code": 11006, "message": "Does not exist", "data": None}}
_DATA, _ACTION, _DIGEST = bytes(224), bytes(256), bytes(66)

_DERIVE: Final[dict[str, Any]] = {
    "public/getRateLimits": {
        "remaining_matching": _BUDGET,
        "remaining_non_matching": _BUDGET,
        "remaining_per_endpoint": {},
        "remaining_connections": None,
    },
    "private/get_subaccounts": {"subaccount_ids": [SUBACCOUNT]},
    "private/set_cancel_on_disconnect": "ok",
    "private/get_account": {
        **samples.ACCOUNT,
        "per_endpoint_tps": {"private/cancel_all": MUCH},
        **{f"websocket_{kind}_tps": MUCH for kind in ("matching", "non_matching")},
        **{f"websocket_{kind}_tps": MUCH for kind in ("option", "perp")},
    },
    "unsubscribe": {"status": {}, "remaining_subscriptions": []},
}


def _best_first(account: Account, side: str, levels: bench.Levels) -> list[list[str]]:
    """One side of the book, our own orders in it."""
    merged = {_here(price): amount for price, amount in levels.items()}
    for order in account.resting(side):
        price = _here(order["price"])
        merged[price] = merged.get(price, 0.0) + order["amount"]
    best_first = sorted(merged.items(), reverse=side == "buy")
    return [[f"{price:.1f}", f"{amount:g}"] for price, amount in best_first]


def _here(price: float) -> float:
    return round(price * SCALE, 1)


def _push(channel: str, data: Any) -> Json:
    return {"method": "subscription", "params": {"channel": channel, "data": data}}


async def serve() -> None:
    """Listen on a free port of this machine, print its URL, and stay."""
    runner = web.AppRunner(DeriveBench().app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def bare(url: str) -> None:
    """Run the bare loop against a venue."""
    async with aiohttp.ClientSession() as session:
        address = url.replace("http", "ws", 1) + "/bare/ws"
        async with session.ws_connect(address, compress=0) as ws:
            await Bare(ws).run()


if __name__ == "__main__":
    uvloop.run(serve() if sys.argv[1] == "venue" else bare(sys.argv[2]))
