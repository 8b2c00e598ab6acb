"""Locks, maintenance and early closing at the simulated Deribit, and how it tells of them."""

from __future__ import annotations

from typing import Any

from mmbot.sim.exchange.listing import Side
from mmbot.sim.market.market import Market
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.wire.venue import (
    BTC_PERPETUAL,
    OPTION,
    PERPETUAL,
    UNLIMITED,
    PlainClient,
    Refused,
    connected,
    refused,
    rest,
    scripted_venue,
)

PLATFORM = "platform_state"


async def buy(client: PlainClient, name: str = PERPETUAL, price: float = 2800) -> dict[str, Any]:
    answer = await client.ask("private/buy", instrument_name=name, amount=10, price=price)
    order: dict[str, Any] = answer["order"]
    return order


async def refused_buy(client: PlainClient, name: str = PERPETUAL, price: float = 2800) -> Refused:
    return await refused(client, "private/buy", instrument_name=name, amount=10, price=price)


class TestLocks:
    async def test_a_locked_currency_is_told_and_refuses_orders_in_it_alone(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            assert await client.subscribe(PLATFORM) == [PLATFORM]
            order = await buy(client)
            venue.lock("eth_usd")
            assert await client.push(PLATFORM) == {"price_index": "eth_usd", "locked": True}
            status = await client.ask("public/status")
            assert status == {"locked": "partial", "locked_indices": ["eth_usd"]}
            error = await refused_buy(client)
            assert (error.code, error.message) == (10019, "locked_by_admin")
            change = {"order_id": order["order_id"], "amount": 10, "price": 2799}
            assert (await refused(client, "private/edit", **change)).code == 10019
            assert (
                await refused(
                    client, "private/close_position", instrument_name=PERPETUAL, type="market"
                )
            ).code == 10019
            await buy(client, BTC_PERPETUAL, 100_000)
            ended = await client.ask("private/cancel", order_id=order["order_id"])
            assert ended["order_state"] == "cancelled"
            venue.unlock("eth_usd")
            assert await client.push(PLATFORM, 2) == {"price_index": "eth_usd", "locked": False}
            await buy(client)

    async def test_the_whole_platform_is_locked_currency_by_currency(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.subscribe(PLATFORM)
            venue.lock()
            await client.push(PLATFORM, 2)
            told = client.pushed(PLATFORM)
            assert {one["price_index"] for one in told} == {"eth_usd", "btc_usd"}
            assert all(one["locked"] for one in told)
            status = await client.ask("public/status")
            assert status["locked"] == "true"
            assert (await refused_buy(client, BTC_PERPETUAL, 100_000)).code == 10019
            venue.unlock()
            assert (await client.ask("public/status"))["locked"] == "false"

    async def test_in_maintenance_the_matching_engine_answers_nobody(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            order = await buy(client)
            venue.lock(maintenance=True)
            assert (await refused_buy(client)).code == 11051
            error = await refused(client, "private/cancel", order_id=order["order_id"])
            assert (error.code, error.message) == (11051, "system_maintenance")
            assert [one["order_id"] for one in await client.ask("private/get_open_orders")] == [
                order["order_id"]
            ]
            venue.unlock()
            await client.ask("private/cancel", order_id=order["order_id"])

    async def test_a_lock_of_the_account_is_its_own_business(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=["user.lock"])
            venue.lock_account("ETH")
            assert await client.push("user.lock") == {"locked": True, "currency": "ETH"}
            assert (await refused_buy(client)).code == 10019
            await buy(client, BTC_PERPETUAL, 100_000)
            locks = await client.ask("private/get_user_locks")
            assert {row["currency"]: row["enabled"] for row in locks} == {
                "ETH": True,
                "BTC": False,
            }
            assert (await client.ask("public/status"))["locked"] == "false"
            venue.unlock_account()
            assert await client.push("user.lock", 2) == {"locked": False, "currency": "ALL"}
            await buy(client)

    async def test_user_lock_needs_a_login(self) -> None:
        async with scripted_venue() as venue, connected(venue, login=False) as client:
            assert await client.subscribe("user.lock", PLATFORM) == [PLATFORM]

    async def test_strangers_can_be_turned_away(self) -> None:
        channel = "platform_state.public_methods_state"
        async with (
            scripted_venue() as venue,
            connected(venue) as client,
            connected(venue, login=False) as stranger,
        ):
            await client.subscribe(channel)
            await stranger.ask("public/get_time")
            venue.allow_strangers(False)
            told = await client.push(channel)
            assert told == {"allow_unauthenticated_public_requests": False}
            assert (await refused(stranger, "public/get_time")).code == 11056
            await client.ask("public/get_time")
            await stranger.login()
            await stranger.ask("public/get_time")

    async def test_nobody_trades_with_what_rests_while_it_is_locked(self) -> None:
        options = VenueOptions(rules=UNLIMITED, flow_scale=50.0)
        async with SimVenue(options) as venue:
            market = venue.market
            assert isinstance(market, Market)
            venue.freeze()
            market.watch(PERPETUAL)
            market.advance(market.now_ms + 60_000)
            venue.exchange.drain()
            before = venue.exchange.book(PERPETUAL).trade_seq
            assert before > 0
            venue.lock("eth_usd")
            market.advance(market.now_ms + 60_000)
            assert venue.exchange.book(PERPETUAL).trade_seq == before
            venue.unlock("eth_usd")
            market.advance(market.now_ms + 60_000)
            assert venue.exchange.book(PERPETUAL).trade_seq > before


class TestClosing:
    async def test_an_instrument_closed_early_says_so_everywhere(self) -> None:
        news, ticker = "instrument.state.any.any", f"ticker.{OPTION}.100ms"
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask(
                "private/subscribe", channels=[news, ticker, "user.orders.any.any.raw"]
            )
            order = (await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02))[
                "order"
            ]
            assert (await client.push(ticker))["state"] == "open"
            venue.close_instrument(OPTION)
            told = await client.push(news)
            assert (told["instrument_name"], told["state"]) == (OPTION, "closed")
            ended = await client.push("user.orders.any.any.raw", 2)
            assert (ended["order_id"], ended["order_state"]) == (order["order_id"], "cancelled")
            await client.until(lambda: client.pushed(ticker)[-1]["state"] == "closed")
            row = await client.ask("public/get_instrument", instrument_name=OPTION)
            assert row["is_active"] is False
            rows = await client.ask("public/get_instruments", currency="ETH", kind="option")
            closed = [one["instrument_name"] for one in rows if not one["is_active"]]
            assert closed == [OPTION]

    async def test_orders_in_it_are_refused_until_it_opens_again(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.subscribe("instrument.state.option.ETH")
            venue.close_instrument(OPTION)
            error = await refused(
                client, "private/buy", instrument_name=OPTION, amount=1, price=0.02
            )
            assert (error.code, error.message) == (-32602, "Invalid params")
            assert error.data == {
                "param": "instrument_name",
                "reason": "instrument is not open",
            }
            await buy(client)
            venue.open_instrument(OPTION)
            told = await client.push("instrument.state.option.ETH", 2)
            assert told["state"] == "started"
            await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)

    async def test_its_channels_go_on_and_show_an_empty_book(self) -> None:
        book = f"book.{OPTION}.raw"
        async with scripted_venue() as venue, connected(venue) as client:
            rest(venue, Side.SELL, "1", "0.05")
            await client.subscribe(book)
            assert (await client.push(book))["asks"] == [["new", 0.05, 1.0]]
            venue.close_instrument(OPTION)
            assert (await client.push(book, 2))["asks"] == [["delete", 0.05, 0.0]]
            venue.open_instrument(OPTION)
            rest(venue, Side.SELL, "1", "0.051")
            assert (await client.push(book, 3))["asks"] == [["new", 0.051, 1.0]]
