"""`mmbot tape`: look back at what an engine did, turn by turn, and prove that it follows from what
happened."""

import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.tape_json import as_objects, print_array, venues_name
from mmbot.cli.wanted import Json, ModeName, one_of
from mmbot.config import Mode
from mmbot.errors import ConfigError, ExitCode, NothingFound

if TYPE_CHECKING:
    from mmbot.core.state import State
    from mmbot.core.types import InstrumentId, Nanos, Side
    from mmbot.core.why import Why
    from mmbot.tape.reader import TapeFile
    from mmbot.tape.replay import Difference, Replay
    from mmbot.tape.words import Line, Topic

    _Quote = tuple[InstrumentId, Side]

app = typer.Typer(no_args_is_help=True, add_completion=False)

TURNS_SHOWN = 100
"""By default; with --json all of them."""

_WIDTH = 100
_HEAD = 23
"""Time, number and mark take that much of a line."""

_LISTED_MAX = 20
_PROGRESS_AFTER_S = 2.0
_PROGRESS_EVERY = 256


@app.callback()
def tape() -> None:
    """The journal of turns: everything that happened to an engine, and what it decided."""


# --- verify -----------------------------------------------------------------------------------


@app.command()
def verify(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Tapes, by path or by name.")
    ],
    json: Json = False,
) -> None:
    """Take every recorded turn again and compare what is decided, byte for byte.

    Each file stands for itself; of files of one run that follow each other, the state at the end of
    the one is compared with the beginning of the next as well. Exit code 1: something came out
    otherwise, or a file is damaged. A file that a crash cut short is fine as far as it goes.
    """
    from mmbot.cli.pages import print_json
    from mmbot.clock import Clock

    paths = [_found(name) for name in files]
    reports: list[_Report] = []
    last: _Report | None = None
    for path in paths:
        last = _verify(path, last, Clock().monotonic_s)
        reports.append(last)
        if not json:
            _print_report(last)
    if json:
        print_json({"same": all(r.fine for r in reports), "files": [r.as_json() for r in reports]})
    if not all(report.fine for report in reports):
        raise typer.Exit(ExitCode.CHECK_FAILED)


@dataclass(slots=True)
class _Report:
    """What verifying one file came to."""

    path: Path
    tape: "TapeFile"
    replay: "Replay"
    turns: int = 0
    events: int = 0
    intents: int = 0
    took_s: float = 0.0
    last_turn: int = 0
    difference: "Difference | None" = None
    breach: str = ""
    """How it does not go on from the file before; empty where it does."""
    notes: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        return self.difference is None and not self.breach and not self.tape.ending.damage

    def as_json(self) -> dict[str, Any]:
        header, ending = self.tape.header, self.tape.ending
        return {
            "file": str(self.path),
            "run": header.origin.run,
            "mode": header.origin.mode,
            "venue": header.origin.venue,
            "number": header.file,
            "mmbot": header.mmbot,
            "turns": self.turns,
            "events": self.events,
            "intents": self.intents,
            "seconds": round(self.took_s, 3),
            "same": self.difference is None,
            "difference": None if self.difference is None else _difference_json(self.difference),
            "breach": self.breach or None,
            "ending": ending.word,
            "damage": ending.damage or None,
            "notes": self.notes,
        }


def _verify(path: Path, before: "_Report | None", now_s: Any) -> _Report:
    from mmbot.tape.reader import TapeFile
    from mmbot.tape.replay import Replay

    tape = TapeFile(path)
    replay = Replay(tape)
    report = _Report(path, tape, replay, last_turn=replay.state.turns)
    report.notes += _of_another_version(tape)
    if before is not None:
        report.breach = _breach(before, report)
    began_s = now_s()
    with _Progress(path.name, now_s) as progress:
        for again in _sound(replay, tape):
            report.turns += 1
            report.events += len(again.events)
            report.intents += len(again.intents)
            report.last_turn = again.number
            progress.at(tape.share_read)
            if again.difference is not None:
                report.difference = again.difference
                break
    report.took_s = now_s() - began_s
    return report


def _sound(replay: "Replay", tape: "TapeFile") -> Iterator[Any]:
    """Turns taken again, as far as this version can read them."""
    from mmbot.tape.reader import Ending

    try:
        yield from replay.turns()
    except ValueError as error:
        tape.ending = Ending(None, f"a turn that this version cannot read: {error}")


