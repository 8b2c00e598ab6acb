"""`mmbot tape show`: the turns of a tape, and why every side was quoted as it was."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.tape_files import found_tape, list_tapes
from mmbot.cli.tape_json import print_array
from mmbot.cli.tape_lines import WIDTH, names_on, style, wrapped
from mmbot.cli.wanted import Json, ModeName, one_of
from mmbot.config import Mode
from mmbot.core.types import instrument_name, told_apart
from mmbot.errors import ConfigError, ExitCode, NothingFound

if TYPE_CHECKING:
    from mmbot.cli.tape_view import Shown
    from mmbot.core.types import InstrumentId
    from mmbot.tape.reader import TapeFile
    from mmbot.tape.words import Topic

TURNS_SHOWN = 100
"""By default; with --json all of them."""

_HEAD = 23
"""Time, number and mark take that much of a line."""


def show(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A tape, by path or by name.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TURN", help="From this turn, or this time (HH:MM:SS) on."),
    ] = None,
    turns: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=f"So many turns. (default {TURNS_SHOWN})"),
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The last so many turns instead.")
    ] = None,
    instrument: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What concerns one instrument, by the venue's name."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="TOPICS",
            help="Some of market, tickers, orders, fills, why, link, control, time. "
            "(default: all but tickers and time)",
        ),
    ] = None,
    mode: ModeName = None,
    json: Json = False,
) -> None:
    """Print the turns of a tape: what happened, what was decided, and why.

    Lines with > are decisions; those with * say why a side is quoted as it is, or is not, from that
    turn on. Turns without anything of what is asked for are left out. Without FILE, the tapes there
    are.
    """
    if file is None:
        list_tapes(one_of(Mode, mode, "mode", "--mode") if mode is not None else None, json)
        return
    from mmbot.cli.tape_view import View
    from mmbot.tape.reader import TapeFile

    tape = TapeFile(found_tape(file))
    view = View(tape, _topics(only), _chosen(tape, instrument))
    shown = _from(view.turns(), start)
    many = turns if turns is not None or json else TURNS_SHOWN
    if last is not None:
        if turns is not None or start is not None:
            raise ConfigError("--last does not go with --from or --turns: give one")
        shown, many = iter(deque(shown, maxlen=last)), None
    count = 1
    with suppress(BrokenPipeError):
        count = (
            print_array((turn.body for turn in shown), many)
            if json
            else _print_turns(shown, many, tape)
        )
    for note in view.notes:
        print(f"mmbot: {note}", file=sys.stderr)
    if tape.ending.damage:
        print(f"mmbot: {tape.path}: {tape.ending.text}", file=sys.stderr)
        raise typer.Exit(ExitCode.CHECK_FAILED)
    if not count:
        raise NothingFound(f"no such turn on {tape.path.name}: its last is turn {view.last}")


def _print_turns(shown: "Iterator[Shown]", many: int | None, tape: "TapeFile") -> int:
    """How many had something to show."""
    from rich.console import Console
    from rich.text import Text

    from mmbot.tape.words import clock_text

    console = Console(highlight=False)
    width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    sim = "sim " if tape.header.origin.mode == "sim" else ""
    head, count = _HEAD + len(sim), 0
    name_of = names_on(tape)
    for turn in shown:
        if count == many:
            print(
                f"mmbot: more turns follow: --from {turn.number}, --turns N, or --last N",
                file=sys.stderr,
            )
            return count
        count += 1
        at = f"{sim}{clock_text(turn.now_ns)} {turn.number:>7}"
        for mark, line in turn.lines:
            look = style(line)
            for text in wrapped(line, width - head, name_of):
                row = Text(f"{at:<{head - 2}}", style="dim")
                row.append(f"{mark} {text}", style=look)
                console.print(row, soft_wrap=True)
                at, mark = "", " "
    if count and tape.ending.why is None and not tape.ending.damage:
        print(f"mmbot: {tape.path.name}: {tape.ending.text}", file=sys.stderr)
    return count


def _topics(only: str | None) -> "frozenset[Topic]":
    from mmbot.tape.words import BACKGROUND, Topic

    if only is None:
        return frozenset(Topic) - BACKGROUND
    return frozenset(one_of(Topic, word.strip(), "topic", "--only") for word in only.split(","))


def _chosen(tape: "TapeFile", name: str | None) -> "InstrumentId | None":
    """The instrument a person names: by the venue's name, or VENUE:NAME. Raises ConfigError."""
    if name is None:
        return None
    traded = [one for desk in tape.header.plan.desks for one in desk.instruments]
    found = _named(traded, name) or _named(list(_listed_later(tape)), name)
    if len(found) > 1:
        raise ConfigError(f"--instrument: {name} is at several venues: give {' or '.join(found)}")
    if not found:
        from difflib import get_close_matches

        names = list(told_apart(traded).values())
        near = get_close_matches(name.upper(), names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise NothingFound(
            f"--instrument: {name} is not on this tape; {hint}there is {', '.join(names)}"
        )
    return found[0]


def _named(traded: "Sequence[InstrumentId]", name: str) -> "list[InstrumentId]":
    """Those a person may mean."""
    known = dict.fromkeys(traded)
    return [one for one in known if name.upper() in (instrument_name(one).upper(), one.upper())]


def _listed_later(tape: "TapeFile") -> "Iterator[InstrumentId]":
    """What the venues listed while the tape was written."""
    from mmbot.core.events import InstrumentsListed
    from mmbot.tape.codec import events_of
    from mmbot.tape.reader import TapeFile

    for turn in TapeFile(tape.path).turns():
        listings = [one for one in turn.events if one[0] == InstrumentsListed.__name__]
        for event in events_of(listings):
            if isinstance(event, InstrumentsListed):
                yield from (instrument.id for instrument in event.instruments)


def _from(turns: "Iterator[Shown]", start: str | None) -> "Iterator[Shown]":
    """From a turn or a time of the day on. Raises ConfigError."""
    if start is None:
        return turns
    if start.isdigit():
        number = int(start)
        return (turn for turn in turns if turn.number >= number)
    after_ns = _time_of_day(start)
    return _after(turns, after_ns)


def _after(turns: "Iterator[Shown]", at_ns: int) -> "Iterator[Shown]":
    """From the first turn at or after that time of the day on; a tape may go over midnight."""
    from mmbot.core.scope import DAY_NS

    begun_ns: int | None = None
    for turn in turns:
        if begun_ns is None:
            begun_ns = turn.now_ns + (at_ns - turn.now_ns) % DAY_NS
            if (turn.now_ns - at_ns) % DAY_NS < DAY_NS // 2:
                begun_ns = turn.now_ns  # the tape begins after that time
        if turn.now_ns >= begun_ns:
            yield turn


def _time_of_day(text: str) -> int:
    from datetime import time

    try:
        at = time.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        raise ConfigError(
            f"--from: {text!r} is neither a turn's number nor a time (UTC): write it like 1234 or "
            "03:00:00"
        ) from None
    seconds = (at.hour * 60 + at.minute) * 60 + at.second
    return seconds * 1_000_000_000 + at.microsecond * 1000
