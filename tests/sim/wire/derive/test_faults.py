"""What goes wrong at the simulated Derive's door, on real sockets, and what a restart leaves."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import orjson
import pytest
from aiohttp import WSMsgType

from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.derive.face import FACE
from mmbot.sim.wire.derive.signatures import personal_digest
from mmbot.sim.wire.server import SimVenue, Venue, VenueOptions
from tests.sim.wire.derive.judges import stock_derive
from tests.sim.wire.derive.venue import (
    FREE,
    OWNER,
    PERPETUAL,
    SESSION_KEY,
    served,
    sign,
    within,
)
from tests.wire.venue import until

TERMS = ("ETH/USDC:USDC", "limit", "buy", 1, 2500, {"max_fee": 100})


class Line:
    """One WebSocket, logged in."""

    def __init__(self, venue: Venue, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.venue = venue
        self.socket = socket
        self.pushes: list[Any] = []
        self._id = 0

    async def ask(self, method: str, **params: Any) -> Any:
        self._id += 1
        await self.socket.send_json({"id": self._id, "method": method, "params": params})
        while True:
            frame = orjson.loads((await within(self.socket.receive())).data)
            if frame.get("id") == self._id:
                return frame.get("result", frame.get("error"))
            self.pushes.append(frame)

    async def login(self, key: bytes | None = None) -> Any:
        told = self.venue.endpoints.login
        stamp = str(self.venue.now_ms())
        if key is None:
            key = bytes.fromhex(str(told["session_key"]).removeprefix("0x"))
        signature = sign(personal_digest(stamp), key)
        return await self.ask(
            "public/login", wallet=told["wallet"], timestamp=stamp, signature=signature
        )


def open_orders(venue: Venue) -> int:
    return len(venue.exchange.accounts[venue.account].open_orders)


async def test_a_line_that_breaks_takes_the_orders_that_came_over_http() -> None:
    async with (
        served() as (venue,),
        stock_derive(venue.endpoints) as client,
        aiohttp.ClientSession() as http,
    ):
        async with http.ws_connect(venue.ws_url) as socket:
            line = Line(venue, socket)
            assert await line.login() == [130_837]
            assert await line.ask("private/set_cancel_on_disconnect", enabled=True) == "ok"
            await within(client.create_order(*TERMS))
            assert open_orders(venue) == 1
        await until(lambda: open_orders(venue) == 0)


async def test_it_pings_and_a_text_ping_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(FACE), "ping_s", 0.1)
    async with (
        served() as (venue,),
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.ws_url, autoping=False) as socket,
    ):
        heard: dict[WSMsgType, Any] = {}
        await socket.send_str("ping")
        while heard.keys() < {WSMsgType.PING, WSMsgType.TEXT}:
            message = await within(socket.receive())
            heard[message.type] = message.data
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
        assert heard[WSMsgType.TEXT] == "pong"


async def test_it_lives_alone_in_a_world_of_a_test() -> None:
    options = VenueOptions(kind="derive", key=OWNER, secret=SESSION_KEY.hex(), rules=FREE)
    async with SimVenue(options) as venue, aiohttp.ClientSession() as http:
        assert venue.endpoints.login["wallet"].lower() == OWNER  # type: ignore[union-attr]
        assert "session_key" not in venue.endpoints.login
        async with http.ws_connect(venue.ws_url) as socket:
            line = Line(venue, socket)
            assert await line.login(SESSION_KEY) == [130_837]
            await line.ask("subscribe", channels=[f"orderbook.{PERPETUAL}.1.10"])
            venue.stop_book(PERPETUAL, 60.0)
            assert venue.trouble.counts["stale_book"] == 1


async def test_replies_pushes_and_books_are_lost_on_command() -> None:
    async with served() as (venue,), aiohttp.ClientSession() as http:
        venue.freeze()
        async with http.ws_connect(venue.ws_url) as socket:
            line = Line(venue, socket)
            await line.login()
            venue.drop_reply("subscribe")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line.ask("subscribe", channels=["130837.orders"]), 0.5)
            venue.answer("private/get_positions", 9000)
            told = await line.ask("private/get_positions", subaccount_id=130_837)
            assert told == {"code": 9000, "message": "Order confirmation timeout", "data": None}
            venue.lose_push("130837.orders")
            venue.mute(60.0)
            venue.skip_book_change(PERPETUAL)
            assert venue.trouble.is_on
        assert venue.trouble.counts["lost_reply"] == 1


@pytest.mark.parametrize("carried_out", [True, False])
async def test_what_the_venue_could_not_confirm_may_have_been_done(carried_out: bool) -> None:
    async with (
        served() as (venue,),
        stock_derive(venue.endpoints) as client,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.ws_url) as socket,
    ):
        venue.freeze()
        line = Line(venue, socket)
        await line.login()
        (order_id,) = [(await within(client.create_order(*TERMS)))["id"]]
        venue.answer("private/cancel", 9000, 2, carried_out=carried_out)
        where = {"subaccount_id": 130_837, "instrument_name": PERPETUAL, "order_id": order_id}
        told = await line.ask("private/cancel", **where)
        assert told["code"] == 9000
        assert open_orders(venue) == (0 if carried_out else 1)
        with pytest.raises(ccxt.InvalidOrder, match="9000"):
            await within(client.cancel_order(order_id, TERMS[0]))
        assert await line.ask("public/get_time") > 0  # nothing is left over


async def test_what_is_drawn_about_accounts_befalls_the_channels_of_accounts() -> None:
    plan = FaultPlan(seed=1, duplicate_private=1.0)
    async with (
        served(faults=plan) as (venue,),
        stock_derive(venue.endpoints) as client,
        aiohttp.ClientSession() as http,
    ):
        async with http.ws_connect(venue.ws_url) as socket:
            line = Line(venue, socket)
            await line.login()
            await line.ask("subscribe", channels=["130837.orders"])
            await within(client.create_order(*TERMS))
            for _ in range(2):
                frame = orjson.loads((await within(socket.receive())).data)
                assert frame["params"]["channel"] == "130837.orders"
        assert venue.trouble.counts["duplicate_private"] >= 1


async def test_a_world_goes_on_with_what_was_signed_and_set(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    async with served(state_path=file) as (venue,), stock_derive(venue.endpoints) as client:
        made = await within(client.create_order(*TERMS[:-1], {"max_fee": 77}))
        taken = {"max_fee": 100, "timeInForce": "ioc"}
        await within(client.create_order(TERMS[0], "limit", "buy", 0.1, 2870, taken))
        login = venue.endpoints.login
    async with served(state_path=file) as (venue,), stock_derive(venue.endpoints) as client:
        assert venue.endpoints.login == login
        (order,) = await within(client.fetch_open_orders())
        assert (order["id"], order["info"]["max_fee"]) == (made["id"], "77")
        assert order["info"]["nonce"] == made["info"]["nonce"]
        (trade,) = await within(client.fetch_my_trades())
        assert trade["amount"] == 0.1
        (position,) = await within(client.fetch_positions())
        cash = venue.exchange.accounts[venue.account].cash["USDC"]
        assert Decimal(position["info"]["total_fees"]) == Decimal(250_000) - cash
