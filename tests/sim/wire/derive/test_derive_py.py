"""derive-py, the venue's own client, trades on the simulated Derive.

A test extra: `pip install mmbot[judges]` brings it, with web3 and pandas. Its models are strict, so
every answer is read to the last field.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.sim.wire.server import Venue
from tests.sim.wire.derive.judges import printed_and_run
from tests.sim.wire.derive.venue import served, within
from tests.wire.venue import until

pytest.importorskip("derive_py", reason="the judges extra is not installed")

OPTION = "ETH-20250606-2800-C"
CALLS = 10


@asynccontextmanager
async def trading() -> AsyncIterator[tuple[Venue, Any]]:
    from derive_py import WebSocketClient
    from derive_py.config import CONFIGS
    from derive_py.data_types import Chain, ClientConfig

    async with served() as (venue,):
        at = venue.endpoints
        theirs = CONFIGS[Chain.SEPOLIA]
        CONFIGS[Chain.SEPOLIA] = theirs.model_copy(
            update={"base_url": at.rest, "ws_address": at.ws}
        )
        config = ClientConfig(
            chain=Chain.SEPOLIA,
            session_key=at.login["session_key"],
            wallet=at.login["wallet"],
            subaccount_id=at.login["subaccount_id"],
        )
        try:
            async with WebSocketClient(config) as client:
                yield venue, client
        finally:
            CONFIGS[Chain.SEPOLIA] = theirs


def terms(price: str, **more: Any) -> Any:
    from derive_py.data_types.generated_models import Direction

    return {
        "instrument_name": OPTION,
        "direction": Direction.buy,
        "amount": Decimal(1),
        "limit_price": Decimal(price),
        **more,
    }


async def test_it_logs_in_and_reads_its_account_and_every_instrument() -> None:
    for _ in range(2):
        async with trading() as (venue, client):
            login = venue.endpoints.login
            assert client.account.state.subaccount_ids == [login["subaccount_id"]]
            assert client.account.state.cancel_on_disconnect is False
            assert len(client.markets.option_instruments_cache) > 5_000
            for _ in range(CALLS):
                await within(client.authenticate())
                state = await within(client.fetch_subaccount(login["subaccount_id"]))
                assert state.state.subaccount_value == "250000"
            universe = client.markets.perp_instruments_cache["ETH-PERP"].risk_universe_id
            assert universe == state.state.risk_universe_id


async def test_it_places_replaces_and_cancels_by_label() -> None:
    async with trading() as (_, client):
        for number in range(CALLS):
            made = await within(client.orders.create(**terms("50", label=f"a{number}")))
            assert made.order.order_status.value == "open"
            moved = await within(
                client.orders.replace(
                    **terms("51", label=f"b{number}"), order_id_to_cancel=made.order.order_id
                )
            )
            assert moved.create_order_error is None
            assert moved.cancelled_order.order_id == made.order.order_id
            assert moved.order.replaced_order_id == made.order.order_id
            assert [one.label for one in await within(client.orders.list_open())] == [f"b{number}"]
            told = await within(
                client.orders.cancel_by_label(label=f"b{number}", instrument_name=OPTION)
            )
            assert told.cancelled_orders == 1


async def test_its_cancel_on_disconnect_is_kept_and_takes_its_orders() -> None:
    async with trading() as (venue, client):
        for number in range(CALLS):
            assert await within(client.set_cancel_on_disconnect(number % 2 == 1)) == "ok"
            account = await within(client.account.refresh())
            assert account.state.cancel_on_disconnect is (number % 2 == 1)
        await within(client.orders.create(**terms("50")))
        resting = venue.exchange.accounts[venue.account].open_orders
        assert len(resting) == 1
        await client.disconnect()
        await until(lambda: not resting)


async def test_it_follows_a_book() -> None:
    async with trading() as (_, client):
        books: list[Any] = []
        came = asyncio.Event()

        async def hear(book: Any) -> None:
            books.append(book)
            if len(books) >= CALLS:
                came.set()

        await within(
            client.public_channels.orderbook_group_depth_by_instrument_name(OPTION, 1, 10, hear)
        )
        await within(came.wait())
        ids = [one.publish_id for one in books]
        assert ids == sorted(ids)
        assert all(Decimal(one.bids[0][0]) < Decimal(one.asks[0][0]) for one in books)


def test_the_printed_snippet_runs_as_printed(tmp_path: Path) -> None:
    printed_and_run("derive-py", tmp_path)
