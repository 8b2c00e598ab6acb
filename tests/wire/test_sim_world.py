"""Several faces of one simulated world: one price, one clock, and accounts that are strangers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.market.chain import FAMILIES
from mmbot.sim.market.market import Market
from mmbot.sim.models.faults import FaultPlan
from mmbot.sim.wire.deribit.face import DeribitFace
from mmbot.sim.wire.server import Server, SimVenue, Venue
from mmbot.sim.wire.world import FaceOptions, World, WorldOptions
from tests.wire.test_stock_ccxt import stock_client, within
from tests.wire.venue import (
    DEADLINE_S,
    OPTION,
    PERPETUAL,
    UNLIMITED,
    PlainClient,
    Refused,
    ScriptedMarket,
    connected,
    refusal,
    rest,
    scripted_options,
    until,
)

PAIR = (FaceOptions(name="deribit", kind="deribit"), FaceOptions(name="hedge", kind="deribit"))
INDEX = "deribit_price_index.eth_usd"


@asynccontextmanager
async def served(*faces: FaceOptions, **changes: Any) -> AsyncIterator[list[Venue]]:
    """A world where nothing happens unless the test does it, with two accounts at one exchange
    unless told otherwise."""
    terms: dict[str, Any] = {"make_market": ScriptedMarket, "rules": UNLIMITED}
    options = WorldOptions(faces=faces or PAIR, **(terms | changes))
    world = World(options)
    async with Server(world, [Venue(world, face) for face in options.faces]) as server:
        yield list(server.venues)


def lively(**changes: Any) -> dict[str, Any]:
    """A world with the seeded market."""
    return {"make_market": None, **changes}


def open_orders(venue: Venue) -> list[str]:
    """The labels of what rests for the account behind a face."""
    return [one.label for one in venue.exchange.accounts[venue.account].open_orders.values()]


async def placed(client: PlainClient, side: str, price: float, label: str, **more: Any) -> Any:
    terms = {"instrument_name": OPTION, "amount": 2, "price": price, "label": label, **more}
    return await client.ask(f"private/{side}", **terms)


def everything(exchange: Exchange, currency: str) -> Decimal:
    """All the money there is, as the clearing house has it: what never changes in sum (clearing.py,
    with nobody in a future or a perpetual)."""
    parts = [exchange.fees_collected, exchange.held]
    for account in exchange.accounts.values():
        parts += [account.cash, account.session, account.funding]
    return sum((part.get(currency, Decimal(0)) for part in parts), Decimal(0))


# --- one world --------------------------------------------------------------------------------


async def test_two_faces_tell_one_price_at_one_time() -> None:
    async with (
        served(**lively()) as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        for client in (one, other):
            await client.subscribe(INDEX)
        await other.push(INDEX, 12)
        seen = [
            {told["timestamp"]: told["price"] for told in client.pushed(INDEX)}
            for client in (one, other)
        ]
        common = seen[0].keys() & seen[1].keys()
        assert len(common) >= 8
        assert len({seen[0][at] for at in common}) >= 2, "the price moves"
        assert all(seen[0][at] == seen[1][at] for at in common)
        assert first.market is second.market, "whoever trades there acts once"


async def test_two_faces_have_one_clock_and_one_world() -> None:
    async with served() as (first, second):
        assert (first.endpoints.world_id, first.endpoints.start_ms, first.endpoints.pid) == (
            second.endpoints.world_id,
            second.endpoints.start_ms,
            second.endpoints.pid,
        )
        assert first.rest_url != second.rest_url
        world_id = first.endpoints.world_id
        assert (first.account, second.account) == (f"sim-{world_id}", f"sim-{world_id}-hedge")
        async with connected(first) as one, connected(second) as other:
            before = await one.ask("public/get_time")
            between = await other.ask("public/get_time")
            after = await one.ask("public/get_time")
            assert before <= between <= after
            for venue, client in ((first, one), (second, other)):
                told = await client.ask("private/get_account_summaries", extended=True)
                assert told["username"] == venue.account


async def test_each_face_lets_in_its_own_key_pair_and_tokens() -> None:
    other = FaceOptions(name="hedge", kind="deribit", key="key", secret="hush")
    async with served(PAIR[0], other) as (first, second), connected(first) as one:
        token = (await one.login())["access_token"]
        assert await one.ask("private/get_positions", access_token=token, currency="any") == []
        async with connected(second, login=False) as stranger:
            with pytest.raises(Refused) as refused:
                await stranger.login()
            assert refused.value.code == 13004
            asked = ("private/get_positions",)
            error = await refusal(stranger, *asked, access_token=token, currency="any")
            assert error[0] == 13009
            pair = {"client_id": "key", "client_secret": "hush"}
            await stranger.ask("public/auth", grant_type="client_credentials", **pair)


# --- two accounts of one exchange -------------------------------------------------------------


async def test_an_order_of_one_account_is_a_strangers_in_the_others_book() -> None:
    async with (
        served() as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        shown = f"book.{OPTION}.raw"
        await one.subscribe(shown, "user.orders.any.any.raw")
        await one.push(shown)
        order = (await placed(other, "sell", 0.04, "theirs"))["order"]
        change = await one.push(shown, 2)
        assert change["asks"] == [["new", 0.04, 2.0]]
        assert await one.ask("private/get_open_orders") == []
        assert (await refusal(one, "private/cancel", order_id=order["order_id"]))[0] == 10004
        await one.ask("private/cancel_all")
        assert open_orders(second) == ["theirs"]
        await placed(one, "buy", 0.02, "ours")
        assert [row["label"] for row in await other.ask("private/get_open_orders")] == ["theirs"]
        told = one.pushed("user.orders.any.any.raw")
        assert [row["label"] for row in told] == ["ours"], "one account hears of its own orders"


async def test_a_trade_between_two_accounts_moves_money_and_makes_none() -> None:
    async with (
        served() as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        trades = "user.trades.any.any.raw"
        for client in (one, other):
            await client.subscribe(trades)
        before = everything(first.exchange, "ETH")
        await placed(other, "sell", 0.04, "theirs")
        taken = await placed(one, "buy", 0.04, "ours")
        assert taken["order"]["order_state"] == "filled"
        (mine,), (yours,) = await one.push(trades), await other.push(trades)
        assert mine["trade_id"] == yours["trade_id"]
        assert (mine["label"], mine["direction"], mine["liquidity"]) == ("ours", "buy", "T")
        assert (yours["label"], yours["direction"], yours["liquidity"]) == ("theirs", "sell", "M")
        cash = [v.exchange.accounts[v.account].cash["ETH"] for v in (first, second)]
        # 2 options at 0.04 ETH, and each pays 0.0003 ETH an option: by hand, from 100 ETH.
        assert cash == [Decimal("99.9194"), Decimal("100.0794")]
        assert everything(first.exchange, "ETH") == before


async def test_a_lock_of_one_account_leaves_the_other() -> None:
    async with (
        served() as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        for client in (one, other):
            await client.ask("private/subscribe", channels=["user.lock"])
        locks: Any = first.protocol
        locks.locks.lock_account(second.account, None, locked=True)
        assert await other.push("user.lock") == {"locked": True, "currency": "ALL"}
        await placed(one, "buy", 0.02, "ours")
        price = {"instrument_name": OPTION, "amount": 1, "price": 0.02}
        assert (await refusal(other, "private/buy", **price))[0] == 10019
        assert one.pushed("user.lock") == []


# --- what goes wrong at one -------------------------------------------------------------------


async def test_what_is_commanded_at_one_face_befalls_that_one() -> None:
    async with (
        served() as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        second.drop_reply("public/test", 3)
        sent = await other.send("public/test")
        await one.ask("public/test")
        await until(lambda: second.trouble.counts["lost_reply"] == 1)
        assert not any(frame.get("id") == sent for frame in other.frames)
        assert not first.trouble.counts
        second.sever()
        await other.until_closed()
        await one.ask("public/test")
        second.refuse_connections(60)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.ws_connect(second.ws_url)
        async with connected(first) as again:
            await again.ask("public/test")
        second.heal()
        await until(lambda: second.is_open)
        async with connected(second) as back:
            second.silence()
            await one.ask("public/test")
            second.speak()
            await back.ask("public/test")


@pytest.mark.parametrize("with_orders", [True, False])
async def test_a_restart_of_one_face_leaves_the_other(with_orders: bool) -> None:
    async with (
        served() as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        await one.subscribe("user.orders.any.any.raw")
        await placed(one, "buy", 0.02, "ours")
        await placed(other, "buy", 0.02, "theirs")
        market: Any = first.market
        second.restart(with_orders=with_orders, away_s=60)
        await other.until_closed()
        assert open_orders(second) == (["theirs"] if with_orders else [])
        assert open_orders(first) == ["ours"]
        assert (await one.ask("private/get_open_orders"))[0]["label"] == "ours"
        moved = list(market.moved_to)
        await until(lambda: market.moved_to != moved)  # the exchange goes on for the other one
        first.restart(away_s=60)
        moved = list(market.moved_to)
        await asyncio.sleep(0.2)  # four ticks
        assert market.moved_to == moved, "with everybody away it stands still"


async def test_each_face_draws_its_own_faults_and_the_first_those_of_the_plan() -> None:
    plan = FaultPlan(seed=3, lost_reply=0.5)
    async with served(faults=plan) as (first, second):
        assert first.trouble.plan == plan
        assert second.trouble.plan.active() == plan.active()
        assert second.trouble.plan.seed != plan.seed
    calm = FaceOptions(name="hedge", kind="deribit", faults=FaultPlan())
    async with served(PAIR[0], calm, faults=plan) as (first, second):
        assert (first.trouble.plan.calm, second.trouble.plan.calm) == (False, True)


async def test_a_book_that_stops_is_one_that_is_followed_there() -> None:
    async with (
        served() as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        await one.subscribe(f"book.{OPTION}.raw")
        await other.subscribe(f"book.{PERPETUAL}.raw", f"ticker.{OPTION}.raw")
        for venue, followed in ((first, [OPTION]), (second, [PERPETUAL])):
            assert venue.protocol.books_at(venue._counter) == followed


# --- the end, and the file --------------------------------------------------------------------


async def test_a_world_lasts_while_anybody_is_at_any_face() -> None:
    world = World(WorldOptions(faces=PAIR, make_market=ScriptedMarket, linger_s=0.3))
    async with Server(world, [Venue(world, face) for face in PAIR]) as server:
        async with connected(server.venues[1]) as client:
            over = asyncio.create_task(server.until_over())
            await asyncio.wait({over}, timeout=1.0)
            assert not over.done()
            await client.ask("public/test")
        await asyncio.wait_for(over, DEADLINE_S)


async def test_a_taken_port_leaves_no_face_behind() -> None:
    async with SimVenue(scripted_options()) as taken:
        port = int(taken.rest_url.rpartition(":")[2])
        faces = (PAIR[0], FaceOptions(name="hedge", kind="deribit", port=port))
        world = World(WorldOptions(faces=faces, make_market=ScriptedMarket))
        venues = [Venue(world, face) for face in faces]
        with pytest.raises(OSError, match=r"(?i)address already in use"):
            await Server(world, venues).__aenter__()
        assert not any(venue.is_open for venue in venues)


async def test_all_accounts_are_in_the_file_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    async with (
        served(state_path=path) as (first, second),
        connected(first) as one,
        connected(second) as other,
    ):
        names = [first.account, second.account]
        await placed(other, "sell", 0.04, "theirs")
        await placed(one, "buy", 0.04, "ours")
        await placed(one, "buy", 0.02, "rests")
        await placed(other, "sell", 0.05, "rests too")
        cash = [v.exchange.accounts[v.account].cash for v in (first, second)]
    # One that serves the first alone keeps the other one's account ...
    async with served(PAIR[0], state_path=path) as (alone,):
        assert (alone.account, open_orders(alone)) == (names[0], ["rests"])
    # ... and their order on the command line does not say whose is whose.
    third = FaceOptions(name="third", kind="deribit")
    async with served(PAIR[1], PAIR[0], third, state_path=path) as (second, first, new):
        assert [first.account, second.account] == names
        assert [v.exchange.accounts[v.account].cash for v in (first, second)] == cash
        assert (open_orders(first), open_orders(second)) == (["rests"], ["rests too"])
        assert new.exchange.accounts[new.account].cash["ETH"] == 100
        assert new.account not in names
        async with connected(first) as one, connected(second) as other:
            for client, size in ((one, 2.0), (other, -2.0)):
                (held,) = await client.ask("private/get_positions", currency="any")
                assert (held["instrument_name"], held["size"]) == (OPTION, size)
                rows = await client.ask("private/get_user_trades_by_currency", currency="ETH")
                assert [row["amount"] for row in rows["trades"]] == [2.0]


# --- another kind -----------------------------------------------------------------------------


class StrictFace(DeribitFace):
    """An exchange that lists ETH alone and moves no post-only order."""

    rules = VenueRules(families=(FAMILIES["ETH"],), post_only_slides=False)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> FaceOptions:
    """A face of another kind, which no file of the server knows."""
    module: Any = ModuleType("strict")
    module.FACE = StrictFace()
    monkeypatch.setitem(sys.modules, "strict", module)
    monkeypatch.setattr(
        "mmbot.sim.wire.faces.FACES",
        {"deribit": "mmbot.sim.wire.deribit.face", "strict": "strict"},
    )
    return FaceOptions(name="strict", kind="strict")


async def test_another_kind_is_another_exchange_on_the_same_prices(strict: FaceOptions) -> None:
    async with served(PAIR[0], strict, **lively()) as (first, second):
        assert first.exchange is not second.exchange
        assert first.exchange.currencies.keys() == {"BTC", "ETH", "USDC"}
        assert second.exchange.currencies.keys() == {"ETH"}
        assert first.exchange.listings[PERPETUAL] == second.exchange.listings[PERPETUAL]
        seen: list[dict[int, float]] = [{}, {}]
        books: list[Any] = []

        def looked() -> bool:
            for prices, venue in zip(seen, (first, second), strict=True):
                assert isinstance(venue.market, Market)
                prices[venue.market.now_ms] = venue.market.index("eth_usd")
            return len(seen[0].keys() & seen[1].keys()) >= 10

        await until(looked)
        common = seen[0].keys() & seen[1].keys()
        assert len({seen[0][at] for at in common}) >= 2, "the price moves"
        assert all(seen[0][at] == seen[1][at] for at in common)
        async with connected(first) as one, connected(second) as other:
            for client in (one, other):
                books.append(
                    await client.ask("public/get_order_book", instrument_name=PERPETUAL, depth=5)
                )
        assert books[0]["bids"] != books[1]["bids"], "each has a crowd of its own"


async def test_an_exchange_that_moves_no_post_only_order_refuses_it(strict: FaceOptions) -> None:
    async with served(PAIR[0], strict) as venues:
        for venue in venues:
            rest(venue, Side.SELL, "5", "0.03")
            async with connected(venue) as client:
                if venue.settings.kind == "deribit":
                    moved = await placed(client, "buy", 0.031, "ours", post_only=True)
                    assert moved["order"]["price"] == 0.0295  # a tick of 0.0005 off the touch
                else:
                    terms = {"instrument_name": OPTION, "amount": 2, "price": 0.031}
                    error = await refusal(client, "private/buy", post_only=True, **terms)
                    assert error[0] == 11054


async def test_every_kind_is_in_the_file(strict: FaceOptions, tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    async with served(PAIR[0], strict, state_path=path) as (first, second):
        for venue, label in ((first, "ours"), (second, "theirs")):
            async with connected(venue) as client:
                await placed(client, "buy", 0.02, label)
    async with served(PAIR[0], state_path=path) as (first,):
        assert open_orders(first) == ["ours"]
    async with served(strict, PAIR[0], state_path=path) as (second, first):
        assert (open_orders(second), open_orders(first)) == (["theirs"], ["ours"])


# --- stock clients ----------------------------------------------------------------------------


async def test_stock_ccxt_trades_on_both_at_once() -> None:
    symbol = "ETH/USD:ETH-250606-2800-C"
    async with (
        served() as (first, second),
        stock_client(first) as one,
        stock_client(second) as other,
    ):
        await within(asyncio.gather(one.load_markets(), other.load_markets()))
        for client, side, price in ((one, "buy", 0.02), (other, "sell", 0.05)):
            await within(client.create_order(symbol, "limit", side, 1, price))
        books = await within(
            asyncio.gather(one.watch_order_book(symbol), other.watch_order_book(symbol))
        )
        for book in books:
            assert [row[:2] for row in book["bids"]] == [[0.02, 1.0]]
            assert [row[:2] for row in book["asks"]] == [[0.05, 1.0]]
        await within(other.create_order(symbol, "limit", "sell", 2, 0.04))
        bought = await within(one.create_order(symbol, "limit", "buy", 2, 0.04))
        assert bought["status"] == "closed"
        made = [await within(client.fetch_my_trades(symbol)) for client in (one, other)]
        assert [[(t["side"], t["amount"], t["price"]) for t in rows] for rows in made] == [
            [("buy", 2.0, 0.04)],
            [("sell", 2.0, 0.04)],
        ]
        assert made[0][0]["id"] == made[1][0]["id"]
        left = [await within(client.fetch_open_orders(symbol)) for client in (one, other)]
        assert [[(o["side"], o["price"]) for o in rows] for rows in left] == [
            [("buy", 0.02)],
            [("sell", 0.05)],
        ]
