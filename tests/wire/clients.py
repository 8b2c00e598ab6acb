"""The clients under test: ours, and stock ccxt for comparison, with what they told us."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.core.types import MS, SECOND
from mmbot.venues.deribit import Book, Deribit
from mmbot.venues.link import LinkState
from mmbot.venues.requests import Reply
from mmbot.venues.timing import USUAL, Timing
from mmbot.venues.wire import Wire
from tests.wire.scripted import Scripted

Stock = ccxt.pro.deribit

KEYS = {"apiKey": "key", "secret": "secret"}


class HandClock:
    """A monotonic clock that moves when the test says so, and over every wait before dialing."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Notes:
    """Everything a client said through its callbacks."""

    def __init__(self, client: Deribit) -> None:
        self.books: list[tuple[str, bool, str]] = []
        self.tickers: list[float] = []
        self.trades: list[tuple[str, int]] = []
        self.user: list[tuple[str, Any]] = []
        self.other: list[str] = []
        self.links: list[tuple[Link, bool]] = []
        self.reasons: list[str] = []
        self.late: list[Reply] = []
        self.faults: list[Exception] = []
        client.on_book = self._on_book
        client.on_ticker = lambda _, data: self.tickers.append(data["best_bid_price"])
        client.on_trades = lambda name, rows: self.trades.append((name, len(rows)))
        client.on_user = lambda channel, data: self.user.append((channel, data))
        client.on_channel = lambda channel, _: self.other.append(channel)
        client.on_link = self._on_link
        client.on_late_reply = self.late.append
        client.on_fault = lambda error, _: self.faults.append(error)

    def _on_book(self, book: Book) -> None:
        self.books.append((book.name, book.valid, book.why))

    def _on_link(self, socket: Link, up: bool, why: str) -> None:
        self.links.append((socket, up))
        self.reasons.append(why)


class MadeClock(Clock):
    """A clock put together: `now_ms` is the venue's time, `monotonic` what passes meanwhile."""

    def __init__(
        self,
        now_ms: Callable[[], int] | None,
        monotonic: Callable[[], float] | None,
        time_scale: float,
    ) -> None:
        super().__init__(1.0 / time_scale)
        loop = asyncio.get_running_loop()
        self.monotonic_s = monotonic or (lambda: loop.time() / time_scale)  # type: ignore[method-assign]
        self._told_ms = now_ms
        self._from_s = self.monotonic_s()
        self._from_ns = super().now_ns() if now_ms is None else now_ms() * MS

    def now_ns(self) -> int:
        return self._from_ns + round((self.monotonic_s() - self._from_s) * SECOND)

    def now_ms(self) -> int:
        return self.now_ns() // MS if self._told_ms is None else self._told_ms()


def clock_of(
    now_ms: Callable[[], int] | None = None,
    monotonic: Callable[[], float] | None = None,
    time_scale: float = 1.0,
) -> Clock:
    """A clock for a client, all of it optional. Needs a running loop."""
    return MadeClock(now_ms, monotonic, time_scale)


class Patient(Deribit):
    """Ours, with every deliberate wait written down."""

    def __init__(self, config: Any, *, hand: HandClock | None, **kwargs: Any) -> None:
        self.waits_s: list[float] = []
        super().__init__(config, **kwargs)
        lives = self._connection._lives
        wait_to_dial = lives.wait_to_dial

        def noted(link: LinkState, wait_s: float) -> None:
            self.waits_s.append(wait_s)
            wait_to_dial(link, wait_s)
            if hand is not None:
                hand.now_s += wait_s

        lives.wait_to_dial = noted  # type: ignore[method-assign]

    async def _pause(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        await super()._pause(seconds)

    @property
    def asked(self) -> int:
        """Requests in flight."""
        return self._connection.in_flight


@asynccontextmanager
async def ours(
    venue: Scripted, *, keys: bool = True, timing: Timing = USUAL, **clocks: Any
) -> AsyncIterator[tuple[Patient, Notes]]:
    """Our client pointed at the venue, not started yet; closed at the end."""
    config = venue.config(timeout_on_exit=0, **(KEYS if keys else {}))
    monotonic = clocks.get("monotonic")
    hand = monotonic if isinstance(monotonic, HandClock) else None
    client = Patient(config, hand=hand, clock=clock_of(**clocks), timing=timing)
    notes = Notes(client)
    try:
        yield client, notes
    finally:
        await client.aclose()


@asynccontextmanager
async def any_client(kind: type[Any], venue: Scripted, **config: Any) -> AsyncIterator[Any]:
    """A client of either kind, for a scenario that is played on both."""
    exchange = kind(venue.config(timeout_on_exit=0, **config))
    if isinstance(exchange, Deribit):
        Notes(exchange)
    try:
        yield exchange
    finally:
        await exchange.close()


class Escapes:
    """Exceptions that reached the event loop, as ccxt's do."""

    def __init__(self) -> None:
        self.seen: list[BaseException] = []
        asyncio.get_running_loop().set_exception_handler(self._note)

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.seen.append(context.get("exception") or RuntimeError(context["message"]))


def state_of(client: Deribit, link: Link = Link.MARKET) -> LinkState:
    """What the client knows of a link."""
    return client._connection.links[link]


def wire_of(client: Deribit, link: Link) -> Wire:
    """The present connection of a link."""
    return client._shell.wires[link]


def arrive(client: Deribit, frame: Any, link: Link = Link.MARKET) -> None:
    """Let a frame arrive as if over an open connection of a link."""
    state_of(client, link).open = True
    connection = client._connection
    client._shell.carry_out(connection.receive(link, frame, connection.now_ns))
