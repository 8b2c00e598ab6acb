"""What is subscribed on a link, and the books that live by it.

Theory of operation
-------------------
A book is right or invalid, and an invalid one is asked for anew: its channel is unsubscribed and
subscribed, and the venue begins with a whole one. The book is invalid from the moment

* a message of its channel does not follow on the last one, or is no message (book.py),
* it stays crossed for CROSSED_S,
* the ticker of its instrument contradicts it for a while (contradiction.py),
* it stays older, for OWED_S, than what became of an order of our account in it,
* a frame arrives on its link that nobody can read, and that may have been its own.

However often and however many, there is one batch of resubscriptions a second at most, and its
requests wait for their place in the pool. A snapshot that does not come is asked for again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from mmbot.core.error_scope import ErrorScope
from mmbot.venues.answers import (
    Declined,
    LeftOut,
    OddAnswer,
    refuses,
    result_of,
)
from mmbot.venues.book import Book, MalformedBook
from mmbot.venues.calls import Calls, call
from mmbot.venues.contradiction import Best, Contradiction
from mmbot.venues.dialect import Dialect
from mmbot.venues.entry import LOGIN_DEADLINE_S
from mmbot.venues.link import LinkState
from mmbot.venues.recipe import Ask, Recipe
from mmbot.venues.requests import Refusal, Reply

BATCH_S = 1.0
SNAPSHOT_S = 5.0
CROSSED_S = 3.0
OWED_S = 3.0
CHANNELS_PER_REQUEST = 200
"""Keeps a subscription well under the venues' 32 kB a frame and 500 channels a request."""

_PASSING = frozenset({ErrorScope.REQUEST, ErrorScope.PLATFORM, ErrorScope.SESSION})
"""Refusals that say nothing about the channels: they are asked for again."""


