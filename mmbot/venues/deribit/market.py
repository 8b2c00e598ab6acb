"""Deribit's public half for the engine: listings, books and tickers, and whether links live.

Needs no key: the client may have none. What `venue.py` adds is one account.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from ccxt.base.errors import BaseError

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    BookChanged,
    BookLost,
    ElementsUnread,
    InstrumentState,
    Link,
    LinkAlive,
    LinkChanged,
    MessageLost,
    PlatformState,
)
from mmbot.core.types import MS, InstrumentId, Nanos, instrument_name
from mmbot.core.why import Why
from mmbot.ops.limit import about
from mmbot.venues.base import Sink
from mmbot.venues.deribit import parse
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.failures import UnreadableError, in_words, said
from mmbot.venues.deribit.parse import Unread, Unreadable
from mmbot.venues.deribit.requests import Outcome, Reply

BOOK_LEVELS = 10
LISTINGS = ("instrument.state.any.any",)
LISTINGS_BY_KIND = ("instrument.state.future.any", "instrument.state.option.any")
"""News of listings; where the venue takes no `any` kind, by those we trade."""

PLATFORM = ("platform_state", "platform_state.public_methods_state")

PROBE_EVERY_S = 1.0
"""A round trip on each link this often: proof that it is alive, and how far it has caught up."""

DEAF_FOR_S = 0.2
"""Before a link is cut, what has arrived may be read: perhaps it was this process that slept."""

SNAPSHOT_TIMEOUT_S = 5.0
SAY_AGAIN_S = 10.0
"""Between two log lines about elements of one kind that cannot be read."""

_log = logging.getLogger(__name__)


class DeribitMarket:
    """One Deribit, looked at. `name` is ours for it, `client` is ours to start and close."""

    def __init__(self, name: str, client: Deribit, clock: Clock) -> None:
        self.name = name
        self._client = client
        client.account_name = name
        self._says = logging.LoggerAdapter(_log, about(name))
        self._clock = clock
        self._sink: Sink = _nowhere
        self._instruments: dict[str, Instrument] = {}
        """Followed, by the venue's name."""
        self._chains: set[str] = set()
        """What they were on, those that have come to their end included."""
        self._terms: dict[str, Instrument] = {}
        """Of everything listed that could be read, followed or not."""
        self.unread_listings: dict[str, str] = {}
        """Instruments whose terms could not be read, and why."""
        self._asked_terms: set[str] = set()
        """Instruments whose terms are being asked for."""
        self._unread = Unread()
        self._said_s: dict[str, float] = {}
        """When elements of a kind that could not be read were last talked about."""
        self._probe_with = "public/test"
        self.on_listed: Callable[[list[Instrument]], None] | None = None
        """Called with everything listed when the venue lists something new, or on new terms."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return str(self._client.urls["api"]["rest"])

    # --- coming and going ---

    async def open(self) -> list[Instrument]:
        """Everything listed of what mmbot trades. Raises VenueUnreachable."""
        with in_words(self.name, "to get_instruments"):
            answer = await self._client.publicGetGetInstruments({"currency": "any"})
            rows = answer.get("result") if isinstance(answer, Mapping) else None
            if not isinstance(rows, list):
                raise UnreadableError(f"to get_instruments: {answer!r:.80}")
            for row in rows:
                self._list(row)
            if not self._terms:
                raise UnreadableError("to get_instruments: nothing is listed")
        return list(self._terms.values())

    def _list(self, row: object) -> Instrument | None:
        """One listing's terms, noted; None for one that mmbot does not trade or cannot read."""
        try:
            listed = parse.instrument_of(self.name, row, self._unread)
        except Unreadable as error:
            self._unread.note("listing", error)
            if isinstance(row, Mapping) and isinstance(row.get("instrument_name"), str):
                self.unread_listings[row["instrument_name"]] = str(error)
            return None
        if listed is not None:
            self._terms[listed.name] = listed
            self.unread_listings.pop(listed.name, None)
        return listed

    async def venue_ms(self) -> int:
        """The venue's clock. Raises VenueUnreachable."""
        with in_words(self.name, "to get_time"):
            return int(await self._client.fetch_time())

    async def index_price(self, instrument: Instrument) -> float:
        """USD per coin of what an instrument is on. Raises VenueUnreachable."""
        quote = "usd" if instrument.inverse else instrument.settlement
        with in_words(self.name, "to get_index_price"):
            answer = await self._client.publicGetGetIndexPrice(
                {"index_name": f"{instrument.underlying}_{quote}".lower()}
            )
            return float(answer["result"]["index_price"])

    async def connect(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Subscribe, and let events flow. Raises VenueUnreachable."""
        self._hear(sink, instruments)
        channels = {Link.MARKET: self._channels(instruments)}
        with in_words(self.name, "to signing in"):
            await self._client.start((Link.MARKET,), channels)
        self._start(self._probe())

    def _hear(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        client = self._client
        self._sink = sink
        self._follow(instruments)
        client.on_book = self._on_book
        client.on_ticker = self._on_ticker
        client.on_link = self._on_link
        client.on_channel = self._on_channel
        client.on_unreadable = self._on_unreadable

    def follow(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to further instruments; their events follow."""
        self._follow(instruments)
        self._start(self._subscribe(self._channels(instruments)))

    def unfollow(self, instruments: Sequence[InstrumentId]) -> None:
        """Forget instruments that have come to their end, and their channels."""
        names = [instrument_name(one) for one in instruments]
        gone = [self._instruments.pop(name) for name in names if name in self._instruments]
        now_ns = self._clock.now_ns()
        ended = [n for n, i in self._terms.items() if i.expiry_ns and i.expiry_ns < now_ns]
        for name in ended:
            del self._terms[name]
        if gone:
            self._start(self._unsubscribe(self._channels(gone)))

    async def _unsubscribe(self, channels: list[str]) -> None:
        try:
            await self._client.unsubscribe(Link.MARKET, channels)
        except BaseError as error:
            _log.warning("%s: %s", self.name, said(error))

    async def _subscribe(self, channels: list[str]) -> None:
        try:
            await self._client.subscribe(Link.MARKET, channels)
        except BaseError as error:
            self._says.warning("%s: %s", self.name, said(error))

    def _follow(self, instruments: Sequence[Instrument]) -> None:
        self._instruments |= {i.name: i for i in instruments}
        self._chains |= {i.name.partition("-")[0] for i in instruments}

    def _channels(self, instruments: Sequence[Instrument]) -> list[str]:
        interval = self._client.interval
        return [
            f"{kind}.{instrument.name}.{interval}"
            for kind in ("book", "ticker")
            for instrument in instruments
        ]

    async def close(self) -> None:
        """Close every connection. What happens from here on is nobody's news."""
        self._sink = _nowhere
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _probe(self) -> None:
        while True:
            for link in Link:
                if self._client.up(link):
                    self._ask_alive(link)
            self._tell_unread()
            await self._clock.sleep(PROBE_EVERY_S)

    def _ask_alive(self, link: Link) -> None:
        asked_ns = self._clock.now_ns()

        def done(reply: Reply) -> None:
            if reply.outcome is not Outcome.UNKNOWN:
                venue_ns = self._venue_ns(reply)
                now_ns = self._clock.now_ns()
                self._sink(LinkAlive(self.name, link, asked_ns, now_ns, venue_ns))
            elif self._client.up(link):
                self._start(self._cut_if_silent(link))

        timeout_s = self._client.timing.probe_timeout_s
        self._client.send(link, self._probe_with, {}, done, timeout_s)

    def _venue_ns(self, reply: Reply) -> Nanos | None:
        """The venue's clock as it answered; where it does not stamp its answers, it is asked."""
        if reply.out_us is not None:
            return reply.out_us * 1000
        self._probe_with = "public/get_time"
        told = isinstance(reply.result, int) and not isinstance(reply.result, bool)
        return reply.result * MS if told else None

    async def _cut_if_silent(self, link: Link) -> None:
        await self._clock.sleep(DEAF_FOR_S)
        silent_s = self._client.silent_for(link)
        if silent_s > self._client.timing.probe_timeout_s:
            self._client.cut(link, f"nothing heard for {silent_s:.1f} s")

    # --- frames to events ---

    def _on_link(self, link: Link, up: bool, why: str) -> None:
        self._sink(LinkChanged(self.name, link, up, why))
        if up:
            self._ask_alive(link)
            self._start(self._hear_news(link))

    def _on_book(self, book: Book) -> None:
        instrument = self._instruments.get(book.name)
        if instrument is None:
            return
        if not book.valid:
            self._sink(BookLost(instrument.id, Why.BOOK_GAPPED))
            return
        bids, asks = book.top(BOOK_LEVELS)
        self._sink(BookChanged(instrument.id, bids, asks, book.timestamp_ms, self._clock.now_ns()))

    def _on_ticker(self, name: str, data: Any) -> None:
        instrument = self._instruments.get(name)
        if instrument is not None:
            now_ns = self._clock.now_ns()
            self._sink(parse.ticker_changed(instrument, data, self._unread, now_ns))

    def _tell_unread(self) -> None:
        """Say what could not be read: to the core each time, to the log now and then."""
        now_s = self._clock.monotonic_s()
        for kind, count, detail in self._unread.take():
            self._sink(ElementsUnread(self.name, kind, count, detail))
            if now_s - self._said_s.get(kind, float("-inf")) >= SAY_AGAIN_S:
                self._said_s[kind] = now_s
                self._says.warning("%s: %d x %s not understood: %s", self.name, count, kind, detail)

    def _on_unreadable(self, link: Link) -> None:
        """On MARKET a book has a gap now, and says so itself."""
        if link is Link.TRADING:
            self._sink(MessageLost(self.name))

    async def _hear_news(self, link: Link) -> None:
        """Subscribe to what a desk can do without, and ask what was missed meanwhile."""
        heard = await self._subscribe_if_possible(link, "public/subscribe", LISTINGS + PLATFORM)
        if not heard.intersection(LISTINGS):
            await self._subscribe_if_possible(link, "public/subscribe", LISTINGS_BY_KIND)
        try:
            answer = await self._client.rpc(link, "public/status", {}, SNAPSHOT_TIMEOUT_S)
            locks = parse.locks_of(answer, self._unread)
        except (BaseError, Unreadable) as error:
            self._says.info("%s does not tell what is locked: %s", self.name, said(error))
            return
        self._sink(PlatformState(self.name, None, locked=False, detail=""))
        for name in locks:
            self._sink(PlatformState(self.name, name or None, locked=True, detail="public/status"))

    async def _subscribe_if_possible(
        self, link: Link, method: str, channels: Sequence[str]
    ) -> set[str]:
        """Which of them the venue took. Not kept by the client: asked for on every connection."""
        try:
            params = {"channels": list(channels)}
            accepted = await self._client.rpc(link, method, params, SNAPSHOT_TIMEOUT_S)
        except BaseError as error:
            self._says.info("%s: no %s: %s", self.name, ", ".join(channels), said(error))
            return set()
        return set(accepted) if isinstance(accepted, list) else set()

    def _on_channel(self, channel: str, data: Any) -> None:
        """News of listings and of the platform."""
        if channel in PLATFORM:
            self._platform_news(channel, data)
        if not channel.startswith("instrument.state."):
            return
        try:
            news = parse.news_of(data, self._unread)
        except Unreadable as error:
            self._unread.note("listing news", error)
            return
        name = news.instrument_name
        followed = self._instruments.get(name)
        if followed is not None:
            self._sink(InstrumentState(followed.id, news.state))
        elif news.state in ("created", "started") and self._concerns_us(name):
            self.ask_terms(name)

    def _concerns_us(self, name: str) -> bool:
        """Whether a desk of ours might trade a new instrument: neither a combo, nor known, nor on
        a coin we have nothing to do with."""
        if name in self._terms or name in self._asked_terms:
            return False
        chain, _, rest = name.partition("-")
        return chain in self._chains and _is_single(rest)

    def ask_terms(self, name: str) -> None:
        """Ask for the terms of one instrument, and tell whoever listens."""
        if name not in self._asked_terms:
            self._asked_terms.add(name)
            self._start(self._read_terms(name))

    async def _read_terms(self, name: str) -> None:
        params = {"instrument_name": name}
        try:
            answer = await self._client.rpc(
                Link.MARKET, "public/get_instrument", params, SNAPSHOT_TIMEOUT_S
            )
        except BaseError as error:
            self._says.warning("%s: the terms of %s: %s", self.name, name, said(error))
            return
        finally:
            self._asked_terms.discard(name)
        if self._list(answer) is not None and self.on_listed is not None:
            self.on_listed(list(self._terms.values()))

    def _platform_news(self, channel: str, data: Any) -> None:
        try:
            if channel == PLATFORM[1]:
                self._says.warning("%s: %s: %s", self.name, channel, data)
                return  # of requests without a key: every one of ours has one
            name, locked = parse.lock_of(data, self._unread)
        except Unreadable as error:
            self._unread.note("platform news", error)
            return
        self._sink(PlatformState(self.name, name or None, locked, channel))


def _is_single(rest: str) -> bool:
    """Whether the end of a name is that of a perpetual, a future or an option: no combo."""
    parts = rest.split("-")
    return len(parts) in (1, 3) and "_" not in rest


def _nowhere(event: object) -> None:
    """Before connect nobody listens."""
