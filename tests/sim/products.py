"""One contract of every kind, an exchange that lists them, and two accounts that trade."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mmbot.sim.exchange.listing import DeliveryFee, Listing, Right, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.exchange.rules import Period, VenueRules
from mmbot.sim.market.chain import FAMILIES, Expiry, future, option, perpetual

D = Decimal
FRIDAY = Expiry(1_749_196_800_000, Period.WEEK)  # 2025-06-06T08:00:00Z
THURSDAY = Expiry(1_749_110_400_000, Period.DAY)
ETH, BTC_USDC, ETH_USDC = (FAMILIES[name] for name in ("ETH", "BTC_USDC", "ETH_USDC"))

PERPETUAL = perpetual(ETH, 0)
FUTURE = future(ETH, FRIDAY, 0)
CALL = option(ETH, FRIDAY, D(2500), Right.CALL, 0)
PUT = option(ETH, FRIDAY, D(2500), Right.PUT, 0)
DAILY_CALL = option(ETH, THURSDAY, D(2500), Right.CALL, 0)
LINEAR_CALL = option(ETH_USDC, FRIDAY, D(2500), Right.CALL, 0)
LINEAR_PERPETUAL = perpetual(BTC_USDC, 0)
EVERYTHING = (PERPETUAL, FUTURE, CALL, PUT, DAILY_CALL, LINEAR_CALL, LINEAR_PERPETUAL)
MARKS = {
    PERPETUAL.name: "2500",
    FUTURE.name: "2500",
    CALL.name: "0.03",
    PUT.name: "0.03",
    DAILY_CALL.name: "0.03",
    LINEAR_CALL.name: "75",
    LINEAR_PERPETUAL.name: "100000",
}
COINS = {"ETH": D(1000), "USDC": D(1_000_000)}


def an_exchange(**changes: Any) -> Exchange:
    """Every kind listed and marked; ann and bob with 1,000 ETH and 1,000,000 USDC each."""
    exchange = Exchange(rules=VenueRules(delivery_fee=DeliveryFee(**changes)))
    for listing in EVERYTHING:
        exchange.list(listing)
        index = D(100_000) if listing is LINEAR_PERPETUAL else D(2500)
        exchange.set_mark(listing.name, D(MARKS[listing.name]), index=index)
    for name in ("ann", "bob"):
        exchange.open_account(name, COINS)
    return exchange


def trade(
    exchange: Exchange, listing: Listing, side: Side, amount: str, price: str, now_ms: int = 0
) -> None:
    """Ann trades with bob, as the taker."""
    for account, its_side in (("bob", side.opposite), ("ann", side)):
        wish = NewOrder(name=listing.name, side=its_side, amount=D(amount), price=D(price))
        placed = exchange.place(account, wish, now_ms)
        assert isinstance(placed, Placed), placed
