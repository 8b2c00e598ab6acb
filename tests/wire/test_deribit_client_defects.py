"""What is unsafe in stock ccxt 4.5.90, played on both: stock shows the defect, ours does not."""

import asyncio
from typing import Any, ClassVar

import ccxt.pro
import pytest

from mmbot.core.events import Link
from mmbot.venues.deribit import Deribit
from tests.wire.clients import KEYS, Escapes, Stock, any_client, ours
from tests.wire.scripted import (
    BOOK,
    SYMBOL,
    TICKER,
    Connection,
    Refused,
    Scripted,
    change,
    order,
    snapshot,
    ticker,
    until,
    with_markets,
)

OPTION = "ETH/USD:ETH-250606-2800-C"
LINEAR = "BTC/USDC:USDC"


async def watch_once(exchange: Any, venue: Scripted, bid: float = 100.0) -> Connection:
    """Subscribe the ticker and see one of it; the connection it runs on."""
    await exchange.load_markets()
    watching = asyncio.ensure_future(exchange.watch_ticker(SYMBOL))
    connection: Connection = await until(lambda: venue.serving(TICKER), "subscribed")
    await connection.push(TICKER, ticker(bid))
    assert (await watching)["bid"] == bid
    return connection


def unread(exchange: Any) -> int:
    """Messages that arrived and nobody reads."""
    return sum(len(client.buffer or ()) for client in exchange.clients.values())


async def hears_after(kind: type[Any], frame: Any) -> bool:
    """Whether a ticker that follows `frame` is still heard."""
    async with Scripted() as venue, any_client(kind, with_markets(venue)) as exchange:
        escapes = Escapes()
        connection = await watch_once(exchange, venue)
        await connection.say(frame)
        await until(lambda: escapes.seen or kind is Deribit, "the frame is handled")
        await connection.push(TICKER, ticker(101.0))

        def heard() -> bool:
            return bool(exchange.tickers[SYMBOL]["bid"] == 101.0)

        await until(lambda: heard() or (escapes.seen and unread(exchange)), "an end")
        return heard()


class TestFramesThatEndTheReceiveLoop:
    FRAMES = (
        pytest.param(
            {"jsonrpc": "2.0", "id": 77, "error": {"code": 11050, "message": "bad_request"}},
            id="error frame",
        ),
        pytest.param(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": "user.changes.any.any.raw", "data": {"orders": []}},
            },
            id="unknown channel",
        ),
        pytest.param(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": "platform_state", "data": {"locked": False}},
            },
            id="channel without handler",
        ),
        pytest.param('{"jsonrpc":"2.0","method":"subscr', id="half a frame"),
    )

    @pytest.mark.parametrize("frame", FRAMES)
    async def test_end_it_in_stock_ccxt(self, frame: Any) -> None:
        assert not await hears_after(Stock, frame)

    @pytest.mark.parametrize("frame", FRAMES)
    async def test_do_not_end_ours(self, frame: Any) -> None:
        assert await hears_after(Deribit, frame)

    GARBAGE = ("", "[1, 2]", "hello", "null", "{}", "3", '"x"', '{"id":"x"}', '{"method":[]}')

    @pytest.mark.parametrize("text", GARBAGE)
    async def test_garbage_does_not_end_ours(self, text: str) -> None:
        assert await hears_after(Deribit, text)


async def book_after(kind: type[Any], *messages: dict[str, Any], channel: str = BOOK) -> Any:
    """ccxt's unified book after the messages, as (bids, asks, nonce)."""
    async with Scripted() as venue, any_client(kind, with_markets(venue)) as exchange:
        escapes = Escapes()
        connection = await watch_once(exchange, venue)
        depth = {"useDepthEndpoint": True} if channel != BOOK else {}
        watching = asyncio.ensure_future(exchange.watch_order_book(SYMBOL, params=depth))
        await until(lambda: channel in connection.channels, "book subscribed")
        for message in messages:
            await connection.push(channel, message)
        await connection.push(TICKER, ticker(777.0))  # the book messages before it are handled
        await until(lambda: escapes.seen or exchange.tickers[SYMBOL]["bid"] == 777.0, "handled all")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        if escapes.seen:
            raise escapes.seen[0]
        book = exchange.orderbooks[SYMBOL]
        return [row[:2] for row in book["bids"]], [row[:2] for row in book["asks"]], book["nonce"]


