"""Where booked fills go: the store, and the sinks that the desk file names.

The store comes first and holds everything; only what it has taken goes on. Every other sink gets
each fill once, in order; of one that the venue takes back the reversal too. A sink that has no
room, or raises, is asked again at the next turn; what waits for it is bounded, and trading never
waits for it.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mmbot.store.records import FillBooked

WAITING_MAX = 10_000
"""Fills that wait for one sink; of more the oldest are left out, and the log says so."""

_log = logging.getLogger(__name__)


class FillSink(Protocol):
    """Takes fills as they are booked. The store's Writer is one."""

    def put(self, record: FillBooked) -> bool:
        """Take one fill; False where there is no room now. Called between turns, so it must not
        wait for a disk or a network."""
        ...


@dataclass(slots=True)
class _Line:
    """One sink and what waits for it."""

    name: str
    sink: FillSink
    waiting: deque[FillBooked] = field(default_factory=deque)
    trouble: str = ""

    def take(self) -> bool:
        """Whether the sink has taken the fill that waits longest."""
        try:
            taken = self.sink.put(self.waiting[0])
        except Exception as error:  # noqa: BLE001  # somebody else's code, whatever it raises
            self._say(f"{type(error).__name__}: {error}")
            return False
        if taken:
            self.trouble = ""
        return taken

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            _log.error("sink %s: %s", self.name, trouble)


class Sinks:
    """The sinks besides the store."""

    def __init__(self, sinks: Sequence[tuple[str, FillSink]] = ()) -> None:
        self._lines = [_Line(name, sink) for name, sink in sinks]

    def put(self, record: FillBooked) -> None:
        """The store has taken this fill: it waits for every other sink now."""
        for line in self._lines:
            if len(line.waiting) == WAITING_MAX:
                lost = line.waiting.popleft()
                _log.error("sink %s: fill %s is left out", line.name, lost.fill.trade_id)
            line.waiting.append(record)

    def hand_on(self) -> None:
        """Offer what waits, as far as each sink has room."""
        for line in self._lines:
            while line.waiting and line.take():
                line.waiting.popleft()
