"""ccxt.pro.deribit, made safe to make markets with.

`connection.py` keeps the two links (read its theory of operation first), `shell.py` carries out
what it wants, `linked.py` makes an exchange of them; here is ccxt's own way of speaking on top:

* `watch_*` work as in ccxt, on repaired books and on links that come back by themselves. They cost
  parsing only for channels that somebody watches. A lost link raises NetworkError in whoever waits;
  call again. Decide from the `on_*` callbacks instead: what an await returned can be old.
* `create_order_ws`, `edit_order_ws`, `cancel_order_ws`, `cancel_all_orders_ws`: each with a
  deadline, a `valid_until` and a place in the rate limit, of which a part is kept for cancels. An
  engine that cannot wait builds calls with `orders.py` and hands them to `send`.

REST order entry is inherited but gets no cancel-on-disconnect from the venue: use the `*_ws` ones.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ccxt.async_support.base.ws.future import Future
from ccxt.base.errors import ArgumentsRequired, InvalidOrder, NotSupported

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.core.types import Side
from mmbot.venues.deribit import orders
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.linked import Linked
from mmbot.venues.effects import Frame
from mmbot.venues.timing import USUAL, Timing
from mmbot.venues.wire import Wire

CANCEL_RESERVE = 0.2
"""The part of the rate limit's burst that only cancels may use."""

_TIME_IN_FORCE = {
    "GTC": "good_til_cancelled",
    "IOC": "immediate_or_cancel",
    "FOK": "fill_or_kill",
    "PO": "good_til_cancelled",
}

_ORDER_PARAMS = frozenset(
    {
        "clientOrderId",
        "label",
        "postOnly",
        "post_only",
        "reduceOnly",
        "reduce_only",
        "timeInForce",
        "timeout_s",
    }
)
"""What is understood; anything else would be lost on the way, and is refused instead."""

Number = float | str | Decimal
"""What ccxt's users pass as a price or an amount; read by its decimal text."""