class TestBooks:
    FIRST = snapshot(10, [[100.0, 10.0]], [[101.0, 10.0]])
    MOVED = snapshot(20, [[90.0, 10.0]], [[91.0, 10.0]])
    GAPPED = change(14, 15, [["new", 100.5, 30.0]], [])

    async def test_a_second_snapshot_is_merged_by_stock_ccxt_into_a_crossed_book(self) -> None:
        bids, asks, _ = await book_after(Stock, self.FIRST, self.MOVED)
        assert bids[0][0] > asks[0][0]

    async def test_a_second_snapshot_replaces_ours(self) -> None:
        assert await book_after(Deribit, self.FIRST, self.MOVED) == (
            [[90.0, 10.0]],
            [[91.0, 10.0]],
            20,
        )

    async def test_a_gap_is_applied_by_stock_ccxt(self) -> None:
        bids, _, _ = await book_after(Stock, self.FIRST, self.GAPPED)
        assert bids[0] == [100.5, 30.0]

    async def test_a_gap_empties_ours(self) -> None:
        assert await book_after(Deribit, self.FIRST, self.GAPPED) == ([], [], None)

    async def test_the_nonce_is_a_timestamp_in_stock_ccxt_and_the_change_id_in_ours(self) -> None:
        assert (await book_after(Stock, self.FIRST))[2] == self.FIRST["timestamp"]
        assert (await book_after(Deribit, self.FIRST))[2] == 10

    GROUPED = "book.BTC-PERPETUAL.none.20.100ms"
    DEPTH: ClassVar = {
        "timestamp": 1,
        "instrument_name": "BTC-PERPETUAL",
        "change_id": 5,
        "bids": [[100.0, 10.0], [99.5, 20.0]],
        "asks": [[101.0, 30.0]],
    }

    async def test_grouped_rows_crash_stock_ccxt(self) -> None:
        with pytest.raises(IndexError):
            await book_after(Stock, self.DEPTH, channel=self.GROUPED)

    async def test_grouped_rows_are_a_whole_book_in_ours(self) -> None:
        fewer = {**self.DEPTH, "change_id": 6, "bids": [[99.5, 20.0]]}
        assert await book_after(Deribit, self.DEPTH, fewer, channel=self.GROUPED) == (
            [[99.5, 20.0]],
            [[101.0, 30.0]],
            6,
        )

    async def levels_after_reconnect(self, kind: type[Any]) -> list[Any]:
        async with Scripted() as venue, any_client(kind, with_markets(venue)) as exchange:
            await exchange.load_markets()
            watching = asyncio.ensure_future(exchange.watch_order_book(SYMBOL))
            first = await until(lambda: venue.serving(BOOK), "subscribed")
            await first.push(BOOK, self.FIRST)
            await watching
            lost = asyncio.ensure_future(exchange.watch_order_book(SYMBOL))
            await asyncio.sleep(0)
            first.sever()
            with pytest.raises(ccxt.NetworkError):
                await lost
            again = asyncio.ensure_future(exchange.watch_order_book(SYMBOL))
            second = await until(lambda: venue.serving(BOOK), "subscribed again")
            await second.push(BOOK, self.MOVED)
            return [row[:2] for row in (await again)["bids"]]

    async def test_levels_survive_a_reconnect_in_stock_ccxt(self) -> None:
        assert [100.0, 10.0] in await self.levels_after_reconnect(Stock)

    async def test_nothing_survives_a_reconnect_in_ours(self) -> None:
        assert await self.levels_after_reconnect(Deribit) == [[90.0, 10.0]]


