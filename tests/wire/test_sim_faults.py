"""What goes wrong on the simulated venue's wire: commanded, or drawn from a plan; and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from decimal import Decimal
from typing import Any

import aiohttp
import orjson
import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.requests import NewOrder
from mmbot.sim.models.faults import STRENGTHS, FaultPlan, Harshness
from mmbot.sim.wire.faults import Blow, Fate, FaultInjector, Kind, Stage
from mmbot.sim.wire.server import SimVenue
from mmbot.sim.wire.world import START_MS
from tests.wire.venue import (
    DEADLINE_S,
    OPTION,
    PERPETUAL,
    PlainClient,
    Refused,
    connected,
    rest,
    scripted_venue,
    until,
)

RAW_BOOK = f"book.{OPTION}.raw"
CHANGES = "user.changes.any.any.raw"
TIME = "public/get_time"
SOON_S = 0.15
"""Late enough that what is not late comes first."""


class RobustClient(PlainClient):
    """Keeps what is no message instead of failing on it."""

    noise: list[str | bytes]

    async def _read(self) -> None:
        self.noise = []
        async for message in self.socket:
            try:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise ValueError
                self.frames.append(orjson.loads(message.data))
            except ValueError:
                self.noise.append(message.data)
            self.arrived.set()
        self.arrived.set()


@asynccontextmanager
async def robust(venue: SimVenue) -> AsyncIterator[RobustClient]:
    async with aiohttp.ClientSession() as session:
        client = RobustClient(venue, await session.ws_connect(venue.ws_url))
        try:
            yield client
        finally:
            await client.close()


async def rest_get(venue: SimVenue, method: str) -> tuple[int, str]:
    """Status and body of one REST call on a connection of its own."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{venue.rest_url}/api/v2/{method}") as response,
    ):
        return response.status, await response.text(errors="replace")


async def buy(client: PlainClient, price: float = 0.02) -> int:
    """Send an order; the request's id."""
    return await client.send("private/buy", instrument_name=OPTION, amount=1, price=price)


def reply(client: PlainClient, request_id: int) -> dict[str, Any] | None:
    return next((frame for frame in client.frames if frame.get("id") == request_id), None)


def open_orders(venue: SimVenue) -> int:
    return len(venue.exchange.accounts[venue.account].open_orders)


async def passed(client: PlainClient) -> None:
    """Everything sent so far has been seen, and everything on its way out has come."""
    await client.ask("public/test")


