"""Turns of a tape as lines and as JSON: what happened, what was decided, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbot.cli.tape_json import as_objects
from mmbot.cli.tape_lines import names_on
from mmbot.errors import ConfigError

if TYPE_CHECKING:
    from mmbot.core.state import State
    from mmbot.core.types import InstrumentId, Nanos, Side
    from mmbot.core.why import Why
    from mmbot.tape.reader import TapeFile
    from mmbot.tape.words import Line, Topic

    _Quote = tuple[InstrumentId, Side]


@dataclass(frozen=True, slots=True)
class Shown:
    """A turn as it is shown. `body`: the same as JSON."""

    number: int
    now_ns: "Nanos"
    lines: "list[tuple[str, Line]]"
    """(mark, line): mark " " for what happened, ">" for a decision, "*" for a reason."""
    body: dict[str, Any]


class View:
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
        self._name_of = names_on(tape)
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

    def turns(self) -> Iterator[Shown]:
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
            rows += [(">", intent_line(intent)) for intent in intents]
            if turn.failure:
                rows.append((" ", Line(Topic.CONTROL, "BUG", turn.failure, alarm=True)))
            why = list(self._why(turn))
            rows += [("*", line) for line in why]
            rows = [(mark, line) for mark, line in rows if self._wanted(line)]
            if rows:
                body = {
                    "turn": turn.number,
                    "at_ns": turn.now_ns,
                    "events": as_objects(events, self._name_of),
                    "intents": as_objects(intents, self._name_of),
                    "failure": turn.failure or None,
                    "why": [self._text(line) for line in why],
                }
                yield Shown(turn.number, turn.now_ns, rows, body)

    def _text(self, line: "Line") -> str:
        name = "" if line.instrument is None else self._name_of(line.instrument)
        return f"{name} {line.text}".strip()

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