class Deribit(Linked):
    """A ccxt.pro exchange for people and for `venue.py`. See `Linked` for the arguments."""

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        clock: Clock | None = None,
        timing: Timing = USUAL,
    ) -> None:
        self._watched: set[str] = set()
        self._chores: set[asyncio.Task[None]] = set()
        super().__init__(config, clock=clock, timing=timing)
        self._connection.on_push = self._on_push

    def describe(self) -> Any:
        """ccxt's description of the exchange, with the order entry over the socket that is ours."""
        methods = ("createOrderWs", "editOrderWs", "cancelOrderWs", "cancelAllOrdersWs")
        return self.deep_extend(super().describe(), {"has": dict.fromkeys(methods, True)})

    async def close(self, clean_instance_data: bool = False) -> None:
        """End what was begun for watchers, then every connection."""
        for chore in (chores := list(self._chores)):
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await super().close(clean_instance_data)

    # -- Watching --------------------------------------------------------------------------------

    async def authenticate(self, params: Any = None) -> Any:  # noqa: ARG002  # ccxt's signature
        """For ccxt's private `watch_*`: MARKET is signed in from the start, so be started."""
        self.check_required_credentials()
        await self._started(Link.MARKET)

    def watch(
        self,
        url: str,
        message_hash: str,
        message: Any = None,
        subscribe_hash: Any = None,  # noqa: ARG002  # ccxt's signature
        subscription: Any = None,  # noqa: ARG002  # ccxt's signature
    ) -> Any:
        """ccxt's way of waiting for a channel."""
        return self._watch(url, [message_hash], message)[0]

    def watch_multiple(
        self,
        url: str,
        message_hashes: Sequence[str],
        message: Any = None,
        subscribe_hashes: Any = None,  # noqa: ARG002  # ccxt's signature
        subscription: Any = None,  # noqa: ARG002  # ccxt's signature
    ) -> Any:
        """ccxt's way of waiting for any of several channels."""
        return Future.race(self._watch(url, message_hashes, message))

    def client(self, url: str) -> Wire:
        """The connection ccxt's methods use for `url`: the present one, or one not yet dialed."""
        return self._shell.wire(self._link_of(url))

    def _link_of(self, url: str) -> Link:
        return next((link for link in Link if self._shell.url(link) == url), Link.MARKET)

    def _watch(self, url: str, hashes: Sequence[str], message: Any) -> list[Any]:
        """Futures for the next message of each hash; every channel in `message` is subscribed."""
        link, wire = self._link_of(url), self.client(url)
        state = self._connection.links[link]
        futures = [wire.future(message_hash) for message_hash in hashes]
        channels = message["params"]["channels"]
        self._watched.update(channels)
        missing = [channel for channel in channels if channel not in state.channels]
        if missing or not state.wanted:
            chore = asyncio.ensure_future(self._subscribe_for(link, wire, missing, hashes))
            self._chores.add(chore)
            chore.add_done_callback(self._chores.discard)
        return futures

    async def _subscribe_for(
        self, link: Link, wire: Wire, channels: Sequence[str], hashes: Sequence[str]
    ) -> None:
        try:
            await self.subscribe(link, channels)
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            self._watched.difference_update(channels)
            for message_hash in hashes:
                wire.reject(error, message_hash)

    def _on_push(self, link: Link, channel: str, frame: Frame) -> None:
        if channel in self._watched and not channel.startswith("book."):
            self.handle_message(self._shell.wires.get(link), frame)

    def handle_message(self, client: Any, message: Any) -> None:
        """ccxt's entry for a parsed message; contains what ccxt's own raises."""
        try:
            super().handle_message(client, message)
        except Exception as error:  # noqa: BLE001  # ccxt's own may raise anything
            self._on_fault(error, message)

    def _on_book(self, book: Book) -> None:
        if book.channel in self._watched:
            try:
                self._mirror(book)
            except Exception as error:  # noqa: BLE001  # a mirror for people ends no link
                self._on_fault(error, book.channel)
        super()._on_book(book)

    def _mirror(self, book: Book) -> None:
        """The same book as ccxt's unified structure, for `watch_order_book`."""
        symbol = self.safe_symbol(book.name)
        unified = self.orderbooks.get(symbol)
        if unified is None:
            unified = self.orderbooks[symbol] = self.counted_order_book()
        bids, asks = book.levels()
        unified.reset(
            {
                "bids": [[price, amount, 1] for price, amount in bids],
                "asks": [[price, amount, 1] for price, amount in asks],
                "nonce": book.change_id if book.valid else None,
                "timestamp": book.timestamp_ms if book.valid else None,
                "symbol": symbol,
            }
        )
        wire = self._shell.wires.get(Link.MARKET)
        if book.valid and wire is not None:
            descriptor = book.channel.removeprefix(f"book.{book.name}.")
            wire.resolve(unified, f"book|{symbol}|{descriptor}")

    # -- Orders ----------------------------------------------------------------------------------

    async def create_order_ws(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: Number,
        price: Number | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Place a limit or market order over TRADING; a ccxt order structure.

        `params`: clientOrderId or label, postOnly (rejected rather than repriced), reduceOnly,
        timeInForce (GTC, IOC, FOK, PO), timeout_s. The venue refuses the order if it arrives
        later than two deadlines from now. `amount` is in the venue's unit and must be on its lot;
        `price` is rounded to the nearest tick.

        Raises InvalidOrder for what the venue would refuse anyway, ccxt's error for what it does
        refuse, and RequestTimeout or NetworkError when the outcome is unknown: then look for the
        label before anything else.
        """
        given = _Given.of(params, type)
        if type == "limit" and price is None:
            raise ArgumentsRequired(f"{self.id} a limit order needs a price: give one")
        lots = await self._lots(symbol, amount)
        call = orders.place(
            Side(side),
            self.market(symbol)["id"],
            lots,
            None if type == "market" else self._price(symbol, price),
            label=given.label,
            post_only=given.post_only,
            reduce_only=given.reduce_only,
            time_in_force=given.time_in_force,
            valid_until_ms=self.valid_until_ms(given.timeout_s),
        )
        return self._order_in(await self._order_call(call, given.timeout_s))

    async def edit_order_ws(
        self,
        id: str,
        symbol: str,
        type: str,
        side: str,  # noqa: ARG002  # ccxt's signature
        amount: Number | None = None,
        price: Number | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Amend an order over TRADING; `amount` is the new total, filled part included.

        `params` and errors as in `create_order_ws`; postOnly holds for this amend and is false
        unless given, whatever the order was placed with.
        """
        given = _Given.of(params, type)
        if amount is None:
            raise ArgumentsRequired(f"{self.id} an amend needs the order's total amount: give it")
        lots = await self._lots(symbol, amount)
        call = orders.amend(
            id,
            lots,
            None if price is None else self._price(symbol, price),
            post_only=given.post_only,
            reduce_only=given.reduce_only,
            valid_until_ms=self.valid_until_ms(given.timeout_s),
        )
        return self._order_in(await self._order_call(call, given.timeout_s))

    async def cancel_order_ws(
        self,
        id: str,
        symbol: str | None = None,  # noqa: ARG002  # ccxt's signature
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Cancel one order over TRADING; the ccxt order structure. A cancel may spend the
        reserve."""
        result = await self._order_call(orders.cancel(id), (params or {}).get("timeout_s"), True)
        return self.parse_order(result)

    async def cancel_all_orders_ws(
        self, symbol: str | None = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Cancel every order, or every order of one symbol. As in ccxt, a list of one structure
        whose `info["result"]` is the number of orders cancelled."""
        call: orders.Call = ("private/cancel_all", {})
        if symbol is not None:
            await self.load_markets()
            name = self.market(symbol)["id"]
            call = ("private/cancel_all_by_instrument", {"instrument_name": name})
        count = await self._order_call(call, (params or {}).get("timeout_s"), True)
        return [self.safe_order({"info": {"result": count}})]

    def valid_until_ms(self, timeout_s: float | None = None) -> int:
        """The venue time after which a request sent now must not be carried out any more."""
        return self.milliseconds() + int(2000 * (timeout_s or self.deadline_s))

    async def _order_call(
        self, call: orders.Call, timeout_s: float | None, is_cancel: bool = False
    ) -> Any:
        await self.start([Link.TRADING])
        await self._spend(is_cancel)
        return await self.rpc(Link.TRADING, *call, timeout_s=timeout_s)

    async def _spend(self, is_cancel: bool) -> None:
        """Wait for one request's worth of the rate limit; cancels may use the reserve."""
        bucket = self._connection.bucket
        assert bucket is not None, "signed in without reading the limits"
        burst = bucket.limit.burst
        keep = 0.0 if is_cancel else max(0.0, min(max(1.0, CANCEL_RESERVE * burst), burst - 1.0))
        while wait_s := self._do(lambda connection: bucket.take(connection.now_s, keep)):
            await self._pause(wait_s)

    async def _lots(self, symbol: str, amount: Number) -> Decimal:
        await self.load_markets()
        market = self.market(symbol)
        if market["precision"]["amount"] is None:
            raise InvalidOrder(f"{self.id} the lot of {symbol} is not known: nothing is sent")
        lot = Decimal(str(market["precision"]["amount"]))
        lots = Decimal(str(amount))
        if lots <= 0 or lots % lot:
            raise InvalidOrder(
                f"{self.id} amount {amount} of {symbol} is not a multiple of {lot}: change it"
            )
        return lots

    def _price(self, symbol: str, price: Number | None) -> Decimal:
        return Decimal(str(self.price_to_precision(symbol, price)))

    def _order_in(self, result: Any) -> Any:
        return self.parse_order({**result["order"], "trades": result.get("trades", [])})


@dataclass(frozen=True, slots=True)
class _Given:
    """An order method's ccxt-style `params`, understood."""

    label: str
    post_only: bool
    reduce_only: bool
    time_in_force: str
    timeout_s: float | None

    @classmethod
    def of(cls, params: Mapping[str, Any] | None, order_type: str) -> "_Given":
        params = params or {}
        unknown = sorted(set(params) - _ORDER_PARAMS)
        if unknown:
            raise NotSupported(f"deribit order parameter {unknown[0]}: leave it out")
        if order_type not in ("limit", "market"):
            raise NotSupported(f"deribit order type {order_type}: use limit or market")
        time_in_force = str(params.get("timeInForce") or "GTC").upper()
        if time_in_force not in _TIME_IN_FORCE:
            known = ", ".join(_TIME_IN_FORCE)
            raise InvalidOrder(f"deribit timeInForce {time_in_force}: use one of {known}")
        label = str(params.get("clientOrderId") or params.get("label") or "")
        if len(label) > orders.LABEL_MAX_CHARS:
            raise InvalidOrder(f"deribit label of {len(label)} characters: use at most 64")
        post_only = bool(
            params.get("postOnly", params.get("post_only", False)) or time_in_force == "PO"
        )
        if post_only and (order_type == "market" or time_in_force in ("IOC", "FOK")):
            raise InvalidOrder("deribit postOnly contradicts market, IOC and FOK: drop one of them")
        return cls(
            label=label,
            post_only=post_only,
            reduce_only=bool(params.get("reduceOnly", params.get("reduce_only", False))),
            time_in_force=_TIME_IN_FORCE[time_in_force],
            timeout_s=params.get("timeout_s"),
        )
