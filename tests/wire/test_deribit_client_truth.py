"""What the client believes of a market: what can be wrong with a frame, and how far it reaches."""

import asyncio
from typing import Any

import pytest

from mmbot.core.events import Link
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.deribit import Deribit
from tests.wire.clients import HandClock, Notes, ours, state_of
from tests.wire.scripted import Refused, Scripted, change, snapshot, ticker, until
from tests.wire.test_deribit_client_on_sim import client_of
from tests.wire.venue import UNLIMITED

NAME, OTHER = "BTC-PERPETUAL", "ETH-PERPETUAL"
BOOK, BOOK2 = f"book.{NAME}.raw", f"book.{OTHER}.raw"
TICKER = f"ticker.{NAME}.raw"
USER = "user.changes.any.any.raw"

FIRST = snapshot(10, [[100.0, 10.0]], [[101.0, 10.0]])
SECOND = snapshot(20, [[5.0, 1.0]], [[6.0, 1.0]], OTHER)


def said(bid: Any = 100.0, ask: Any = 101.0, at: int = 1_700_000_000_010) -> dict[str, Any]:
    """A ticker as late as FIRST, and agreeing with it unless told otherwise."""
    return {
        "instrument_name": NAME,
        "timestamp": at,
        "best_bid_price": bid,
        "best_ask_price": ask,
    }


def asked_anew(venue: Scripted, channel: str) -> int:
    """How often a channel was subscribed again on the last connection."""
    return sum(channel in call["channels"] for call in venue.last.calls("public/unsubscribe"))


async def with_books(venue: Scripted, client: Deribit, notes: Notes) -> None:
    """Both books subscribed and valid."""
    await client.start([Link.MARKET], {Link.MARKET: [BOOK, BOOK2, TICKER]})
    await venue.last.push(BOOK, FIRST)
    await venue.last.push(BOOK2, SECOND)
    await until(lambda: len(notes.books) == 2, "both books")


class TestAnUnreadableFrame:
    FRAMES = (
        "garbage",
        '{"jsonrpc":"2.0","method":"subscr',
        "[1, 2]",
        "{}",
        '{"method":"subscription"}',
        '{"method":"subscription","params":[]}',
        '{"method":"subscription","params":{"channel":null,"data":{}}}',
        '{"method":"subscription","params":{"data":{}}}',
        '{"method":"news","params":{}}',
        '{"method":["subscription"]}',
    )

    @pytest.mark.parametrize("frame", FRAMES)
    async def test_makes_every_book_of_its_link_doubtful_at_once(self, frame: str) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            unreadable: list[Link] = []
            client.on_unreadable = unreadable.append
            await with_books(venue, client, notes)
            await venue.last.say(frame)
            await until(lambda: len(venue.last.calls("public/subscribe")) == 2, "asked anew")
            assert venue.last.calls("public/subscribe")[1] == {"channels": [BOOK, BOOK2]}
            assert notes.books[2:] == [
                (NAME, False, "a frame could not be read"),
                (OTHER, False, "a frame could not be read"),
            ]
            assert unreadable == [Link.MARKET]
            assert client.up(Link.MARKET)

    async def test_on_the_trading_link_leaves_the_books_alone(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            unreadable: list[Link] = []
            client.on_unreadable = unreadable.append
            await with_books(venue, client, notes)
            await client.start([Link.TRADING])
            await venue.last.say("garbage")
            await until(lambda: unreadable == [Link.TRADING], "told")
            assert len(notes.books) == 2

    async def test_that_repeats_costs_one_batch_a_second(self) -> None:
        clock = HandClock()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, notes):
            await with_books(venue, client, notes)
            for _ in range(50):
                await venue.last.say("garbage")
            await until(lambda: len(notes.faults) == 50, "all read")
            await until(lambda: asked_anew(venue, BOOK) == 1, "one batch")
            await client.rpc(Link.MARKET, "public/test")
            assert asked_anew(venue, BOOK) == asked_anew(venue, BOOK2) == 1

    @pytest.mark.parametrize(
        "frame",
        [
            '{"id":"x","result":1}',
            '{"id":99999,"result":1}',
            '{"id":null,"error":{"code":11050,"message":"bad_request"}}',
            '{"method":"heartbeat"}',
        ],
    )
    async def test_that_is_no_push_leaves_the_books_alone(self, frame: str) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await with_books(venue, client, notes)
            await venue.last.say(frame)
            await until(lambda: notes.faults, "told")
            assert len(notes.books) == 2


