"""What has happened since the last turn, conflated.

Of books and tickers only the newest per instrument is kept, of reference prices the newest per
source and asset: deciding on an older one would be deciding on the past. Everything else, above all
anything about our own orders, is kept in full and in order.
"""

from mmbot.core.events import BookChanged, BookLost, Event, ReferenceChanged, TickerChanged
from mmbot.core.references import is_sound, replaces
from mmbot.core.types import InstrumentId

_BOOKS = (BookChanged, BookLost)  # written with a bar it would be made anew each time

_Key = tuple[str, InstrumentId] | tuple[str, str, str] | int


class Inbox:
    """Events waiting for a turn."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, Event] = {}
        self._count = 0
        self.conflated = 0
        """Older books, tickers and reference prices that a newer one replaced."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event) -> None:
        """Add one event; a newer book, ticker or reference price takes the older one's place."""
        key: _Key
        if isinstance(event, _BOOKS):
            key = ("book", event.instrument)
        elif isinstance(event, TickerChanged):
            key = ("ticker", event.instrument)
        elif isinstance(event, ReferenceChanged) and self._is_news(event):
            key = ("reference", event.source, event.asset)
        else:
            self._count += 1
            key = self._count
        if key in self._waiting:
            self.conflated += 1
            del self._waiting[key]
        self._waiting[key] = event

    def _is_news(self, event: ReferenceChanged) -> bool:
        """Whether it replaces what waits: what comes late, or is no price, does not."""
        waiting = self._waiting.get(("reference", event.source, event.asset))
        assert waiting is None or isinstance(waiting, ReferenceChanged)
        return is_sound(event) and (waiting is None or replaces(event, waiting))

    def drain(self) -> list[Event]:
        """Take everything, in order of arrival (of the newest, where conflated)."""
        events = list(self._waiting.values())
        self._waiting.clear()
        return events
