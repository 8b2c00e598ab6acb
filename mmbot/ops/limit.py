"""Log lines of one kind, one in ten seconds: a venue that flaps must not drown what else is said.

A kind is a logger, a level, the line's template, whatever is put into it, and whom it is about:
what befalls one venue must not hide that it befell another. What is held back is counted, and the
count told with the next line of that kind that is shown.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

INTERVAL_S = 10.0

KINDS_MAX = 1000
"""Libraries may build their templates as they go: then everything is begun anew."""

ALWAYS: Mapping[str, object] = {"always": True}
"""`extra` of a line that is never held back: about money, orders that are left, or the end."""


def about(name: str) -> Mapping[str, object]:
    """`extra` of a line about one venue or desk of several."""
    return {"about": name}


@dataclass(slots=True)
class _Kind:
    shown_s: float
    held: int = 0


class Limit(logging.Filter):
    """A handler's filter. Time is the records' own (`created`), in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, int, str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown; it then says how many were not."""
        if getattr(record, "always", False):
            return True
        whom = str(getattr(record, "about", ""))
        key = (record.name, record.levelno, str(record.msg), whom)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= KINDS_MAX:
                self._kinds.clear()
            self._kinds[key] = _Kind(record.created)
            return True
        since_s = record.created - kind.shown_s
        if 0 <= since_s < INTERVAL_S:  # a wall clock that was set back begins anew
            kind.held += 1
            return False
        held, kind.held, kind.shown_s = kind.held, 0, record.created
        if held:
            more = f"{held} more like it in the last {since_s:.0f} s"
            record.msg, record.args = f"{record.getMessage()} ({more})", ()
        return True
