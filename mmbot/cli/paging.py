"""Which rows of a long table are on the screen, and how keys move them. No terminal in here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase

from mmbot.engine.status import InstrumentRow

HELP = "space/b, arrows or j/k move"


class Key(Enum):
    """What a key that was pressed asks for."""

    DOWN = auto()
    UP = auto()
    PAGE_DOWN = auto()
    PAGE_UP = auto()
    HOME = auto()
    END = auto()


_KEYS = {
    b"j": Key.DOWN,
    b"k": Key.UP,
    b"\r": Key.DOWN,
    b"\n": Key.DOWN,
    b" ": Key.PAGE_DOWN,
    b"f": Key.PAGE_DOWN,
    b"b": Key.PAGE_UP,
    b"g": Key.HOME,
    b"G": Key.END,
    **{start + b"B": Key.DOWN for start in (b"\x1b[", b"\x1bO")},
    **{start + b"A": Key.UP for start in (b"\x1b[", b"\x1bO")},
    **{start + b"H": Key.HOME for start in (b"\x1b[", b"\x1bO")},
    **{start + b"F": Key.END for start in (b"\x1b[", b"\x1bO")},
    b"\x1b[6~": Key.PAGE_DOWN,
    b"\x1b[5~": Key.PAGE_UP,
    b"\x1b[1~": Key.HOME,
    b"\x1b[4~": Key.END,
}
_LONGEST = max(map(len, _KEYS))


def keys_in(typed: bytes) -> list[Key]:
    """The keys in what a terminal sent; what means nothing is passed over."""
    found, place = [], 0
    while place < len(typed):
        for length in range(_LONGEST, 0, -1):
            key = _KEYS.get(typed[place : place + length])
            if key is not None:
                found.append(key)
                place += length
                break
        else:
            place += 1
    return found


@dataclass(slots=True)
class Pager:
    """A window on rows of several heights, all in lines. Keys move it over what was shown last."""

    first: int = 0
    _heights: Sequence[int] = ()
    _room: int = 0

    def shown(self, heights: Sequence[int], room: int) -> tuple[int, int]:
        """The rows that are shown, from the first up to but without the last. A page that would
        have room left at its end begins earlier; one row is shown whatever the room."""
        count = len(heights)
        first = min(max(0, self.first), max(0, count - 1))
        last = first + _fit(heights[first:], room)
        if last == count:
            first = count - _fit(heights[::-1], room)
        self.first, self._heights, self._room = first, heights, room
        return first, last

    def press(self, key: Key) -> None:
        """Move the window."""
        heights, room = self._heights, self._room
        first, last = self.shown(heights, room)
        match key:
            case Key.DOWN:
                self.first = first + 1
            case Key.UP:
                self.first = first - 1
            case Key.PAGE_DOWN:
                self.first = last
            case Key.PAGE_UP:
                self.first = first - _fit(heights[:first][::-1], room)
            case Key.HOME:
                self.first = 0
            case Key.END:
                self.first = len(heights)


def _fit(heights: Sequence[int], room: int) -> int:
    """How many of these fit, one at least where there is one."""
    used = 0
    for count, height in enumerate(heights):
        used += height
        if used > room and count:
            return count
    return len(heights)


def matches(row: InstrumentRow, pattern: str | None) -> bool:
    """Whether a row's name, the venue's or ccxt's, ends like a pattern of the shell, in capitals or
    not; without wildcards any part of the name will do."""
    if pattern is None:
        return True
    wanted = f"*{pattern.upper()}"
    if not any(sign in pattern for sign in "*?["):
        wanted += "*"
    return any(fnmatchcase(name.upper(), wanted) for name in (row.instrument, row.symbol))


def only(rows: Iterable[InstrumentRow], pattern: str | None) -> list[InstrumentRow]:
    """The rows that are asked for."""
    return [row for row in rows if matches(row, pattern)]
