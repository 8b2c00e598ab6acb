"""Our end's books: right or lost.

A change that does not stand on the one before ends a book until the next snapshot, which is asked
for at once, but not more than once a second.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mmbot.core import events as ev
from mmbot.core.types import SECOND, Nanos
from mmbot.core.why import Why
from mmbot.sim.virtual.messages import BookMessage
from mmbot.sim.virtual.timeline import Timeline
from mmbot.sim.virtual.translate import id_of

SNAPSHOT_WAIT_NS: Final[Nanos] = 5 * SECOND
"""A snapshot that has not come by then is asked for again."""
RESUBSCRIBE_EVERY_NS: Final[Nanos] = 1 * SECOND


@dataclass(slots=True, eq=False)
class _Book:
    """One book as we know it."""

    valid: bool = False
    change_id: int = 0
    awaited_ns: Nanos = 0
    """Since when a snapshot has been asked for; 0: none is."""


class Books:
    """The books of all instruments; `ask` asks for whole ones, False where nothing can be asked."""

    def __init__(
        self,
        timeline: Timeline,
        names: Iterable[str],
        sink: Callable[[ev.Event], None],
        ask: Callable[[Sequence[str]], bool],
        venue: str,
    ) -> None:
        self._venue = venue
        self._timeline = timeline
        self._sink = sink
        self._ask = ask
        self._books = {name: _Book() for name in names}
        self._gapped: dict[str, None] = {}
        self._resubscribed_ns: Nanos = -RESUBSCRIBE_EVERY_NS
        self._resubscribing = False

    def await_all(self) -> None:
        """The market link signs in: every book is on its way."""
        for book in self._books.values():
            book.awaited_ns = self._timeline.now_ns

    def lose_all(self) -> None:
        """The market link is lost, and every book with it."""
        self._gapped.clear()
        for name, book in self._books.items():
            book.awaited_ns = 0
            if book.valid:
                book.valid = False
                self._sink(ev.BookLost(id_of(name, self._venue), Why.BOOK_GAPPED))

    def chase(self) -> None:
        """Ask again for snapshots that do not come."""
        now_ns = self._timeline.now_ns
        for name, book in self._books.items():
            if book.awaited_ns and now_ns - book.awaited_ns > SNAPSHOT_WAIT_NS:
                self._resubscribe_soon(name)

    def hear(self, message: BookMessage) -> None:
        """A snapshot or a change has come."""
        book = self._books[message.name]
        if message.previous is not None:
            if not book.valid:
                return
            if message.previous != book.change_id:
                book.valid = False
                self._resubscribe_soon(message.name)
                self._sink(ev.BookLost(id_of(message.name, self._venue), Why.BOOK_GAPPED))
                return
        book.valid, book.change_id, book.awaited_ns = True, message.change_id, 0
        self._sink(
            ev.BookChanged(
                id_of(message.name, self._venue),
                message.bids,
                message.asks,
                message.venue_ms,
                self._timeline.now_ns,
            )
        )

    def _resubscribe_soon(self, name: str) -> None:
        self._books[name].awaited_ns = self._timeline.now_ns
        self._gapped[name] = None
        if not self._resubscribing:
            self._resubscribing = True
            due_ns = self._resubscribed_ns + RESUBSCRIBE_EVERY_NS
            wait_ns = max(0, due_ns - self._timeline.now_ns)
            self._timeline.after(wait_ns, self._resubscribe)

    def _resubscribe(self) -> None:
        self._resubscribing = False
        names = list(self._gapped)
        self._gapped.clear()
        if names and self._ask(names):
            self._resubscribed_ns = self._timeline.now_ns
