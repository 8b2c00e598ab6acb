"""Stock, unmodified ccxt trades on the simulated venue, from an override of its urls only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro
import pytest

from mmbot.sim.wire.server import SimVenue, Venue, VenueOptions
from tests.wire.venue import UNLIMITED

OPTION = "ETH/USD:ETH-250606-2800-C"
PERPETUAL = "ETH/USD:ETH"
DEADLINE_S = 20.0


@asynccontextmanager
async def stock_client(venue: Venue, key: str = "sim", secret: str = "sim") -> AsyncIterator[Any]:
    client = ccxt.pro.deribit(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "urls": {"api": {"rest": venue.rest_url, "ws": venue.ws_url}},
        }
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def busy_venue() -> AsyncIterator[SimVenue]:
    async with SimVenue(VenueOptions(seed=7, rules=UNLIMITED)) as venue:
        yield venue


async def within(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, DEADLINE_S)


async def test_it_loads_the_markets_and_reads_public_data() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        markets = await within(client.load_markets())
        market = markets[OPTION]
        assert market["id"] == "ETH-6JUN25-2800-C"
        assert market["option"]
        assert market["inverse"]
        assert market["strike"] == 2800
        assert market["maker"] == 0.0003
        assert markets[PERPETUAL]["swap"]
        assert markets["BTC/USD:BTC"]["contractSize"] == 10

        ticker = await within(client.fetch_ticker(OPTION))
        assert 0 < ticker["bid"] < ticker["ask"]
        assert float(ticker["info"]["mark_price"]) > 0
        book = await within(client.fetch_order_book(OPTION))
        assert book["bids"][0][0] < book["asks"][0][0]
        assert isinstance(await within(client.fetch_trades(OPTION)), list)
        greeks = await within(client.fetch_greeks(OPTION))
        assert 0 < greeks["delta"] < 1
        assert (await within(client.fetch_time())) >= venue.options.start_ms


async def test_it_creates_edits_and_cancels_a_limit_order() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        created = await within(
            client.create_order(
                OPTION, "limit", "buy", 2, 0.0055, {"label": "mine-1", "postOnly": True}
            )
        )
        assert created["status"] == "open"
        assert created["info"]["label"] == "mine-1"
        assert created["postOnly"] is True

        edited = await within(client.edit_order(created["id"], OPTION, "limit", "buy", 1, 0.006))
        assert edited["id"] == created["id"]
        assert (edited["amount"], edited["price"]) == (1, 0.006)

        open_orders = await within(client.fetch_open_orders(OPTION))
        assert [order["id"] for order in open_orders] == [created["id"]]
        by_currency = await within(client.fetch_open_orders(None, None, None, {"currency": "ETH"}))
        assert [order["id"] for order in by_currency] == [created["id"]]

        canceled = await within(client.cancel_order(created["id"], OPTION))
        assert canceled["status"] == "canceled"
        assert await within(client.fetch_open_orders(OPTION)) == []
        assert (await within(client.fetch_order(created["id"], OPTION)))["status"] == "canceled"
        for price in (0.005, 0.0055):
            await within(client.create_order(OPTION, "limit", "buy", 1, price))
        await within(client.cancel_all_orders(OPTION))
        assert await within(client.fetch_open_orders(OPTION)) == []
        with pytest.raises(ccxt.OrderNotFound):
            await within(client.cancel_order("ETH-999999", OPTION))


async def test_a_market_order_trades_and_shows_in_trades_position_and_balance() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        before = await within(client.fetch_balance())
        assert before["ETH"]["total"] == 100
        bought = await within(client.create_order(OPTION, "market", "buy", 1))
        assert bought["status"] == "closed"
        assert bought["filled"] == 1

        (trade,) = await within(client.fetch_my_trades(OPTION))
        assert trade["order"] == bought["id"]
        assert trade["takerOrMaker"] == "taker"
        assert trade["fee"]["currency"] == "ETH"
        # 0.0003 coin a contract, never more than 12.5 % of the premium.
        assert trade["fee"]["cost"] == pytest.approx(min(0.0003, 0.125 * trade["price"]))

        (position,) = await within(client.fetch_positions([OPTION]))
        assert position["side"] == "long"
        assert position["contracts"] == 1
        after = await within(client.fetch_balance({"code": "ETH"}))
        cash = float(after["info"]["balance"])
        assert cash == pytest.approx(100 - trade["price"] - trade["fee"]["cost"])


async def test_a_perpetual_is_sized_in_usd() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        sold = await within(client.create_order(PERPETUAL, "market", "sell", 100))
        assert sold["filled"] == 100
        (position,) = await within(client.fetch_positions([PERPETUAL]))
        assert position["side"] == "short"
        assert float(position["info"]["size"]) == -100


async def test_it_watches_tickers_books_trades_and_its_own_orders() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        ticker = await within(client.watch_ticker(OPTION))
        assert ticker["bid"] < ticker["ask"]
        book = await within(client.watch_order_book(OPTION))
        assert book["bids"][0][0] < book["asks"][0][0]

        watching_trades = asyncio.create_task(client.watch_trades(OPTION))
        watching_orders = asyncio.create_task(client.watch_orders())
        watching_fills = asyncio.create_task(client.watch_my_trades())
        watching_balance = asyncio.create_task(client.watch_balance())
        await until_subscribed(venue, 6)
        assert (await within(watching_balance))["info"]["currency"] in ("BTC", "ETH", "USDC")
        order = await within(client.create_order(OPTION, "market", "sell", 1))
        trades = await within(watching_trades)
        assert trades[-1]["symbol"] == OPTION
        orders = await within(watching_orders)
        assert orders[-1]["id"] == order["id"]
        assert orders[-1]["status"] == "closed"
        fills = await within(watching_fills)
        assert fills[-1]["order"] == order["id"]


async def until_subscribed(venue: SimVenue, channels: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while len(venue.protocol.hub.everything()) < channels:  # noqa: ASYNC110 - no event to wait on
            await asyncio.sleep(0.01)


async def test_wrong_keys_are_refused() -> None:
    async with busy_venue() as venue:
        async with stock_client(venue, "sim", "wrong") as client:
            with pytest.raises(ccxt.AuthenticationError, match="13004"):
                await within(client.fetch_balance())
        async with stock_client(venue, "other", "sim") as client:
            with pytest.raises(ccxt.AuthenticationError, match="13004"):
                await within(client.fetch_balance())


PRODUCTS = {
    "BTC-27JUN25": "BTC/USD:BTC-250627",
    "ETH_USDC-PERPETUAL": "ETH/USDC:USDC",
    "BTC_USDC-6JUN25-105000-C": "BTC/USDC:USDC-250606-105000-C",
    "XRP_USDC-6JUN25-2d2-C": "XRP/USDC:USDC-250606-2.2-C",
}


async def test_every_product_has_the_symbol_ccxt_gives_it() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        markets = await within(client.load_markets())
        by_id = {market["id"]: symbol for symbol, market in markets.items()}
        assert {name: by_id[name] for name in PRODUCTS} == PRODUCTS
        assert by_id.keys() >= venue.exchange.listings.keys()
        for symbol, market in markets.items():
            assert client.market_id(symbol) == market["id"]
        option = markets[PRODUCTS["XRP_USDC-6JUN25-2d2-C"]]
        assert (option["strike"], option["settle"], option["linear"]) == (2.2, "USDC", True)
        future = markets[PRODUCTS["BTC-27JUN25"]]
        assert (future["future"], future["inverse"], future["contractSize"]) == (True, True, 10)
        assert markets["BTC/USD:BTC-250606"]["maker"] == -0.0001


@pytest.mark.parametrize(
    ("name", "amount", "far_ask", "currency"),
    [
        ("BTC-27JUN25", 100, 106_000, "BTC"),
        ("ETH_USDC-PERPETUAL", 0.1, 2_880, "USDC"),
        ("BTC_USDC-6JUN25-105000-C", 0.02, 3_000, "USDC"),
        ("XRP_USDC-6JUN25-2d2-C", 1000, 0.1, "USDC"),
    ],
)
async def test_every_product_is_traded(
    name: str, amount: float, far_ask: float, currency: str
) -> None:
    symbol = PRODUCTS[name]
    async with busy_venue() as venue, stock_client(venue) as client:
        ticker = await within(client.fetch_ticker(symbol))
        assert 0 < ticker["bid"] < ticker["ask"]
        bought = await within(client.create_order(symbol, "market", "buy", amount))
        assert (bought["status"], bought["filled"]) == ("closed", amount)
        (trade,) = await within(client.fetch_my_trades(symbol))
        assert trade["fee"]["currency"] == currency
        assert trade["fee"]["cost"] > 0
        (position,) = await within(client.fetch_positions([symbol]))
        assert position["side"] == "long"
        resting = await within(client.create_order(symbol, "limit", "sell", amount, far_ask))
        assert resting["status"] == "open"
        await within(client.cancel_order(resting["id"], symbol))


async def test_funding_rates_are_read() -> None:
    async with busy_venue() as venue, stock_client(venue) as client:
        await within(client.load_markets())
        rate = await within(client.fetch_funding_rate(PERPETUAL))
        assert rate["fundingRate"] == 0
        assert await within(client.fetch_funding_rate_history(PERPETUAL)) == []
