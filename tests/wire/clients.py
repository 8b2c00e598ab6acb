"""The clients under test: ours, and stock ccxt for comparison, with what they told us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from mmbot.venues.deribit import Book, Deribit, Reply, Socket
from tests.wire.scripted import Scripted

Stock = ccxt.pro.deribit

KEYS = {"apiKey": "key", "secret": "secret"}


class HandClock:
    """A monotonic clock that moves when the test says so."""

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
        self.links: list[tuple[Socket, bool]] = []
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

    def _on_link(self, socket: Socket, up: bool, why: str) -> None:
        self.links.append((socket, up))
        self.reasons.append(why)


class Patient(Deribit):
    """Ours, with every deliberate wait written down."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.waits_s: list[float] = []
        super().__init__(*args, **kwargs)

    async def _pause(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        await super()._pause(seconds)


@asynccontextmanager
async def ours(
    venue: Scripted, *, keys: bool = True, **clocks: Any
) -> AsyncIterator[tuple[Patient, Notes]]:
    """Our client pointed at the venue, not started yet; closed at the end."""
    config = venue.config(timeout_on_exit=0, **(KEYS if keys else {}))
    client = Patient(config, **clocks)
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
