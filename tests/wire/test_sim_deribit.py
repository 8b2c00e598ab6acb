"""The simulated Deribit's sessions: logging in, heartbeats, lost connections, credits, errors."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import orjson
import pytest

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.models.credits import RATES, Bucket, Pool, Rate
from mmbot.sim.wire.deribit.auth import Gatekeeper
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.protocol import DeribitProtocol
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import Endpoints, SimVenue, VenueOptions, serve
from mmbot.sim.wire.world import START_MS
from tests.wire.venue import (
    DEADLINE_S,
    OPTION,
    PERPETUAL,
    PUT,
    UNLIMITED,
    PlainClient,
    Refused,
    ScriptedMarket,
    connected,
    refused,
    scripted_options,
    scripted_venue,
    until,
)

LOG = {"currency": "ETH", "start_timestamp": 0, "end_timestamp": 1}


def rules(**changes: Any) -> Rules:
    return replace(UNLIMITED, **changes)


async def buy(client: PlainClient, price: float = 0.02, **params: Any) -> dict[str, Any]:
    answer = await client.ask(
        "private/buy", **({"instrument_name": OPTION, "amount": 1, "price": price} | params)
    )
    order: dict[str, Any] = answer["order"]
    return order


def signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


async def rest_call(venue: SimVenue, path: str, header: str | None = None) -> tuple[int, Any]:
    headers = {} if header is None else {"Authorization": header}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{venue.rest_url}{path}", headers=headers) as response,
    ):
        return response.status, await response.json()


class TestLoggingIn:
    def test_the_signature_is_the_venues(self) -> None:
        # The vector of the venue's fact sheet: HMAC-SHA256 of "1700000000000\nnonce1\n".
        keeper = Gatekeeper("key", "secret", "account", 900)
        params = Params(
            {
                "grant_type": "client_signature",
                "client_id": "key",
                "timestamp": 1700000000000,
                "nonce": "nonce1",
                "data": "",
                "signature": "4a48ab4686704bf870ccfd807bbe2cf72a50d4897178763a2336dc7438e9ff80",
            }
        )
        assert keeper.grant(params, 0).account == "account"

    async def test_credentials_a_signature_or_a_refresh_token(self) -> None:
        async with scripted_venue() as venue, connected(venue, login=False) as client:
            assert (await refused(client, "private/get_positions")).code == 10000
            granted = await client.login()
            assert granted["expires_in"] == 900
            assert granted["token_type"] == "bearer"
            assert await client.ask("private/get_positions") == []
            signed = await client.ask(
                "public/auth",
                grant_type="client_signature",
                client_id="sim",
                timestamp=1,
                nonce="n",
                data="d",
                signature=signature("sim", "1\nn\nd"),
            )
            assert signed["access_token"] != granted["access_token"]
            refreshed = await client.ask(
                "public/auth", grant_type="refresh_token", refresh_token=signed["refresh_token"]
            )
            assert refreshed["refresh_token"] != signed["refresh_token"]
            used = await refused(
                client,
                "public/auth",
                grant_type="refresh_token",
                refresh_token=signed["refresh_token"],
            )
            assert used.code == 13004

    @pytest.mark.parametrize(
        "wrong",
        [
            {"grant_type": "client_credentials", "client_id": "sim", "client_secret": "no"},
            {"grant_type": "client_credentials", "client_id": "no", "client_secret": "sim"},
            {
                "grant_type": "client_signature",
                "client_id": "sim",
                "timestamp": 1,
                "nonce": "n",
                "signature": "00",
            },
        ],
    )
    async def test_wrong_credentials_are_13004(self, wrong: dict[str, Any]) -> None:
        async with scripted_venue() as venue, connected(venue, login=False) as client:
            assert (await refused(client, "public/auth", **wrong)).code == 13004
            assert (await refused(client, "private/get_positions")).code == 10000

    async def test_other_keys_can_be_given(self) -> None:
        async with (
            scripted_venue(key="k", secret="s") as venue,
            connected(venue, login=False) as client,
        ):
            with pytest.raises(Refused, match="13004"):
                await client.login()
            await client.ask(
                "public/auth", grant_type="client_credentials", client_id="k", client_secret="s"
            )

    async def test_an_expired_token_must_be_refreshed(self) -> None:
        async with (
            scripted_venue(token_expires_in_s=0.05) as venue,
            connected(venue) as client,
        ):
            granted = await client.login()
            expires_ms = venue.now_ms() + 60
            await until(lambda: venue.now_ms() > expires_ms)
            assert (await refused(client, "private/get_positions")).code == 13009
            await client.ask(
                "public/auth", grant_type="refresh_token", refresh_token=granted["refresh_token"]
            )
            assert await client.ask("private/get_positions") == []

    async def test_rest_checks_its_signature_header(self) -> None:
        path = "/api/v2/private/get_positions?currency=ETH"
        text = f"1\nn\nGET\n{path}\n\n"
        async with scripted_venue() as venue:
            right = f"deri-hmac-sha256 id=sim,ts=1,sig={signature('sim', text)},nonce=n"
            assert (await rest_call(venue, path, right))[1]["result"] == []
            other_path = path.replace("ETH", "BTC")
            status, body = await rest_call(venue, other_path, right)
            assert (status, body["error"]["code"]) == (401, 13004)
            assert (await rest_call(venue, path))[1]["error"]["code"] == 10000
            async with connected(venue) as client:
                token = (await client.login())["access_token"]
            assert (await rest_call(venue, path, f"Bearer {token}"))[1]["result"] == []
            assert (await rest_call(venue, path, "Bearer no"))[1]["error"]["code"] == 13009


class TestHeartbeats:
    async def test_an_answered_test_request_keeps_the_connection(self) -> None:
        async with (
            scripted_venue(rules=rules(heartbeat_min_s=0)) as venue,
            connected(venue) as client,
        ):
            assert await client.ask("public/set_heartbeat", interval=0.1) == "ok"
            await client.until(lambda: len(beats(client, "test_request")) >= 4)
            assert beats(client, "heartbeat")
            assert await client.ask("public/disable_heartbeat") == "ok"

    async def test_an_unanswered_one_ends_it_and_cancels(self) -> None:
        async with (
            scripted_venue(rules=rules(heartbeat_min_s=0)) as venue,
            connected(venue) as client,
        ):
            client.answers_heartbeats = False
            await client.ask("private/enable_cancel_on_disconnect")
            order = await buy(client)
            await client.ask("public/set_heartbeat", interval=0.1)
            await client.until_closed()
            await until(lambda: not venue.exchange.orders)
            found = venue.exchange.order(venue.account, order["order_id"])
            assert found is not None
            assert found.cancel_reason is not None
            assert found.cancel_reason.value == "cancel_on_disconnect"

    async def test_the_shortest_interval_is_ten_seconds(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            assert (await refused(client, "public/set_heartbeat", interval=5)).code == -32602
            assert await client.ask("public/set_heartbeat", interval=10) == "ok"


def beats(client: PlainClient, kind: str) -> list[dict[str, Any]]:
    return [
        frame
        for frame in client.frames
        if frame.get("method") == "heartbeat" and frame["params"]["type"] == kind
    ]


class TestCancelOnDisconnect:
    async def test_it_takes_that_connections_orders_only(self) -> None:
        async with scripted_venue() as venue, connected(venue) as keeps:
            async with connected(venue) as leaves:
                assert await leaves.ask("private/enable_cancel_on_disconnect") == "ok"
                enabled = await leaves.ask("private/get_cancel_on_disconnect")
                assert enabled == {"scope": "connection", "enabled": True}
                gone = await buy(leaves)
                kept = await buy(keeps)
                over_rest = await buy_over_rest(venue)
            await until(lambda: len(venue.exchange.orders) == 2)
            assert set(venue.exchange.orders) == {kept["order_id"], over_rest}
            state = await keeps.ask("private/get_order_state", order_id=gone["order_id"])
            assert state["order_state"] == "cancelled"
            assert state["cancel_reason"] == "cancel_on_disconnect"

    async def test_it_still_knows_its_orders_after_thousands(self) -> None:
        async with scripted_venue() as venue, connected(venue) as keeps:
            async with connected(venue) as leaves:
                await leaves.ask("private/enable_cancel_on_disconnect")
                first = await buy(leaves)
                for _ in range(1_100):
                    brief = await buy(leaves)
                    await leaves.ask("private/cancel", order_id=brief["order_id"])
                assert list(venue.exchange.orders) == [first["order_id"]]
            await until(lambda: not venue.exchange.orders)
            assert await keeps.ask("private/get_open_orders") == []

    async def test_without_it_orders_survive(self) -> None:
        async with scripted_venue() as venue:
            async with connected(venue) as client:
                await client.ask("private/enable_cancel_on_disconnect")
                await client.ask("private/disable_cancel_on_disconnect")
                await buy(client)
            await until(lambda: venue.connections == 0)
            assert len(venue.exchange.orders) == 1

    async def test_a_venue_can_be_told_to_ignore_it(self) -> None:
        async with scripted_venue(rules=rules(ignore_cancel_on_disconnect=True)) as venue:
            async with connected(venue) as client:
                await client.ask("private/enable_cancel_on_disconnect")
                await buy(client)
            await until(lambda: venue.connections == 0)
            assert len(venue.exchange.orders) == 1

    async def test_a_logout_does_not_trigger_it(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/enable_cancel_on_disconnect")
            await buy(client)
            assert await client.ask("private/logout") == "ok"
            await client.until_closed()
            await until(lambda: venue.connections == 0)
            assert len(venue.exchange.orders) == 1

    async def test_the_account_scope_starts_new_connections_with_it(self) -> None:
        async with scripted_venue() as venue:
            async with connected(venue) as client:
                await client.ask("private/enable_cancel_on_disconnect", scope="account")
            async with connected(venue) as client:
                assert (await client.ask("private/get_cancel_on_disconnect"))["enabled"]


async def buy_over_rest(venue: SimVenue) -> str:
    path = f"/api/v2/private/buy?instrument_name={OPTION}&amount=1&price=0.02&type=limit"
    signed = signature("sim", f"1\nn\nGET\n{path}\n\n")
    header = f"deri-hmac-sha256 id=sim,ts=1,sig={signed},nonce=n"
    order_id: str = (await rest_call(venue, path, header))[1]["result"]["order"]["order_id"]
    return order_id


class TestCredits:
    def test_a_bucket_refills_with_time(self) -> None:
        bucket = Bucket(Rate(per_s=5, burst=2), now_ms=0)
        assert [bucket.take(0) for _ in range(3)] == [True, True, False]
        assert [bucket.take(200), bucket.take(200)] == [True, False]
        assert [bucket.take(60_000) for _ in range(3)] == [True, True, False]

    async def test_too_many_orders_are_10028_and_the_end_of_the_session(self) -> None:
        limited = rules(matching=Rate(per_s=0.001, burst=3))
        async with scripted_venue(rules=limited) as venue:
            async with connected(venue) as client:
                for _ in range(3):
                    await buy(client)
                error = await refused(
                    client, "private/buy", instrument_name=OPTION, amount=1, price=0.02
                )
                assert (error.code, error.message) == (10028, "too_many_requests")
                await client.until_closed()
            assert len(venue.exchange.orders) == 3
            # The credits are the account's, so reconnecting does not help.
            async with connected(venue) as client:
                assert await client.ask("public/test")
                assert (await refused(client, "private/cancel", order_id="1")).code == 10028

    async def test_other_requests_have_credits_of_their_own(self) -> None:
        limited = rules(other=Rate(per_s=0.001, burst=3))
        async with scripted_venue(rules=limited) as venue, connected(venue) as client:
            # Logging in is the stranger's request; the three are the account's.
            for _ in range(3):
                await client.ask("private/get_positions")
            await buy(client)
            assert (await refused(client, "private/get_positions")).code == 10028

    @pytest.mark.parametrize(
        ("pool", "burst", "method", "params"),
        [
            ("transaction_log", 8, "private/get_transaction_log", LOG),
            ("subscribe", 10, "private/subscribe", {"channels": []}),
            ("subscribe", 10, "public/subscribe", {"channels": []}),
            ("instruments", 5, "public/get_instruments", {"currency": "any"}),
            ("cancel_all", 20, "private/cancel_all", {}),
            ("cancel_all", 20, "private/cancel_by_label", {"label": "mm1-1"}),
        ],
    )
    async def test_some_requests_have_a_pool_of_their_own(
        self, pool: str, burst: int, method: str, params: dict[str, Any]
    ) -> None:
        published = replace(RATES[Pool(pool)], per_s=1e-6)
        async with (
            scripted_venue(rules=rules(**{pool: published})) as venue,
            connected(venue) as client,
        ):
            for _ in range(burst):
                await client.ask(method, **params)
            await client.ask("private/get_positions")
            await client.ask("private/unsubscribe", channels=[])
            await client.ask("private/cancel_by_label", label="mm1-1", currency="ETH")
            await client.ask("private/cancel_all_by_currency", currency="ETH")
            assert (await refused(client, method, **params)).code == 10028
            await client.until_closed()

    def test_how_fast_the_pools_fill_again(self) -> None:
        # The venue's own figures, requests a second.
        refill = {"transaction_log": 1, "subscribe": 3.3, "instruments": 0.1, "other": 20}
        assert {pool: RATES[Pool(pool)].per_s for pool in refill} == refill

    def test_every_pool_is_counted_by_default(self) -> None:
        assert Rules().rates == RATES

    async def test_strangers_share_what_their_address_may_ask(self) -> None:
        limited = rules(instruments=Rate(per_s=1e-6, burst=1))
        async with (
            scripted_venue(rules=limited) as venue,
            connected(venue, login=False) as one,
            connected(venue, login=False) as other,
            connected(venue) as account,
        ):
            await one.ask("public/get_instruments", currency="any")
            assert (await refused(other, "public/get_instruments", currency="any")).code == 10028
            await account.ask("public/get_instruments", currency="any")

    async def test_the_account_is_told_its_limits(self) -> None:
        async with scripted_venue(rules=Rules()) as venue, connected(venue) as client:
            limits = (await client.ask("private/get_account_summary", currency="ETH"))["limits"]
            assert limits["matching_engine"]["trading"]["total"] == {"burst": 20, "rate": 5}
            assert limits["matching_engine"]["cancel_all"] == {"burst": 20, "rate": 5}
            assert limits["non_matching_engine"] == {"burst": 100, "rate": 20}


class TestErrors:
    async def test_what_is_not_understood(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            assert (await refused(client, "public/nonsense")).code == -32601
            assert (await refused(client, "private/mass_quote")).code == -32601
            assert (await refused(client, "public/ticker")).code == -32602
            unknown = await refused(client, "public/ticker", instrument_name="ETH-X")
            assert unknown.code == 13020
            await client.socket.send_str("{not json")
            parse = await client.wait_for(
                lambda frame: frame.get("error", {}).get("code") == -32700
            )
            assert "id" not in parse
            await client.socket.send_str("[1]")
            await client.wait_for(lambda frame: frame.get("error", {}).get("code") == -32600)

    async def test_the_envelope(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            request_id = await client.send("public/get_time")
            reply = await client.wait_for(lambda frame: frame.get("id") == request_id)
            assert reply["usDiff"] == reply["usOut"] - reply["usIn"] >= 0
            assert reply["result"] == reply["usIn"] // 1000
            assert reply["testnet"] is True
            assert venue.options.start_ms <= reply["result"] <= venue.now_ms()

    async def test_what_belongs_to_a_connection_is_refused_over_rest(self) -> None:
        async with scripted_venue() as venue:
            status, body = await rest_call(venue, "/api/v2/public/set_heartbeat?interval=10")
            assert (status, body["error"]["code"]) == (400, 10030)

    async def test_rest_takes_posted_json_rpc_too(self) -> None:
        async with (
            scripted_venue() as venue,
            aiohttp.ClientSession() as session,
            session.post(
                f"{venue.rest_url}/api/v2",
                json={
                    "jsonrpc": "2.0",
                    "id": 5,
                    "method": "public/get_index_price",
                    "params": {"index_name": "eth_usd"},
                },
            ) as response,
        ):
            body = await response.json()
            assert body["id"] == 5
            assert body["result"]["index_price"] == 2850.0


class TestTrouble:
    async def test_a_dropped_reply_leaves_the_order(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.drop_reply("private/buy")
            lost = await client.send(
                "private/buy", instrument_name=OPTION, amount=1, price=0.02, label="mm1-1"
            )
            found = await client.ask(
                "private/get_order_state_by_label", currency="ETH", label="mm1-1"
            )
            assert [one["order_state"] for one in found] == ["open"]
            assert not any(frame.get("id") == lost for frame in client.frames)
            await buy(client)

    async def test_severed_connections_are_gone_on_both_sides(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/enable_cancel_on_disconnect")
            await buy(client)
            venue.sever()
            await client.until_closed()
            await until(lambda: venue.connections == 0)
            assert not venue.exchange.orders

    async def test_silence_keeps_tcp_and_swallows_everything(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.silence()
            await client.send("private/buy", instrument_name=OPTION, amount=1, price=0.02)
            count = len(client.frames)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.ask("public/test")
            assert len(client.frames) == count
            assert venue.connections == 1
            assert not venue.exchange.orders
            venue.speak()
            assert await client.ask("public/test")

    async def test_who_is_given_up_while_silent_is_told_afterwards(self) -> None:
        async with (
            scripted_venue(rules=rules(heartbeat_min_s=0)) as venue,
            connected(venue) as client,
        ):
            await client.ask("private/enable_cancel_on_disconnect")
            await buy(client)
            await client.ask("public/set_heartbeat", interval=0.1)
            venue.silence()
            await until(lambda: not venue.exchange.orders)
            assert venue.connections == 1
            venue.speak()
            await client.send("public/test")
            await client.until_closed()


class TestServing:
    async def test_it_says_where_it_is_and_lingers_after_the_last_client(self) -> None:
        ready: asyncio.Future[Endpoints] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(
                replace(scripted_options(world_id="42").world, linger_s=0.3),
                ready=lambda told: ready.set_result(told["deribit"]),
            )
        )
        endpoints = await asyncio.wait_for(ready, DEADLINE_S)
        assert endpoints.world_id == "42"
        assert endpoints.rest.startswith("http://127.0.0.1:")
        assert endpoints.ws.endswith("/ws/api/v2")
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(endpoints.ws):
                assert not serving.done()
            await asyncio.wait_for(serving, DEADLINE_S)
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.ws_connect(endpoints.ws)

    async def test_a_taken_port_is_an_os_error(self) -> None:
        async with scripted_venue() as venue:
            port = int(venue.rest_url.rpartition(":")[2])
            with pytest.raises(OSError, match=r"(?i)address already in use"):
                await serve(scripted_options(port=port).world, ready=lambda _: None)

    async def test_ids_carry_the_world(self) -> None:
        async with scripted_venue(world_id="777") as venue, connected(venue) as client:
            assert (await buy(client))["order_id"].startswith("ETH-777")
            summaries = await client.ask("private/get_account_summaries", extended=True)
            assert summaries["username"] == "sim-777"

    async def test_two_venues_with_one_seed_show_the_same_world(self) -> None:
        options = VenueOptions(seed=3, rules=UNLIMITED, flow_scale=0.0)
        seen = []
        for _ in range(2):
            async with SimVenue(options) as venue:
                venue.freeze()
                async with connected(venue) as client:
                    book = await client.ask("public/get_order_book", instrument_name=OPTION)
                    seen.append((book["bids"], book["asks"], book["index_price"]))
        assert seen[0] == seen[1]
        assert seen[0][0]

    async def test_nothing_is_computed_for_what_nobody_watches(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            market = venue.market
            assert isinstance(market, ScriptedMarket)
            await client.ask("public/get_instruments", currency="ETH")
            await client.ask("public/get_book_summary_by_currency", currency="ETH")
            assert market.watched == []
            await client.subscribe(f"quote.{OPTION}")
            assert market.watched == [OPTION]


class Stepped:
    """The protocol without a server: the test holds the clock and reads what is written."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        exchange = Exchange()
        exchange.open_account("account", {"ETH": Decimal(100)})
        self.market = ScriptedMarket(exchange)
        self.venue = DeribitProtocol(
            exchange,
            self.market,
            Gatekeeper("sim", "sim", "account", 900),
            UNLIMITED,
            lambda: self.now_ms * 1000,
        )
        self.frames: list[Any] = []
        self.hung_up = 0
        self.session = self.venue.on_open(self._write, self._hang_up)

    def _write(self, frame: Frame, method: str | None) -> None:
        self.frames.append(orjson.loads(frame.text))

    def _hang_up(self) -> None:
        self.hung_up += 1
        self.venue.on_closed(self.session)

    def ask(self, method: str, **params: Any) -> Any:
        frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.venue.on_frame(self.session, orjson.dumps(frame))
        replies = [frame for frame in self.frames if frame.get("id") == 1]
        return replies[-1].get("result", replies[-1].get("error"))

    def login(self) -> None:
        self.ask(
            "public/auth", grant_type="client_credentials", client_id="sim", client_secret="sim"
        )

    def pass_s(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
        self.venue.tick()


class TestTime:
    def test_ten_silent_minutes_end_a_session(self) -> None:
        stepped = Stepped()
        stepped.pass_s(599)
        assert stepped.hung_up == 0
        stepped.ask("public/test")
        stepped.pass_s(599)
        assert stepped.hung_up == 0
        stepped.pass_s(2)
        assert stepped.hung_up == 1

    def test_a_heartbeat_has_one_interval_to_be_answered(self) -> None:
        stepped = Stepped()
        stepped.ask("public/set_heartbeat", interval=10)
        stepped.pass_s(9.9)
        assert len(stepped.frames) == 1
        stepped.pass_s(0.1)
        kinds = [frame["params"]["type"] for frame in stepped.frames[1:]]
        assert kinds == ["heartbeat", "test_request"]
        stepped.pass_s(9.9)
        stepped.ask("public/test")
        stepped.pass_s(0.1)
        assert stepped.hung_up == 0
        stepped.pass_s(10)
        assert stepped.hung_up == 1

    def test_a_token_runs_out(self) -> None:
        stepped = Stepped()
        stepped.login()
        stepped.pass_s(599)
        stepped.ask("public/test")
        stepped.pass_s(300)
        assert stepped.ask("private/get_positions") == []
        stepped.pass_s(1)
        assert stepped.ask("private/get_positions")["code"] == 13009

    def test_books_nobody_needs_any_more_are_let_go(self) -> None:
        stepped = Stepped()
        stepped.login()
        stepped.ask("public/ticker", instrument_name=PUT)
        stepped.ask("public/subscribe", channels=[f"quote.{PERPETUAL}"])
        stepped.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
        assert stepped.market.watched == [PUT, PERPETUAL, OPTION]
        for _ in range(62):
            stepped.pass_s(1)
        assert stepped.market.watched == [PERPETUAL, OPTION]
        stepped.ask("private/cancel_all")
        stepped.ask("public/unsubscribe_all")
        for _ in range(62):
            stepped.pass_s(1)
        assert stepped.market.watched == []

    def test_the_market_catches_up_in_portions(self) -> None:
        stepped = Stepped()
        stepped.pass_s(2.5)
        for _ in range(3):
            stepped.pass_s(0)
        assert [at - START_MS for at in stepped.market.moved_to] == [1_000, 2_000, 2_500, 2_500]


async def test_balances_are_the_options() -> None:
    async with (
        scripted_venue(balances={"ETH": Decimal("12.5")}) as venue,
        connected(venue) as client,
    ):
        summary = await client.ask("private/get_account_summary", currency="ETH")
        assert (summary["balance"], summary["equity"]) == (12.5, 12.5)
