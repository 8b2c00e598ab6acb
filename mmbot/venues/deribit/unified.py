"""What ccxt 4.5.90 parses, rounds or asks wrongly for Deribit, put right.

* Prices follow the tick ladder (`tick_size_steps`), not its lowest step alone.
* Orders and trades: the label is the clientOrderId, fees are in the settlement currency, and the
  cost of an inverse option is amount x price in coin (ccxt divides, as for inverse futures).
* Positions: a flat one has no side, and `contracts` counts contracts whatever the size's unit.
* The list of instruments is asked for with the currency that the venue requires.
* Open orders without a symbol are those of every currency, and fills are fetched to the last page.

`amount_to_precision` keeps ccxt's meaning: it rounds down to the lot, for people who want a number
rounded. Order entry (`client.py`) refuses an amount off the lot instead of trading less than asked.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import ccxt.pro
from ccxt.base.errors import (
    DDoSProtection,
    ExchangeError,
    ExchangeNotAvailable,
    InvalidOrder,
    PermissionDenied,
    RequestTimeout,
)
from ccxt.base.precise import Precise

from mmbot.venues.exchange import Exchange

PAGE_TRADES = 1000
"""The most trades Deribit returns at once."""

RECENT_MS = 23 * 3600 * 1000
"""Trades older than about a day are served only with `historical`; an hour of margin."""

_EXCEPTIONS = {
    "10066": DDoSProtection,  # too_many_concurrent_requests
    "11098": PermissionDenied,  # account_locked
    "13028": ExchangeNotAvailable,  # temporarily_unavailable
    "13503": ExchangeNotAvailable,  # unavailable
    "13666": InvalidOrder,  # request_cancelled_by_user
    "13777": InvalidOrder,  # replaced
    "13778": PermissionDenied,  # raw_subscriptions_not_available_for_unauthorized
    "13888": RequestTimeout,  # timed_out
}
"""Codes ccxt does not know."""


class Unified(Exchange, ccxt.pro.deribit):  # type: ignore[misc]  # ccxt ships no types
    """Stock ccxt with its unified structures corrected; nothing about sockets."""

    def describe(self) -> Any:
        """ccxt's description of the exchange, with every error code the venue documents."""
        return self.deep_extend(super().describe(), {"exceptions": _EXCEPTIONS})

    @property
    def error_kinds(self) -> Mapping[str, type[Exception]]:
        """ccxt's classes by the venue's codes."""
        kinds: Mapping[str, type[Exception]] = self.exceptions
        return kinds

    @property
    def rest_url(self) -> str:
        """Where its REST is."""
        return str(self.urls["api"]["rest"])

    @property
    def socket_url(self) -> str:
        """Where its WebSockets are."""
        return str(self.urls["api"]["ws"])

    async def over_rest(self, method: str, params: Mapping[str, Any]) -> Any:
        """One method's answer. Not by way of what a subclass makes of `fetch2`: whoever asks here
        has waited for a place in the pool."""
        scope, path = method.split("/")
        return await Unified.fetch2(self, path, [scope], "GET", dict(params))

    def price_to_precision(self, symbol: str, price: Any) -> str | None:
        """`price` at the nearest tick that holds there, as text without exponent.

        Raises InvalidOrder if that is zero.
        """
        if price is None:
            return None
        market = self.market(symbol)
        value = Decimal(str(price))
        tick = tick_at(market, value)
        snapped = (value / tick).to_integral_value(ROUND_HALF_UP) * tick
        if not snapped:
            raise InvalidOrder(
                f"{self.id} price {price} of {symbol} is below its tick {tick}: raise the price"
            )
        return f"{snapped.normalize():f}"

    def parse_order(self, order: Any, market: Any = None) -> Any:
        """An order in ccxt's words, with its label, the fee's currency and the cost put right."""
        parsed = super().parse_order(order, market)
        market = self.safe_market(order.get("instrument_name"), market)
        parsed["clientOrderId"] = order.get("label") or None
        if order.get("commission") is not None and not parsed.get("trades"):
            for fee in (parsed["fee"], *parsed["fees"]):
                fee["currency"] = market["settle"] or fee["currency"]
        parsed["cost"] = self._cost(market, parsed["filled"], parsed["average"])
        return parsed

    def parse_trade(self, trade: Any, market: Any = None) -> Any:
        """A trade in ccxt's words, with the cost put right."""
        parsed = super().parse_trade(trade, market)
        market = self.safe_market(trade.get("instrument_name"), market)
        parsed["cost"] = self._cost(market, parsed["amount"], parsed["price"])
        return parsed

    def _cost(self, market: Mapping[str, Any], amount: Any, price: Any) -> Any:
        """What changes hands, in settlement currency: amount / price for inverse futures (USD to
        coin), amount x price for everything else; inverse options are priced in coin."""
        if amount is None:
            return None
        if not amount:
            return 0.0
        if not price:
            return None
        inverse_future = market["inverse"] and not market["option"]
        combine = Precise.string_div if inverse_future else Precise.string_mul
        return self.parse_number(
            combine(self.number_to_string(amount), self.number_to_string(price))
        )

    def parse_position(self, position: Any, market: Any = None) -> Any:
        """`contracts` is |size| / contract_size; size is USD (inverse futures) or coin."""
        parsed = super().parse_position(position, market)
        market = self.safe_market(position.get("instrument_name"), market)
        size = Decimal(str(position.get("size") or 0))
        contract_size = Decimal(str(market["contractSize"] or 1))
        sides = {"buy": "long", "sell": "short"}
        parsed["side"] = sides.get(position.get("direction", "")) if size else None
        parsed["contracts"] = float(abs(size) / contract_size)
        parsed["contractSize"] = float(contract_size)
        return parsed

    async def fetch_markets(self, params: Mapping[str, Any] | None = None) -> Any:
        """Every instrument of every currency."""
        return await super().fetch_markets({"currency": "any", **(params or {})})

    async def fetch_open_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Open orders: of one symbol, of `params["code"]`, or else of every currency (where stock
        ccxt would quietly show BTC alone)."""
        params = dict(params or {})
        if symbol is not None or "code" in params:
            return await super().fetch_open_orders(symbol, since, limit, params)
        await self.load_markets()
        response = await self.privateGetGetOpenOrders(params)
        return self.parse_orders(response["result"], None, since, limit)

    async def fetch_fills(
        self, since_ms: int, currencies: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """Every trade of the account since `since_ms` (venue time), oldest first, each once.

        ccxt trade structures. Read over REST, all pages, for `currencies` (default: everything the
        loaded markets settle in). Raises ccxt's errors; nothing is returned in part.
        """
        await self.load_markets()
        if currencies is None:
            currencies = sorted({m["settleId"] for m in self.markets.values() if m.get("settleId")})
        now_ms = self.milliseconds()
        found: dict[str, dict[str, Any]] = {}
        for currency in currencies:
            for historical in (True, False) if now_ms - since_ms > RECENT_MS else (False,):
                await self._collect_fills(found, currency, since_ms, historical)
        trades = [self.parse_trade(raw) for raw in found.values()]
        trades.sort(key=lambda trade: (trade["timestamp"], trade["id"]))
        return trades

    async def _collect_fills(
        self, found: dict[str, dict[str, Any]], currency: str, since_ms: int, historical: bool
    ) -> None:
        start_ms = since_ms
        while True:
            response = await self.privateGetGetUserTradesByCurrencyAndTime(
                {
                    "currency": currency,
                    "start_timestamp": start_ms,
                    "end_timestamp": self.milliseconds() + 1000,
                    "count": PAGE_TRADES,
                    "sorting": "asc",
                    "historical": "true" if historical else "false",
                }
            )
            page = response["result"]["trades"]
            # A trade with ourselves is two executions under one id.
            keys = {f"{trade['trade_id']} {trade['direction']}": trade for trade in page}
            new = {key: trade for key, trade in keys.items() if key not in found}
            found.update(new)
            if not response["result"].get("has_more"):
                return
            latest_ms = max(int(trade["timestamp"]) for trade in page)
            if not new and latest_ms <= start_ms:
                raise ExchangeError(
                    f"{self.id} cannot page through the {currency} trades at {start_ms}: "
                    "the venue repeats itself; fetch them by order"
                )
            # The last millisecond again: it may hold more trades than this page did.
            start_ms = latest_ms


def tick_at(market: Mapping[str, Any], price: Decimal) -> Decimal:
    """The tick that holds at `price` on the instrument's current ladder, in its quote unit."""
    tick = Decimal(str(market["precision"]["price"]))
    steps = (market.get("info") or {}).get("tick_size_steps") or ()
    for step in sorted(steps, key=lambda step: Decimal(str(step["above_price"]))):
        if Decimal(str(step["above_price"])) <= price:
            tick = Decimal(str(step["tick_size"]))
    return tick
