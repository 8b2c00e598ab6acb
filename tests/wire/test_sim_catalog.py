"""Combos and spot at the simulated Deribit: listed and told of, but not traded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from mmbot.sim.exchange.listing import Kind, Listing
from mmbot.sim.exchange.settlement import deliver
from mmbot.sim.wire.deribit.catalog import Catalog, combo_name
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.wire.venue import (
    OPTION,
    PERPETUAL,
    PUT,
    UNLIMITED,
    PlainClient,
    Refused,
    connected,
    option,
    perpetual,
    scripted_venue,
)

CALL_SPREAD = {"ETH-6JUN25-2800-C": 1, "ETH-6JUN25-2900-C": -1}
NEWS = "instrument.state.any.any"


def with_higher_strike(venue: SimVenue) -> None:
    venue.exchange.list(option("ETH-6JUN25-2900-C"))


async def untraded(client: PlainClient, **params: Any) -> dict[str, dict[str, Any]]:
    rows = await client.ask("public/get_instruments", **params)
    return {row["instrument_name"]: row for row in rows if row["kind"] not in ("option", "future")}


def a_future(name: str = "BTC-27JUN25") -> Listing:
    return perpetual(name, kind=Kind.FUTURE, expiry_ms=1_751_011_200_000)


@pytest.mark.parametrize(
    ("legs", "name"),
    [
        ([(a_future(), 1), (perpetual("BTC-PERPETUAL"), -1)], "BTC-FS-27JUN25_PERP"),
        ([(option(), 1), (option("ETH-6JUN25-2900-C"), -1)], "ETH-CS-6JUN25-2800_2900"),
        ([(option(PUT), 1), (option("ETH-6JUN25-2900-P"), -1)], "ETH-PS-6JUN25-2800_2900"),
        ([(option(PUT), 1), (option("ETH-6JUN25-2900-C"), 1)], "ETH-STRG-6JUN25-2800_2900"),
    ],
)
def test_combos_have_the_names_the_venue_gives_them(
    legs: list[tuple[Listing, int]], name: str
) -> None:
    assert combo_name(legs) == name


async def test_combos_and_spot_are_listed_from_the_start() -> None:
    async with SimVenue(VenueOptions(rules=UNLIMITED)) as venue, connected(venue) as client:
        listed = await untraded(client)
        kinds = {row["kind"] for row in listed.values()}
        assert {"spot", "option_combo"} <= kinds <= {"spot", "option_combo", "future_combo"}
        spot = listed["ETH_USDC"]
        assert (spot["base_currency"], spot["quote_currency"]) == ("ETH", "USDC")
        assert "settlement_period" not in spot
        assert (await untraded(client, currency="USDC", kind="spot")).keys() == {
            "BTC_USDC",
            "ETH_USDC",
            "SOL_USDC",
        }
        assert await untraded(client, kind="spot", currency="ETH") == {}
        assert await untraded(client, expired="true") == {}
        for name, row in listed.items():
            assert await client.ask("public/get_instrument", instrument_name=name) == row


async def test_one_seed_lists_the_same_combos() -> None:
    async def listed(seed: int) -> list[str]:
        async with SimVenue(VenueOptions(rules=UNLIMITED, seed=seed)) as venue:
            return [one["id"] for one in venue.protocol.catalog.combos(None)]

    assert await listed(3) == await listed(3)
    assert await listed(3) != await listed(4)


@pytest.mark.parametrize(
    ("channel", "hears"),
    [
        (NEWS, True),
        ("instrument.state.combo.ETH", True),
        ("instrument.state.option_combo.any", True),
        ("instrument.state.option.any", False),
        ("instrument.state.combo.BTC", False),
    ],
)
async def test_a_new_combo_is_told(channel: str, hears: bool) -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        assert await client.subscribe(channel) == [channel]
        with_higher_strike(venue)
        name = venue.list_combo(CALL_SPREAD)
        assert name == "ETH-CS-6JUN25-2800_2900"
        if not hears:
            await client.ask("public/test")
            assert client.pushed(channel) == []
            return
        await client.push(channel, 2)
        told = client.pushed(channel)
        assert [one["state"] for one in told] == ["created", "started"]
        assert {one["instrument_name"] for one in told} == {name}
        row = (await untraded(client))[name]
        assert row["kind"] == "option_combo"
        assert row["settlement_currency"] == "ETH"
        assert "strike" not in row


async def test_combos_come_by_themselves_now_and_then() -> None:
    """Sixty an hour for ten minutes: about ten, less those drawn twice or not drawable."""
    async with SimVenue(VenueOptions(rules=UNLIMITED)) as venue:
        venue.freeze()
        moment_ms = venue.now_ms()
        protocol = venue.protocol
        protocol.now_us = lambda: moment_ms * 1000
        catalog = Catalog(protocol, Random("60 an hour"), 60.0)
        at_start = len(catalog.combos(None))
        for _ in range(600):
            moment_ms += 1000
            catalog.look()
        assert 3 <= len(catalog.combos(None)) - at_start <= 20


async def test_a_combo_ends_with_its_first_leg() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        with_higher_strike(venue)
        name = venue.list_combo(CALL_SPREAD)
        await client.subscribe(NEWS)
        deliver(venue.exchange, OPTION, Decimal(2850), venue.now_ms())
        venue.publish()
        await client.until(
            lambda: (
                {"state": "closed", "instrument_name": name}
                in [
                    {key: one[key] for key in ("state", "instrument_name")}
                    for one in client.pushed(NEWS)
                ]
            )
        )
        assert name not in await untraded(client)


async def test_a_combo_is_described_by_its_legs() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        with_higher_strike(venue)
        name = venue.list_combo(CALL_SPREAD)
        details = await client.ask("public/get_combo_details", combo_id=name)
        assert details["legs"] == [
            {"instrument_name": leg, "amount": amount} for leg, amount in CALL_SPREAD.items()
        ]
        assert details["state"] == "active"
        assert details in await client.ask("public/get_combos", currency="ETH")
        assert name in await client.ask("public/get_combo_ids", currency="ETH")
        assert await client.ask("public/get_combo_ids", currency="BTC") == []
        with pytest.raises(Refused, match="13020"):
            await client.ask("public/get_combo_details", combo_id=PERPETUAL)


async def test_its_market_is_empty_but_valid() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        with_higher_strike(venue)
        name = venue.list_combo(CALL_SPREAD)
        book = await client.ask("public/get_order_book", instrument_name=name)
        assert book["bids"] == book["asks"] == []
        ticker = await client.ask("public/ticker", instrument_name=name)
        assert (ticker["state"], ticker["last_price"]) == ("open", None)
        # Both legs have the same mark in the scripted market.
        assert ticker["mark_price"] == 0.0
        channels = [
            f"book.{name}.raw",
            f"book.{name}.none.1.100ms",
            f"ticker.{name}.100ms",
            f"quote.{name}",
            f"trades.{name}.raw",
        ]
        assert await client.subscribe(*channels) == channels
        snapshot = await client.push(channels[0])
        assert (snapshot["type"], snapshot["bids"], snapshot["asks"]) == ("snapshot", [], [])
        assert (await client.push(channels[1]))["bids"] == []
        assert (await client.push(channels[2]))["instrument_name"] == name
        assert (await client.push(channels[3]))["best_ask_amount"] == 0.0


@pytest.mark.parametrize(
    "method",
    [
        "private/get_open_orders_by_instrument",
        "private/get_order_history_by_instrument",
        "private/get_user_trades_by_instrument",
        "public/get_last_trades_by_instrument",
    ],
)
async def test_nothing_is_found_in_them(method: str) -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        with_higher_strike(venue)
        name = venue.list_combo(CALL_SPREAD)
        found = await client.ask(method, instrument_name=name)
        assert found in ([], {"trades": [], "has_more": False})
        with pytest.raises(Refused, match="13020"):
            await client.ask(method, instrument_name="ETH-CS-6JUN25-1_2")


async def test_orders_in_them_are_refused_politely() -> None:
    async with SimVenue(VenueOptions(rules=UNLIMITED)) as venue, connected(venue) as client:

        async def refusal(ask: Callable[..., Awaitable[Any]], **params: Any) -> Refused:
            with pytest.raises(Refused) as caught:
                await ask("private/buy", **params)
            return caught.value

        error = await refusal(client.ask, instrument_name="ETH_USDC", amount=1, price=2000)
        assert (error.code, error.message) == (11030, "other_reject")
        assert error.data["param"] == "instrument_name"
