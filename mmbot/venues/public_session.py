"""What anybody may see of a venue, as events: books, tickers, listings, and living links.

Theory of operation
-------------------
A session stands on one `Connection`, which keeps the links up and hands over what they say; here
that becomes events for the engine. Nothing waits: what has to be asked is a recipe, what has to
happen later is a timer of the connection's, and every entry returns the effects it wants. The
recipes that a venue's awaited calls are made of ask over REST and need no link.

Needs no key. What `account_session.py` adds is one account; what is asked, and how answers read, is
each venue's own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    BookChanged,
    BookLost,
    ElementsUnread,
    Event,
    Link,
    LinkAlive,
    LinkChanged,
    MessageLost,
    TickerChanged,
)
from mmbot.core.types import SECOND, InstrumentId, Nanos, instrument_name
from mmbot.core.why import Why
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import ask, in_brief
from mmbot.venues.book import Book
from mmbot.venues.connection import Connection
from mmbot.venues.effects import Effect, Emit, Frame, HttpAnswer
from mmbot.venues.prints import Prints, PublicTrade
from mmbot.venues.reading import Unread, Unreadable
from mmbot.venues.recipe import Recipe, Wait
from mmbot.venues.requests import Done, Outcome, Reply
from mmbot.venues.timers import Timer
from mmbot.venues.timing import Timing

BOOK_LEVELS: Final = 10

PROBE_EVERY_S: Final = 1.0
"""A round trip on each link this often: proof that it is alive, and how far it has caught up."""

DEAF_FOR_S: Final = 0.2
"""Before a link is cut, what has arrived may be read: perhaps it was this process that slept."""

SAY_AGAIN_NS: Final = 10 * SECOND
"""Between two notes about elements of one kind that cannot be read."""


class PublicSession(ABC):
    """One venue, looked at. `name` is ours for it."""

    on_listed: Callable[[list[Instrument]], None] | None = None
    """Called with everything listed when the venue lists something new, or on new terms: from
    within an entry, so that it may call none."""

    on_note: Callable[..., None] | None = None
    """(level, template, *values): what is worth a line in a log."""

    def __init__(self, name: str, connection: Connection, timing: Timing) -> None:
        self.name = name
        self.connection = connection
        self.unread_listings: dict[str, str] = {}
        """Instruments whose terms could not be read, and why."""
        self._timing = timing
        self._instruments: dict[str, Instrument] = {}
        """Followed or watched, by the venue's name."""
        self._traded: dict[str, Instrument] = {}
        """Those that are followed: what the account holds of others is off the desk, and ..."""
        self._watched: set[str] = set()
        """... those that are only watched."""
        self._chains: set[str] = set()
        """What they were on, those that have come to their end included."""
        self._terms: dict[str, Instrument] = {}
        """Of everything listed that could be read, followed or not."""
        self._asked_terms: set[str] = set()
        """Instruments whose terms are being asked for."""
        self._new: dict[str, None] = {}
        """Newly listed ones whose terms are to be asked for, the next first."""
        self._unread = Unread()
        self._noted_ns: dict[str, Nanos] = {}
        """When elements of a kind that could not be read were last noted."""
        self._prints = Prints()
        self._watch: Timer | None = None
        """For the next look whether links live, once all have been up."""
        connection.on_book = self._on_book
        connection.on_ticker = self._on_ticker
        connection.on_trades = self._on_trades
        connection.on_link = self._on_link
        connection.on_unreadable = self._on_unreadable

    # --- what a venue is asked, and how it reads ---

    @abstractmethod
    def listed(self) -> Recipe[list[Instrument]]:
        """Everything listed of what mmbot trades. Raises AnswerError, and UnreadableError."""
        ...

    @abstractmethod
    def venue_ms(self) -> Recipe[int]:
        """The venue's clock. Raises AnswerError, and UnreadableError."""
        ...

    @abstractmethod
    def index_price(self, instrument: Instrument) -> Recipe[float]:
        """USD per coin of what an instrument is on. Raises AnswerError, and UnreadableError."""
        ...

    @abstractmethod
    def _channels(self, instruments: Sequence[Instrument]) -> list[str]:
        """What has to be subscribed to follow these."""
        ...

    @abstractmethod
    def _slow_ticker(self, instrument: Instrument) -> str:
        """The channel that tells of an instrument now and then, and nothing of its book."""
        ...

    @abstractmethod
    def _listing_of(self, row: object) -> Instrument | None:
        """One listing's terms; None for one that mmbot does not trade. Raises Unreadable."""
        ...

    @abstractmethod
    def _ticker_changed(self, instrument: Instrument, data: Any) -> TickerChanged:
        """What a ticker says."""
        ...

    @abstractmethod
    def _trade_printed(self, instrument: Instrument, row: object) -> PublicTrade | None:
        """One public trade; None for one that was not made in the instrument's book. Raises
        Unreadable."""
        ...

    @abstractmethod
    def _probe(self, link: Link, done: Done) -> None:
        """A round trip on a link; `done` is told its end."""
        ...

    def _venue_ns(self, reply: Reply) -> Nanos | None:
        """The venue's clock as it answered a probe; None where that does not tell."""
        return None if reply.out_us is None else reply.out_us * 1000

    def _news(self, _link: Link) -> Recipe[None]:
        """What is asked of a link that has just come up."""
        return
        yield

    # --- how it is driven ---

    @property
    def due_ns(self) -> Nanos | None:
        """When to `tick`, unless something else happens before; None: not needed."""
        return self.connection.due_ns

    def opened(self, link: Link, now_ns: Nanos) -> Sequence[Effect]:
        """A connection that was dialed is established."""
        return self.connection.opened(link, now_ns)

    def closed(self, link: Link, why: str, now_ns: Nanos) -> Sequence[Effect]:
        """A connection is over, or could not be established."""
        return self.connection.closed(link, why, now_ns)

    def receive(self, link: Link, frame: Frame | str | bytes, now_ns: Nanos) -> Sequence[Effect]:
        """A frame came over the present connection of a link."""
        return self.connection.receive(link, frame, now_ns)

    def unsent(self, frame: Frame, why: str, now_ns: Nanos) -> Sequence[Effect]:
        """A frame that was to be sent could not be written, and certainly has not left."""
        return self.connection.unsent(frame, why, now_ns)

    def answered(self, http_id: int, answer: HttpAnswer, now_ns: Nanos) -> Sequence[Effect]:
        """A REST request has ended."""
        return self.connection.answered(http_id, answer, now_ns)

    def tick(self, now_ns: Nanos) -> Sequence[Effect]:
        """Time has passed."""
        return self.connection.tick(now_ns)

    def start(
        self,
        instruments: Sequence[Instrument],
        now_ns: Nanos,
        watched: Sequence[Instrument] = (),
    ) -> Sequence[Effect]:
        """Bring the links up and subscribe; from now on they come back by themselves. Asked again
        after a failure, it goes on. `watched`: see `look_at`."""
        self.connection.at(now_ns)
        self._take_up(instruments)
        besides = self._begin_watching(watched)
        if besides and self.connection.up(Link.MARKET):
            self._carry_out(self._subscribe_watched(besides))
        channels = self.wanted(instruments)
        return self.connection.start(tuple(channels), channels, now_ns)

    def stop(self, now_ns: Nanos) -> Sequence[Effect]:
        """End every connection politely. What is in flight ends as unknown."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        return self.connection.stop(now_ns)

    def follow(self, instruments: Sequence[Instrument], now_ns: Nanos) -> Sequence[Effect]:
        """Subscribe to further instruments; their events follow."""
        self.connection.at(now_ns)
        watched = [one for one in instruments if one.name in self._watched]
        self._take_up(instruments)
        channels = self._channels(instruments)
        slower = [one for one in self._watching(watched) if one not in channels]
        if slower:
            dropped = self.connection.unsubscribing(Link.MARKET, slower)
            self.connection.run(dropped, self._note_error)
        self.connection.want(Link.MARKET, channels)
        self.connection.run(self.connection.subscribed(Link.MARKET, channels), self._note_error)
        return self.connection.settle()

    def look_at(self, instruments: Sequence[Instrument], now_ns: Nanos) -> Sequence[Effect]:
        """Subscribe to instruments that a desk looks at and does not trade: options by their
        tickers alone. What the venue refuses of it is noted, and everything else goes on."""
        self.connection.at(now_ns)
        channels = self._begin_watching(instruments)
        if self.connection.up(Link.MARKET):
            self._carry_out(self._subscribe_watched(channels))
        return self.connection.settle()

    def unfollow(self, instruments: Sequence[InstrumentId], now_ns: Nanos) -> Sequence[Effect]:
        """Forget instruments that have come to their end, and their channels."""
        self.connection.at(now_ns)
        names = [instrument_name(one) for one in instruments]
        gone = [self._instruments.pop(name) for name in names if name in self._instruments]
        ended = [n for n, i in self._terms.items() if i.expiry_ns and i.expiry_ns < now_ns]
        for name in ended:
            del self._terms[name]
        if gone:
            channels = (*self._channels(gone), *map(self._slow_ticker, gone))
            self._watched -= {one.name for one in gone}
            for one in gone:
                self._traded.pop(one.name, None)
            unwanted = self.connection.unsubscribing(Link.MARKET, dict.fromkeys(channels))
            self.connection.run(unwanted, self._note_error)
        return self.connection.settle()

    def wanted(self, instruments: Sequence[Instrument]) -> dict[Link, list[str]]:
        """The links to keep up, with their channels."""
        return {Link.MARKET: self._channels(instruments)}

    def _take_up(self, instruments: Sequence[Instrument], *, traded: bool = True) -> None:
        named = {i.name: i for i in instruments}
        self._instruments |= named
        if traded:
            self._traded |= named
            self._watched -= named.keys()
        self._chains |= {i.name.partition("-")[0] for i in instruments}

    # --- what is watched ---

    def _begin_watching(self, instruments: Sequence[Instrument]) -> list[str]:
        """The channels of what is not followed; they are subscribed when the link is up."""
        new = [one for one in instruments if one.name not in self._traded]
        self._take_up(new, traded=False)
        self._watched |= {one.name for one in new}
        channels = self._watching(new)
        self.connection.want(Link.MARKET, channels, spare=True)
        return channels

    def _watching(self, instruments: Sequence[Instrument]) -> list[str]:
        """What has to be subscribed to watch these."""
        whole = self._channels([one for one in instruments if not one.has_vega])
        return whole + [self._slow_ticker(one) for one in instruments if one.has_vega]

    def _subscribe_watched(self, channels: Sequence[str]) -> Recipe[None]:
        yield from self.connection.subscribed(Link.MARKET, channels)
        refused = self.connection.links[Link.MARKET].refused
        missing = [refused[channel] for channel in channels if channel in refused]
        if missing:
            said = "%s: %d channels of what is watched are not to be had: %s"
            self._note("info", said, self.name, len(missing), in_brief(missing[0]))

    def _emit(self, event: Event) -> None:
        self.connection.effects.append(Emit(event))

    def _note(self, level: str, template: str, *values: object) -> None:
        if self.on_note is not None:
            self.on_note(level, template, *values)

    def _carry_out(self, recipe: Recipe[None]) -> None:
        self.connection.run(recipe, self._note_error)

    def _note_error(self, _nothing: None, error: Exception | None) -> None:
        """The end of a recipe for which nobody waits."""
        if error is not None:
            self._note("warning", "%s: %s", self.name, in_brief(error))

    def _list(self, row: object) -> Instrument | None:
        """One listing's terms, noted; None for one that mmbot does not trade or cannot read."""
        try:
            listed = self._listing_of(row)
        except Unreadable as error:
            self._unread.note("listing", error)
            if isinstance(row, Mapping) and isinstance(row.get("instrument_name"), str):
                self.unread_listings[row["instrument_name"]] = str(error)
            return None
        if listed is not None:
            self._terms[listed.name] = listed
            self.unread_listings.pop(listed.name, None)
        return listed

    # --- whether links live ---

    def _on_link(self, link: Link, up: bool, why: str) -> None:
        self._emit(LinkChanged(self.name, link, up, why))
        if up:
            self._ask_alive(link)
            self._carry_out(self._news(link))
            if link is Link.MARKET and self._watched:
                watched = [self._instruments[name] for name in sorted(self._watched)]
                self._carry_out(self._subscribe_watched(self._watching(watched)))
            if self._watch is None and all(map(self.connection.up, self._links())):
                self._each_second()

    def _links(self) -> tuple[Link, ...]:
        return (Link.MARKET,)

    def _each_second(self) -> None:
        for link in self._links():
            if self.connection.up(link):
                self._ask_alive(link)
        self._tell_unread()
        self._watch = self.connection.after(PROBE_EVERY_S, self._each_second)

    def _ask_alive(self, link: Link) -> None:
        asked_ns = self.connection.now_ns

        def done(reply: Reply) -> None:
            if reply.outcome is not Outcome.UNKNOWN:
                venue_ns, now_ns = self._venue_ns(reply), self.connection.now_ns
                self._emit(LinkAlive(self.name, link, asked_ns, now_ns, venue_ns))
            elif self.connection.up(link):
                self.connection.after(DEAF_FOR_S, lambda: self._cut_if_silent(link))

        self._probe(link, done)

    def _cut_if_silent(self, link: Link) -> None:
        silent_s = self.connection.silent_s(link)
        if silent_s > self._timing.probe_timeout_s:
            self.connection.cut(link, f"nothing heard for {silent_s:.1f} s")

    # --- books and tickers ---

    def _on_book(self, book: Book) -> None:
        instrument = self._instruments.get(book.name)
        if instrument is None:
            return
        if not book.valid:
            self._emit(BookLost(instrument.id, Why.BOOK_GAPPED))
            return
        bids, asks = book.top(BOOK_LEVELS)
        now_ns = self.connection.now_ns
        self._emit(BookChanged(instrument.id, bids, asks, book.timestamp_ms, now_ns))

    def _on_ticker(self, name: str, data: Any) -> None:
        instrument = self._instruments.get(name)
        if instrument is not None:
            self._emit(self._ticker_changed(instrument, data))

    def _on_trades(self, name: str, rows: Sequence[object]) -> None:
        instrument = self._instruments.get(name)
        if instrument is None:
            return
        for row in rows:
            try:
                trade = self._trade_printed(instrument, row)
            except Unreadable as error:
                self._unread.note("public trade", error)
                continue
            if trade is not None and self._prints.is_news(trade):
                self._emit(trade.printed)

    def _on_unreadable(self, link: Link) -> None:
        """On MARKET a book has a gap now, and says so itself."""
        if link is Link.TRADING:
            self._emit(MessageLost(self.name))

    def _tell_unread(self) -> None:
        """Say what could not be read: to the core each time, in a note now and then."""
        now_ns = self.connection.now_ns
        for kind, count, detail in self._unread.take():
            self._emit(ElementsUnread(self.name, kind, count, detail))
            noted_ns = self._noted_ns.get(kind)
            if noted_ns is None or now_ns - noted_ns >= SAY_AGAIN_NS:
                self._noted_ns[kind] = now_ns
                said = "%s: %d x %s not understood: %s"
                self._note("warning", said, self.name, count, kind, detail)

    # --- news of listings ---

    def _ask_terms(self, name: str, wait_s: float = 0.0) -> None:
        """Ask for the terms of one instrument, and tell whoever listens."""
        if name not in self._asked_terms:
            self._asked_terms.add(name)
            self._carry_out(self._read_terms(name, wait_s))

    def _read_new_terms(self) -> Recipe[None]:
        """One after the other: hundreds are listed at once, and whoever has a question about the
        account does not wait behind them."""
        try:
            while self._new:
                name = next(iter(self._new))
                yield from self._read_terms(name, 0.0)
                del self._new[name]
        finally:
            self._new.clear()

    def _read_terms(self, name: str, wait_s: float) -> Recipe[None]:
        if wait_s:
            yield Wait(wait_s)
        try:
            answer = yield from ask(Link.MARKET, "public/get_instrument", {"instrument_name": name})
        except AnswerError as error:
            said = "%s: the terms of %s: %s"
            self._note("warning", said, self.name, name, in_brief(error))
            return
        finally:
            self._asked_terms.discard(name)
        if self._list(answer) is not None and self.on_listed is not None:
            self.on_listed(list(self._terms.values()))
