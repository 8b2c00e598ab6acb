"""A line about a turn (tape/words.py) as it is printed: wrapped, and colored by its topic."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmbot.core.types import InstrumentId, instrument_name, told_apart

if TYPE_CHECKING:
    from mmbot.tape.reader import TapeFile
    from mmbot.tape.words import Line

WIDTH = 100

NameOf = Callable[[InstrumentId], str]


def style(line: "Line") -> str:
    """A line's color: alarms red, bids green, asks red, the rest by topic."""
    from mmbot.core.types import Side
    from mmbot.tape.words import Topic

    if line.alarm:
        return "bold red"
    match line.topic:
        case Topic.MARKET | Topic.TIME:
            return "dim"
        case Topic.WHY:
            return "yellow"
        case Topic.CONTROL:
            return "bold magenta"
        case Topic.LINK:
            return "cyan"
    color = "" if line.side is None else "green" if line.side is Side.BUY else "red"
    bold = "bold " if line.topic is Topic.FILLS else ""
    return (bold + color).strip()


def names_on(tape: "TapeFile") -> NameOf:
    """What the instruments of a tape are called: by the venue's own name, with the venue before it
    where the tape has several venues and the name might be another's."""
    known = told_apart(one for desk in tape.header.plan.desks for one in desk.instruments)
    several = len({desk.venue for desk in tape.header.plan.desks}) > 1

    def name(instrument: InstrumentId) -> str:
        unknown = str(instrument) if several else instrument_name(instrument)
        return known.get(instrument, unknown)

    return name


def wrapped(line: "Line", width: int, name_of: NameOf) -> list[str]:
    """A line's word, instrument and text, its further rows indented."""
    from textwrap import wrap

    name = "" if line.instrument is None else name_of(line.instrument) + " "
    head = f"{line.word:<8} "
    rows = wrap(f"{name}{line.text}", width - len(head)) or [""]
    return [head + rows[0], *(" " * len(head) + row for row in rows[1:])]
