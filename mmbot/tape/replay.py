"""The turns of a tape taken again: every intent is compared with the recorded one, byte for byte.

A difference means that what was decided does not follow from what was recorded: another version of
the deciding code, or something that should not decide (the wall clock, the order of a set, state
that was changed between turns).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mmbot.core import events as ev
from mmbot.core.bot import Bot
from mmbot.core.intents import Intent
from mmbot.core.state import State
from mmbot.core.types import Nanos
from mmbot.errors import ConfigError
from mmbot.tape.codec import (
    decode_state,
    encode,
    encode_state,
    events_of,
    intents_of,
    named,
)
from mmbot.tape.format import Turn
from mmbot.tape.reader import TapeFile


@dataclass(frozen=True, slots=True)
class Difference:
    """The first turn that came out otherwise. A failure stands where a turn raised."""

    number: int
    now_ns: Nanos
    events: list[ev.Event]
    expected: list[Intent]
    got: list[Intent]
    expected_failure: str = ""
    got_failure: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """A turn taken again."""

    number: int
    now_ns: Nanos
    events: list[ev.Event]
    intents: list[Intent]
    failure: str
    difference: Difference | None


class Replay:
    """Takes the turns of one file again, from its checkpoint."""

    def __init__(self, tape: TapeFile) -> None:
        """Raises ConfigError for a file whose state or plug-ins this version cannot rebuild."""
        self._tape = tape
        try:
            self.state: State = decode_state(tape.state)
            self._bot = Bot(self.state, *tape.header.plan.build())
            self._desks = {desk.name: desk for desk in self._bot.desks.values()}
        except ValueError as error:
            raise ConfigError(
                f"{tape.path}: cannot be taken up by this version ({error}): it was recorded by "
                f"mmbot {tape.header.mmbot}"
            ) from error

    def turns(self) -> Iterator[Again]:
        """Every turn of the file, taken again. Raises ValueError for one that cannot be read."""
        for recorded in self._tape.turns():
            yield self.take(recorded)

    def take(self, recorded: Turn) -> Again:
        """The next turn. Raises ValueError where it cannot be read."""
        state = self.state
        events = events_of(recorded.events)
        self._trade_what_is_listed(events)
        taken = self._bot.step(events, recorded.now_ns)  # a bug that was recorded comes back
        intents, failure = list(taken.intents), taken.failure
        # The store bridge has taken these away by the next turn.
        state.forget_kept()
        number = recorded.number
        same = _same(intents, recorded) and state.turns == number
        difference = None
        if not same or failure != recorded.failure:
            difference = Difference(
                number,
                recorded.now_ns,
                events,
                intents_of(recorded.intents),
                intents,
                recorded.failure,
                failure,
            )
        return Again(number, recorded.now_ns, events, intents, failure, difference)

    def _trade_what_is_listed(self, events: list[ev.Event]) -> None:
        """What is listed while a desk runs is listed because it trades it."""
        for event in events:
            if isinstance(event, ev.InstrumentsListed):
                desk = self._desks.get(event.desk)
                if desk is None:
                    continue
                for instrument in event.instruments:
                    self._bot.desks.setdefault(instrument.id, desk)


def _same(intents: list[Intent], recorded: Turn) -> bool:
    """Whether these are the recorded ones, byte for byte; what an older version did not record yet
    counts as its default."""
    got, expected = encode(named(intents)), bytes(recorded.intents)
    return got == expected or got == encode(named(intents_of(expected)))


def goes_on(before: State, after: TapeFile) -> bool:
    """Whether a file begins with the state another one ended with."""
    return encode_state(before) == encode_state(decode_state(after.state))
