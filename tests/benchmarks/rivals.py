"""The loops mmbot is compared with. `python -m tests.benchmarks.rivals bare|naive URL`.

*Bare* is what can be had with aiohttp and orjson alone: one socket, a dictionary a side, two frames
written as soon as the book message is read. It checks nothing and knows no failure. *Naive* is the
loop of the tutorials: await a ticker, cancel everything, ask for the position, create two orders
over REST, each awaited, with ccxt's rate limiter off.
"""

import sys
from typing import Any

import aiohttp
import ccxt.pro
import orjson
import uvloop
from aiohttp import WSMsgType

from tests.benchmarks.market import TICK
from tests.benchmarks.venue import CALL

SIZE = 1.0
SYMBOL = "ETH/USD:ETH-250606-2800-C"


class Bare:
    """One socket, two orders."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._ids = 0
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._orders: dict[str, str] = {}
        self._prices: dict[str, float] = {}

    async def run(self) -> None:
        """Sign in, subscribe, and answer every book message until the connection ends."""
        await self._call("public/auth", {"grant_type": "client_credentials", "client_id": "bare"})
        await self._call("public/subscribe", {"channels": [f"book.{CALL}.raw"]})
        async for message in self._ws:
            frame = orjson.loads(message.data)
            if "id" not in frame:
                await self._quote(frame["params"]["data"])
            elif "result" in frame and "order" in frame["result"]:
                order = frame["result"]["order"]
                self._orders[order["direction"]] = order["order_id"]

    async def _quote(self, book: dict[str, Any]) -> None:
        _apply(self._bids, book["bids"])
        _apply(self._asks, book["asks"])
        if max(self._bids.values(), default=0.0) <= SIZE:  # nobody but us
            for order_id in self._orders.values():
                await self._call("private/cancel", {"order_id": order_id})
            self._orders.clear()
            self._prices.clear()
            return
        # Levels of our own size alone are ours.
        bid = max(price for price, amount in self._bids.items() if amount > SIZE) + TICK
        ask = min(price for price, amount in self._asks.items() if amount > SIZE) - TICK
        for side, price in (("buy", round(bid, 4)), ("sell", round(ask, 4))):
            if self._prices.get(side) == price:
                continue
            self._prices[side] = price
            terms = {"amount": SIZE, "price": price, "post_only": True, "reject_post_only": True}
            known = self._orders.get(side)
            if known is None:
                await self._call(f"private/{side}", {"instrument_name": CALL, **terms})
            else:
                await self._call("private/edit", {"order_id": known, **terms})

    async def _call(self, method: str, params: dict[str, Any]) -> None:
        self._ids += 1
        request = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        await self._ws.send_frame(orjson.dumps(request), WSMsgType.TEXT)


def _apply(levels: dict[float, float], rows: list[list[Any]]) -> None:
    for action, price, amount in rows:
        if action == "delete":
            levels.pop(price, None)
        else:
            levels[price] = amount


async def bare(url: str) -> None:
    """Run the bare loop against a venue."""
    async with aiohttp.ClientSession() as session:
        address = url.replace("http", "ws", 1) + "/ws/api/v2"
        async with session.ws_connect(address, compress=0) as ws:
            await Bare(ws).run()


async def naive(url: str) -> None:
    """Run the naive loop against a venue, until killed."""
    exchange = ccxt.pro.deribit(
        {
            "apiKey": "naive",
            "secret": "naive",
            "enableRateLimit": False,
            "urls": {"api": {"rest": url, "ws": url.replace("http", "ws", 1) + "/ws/api/v2"}},
        }
    )
    await exchange.load_markets()
    await exchange.authenticate()  # the venue tells accounts apart by their keys
    while True:
        ticker = await exchange.watch_ticker(SYMBOL)
        await exchange.cancel_all_orders(SYMBOL)
        await exchange.fetch_position(SYMBOL)
        post_only = {"postOnly": True}
        bid, ask = ticker["bid"] + TICK, ticker["ask"] - TICK
        await exchange.create_order(SYMBOL, "limit", "buy", SIZE, bid, post_only)
        await exchange.create_order(SYMBOL, "limit", "sell", SIZE, ask, post_only)


if __name__ == "__main__":
    uvloop.run({"bare": bare, "naive": naive}[sys.argv[1]](sys.argv[2]))