class TestABrokenPush:
    async def test_of_a_book_concerns_that_book_alone(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await with_books(venue, client, notes)
            broken: list[Any] = [change(10, 11, [["newer", 1.0, 1.0]], []), None, [], "x"]
            for data in broken:
                await venue.last.push(BOOK, data)
            await until(lambda: asked_anew(venue, BOOK), "asked anew")
            assert [valid for name, valid, _ in notes.books if name == OTHER] == [True]
            assert [valid for name, valid, _ in notes.books if name == NAME] == [True, False]
            assert not asked_anew(venue, BOOK2)
            assert all(isinstance(fault, Exception) for fault in notes.faults)

    @pytest.mark.parametrize("data", [None, [], "x", 5, {"instrument_name": OTHER}])
    async def test_of_a_ticker_is_told_under_the_name_of_its_channel(self, data: Any) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            told: list[Any] = []
            await with_books(venue, client, notes)
            client.on_ticker = lambda name, data: told.append((name, data))
            await venue.last.push(TICKER, data)
            await until(lambda: told, "told")
            assert told == [(NAME, {})]
            assert len(notes.books) == 2

    async def test_of_a_ticker_without_a_name_is_that_of_its_channel(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            told: list[Any] = []
            await with_books(venue, client, notes)
            client.on_ticker = lambda name, data: told.append((name, data))
            await venue.last.push(TICKER, {"mark_price": None})
            await until(lambda: told == [(NAME, {"mark_price": None})], "told")

    @pytest.mark.parametrize("data", [None, "x", 5])
    async def test_of_a_private_channel_is_a_message_lost(self, data: Any) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            unreadable: list[Link] = []
            client.on_unreadable = unreadable.append
            await client.start([Link.TRADING], {Link.TRADING: [USER]})
            await venue.last.push(USER, data)
            await until(lambda: unreadable == [Link.TRADING], "told")
            assert not notes.user

    async def test_of_trades_leaves_out_the_rows_that_are_none(self) -> None:
        async with Scripted() as venue, ours(venue) as (client, notes):
            await client.start([Link.MARKET])
            await venue.last.push("trades.any.any.raw", None)
            rows = [None, {"instrument_name": 5}, {"instrument_name": NAME}]
            await venue.last.push("trades.any.any.raw", rows)
            await until(lambda: notes.trades == [(NAME, 1)], "the one")
            assert len(notes.faults) == 1


class TestACrossedBook:
    async def test_that_stays_so_is_asked_for_anew(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await with_books(venue, client, notes)
            await venue.last.push(BOOK, change(10, 11, [["new", 102.0, 1.0]], []))
            await until(lambda: len(notes.books) == 3, "crossed")
            clock.now_s += 2.0
            await venue.last.push(BOOK, change(11, 12, [["new", 103.0, 1.0]], []))
            await until(lambda: len(notes.books) == 4, "still crossed")
            assert not asked_anew(venue, BOOK)
            clock.now_s += 1.1
            await until(lambda: asked_anew(venue, BOOK), "asked anew")
            assert notes.books[4] == (NAME, False, "crossed for too long")

    async def test_that_uncrosses_in_time_is_left_alone(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await with_books(venue, client, notes)
            await venue.last.push(BOOK, change(10, 11, [["new", 102.0, 1.0]], []))
            await until(lambda: len(notes.books) == 3, "crossed")
            clock.now_s += 2.9
            await venue.last.push(BOOK, change(11, 12, [["delete", 102.0, 0.0]], []))
            await until(lambda: len(notes.books) == 4, "uncrossed")
            clock.now_s += 2.0
            # The one who would complain looks at silent tickers right after.
            await until(lambda: venue.last.calls("public/ticker"), "looked")
            assert len(notes.books) == 4


class TestATickerAgainstTheBook:
    async def told(self, *tickers: tuple[float, dict[str, Any]]) -> list[bool]:
        """Whether the book is valid after each ticker, given with the seconds before it."""
        clock, valid = HandClock(), list[bool]()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, notes):
            await with_books(venue, client, notes)
            book = state_of(client).books[BOOK]
            client.on_ticker = lambda *_: valid.append(book.valid)
            for number, (wait_s, data) in enumerate(tickers, start=1):
                clock.now_s += wait_s
                await venue.last.push(TICKER, data)
                await until(lambda n=number: len(valid) == n, "heard")  # type: ignore[misc]
            if not valid[-1]:
                await until(lambda: asked_anew(venue, BOOK), "asked anew")
                assert not asked_anew(venue, BOOK2)
        return valid

    @pytest.mark.parametrize("ticker", [said(bid=99.0), said(ask=101.5), said(bid=None)])
    async def test_that_contradicts_it_for_two_seconds_makes_it_doubtful(
        self, ticker: dict[str, Any]
    ) -> None:
        assert await self.told((0.0, ticker), (1.9, ticker), (0.2, ticker)) == [True, True, False]

    async def test_once_only_is_not_enough(self) -> None:
        assert await self.told((9.0, said(bid=99.0))) == [True]

    async def test_with_an_agreeing_one_in_between_begins_anew(self) -> None:
        no, yes = said(bid=99.0), said()
        assert all(await self.told((0.0, no), (1.5, yes), (1.0, no), (1.5, no)))

    async def test_that_is_older_than_the_book_says_nothing(self) -> None:
        old = said(bid=99.0, at=FIRST["timestamp"] - 1)
        assert all(await self.told((0.0, old), (1.5, old), (1.5, old)))

    async def test_that_states_no_best_price_says_nothing(self) -> None:
        mute = {"instrument_name": NAME, "timestamp": FIRST["timestamp"]}
        assert all(await self.told((0.0, mute), (1.5, mute), (1.5, mute)))

    async def test_that_was_ahead_is_right_once_the_book_has_caught_up(self) -> None:
        clock = HandClock()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, notes):
            await with_books(venue, client, notes)
            heard: list[str] = []
            client.on_ticker = lambda name, _: heard.append(name)
            for number in range(11, 31):  # every ticker one step ahead of the book, for 10 s
                price = 100.0 + number / 100
                at = 1_700_000_000_000 + number
                await venue.last.push(TICKER, said(bid=price, at=at))
                rows = [["new", price, 1.0]]
                await venue.last.push(BOOK, change(number - 1, number, rows, []))
                await until(lambda n=number: len(notes.books) == n - 8, "taken")  # type: ignore[misc]
                clock.now_s += 0.5
            assert all(valid for _, valid, _ in notes.books)

    async def test_of_a_grouped_book_says_nothing(self) -> None:
        grouped = f"book.{NAME}.10.20.100ms"
        clock = HandClock()
        async with Scripted() as venue, ours(venue, monotonic=clock) as (client, notes):
            await client.start([Link.MARKET], {Link.MARKET: [grouped, TICKER]})
            rows = {**FIRST, "bids": [[90.0, 1.0]], "asks": [[110.0, 1.0]]}
            await venue.last.push(grouped, rows)
            heard: list[str] = []
            client.on_ticker = lambda name, _: heard.append(name)
            for number in range(3):
                await venue.last.push(TICKER, said())
                await until(lambda n=number: len(heard) > n, "heard")  # type: ignore[misc]
                clock.now_s += 1.5
            assert len(notes.books) == 1

    async def test_of_a_busy_market_never_makes_a_good_book_doubtful(self) -> None:
        options = VenueOptions(seed=7, flow_scale=30.0, rules=UNLIMITED)
        async with SimVenue(options) as venue, client_of(venue) as (client, notes):
            names = [NAME, OTHER, "ETH-6JUN25-2800-C"]
            channels = [f"{kind}.{n}.raw" for kind in ("book", "ticker") for n in names]
            await client.start([Link.MARKET], {Link.MARKET: channels})
            await until(lambda: len(notes.books) > 500 and len(notes.tickers) > 60, "busy")
            assert all(valid for _, valid, _ in notes.books)
            assert not notes.faults


class TestASilentTicker:
    QUIET = f"ticker.{OTHER}.raw"

    async def test_is_asked_for_and_told_like_a_push(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            venue.answer("public/ticker", lambda p: ticker(7.0, p["instrument_name"]))
            await client.start([Link.MARKET], {Link.MARKET: [TICKER, self.QUIET]})
            clock.now_s += 2.0
            await venue.last.push(TICKER, ticker(1.0))
            await until(lambda: notes.tickers == [1.0], "pushed")
            clock.now_s += 0.6
            await until(lambda: notes.tickers == [1.0, 7.0], "asked for")
            assert venue.last.calls("public/ticker") == [{"instrument_name": OTHER}]

    async def test_is_asked_for_in_order_of_silence_and_once_at_a_time(self) -> None:
        clock, answered = HandClock(), asyncio.Event()

        async def slow(params: dict[str, Any]) -> Any:
            await answered.wait()
            return ticker(7.0, params["instrument_name"])

        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            venue.answer("public/ticker", lambda params: slow(params))
            await client.start([Link.MARKET], {Link.MARKET: [TICKER, self.QUIET]})
            clock.now_s += 0.5
            await venue.last.push(TICKER, ticker(1.0))
            await until(lambda: notes.tickers, "pushed")
            for wait_s in (2.6, 1.0):
                clock.now_s += wait_s
            asked = venue.last.calls
            await until(lambda: len(asked("public/ticker")) == 2, "both")
            assert [p["instrument_name"] for p in asked("public/ticker")] == [OTHER, NAME]
            await client.rpc(Link.MARKET, "public/test")
            assert len(asked("public/ticker")) == 2
            answered.set()
            await until(lambda: len(notes.tickers) == 3, "answered")

    async def test_that_is_refused_is_not_told_and_asked_for_again(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            venue.answer("public/ticker", Refused(13028, "temporarily_unavailable"))
            await client.start([Link.MARKET], {Link.MARKET: [TICKER]})
            for times in (1, 2):
                clock.now_s += 2.6
                await until(
                    lambda n=times: len(venue.last.calls("public/ticker")) == n,  # type: ignore[misc]
                    "asked",
                )
                await until(lambda: not state_of(client).asking, "answered")
            assert not notes.tickers
            assert client.up(Link.MARKET)

    async def test_of_very_many_leaves_half_of_the_pool_to_others(self) -> None:
        clock = HandClock()
        channels = [f"ticker.X{number}.raw" for number in range(400)]
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, _),
        ):
            venue.answer("public/ticker", lambda p: ticker(7.0, p["instrument_name"]))
            await client.start([Link.MARKET], {Link.MARKET: channels})
            clock.now_s += 5.0
            asked = venue.last.calls
            await until(lambda: len(asked("public/ticker")) >= 40, "as many as there is room for")
            await client.rpc(Link.MARKET, "public/test")
            assert len(asked("public/ticker")) <= 50

    async def test_is_not_asked_for_while_the_link_is_down(self) -> None:
        clock = HandClock()
        async with (
            Scripted() as venue,
            ours(venue, monotonic=clock, time_scale=0.01) as (client, notes),
        ):
            await client.start([Link.MARKET], {Link.MARKET: [TICKER]})
            venue.refuse_dials = True
            venue.last.sever()
            await until(lambda: notes.links[1:] == [(Link.MARKET, False)], "down")
            clock.now_s += 30.0
            await until(lambda: len(client.waits_s) > 4, "trying")
            venue.refuse_dials = False
            await until(lambda: client.up(Link.MARKET), "back")
            assert all(not c.calls("public/ticker") for c in venue.connections)
