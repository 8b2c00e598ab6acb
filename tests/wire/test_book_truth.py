"""A book with messages lost, doubled and out of order is the venue's own, or is said to be invalid.

A relay between the client and a busy simulated venue keeps the truth: every book as the venue sent
it, message by message, before anything goes wrong. Whatever the client publishes as valid must be
the true book at that change_id, level by level; and when nothing goes wrong any more, the newest.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues import book as shared
from mmbot.venues.deribit import Book, Deribit
from tests.engine.relay import Frame, Relay, Talk
from tests.wire.clients import state_of
from tests.wire.scripted import until
from tests.wire.venue import MANY_STARTS

NAMES = ("ETH-PERPETUAL", "BTC-PERPETUAL", "ETH-6JUN25-2800-C")
CHANNELS = [f"book.{name}.raw" for name in NAMES]
BUSY = VenueOptions(flow_scale=30.0, rules=MANY_STARTS)
PUBLISHED = 300
"""Books a run should see."""

Levels = dict[float, float]
Truth = tuple[Levels, Levels]


@dataclass
class Venue:
    """What the venue sent: per channel the present book, and each book there was, by change_id."""

    now: dict[str, Truth] = field(default_factory=dict)
    ever: dict[tuple[str, int], Truth] = field(default_factory=dict)

    def take(self, frame: Frame) -> None:
        """A true message."""
        data = frame.body["params"]["data"]
        if data["type"] == "snapshot":
            self.now[frame.channel] = ({}, {})
        bids, asks = (dict(side) for side in self.now[frame.channel])
        for side, rows in ((bids, data["bids"]), (asks, data["asks"])):
            for action, price, amount in rows:
                if action == "delete":
                    side.pop(price)
                else:
                    side[price] = amount
        self.now[frame.channel] = (bids, asks)
        self.ever[frame.channel, data["change_id"]] = (bids, asks)


@dataclass
class Mischief:
    """Loses, doubles and swaps changes, in one of seven each; the truth is told first."""

    dice: random.Random
    truth: Venue
    done: dict[str, int] = field(default_factory=dict)
    held: dict[str, Frame] = field(default_factory=dict)
    on: bool = True

    def __call__(self, _: Talk, frame: Frame) -> Sequence[Frame]:
        if not frame.channel.startswith("book."):
            return [frame]
        self.truth.take(frame)
        before = [self.held.pop(frame.channel)] if frame.channel in self.held else []
        if not self.on or frame.body["params"]["data"]["type"] == "snapshot":
            return [frame, *before]
        kind = self.dice.choice(("lost", "doubled", "swapped", *["passed"] * 4))
        self.done[kind] = self.done.get(kind, 0) + 1
        if kind == "lost":
            return before
        if kind == "doubled":
            return [frame, frame, *before]
        if kind == "swapped":
            self.held[frame.channel] = frame
            return before
        return [frame, *before]


def levels(book: shared.Book) -> Truth:
    bids, asks = book.levels()
    assert list(bids) == sorted(bids, reverse=True), "best first"
    assert list(asks) == sorted(asks), "best first"
    return dict(bids), dict(asks)


@dataclass
class Readings:
    """Every book the client published: how often valid, and where it was wrong."""

    truth: Venue
    valid: int = 0
    invalid: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, book: Book) -> None:
        if not book.valid:
            self.invalid += 1
            if book.levels() != ((), ()):
                self.wrong.append(f"{book.channel} is invalid and not empty")
            return
        self.valid += 1
        if levels(book) != self.truth.ever[book.channel, book.change_id]:
            self.wrong.append(f"{book.channel} at {book.change_id}")


@asynccontextmanager
async def watching(relay: Relay, readings: Readings) -> AsyncIterator[tuple[SimVenue, Deribit]]:
    """Our client on a busy venue, through the relay; its clock is quick, so that a new snapshot is
    asked for more often than once a second."""
    async with SimVenue(BUSY) as venue, relay(venue.rest_url) as url:
        ws = url.replace("http", "ws") + "/ws/api/v2"
        client = Deribit(
            {
                "apiKey": "sim",
                "secret": "sim",
                "timeout_on_exit": 0,
                "urls": {"api": {"rest": url, "ws": ws}},
            },
            clock=Clock(scale=20.0),
        )
        client.on_book = readings.note
        try:
            await client.start((Link.MARKET,), {Link.MARKET: CHANNELS})
            yield venue, client
        finally:
            await client.aclose()


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 23))]
)
async def test_a_published_book_is_true_or_invalid(seed: int) -> None:
    truth = Venue()
    readings, relay = Readings(truth), Relay()
    mischief = relay.to_engine = Mischief(random.Random(f"books {seed}"), truth)
    async with watching(relay, readings) as (venue, client):
        await until(lambda: readings.valid >= PUBLISHED, "many books")
        assert min(mischief.done.get(kind, 0) for kind in ("lost", "doubled", "swapped")) > 0
        assert readings.invalid > 0, "what was lost has been noticed"
        mischief.on = False
        books = state_of(client).books

        def newest() -> bool:
            return all(
                book.valid and levels(book) == truth.now[channel] for channel, book in books.items()
            )

        await until(lambda: set(books) == set(CHANNELS) and newest(), "right in the end")
        assert readings.wrong == []
        venue.freeze()


async def test_a_book_whose_channel_fell_silent_is_found_out_by_its_ticker() -> None:
    silent = CHANNELS[0]
    books: list[tuple[str, bool, str]] = []
    relay, muted = Relay(), False

    def mute(_: Talk, frame: Frame) -> Sequence[Frame]:
        return [] if muted and frame.channel == silent else [frame]

    relay.to_engine = mute
    async with SimVenue(BUSY) as venue, relay(venue.rest_url) as url:
        ws = url.replace("http", "ws") + "/ws/api/v2"
        config = {"apiKey": "sim", "secret": "sim", "timeout_on_exit": 0}
        client = Deribit({**config, "urls": {"api": {"rest": url, "ws": ws}}})
        client.on_book = lambda book: books.append((book.channel, book.valid, book.why))
        tickers = [channel.replace("book", "ticker") for channel in CHANNELS]
        try:
            await client.start((Link.MARKET,), {Link.MARKET: [*CHANNELS, *tickers]})
            await until(lambda: {channel for channel, _, _ in books} == set(CHANNELS), "books")
            muted = True
            lost = (silent, False, "its ticker says otherwise")
            await until(lambda: lost in books, "doubted")
            muted = False
            await until(lambda: state_of(client).books[silent].valid, "right again")
            assert all(valid for channel, valid, _ in books if channel != silent)
        finally:
            await client.aclose()