class TestOrders:
    async def test_stock_ccxt_cannot_trade_over_the_websocket(self) -> None:
        async with Scripted() as venue, any_client(Stock, venue, **KEYS) as exchange:
            for call in (
                exchange.create_order_ws(SYMBOL, "limit", "buy", 10, 100.0),
                exchange.edit_order_ws("1", SYMBOL, "limit", "buy", 10, 100.0),
                exchange.cancel_order_ws("1"),
                exchange.cancel_all_orders_ws(),
            ):
                with pytest.raises(ccxt.NotSupported):
                    await call

    async def test_the_label_is_the_client_order_id_in_ours_alone(self) -> None:
        async with Scripted() as venue:
            with_markets(venue)
            for kind, expected in ((Stock, None), (Deribit, "mm1-1")):
                async with any_client(kind, venue, **KEYS) as exchange:
                    await exchange.load_markets()
                    assert exchange.parse_order(order())["clientOrderId"] == expected

    async def test_the_size_is_quietly_cut_by_stock_ccxt_and_refused_by_ours(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/buy", {"order": order(), "trades": []})
            async with any_client(Stock, venue, **KEYS) as exchange:
                await exchange.create_order(SYMBOL, "limit", "buy", 25, 100.0)
                assert venue.rest[-1][1]["amount"] == "20"
            async with any_client(Deribit, venue, **KEYS) as exchange:
                with pytest.raises(ccxt.InvalidOrder, match="not a multiple of 10"):
                    await exchange.create_order_ws(SYMBOL, "limit", "buy", 25, 100.0)
                assert not venue.connections

    async def test_open_orders_without_a_symbol_are_of_one_currency_in_stock_ccxt(self) -> None:
        async with Scripted() as venue:
            with_markets(venue)
            venue.answer("private/get_open_orders_by_currency", [])
            venue.answer("private/get_open_orders", [order()])
            async with any_client(Stock, venue, **KEYS) as exchange:
                assert await exchange.fetch_open_orders() == []
                assert venue.rest[-1][1] == {"currency": "BTC"}
            async with any_client(Deribit, venue, **KEYS) as exchange:
                assert [o["id"] for o in await exchange.fetch_open_orders()] == ["1001"]


class TestHeartbeat:
    TEST_REQUEST: ClassVar = {
        "jsonrpc": "2.0",
        "method": "heartbeat",
        "params": {"type": "test_request"},
    }

    async def answers(self, kind: type[Any]) -> bool:
        async with Scripted() as venue, any_client(kind, with_markets(venue)) as exchange:
            connection = await watch_once(exchange, venue)
            await connection.say(self.TEST_REQUEST)
            await connection.push(TICKER, ticker(101.0))
            await until(lambda: exchange.tickers[SYMBOL]["bid"] == 101.0, "handled")
            # Frames keep their order, so what was answered before this arrives before it.
            mark = asyncio.ensure_future(exchange.watch_bids_asks([SYMBOL]))
            await until(lambda: venue.serving("quote.BTC-PERPETUAL"), "mark")
            mark.cancel()
            await asyncio.gather(mark, return_exceptions=True)
            return "public/test" in connection.methods()

    async def test_is_ignored_by_stock_ccxt(self) -> None:
        assert not await self.answers(Stock)

    async def test_is_answered_by_ours(self) -> None:
        assert await self.answers(Deribit)


class TestNumbers:
    async def loaded(self, kind: type[Any], venue: Scripted) -> Any:
        exchange = kind(venue.config(timeout_on_exit=0))
        await exchange.load_markets()
        await exchange.close()
        return exchange

    @pytest.mark.parametrize(
        ("price", "stock", "right"),
        [
            # The ladder: steps of 0.0001 below 0.005, of 0.0005 from there up.
            (0.00494, "0.0049", "0.0049"),
            (0.00496, "0.005", "0.005"),
            (0.00513, "0.0051", "0.005"),
            (0.0052, "0.0052", "0.005"),
            (0.00525, "0.0053", "0.0055"),
            (0.0131, "0.0131", "0.013"),
            (0.0135, "0.0135", "0.0135"),
        ],
    )
    async def test_prices_follow_the_ladder_in_ours(
        self, price: float, stock: str, right: str
    ) -> None:
        async with Scripted() as venue:
            with_markets(venue)
            assert (await self.loaded(Stock, venue)).price_to_precision(OPTION, price) == stock
            assert (await self.loaded(Deribit, venue)).price_to_precision(OPTION, price) == right

    async def test_a_price_below_the_tick_is_refused(self) -> None:
        async with Scripted() as venue:
            exchange = await self.loaded(Deribit, with_markets(venue))
            with pytest.raises(ccxt.InvalidOrder, match=r"below its tick 0\.0001"):
                exchange.price_to_precision(OPTION, 0.00004)

    @pytest.mark.parametrize(
        ("position", "side", "contracts", "stock_side", "stock_contracts"),
        [
            # Inverse perpetual: size in USD, 10 USD a contract: -50 / 10.
            (("BTC-PERPETUAL", "sell", -50.0), "short", 5.0, "short", -50.0),
            (("BTC-PERPETUAL", "buy", 50.0), "long", 5.0, "long", 50.0),
            (("BTC-PERPETUAL", "zero", 0.0), None, 0.0, "short", 0.0),
            # Option: size in coin, 1 coin a contract.
            (("ETH-6JUN25-2800-C", "buy", 3.0), "long", 3.0, "long", 3.0),
            # Linear perpetual: size in BTC, 0.001 BTC a contract: 0.05 / 0.001.
            (("BTC_USDC-PERPETUAL", "sell", -0.05), "short", 50.0, "short", -0.05),
        ],
    )
    async def test_positions(
        self,
        position: tuple[str, str, float],
        side: str | None,
        contracts: float,
        stock_side: str,
        stock_contracts: float,
    ) -> None:
        name, direction, size = position
        row = {"instrument_name": name, "direction": direction, "size": size}
        async with Scripted() as venue:
            with_markets(venue)
            theirs = (await self.loaded(Stock, venue)).parse_position(row)
            mine = (await self.loaded(Deribit, venue)).parse_position(row)
        assert (theirs["side"], theirs["contracts"]) == (stock_side, stock_contracts)
        assert (mine["side"], mine["contracts"]) == (side, contracts)

    async def test_fees_of_a_linear_order_are_in_its_settlement_currency(self) -> None:
        row = order(instrument_name="BTC_USDC-PERPETUAL", commission=0.25)
        async with Scripted() as venue:
            with_markets(venue)
            assert (await self.loaded(Stock, venue)).parse_order(row)["fee"]["currency"] == "BTC"
            mine = (await self.loaded(Deribit, venue)).parse_order(row)
        assert mine["fee"]["currency"] == "USDC"
        assert mine["fees"] == [{"cost": 0.25, "currency": "USDC"}]

    @pytest.mark.parametrize(
        ("name", "amount", "price", "stock", "right"),
        [
            # 2 options at 0.05 coin each cost 0.1 coin; stock divides as if 2 were dollars.
            ("ETH-6JUN25-2800-C", 2.0, 0.05, 40.0, 0.1),
            # 5000 USD of an inverse perpetual at 50,000 is 0.1 BTC.
            ("BTC-PERPETUAL", 5000.0, 50000.0, 0.1, 0.1),
            # 0.01 BTC at 50,000 USDC is 500 USDC.
            ("BTC_USDC-PERPETUAL", 0.01, 50000.0, 500.0, 500.0),
        ],
    )
    async def test_what_a_trade_costs(
        self, name: str, amount: float, price: float, stock: float, right: float
    ) -> None:
        row = {
            "trade_id": "1",
            "instrument_name": name,
            "direction": "buy",
            "amount": amount,
            "price": price,
            "timestamp": 1,
        }
        async with Scripted() as venue:
            with_markets(venue)
            assert (await self.loaded(Stock, venue)).parse_trade(row)["cost"] == stock
            assert (await self.loaded(Deribit, venue)).parse_trade(row)["cost"] == right

    async def test_the_cost_of_an_order_is_that_of_its_filled_part(self) -> None:
        # 3000 of 10000 USD filled at 50,000: 0.06 BTC; stock says 10000 / 50000.
        row = order(amount=10000.0, filled_amount=3000.0, average_price=50000.0)
        async with Scripted() as venue:
            with_markets(venue)
            assert (await self.loaded(Stock, venue)).parse_order(row)["cost"] == 0.2
            assert (await self.loaded(Deribit, venue)).parse_order(row)["cost"] == 0.06


class TestThrottle:
    def test_is_on_in_stock_ccxt_and_off_in_ours(self) -> None:
        assert Stock().enableRateLimit
        assert not Deribit().enableRateLimit


def user_trade(number: int, at_ms: int) -> dict[str, Any]:
    return {
        "trade_id": f"T{number}",
        "order_id": "1001",
        "instrument_name": "BTC-PERPETUAL",
        "timestamp": at_ms,
        "direction": "buy",
        "price": 100.0,
        "amount": 10.0,
        "fee": 0.0,
        "fee_currency": "BTC",
        "liquidity": "M",
        "label": "mm1-1",
    }


class TestFills:
    """Seven trades, three of them in one millisecond, served two at a time."""

    NOW_MS = 1_700_000_100_000
    TRADES: ClassVar = [
        user_trade(number, 1_700_000_000_000 + at)
        for number, at in enumerate((0, 5, 5, 9, 9, 9, 12))
    ]

    def venue(self, venue: Scripted, page: int) -> Scripted:
        def by_currency(params: dict[str, Any]) -> dict[str, Any]:
            if params["currency"] != "BTC":
                return {"trades": [], "has_more": False}
            start = int(params["start_timestamp"])
            found = [trade for trade in self.TRADES if trade["timestamp"] >= start]
            return {"trades": found[:page], "has_more": len(found) > page}

        with_markets(venue)
        venue.answer("private/get_user_trades_by_currency_and_time", by_currency)
        return venue

    async def test_stop_at_the_first_page_in_stock_ccxt(self) -> None:
        async with Scripted() as venue:
            self.venue(venue, 4)
            async with any_client(Stock, venue, **KEYS) as exchange:
                got = await exchange.fetch_my_trades(since=self.TRADES[0]["timestamp"])
        assert [trade["id"] for trade in got] == ["T0", "T1", "T2", "T3"]

    @pytest.mark.parametrize("page", [4, 5, 7, 1000])
    async def test_are_read_to_the_last_page_each_once(self, page: int) -> None:
        async with Scripted() as venue:
            self.venue(venue, page)
            async with ours(venue, now_ms=lambda: self.NOW_MS) as (client, _):
                got = await client.fetch_fills(self.TRADES[0]["timestamp"])
        assert [trade["id"] for trade in got] == [f"T{number}" for number in range(7)]
        assert got[0]["info"]["label"] == "mm1-1"

    async def test_old_ones_are_asked_for_in_history_too(self) -> None:
        async with Scripted() as venue:
            self.venue(venue, 1000)
            async with ours(venue, now_ms=lambda: self.NOW_MS) as (client, _):
                await client.fetch_fills(self.NOW_MS - 3 * 24 * 3600 * 1000, ["BTC"])
        asked = [p["historical"] for m, p in venue.rest if "user_trades" in m]
        assert asked == ["true", "false"]

    async def test_a_venue_that_repeats_itself_is_an_error_and_not_a_loop(self) -> None:
        async with Scripted() as venue:
            self.venue(venue, 2)  # three trades share a millisecond: two a page never get past it
            async with ours(venue, now_ms=lambda: self.NOW_MS) as (client, _):
                with pytest.raises(ccxt.ExchangeError, match="repeats itself"):
                    await client.fetch_fills(self.TRADES[0]["timestamp"], ["BTC"])


class TestTooManyRequests:
    async def test_ends_stock_ccxt_in_silence(self) -> None:
        error = {"code": 10028, "message": "too_many_requests"}
        assert not await hears_after(Stock, {"jsonrpc": "2.0", "id": 5, "error": error})

    async def test_is_a_disconnect_for_ours_with_a_pause_before_the_return(self) -> None:
        async with Scripted() as venue:
            with_markets(venue)
            venue.answer("private/buy", lambda _: Refused(10028, "too_many_requests"))
            async with ours(venue, time_scale=0.05) as (client, notes):
                with pytest.raises(ccxt.DDoSProtection):
                    await client.create_order_ws(SYMBOL, "limit", "buy", 10, 100.0)
                await until(lambda: notes.links[1:] == [(Link.TRADING, False)], "down")
                await until(lambda: client.up(Link.TRADING), "back")
                assert max(client.waits_s) >= 5.0
                assert "10028" in notes.reasons[1]
