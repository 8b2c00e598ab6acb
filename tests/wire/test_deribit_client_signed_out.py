"""Connections that are signed in in name only, venues that do not want us, lines that flap."""

import asyncio
from functools import partial
from typing import Any

import ccxt.pro
import pytest

from mmbot.core.events import Link
from tests.wire.clients import HandClock, Notes, Patient, ours, state_of
from tests.wire.scripted import SILENCE, Refused, Scripted, until

TRADING = Link.TRADING


def lives(notes: Notes, socket: Link = TRADING) -> list[bool]:
    return [up for heard, up in notes.links if heard is socket]


def refuse_after(times: int, refusal: Refused, answer: Any) -> Any:
    """An answer that is right so often, and then a refusal."""
    left = [times]

    def say(_: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise refusal
        return answer

    return say


class TestASessionThatIsNone:
    @pytest.mark.parametrize(
        ("code", "name"),
        [
            (13009, "unauthorized"),
            (13004, "invalid_credentials"),
            (13010, "value_required"),
            (13021, "forbidden"),
            (13403, "scope_exceeded"),
            (10000, "authorization_required"),
        ],
    )
    async def test_ends_the_connection_and_the_next_one_signs_in(
        self, code: int, name: str
    ) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            refusal = Refused(code, name)
            venue.answer("private/cancel", refuse_after(0, refusal, None))
            await client.start([TRADING])
            client.send(TRADING, "private/cancel", {"order_id": "1"})
            await until(lambda: lives(notes) == [True, False, True], "down and up")
            assert venue.last is not venue.connections[0]
            assert len(venue.last.calls("public/auth")) == 1
            assert f"{code} {name}" in notes.reasons[1]
            assert client.cod_enabled

    async def test_is_noticed_on_a_read_and_over_market_too(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            venue.answer("private/get_positions", Refused(13009, "unauthorized"))
            await client.start([Link.MARKET])
            with pytest.raises(ccxt.AuthenticationError):
                await client.rpc(Link.MARKET, "private/get_positions", {})
            await until(lambda: lives(notes, Link.MARKET) == [True, False, True], "down and up")

    async def test_is_noticed_by_an_answer_that_comes_late(self) -> None:
        clock, arrived = HandClock(), asyncio.Event()

        async def slow(_: Any) -> Any:
            await arrived.wait()
            raise Refused(13009, "unauthorized")

        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.1) as (client, notes),
        ):
            venue.answer("private/cancel", lambda params: slow(params))
            await client.start([TRADING])
            client.send(TRADING, "private/cancel", {})
            clock.now_s += 2.1
            await until(lambda: not client.asked, "given up")
            arrived.set()
            await until(lambda: lives(notes)[:2] == [True, False], "down")

    @pytest.mark.parametrize("code", [11044, 10009, 13028, 11050, -32602, 99999])
    async def test_is_not_what_any_other_refusal_says(self, code: int) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            venue.answer("private/cancel", Refused(code, "name"))
            await client.start([TRADING])
            with pytest.raises(ccxt.BaseError):
                await client.rpc(TRADING, "private/cancel", {})
            await client.rpc(TRADING, "public/test", {})
            assert lives(notes) == [True]

    async def test_is_no_matter_of_public_requests(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            venue.answer("public/get_time", Refused(13009, "unauthorized"))
            await client.start([Link.MARKET])
            with pytest.raises(ccxt.AuthenticationError):
                await client.rpc(Link.MARKET, "public/get_time", {})
            await client.rpc(Link.MARKET, "public/test", {})
            assert lives(notes, Link.MARKET) == [True]

    async def test_that_ends_again_and_again_is_left_alone_for_longer_each_time(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            venue.answer("private/cancel", Refused(13403, "scope_exceeded"))
            await client.start([TRADING])
            for times in range(1, 10):
                client.send(TRADING, "private/cancel", {})
                await until(lambda n=times: lives(notes).count(False) == n, "down")  # type: ignore[misc]
                await until(lambda: client.up(TRADING), "up")
                clock.now_s += 1.0
            waits_s = [wait_s for wait_s in client.waits_s if wait_s]
            assert waits_s == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


class TestSigningIn:
    async def test_that_is_refused_from_now_on_backs_off_and_says_why(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.005) as (client, notes),
        ):
            await client.start([TRADING])
            venue.answer("public/auth", Refused(13004, "invalid_credentials"))
            venue.last.sever()
            await until(lambda: len(client.waits_s) >= 10, "ten attempts")
            # The line itself failed once, before the first of the refusals.
            assert client.waits_s[1:10] == [0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 30.0]
            assert all("13004" in str(fault) for fault in notes.faults)
            venue.answer("public/auth", {"access_token": "a", "expires_in": 900})
            await until(lambda: client.up(TRADING), "back")

    @pytest.mark.parametrize("token", ["token", [], 7])
    async def test_that_is_answered_with_no_token_is_an_error_of_the_venues(
        self, token: Any
    ) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("public/auth", lambda _: token)
            with pytest.raises(ccxt.BadResponse, match="no token"):
                await client.start([TRADING])

    @pytest.mark.parametrize(
        "token", [{}, {"expires_in": None}, {"expires_in": "900", "refresh_token": 5}]
    )
    async def test_works_with_a_token_that_says_nothing_of_its_life(self, token: Any) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("public/auth", token)
            await client.start([TRADING])
            assert state_of(client, TRADING).refresh_s == float("inf")

    @pytest.mark.parametrize("account", ["ok", [], {}, {"summaries": None}, {"summaries": [5]}])
    async def test_takes_an_account_that_says_nothing_for_the_lowest_tier(
        self, account: Any
    ) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/get_account_summaries", account)
            await client.start([TRADING])
            assert client.rate_limits.matching.rate == 5.0

    async def test_believes_the_answer_to_arming_where_the_state_is_not_repeated(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/get_cancel_on_disconnect", {})
            await client.start([TRADING])
            assert client.cod_enabled

    async def test_does_not_believe_an_answer_that_is_none(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/enable_cancel_on_disconnect", {})
            venue.answer("private/get_cancel_on_disconnect", {})
            await client.start([TRADING])
            assert not client.cod_enabled

    @pytest.mark.parametrize("state", ["ok", [], {"enabled": None}, {"enabled": "yes"}])
    async def test_believes_in_cancel_on_disconnect_only_when_told_so(self, state: Any) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/get_cancel_on_disconnect", state)
            await client.start([TRADING])
            assert not client.cod_enabled

    async def test_is_not_done_when_the_venue_does_not_know_us_right_after(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            await client.start([TRADING])
            armed = refuse_after(0, Refused(13009, "unauthorized"), None)
            venue.answer("private/enable_cancel_on_disconnect", armed)
            venue.last.sever()
            await until(lambda: len(notes.faults) >= 2, "tried")
            assert lives(notes) == [True, False], "unarmed it must not be up"
            venue.answer("private/enable_cancel_on_disconnect", "ok")
            await until(lambda: client.up(TRADING), "back")
            assert client.cod_enabled

    async def test_is_an_error_of_the_venues_when_it_does_not_know_us_at_the_start(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/get_account_summaries", Refused(13009, "unauthorized"))
            with pytest.raises(ccxt.AuthenticationError, match="13009"):
                await client.start([TRADING])

    async def test_does_not_go_on_unprotected_where_it_was_protected_before(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            await client.start([TRADING])
            venue.answer("private/get_cancel_on_disconnect", {"enabled": False})
            venue.last.sever()
            await until(lambda: len(notes.faults) >= 4, "tried twice")
            assert lives(notes) == [True, False]
            venue.answer("private/get_cancel_on_disconnect", {"enabled": True})
            await until(lambda: client.up(TRADING), "back")


class TestSubscribing:
    @pytest.mark.parametrize("answer", [Refused(11051, "system_maintenance"), "ok", 5])
    async def test_that_fails_for_the_moment_forgets_no_channel(self, answer: Any) -> None:
        channel = "book.BTC-PERPETUAL.raw"
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: [channel]})
            right = venue.answers.get("public/subscribe")
            venue.answer(
                "public/subscribe", answer if isinstance(answer, Refused) else {"said": answer}
            )
            connection = venue.last
            connection.sever()
            await until(lambda: len(notes.faults) >= 2, "tried")
            assert not client.up(Link.MARKET)
            venue.answer("public/subscribe", right)
            await until(lambda: client.up(Link.MARKET), "back")
            assert venue.serving(channel)


async def flap(venue: Scripted, client: Patient, notes: Notes, times: int) -> None:
    for number in range(1, times + 1):
        await until(partial(client.up, Link.MARKET), "up")
        venue.last.sever()
        await until(lambda n=number: notes.links.count((Link.MARKET, False)) == n, "down")  # type: ignore[misc]


class TestALineThatFlaps:
    async def test_is_dialed_again_within_two_seconds_however_often(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await client.start([Link.MARKET])
            await flap(venue, client, notes, 8)
            await until(lambda: client.up(Link.MARKET), "up")
            waits_s = [wait_s for wait_s in client.waits_s if wait_s]
            assert waits_s == [0.25, 0.5, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5]

    async def test_that_stood_for_a_while_is_dialed_again_at_once(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await client.start([Link.MARKET])
            await flap(venue, client, notes, 5)
            await until(lambda: client.up(Link.MARKET), "up")
            clock.now_s += 10.1
            await until(lambda: venue.last.calls("public/test"), "looked after")
            client.waits_s.clear()
            venue.last.sever()
            await until(lambda: notes.links.count((Link.MARKET, False)) == 6, "down")
            await until(lambda: client.up(Link.MARKET), "up")
            assert [wait_s for wait_s in client.waits_s if wait_s] == [0.25]

    async def test_that_leads_nowhere_has_been_waited_for_long_enough(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.05) as (client, _):
            await client.start([Link.MARKET])
            venue.answer("public/set_heartbeat", SILENCE)
            venue.last.sever()
            await until(lambda: len(client.waits_s) >= 6, "five attempts")
            # Each of them waited 1.5 s for an answer.
            assert client.waits_s[1:] == [0.25] * (len(client.waits_s) - 1)
            venue.answer("public/set_heartbeat", "ok")
            await until(lambda: client.up(Link.MARKET), "back")

    async def test_that_lets_nobody_in_is_given_up_soon_and_dialed_again(self) -> None:
        held: list[asyncio.StreamWriter] = []

        async def hole(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held.append(writer)  # TCP is there, and nobody answers

        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET])
            server = await asyncio.start_server(hole, "127.0.0.1", 0)
            right = client.urls["api"]["ws"]
            port = server.sockets[0].getsockname()[1]
            client.urls["api"]["ws"] = f"ws://127.0.0.1:{port}/ws/api/v2"
            venue.last.sever()
            await until(lambda: len(held) == 2, "given up once")
            client.urls["api"]["ws"] = right
            await until(lambda: client.up(Link.MARKET), "back")
            assert isinstance(notes.faults[0], ccxt.RequestTimeout)
            assert [wait_s for wait_s in client.waits_s if wait_s][:2] == [0.25, 0.25]
            for writer in held:
                writer.close()
            server.close()

    async def test_is_dialed_once_at_a_time(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.01) as (client, _):
            await client.start([Link.MARKET])
            venue.refuse_dials = True
            dials = venue.dials
            venue.last.sever()
            await until(lambda: len(client.waits_s) >= 8, "seven attempts")
            assert venue.dials - dials <= len(client.waits_s) - 1
