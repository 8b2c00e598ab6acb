"""Stock, unmodified ccxt trades on the simulated Derive, from an override of its urls only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ccxt
import pytest

from mmbot.sim.wire.server import Venue
from tests.sim.wire.derive.judges import printed_and_run, stock_derive
from tests.sim.wire.derive.venue import served, within
from tests.wire.venue import until

OPTION = "ETH/USDC:USDC-250606-2800-C"
PERPETUAL = "ETH/USDC:USDC"
FEE = {"max_fee": 100}
CALLS = 10


@asynccontextmanager
async def trading() -> AsyncIterator[tuple[Venue, Any]]:
    async with served() as (venue,), stock_derive(venue.endpoints) as client:
        markets = await within(client.load_markets())
        assert markets[OPTION]["option"]
        yield venue, client


def told_of(order_id: str, told: list[Any], name: str) -> bool:
    return any(one[name] == order_id for one in told)


async def touch(client: Any, symbol: str) -> tuple[float, float]:
    ticker = await within(client.fetch_ticker(symbol))
    return ticker["bid"], ticker["ask"]


async def test_it_reads_six_pages_of_markets_and_the_public_data() -> None:
    async with trading() as (venue, client):
        assert sum(1 for one in client.markets.values() if one["option"]) > 5_000
        market = client.markets[OPTION]
        assert (market["id"], market["strike"]) == ("ETH-20250606-2800-C", 2800)
        assert (market["precision"]["price"], market["limits"]["amount"]["min"]) == (0.1, 0.1)
        assert client.markets[PERPETUAL]["taker"] == 0.0003
        for number in range(CALLS):
            symbol = (OPTION, PERPETUAL)[number % 2]
            book = await within(client.watch_order_book(symbol))
            assert book["bids"][0][0] < book["asks"][0][0]
            ticker = await within(client.watch_ticker(symbol))
            assert 0 < ticker["bid"] < ticker["ask"]
            assert abs(ticker["indexPrice"] - venue.market.index("eth_usdc")) < 50
        greeks = await within(client.fetch_greeks(OPTION))
        assert 0 < greeks["delta"] < 1
        assert 0.1 < greeks["markImpliedVolatility"] < 2
        assert abs(await within(client.fetch_time()) - venue.now_ms()) < 5_000


async def test_it_places_moves_and_cancels_orders() -> None:
    async with trading() as (_, client):
        for number in range(2 * CALLS):
            label = f"mine-{number}"
            terms = {**FEE, "clientOrderId": label}
            made = await within(client.create_order(OPTION, "limit", "buy", 1, 50, terms))
            assert (made["status"], made["clientOrderId"]) == ("open", label)
            moved = await within(
                client.edit_order(made["id"], OPTION, "limit", "buy", 1, 50.5, terms)
            )
            assert (moved["status"], moved["price"]) == ("open", 50.5)
            (resting,) = await within(client.fetch_open_orders())
            assert resting["id"] == moved["id"] != made["id"]
            if number % 2:
                ended = await within(client.cancel_order(moved["id"], OPTION))
                assert ended["status"] == "canceled"
            else:
                await within(client.cancel_all_orders(OPTION if number % 4 else None))
            assert await within(client.fetch_open_orders()) == []
        closed = await within(client.fetch_canceled_and_closed_orders(params={"page_size": 100}))
        assert len(closed) == 4 * CALLS


async def test_it_hears_of_its_orders_and_trades_and_reads_what_it_holds() -> None:
    async with trading() as (venue, client):
        heard: list[Any] = []
        traded: list[Any] = []

        async def hear() -> None:
            while True:
                heard.extend(await client.watch_orders())

        async def trade() -> None:
            while True:
                traded.extend(await client.watch_my_trades())

        listening = [asyncio.create_task(hear()), asyncio.create_task(trade())]
        sub = venue.endpoints.login["subaccount_id"]
        protocol: Any = venue.protocol
        for kind in ("orders", "trades"):
            await until(partial(protocol.hub.follows, f"{sub}.{kind}"))
        for number in range(CALLS):
            bid, ask = await touch(client, PERPETUAL)
            side, price, amount = ("buy", ask + 2, 0.2) if number % 3 else ("sell", bid - 2, 0.1)
            terms = {**FEE, "timeInForce": "ioc"}
            made = await within(
                client.create_order(PERPETUAL, "limit", side, amount, round(price, 2), terms)
            )
            assert made["status"] == "closed"
            assert made["filled"] == amount
            await until(partial(told_of, made["id"], heard, "id"))
            await until(partial(told_of, made["id"], traded, "order"))
            (position,) = await within(client.fetch_positions())
            held = venue.exchange.accounts[venue.account].positions["ETH-PERP"].size
            assert position["contracts"] == abs(float(held))
            balance = await within(client.fetch_balance())
            cash = venue.exchange.accounts[venue.account].cash["USDC"]
            assert balance["USDC"]["total"] == pytest.approx(float(cash))
            mine = await within(client.fetch_my_trades())
            assert len(mine) == len(venue.exchange.accounts[venue.account].trades) >= number + 1
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def test_its_known_defects_are_refused_as_the_real_venue_does() -> None:
    """An amount that it signs rounded and sends as it is; a price off the tick."""
    async with trading() as (_, client):
        with pytest.raises(ccxt.InvalidOrder, match="14014"):
            await within(client.create_order(OPTION, "limit", "buy", 1.2345, 50, FEE))
        with pytest.raises(ccxt.InvalidOrder, match="11013"):
            await within(client.create_order(OPTION, "limit", "buy", 1, 50.05, FEE))
        _, ask = await touch(client, OPTION)
        post = {**FEE, "postOnly": True}
        with pytest.raises(ccxt.InvalidOrder, match="11008"):
            await within(client.create_order(OPTION, "limit", "buy", 1, ask + 5, post))
        nobody = "00000000-0000-4000-8000-000000000000"
        with pytest.raises(ccxt.OrderNotFound):
            await within(client.cancel_order(nobody, OPTION))
        client.walletAddress = "0x0000000000000000000000000000000000000002"
        with pytest.raises(ccxt.InvalidOrder, match="14023"):
            await within(client.create_order(OPTION, "limit", "buy", 1, 50, FEE))


async def test_its_sandbox_signs_for_the_other_network() -> None:
    async with trading() as (_, client):
        client.options["sandboxMode"] = True
        made = await within(client.create_order(OPTION, "limit", "buy", 1, 50, FEE))
        assert made["status"] == "open"


def test_the_printed_snippet_runs_as_printed(tmp_path: Path) -> None:
    printed_and_run("ccxt", tmp_path)
