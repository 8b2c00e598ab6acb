"""Candles, trades of a currency, volatility, wallets and subaccounts at the simulated Deribit."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from mmbot.sim.exchange.funding import FundingHour
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.deribit.charts import Charts
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.server import SimVenue
from tests.wire.venue import (
    BTC_PERPETUAL,
    OPTION,
    PERPETUAL,
    PlainClient,
    Refused,
    ScriptedMarket,
    connected,
    option,
    perpetual,
    rest,
    scripted_venue,
)

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
NOON_MS = 1_748_865_600_000  # 2025-06-02T12:00:00Z


def a_trade(seconds: float, price: float, amount: float = 1.0) -> dict[str, Any]:
    return {"timestamp": NOON_MS + round(1000 * seconds), "price": price, "amount": amount}


async def trade(venue: SimVenue, client: PlainClient, price: str, name: str = OPTION) -> None:
    rest(venue, Side.SELL, "10", price, name)
    await client.ask("private/buy", instrument_name=name, amount=10, price=float(price))


class TestCandles:
    def test_trades_of_a_minute_make_its_candle(self) -> None:
        charts = Charts()
        charts.note(option(), [a_trade(1, 0.03, 2), a_trade(20, 0.05), a_trade(59, 0.04, 3)])
        (candle,) = charts.candles(option().name, 1, NOON_MS, NOON_MS + 59_999)
        assert candle.start_ms == NOON_MS
        assert (candle.open, candle.high, candle.low, candle.close) == (0.03, 0.05, 0.03, 0.04)
        assert candle.volume == 6
        assert candle.cost == pytest.approx(2 * 0.03 + 0.05 + 3 * 0.04)

    def test_an_inverse_perpetual_costs_what_it_is_sized_in(self) -> None:
        charts = Charts()
        charts.note(perpetual(), [a_trade(1, 2500.0, 100)])
        (candle,) = charts.candles(PERPETUAL, 1, NOON_MS, NOON_MS)
        assert (candle.volume, candle.cost) == (0.04, 100)

    def test_minutes_without_trades_repeat_the_close(self) -> None:
        charts = Charts()
        charts.note(option(), [a_trade(1, 0.03), a_trade(200, 0.05)])
        candles = charts.candles(option().name, 1, NOON_MS, NOON_MS + 5 * MINUTE_MS)
        assert [one.start_ms for one in candles] == [NOON_MS + n * MINUTE_MS for n in range(6)]
        assert [one.close for one in candles] == [0.03, 0.03, 0.03, 0.05, 0.05, 0.05]
        assert [one.volume for one in candles] == [1, 0, 0, 1, 0, 0]
        assert candles[3].open == 0.05

    def test_a_later_window_begins_with_the_close_before_it(self) -> None:
        charts = Charts()
        charts.note(option(), [a_trade(1, 0.03), a_trade(90, 0.05)])
        candles = charts.candles(option().name, 1, NOON_MS + 3 * MINUTE_MS, NOON_MS + 4 * MINUTE_MS)
        assert [(one.open, one.volume) for one in candles] == [(0.05, 0), (0.05, 0)]

    def test_longer_periods_hold_several_minutes(self) -> None:
        charts = Charts()
        charts.note(option(), [a_trade(1, 0.03), a_trade(130, 0.02), a_trade(310, 0.06)])
        first, second = charts.candles(option().name, 5, NOON_MS, NOON_MS + 6 * MINUTE_MS)
        assert (first.open, first.high, first.low, first.close) == (0.03, 0.03, 0.02, 0.02)
        assert (second.start_ms, second.open) == (NOON_MS + 5 * MINUTE_MS, 0.06)

    def test_without_trades_there_is_nothing(self) -> None:
        assert Charts().candles(OPTION, 1, NOON_MS, NOON_MS + MINUTE_MS) == []

    async def test_charts_are_answered_and_told(self) -> None:
        channel = f"chart.trades.{OPTION}.1"
        async with scripted_venue() as venue, connected(venue) as client:
            window = {
                "instrument_name": OPTION,
                "start_timestamp": venue.now_ms() - 10 * MINUTE_MS,
                "end_timestamp": venue.now_ms() + 10 * MINUTE_MS,
                "resolution": "1",
            }
            empty = await client.ask("public/get_tradingview_chart_data", **window)
            assert (empty["status"], empty["ticks"]) == ("no_data", [])
            assert await client.subscribe(channel, f"chart.trades.{OPTION}.7") == [channel]
            await trade(venue, client, "0.031")
            told = await client.push(channel)
            assert (told["open"], told["close"], told["volume"]) == (0.031, 0.031, 10.0)
            assert told["tick"] % MINUTE_MS == 0
            chart = await client.ask("public/get_tradingview_chart_data", **window)
            assert chart["status"] == "ok"
            assert told["tick"] in chart["ticks"]
            lengths = {len(column) for name, column in chart.items() if name != "status"}
            assert lengths == {len(chart["ticks"])}
            with pytest.raises(Refused, match="-32602"):
                await client.ask(
                    "public/get_tradingview_chart_data", **window | {"resolution": "7"}
                )


class TestTradesOfACurrency:
    async def test_they_come_from_every_instrument(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await trade(venue, client, "0.031")
            await trade(venue, client, "2850", PERPETUAL)
            await trade(venue, client, "105000", BTC_PERPETUAL)
            page = await client.ask("public/get_last_trades_by_currency", currency="ETH")
            assert [one["instrument_name"] for one in page["trades"]] == [PERPETUAL, OPTION]
            options = await client.ask(
                "public/get_last_trades_by_currency", currency="ETH", kind="option"
            )
            assert [one["instrument_name"] for one in options["trades"]] == [OPTION]

    @pytest.mark.parametrize(
        ("bounds", "wanted"),
        [
            ({"start_id": 1}, [1, 2]),
            ({"end_id": 1}, [0, 1]),
            ({"start_id": 1, "end_id": 1}, [1]),
        ],
    )
    async def test_pages_of_own_trades_by_id(
        self, bounds: dict[str, int], wanted: list[int]
    ) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            for price in ("0.031", "0.0315", "0.032"):
                await trade(venue, client, price)
            ask = {"currency": "ETH", "sorting": "asc"}
            every = await client.ask("private/get_user_trades_by_currency", **ask)
            ids = [one["trade_id"] for one in every["trades"]]
            told = {name: ids[place] for name, place in bounds.items()}
            page = await client.ask("private/get_user_trades_by_currency", **ask, **told)
            assert [one["trade_id"] for one in page["trades"]] == [ids[place] for place in wanted]

    async def test_an_id_that_is_none_is_refused(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            with pytest.raises(Refused, match="-32602"):
                await client.ask(
                    "private/get_user_trades_by_currency", currency="ETH", start_id="latest"
                )


class TestWallet:
    async def test_a_transfer_leaves_the_account_and_its_log_says_so(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            ask = {"currency": "ETH", "amount": 2, "destination": 7}
            made = await client.ask("private/submit_transfer_to_subaccount", **ask)
            assert (made["state"], made["amount"], made["other_side"]) == ("confirmed", 2.0, "7")
            listed = await client.ask("private/get_transfers", currency="ETH")
            assert listed == {"data": [made], "count": 1}
            assert (await client.ask("private/get_transfers", currency="BTC"))["count"] == 0
            summary = await client.ask("private/get_account_summary", currency="ETH")
            assert summary["balance"] == 98.0
            log = await client.ask(
                "private/get_transaction_log",
                currency="ETH",
                start_timestamp=0,
                end_timestamp=venue.now_ms() + 1000,
                query="transfer",
            )
            (row,) = log["logs"]
            assert (row["type"], row["change"], row["balance"]) == ("transfer", -2.0, 98.0)
            assert row["instrument_name"] is None

    async def test_more_than_there_is_stays(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            made = await client.ask(
                "private/submit_transfer_to_user", currency="ETH", amount=1000, destination="bob"
            )
            assert made["state"] == "insufficient_funds"
            drawn = await client.ask(
                "private/withdraw", currency="ETH", amount=1000, address="0xabc"
            )
            assert drawn["state"] == "rejected"
            assert venue.exchange.accounts[venue.account].cash["ETH"] == Decimal(100)

    async def test_a_withdrawal_is_listed_newest_first(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            for amount in (1, 2):
                await client.ask("private/withdraw", currency="ETH", amount=amount, address="0xabc")
            page = await client.ask("private/get_withdrawals", currency="ETH", count=1)
            assert (page["count"], [one["amount"] for one in page["data"]]) == (2, [2.0])
            deposits = await client.ask("private/get_deposits", currency="ETH")
            assert deposits == {"data": [], "count": 0}

    async def test_nobody_transfers_nothing(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            for amount in (0, -1, None):
                with pytest.raises(Refused, match="-32602"):
                    await client.ask(
                        "private/submit_transfer_to_subaccount",
                        currency="ETH",
                        amount=amount,
                        destination=7,
                    )

    async def test_there_is_one_account_and_it_has_an_address(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            (account,) = await client.ask("private/get_subaccounts")
            assert account["username"] == venue.account
            assert "portfolio" not in account
            (account,) = await client.ask("private/get_subaccounts", with_portfolio=True)
            assert account["portfolio"]["eth"]["balance"] == 100.0
            first = await client.ask("private/get_current_deposit_address", currency="ETH")
            assert first == await client.ask("private/create_deposit_address", currency="ETH")


class TestNames:
    async def test_the_price_indices_by_name(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            names = await client.ask("public/get_index_price_names")
            assert names == [{"name": "eth_usd"}, {"name": "btc_usd"}]
            more = await client.ask("public/get_index_price_names", extended=True)
            assert more[0]["future_combo_creation_enabled"] is False

    async def test_the_summary_of_one_instrument(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            (row,) = await client.ask(
                "public/get_book_summary_by_instrument", instrument_name=OPTION
            )
            assert row["instrument_name"] == OPTION

    async def test_volatility_needs_two_hours_of_history(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            assert await client.ask("public/get_historical_volatility", currency="ETH") == []

    async def test_volatility_is_that_of_the_hourly_index(self) -> None:
        async with (
            scripted_venue(make_market=WithHours) as venue,
            connected(venue) as client,
        ):
            ((time_ms, percent),) = await client.ask(
                "public/get_historical_volatility", currency="ETH"
            )
            assert time_ms == NOON_MS + 2 * HOUR_MS
            # Up and down by ln 1.1 an hour: a deviation of sqrt(2) ln 1.1, 8,760 hours a year.
            assert percent == pytest.approx(100 * math.sqrt(2 * 8760) * math.log(1.1))


class WithHours(ScriptedMarket):
    """Two hours of funding: the index went from 2,000 to 2,200 and back."""

    def funding_hours(self, name: str) -> list[FundingHour]:
        return [
            FundingHour(
                time_ms=NOON_MS + HOUR_MS,
                index=2200.0,
                previous_index=2000.0,
                interest_1h=0.0,
                interest_8h=0.0,
            ),
            FundingHour(
                time_ms=NOON_MS + 2 * HOUR_MS,
                index=2000.0,
                previous_index=2200.0,
                interest_1h=0.0,
                interest_8h=0.0,
            ),
        ]


class TestCancelOnDisconnectOfTheAccount:
    async def test_of_the_account_it_can_be_asked_for_over_rest(self) -> None:
        async with scripted_venue() as venue, aiohttp.ClientSession() as web:

            async def call(method: str, scope: str) -> Any:
                pair = {"client_id": "sim", "client_secret": "sim"}
                asked = Params({"grant_type": "client_credentials", **pair})
                (counter,) = venue.protocol.counters
                token = counter.gatekeeper.grant(asked, venue.now_ms()).access_token
                query = {"scope": scope, "access_token": token}
                url = f"{venue.rest_url}/api/v2/private/{method}"
                async with web.get(url, params=query) as answer:
                    return await answer.json()

            done = await call("enable_cancel_on_disconnect", "account")
            assert done["result"] == "ok"
            told = await call("get_cancel_on_disconnect", "account")
            assert told["result"] == {"scope": "account", "enabled": True}
            wrong = await call("enable_cancel_on_disconnect", "connection")
            assert wrong["error"]["code"] == 10030

    async def test_it_begins_with_the_next_connection(self) -> None:
        async with scripted_venue() as venue, connected(venue) as first:
            assert await first.ask("private/enable_cancel_on_disconnect", scope="account") == "ok"
            own = await first.ask("private/get_cancel_on_disconnect", scope="connection")
            assert own == {"scope": "connection", "enabled": False}
            whole = await first.ask("private/get_cancel_on_disconnect", scope="account")
            assert whole == {"scope": "account", "enabled": True}
            async with connected(venue) as second:
                assert (await second.ask("private/get_cancel_on_disconnect"))["enabled"] is True
                await second.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
                await first.ask("private/buy", instrument_name=OPTION, amount=1, price=0.021)
            (left,) = await first.ask("private/get_open_orders")
            assert left["price"] == 0.021

    async def test_signing_in_again_does_not_turn_it_on(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/enable_cancel_on_disconnect", scope="account")
            await client.login()
            assert (await client.ask("private/get_cancel_on_disconnect"))["enabled"] is False

    async def test_switched_off_the_next_connection_starts_without_it(self) -> None:
        async with scripted_venue() as venue, connected(venue) as first:
            await first.ask("private/enable_cancel_on_disconnect", scope="account")
            await first.ask("private/disable_cancel_on_disconnect", scope="account")
            async with connected(venue) as second:
                assert (await second.ask("private/get_cancel_on_disconnect"))["enabled"] is False
