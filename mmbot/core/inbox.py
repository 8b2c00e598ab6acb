"""What has happened since the last turn, conflated.

Of books and tickers only the newest per instrument is kept: deciding on an older one would be
deciding on the past. Everything else, above all anything about our own orders, is kept in full
and in order.
"""

from mmbot.core.events import BookChanged, BookLost, Event, TickerChanged
from mmbot.core.types import InstrumentId

_Key = tuple[str, InstrumentId] | int


class Inbox:
    """Events waiting for a turn."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, Event] = {}
        self._count = 0
        self.conflated = 0
        """Older books and tickers that a newer one replaced."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event) -> None:
        """Add one event; a newer book or ticker takes the older one's place."""
        key: _Key
        if isinstance(event, BookChanged | BookLost):
            key = ("book", event.instrument)
        elif isinstance(event, TickerChanged):
            key = ("ticker", event.instrument)
        else:
            self._count += 1
            key = self._count
        if key in self._waiting:
            self.conflated += 1
            del self._waiting[key]
        self._waiting[key] = event

    def drain(self) -> list[Event]:
        """Take everything, in order of arrival (of the newest, where conflated)."""
        events = list(self._waiting.values())
        self._waiting.clear()
        return events
