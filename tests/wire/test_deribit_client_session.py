"""The client's connections: coming up, breaking, coming back, and leaving nothing behind."""

import asyncio
import gc
import gzip
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
import uvloop

from mmbot.core.events import Link
from mmbot.venues.book import Book
from mmbot.venues.deribit import Deribit
from mmbot.venues.rates import Rate
from mmbot.venues.requests import Outcome, Reply
from mmbot.venues.timing import Timing
from tests.wire.clients import HandClock, Notes, ours, state_of, wire_of
from tests.wire.scripted import (
    SILENCE,
    Connection,
    Refused,
    Scripted,
    change,
    order,
    snapshot,
    ticker,
    until,
    with_markets,
)

BOOK = "book.BTC-PERPETUAL.raw"
TICKER = "ticker.BTC-PERPETUAL.raw"
USER = "user.changes.any.any.raw"

SIGNATURE = "dbe4fb26891500999cae8aecce007931ff19c28ef058ccc4c3b2ae2419e5e349"

HASTY: dict[str, Any] = {"time_scale": 0.1, "timing": Timing(backoff_max_s=0.25)}

FIRST = snapshot(10, [[100.0, 10.0], [99.5, 20.0]], [[101.0, 10.0]])


def call_of(venue: Scripted, method: str) -> tuple[Connection, dict[str, Any]]:
    """The connection and parameters of the only call of `method`."""
    found = [(c, params) for c in venue.connections for params in c.calls(method)]
    assert len(found) == 1, found
    return found[0]


async def subscribed(venue: Scripted, channel: str) -> Connection:
    connection: Connection = await until(lambda: venue.serving(channel), channel)
    return connection


