"""The simulated Deribit at 08:00 UTC, the account's ledger, margin, and a venue that comes back."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.errors import ConfigError
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.exchange.settlement import settle_session
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.wire.venue import (
    OPTION,
    PERPETUAL,
    UNLIMITED,
    PlainClient,
    connected,
    refusal,
    rest,
    scripted_venue,
)

EIGHT_MS = 1_749_196_800_000  # 2025-06-06T08:00:00Z
HOUR_MS = 3_600_000
EXPIRING, LATER, FUTURE = "ETH-6JUN25-2800-C", "ETH-13JUN25-2800-C", "ETH-6JUN25"
EVER: dict[str, Any] = {"currency": "ETH", "start_timestamp": 0, "end_timestamp": 10**14}


def morning_venue(lead_ms: int, **changes: Any) -> SimVenue:
    """The seeded market, so long before 08:00."""
    terms: dict[str, Any] = {"start_ms": EIGHT_MS - lead_ms, "rules": UNLIMITED}
    return SimVenue(VenueOptions(**(terms | changes)))


async def bought(client: PlainClient, name: str, amount: float) -> dict[str, Any]:
    answer = await client.ask(
        "private/buy", instrument_name=name, amount=amount, type="market", label="mine"
    )
    assert answer["order"]["order_state"] == "filled", answer
    shaped: dict[str, Any] = answer["order"]
    return shaped


async def the_log(client: PlainClient, **params: Any) -> list[dict[str, Any]]:
    """Oldest first."""
    answer = await client.ask("private/get_transaction_log", **(EVER | params))
    rows: list[dict[str, Any]] = answer["logs"]
    return rows[::-1]


async def test_a_morning_at_the_venue() -> None:
    async with (
        morning_venue(1_500, exchange_rules=VenueRules(settlement_pause_ms=HOUR_MS)) as venue,
        connected(venue) as client,
    ):
        book, changes = f"book.{EXPIRING}.raw", "user.changes.any.any.raw"
        states = "instrument.state.any.ETH"
        trades = "user.trades.any.any.raw"
        await client.subscribe(book, states, "user.portfolio.eth", changes, trades)
        await bought(client, EXPIRING, 2)
        await bought(client, FUTURE, 3_000)
        await bought(client, PERPETUAL, 3_000)
        resting = await client.ask(
            "private/buy", instrument_name=EXPIRING, amount=1, price=0.0001, label="late"
        )
        order_id = resting["order"]["order_id"]

        def state_of(name: str) -> list[str]:
            return [one["state"] for one in client.pushed(states) if one["instrument_name"] == name]

        await client.until(lambda: state_of(EXPIRING) == ["settled", "closed"])
        # Trading pauses for everybody.
        assert await refusal(
            client, "private/buy", instrument_name=PERPETUAL, amount=1, price=2_000
        ) == (10041, "settlement_in_progress")
        assert (await refusal(client, "private/cancel_all"))[0] == 10041

        # The order went, and the position, in one message; no trade was made of it.
        last = [one for one in client.pushed(changes) if one["instrument_name"] == EXPIRING][-1]
        assert [(one["order_id"], one["cancel_reason"]) for one in last["orders"]] == [
            (order_id, "settlement")
        ]
        assert [(one["size"], one["direction"]) for one in last["positions"]] == [(0.0, "zero")]
        assert last["trades"] == []
        assert len(client.pushed(trades)) == 3
        positions = await client.ask("private/get_positions", currency="any")
        assert [one["instrument_name"] for one in positions] == [PERPETUAL]
        assert positions[0]["settlement_price"] is not None

        # The book has ended, and what needs one says so.
        assert venue.protocol.hub.of_instrument(EXPIRING) == []
        for method in (
            "public/get_order_book",
            "public/ticker",
            "private/get_open_orders_by_instrument",
        ):
            answer = await refusal(client, method, instrument_name=EXPIRING)
            assert answer == (13019, "orderbook_closed")
        assert await client.subscribe(book) == []
        unknown = await refusal(client, "public/ticker", instrument_name="ETH-1JUN25-1-C")
        assert unknown == (13020, "not_found")

        # What is over can still be asked about.
        gone = await client.ask("public/get_instruments", currency="ETH", expired=True)
        assert EXPIRING in [one["instrument_name"] for one in gone]
        assert {one["is_active"] for one in gone} == {False}
        closed = await client.ask("public/get_instrument", instrument_name=EXPIRING)
        assert closed["state"] == "closed"
        own = await client.ask("private/get_user_trades_by_instrument", instrument_name=EXPIRING)
        assert sum(one["amount"] for one in own["trades"]) == 2
        ended = await client.ask("private/get_order_state", order_id=order_id)
        assert ended["cancel_reason"] == "settlement"
        edit = {"order_id": order_id, "amount": 1, "price": 0.0002}
        assert await refusal(client, "private/edit", **edit) == (11044, "not_open_order")

        # And something new has come.
        listed = await client.ask("public/get_instruments", currency="ETH", kind="option")
        new = next(one for one in listed if one["instrument_name"].startswith("ETH-11JUL25-"))
        assert state_of(new["instrument_name"]) == ["created", "started"]
        assert state_of(LATER) == []

        rows = await the_log(client)
        # A market order may take two trades.
        assert list(dict.fromkeys((one["type"], one["instrument_name"]) for one in rows)) == [
            ("trade", EXPIRING),
            ("trade", FUTURE),
            ("trade", PERPETUAL),
            ("delivery", FUTURE),
            ("delivery", EXPIRING),
            ("settlement", PERPETUAL),
        ]
        summary = await client.ask("private/get_account_summary", currency="ETH")
        assert rows[-1]["balance"] == summary["balance"]
        changed = sum(one["change"] for one in rows)
        assert changed == pytest.approx(summary["balance"] - 100, abs=1e-11)
        prices = await client.ask("public/get_delivery_prices", index_name="eth_usd")
        assert prices["records_total"] == 1
        assert prices["data"][0]["date"] == "2025-06-06"
        delivery = prices["data"][0]["delivery_price"]
        assert rows[-2]["index_price"] == delivery
        assert rows[-2]["price"] == pytest.approx(1 - 2_800 / delivery)
        history = await client.ask("private/get_settlement_history_by_currency", currency="ETH")
        assert [one["type"] for one in history["settlements"]] == [
            "settlement",
            "delivery",
            "delivery",
        ]

        # Trading goes on after the pause.
        venue.exchange.settling_until_ms = venue.now_ms()
        await bought(client, PERPETUAL, 10)


class TestTheLedger:
    async def test_rows_come_in_pages_newest_first(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            for price in ("0.031", "0.032", "0.033"):
                rest(venue, Side.SELL, "1", price)
                await client.ask(
                    "private/buy", instrument_name=OPTION, amount=1, price=float(price)
                )
            page = await client.ask("private/get_transaction_log", **EVER, count=2)
            assert [row["price"] for row in page["logs"]] == [0.033, 0.032]
            rest_of = await client.ask(
                "private/get_transaction_log", **EVER, count=2, continuation=page["continuation"]
            )
            assert [row["price"] for row in rest_of["logs"]] == [0.031]
            assert rest_of["continuation"] is None
            assert await the_log(client, currency="BTC") == []
            assert await the_log(client, query="settlement") == []
            assert len(await the_log(client, query="taker")) == 3
            now_ms = venue.now_ms()
            assert await the_log(client, start_timestamp=now_ms + 1_000) == []
            code, _ = await refusal(client, "private/get_transaction_log", currency="ETH")
            assert code == -32602

    async def test_a_trade_says_what_it_did_to_the_balance(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            rest(venue, Side.SELL, "2", "0.03")
            placed = await client.ask("private/buy", instrument_name=OPTION, amount=2, price=0.03)
            (row,) = await the_log(client)
            assert (row["side"], row["amount"], row["position"]) == ("open buy", 2.0, 2.0)
            assert row["order_id"] == placed["order"]["order_id"]
            assert row["trade_id"] == placed["trades"][0]["trade_id"]
            # Premium 0.06 and fee 0.0006 of 100 ETH; the options are worth 0.0312 each.
            assert (row["cashflow"], row["commission"]) == (-0.06, 0.0006)
            assert (row["change"], row["balance"]) == (-0.0606, 99.9394)
            assert row["equity"] == pytest.approx(99.9394 + 0.0624)
            assert row["user_role"] == "taker"
            assert row["interest_pl"] is row["info"] is None
            assert "total_interest_pl" not in row

    async def test_funding_shows_at_once_and_is_settled(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            rest(venue, Side.SELL, "2850", "2850", PERPETUAL)
            await client.ask("private/buy", instrument_name=PERPETUAL, amount=2850, price=2850)
            venue.exchange.accrue_funding(PERPETUAL, Decimal("0.000001"))

            async def held() -> dict[str, Any]:
                (position,) = await client.ask("private/get_positions", currency="ETH")
                assert isinstance(position, dict)
                return position

            # 2850 USD at 0.000001 ETH a dollar, and a fee of 0.05 % of one ETH.
            assert (await held())["realized_funding"] == -0.00285
            summary = await client.ask("private/get_account_summary", currency="ETH")
            assert summary["balance"] == 99.9995
            assert summary["equity"] == pytest.approx(99.99665)
            ticker = await client.ask("public/ticker", instrument_name=PERPETUAL)
            assert ticker["interest_value"] == 0.000001
            settle_session(venue.exchange, venue.now_ms())
            row = (await the_log(client))[-1]
            assert (row["type"], row["interest_pl"], row["session_rpl"]) == (
                "settlement",
                -0.00285,
                0.0,
            )
            assert row["balance"] == 99.99665
            assert (await held())["realized_funding"] == 0.0
            only = await client.ask(
                "private/get_settlement_history_by_instrument",
                instrument_name=PERPETUAL,
                type="settlement",
            )
            assert [one["funding"] for one in only["settlements"]] == [-0.00285]

    async def test_funding_rates_can_be_read_of_perpetuals_only(self) -> None:
        async with scripted_venue() as venue, connected(venue, login=False) as client:
            terms = {"instrument_name": PERPETUAL, "start_timestamp": 0, "end_timestamp": 10**14}
            assert await client.ask("public/get_funding_rate_value", **terms) == 0
            assert await client.ask("public/get_funding_rate_history", **terms) == []
            chart = await client.ask(
                "public/get_funding_chart_data", instrument_name=PERPETUAL, length="8h"
            )
            assert chart["interest_8h"] == 1.7e-05
            answer = await refusal(
                client, "public/get_funding_rate_value", **(terms | {"instrument_name": OPTION})
            )
            assert answer[0] == -32602


class TestMargin:
    async def test_an_order_beyond_the_available_funds_is_10009(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            # 100 ETH at 2850 and 50 times leverage are 14,250,000 USD.
            terms = {"instrument_name": PERPETUAL, "price": 2800}
            answer = await refusal(client, "private/buy", **terms, amount=14_250_001)
            assert answer == (10009, "not_enough_funds")
            await client.ask("private/buy", **terms, amount=7_125_000)
            summary = await client.ask("private/get_account_summary", currency="ETH")
            assert summary["initial_margin"] == pytest.approx(50)
            assert summary["available_funds"] == pytest.approx(50)
            assert summary["maintenance_margin"] == 0

    async def test_positions_show_theirs(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            rest(venue, Side.BUY, "1", "0.03")
            await client.ask("private/sell", instrument_name=OPTION, amount=1, price=0.03)
            (short,) = await client.ask("private/get_positions", currency="ETH")
            # A call in the money: 0.15 + 0.0312 and 0.075 + 0.0312.
            assert short["initial_margin"] == pytest.approx(0.1812)
            assert short["maintenance_margin"] == pytest.approx(0.1062)


class TestComingBack:
    async def restarted(self, path: Path, *, with_orders: bool) -> None:
        options: dict[str, Any] = {"state_path": path, "restore_orders": with_orders}
        # The venue goes first, so it is its end that breaks the line, not the client's.
        async with AsyncExitStack() as lines, morning_venue(HOUR_MS, **options) as venue:
            client = await lines.enter_async_context(connected(venue))
            await client.ask("private/enable_cancel_on_disconnect")
            await bought(client, LATER, 2)
            placed = await client.ask(
                "private/buy", instrument_name=LATER, amount=1, price=0.0001, label="mine"
            )
            order_id = placed["order"]["order_id"]
            account = venue.account
            trades = await client.ask("private/get_user_trades_by_currency", currency="ETH")
            log = await the_log(client)
            ended_ms = venue.now_ms()
        async with morning_venue(0, **options) as venue, connected(venue) as client:
            assert venue.account == account
            assert ended_ms <= venue.now_ms() < ended_ms + 60_000
            (held,) = await client.ask("private/get_positions", currency="any")
            assert (held["instrument_name"], held["size"]) == (LATER, 2.0)
            assert held["mark_price"] > 0
            again = await client.ask("private/get_user_trades_by_currency", currency="ETH")
            assert again == trades
            assert await the_log(client) == log
            stated = await client.ask("private/get_order_state", order_id=order_id)
            assert stated["order_state"] == ("open" if with_orders else "cancelled")
            open_orders = await client.ask("private/get_open_orders")
            assert len(open_orders) == with_orders
            # Somebody holds it, so the market trades it without being asked.
            assert LATER in venue.protocol._watched_ms
            newer = await bought(client, LATER, 1)
            assert newer["order_id"] != order_id

    async def test_with_its_orders(self, tmp_path: Path) -> None:
        await self.restarted(tmp_path / "venue.json", with_orders=True)

    async def test_without_its_orders(self, tmp_path: Path) -> None:
        await self.restarted(tmp_path / "venue.json", with_orders=False)

    async def test_the_market_lives_through_the_outage(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "venue.json"
        async with morning_venue(5_000, state_path=path) as venue, connected(venue) as client:
            await bought(client, EXPIRING, 1)
        # The machine's clock stands a minute later when the venue comes back.
        wall_ns = time.time_ns
        monkeypatch.setattr("mmbot.sim.wire.world.time.time_ns", lambda: wall_ns() + 60 * 10**9)
        async with morning_venue(0, state_path=path) as venue, connected(venue) as client:
            assert venue.now_ms() > EIGHT_MS + 50_000
            assert EXPIRING in venue.exchange.expired
            assert await client.ask("private/get_positions", currency="any") == []
            assert [row["type"] for row in await the_log(client)] == ["trade", "delivery"]

    @pytest.mark.parametrize("content", [b"", b"{}", b"\x00\x01garbage"])
    async def test_a_file_that_is_something_else_is_refused(
        self, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "other.json"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"other\.json: is no saved venue"):
            async with morning_venue(0, state_path=path):
                pass
        assert path.read_bytes() == content

    async def test_a_place_that_cannot_be_written_is_refused_at_the_start(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match="cannot be written"):
            async with morning_venue(0, state_path=tmp_path / "nowhere" / "venue.json"):
                pass


async def test_an_order_that_ended_with_its_instrument_cannot_be_moved_any_more() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        resting = await client.ask(
            "private/buy", instrument_name=OPTION, amount=1, price=0.02, label="mine"
        )
        venue.exchange.close(OPTION, Decimal(2850), venue.now_ms(), {})
        venue.publish()
        order_id = resting["order"]["order_id"]
        told = await refusal(client, "private/edit", order_id=order_id, amount=2, price=0.02)
        assert told == (11044, "not_open_order")
