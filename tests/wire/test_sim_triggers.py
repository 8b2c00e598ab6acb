"""Trigger orders at the simulated Deribit: other people's stops on the account we trade on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import TimeInForce
from mmbot.sim.wire.deribit.triggers import Trigger, TriggerOrder, TriggerType
from mmbot.sim.wire.server import SimVenue
from tests.wire.venue import (
    BTC_PERPETUAL,
    OPTION,
    PERPETUAL,
    PlainClient,
    Refused,
    connected,
    perpetual,
    rest,
    scripted_venue,
)

STOP = {
    "instrument_name": PERPETUAL,
    "amount": 10,
    "type": "stop_market",
    "trigger": "last_price",
    "trigger_price": 2800,
}


async def stop(client: PlainClient, side: str = "sell", **changes: Any) -> dict[str, Any]:
    wish = {name: value for name, value in (STOP | changes).items() if value is not None}
    answer = await client.ask(f"private/{side}", **wish)
    assert answer["trades"] == []
    order: dict[str, Any] = answer["order"]
    return order


async def trade_at(venue: SimVenue, client: PlainClient, price: str) -> None:
    """The last price of the perpetual becomes that; the account buys one contract."""
    rest(venue, Side.SELL, "1", price, PERPETUAL)
    await client.ask("private/buy", instrument_name=PERPETUAL, amount=1, price=float(price))


async def test_a_stop_waits_untriggered_among_the_open_orders() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        order = await stop(client, label="theirs")
        assert order["order_id"] == "ETH-SLTS-1"
        assert order["order_state"] == "untriggered"
        assert order["price"] == "market_price"
        assert (order["trigger"], order["trigger_price"]) == ("last_price", 2800)
        assert not {"filled_amount", "average_price"} & order.keys()
        assert await client.ask("private/get_open_orders") == [order]
        assert await client.ask("private/get_order_state", order_id=order["order_id"]) == order
        assert await client.ask(
            "private/get_order_state_by_label", currency="ETH", label="theirs"
        ) == [order]
        assert not venue.exchange.orders


@pytest.mark.parametrize(
    ("type_", "side", "trigger", "order_id"),
    [
        ("stop_market", "buy", "index_price", "ETH-SLIB-1"),
        ("stop_limit", "sell", "mark_price", "ETH-SLMS-1"),
        ("take_market", "sell", "last_price", "ETH-TPTS-1"),
        ("take_limit", "buy", "mark_price", "ETH-TPMB-1"),
        ("trailing_stop", "sell", "mark_price", "ETH-TSMS-1"),
    ],
)
async def test_every_type_can_be_placed(type_: str, side: str, trigger: str, order_id: str) -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        trails = type_ == "trailing_stop"
        # Far enough that none of them triggers at once.
        away = {"stop": {"buy": 3000, "sell": 2000}, "take": {"buy": 2000, "sell": 3000}}
        order = await stop(
            client,
            side,
            type=type_,
            trigger=trigger,
            trigger_price=None if trails else away[type_.partition("_")[0]][side],
            trigger_offset=100 if trails else None,
            price=2500 if type_.endswith("_limit") else None,
        )
        assert order["order_id"] == order_id
        assert order["order_type"] == type_
        assert order["price"] == (2500 if type_.endswith("_limit") else "market_price")
        venue.protocol.tick()
        assert [one["order_state"] for one in await client.ask("private/get_open_orders")] == [
            "untriggered"
        ]


async def test_a_stop_is_told_on_the_accounts_channels() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        channels = ["user.orders.any.any.raw", f"user.changes.{PERPETUAL}.raw"]
        await client.ask("private/subscribe", channels=channels)
        order = await stop(client)
        assert await client.push(channels[0]) == order
        change = await client.push(channels[1])
        assert change["orders"] == [order]
        assert change["trades"] == change["positions"] == []
        await client.ask("private/cancel", order_id=order["order_id"])
        ended = await client.push(channels[0], 2)
        assert (ended["order_state"], ended["cancel_reason"]) == ("cancelled", "user_request")


@pytest.mark.parametrize(
    ("method", "params", "count"),
    [
        ("private/cancel_all", {}, 3),
        ("private/cancel_all_by_instrument", {"instrument_name": PERPETUAL}, 2),
        ("private/cancel_all_by_instrument", {"instrument_name": PERPETUAL, "type": "limit"}, 0),
        ("private/cancel_all_by_currency", {"currency": "ETH", "type": "trigger_all"}, 2),
        ("private/cancel_all_by_currency", {"currency": "ETH", "type": "take"}, 0),
        ("private/cancel_all_by_currency", {"currency": "ETH", "kind": "option"}, 0),
        ("private/cancel_all_by_kind_or_type", {"currency": "any", "type": "trailing_stop"}, 1),
        ("private/cancel_all_by_kind_or_type", {"currency": "any", "type": "stop"}, 2),
        ("private/cancel_by_label", {"label": "theirs"}, 1),
        ("private/cancel_by_label", {"label": "theirs", "currency": "BTC"}, 0),
    ],
)
async def test_those_meant_are_cancelled(method: str, params: dict[str, Any], count: int) -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        await stop(client, label="theirs")
        await stop(client, type="trailing_stop", trigger_price=None, trigger_offset=50)
        await stop(client, instrument_name=BTC_PERPETUAL, trigger_price=90_000)
        assert await client.ask(method, **params) == count
        assert len(await client.ask("private/get_open_orders")) == 3 - count


async def test_only_the_type_asked_for_is_listed() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
        await stop(client)

        async def types(**params: Any) -> list[str]:
            rows = await client.ask("private/get_open_orders", **params)
            return [row["order_type"] for row in rows]

        assert await types() == ["limit", "stop_market"]
        assert await types(type="limit") == ["limit"]
        assert await types(type="stop_all") == ["stop_market"]
        assert await types(type="take_all") == []
        assert await types(kind="option") == ["limit"]
        by_name = await client.ask(
            "private/get_open_orders_by_instrument", instrument_name=PERPETUAL
        )
        assert [row["order_type"] for row in by_name] == ["stop_market"]


async def test_a_stop_becomes_an_order_when_its_price_has_come() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        await client.ask("private/subscribe", channels=["user.orders.any.any.raw"])
        waiting = await stop(client, type="stop_limit", price=2790, trigger_price=2800)
        await trade_at(venue, client, "2850")
        venue.protocol.tick()
        assert len(await client.ask("private/get_open_orders")) == 1
        await trade_at(venue, client, "2799")
        venue.protocol.tick()

        def states() -> list[str]:
            told = client.pushed("user.orders.any.any.raw")
            return [one["order_state"] for one in told if one["order_id"] == waiting["order_id"]]

        await client.until(lambda: states() == ["untriggered", "triggered"])
        (order,) = await client.ask("private/get_open_orders")
        assert (order["order_type"], order["price"], order["order_state"]) == (
            "limit",
            2790,
            "open",
        )
        assert order["trigger_order_id"] == waiting["order_id"]
        history = await client.ask("private/get_trigger_order_history", currency="ETH")
        (entry,) = history["entries"]
        assert entry["order_state"] == "triggered"
        assert entry["trigger_order_id"] == waiting["order_id"]
        assert entry["order_id"] == order["order_id"]


async def test_a_trailing_stop_follows_the_price_and_fires_behind_it() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        rest(venue, Side.BUY, "100", "2700", PERPETUAL)
        await trade_at(venue, client, "2850")
        order = await stop(client, type="trailing_stop", trigger_price=None, trigger_offset=50)
        assert order["trigger_reference_price"] == 2850
        for price, waits in (("2900", True), ("2851", True), ("2850", False)):
            await trade_at(venue, client, price)
            venue.protocol.tick()
            assert bool(await client.ask("private/get_open_orders")) is waits
        # It sold at the market: 10 of the 4 bought, so the account is short.
        held = await client.ask("private/get_position", instrument_name=PERPETUAL)
        assert held["size"] == 4 - 10


async def test_the_history_comes_in_pages_newest_first() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        ids = [(await stop(client))["order_id"] for _ in range(3)]
        for order_id in ids:
            await client.ask("private/cancel", order_id=order_id)
        ask = {"currency": "ETH", "count": 2}
        first = await client.ask("private/get_trigger_order_history", **ask)
        assert [one["trigger_order_id"] for one in first["entries"]] == [ids[2], ids[1]]
        assert first["entries"][0]["request"] == "cancel"
        rest_of_it = await client.ask(
            "private/get_trigger_order_history", **ask, continuation=first["continuation"]
        )
        assert [one["trigger_order_id"] for one in rest_of_it["entries"]] == [ids[0]]
        assert "continuation" not in rest_of_it
        other = await client.ask("private/get_trigger_order_history", currency="BTC")
        assert other["entries"] == []


@pytest.mark.parametrize(
    "missing", [{"trigger": None}, {"trigger_price": None}, {"trigger": "fair_price"}]
)
async def test_what_a_stop_needs_is_asked_for(missing: dict[str, Any]) -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        with pytest.raises(Refused, match="-32602"):
            await stop(client, **missing)
        assert await client.ask("private/get_open_orders") == []


async def test_a_stop_of_a_broken_connection_goes_with_it_if_it_asked_for_that() -> None:
    async with scripted_venue() as venue, connected(venue) as watching:
        async with connected(venue) as client:
            await stop(client)
        async with connected(venue) as client:
            await client.ask("private/enable_cancel_on_disconnect")
            await stop(client)
        rows = await watching.ask("private/get_open_orders")
        assert [row["order_id"] for row in rows] == ["ETH-SLTS-1"]


async def test_stops_end_with_their_instrument() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        await client.ask("private/subscribe", channels=["user.orders.any.any.raw"])
        order = await stop(client)
        venue.close_instrument(PERPETUAL)
        ended = await client.push("user.orders.any.any.raw", 2)
        assert ended["order_id"] == order["order_id"]
        assert ended["order_state"] == "cancelled"


def test_whom_a_price_triggers() -> None:
    """A buy stop and a sell take wait for a rise, a sell stop and a buy take for a fall."""
    one = TriggerOrder(
        order_id="ETH-SLMB-1",
        account="theirs",
        listing=perpetual(),
        side=Side.BUY,
        type=TriggerType.STOP_MARKET,
        trigger=Trigger.MARK,
        trigger_price=Decimal(100),
        offset=None,
        reference=None,
        price=None,
        amount=Decimal(1),
        label="",
        post_only=False,
        reject_post_only=False,
        reduce_only=False,
        time_in_force=TimeInForce.GTC,
        created_ms=0,
        updated_ms=0,
    )
    rising = [
        (Side.BUY, TriggerType.STOP_MARKET),
        (Side.BUY, TriggerType.STOP_LIMIT),
        (Side.SELL, TriggerType.TAKE_MARKET),
        (Side.SELL, TriggerType.TAKE_LIMIT),
    ]
    for side in Side:
        for type_ in set(TriggerType) - {TriggerType.TRAILING_STOP}:
            order = replace(one, side=side, type=type_)
            fired = [order.has_come(price) for price in (99.0, 100.0, 101.0)]
            rises = (side, type_) in rising
            assert fired == ([False, True, True] if rises else [True, True, False])