def _breach(before: _Report, this: _Report) -> str:
    """How a file does not go on from the one given before it; empty where it does, or where they
    have nothing to do with each other."""
    from mmbot.tape.format import EndReason
    from mmbot.tape.replay import goes_on

    old, new = before.tape.header, this.tape.header
    if old.origin.run != new.origin.run or new.file != old.file + 1:
        return ""
    missing = this.replay.state.turns - before.last_turn
    if before.difference is not None or before.tape.ending.why is None:
        return ""
    if before.tape.ending.why is EndReason.GAP:
        this.notes.append(f"{missing} turns before it are missing: the disk did not keep up")
        return ""
    if missing:
        return f"begins {missing} turns after the end of {before.path.name}"
    if not goes_on(before.replay.state, this.tape):
        return f"begins with another state than {before.path.name} ends with"
    this.notes.append(f"goes on where {before.path.name} ends")
    return ""


def _of_another_version(tape: "TapeFile") -> list[str]:
    from mmbot import __version__
    from mmbot.tape.codec import fingerprint

    header = tape.header
    if header.mmbot != __version__:
        return [f"recorded by mmbot {header.mmbot}, this is {__version__}: it may decide otherwise"]
    if header.types != fingerprint():
        return ["recorded by another build of this version: it may decide otherwise"]
    return []


def _print_report(report: _Report) -> None:
    origin, ending = report.tape.header.origin, report.tape.ending
    rate = f", {report.turns / report.took_s:,.0f} turns/s" if report.took_s else ""
    print(report.path.name)
    print(f"  run {origin.run}, file {report.tape.header.file}, {origin.mode} {origin.venue}")
    same = report.difference is None
    print(
        f"  {report.turns:,} turns, {report.events:,} events, {report.intents:,} intents in "
        f"{report.took_s:.1f} s{rate}: "
        + ("all decided the same again" if same else "not decided the same again")
    )
    if report.difference is None:
        print(f"  {ending.text}")
    for note in report.notes:
        print(f"  {note}")
    if report.breach:
        print(f"  {report.breach}")
    if report.difference is not None:
        zone = "sim" if report.tape.header.origin.mode == "sim" else "UTC"
        _print_difference(report.difference, zone)


def _print_difference(difference: "Difference", zone: str) -> None:
    from mmbot.tape.words import clock_text, event_lines, intent_line

    rows: list[tuple[str, Line]] = []
    for event in difference.events:
        rows += [("happened", line) for line in event_lines(event, {})]
    for word, intents in (("expected", difference.expected), ("got", difference.got)):
        rows += [(word, intent_line(intent, {})) for intent in intents]
    print(f"  first difference: turn {difference.number} at {clock_text(difference.now_ns)} {zone}")
    for word, line in rows:
        for text in _wrapped(line, _WIDTH - 14):
            print(f"    {word:<9} {text}")
            word = ""
    for word, failure, intents in (
        ("expected", difference.expected_failure, difference.expected),
        ("got", difference.got_failure, difference.got),
    ):
        if failure:
            print(f"    {word:<9} an exception: {failure}"[:_WIDTH])
        elif not intents:
            print(f"    {word:<9} nothing")


def _difference_json(difference: "Difference") -> dict[str, Any]:
    from mmbot.store.moments import moment

    return {
        "turn": difference.number,
        "at": moment(difference.now_ns),
        "at_ns": difference.now_ns,
        "events": as_objects(difference.events),
        "expected": as_objects(difference.expected),
        "got": as_objects(difference.got),
        "expected_failure": difference.expected_failure or None,
        "got_failure": difference.got_failure or None,
    }


# --- show -------------------------------------------------------------------------------------


@app.command()
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
        _list_tapes(one_of(Mode, mode, "mode", "--mode") if mode is not None else None, json)
        return
    from mmbot.tape.reader import TapeFile

    tape = TapeFile(_found(file))
    view = _View(tape, _topics(only), _chosen(tape, instrument))
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


@dataclass(frozen=True, slots=True)
class _Shown:
    """A turn as it is shown. `body`: the same as JSON."""

    number: int
    now_ns: "Nanos"
    lines: "list[tuple[str, Line]]"
    """(mark, line): mark " " for what happened, ">" for a decision, "*" for a reason."""
    body: dict[str, Any]


