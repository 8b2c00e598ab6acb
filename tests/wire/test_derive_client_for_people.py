"""Derive in ccxt's words, on the simulated venue over sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ccxt.base.errors import InvalidOrder, OrderNotFound

from mmbot.clock import Clock
from mmbot.venues.derive.client import Derive
from mmbot.venues.derive.signing import MAINNET, Signer
from tests.sim.wire.derive.venue import served, within

OPTION, PERP = "ETH/USDC:USDC-250606-2800-C", "ETH/USDC:USDC"
ABSENT = "c33e2299-e60e-4d71-8910-15cd5ea43fef"


@asynccontextmanager
async def trading() -> AsyncIterator[Derive]:
    async with served() as (venue,):
        at, clock = venue.endpoints, Clock()
        clock.set_to_ms(venue.now_ms())
        told = {key: str(value) for key, value in at.login.items()}
        key, subaccount = told["session_key"], int(told["subaccount_id"])
        signer = Signer(key, told["wallet"], subaccount, MAINNET)
        async with Derive(at.rest, signer, clock) as derive:
            yield derive


async def test_books_and_tickers_are_watched() -> None:
    async with trading() as derive:
        for symbol in (OPTION, PERP):
            book = await within(derive.watch_order_book(symbol))
            assert book["bids"][0][0] < book["asks"][0][0]
            assert book["nonce"] > 0
            later = await within(derive.watch_order_book(symbol))
            assert later["nonce"] > book["nonce"]
            ticker = await within(derive.watch_ticker(symbol))
            assert 0 < ticker["bid"] < ticker["ask"]


async def test_an_order_is_placed_moved_and_cancelled() -> None:
    async with trading() as derive:
        watching = asyncio.ensure_future(derive.watch_orders())
        bid = (await within(derive.watch_order_book(PERP)))["bids"][0][0]
        params = {"clientOrderId": "by hand", "postOnly": True}
        placed = await derive.create_order(PERP, "limit", "buy", 0.1, bid * 0.97, params)
        assert (placed["status"], placed["clientOrderId"], placed["amount"]) == (
            "open",
            "by hand",
            0.1,
        )
        assert (await within(watching))[0]["id"] == placed["id"]
        moved = await derive.edit_order(placed["id"], PERP, "limit", "buy", 0.1, bid * 0.96)
        assert moved["id"] != placed["id"]
        assert [one["id"] for one in await derive.fetch_open_orders()] == [moved["id"]]
        ended = await derive.cancel_order(moved["id"], PERP)
        assert ended["status"] == "canceled"
        assert await derive.fetch_open_orders() == []


async def test_what_trades_is_told_and_held() -> None:
    async with trading() as derive:
        watching = asyncio.ensure_future(derive.watch_my_trades())
        ask = (await within(derive.watch_order_book(PERP)))["asks"][0][0]
        taken = await derive.create_order(
            PERP, "limit", "buy", 0.1, ask * 1.005, {"timeInForce": "IOC"}
        )
        assert taken["status"] == "closed"
        (trade, *_) = await within(watching)
        assert trade["order"] == taken["id"]
        ((held),) = await derive.fetch_positions()
        assert (held["symbol"], held["contracts"]) == (PERP, 0.1)


async def test_orders_go_by_label_by_nonce_and_all() -> None:
    async with trading() as derive:
        for label in ("a", "b", "c"):
            await derive.create_order(OPTION, "limit", "buy", 1, 10, {"clientOrderId": label})
        assert await derive.cancel_order_by_label("a", OPTION) == 1
        left = await derive.fetch_open_orders()
        nonce = next(int(o["info"]["nonce"]) for o in left if o["clientOrderId"] == "b")
        assert await derive.cancel_order_by_nonce(nonce, OPTION) == 1
        await derive.cancel_all_orders()
        assert await derive.fetch_open_orders() == []


async def test_what_the_venue_refuses_is_ccxts_error() -> None:
    async with trading() as derive:
        ask = (await within(derive.watch_order_book(PERP)))["asks"][0][0]
        with pytest.raises(InvalidOrder, match="11008"):
            await derive.create_order(PERP, "limit", "buy", 0.1, ask * 1.005, {"postOnly": True})
        with pytest.raises(OrderNotFound):
            await derive.cancel_order(ABSENT, PERP)
        with pytest.raises(InvalidOrder, match="below one tick"):
            await derive.create_order(OPTION, "limit", "buy", 1, 0.01)
        with pytest.raises(InvalidOrder, match="only limit orders"):
            await derive.create_order(PERP, "market", "buy", 1)


async def test_a_replace_that_creates_nothing_says_that_the_old_order_is_gone() -> None:
    async with trading() as derive:
        book = await within(derive.watch_order_book(PERP))
        bid, ask = book["bids"][0][0], book["asks"][0][0]
        placed = await derive.create_order(PERP, "limit", "buy", 0.1, bid * 0.97)
        post = {"postOnly": True}
        with pytest.raises(InvalidOrder, match="created no other"):
            await derive.edit_order(placed["id"], PERP, "limit", "buy", 0.1, ask * 1.005, post)
        assert await derive.fetch_open_orders() == []