class TestComingUp:
    async def test_two_sockets_sign_in_and_only_trading_is_armed(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start(Link, {Link.MARKET: [BOOK], Link.TRADING: [USER]})
            market, trading = await subscribed(venue, BOOK), await subscribed(venue, USER)
            assert market is not trading
            assert market.methods() == ["public/set_heartbeat", "public/auth", "public/subscribe"]
            assert trading.methods() == [
                "public/set_heartbeat",
                "public/auth",
                "private/enable_cancel_on_disconnect",
                "private/get_cancel_on_disconnect",
                "private/get_account_summaries",
                "private/subscribe",
            ]
            assert sorted(notes.links, key=lambda link: link[0].name) == [
                (Link.MARKET, True),
                (Link.TRADING, True),
            ]
            assert client.cod_enabled
            assert not notes.faults

    async def test_the_mark_of_the_trading_socket_never_goes_on_the_wire(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start(Link)
            assert [connection.path for connection in venue.connections] == ["/ws/api/v2"] * 2

    async def test_the_heartbeat_is_ten_seconds_on_every_socket(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start(Link)
            beats = [c.calls("public/set_heartbeat") for c in venue.connections]
            assert beats == [[{"interval": 10}], [{"interval": 10}]]

    async def test_the_signature_is_over_the_venues_time(self) -> None:
        # HMAC-SHA256 of "1700000000000\n1700000000000\n" with key "secret", computed apart.
        async with (
            Scripted() as venue,
            ours(venue, now_ms=lambda: 1_700_000_000_000, monotonic=HandClock()) as (c, _),
        ):
            await c.start([Link.MARKET])
            _, params = call_of(venue, "public/auth")
            assert params["grant_type"] == "client_signature"
            assert params["timestamp"] == 1_700_000_000_000
            assert params["signature"] == SIGNATURE
            assert "secret" not in venue.last.received[1]["text"]

    async def test_without_credentials_no_private_call_is_made(self) -> None:
        async with Scripted() as venue, ours(with_markets(venue), keys=False) as (client, _):
            assert client.interval == "100ms"
            await client.load_markets()
            await client.start([Link.MARKET], {Link.MARKET: ["ticker.BTC-PERPETUAL.100ms"]})
            assert venue.last.methods() == ["public/set_heartbeat", "public/subscribe"]
            assert all(method.startswith("public/") for method, _ in venue.rest)
            with pytest.raises(ccxt.AuthenticationError, match="needs an API key"):
                await client.start([Link.TRADING])
            with pytest.raises(ccxt.AuthenticationError):
                await client.watch_orders()
            assert len(venue.connections) == 1

    async def test_wrong_credentials_end_the_start(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            venue.answer("public/auth", Refused(13004, "invalid_credentials"))
            with pytest.raises(ccxt.AuthenticationError, match="13004"):
                await client.start([Link.TRADING])
            assert not notes.links
            assert not client.up(Link.TRADING)

    async def test_a_venue_that_is_not_there_ends_the_start(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.refuse_dials = True
            with pytest.raises(ccxt.NetworkError):
                await client.start([Link.MARKET])
            venue.refuse_dials = False
            await client.start([Link.MARKET])
            assert client.up(Link.MARKET)

    async def test_a_channel_left_out_is_named(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.MARKET])
            venue.answer("public/subscribe", lambda params: params["channels"][1:])
            with pytest.raises(ccxt.ExchangeError, match=r"did not subscribe book\.NO-SUCH\.raw"):
                await client.subscribe(Link.MARKET, ["book.NO-SUCH.raw", TICKER])
            await venue.last.push(TICKER, ticker(5.0))

    async def test_a_channel_left_out_at_the_start_ends_it(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("public/subscribe", [])
            with pytest.raises(ccxt.ExchangeError, match="did not subscribe"):
                await client.start([Link.MARKET], {Link.MARKET: [BOOK]})

    async def test_many_channels_go_in_several_frames_that_fit(self) -> None:
        channels = [f"book.BTC-27JUN25-{strike}-C.raw" for strike in range(100_000, 101_000)]
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.MARKET], {Link.MARKET: channels})
            frames = [f for f in venue.last.received if f["method"] == "public/subscribe"]
            assert sorted(c for f in frames for c in f["params"]["channels"]) == sorted(channels)
            assert max(len(f["text"]) for f in frames) < 32_000

    async def test_cancel_on_disconnect_is_believed_only_when_read_back(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            venue.answer("private/get_cancel_on_disconnect", {"enabled": False})
            await client.start([Link.TRADING])
            assert not client.cod_enabled
            assert "cancel-on-disconnect" in str(notes.faults[0])

    async def test_a_key_that_may_not_trade_comes_up_unarmed_and_says_so(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            venue.answer("private/enable_cancel_on_disconnect", Refused(13403, "scope_exceeded"))
            await client.start([Link.TRADING])
            assert not client.cod_enabled
            assert "13403" in str(notes.faults[0])

    async def test_the_rate_limits_are_the_accounts(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            assert client.rate_limits.matching == Rate(5.0, 20.0)
            await client.start([Link.TRADING])
            assert client.rate_limits.matching == Rate(200.0, 250.0)
            assert client.rate_limits.cancel_all == Rate(40.0, 50.0)
            assert client.rate_limits.non_matching == Rate(1000.0, 1500.0)

    async def test_an_account_that_does_not_say_its_limits_has_the_lowest(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/get_account_summaries", Refused(13403, "scope_exceeded"))
            await client.start([Link.TRADING])
            assert client.rate_limits.matching == Rate(5.0, 20.0)


class TestRequests:
    async def test_the_frame_is_written_before_send_returns(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.TRADING])
            wire = wire_of(client, Link.TRADING)
            assert wire.writes_at_once
            before = wire._writer._output_size
            client.send(Link.TRADING, "private/cancel", {"order_id": "1"})
            assert wire._writer._output_size > before

    async def test_a_writer_of_another_shape_is_not_used(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/cancel", order())
            await client.start([Link.TRADING])
            wire = wire_of(client, Link.TRADING)
            wire._writer = None
            assert not wire.writes_at_once
            result = await client.rpc(Link.TRADING, "private/cancel", {"order_id": "1"})
            assert result["order_id"] == "1001"

    async def test_an_error_is_ccxts_for_that_code(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.TRADING])
            for code, kind in (
                (10009, ccxt.InsufficientFunds),
                (10004, ccxt.OrderNotFound),
                (11054, ccxt.InvalidOrder),
                (13888, ccxt.RequestTimeout),
                (10066, ccxt.DDoSProtection),
                (99999, ccxt.ExchangeError),
            ):
                venue.answer("private/buy", Refused(code, "name", {"reason": "why"}))
                with pytest.raises(kind, match=f"{code} name .*why"):
                    await client.rpc(Link.TRADING, "private/buy", {})

    async def test_an_error_that_leaves_it_open_is_unknown(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.TRADING])
            for code, outcome in (
                (11054, Outcome.REFUSED),
                (13888, Outcome.UNKNOWN),
                (11094, Outcome.UNKNOWN),
            ):
                venue.answer("private/buy", Refused(code, "name"))
                replies: list[Reply] = []
                client.send(Link.TRADING, "private/buy", {}, replies.append)
                await until(partial(list, replies), "reply")
                assert replies[0].outcome is outcome
                assert replies[0].error is not None
                assert replies[0].error.code == code

    async def test_no_reply_in_time_is_unknown_and_the_late_reply_is_still_heard(self) -> None:
        clock, arrived = HandClock(), asyncio.Event()

        async def slow(_: Any) -> Any:
            await arrived.wait()
            return {"order": order()}

        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, notes):
            venue.answer("private/buy", lambda params: slow(params))
            await client.start([Link.TRADING])
            replies: list[Reply] = []
            id_ = client.send(Link.TRADING, "private/buy", {}, replies.append)
            clock.now_s += 2.1
            await until(lambda: replies, "deadline")
            assert (replies[0].id, replies[0].outcome) == (id_, Outcome.UNKNOWN)
            assert replies[0].sent
            arrived.set()
            await until(lambda: notes.late, "late reply")
            assert (notes.late[0].id, notes.late[0].outcome) == (id_, Outcome.OK)
            assert len(replies) == 1

    async def test_a_second_copy_of_a_reply_is_a_late_one(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET])
            replies: list[Reply] = []
            id_ = client.send(Link.MARKET, "public/test", {}, replies.append)
            await until(lambda: replies, "reply")
            await venue.last.say({"jsonrpc": "2.0", "id": id_, "result": "again"})
            await until(lambda: notes.late, "copy")
            assert len(replies) == 1

    async def test_rpc_raises_a_time_out_when_nobody_answers(self) -> None:
        clock = HandClock()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, _):
            venue.answer("private/buy", SILENCE)
            await client.start([Link.TRADING])
            waiting = asyncio.ensure_future(client.rpc(Link.TRADING, "private/buy", {}))
            await until(lambda: venue.last.calls("private/buy"), "sent")
            clock.now_s += 2.1
            with pytest.raises(ccxt.RequestTimeout, match="no reply in time"):
                await waiting

    async def test_a_broken_socket_makes_what_is_in_flight_unknown(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            venue.answer("private/buy", SILENCE)
            await client.start(Link)
            trading = call_of(venue, "private/get_account_summaries")[0]
            replies: list[Reply] = []
            ids = [
                client.send(Link.TRADING, "private/buy", {}, replies.append, 100.0)
                for _ in range(3)
            ]
            await until(lambda: len(trading.calls("private/buy")) == 3, "sent")
            trading.sever()
            await until(lambda: len(replies) == 3, "all ended")
            assert [reply.id for reply in replies] == ids
            assert {reply.outcome for reply in replies} == {Outcome.UNKNOWN}
            assert (Link.MARKET, False) not in notes.links

    async def test_nothing_is_sent_while_the_link_is_down(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            replies: list[Reply] = []
            id_ = client.send(Link.TRADING, "private/buy", {}, replies.append)
            assert not replies, "never from within send"
            await until(lambda: replies, "told")
            assert replies[0] == Reply(
                id_,
                Outcome.UNKNOWN,
                why="TRADING is not connected",
                sent=False,
                venue="deribit",
            )
            with pytest.raises(ccxt.NetworkError, match="not connected"):
                await client.rpc(Link.TRADING, "private/buy", {})
            assert not venue.connections

    async def test_no_order_leaves_before_cancel_on_disconnect_is_on(self) -> None:
        armed = asyncio.Event()

        async def slow(_: Any) -> Any:
            await armed.wait()
            return "ok"

        async with Scripted() as venue, ours(venue) as (client, _):
            venue.answer("private/enable_cancel_on_disconnect", lambda params: slow(params))
            starting = asyncio.ensure_future(client.start([Link.TRADING]))
            await until(
                lambda: (
                    venue.connections and venue.last.calls("private/enable_cancel_on_disconnect")
                ),
                "signed in",
            )
            replies: list[Reply] = []
            client.send(Link.TRADING, "private/buy", {}, replies.append)
            await until(lambda: replies, "refused")
            assert not replies[0].sent
            armed.set()
            await starting
            assert not venue.last.calls("private/buy")

    async def test_a_connection_that_takes_no_more_data_is_not_fed(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.TRADING])
            wire = wire_of(client, Link.TRADING)
            wire._writer.protocol.pause_writing()
            replies: list[Reply] = []
            client.send(Link.TRADING, "private/buy", {}, replies.append)
            await until(lambda: replies, "told")
            assert not replies[0].sent
            wire._writer.protocol.resume_writing()


class TestHandlersThatRaise:
    async def test_are_contained_and_reported(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: [BOOK, TICKER, "user.portfolio.any"]})
            seen: list[str] = []

            def fail(*args: Any) -> None:
                seen.append(type(args[0]).__name__)
                raise RuntimeError("a bug in a handler")

            client.on_book = client.on_ticker = client.on_user = fail
            await venue.last.push(BOOK, FIRST)
            await venue.last.push(TICKER, ticker(1.0))
            await venue.last.push("user.portfolio.any", {})
            client.send(Link.MARKET, "public/test", {}, fail)
            await until(lambda: len(seen) == 4, "all called")
            assert [str(fault) for fault in notes.faults] == ["a bug in a handler"] * 4
            client.on_fault = fail
            await venue.last.say("garbage")
            await until(lambda: len(seen) == 7, "fault handler, and the book is not believed")
            client.on_ticker = lambda _, data: seen.append("alive")
            await venue.last.push(TICKER, ticker(2.0))
            await until(lambda: seen[-1] == "alive", "still reading")

    async def test_without_a_fault_handler_they_are_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            client.on_fault = None
            await client.start([Link.MARKET])
            await venue.last.say("garbage")
            await until(lambda: caplog.records, "logged")


class TestChannels:
    async def test_frames_go_to_the_handler_of_their_kind(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            indexes: list[str] = []
            client.on_index = lambda name, _: indexes.append(name)
            await client.start([Link.MARKET])
            say = venue.last.push
            await say(TICKER, ticker(3.0))
            await say("trades.BTC-PERPETUAL.raw", [{"instrument_name": "BTC-PERPETUAL"}] * 2)
            await say(
                "trades.option.any.raw",
                [{"instrument_name": "A"}, {"instrument_name": "B"}, {"instrument_name": "A"}],
            )
            await say("deribit_price_index.btc_usd", {"index_name": "btc_usd", "price": 1.0})
            await say(USER, {"orders": []})
            await say("platform_state", {"locked": False})
            await until(lambda: notes.other, "all")
            assert notes.tickers == [3.0]
            assert notes.trades == [("BTC-PERPETUAL", 2), ("A", 2), ("B", 1)]
            assert indexes == ["btc_usd"]
            assert notes.user == [(USER, {"orders": []})]
            assert notes.other == ["platform_state"]
            assert not notes.faults

    async def test_a_gap_is_told_at_once_and_a_new_snapshot_fetched(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            tops: list[Any] = []
            client.on_book = lambda book: tops.append((book.valid, book.top(1)))
            await client.start([Link.MARKET], {Link.MARKET: [BOOK]})
            connection = venue.last
            await connection.push(BOOK, FIRST)
            await connection.push(BOOK, change(10, 12, [["change", 100.0, 40.0]], []))
            await connection.push(BOOK, change(13, 14, [["delete", 100.0, 0.0]], []))
            await connection.push(BOOK, change(14, 15, [["new", 98.0, 1.0]], []))
            await until(lambda: len(connection.calls("public/subscribe")) == 2, "resubscribed")
            assert connection.calls("public/unsubscribe") == [{"channels": [BOOK]}]
            await connection.push(BOOK, snapshot(20, [[97.0, 5.0]], [[98.0, 5.0]]))
            await until(lambda: len(tops) == 4, "new snapshot")
            assert tops == [
                (True, (((100.0, 10.0),), ((101.0, 10.0),))),
                (True, (((100.0, 40.0),), ((101.0, 10.0),))),
                (False, ((), ())),
                (True, (((97.0, 5.0),), ((98.0, 5.0),))),
            ]
            assert not notes.faults

    async def test_many_gaps_are_one_request_a_second(self) -> None:
        names = [f"book.X{number}.raw" for number in range(50)]
        clock = HandClock()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: names})
            connection = venue.last
            for name in names:
                about = name.split(".")[1]
                await connection.push(name, snapshot(1, [], [], about))
                await connection.push(name, change(7, 8, [], [], about))
            await until(lambda: sum(not valid for _, valid, _ in notes.books) == 50, "all gapped")
            await until(
                lambda: sum(len(p["channels"]) for p in connection.calls("public/subscribe")) > 50,
                "resubscribed",
            )
            first = connection.calls("public/subscribe")[1]["channels"]
            assert len(connection.calls("public/subscribe")) == 2
            # Those that gapped after the first batch left wait for the second.
            assert set(first) <= set(names)

    async def test_a_snapshot_that_does_not_come_is_asked_for_again(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, _),
        ):
            await client.start([Link.MARKET], {Link.MARKET: [BOOK]})
            clock.now_s += 5.5
            await until(lambda: len(venue.last.calls("public/subscribe")) == 2, "asked again")

    async def test_a_malformed_book_message_invalidates_the_book(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: [BOOK]})
            await venue.last.push(BOOK, FIRST)
            await venue.last.push(BOOK, change(10, 11, [["new", 100.5]], []))
            await until(lambda: len(notes.books) == 2, "invalidated")
            name, valid, why = notes.books[1]
            assert (name, valid) == ("BTC-PERPETUAL", False)
            assert why.startswith("malformed book message")
            assert len(notes.faults) == 1

    async def test_unsubscribing_invalidates_the_book_and_ends_its_messages(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: [BOOK, TICKER]})
            await venue.last.push(BOOK, FIRST)
            await until(lambda: notes.books, "book")
            await client.unsubscribe(Link.MARKET, [BOOK])
            assert notes.books[-1] == ("BTC-PERPETUAL", False, "unsubscribed")
            await venue.last.push(BOOK, FIRST)
            await venue.last.push(TICKER, ticker(1.0))
            await until(lambda: notes.tickers, "later message")
            assert len(notes.books) == 2
            await client.subscribe(Link.MARKET, [BOOK])
            await venue.last.push(BOOK, FIRST)
            await until(lambda: len(notes.books) == 3, "book again")


