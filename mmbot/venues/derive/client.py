"""Derive in CCXT's words, for people: books, tickers, orders and fills over two WebSockets.

    async with Derive("https://testnet.api.derive.xyz/v3", signer) as derive:
        book = await derive.watch_order_book("ETH/USDC:USDC")
        order = await derive.create_order("ETH/USDC:USDC", "limit", "buy", 0.1, 2500)
        await derive.cancel_order(order["id"], "ETH/USDC:USDC")

Orders go over the connection that is logged in, signed by hand and put on the grid first; what
comes back is read by ccxt's own parsers. Nothing here decides: whoever asks for more than the
account may do is refused by the venue (RateLimitExceeded). The engine uses none of this.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

from ccxt.base.errors import ArgumentsRequired, InvalidOrder, NotSupported

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.core.intents import Place, Replace
from mmbot.core.types import MS, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.venues.answers import Trouble
from mmbot.venues.book import Book
from mmbot.venues.calls import call
from mmbot.venues.derive import orders
from mmbot.venues.derive.catalog import Listed, listed_of
from mmbot.venues.derive.connection import Connection
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.nonces import Nonces
from mmbot.venues.derive.signing import Signer, Unsignable, expires_s
from mmbot.venues.derive.sites import part_of_process
from mmbot.venues.in_ccxt import in_ccxt
from mmbot.venues.lives import DEADLINE_S
from mmbot.venues.reading import Unread
from mmbot.venues.recipe import Recipe
from mmbot.venues.shell import Shell
from mmbot.venues.timing import USUAL, Timing

DIES_AFTER_S = 4.0
"""A request that is delayed for longer dies at the venue."""


class Derive:
    """One Derive at `url`, its REST address; without a `signer` it is looked at alone."""

    def __init__(
        self,
        url: str,
        signer: Signer | None = None,
        clock: Clock | None = None,
        timing: Timing = USUAL,
    ) -> None:
        self._clock = clock or Clock()
        self._signer = signer
        self._nonces = Nonces(part_of_process(self._clock))
        self._exchange = DeriveExchange(url, self._clock, signer)
        for kind in ("public", "private"):
            self._exchange.urls["api"][kind] = f"{url}/{kind}"
        connection = Connection("derive", signer, timing, self._clock.now_ns())
        self._connection = connection
        self._shell = Shell("derive", connection, self._exchange, self._clock)
        self._first: dict[Link, asyncio.Future[None]] = {}
        self._watched: dict[str, asyncio.Future[Any]] = {}
        connection.on_started = self._started
        connection.on_book = lambda book: self._tell(book.channel, book)
        connection.on_ticker = lambda name, data: self._tell(f"ticker_slim.{name}.100", data)
        connection.on_user = self._tell

    async def __aenter__(self) -> Self:
        await self.load_markets()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close everything. With it, as the venue has it, go the wallet's orders."""
        self._shell.carry_out(self._connection.stop(self._clock.now_ns()))
        await self._shell.close()
        await self._exchange.aclose()

    async def load_markets(self) -> Mapping[str, Any]:
        """Everything listed, by ccxt's symbols."""
        markets: Mapping[str, Any] = await self._exchange.load_markets()
        return markets

    # -- What is watched -------------------------------------------------------------------------

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        """The book the next time it changes: single price levels, the best ten of each side."""
        name = self._market(symbol)["id"]
        book: Book = await self._next(Link.MARKET, f"orderbook.{name}.1.10")
        bids, asks = book.levels()
        return {
            "symbol": symbol,
            "bids": [list(level) for level in bids],
            "asks": [list(level) for level in asks],
            "timestamp": book.timestamp_ms,
            "datetime": self._exchange.iso8601(book.timestamp_ms),
            "nonce": getattr(book, "publish_id", None),
        }

    async def watch_ticker(self, symbol: str) -> dict[str, Any]:
        """The ticker the next time it comes."""
        market = self._market(symbol)
        told = await self._next(Link.MARKET, f"ticker_slim.{market['id']}.100")
        ticker: dict[str, Any] = self._exchange.parse_ticker(
            told.get("instrument_ticker", told), market
        )
        return ticker

    async def watch_orders(self) -> list[dict[str, Any]]:
        """Our orders, as soon as one of them changes."""
        rows = await self._next(Link.TRADING, f"{self._account}.orders")
        return [self._exchange.parse_order(row) for row in rows]

    async def watch_my_trades(self) -> list[dict[str, Any]]:
        """Our next trades."""
        rows = await self._next(Link.TRADING, f"{self._account}.trades")
        return [self._exchange.parse_trade(row) for row in rows]

    async def _next(self, link: Link, channel: str) -> Any:
        """The next word of a channel, which is subscribed to from now on."""
        coming = self._watched.get(channel)
        if coming is None or coming.done():
            coming = self._watched[channel] = asyncio.get_running_loop().create_future()
        state = self._connection.links[link]
        if channel not in state.channels:
            self._connection.want(link, [channel])
            await self._up(link)
            await self._answer(self._connection.subscribed(link, [channel]))
        return await asyncio.shield(coming)

    def _tell(self, channel: str, told: Any) -> None:
        coming = self._watched.get(channel)
        if coming is not None and not coming.done() and getattr(told, "valid", True):
            coming.set_result(told)

    # -- Orders ----------------------------------------------------------------------------------

    async def create_order(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: float | Decimal,
        price: float | Decimal | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A limit order. `params`: clientOrderId (the label), postOnly, timeInForce (GTC, IOC) and
        reduceOnly. After RequestTimeout and NetworkError it may have been placed all the same."""
        given = dict(params or {})
        market = self._market(symbol)
        in_force = TimeInForce[str(given.get("timeInForce", "GTC")).upper()]
        intent = Place(
            self._listed(market).instrument.id,
            Label(given.get("clientOrderId", "")),
            Side(side),
            _limit(type, price),
            Decimal(str(amount)),
            bool(given.get("postOnly", False)),
            bool(given.get("reduceOnly", False)),
            self._dies_ns(),
            Why.USER,
            in_force,
        )
        told = await self._ask(*self._signed(intent, market))
        order: dict[str, Any] = self._exchange.parse_order(told["order"], market)
        return order

    async def edit_order(
        self,
        id: str,
        symbol: str,
        type: str,
        side: str,
        amount: float | Decimal,
        price: float | Decimal | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Replace an order by another one, which has an id of its own. Raises InvalidOrder where
        the old one was cancelled and no new one came about."""
        given = dict(params or {})
        market = self._market(symbol)
        intent = Replace(
            self._listed(market).instrument.id,
            Label(""),
            id,
            Label(given.get("clientOrderId", "")),
            Side(side),
            _limit(type, price),
            Decimal(str(amount)),
            bool(given.get("postOnly", False)),
            bool(given.get("reduceOnly", False)),
            self._dies_ns(),
            Why.USER,
        )
        told = await self._ask(*self._signed(intent, market))
        if told.get("order") is None:
            why = told.get("create_order_error")
            raise InvalidOrder(f"derive cancelled {id} and created no other order: {why}")
        order: dict[str, Any] = self._exchange.parse_order(told["order"], market)
        return order

    async def cancel_order(self, id: str, symbol: str) -> dict[str, Any]:
        """One order, by the venue's id."""
        market = self._market(symbol)
        told = await self._ask(*orders.cancel(self._account, market["id"], id))
        order: dict[str, Any] = self._exchange.parse_order(told, market)
        return order

    async def cancel_order_by_label(self, label: str, symbol: str | None = None) -> int:
        """All of a label: how many it was; -1 without a symbol, as the venue only begins then."""
        name = None if symbol is None else self._market(symbol)["id"]
        told = await self._ask(*orders.cancel_by_label(self._account, name, label))
        return int(told["cancelled_orders"])

    async def cancel_order_by_nonce(self, nonce: int, symbol: str) -> int:
        """By what it was signed with: how many it was."""
        name = self._market(symbol)["id"]
        told = await self._ask(*orders.cancel_by_nonce(self._account, name, nonce))
        return int(told["cancelled_orders"])

    async def cancel_all_orders(self, symbol: str | None = None) -> None:
        """Everything of the subaccount, or of one instrument."""
        name = None if symbol is None else self._market(symbol)["id"]
        await self._ask(*orders.cancel_all(self._account, name))

    async def fetch_open_orders(self) -> list[dict[str, Any]]:
        """Everything open."""
        told = await self._ask("private/get_open_orders", {"subaccount_id": self._account})
        return [self._exchange.parse_order(row) for row in told["orders"]]

    async def fetch_positions(self) -> list[dict[str, Any]]:
        """Every position."""
        told = await self._ask("private/get_positions", {"subaccount_id": self._account})
        return [self._exchange.parse_position(row) for row in told["positions"]]

    def _signed(self, intent: Place | Replace, market: Any) -> orders.Call:
        assert self._signer is not None, "orders need a key"
        now_ns, listed = self._clock.now_ns(), self._listed(market)
        fee = orders.max_fee_of(listed, intent.price, None)
        seal = orders.Seal(nonce=self._nonces.draw(now_ns), expiry_s=expires_s(now_ns), max_fee=fee)
        try:
            if isinstance(intent, Place):
                return orders.place(intent, listed, self._signer, seal)
            return orders.replace(intent, listed, self._signer, seal)
        except Unsignable as error:
            raise InvalidOrder(f"derive {error}") from error

    # -- Asking ----------------------------------------------------------------------------------

    @property
    def _account(self) -> int:
        if self._signer is None:
            raise ArgumentsRequired("derive private calls need a signer")
        return self._signer.subaccount_id

    def _dies_ns(self) -> int:
        return self._clock.now_ns() + int(DIES_AFTER_S * 1000) * MS

    def _market(self, symbol: str) -> Any:
        return self._exchange.market(symbol)

    def _listed(self, market: Any) -> Listed:
        listed = listed_of("derive", market["info"], Unread())
        if listed is None:
            raise NotSupported(f"derive {market['symbol']} is neither an option nor a perpetual")
        return listed

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        await self._up(Link.TRADING)
        return await self._answer(call(Link.TRADING, method, params, DEADLINE_S))

    async def _answer(self, recipe: Recipe[Any]) -> Any:
        try:
            return await self._shell.run(self._connection, recipe)
        except Trouble as error:
            raise in_ccxt(error, self._exchange.error_kinds) from error

    async def _up(self, link: Link) -> None:
        """Bring a link up where it never was."""
        if link not in self._first:
            self._first[link] = asyncio.get_running_loop().create_future()
            self._shell.carry_out(self._connection.start([link], {}, self._clock.now_ns()))
        try:
            await asyncio.shield(self._first[link])
        except Trouble as error:
            self._first.pop(link, None)
            raise in_ccxt(error, self._exchange.error_kinds) from error

    def _started(self, link: Link, error: Exception | None) -> None:
        first = self._first.get(link)
        if first is None or first.done():
            return
        if error is None:
            first.set_result(None)
        else:
            first.set_exception(error)
            first.exception()  # whoever started us may have gone


def _limit(type: str, price: float | Decimal | None) -> Decimal:
    if type != "limit" or price is None:
        raise InvalidOrder("derive: only limit orders, with a price, which may be IOC")
    return Decimal(str(price))
