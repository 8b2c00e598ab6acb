"""`mmbot tape verify`: proof that what an engine did follows from what happened."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.late_bar import LateBar
from mmbot.cli.tape_files import found_tape
from mmbot.cli.tape_json import as_objects
from mmbot.cli.tape_lines import WIDTH, NameOf, names_on, wrapped
from mmbot.cli.wanted import Json
from mmbot.errors import ExitCode

if TYPE_CHECKING:
    from mmbot.tape.reader import TapeFile
    from mmbot.tape.replay import Difference, Replay
    from mmbot.tape.words import Line


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

    paths = [found_tape(name) for name in files]
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
            "difference": None
            if self.difference is None
            else _difference_json(self.difference, names_on(self.tape)),
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
    with LateBar(path.name, now_s) as progress:
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
        _print_difference(report.difference, zone, names_on(report.tape))


def _print_difference(difference: "Difference", zone: str, name_of: NameOf) -> None:
    from mmbot.tape.words import clock_text, event_lines, intent_line

    rows: list[tuple[str, Line]] = []
    for event in difference.events:
        rows += [("happened", line) for line in event_lines(event, {})]
    for word, intents in (("expected", difference.expected), ("got", difference.got)):
        rows += [(word, intent_line(intent)) for intent in intents]
    print(f"  first difference: turn {difference.number} at {clock_text(difference.now_ns)} {zone}")
    for word, line in rows:
        for text in wrapped(line, WIDTH - 14, name_of):
            print(f"    {word:<9} {text}")
            word = ""
    for word, failure, intents in (
        ("expected", difference.expected_failure, difference.expected),
        ("got", difference.got_failure, difference.got),
    ):
        if failure:
            print(f"    {word:<9} an exception: {failure}"[:WIDTH])
        elif not intents:
            print(f"    {word:<9} nothing")


def _difference_json(difference: "Difference", name_of: NameOf) -> dict[str, Any]:
    from mmbot.store.moments import moment

    return {
        "turn": difference.number,
        "at": moment(difference.now_ns),
        "at_ns": difference.now_ns,
        "events": as_objects(difference.events, name_of),
        "expected": as_objects(difference.expected, name_of),
        "got": as_objects(difference.got, name_of),
        "expected_failure": difference.expected_failure or None,
        "got_failure": difference.got_failure or None,
    }
