"""A line about a turn (tape/words.py) as it is printed: wrapped, and colored by its topic."""

from typing import TYPE_CHECKING

from mmbot.core.types import instrument_name

if TYPE_CHECKING:
    from mmbot.tape.words import Line

WIDTH = 100


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


def wrapped(line: "Line", width: int) -> list[str]:
    """A line's word, instrument and text, its further rows indented."""
    from textwrap import wrap

    name = "" if line.instrument is None else instrument_name(line.instrument) + " "
    head = f"{line.word:<8} "
    rows = wrap(f"{name}{line.text}", width - len(head)) or [""]
    return [head + rows[0], *(" " * len(head) + row for row in rows[1:])]