class Subscriptions:
    """The channels and books of both links. `publish` hands on a book that has changed."""

    def __init__(self, calls: Calls, publish: Callable[[Book], None]) -> None:
        self._calls = calls
        self._dialect = calls.dialect
        self._publish = publish

    # -- Channels --------------------------------------------------------------------------------

    def ask(self, link: LinkState, channels: Iterable[str]) -> Recipe[None]:
        """Subscribe what is not yet on this connection.

        What the venue refuses or leaves out is noted in `link.refused` and wanted no more. Raises
        AnswerError if the venue does not answer, or not for reasons of the channels'.
        """
        todo = [channel for channel in channels if channel not in link.asked]
        link.asked.update(todo)
        now_s = self._calls.now_s
        for channel in todo:
            self._expect(link, channel, now_s)
        try:
            for private, part in requests_for(self._dialect, todo, link.spare):
                yield from self._ask_for(link, private, part)
        except Exception:
            link.asked.difference_update(todo)  # unanswered, so ask again next time
            raise

    def _ask_for(self, link: LinkState, private: bool, part: list[str]) -> Recipe[None]:
        method = self._dialect.subscribing(private)
        reply = yield Ask(link.link, method, {"channels": part}, LOGIN_DEADLINE_S)
        try:
            accepted = result_of(method, reply)
        except Declined as error:
            meaning = self._dialect.meaning_of(error.refusal.code)
            if not refuses(error) or meaning.scope in _PASSING:
                raise
            self._forget(link, part, error.refusal, f" ({error})")
            return
        left_out = self._dialect.left_out(part, accepted)
        if left_out is None:
            raise OddAnswer(method, reply, f"{method}: the answer is no list: {accepted}")
        for words in dict.fromkeys(left_out.values()):
            channels = [channel for channel in part if left_out.get(channel) == words]
            self._forget(link, channels, None, f" ({words})" if words else "")

    def _expect(self, link: LinkState, channel: str, now_s: float) -> None:
        if self._dialect.is_ticker(channel):
            if channel not in link.spare:  # what is silent there is not asked about
                link.told_s[channel] = now_s
            return
        book = link.books.get(channel) or self._dialect.book_of(channel)
        if book is None:
            return
        link.books[channel] = book
        if self._dialect.has_single_levels(channel):
            link.named[book.name] = book
        link.awaiting_s[channel] = now_s

    def _forget(
        self, link: LinkState, channels: Sequence[str], refusal: Refusal | None, detail: str
    ) -> None:
        said = f"did not subscribe {', '.join(channels)}{detail}: check the names"
        error = LeftOut(said, refusal, self._dialect.name)
        for channel in channels:
            link.refused[channel] = error
            self.drop(link, channel)

    def drop(self, link: LinkState, channel: str) -> Book | None:
        """Want a channel no more; its book, if it had one."""
        link.channels.pop(channel, None)
        link.spare.discard(channel)
        link.asked.discard(channel)
        for times in (link.awaiting_s, link.crossed_s, link.told_s):
            times.pop(channel, None)
        link.doubts.pop(channel, None)
        link.owed.pop(channel, None)
        book = link.books.pop(channel, None)
        if book is not None and link.named.get(book.name) is book:
            del link.named[book.name]
        return book

    def unsubscribe(self, link: LinkState, channels: Iterable[str]) -> Recipe[None]:
        """Drop channels; their books become invalid at once."""
        dropped = [channel for channel in channels if channel in link.channels]
        for channel in dropped:
            book = self.drop(link, channel)
            if book is not None and book.invalidate("unsubscribed"):
                self._publish(book)
        if link.up:
            for private, part in requests_for(self._dialect, dropped):
                method = self._dialect.unsubscribing(private)
                yield from call(link.link, method, {"channels": part}, LOGIN_DEADLINE_S)

    # -- Books -----------------------------------------------------------------------------------

    def take(self, link: LinkState, channel: str, data: Any) -> None:
        """One message of a book's channel."""
        book = link.books.get(channel)
        if book is None:
            return  # unsubscribed while this was on its way
        was_valid = book.valid
        try:
            applied = book.apply(data)
        except MalformedBook as error:
            self._lost(link, book, was_valid)
            self._calls.fault(error, data)
            return
        if applied:
            if link.awaiting_s:
                link.awaiting_s.pop(channel, None)
            if book.crossed:
                link.crossed_s.setdefault(channel, self._calls.now_s)
            elif link.crossed_s:
                link.crossed_s.pop(channel, None)
            if link.doubts and channel in link.doubts:
                self._reconsider(link, book)
            if link.owed and channel in link.owed and book.timestamp_ms >= link.owed[channel][0]:
                del link.owed[channel]
            self._publish(book)
        elif was_valid and not book.valid:
            self._lost(link, book, was_valid)

    def doubt(self, link: LinkState, book: Book, why: str) -> None:
        """Do not believe a book any longer."""
        was_valid = book.invalidate(why)
        self._lost(link, book, was_valid)

    def doubt_all(self, link: LinkState, why: str) -> None:
        """A frame of any of the link's books may have been lost."""
        for book in list(link.books.values()):
            self.doubt(link, book, why)

    def _lost(self, link: LinkState, book: Book, was_valid: bool) -> None:
        """A book has become invalid, or stays so for a new reason."""
        for trouble in (link.crossed_s, link.doubts, link.owed):
            trouble.pop(book.channel, None)
        self.resubscribe_soon(link, book.channel)
        if was_valid:
            self._publish(book)

    def end(self, link: LinkState, why: str) -> None:
        """The connection is lost, and nothing of its books survives it."""
        for book in link.books.values():
            if book.invalidate(why):
                self._publish(book)

    # -- Second opinions -------------------------------------------------------------------------

    def compare(self, link: LinkState, name: str, ticker: Mapping[str, Any]) -> None:
        """Hold an instrument's ticker against its book."""
        book = link.named.get(name)
        if book is None or not book.valid:
            return
        bid, ask = ticker.get("best_bid_price"), ticker.get("best_ask_price")
        if bid == book.best_bid and ask == book.best_ask and not link.doubts:
            return  # as nearly always
        said = Best.stated(ticker)
        if said is None or said.timestamp_ms < book.timestamp_ms:
            return
        if said.agrees(book.best_bid, book.best_ask):
            link.doubts.pop(book.channel, None)
            return
        now_s = self._calls.now_s
        doubt = link.doubts.get(book.channel)
        if doubt is None:
            link.doubts[book.channel] = Contradiction(said, now_s)
        elif doubt.again(said, now_s):
            self.doubt(link, book, "its ticker says otherwise")

    def owe(self, link: LinkState, name: str, at_ms: int) -> None:
        """An order of the account changed at that moment of the venue's, and with it its book. On a
        quiet market no later message tells that this one was lost."""
        book = link.named.get(name)
        if book is not None and book.valid and book.timestamp_ms < at_ms:
            link.owed.setdefault(book.channel, (at_ms, self._calls.now_s))

    def _reconsider(self, link: LinkState, book: Book) -> None:
        doubt = link.doubts[book.channel]
        if doubt.settled(book.best_bid, book.best_ask, book.timestamp_ms, self._calls.now_s):
            del link.doubts[book.channel]

    def look_after(self, link: LinkState) -> None:
        """Resubscribe what stays crossed, and what was asked for and does not come."""
        now_s = self._calls.now_s
        for channel, since_s in list(link.crossed_s.items()):
            if now_s - since_s >= CROSSED_S:
                self.doubt(link, link.books[channel], "crossed for too long")
        for channel, (_, since_s) in list(link.owed.items()):
            if now_s - since_s >= OWED_S:
                self.doubt(link, link.books[channel], "it does not show what became of an order")
        for channel, since_s in link.awaiting_s.items():
            if now_s - since_s > SNAPSHOT_S:
                self.resubscribe_soon(link, channel)

    # -- Resubscribing ---------------------------------------------------------------------------

    def resubscribe_soon(self, link: LinkState, channel: str) -> None:
        """Ask for a new snapshot: at once, but not more than one batch a second."""
        now_s = self._calls.now_s
        link.awaiting_s[channel] = now_s
        link.gapped[channel] = None
        if link.resubscribe is None:
            self._resubscribe_in(link, max(0.0, link.resubscribed_s + BATCH_S - now_s))

    def _resubscribe_in(self, link: LinkState, wait_s: float) -> None:
        link.resubscribe = self._calls.after(wait_s, partial(self._resubscribe, link))

    def _resubscribe(self, link: LinkState) -> None:
        link.resubscribe = None
        wanted = [channel for channel in link.gapped if channel in link.channels]
        link.gapped.clear()
        while wanted and link.open:
            now_s = self._calls.now_s
            if wait_s := self._calls.pools.take(self._dialect.subscribe_pool, now_s):
                link.gapped.update(dict.fromkeys(wanted))
                self._resubscribe_in(link, wait_s)
                return
            link.resubscribed_s = now_s
            self._renew(link, wanted[:CHANNELS_PER_REQUEST])
            wanted = wanted[CHANNELS_PER_REQUEST:]

    def _renew(self, link: LinkState, channels: list[str]) -> None:
        params, limit_s = {"channels": channels}, LOGIN_DEADLINE_S
        self._calls.send(link, self._dialect.unsubscribing(False), params, None, limit_s)
        done = partial(self._acknowledged, channels)
        method = self._dialect.subscribing(False)
        self._calls.send(link, method, params, done, limit_s, paid=True)

    def _acknowledged(self, asked: Sequence[str], reply: Reply) -> None:
        left_out = self._dialect.left_out(asked, reply.result)
        missing = sorted(asked if left_out is None else left_out)
        if missing and reply.sent:
            said = f"did not resubscribe {', '.join(missing)}"
            raise LeftOut(said, venue=self._dialect.name)

    def close(self, link: LinkState) -> None:
        """Ask for nothing any more."""
        if link.resubscribe is not None:
            link.resubscribe.cancel()
            link.resubscribe = None


def requests_for(
    dialect: Dialect, channels: Sequence[str], spare: Collection[str] = ()
) -> list[tuple[bool, list[str]]]:
    """Channels as (private, part) requests that fit the venue's frame size. What a desk can do
    without (trades, and what is `spare`) is asked for on its own, as a whole request may be
    refused."""
    requests = []
    for private, spared in ((False, False), (True, False), (False, True)):
        chosen = [
            channel
            for channel in channels
            if dialect.is_private(channel) is private
            and (dialect.is_trades(channel) or channel in spare) is spared
        ]
        for start in range(0, len(chosen), CHANNELS_PER_REQUEST):
            requests.append((private, chosen[start : start + CHANNELS_PER_REQUEST]))
    return requests
