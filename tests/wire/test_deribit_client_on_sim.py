"""Our client on the simulated venue, which was written without it: they meet only on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest

from mmbot.core.events import Link
from mmbot.core.types import Side
from mmbot.sim.exchange.listing import Side as VenueSide
from mmbot.sim.models.credits import Rate
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.deribit import Deribit, amend, cancel, place
from mmbot.venues.deribit.orders import Call
from mmbot.venues.requests import Outcome, Reply
from tests.wire.clients import Notes, clock_of, wire_of
from tests.wire.scripted import until
from tests.wire.venue import OPTION, UNLIMITED, rest, scripted_venue

SYMBOL = "ETH/USD:ETH-250606-2800-C"
BOOK = f"book.{OPTION}.raw"
USER = "user.changes.any.any.raw"


@asynccontextmanager
async def client_of(venue: SimVenue, **clocks: Any) -> AsyncIterator[tuple[Deribit, Notes]]:
    config = {
        "apiKey": "sim",
        "secret": "sim",
        "timeout_on_exit": 0,
        "urls": {"api": {"rest": venue.rest_url, "ws": venue.ws_url}},
    }
    client = Deribit(config, clock=clock_of(now_ms=venue.now_ms, **clocks))
    try:
        yield client, Notes(client)
    finally:
        await client.aclose()


def a_bid(venue: SimVenue, label: str, price: str = "0.0300", amount: str = "2") -> Call:
    return place(
        Side.BUY,
        OPTION,
        Decimal(amount),
        Decimal(price),
        label=label,
        post_only=True,
        valid_until_ms=venue.now_ms() + 4000,
    )


@pytest.mark.manners("plain")  # the limits are not promised
async def test_it_signs_in_is_armed_and_reads_its_limits() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, notes):
        await client.start(Link)
        assert client.cod_enabled
        assert client.rate_limits.matching.rate == pytest.approx(UNLIMITED.matching.per_s)
        assert not notes.faults


async def test_a_key_that_is_not_the_venues_is_refused() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, _):
        client.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError, match="13004"):
            await client.start([Link.TRADING])


async def test_a_rest_answer_that_means_nothing_is_a_network_error() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, _):
        venue.garble(3, "private/get_open_orders")
        for _ in range(3):
            with pytest.raises(ccxt.NetworkError, match="no message"):
                await client.privateGetGetOpenOrders({})
        assert (await client.privateGetGetOpenOrders({}))["result"] == []


async def test_books_follow_the_venue_through_a_busy_market() -> None:
    async with (
        SimVenue(VenueOptions(seed=7, rules=UNLIMITED)) as venue,
        client_of(venue) as (client, notes),
    ):
        await client.load_markets()
        names = [OPTION, "ETH-PERPETUAL", "BTC-PERPETUAL"]
        await client.start([Link.MARKET], {Link.MARKET: [f"book.{n}.raw" for n in names]})
        await until(lambda: len(notes.books) > 100, "a busy market")
        assert all(valid for _, valid, _ in notes.books)
        assert not notes.faults


@pytest.mark.manners("plain")  # ccxt's own structures need what is not promised
async def test_an_order_lives_its_life() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, notes):
        await client.load_markets()
        rest(venue, VenueSide.SELL, "5", "0.0400")
        await client.start(Link, {Link.MARKET: [BOOK], Link.TRADING: [USER]})
        placed = await client.create_order_ws(
            SYMBOL, "limit", "buy", 2, 0.03, {"clientOrderId": "mm1-1", "postOnly": True}
        )
        assert (placed["status"], placed["clientOrderId"]) == ("open", "mm1-1")
        assert [o["clientOrderId"] for o in await client.fetch_open_orders()] == ["mm1-1"]
        edited = await client.edit_order_ws(
            placed["id"], SYMBOL, "limit", "buy", 3, 0.031, {"postOnly": True}
        )
        assert (edited["price"], edited["amount"], edited["clientOrderId"]) == (0.031, 3, "mm1-1")
        rest(venue, VenueSide.SELL, "1", "0.0310")  # the maker hits it for one
        await until(lambda: any(data["trades"] for _, data in notes.user), "a fill")
        fills = await client.fetch_fills(venue.now_ms() - 60_000)
        assert [(f["amount"], f["info"]["label"]) for f in fills] == [(1.0, "mm1-1")]
        held = await client.fetch_positions()
        assert [(p["symbol"], p["side"], p["contracts"]) for p in held if p["side"]] == [
            (SYMBOL, "long", 1.0)
        ]
        with pytest.raises(ccxt.InvalidOrder, match="11054"):
            await client.create_order_ws(SYMBOL, "limit", "buy", 1, 0.04, {"postOnly": True})
        assert (await client.cancel_order_ws(placed["id"]))["status"] == "canceled"
        assert await client.fetch_open_orders() == []
        assert not notes.faults


async def test_every_price_of_the_ladder_is_taken_by_the_venue() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, _):
        await client.start([Link.TRADING])
        replies: list[Reply] = []
        prices = [f"{Decimal(n) / 10_000}" for n in range(5, 50)]
        prices += [f"{Decimal(n) / 2_000}" for n in range(10, 60)]
        for price in prices:
            method, params = a_bid(venue, "l", price, "1")
            client.send(Link.TRADING, method, params, replies.append)
        await until(lambda: len(replies) == len(prices), "all answered")
        assert {reply.outcome for reply in replies} == {Outcome.OK}


async def test_calls_built_by_hand_amend_and_cancel() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, _):
        await client.start([Link.TRADING])
        order = (await client.rpc(Link.TRADING, *a_bid(venue, "mm1-1")))["order"]
        call = amend(
            order["order_id"],
            Decimal(1),
            Decimal("0.0285"),
            post_only=True,
            valid_until_ms=venue.now_ms() + 4000,
        )
        assert (await client.rpc(Link.TRADING, *call))["order"]["price"] == 0.0285
        gone = await client.rpc(Link.TRADING, *cancel(order["order_id"]))
        assert gone["order_state"] == "cancelled"


async def test_an_order_that_comes_too_late_is_not_carried_out() -> None:
    async with scripted_venue() as venue, client_of(venue) as (client, _):
        await client.start([Link.TRADING])
        method, params = a_bid(venue, "late")
        params["valid_until"] = venue.now_ms() - 1
        replies: list[Reply] = []
        client.send(Link.TRADING, method, params, replies.append)
        await until(lambda: replies, "reply")
        assert replies[0].outcome is Outcome.UNKNOWN  # 13888 alone proves nothing at a real venue
        assert await client.rpc(Link.TRADING, "private/get_open_orders") == []


async def test_a_cut_takes_the_orders_with_it_and_the_link_comes_back() -> None:
    async with scripted_venue() as venue, client_of(venue, time_scale=0.1) as (client, notes):
        await client.start(Link, {Link.TRADING: [USER]})
        method, params = a_bid(venue, "mm1-1")
        await client.rpc(Link.TRADING, method, params, timeout_s=50.0)
        wire = wire_of(client, Link.TRADING)
        wire._writer.transport.abort()
        await until(lambda: (Link.TRADING, False) in notes.links, "down")
        await until(lambda: client.up(Link.TRADING), "back")
        assert client.cod_enabled
        book = venue.exchange.book(OPTION)
        await until(lambda: not book.depth(VenueSide.BUY), "cancelled by the venue")
        assert client.up(Link.MARKET)


async def test_too_many_requests_end_the_session_and_the_link_comes_back() -> None:
    rules = replace(UNLIMITED, matching=Rate(1.0, 3))
    async with (
        scripted_venue(rules=rules) as venue,
        client_of(venue, time_scale=0.05) as (client, notes),
    ):
        await client.start([Link.TRADING])
        replies: list[Reply] = []
        for number in range(8):
            method, params = a_bid(venue, f"l{number}")
            client.send(Link.TRADING, method, params, replies.append, 100.0)
        await until(lambda: len(replies) == 8, "all ended")
        codes = {reply.error.code for reply in replies if reply.error}
        assert 10028 in codes
        await until(lambda: notes.links[1:] == [(Link.TRADING, False)], "down")
        await until(lambda: client.up(Link.TRADING), "back")


@pytest.mark.manners("plain")  # ccxt's own structures need what is not promised
async def test_the_ccxt_style_calls_never_spend_more_than_the_account_has() -> None:
    rules = replace(UNLIMITED, matching=Rate(50.0, 10))
    async with scripted_venue(rules=rules) as venue, client_of(venue) as (client, notes):
        await client.load_markets()
        await client.start([Link.TRADING])
        placed = await asyncio.gather(
            *(
                client.create_order_ws(SYMBOL, "limit", "buy", 1, 0.01, {"postOnly": True})
                for _ in range(30)
            )
        )
        await asyncio.gather(*(client.cancel_order_ws(order["id"]) for order in placed))
        assert await client.fetch_open_orders() == []
        assert notes.links == [(Link.TRADING, True)]