class TestBreaking:
    async def test_a_lost_link_is_told_first_and_comes_back_whole(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            events: list[Any] = []
            await client.start(Link, {Link.MARKET: [BOOK], Link.TRADING: [USER]})
            connection = await subscribed(venue, BOOK)
            await connection.push(BOOK, FIRST)
            await until(lambda: notes.books, "book")
            client.on_book = lambda book: events.append(("book", book.valid))
            client.on_link = lambda socket, up, _: events.append((socket, up))
            connection.sever()
            await until(lambda: client.up(Link.MARKET) and len(events) == 3, "back")
            assert events == [(Link.MARKET, False), ("book", False), (Link.MARKET, True)]
            again = await subscribed(venue, BOOK)
            assert again is not connection
            assert again.methods() == connection.methods()

    async def test_trading_is_armed_again_before_it_is_up(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, _):
            await client.start([Link.TRADING], {Link.TRADING: [USER]})
            first = venue.last
            armed_at: list[bool] = []

            def on_link(_: Link, up: bool, __: str) -> None:
                armed_at.append(client.cod_enabled)

            client.on_link = on_link
            first.sever()
            await until(lambda: len(armed_at) == 2, "down and up")
            assert armed_at == [False, True]
            assert venue.last.methods() == first.methods()

    async def test_the_venues_own_goodbye_is_a_loss_too(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            await client.start([Link.MARKET])
            await venue.last.ws.close()
            await until(lambda: notes.links[1:2] == [(Link.MARKET, False)], "down")
            await until(lambda: client.up(Link.MARKET), "back")

    async def test_messages_of_the_old_connection_are_not_heard(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: [TICKER]})
            heard: list[float] = []

            def once(_: str, data: dict[str, Any]) -> None:
                heard.append(data["best_bid_price"])
                client.cut(Link.MARKET, "in the middle of a burst")

            client.on_ticker = once
            for bid in range(5):
                await venue.last.push(TICKER, ticker(float(bid)))
            await until(lambda: len(notes.links) == 3, "down and up")
            assert heard == [0.0]

    async def test_the_waits_grow_until_the_venue_is_back(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.01) as (client, notes):
            await client.start([Link.MARKET])
            venue.refuse_dials = True
            venue.last.sever()
            await until(lambda: len(client.waits_s) >= 10, "ten attempts")
            venue.refuse_dials = False
            await until(lambda: client.up(Link.MARKET), "back")
            assert client.waits_s[1:10] == [0.25, 0.5, 1.0, *[1.5] * 6]
            assert [up for _, up in notes.links] == [True, False, True]
            assert len(notes.faults) >= 8

    async def test_silence_is_probed_and_then_taken_for_death(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await client.start([Link.MARKET])
            venue.answer("public/test", SILENCE)
            clock.now_s += 10.5
            await until(lambda: venue.last.calls("public/test"), "probe")
            assert client.silent_for(Link.MARKET) == 10.5
            assert client.up(Link.MARKET)
            clock.now_s += 10.0
            await until(lambda: (Link.MARKET, False) in notes.links, "given up")
            assert notes.reasons[1].startswith("nothing heard for 2")
            await until(lambda: client.up(Link.MARKET), "back")
            assert client.silent_for(Link.MARKET) == 0.0

    async def test_an_answered_probe_keeps_the_link(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await client.start([Link.MARKET])
            for probes in range(1, 4):
                clock.now_s += 10.5
                await until(partial(probed, venue.last, probes), "probe")
                await until(lambda: client.silent_for(Link.MARKET) == 0.0, "answer")
            assert notes.links == [(Link.MARKET, True)]

    async def test_the_token_is_renewed_at_four_fifths_of_its_life(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            token = {"access_token": "a", "refresh_token": "r1", "expires_in": 10}
            venue.answer("public/auth", lambda _: token)
            await client.start([Link.MARKET])
            began_s, mark = clock.now_s, state_of(client).refresh_s
            clock.now_s += 7.9
            assert mark > clock.now_s - began_s
            token = {**token, "refresh_token": "r2"}
            clock.now_s += 0.2
            await until(lambda: len(venue.last.calls("public/auth")) == 2, "renewed")
            assert venue.last.calls("public/auth")[1] == {
                "grant_type": "refresh_token",
                "refresh_token": "r1",
            }
            await until(lambda: state_of(client).refresh_s > mark, "taken")
            clock.now_s += 8.1
            await until(lambda: len(venue.last.calls("public/auth")) == 3, "renewed again")
            assert venue.last.calls("public/auth")[2]["refresh_token"] == "r2"
            assert not notes.faults

    async def test_a_token_that_cannot_be_renewed_ends_the_connection(self) -> None:
        clock = HandClock()

        def auth(params: dict[str, Any]) -> Any:
            if params["grant_type"] == "refresh_token":
                raise Refused(13009, "unauthorized")
            return {"access_token": "a", "refresh_token": "r", "expires_in": 10}

        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            venue.answer("public/auth", auth)
            await client.start([Link.MARKET])
            clock.now_s += 8.1
            await until(lambda: len(notes.links) == 3, "down and up")
            first, second = venue.connections
            assert [call["grant_type"] for call in first.calls("public/auth")] == [
                "client_signature",
                "refresh_token",
            ]
            assert [c["grant_type"] for c in second.calls("public/auth")] == ["client_signature"]
            assert "13009" in notes.reasons[1]

    async def test_everything_in_flight_is_unknown_after_10028(self) -> None:
        async with Scripted() as venue, ours(venue, time_scale=0.1) as (client, _):
            venue.answer("private/buy", SILENCE)
            venue.answer("private/sell", Refused(10028, "too_many_requests"))
            await client.start([Link.TRADING])
            replies: list[Reply] = []
            client.send(Link.TRADING, "private/buy", {}, replies.append)
            client.send(Link.TRADING, "private/sell", {}, replies.append)
            await until(lambda: len(replies) == 2, "both ended")
            assert [r.outcome for r in replies] == [Outcome.REFUSED, Outcome.UNKNOWN]
            assert not client.up(Link.TRADING)


def probed(connection: Connection, times: int) -> bool:
    return len(connection.calls("public/test")) == times


def has_more(rows: list[Any], than: int) -> bool:
    return len(rows) > than


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def twenty_cuts(venue: Scripted, client: Deribit, notes: Notes) -> None:
    """Break both links twenty times, then compare what exists with what there was before."""
    await client.start(Link, {Link.MARKET: [BOOK, TICKER], Link.TRADING: [USER]})

    def living() -> tuple[int, int]:
        gc.collect()
        return len(asyncio.all_tasks()), open_files()

    before = living()
    for _ in range(20):
        ups = len(notes.links)
        for channel in (BOOK, USER):
            (await subscribed(venue, channel)).sever()
        await until(partial(has_more, notes.links, ups + 3), "down and up, both")
    await until(lambda: living() == before, f"as before: {before}, now {living()}")
    assert client.asked == 0
    assert len(client.clients) == 2


class TestLeavingNothingBehind:
    async def test_twenty_forced_disconnects_leak_nothing(self) -> None:
        async with Scripted() as venue, ours(venue, **HASTY) as (client, notes):
            await twenty_cuts(venue, client, notes)

    def test_nor_on_uvloop(self) -> None:
        async def scenario() -> None:
            async with Scripted() as venue, ours(venue, **HASTY) as (client, notes):
                await twenty_cuts(venue, client, notes)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(scenario())

    async def test_closing_ends_everything(self) -> None:
        async with Scripted() as venue:
            venue.answer("private/buy", SILENCE)
            tasks, files = asyncio.all_tasks(), open_files()
            async with ours(venue) as (client, notes):
                await client.start(Link, {Link.MARKET: [BOOK]})
                replies: list[Reply] = []
                client.send(Link.TRADING, "private/buy", {}, replies.append)
                watching = asyncio.ensure_future(client.rpc(Link.TRADING, "private/buy", {}))
                await until(lambda: len(venue.connections[1].calls("private/buy")) == 2, "sent")
                await client.aclose()
                assert replies[0].outcome is Outcome.UNKNOWN
                assert replies[0].why == "closed by us"
                with pytest.raises(ccxt.NetworkError, match="closed by us"):
                    await watching
                assert notes.links[2:] == [(Link.MARKET, False), (Link.TRADING, False)]
            await until(lambda: all(c.closed for c in venue.connections), "closed at the venue")
            await until(lambda: asyncio.all_tasks() == tasks, "no task left")
            await until(lambda: open_files() == files, "no file left")

    @pytest.mark.parametrize(
        "method", ["public/set_heartbeat", "public/auth", "private/get_account_summaries"]
    )
    async def test_closing_in_the_middle_of_signing_in(self, method: str) -> None:
        async with Scripted() as venue:
            tasks = asyncio.all_tasks()
            venue.answer(method, SILENCE)
            async with ours(venue) as (client, _):
                starting = asyncio.ensure_future(client.start([Link.TRADING]))
                await until(lambda: venue.connections and venue.last.calls(method), "waiting")
                await client.aclose()
                with pytest.raises(ccxt.BaseError):
                    await starting
            await until(lambda: asyncio.all_tasks() == tasks, "no task left")

    async def test_closing_while_the_venue_is_away(self) -> None:
        async with Scripted() as venue:
            tasks = asyncio.all_tasks()
            async with ours(venue) as (client, _):
                await client.start([Link.MARKET])
                venue.refuse_dials = True
                venue.last.sever()
                await until(lambda: len(client.waits_s) >= 2, "waiting to dial")
            await until(lambda: asyncio.all_tasks() == tasks, "no task left")

    async def test_closing_what_was_never_started(self) -> None:
        await Deribit({"timeout_on_exit": 0}).aclose()

    async def test_a_closed_client_can_be_started_again(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, _):
            await client.start([Link.MARKET])
            await client.aclose()
            await client.start([Link.MARKET], {Link.MARKET: [TICKER]})
            assert client.up(Link.MARKET)


class TestWatching:
    async def test_a_lost_link_raises_in_who_waits_and_the_next_call_works(self) -> None:
        async with (
            Scripted() as venue,
            ours(with_markets(venue), time_scale=0.1) as (client, _),
        ):
            waiting = asyncio.ensure_future(client.watch_ticker("BTC/USD:BTC"))
            channel = "ticker.BTC-PERPETUAL.100ms"
            (await subscribed(venue, channel)).sever()
            with pytest.raises(ccxt.NetworkError):
                await waiting
            again = asyncio.ensure_future(client.watch_ticker("BTC/USD:BTC"))
            await until(lambda: client.up(Link.MARKET), "back")
            await (await subscribed(venue, channel)).push(channel, ticker(7.0))
            assert (await again)["bid"] == 7.0

    async def test_a_refused_channel_raises_in_who_waits(self) -> None:
        async with Scripted() as venue, ours(with_markets(venue)) as (client, _):
            venue.answer("public/subscribe", Refused(11050, "bad_request"))
            with pytest.raises(ccxt.BadRequest):
                await client.watch_ticker("BTC/USD:BTC")

    async def test_private_streams(self) -> None:
        async with Scripted() as venue, ours(with_markets(venue)) as (client, notes):
            watching = asyncio.ensure_future(client.watch_orders())
            connection = await subscribed(venue, "user.orders.any.any.raw")
            assert "public/auth" in connection.methods()
            await connection.push("user.orders.any.any.raw", order())
            got = await watching
            assert (got[0]["id"], got[0]["clientOrderId"]) == ("1001", "mm1-1")
            trades = asyncio.ensure_future(client.watch_my_trades())
            await subscribed(venue, "user.trades.any.any.raw")
            trade = {
                "trade_id": "T1",
                "order_id": "1001",
                "instrument_name": "BTC-PERPETUAL",
                "timestamp": 1,
                "direction": "buy",
                "price": 100.0,
                "amount": 10.0,
                "fee": 0.0,
                "fee_currency": "BTC",
            }
            await connection.push("user.trades.any.any.raw", [trade])
            assert (await trades)[0]["id"] == "T1"
            assert len(notes.user) == 2
            assert len(venue.connections) == 1

    async def test_trades_and_several_symbols(self) -> None:
        async with Scripted() as venue, ours(with_markets(venue)) as (client, _):
            watching = asyncio.ensure_future(client.watch_trades("BTC/USD:BTC"))
            channel = "trades.BTC-PERPETUAL.100ms"
            row = {
                "trade_id": "9",
                "instrument_name": "BTC-PERPETUAL",
                "timestamp": 1,
                "direction": "sell",
                "price": 5.0,
                "amount": 10.0,
            }
            await (await subscribed(venue, channel)).push(channel, [row])
            assert (await watching)[0]["price"] == 5.0
            books = asyncio.ensure_future(
                client.watch_order_book_for_symbols(["BTC/USD:BTC", "BTC/USDC:USDC"])
            )
            second = "book.BTC_USDC-PERPETUAL.100ms"
            connection = await subscribed(venue, second)
            await connection.push(
                second, snapshot(1, [[9.0, 1.0]], [[10.0, 1.0]], "BTC_USDC-PERPETUAL")
            )
            assert (await books)["symbol"] == "BTC/USDC:USDC"

    async def test_a_channel_the_engine_has_already_is_shared(self) -> None:
        async with Scripted() as venue, ours(with_markets(venue)) as (client, notes):
            channel = "book.BTC-PERPETUAL.raw"
            await client.load_markets()
            await client.start([Link.MARKET], {Link.MARKET: [channel]})
            await venue.last.push(channel, FIRST)
            await until(lambda: notes.books, "book")
            watching = asyncio.ensure_future(
                client.watch_order_book("BTC/USD:BTC", params={"interval": "raw"})
            )
            await until(lambda: channel in client._watched, "watched")
            await venue.last.push(channel, change(10, 11, [["new", 100.5, 1.0]], []))
            book = await watching
            assert [row[:2] for row in book["bids"]] == [[100.5, 1.0], [100.0, 10.0], [99.5, 20.0]]
            assert book["nonce"] == 11
            assert len(venue.last.calls("public/subscribe")) == 1


SHARED = Path(os.environ.get("MMBOT_SHARED") or Path(__file__).parents[3] / "shared")
RECORDED = SHARED / "data" / "deribit_messages"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
class TestRecordings:
    async def test_real_frames_make_whole_books_without_a_fault(self) -> None:
        with gzip.open(RECORDED / "cryptofeed_deribit_options_ws_20210722.txt.gz", "rt") as file:
            lines = [line[line.index("{") :] for line in file if "{" in line]
        frames = [json.loads(line) for line in lines]
        pushes = [f for f in frames if f.get("method") == "subscription"]
        channels = sorted({f["params"]["channel"] for f in pushes})
        assert len(pushes) > 100
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: channels})
            for frame in pushes:
                await venue.last.say(frame)
            tickers = sum(f["params"]["channel"].startswith("ticker") for f in pushes)
            books = sum(f["params"]["channel"].startswith("book") for f in pushes)
            await until(lambda: len(notes.tickers) + len(notes.books) == tickers + books, "all")
            assert not notes.faults
            assert all(valid for _, valid, _ in notes.books)
            for book in state_of(client).books.values():
                assert_sound(book)

    async def test_every_kind_of_real_message_is_survived(self) -> None:
        found = json.loads(
            (RECORDED / "crypto_msg_parser_deribit_messages_2021_2022.json").read_text()
        )
        frames = [row["msg"] for row in found["messages"]]
        fixtures = json.loads((RECORDED / "nautilus_deribit_fixtures.json").read_text())["files"]
        frames += [fixture for name, fixture in fixtures.items() if name.startswith("ws_")]
        frames = [f for f in frames if f.get("error", {}).get("code") != 10028]
        async with Scripted() as venue, ours(with_markets(venue)) as (client, notes):
            pushes = [f for f in frames if "params" in f]
            channels = [f["params"].get("channel") for f in pushes]
            await client.load_markets()
            books = [c for c in channels if c and c.startswith("book.")]
            await client.start([Link.MARKET], {Link.MARKET: dict.fromkeys(books)})
            client._watched.update(c for c in channels if c)  # through ccxt's parsers as well
            for frame in frames:
                await venue.last.say(frame)
            await venue.last.push("platform_state", {"locked": False})
            await until(lambda: notes.other[-1:] == ["platform_state"], "all read")
            assert client.up(Link.MARKET)


def assert_sound(book: Book) -> None:
    bids, asks = book.levels()
    assert book.valid
    assert list(bids) == sorted(bids, reverse=True)
    assert list(asks) == sorted(asks)
    assert not (bids and asks) or bids[0][0] < asks[0][0]
