"""Order entry over the WebSocket: what goes on the wire, to the digit, and what comes back."""

import asyncio
import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt.pro
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.core.events import Link
from mmbot.core.intents import Place
from mmbot.core.types import MS, InstrumentId, Label, Side, TimeInForce
from mmbot.core.why import Why
from mmbot.venues.deribit import amend, cancel, orders, place
from mmbot.venues.deribit.orders import number
from mmbot.venues.shell import encoded
from tests.wire.clients import HandClock, ours
from tests.wire.scripted import (
    LIMITS,
    SILENCE,
    SYMBOL,
    Connection,
    Refused,
    Scripted,
    order,
    until,
    with_markets,
)

OPTION = "ETH/USD:ETH-250606-2800-C"
NOW_MS = 1_700_000_000_000


def wire_text(params: dict[str, Any], key: str) -> str:
    """The text of one number as it goes on the wire."""
    found = re.search(rf'"{key}":([^,}}]*)', encoded(params).decode())
    assert found is not None
    return found[1]


class TestNumbersOnTheWire:
    # Every tick and lot Deribit lists, and finer: two of them, so that ladders are crossed.
    TICKS = ("0.0001", "0.0005", "0.00000001", "0.001", "0.01", "0.05", "0.5", "1", "2.5", "10")

    @given(tick=st.sampled_from(TICKS), ticks=st.integers(1, 2_000_000))
    def test_are_the_decimals_digits(self, tick: str, ticks: int) -> None:
        value = Decimal(tick) * ticks
        _, params = place(
            Side.BUY, "X", value, value, label="l", post_only=True, valid_until_ms=NOW_MS
        )
        for key in ("price", "amount"):
            text = wire_text(params, key)
            assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", text), text
            assert Decimal(text) == value

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("0.0130", "0.0130"),
            ("1E-4", "0.0001"),
            ("1E-8", "0.00000001"),
            ("1E+1", "10"),
            ("2.5E+5", "250000"),
            ("123456789.123456789123", "123456789.123456789123"),
        ],
    )
    def test_have_no_exponent_and_lose_no_digit(self, value: str, text: str) -> None:
        assert encoded({"n": number(Decimal(value))}).decode() == f'{{"n":{text}}}'

    def test_would_not_be_so_as_floats(self) -> None:
        assert orjson.dumps(float(Decimal("1E-8"))) == b"1e-8"
        assert orjson.dumps(3 * 0.0001) == b"0.00030000000000000003"

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
    def test_are_numbers(self, value: str) -> None:
        with pytest.raises(AssertionError):
            number(Decimal(value))


class TestCalls:
    def build(self, **over: Any) -> dict[str, Any]:
        terms: dict[str, Any] = {"label": "mm1-1", "post_only": True, "valid_until_ms": 5}
        method, params = place(
            Side.SELL, "ETH-PERPETUAL", Decimal(10), Decimal("2850.5"), **{**terms, **over}
        )
        return {"method": method, **json.loads(encoded(params))}

    def test_place(self) -> None:
        assert self.build() == {
            "method": "private/sell",
            "instrument_name": "ETH-PERPETUAL",
            "amount": 10,
            "price": 2850.5,
            "type": "limit",
            "time_in_force": "good_til_cancelled",
            "label": "mm1-1",
            "post_only": True,
            "reject_post_only": True,
            "valid_until": 5,
        }

    def test_the_post_only_flags_are_stated_when_they_are_false_too(self) -> None:
        taking = self.build(post_only=False, time_in_force="immediate_or_cancel", reduce_only=True)
        assert (taking["post_only"], taking["reject_post_only"]) == (False, False)
        assert taking["time_in_force"] == "immediate_or_cancel"
        assert taking["reduce_only"] is True
        repriced = self.build(reject_post_only=False)
        assert (repriced["post_only"], repriced["reject_post_only"]) == (True, False)

    def test_a_market_order_has_no_price(self) -> None:
        method, params = place(
            Side.BUY, "X", Decimal(1), None, label="", post_only=False, valid_until_ms=5
        )
        assert method == "private/buy"
        assert params["type"] == "market"
        assert "price" not in params
        assert "label" not in params

    def test_amend(self) -> None:
        method, params = amend(
            "1001", Decimal("1.5"), Decimal("0.0135"), post_only=True, valid_until_ms=5
        )
        assert method == "private/edit"
        assert json.loads(encoded(params)) == {
            "order_id": "1001",
            "amount": 1.5,
            "price": 0.0135,
            "post_only": True,
            "reject_post_only": True,
            "valid_until": 5,
        }

    def test_amend_of_the_size_alone(self) -> None:
        _, params = amend("1", Decimal(1), None, post_only=False, valid_until_ms=5)
        assert "price" not in params
        assert params["post_only"] is False
        assert params["reject_post_only"] is False

    def test_cancel(self) -> None:
        assert cancel("1001") == ("private/cancel", {"order_id": "1001"})

    def test_a_label_too_long_for_the_venue_is_a_bug(self) -> None:
        with pytest.raises(AssertionError):
            self.build(label="x" * 65)