class _View:
    """Turns of a tape, each with the lines that are asked for. Reasons are found by taking the
    turns again; where that comes out otherwise, there are none from then on."""

    def __init__(
        self, tape: "TapeFile", topics: "frozenset[Topic]", instrument: "InstrumentId | None"
    ) -> None:
        from mmbot.tape.codec import decode_state
        from mmbot.tape.replay import Replay

        self.notes: list[str] = []
        self.last = 0
        self._tape = tape
        self._topics = topics
        self._instrument = instrument
        self._replay: Replay | None = None
        try:
            self._replay = Replay(tape)
            state = self._replay.state
        except ConfigError as error:
            self.notes.append(f"no reasons: {error}")
            state = decode_state(tape.state)
        self._labels = {label: order.instrument for label, order in state.orders.by_label.items()}
        self._booked = dict(state.inventory.booked)
        self._reasons = dict(_reasons(state))

    def turns(self) -> Iterator[_Shown]:
        """Every turn that has something to show."""
        from mmbot.core.intents import Place
        from mmbot.tape.codec import events_of, intents_of
        from mmbot.tape.words import Line, Topic, event_lines, intent_line

        for turn in self._tape.turns():
            self.last = turn.number
            events, intents = events_of(turn.events), intents_of(turn.intents)
            for intent in intents:
                if isinstance(intent, Place):
                    self._labels[intent.label] = intent.instrument
            rows: list[tuple[str, Line]] = []
            for event in events:
                lines = event_lines(event, self._labels, self._booked)
                rows += [(" ", line) for line in lines]
                self._booked |= dict.fromkeys(_trades(event))
            rows += [(">", intent_line(intent, self._labels)) for intent in intents]
            if turn.failure:
                rows.append((" ", Line(Topic.CONTROL, "BUG", turn.failure, alarm=True)))
            why = list(self._why(turn))
            rows += [("*", line) for line in why]
            rows = [(mark, line) for mark, line in rows if self._wanted(line)]
            if rows:
                body = {
                    "turn": turn.number,
                    "at_ns": turn.now_ns,
                    "events": as_objects(events),
                    "intents": as_objects(intents),
                    "failure": turn.failure or None,
                    "why": [f"{venues_name(line.instrument)} {line.text}".strip() for line in why],
                }
                yield _Shown(turn.number, turn.now_ns, rows, body)

    def _wanted(self, line: "Line") -> bool:
        if line.topic not in self._topics:
            return False
        return self._instrument is None or line.instrument in (None, self._instrument)

    def _why(self, turn: Any) -> "Iterator[Line]":
        """Reasons that are others than before the turn."""
        from mmbot.tape.words import Line, Topic

        if self._replay is None:
            return
        again = self._replay.take(turn)
        if again.difference is not None:
            self._replay = None
            self.notes.append(
                f"no reasons from turn {turn.number} on: this version decides otherwise "
                f"(mmbot tape verify {self._tape.path})"
            )
            return
        now = dict(_reasons(self._replay.state))
        changes: dict[str, list[_Quote]] = {}
        for quote, why in now.items():
            known = self._reasons.get(quote)
            if known is not why:
                was = f" (was: {known.value})" if known is not None else ""
                changes.setdefault(why.value + was, []).append(quote)
        self._reasons = now
        for text, quotes in changes.items():
            if len(quotes) == len(now) > 1:
                yield Line(Topic.WHY, "why", f"every quote: {text}")
                continue
            sides: dict[InstrumentId, list[str]] = {}
            for instrument, side in quotes:
                sides.setdefault(instrument, []).append("bid" if side.sign > 0 else "ask")
            for instrument, words in sides.items():
                yield Line(Topic.WHY, "why", f"{' and '.join(words)}: {text}", instrument)


def _trades(event: object) -> list[str]:
    """The trades an event tells of."""
    from mmbot.core.events import Filled, SnapshotTaken

    match event:
        case Filled():
            return [event.fill.key]
        case SnapshotTaken():
            return [fill.key for fill in event.fills]
    return []


def _reasons(state: "State") -> "Iterator[tuple[_Quote, Why]]":
    """Why every side of every market is as it is."""
    for market in state.markets.values():
        for side, why in market.why.items():
            yield (market.instrument.id, side), why


def _print_turns(shown: Iterator[_Shown], many: int | None, tape: "TapeFile") -> int:
    """How many had something to show."""
    from rich.console import Console
    from rich.text import Text

    from mmbot.tape.words import clock_text

    console = Console(highlight=False)
    width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    sim = "sim " if tape.header.origin.mode == "sim" else ""
    head, count = _HEAD + len(sim), 0
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
            style = _style(mark, line)
            for text in _wrapped(line, width - head):
                row = Text(f"{at:<{head - 2}}", style="dim")
                row.append(f"{mark} {text}", style=style)
                console.print(row, soft_wrap=True)
                at, mark = "", " "
    if count and tape.ending.why is None and not tape.ending.damage:
        print(f"mmbot: {tape.path.name}: {tape.ending.text}", file=sys.stderr)
    return count


def _style(mark: str, line: "Line") -> str:
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


def _wrapped(line: "Line", width: int) -> list[str]:
    """A line's word, instrument and text, its further rows indented."""
    from textwrap import wrap

    name = "" if line.instrument is None else line.instrument.partition(":")[2] + " "
    head = f"{line.word:<8} "
    rows = wrap(f"{name}{line.text}", width - len(head)) or [""]
    return [head + rows[0], *(" " * len(head) + row for row in rows[1:])]