class TestRequests:
    async def test_a_lost_one_is_not_carried_out(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.lose_request("private/buy")
            lost = await buy(client)
            await passed(client)
            assert open_orders(venue) == 0
            assert reply(client, lost) is None
            assert venue.trouble.counts == {"lost_request": 1}
            await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)

    async def test_a_late_one_is_carried_out_after_those_behind_it(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.delay_request("private/buy", SOON_S)
            late = await buy(client)
            await passed(client)
            assert open_orders(venue) == 0
            await client.until(lambda: reply(client, late))
            assert open_orders(venue) == 1

    async def test_a_late_order_arrives_though_its_line_has_broken(self) -> None:
        async with scripted_venue() as venue:
            async with connected(venue) as client:
                venue.delay_request("private/buy", SOON_S)
                await client.ask("private/enable_cancel_on_disconnect")
                await buy(client)
                await passed(client)
                venue.sever()
                await client.until_closed()
            await until(lambda: open_orders(venue) == 1)
            # A subscription would have nobody to go to.
            async with connected(venue) as client:
                venue.delay_request("public/subscribe", SOON_S)
                await client.send("public/subscribe", channels=[RAW_BOOK])
                await passed(client)
                venue.sever()
                await client.until_closed()
            await asyncio.sleep(2 * SOON_S)
            assert venue.protocol.hub.books() == []

    @pytest.mark.parametrize(("before", "placed"), [(True, 0), (False, 1)])
    async def test_the_line_breaks_before_or_after_an_order_is_placed(
        self, before: bool, placed: int
    ) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.cut_on("private/buy", before=before)
            sent = await buy(client)
            await client.until_closed()
            assert reply(client, sent) is None
            assert open_orders(venue) == placed
            async with connected(venue) as again:
                assert await again.ask("public/test")
                assert venue.trouble.counts == {"cut_mid_order": 1}

    async def test_what_follows_a_cut_in_the_same_burst_is_not_read(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.cut_on("private/buy", before=True)
            for _ in range(5):
                await buy(client)
            await client.until_closed()
            await until(lambda: venue.connections == 0)
            assert open_orders(venue) == 0

    async def test_an_error_is_answered_instead_of_carrying_it_out(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.answer("private/buy", 10047, count=2)
            for _ in range(2):
                with pytest.raises(Refused, match="matching_engine_queue_full"):
                    await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
            assert open_orders(venue) == 0
            await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)

    async def test_10028_ends_the_session(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.answer("private/buy", 10028)
            sent = await buy(client)
            await client.until_closed()
            answer = reply(client, sent)
            assert answer is not None
            assert answer["error"]["code"] == 10028
            assert venue.trouble.counts == {"rate_limited": 1}


class TestReplies:
    async def test_a_late_one_comes_after_those_behind_it(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.delay_reply("private/buy", SOON_S)
            late = await buy(client)
            await passed(client)
            assert open_orders(venue) == 1
            assert reply(client, late) is None
            await client.until(lambda: reply(client, late))

    async def test_one_for_a_line_that_has_gone_is_nobodys(self) -> None:
        async with scripted_venue() as venue:
            async with connected(venue) as client:
                venue.delay_reply("private/buy", SOON_S)
                late = await buy(client)
                await passed(client)
            async with connected(venue) as other:
                await asyncio.sleep(2 * SOON_S)
                assert reply(client, late) is None
                assert not any("order" in (f.get("result") or {}) for f in other.frames)


class TestPrivateMessages:
    async def test_twice_late_or_behind_the_next(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=[CHANGES])

            def seen() -> list[float]:
                return [change["orders"][0]["price"] for change in client.pushed(CHANGES)]

            venue.duplicate_push("user.")
            await buy(client, 0.01)
            await passed(client)
            assert seen() == [0.01, 0.01]
            venue.reorder_push("user.")
            await buy(client, 0.011)
            await passed(client)
            assert seen() == [0.01, 0.01]
            await buy(client, 0.012)
            await passed(client)
            assert seen()[2:] == [0.012, 0.011]
            venue.delay_push("user.", SOON_S)
            await buy(client, 0.013)
            await buy(client, 0.014)
            await passed(client)
            assert seen()[4:] == [0.014]
            await client.push(CHANGES, 6)
            assert seen()[5:] == [0.013]
            assert venue.trouble.counts == {
                "duplicate_private": 1,
                "reordered_private": 1,
                "late_private": 1,
            }

    async def test_one_that_nothing_follows_comes_all_the_same(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.ask("private/subscribe", channels=[CHANGES])
            venue.reorder_push("user.")
            await buy(client)
            await client.push(CHANGES)


class TestBooks:
    async def test_a_skipped_change_leaves_a_gap(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.subscribe(RAW_BOOK)
            first = await client.push(RAW_BOOK)
            venue.skip_book_change(OPTION)
            rest(venue, Side.BUY, "1", "0.02")
            rest(venue, Side.BUY, "1", "0.0205")
            change = await client.push(RAW_BOOK, 2)
            assert change["prev_change_id"] > first["change_id"]
            assert venue.trouble.counts == {"book_gap": 1}

    async def test_a_stopped_book_is_silent_and_others_are_not(self) -> None:
        other = f"book.{PERPETUAL}.raw"
        async with scripted_venue() as venue, connected(venue) as client:
            await client.subscribe(RAW_BOOK, other)
            venue.stop_book(OPTION, 60)
            rest(venue, Side.BUY, "1", "0.02")
            rest(venue, Side.BUY, "1", "2800", PERPETUAL)
            await client.push(other, 2)
            assert len(client.pushed(RAW_BOOK)) == 1
            venue.heal()
            rest(venue, Side.BUY, "1", "0.0205")
            await client.push(RAW_BOOK, 2)

    async def test_the_first_message_of_a_channel_is_never_skipped(self) -> None:
        plan = FaultPlan(book_gap=1.0, late_private=1.0, late_s=60)
        async with scripted_venue(faults=plan) as venue, connected(venue) as client:
            await client.subscribe(RAW_BOOK)
            await client.push(RAW_BOOK)


class TestGarbage:
    async def test_words_half_a_message_and_bytes(self) -> None:
        async with scripted_venue() as venue, robust(venue) as client:
            venue.garble(3, about="public/")
            for _ in range(4):
                await client.send("public/test")
            await client.until(lambda: client.frames)
            words, half, binary = client.noise
            assert isinstance(words, str)
            assert isinstance(half, str)
            assert half.startswith('{"jsonrpc"')
            assert isinstance(binary, bytes)
            assert [frame["id"] for frame in client.frames] == [4]
            assert venue.trouble.counts == {"garbage": 3}


class TestLines:
    async def test_connections_are_refused_for_a_while(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            venue.refuse_connections(60)
            with pytest.raises(aiohttp.ClientConnectorError):
                await rest_get(venue, TIME)
            await passed(client)
            venue.heal()
            await until(lambda: venue.is_open)
            assert (await rest_get(venue, TIME))[0] == 200

    async def test_a_half_open_line_swallows_and_a_new_one_does_not(self) -> None:
        async with scripted_venue() as venue, connected(venue) as deaf:
            await deaf.ask("private/enable_cancel_on_disconnect")
            async with connected(venue) as hearing:
                venue.half_open(60, trading=True)
                sent = await buy(deaf)
                await passed(hearing)
                async with connected(venue) as fresh:
                    await passed(fresh)
                assert open_orders(venue) == 0
                venue.heal()
                await passed(deaf)
                assert reply(deaf, sent) is None

    @pytest.mark.parametrize(("with_orders", "left"), [(True, 1), (False, 0)])
    async def test_a_restart_ends_sessions_and_tokens_but_not_accounts(
        self, with_orders: bool, left: int
    ) -> None:
        async with scripted_venue() as venue:
            async with connected(venue) as client:
                token = (await client.login())["access_token"]
                await client.ask("private/enable_cancel_on_disconnect")
                await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
                venue.restart(with_orders=with_orders)
                await client.until_closed()
            await until(lambda: venue.is_open and venue.connections == 0)
            assert open_orders(venue) == left
            async with connected(venue, login=False) as again:
                with pytest.raises(Refused, match="unauthorized"):
                    await again.ask("private/get_positions", access_token=token)
                await again.login()
                found = await again.ask("private/get_open_orders")
                assert len(found) == left

    async def test_while_a_venue_is_away_its_market_stands_still(self) -> None:
        async with scripted_venue() as venue, connected(venue) as client:
            await client.subscribe(RAW_BOOK)
            venue.restart(away_s=60)
            market = venue.market
            moved = market.moved_to[-1]  # type: ignore[attr-defined]  # the scripted one
            await asyncio.sleep(SOON_S)
            assert market.moved_to[-1] == moved  # type: ignore[attr-defined]  # as above
            venue.heal()
            await until(lambda: venue.is_open)


class TestRest:
    async def test_too_many_requests_and_bad_gateways(self) -> None:
        async with scripted_venue() as venue:
            venue.answer_http(TIME, 429)
            venue.answer_http(TIME, 503)
            venue.answer_http(TIME, 502, carried_out=True)
            assert [(await rest_get(venue, TIME))[0] for _ in range(4)] == [429, 503, 502, 200]
            assert venue.trouble.counts == {"http_429": 1, "http_5xx": 2}

    async def test_a_lost_one_breaks_the_connection(self) -> None:
        async with scripted_venue() as venue:
            venue.lose_request(TIME, 2)  # aiohttp asks once more by itself
            with pytest.raises(aiohttp.ClientError):
                await rest_get(venue, TIME)

    async def test_late_both_ways(self) -> None:
        async with scripted_venue() as venue:
            venue.delay_request(TIME, SOON_S)
            asked_ms = venue.now_ms()
            stated = int(orjson.loads((await rest_get(venue, TIME))[1])["result"])
            assert stated - asked_ms >= 1000 * SOON_S - 2
            venue.delay_reply(TIME, SOON_S)
            asked_ms = venue.now_ms()
            stated = int(orjson.loads((await rest_get(venue, TIME))[1])["result"])
            assert venue.now_ms() - stated >= 1000 * SOON_S - 2

    async def test_an_error_over_rest(self) -> None:
        async with scripted_venue() as venue:
            venue.answer(TIME, 11094)
            status, body = await rest_get(venue, TIME)
            assert (status, orjson.loads(body)["error"]["code"]) == (400, 11094)


class TestClock:
    async def test_everything_is_stamped_by_a_wrong_clock_but_the_time_is_right(self) -> None:
        async with (
            scripted_venue(faults=FaultPlan(clock_skew_s=2.0)) as venue,
            connected(venue) as client,
        ):
            right = await client.ask(TIME)
            order = (await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02))[
                "order"
            ]
            assert 2000 <= order["creation_timestamp"] - right < 3000
            assert 0 <= right - START_MS < 60_000
            late = await client.send("public/test")
            frame = await client.wait_for(lambda frame: frame.get("id") == late)
            assert 2000 <= frame["usOut"] // 1000 - right < 10_000
            # What is valid until now by the right clock has been too late for two seconds.
            with pytest.raises(Refused, match="timed_out"):
                await client.ask(
                    "private/buy",
                    instrument_name=OPTION,
                    amount=1,
                    price=0.02,
                    valid_until=right + 1500,
                )

    def test_a_world_with_an_expiry_ahead_starts_minutes_before_it(self) -> None:
        venue = scripted_venue(faults=FaultPlan(seed=3, expiry_soon=1.0))
        # START_MS is 2025-06-02 12:00: the next 08:00 is that of the third.
        expiry_ms = START_MS + 20 * 3_600_000
        assert 45_000 <= expiry_ms - venue.start_ms <= 180_000
        assert scripted_venue().start_ms == START_MS


FROM_PLAN: dict[str, tuple[dict[str, float], str]] = {
    "lost_request": ({}, "lost_request"),
    "lost_reply": ({}, "lost_reply"),
    "late_request": ({"late_s": 0.01}, "late_request"),
    "late_reply": ({"late_s": 0.01}, "late_reply"),
    "late_private": ({"late_s": 0.01}, "late_private"),
    "duplicate_private": ({}, "duplicate_private"),
    "reordered_private": ({}, "reordered_private"),
    "book_gap": ({}, "book_gap"),
    "stale_book_per_hour": ({}, "stale_book"),
    "half_open_per_hour": ({"half_open_s": 0.05}, "half_open"),
    "private_silence_per_hour": ({"private_silence_s": 0.05}, "private_silence"),
    "closed_book_per_hour": ({"closed_s": 0.05}, "closed_book"),
    "cut_per_hour": ({"down_s": 0.05}, "cut"),
    "cut_mid_order": ({"down_s": 0.05}, "cut_mid_order"),
    "ignored_cod": ({}, "ignored_cod"),
    "rate_limited": ({}, "rate_limited"),
    "http_429": ({}, "http_429"),
    "http_5xx": ({}, "http_5xx"),
    "garbage": ({}, "garbage"),
    "restart_per_hour": ({"down_s": 0.05}, "restart"),
}
"""Strength -> (durations that suit a test, the name it is counted under)."""

NOT_COUNTED = {"clock_skew_s", "restart_loses_orders", "expiry_soon"}
"""They hold all the time, or say how another one comes."""


class TestPlan:
    def test_every_fault_of_a_plan_is_tested(self) -> None:
        assert FROM_PLAN.keys() | NOT_COUNTED == STRENGTHS.keys()

    async def test_without_one_nothing_happens(self) -> None:
        async with scripted_venue() as venue:
            await self._provoke(venue, FaultPlan(), lambda: True)
            assert venue.trouble.counts == {}

    @pytest.mark.parametrize("name", FROM_PLAN)
    async def test_what_is_on_happens_and_nothing_else(self, name: str) -> None:
        durations, counted = FROM_PLAN[name]
        strength = 3_600 if name.endswith("_per_hour") else 1.0
        plan = FaultPlan(**{name: strength}, **durations)  # type: ignore[arg-type]  # all floats
        async with scripted_venue() as venue:
            await self._provoke(venue, plan, lambda: venue.trouble.counts[counted] > 0)
            assert venue.trouble.counts.keys() == {counted}
            venue.heal()
            before = dict(venue.trouble.counts)
            await until(lambda: venue.is_open)
            async with connected(venue) as client:
                await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
            assert venue.trouble.counts == before

    @staticmethod
    async def _provoke(venue: SimVenue, plan: FaultPlan, enough: Callable[[], bool]) -> None:
        """Give every fault an occasion: all set up in peace, then the plan begins."""
        async with robust(venue) as client:
            await client.login()
            await client.ask("private/enable_cancel_on_disconnect")
            await client.ask("private/subscribe", channels=[CHANGES])
            await client.subscribe(RAW_BOOK)
            await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.001)
            venue.plan_trouble(plan)
            await client.send("public/test")
            await client.send("private/buy", instrument_name=OPTION, amount=1, price=0.01)
            wish = NewOrder(name=OPTION, side=Side.BUY, amount=Decimal(2), price=Decimal("0.0005"))
            venue.exchange.place(venue.account, wish, venue.now_ms())
            rest(venue, Side.BUY, "1", "0.02")
            if plan.http_429 or plan.http_5xx or plan.calm:
                await rest_get(venue, TIME)
            if plan.ignored_cod:
                await client.close()
            await until(enough)

    def test_a_seed_repeats_its_draws_and_another_one_does_not(self) -> None:
        def history(seed: int) -> list[object]:
            trouble = FaultInjector(FaultPlan.drawn(seed, Harshness.HARSH), 0)
            return [
                (
                    trouble.request("private/buy", is_order=True, is_rest=i % 7 == 0),
                    trouble.reply("private/buy"),
                    trouble.push(CHANGES, i),
                    trouble.push(RAW_BOOK, i),
                    trouble.due(i * 1000),
                )
                for i in range(2_000)
            ]

        assert history(5) == history(5)
        assert history(5) != history(6)

    def test_one_fault_does_not_move_the_draws_of_another(self) -> None:
        def lost(**more: float) -> list[int]:
            trouble = FaultInjector(FaultPlan(seed=4, lost_reply=0.1, **more), 0)
            fates = [trouble.reply("private/buy") for _ in range(1_000)]
            return [i for i, fate in enumerate(fates) if fate.kind is Kind.LOST]

        assert 60 < len(lost()) < 140
        assert lost() == lost(late_reply=0.2, garbage=0.1)

    def test_rates_are_per_hour_of_venue_time(self) -> None:
        # 240 an hour for 100 hours: 24,000, with a standard deviation of 155.
        trouble = FaultInjector(FaultPlan(seed=1, cut_per_hour=240, down_s=3.0), 0)
        fallen = [due for ms in range(0, 360_000_000, 10_000) for due in trouble.due(ms)]
        assert 23_200 < len(fallen) < 24_800
        assert {due.blow for due in fallen} == {Blow.CUT}
        assert all(0 <= due.seconds <= 3.0 for due in fallen)

    def test_a_command_comes_before_what_is_drawn_and_ends_with_its_count(self) -> None:
        trouble = FaultInjector(FaultPlan(lost_reply=1.0), 0)
        late = Fate(Kind.LATE, seconds=1.0)
        trouble.command(Stage.REPLY, "late_reply", "private/buy", late, 2)
        kinds = [trouble.reply("private/buy").kind for _ in range(3)]
        assert kinds == [Kind.LATE, Kind.LATE, Kind.LOST]

    def test_healing_leaves_only_the_clock_wrong(self) -> None:
        strong = FaultPlan(seed=1, **{f.name: 1.0 for f in fields(FaultPlan) if f.name != "seed"})
        trouble = FaultInjector(strong, 0)
        trouble.heal()
        assert trouble.plan.active() == {"clock_skew_s": 1.0}
        assert trouble.due(10**12) == []
        assert trouble.reply("private/buy").kind is Kind.PASSES

    async def test_whoever_listens_is_told(self) -> None:
        told: list[tuple[str, str]] = []
        async with scripted_venue() as venue, connected(venue) as client:
            venue.trouble.tell = lambda fault, detail: told.append((fault, detail))
            venue.drop_reply("public/test")
            await client.send("public/test")
            async with asyncio.timeout(DEADLINE_S):
                await passed(client)
            assert told == [("lost_reply", "public/test")]
