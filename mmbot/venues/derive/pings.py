"""Text pings: a round trip on a connection that costs nothing of any budget.

The venue answers `ping` with `pong`, in the order they came, and a pong has no id. So pings that
are under way stand in a row of their link, those that nobody waits for any more included.
"""

from collections import deque
from typing import Final

from mmbot.core.events import Link
from mmbot.venues.calls import Calls
from mmbot.venues.derive.dialect import PING
from mmbot.venues.effects import SendText
from mmbot.venues.link import LinkState
from mmbot.venues.requests import Done, Outcome, Reply

PONG: Final = ("pong", b"pong")


class Pings:
    """Those of both links."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._row: dict[Link, tuple[int, deque[int]]] = {}
        """By link: which connection of it, and the ids of its pings."""

    def ask(self, link: LinkState, done: Done | None, timeout_s: float) -> None:
        """Ping; `done` is told the end of it, later."""
        if not link.open:
            self._calls.refuse(f"{link.link.name} is not connected", done)
            return
        id_ = self._calls.requests.next_id()
        self._of(link).append(id_)
        self._calls.effects.append(SendText(link.link, PING))
        self._calls.expect(id_, link, PING, done, timeout_s)

    def answered(self, link: LinkState) -> None:
        """A pong has come."""
        row = self._of(link)
        id_ = row.popleft() if row else 0
        pending = self._calls.requests.take(id_)
        if pending is not None:
            reply = Reply(id_, Outcome.OK, venue=self._calls.dialect.name)
            self._calls.tell(pending.done, reply)

    def _of(self, link: LinkState) -> deque[int]:
        connection, row = self._row.get(link.link, (0, deque()))
        if connection != link.connections:
            row = deque()
            self._row[link.link] = (link.connections, row)
        return row