def _topics(only: str | None) -> "frozenset[Topic]":
    from mmbot.tape.words import BACKGROUND, Topic

    if only is None:
        return frozenset(Topic) - BACKGROUND
    return frozenset(one_of(Topic, word.strip(), "topic", "--only") for word in only.split(","))


def _chosen(tape: "TapeFile", name: str | None) -> "InstrumentId | None":
    """The instrument a person names. Raises ConfigError."""
    if name is None:
        return None
    from difflib import get_close_matches

    traded = [one for desk in tape.header.plan.desks for one in desk.instruments]
    by_name = {one.partition(":")[2]: one for one in traded}
    if name.upper() not in by_name:
        near = get_close_matches(name.upper(), by_name, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise NothingFound(
            f"--instrument: {name} is not on this tape; {hint}there is {', '.join(by_name)}"
        )
    return by_name[name.upper()]


def _from(turns: Iterator[_Shown], start: str | None) -> Iterator[_Shown]:
    """From a turn or a time of the day on. Raises ConfigError."""
    if start is None:
        return turns
    if start.isdigit():
        number = int(start)
        return (turn for turn in turns if turn.number >= number)
    after_ns = _time_of_day(start)
    return _after(turns, after_ns)


def _after(turns: Iterator[_Shown], at_ns: int) -> Iterator[_Shown]:
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


# --- which tapes there are --------------------------------------------------------------------


def _folders(only: Mode | None) -> dict[Mode, Path]:
    from mmbot.store.locations import LIVE_FIRST, tape_folder

    return {mode: tape_folder(mode, os.environ) for mode in LIVE_FIRST if only in (None, mode)}


def _found(name: str) -> Path:
    """A tape by path, or by its name in one of the folders. Raises ConfigError."""
    path = Path(name)
    if path.is_file():
        return path
    for folder in _folders(None).values():
        if (folder / name).is_file():
            return folder / name
    if path.is_dir():
        raise ConfigError(f"{name}: a folder; name the tapes in it, for instance {name}/*.zst")
    raise ConfigError(f"{name}: no such tape; `mmbot tape show` lists those there are")


def _list_tapes(only: Mode | None, json: bool) -> None:
    from mmbot.cli.pages import print_json
    from mmbot.cli.pages import show as show_table
    from mmbot.tape.folder import tapes_in

    folders = _folders(only)
    found = [(mode, file) for mode, folder in folders.items() for file in tapes_in(folder)]
    if json:
        print_json([_entry(mode, file) for mode, file in found])
        return
    for mode, folder in folders.items():
        files = [file for of, file in found if of is mode]
        if files:
            rows = [_row(_entry(mode, file)) for file in files[-_LISTED_MAX:]]
            more = "" if len(files) <= _LISTED_MAX else f", the last {_LISTED_MAX} of {len(files)}"
            show_table(f"{folder}{more}", ("file", "run", ">from turn", ">kB"), rows)
    if not found:
        where = ", ".join(str(folder) for folder in folders.values())
        print(f"No tape yet: `mmbot quote` writes them (looked in {where}).", file=sys.stderr)


def _entry(mode: Mode, file: Path) -> dict[str, Any]:
    from mmbot.tape.codec import decode_state
    from mmbot.tape.reader import TapeFile

    entry: dict[str, Any] = {"file": str(file), "mode": mode.value, "bytes": file.stat().st_size}
    try:
        tape = TapeFile(file)
        entry |= {"run": tape.header.origin.run, "turn": decode_state(tape.state).turns + 1}
    except (ConfigError, ValueError) as error:
        entry |= {"run": None, "turn": None, "problem": str(error)}
    return entry


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    name, run, turn = Path(entry["file"]).name, entry["run"], entry["turn"]
    size = f"{entry['bytes'] / 1000:,.0f}"
    if run is None:
        return (name, "unreadable", "", size)
    return (name, run, f"{turn:,}", size)


class _Progress:
    """A bar on stderr for what takes more than two seconds, on a terminal."""

    def __init__(self, what: str, now_s: Any) -> None:
        self._what, self._now_s = what, now_s
        self._began_s = now_s()
        self._bar: Any = None
        self._task: Any = None
        self._calls = 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, share: float) -> None:
        """So much is done, 0 to 1."""
        self._calls += 1
        if self._calls % _PROGRESS_EVERY or not sys.stderr.isatty():
            return
        if self._bar is None:
            if self._now_s() - self._began_s < _PROGRESS_AFTER_S:
                return
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=1.0)
        self._bar.update(self._task, completed=share)