def trading(venue: Scripted) -> Connection:
    """The connection that is signed in for trading."""
    return next(c for c in venue.connections if "private/get_account_summaries" in c.methods())


def sent(venue: Scripted, method: str) -> dict[str, Any]:
    """The parameters of the only call of `method`, without those that `only` repeats."""
    (params,) = trading(venue).calls(method)
    return params


class TestCcxtStyle:
    async def test_create(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/buy", {"order": order(label="me"), "trades": []})
            async with ours(venue, now_ms=lambda: NOW_MS) as (client, notes):
                got = await client.create_order_ws(
                    OPTION, "limit", "buy", 2, 0.01314, {"clientOrderId": "me", "postOnly": True}
                )
                assert got["id"] == "1001"
                assert got["clientOrderId"] == "me"
                assert got["status"] == "open"
                assert sent(venue, "private/buy") == {
                    "instrument_name": "ETH-6JUN25-2800-C",
                    "amount": 2,
                    "price": 0.013,  # the ladder's step is 0.0005 from 0.005 up
                    "type": "limit",
                    "time_in_force": "good_til_cancelled",
                    "label": "me",
                    "post_only": True,
                    "reject_post_only": True,
                    "valid_until": NOW_MS + 4000,
                }
                assert '"price":0.013,' in trading(venue).received[-1]["text"]
                assert client.up(Link.TRADING)
                assert not client.up(Link.MARKET)
                assert not notes.faults

    async def test_create_that_trades_brings_its_trades(self) -> None:
        trade = {
            "trade_id": "T1",
            "order_id": "1001",
            "instrument_name": "BTC-PERPETUAL",
            "timestamp": NOW_MS,
            "direction": "sell",
            "price": 100.0,
            "amount": 10.0,
            "fee": 0.00005,
            "fee_currency": "BTC",
        }
        filled = order(order_state="filled", filled_amount=10.0, average_price=100.0)
        async with Scripted() as venue:
            with_markets(venue).answer("private/sell", {"order": filled, "trades": [trade]})
            async with ours(venue) as (client, _):
                got = await client.create_order_ws(SYMBOL, "market", "sell", 10)
                assert "price" not in sent(venue, "private/sell")
                assert got["status"] == "closed"
                assert [t["id"] for t in got["trades"]] == ["T1"]
                assert got["cost"] == 0.1

    async def test_edit(self) -> None:
        changed = order(replaced=True, price=101.0, amount=20.0)
        async with Scripted() as venue:
            with_markets(venue).answer("private/edit", {"order": changed, "trades": []})
            async with ours(venue, now_ms=lambda: NOW_MS) as (client, _):
                got = await client.edit_order_ws(
                    "1001", SYMBOL, "limit", "buy", 20, 101.2, {"postOnly": True, "timeout_s": 5.0}
                )
                assert (got["price"], got["amount"], got["clientOrderId"]) == (101.0, 20.0, "mm1-1")
                assert sent(venue, "private/edit") == {
                    "order_id": "1001",
                    "amount": 20,
                    "price": 101,
                    "post_only": True,
                    "reject_post_only": True,
                    "valid_until": NOW_MS + 10_000,
                }

    async def test_cancel(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/cancel", order(order_state="cancelled"))
            async with ours(venue) as (client, _):
                assert (await client.cancel_order_ws("1001", SYMBOL))["status"] == "canceled"
                assert sent(venue, "private/cancel") == {"order_id": "1001"}

    async def test_cancel_all(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/cancel_all", 7)
            venue.answer("private/cancel_all_by_instrument", 2)
            async with ours(venue) as (client, _):
                (everything,) = await client.cancel_all_orders_ws()
                (of_one,) = await client.cancel_all_orders_ws(SYMBOL)
                assert (everything["info"]["result"], of_one["info"]["result"]) == (7, 2)
                assert sent(venue, "private/cancel_all_by_instrument") == {
                    "instrument_name": "BTC-PERPETUAL"
                }

    async def test_in_camel_case_as_ccxt_has_it(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/buy", {"order": order(), "trades": []})
            async with ours(venue) as (client, _):
                assert (await client.createOrderWs(SYMBOL, "limit", "buy", 10, 1.0))["id"] == "1001"
                assert client.has["createOrderWs"]
                assert client.has["cancelAllOrdersWs"]

    @pytest.mark.parametrize(
        ("call", "kind"),
        [
            ((SYMBOL, "limit", "buy", 15, 100.0), ccxt.InvalidOrder),
            ((SYMBOL, "limit", "buy", 0, 100.0), ccxt.InvalidOrder),
            ((SYMBOL, "limit", "buy", -10, 100.0), ccxt.InvalidOrder),
            ((OPTION, "limit", "buy", 0.5, 0.01), ccxt.InvalidOrder),
            ((SYMBOL, "limit", "buy", 10, None), ccxt.ArgumentsRequired),
            ((SYMBOL, "stop_limit", "buy", 10, 100.0), ccxt.NotSupported),
            ((SYMBOL, "market", "buy", 10, None, {"postOnly": True}), ccxt.InvalidOrder),
            (
                (SYMBOL, "limit", "buy", 10, 1.0, {"postOnly": True, "timeInForce": "IOC"}),
                ccxt.InvalidOrder,
            ),
            ((SYMBOL, "limit", "buy", 10, 1.0, {"timeInForce": "DAY"}), ccxt.InvalidOrder),
            ((SYMBOL, "limit", "buy", 10, 1.0, {"clientOrderId": "x" * 65}), ccxt.InvalidOrder),
            ((SYMBOL, "limit", "buy", 10, 1.0, {"stopLossPrice": 0.5}), ccxt.NotSupported),
            (("NO/SUCH", "limit", "buy", 10, 1.0), ccxt.BadSymbol),
        ],
    )
    async def test_nonsense_does_not_leave(self, call: Any, kind: type[Exception]) -> None:
        async with Scripted() as venue, ours(with_markets(venue)) as (client, _):
            with pytest.raises(kind):
                await client.create_order_ws(*call)
            assert not venue.connections

    async def test_an_amount_of_binary_noise_is_read_by_its_digits(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/buy", {"order": order(), "trades": []})
            async with ours(venue) as (client, _):
                for amount in (0.003, "0.003", Decimal("0.003")):
                    await client.create_order_ws("BTC/USDC:USDC", "limit", "buy", amount, 50000)
                texts = [f["text"] for f in trading(venue).received[-3:]]
                assert all('"amount":0.003,' in text for text in texts)

    async def test_a_refusal_is_ccxts_error(self) -> None:
        async with Scripted() as venue:
            with_markets(venue).answer("private/buy", Refused(11054, "post_only_reject"))
            async with ours(venue) as (client, _):
                with pytest.raises(ccxt.InvalidOrder, match="11054 post_only_reject"):
                    await client.create_order_ws(SYMBOL, "limit", "buy", 10, 1.0)

    async def test_without_credentials_nothing_is_dialed(self) -> None:
        async with Scripted() as venue, ours(with_markets(venue), keys=False) as (client, _):
            with pytest.raises(ccxt.AuthenticationError):
                await client.create_order_ws(SYMBOL, "limit", "buy", 10, 1.0)
            assert not venue.connections


class TestDeadlines:
    async def test_every_call_has_one(self) -> None:
        clock = HandClock()
        async with Scripted() as venue, ours(with_markets(venue), monotonic=clock) as (client, _):
            await client.load_markets()
            await client.start([Link.TRADING])
            calls: dict[str, Callable[[], Any]] = {
                "private/buy": lambda: client.create_order_ws(SYMBOL, "limit", "buy", 10, 1.0),
                "private/edit": lambda: client.edit_order_ws("1", SYMBOL, "limit", "buy", 10, 1.0),
                "private/cancel": lambda: client.cancel_order_ws("1"),
                "private/cancel_all": lambda: client.cancel_all_orders_ws(),
            }
            for method, call in calls.items():
                venue.answer(method, SILENCE)
                waiting = asyncio.ensure_future(call())
                await until(partial(trading(venue).calls, method), "sent")
                clock.now_s += client.deadline_s + 0.1
                with pytest.raises(ccxt.RequestTimeout):
                    await waiting
            assert client.deadline_s == 2.0


class TestBudget:
    async def test_a_cancel_always_has_some(self) -> None:
        """Six at once, one a second; one is never spent and one is kept for cancels: four orders
        leave, the fifth waits, and a cancel goes past it."""
        trading_limit = {"trading": {"total": {"rate": 1, "burst": 6}}}
        limits = {**LIMITS, "matching_engine": trading_limit}
        clock = HandClock()
        async with Scripted() as venue:
            with_markets(venue).answer("private/buy", {"order": order(), "trades": []})
            venue.answer("private/cancel", order(order_state="cancelled"))
            venue.answer("private/get_account_summaries", {"summaries": [{"limits": limits}]})
            async with ours(venue, monotonic=clock, time_scale=0.01) as (client, _):
                await client.load_markets()
                await client.start([Link.TRADING])
                creates = [
                    asyncio.ensure_future(
                        client.create_order_ws(SYMBOL, "limit", "buy", 10, 1.0, {"timeout_s": 60.0})
                    )
                    for _ in range(6)
                ]
                await until(lambda: sum(task.done() for task in creates) == 4, "four placed")
                assert (await client.cancel_order_ws("1001"))["status"] == "canceled"
                await until(lambda: len(client.waits_s) > 5, "the others wait")
                assert len(trading(venue).calls("private/buy")) == 4
                clock.now_s += 4.0
                await until(lambda: all(task.done() for task in creates), "refilled")
                assert len(trading(venue).calls("private/buy")) == 6


@pytest.mark.parametrize(
    ("wanted", "said"),
    [(TimeInForce.GTC, "good_til_cancelled"), (TimeInForce.IOC, "immediate_or_cancel")],
)
def test_an_intents_time_in_force_is_what_the_venue_is_told(wanted: TimeInForce, said: str) -> None:
    """The words of the venue's own specification, private/buy, time_in_force."""
    intent = Place(
        instrument=InstrumentId("deribit:BTC-PERPETUAL"),
        label=Label("mm1-1"),
        side=Side.BUY,
        price=Decimal("101.5"),
        amount=Decimal(10),
        post_only=wanted is TimeInForce.GTC,
        reduce_only=False,
        valid_until_ns=NOW_MS * MS,
        why=Why.QUOTED,
        time_in_force=wanted,
    )
    method, told = orders.call_of(intent)
    assert method == "private/buy"
    assert told["time_in_force"] == said
    assert told["post_only"] is (wanted is TimeInForce.GTC)
