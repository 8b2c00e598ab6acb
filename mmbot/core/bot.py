"""A bot: a state, the desks that decide for it, and the one place where turns are taken.

The engine, virtual time, the replay of a tape and the dry run differ in who supplies the events and
who carries out the intents; all of them call `Bot.step`.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mmbot.core.apply import apply
from mmbot.core.desk import Desk
from mmbot.core.events import Event
from mmbot.core.exit import trip
from mmbot.core.intents import Intent
from mmbot.core.ports import Guard
from mmbot.core.state import State
from mmbot.core.turn import turn
from mmbot.core.types import InstrumentId, Nanos
from mmbot.core.why import Why


class Turn(Struct, frozen=True):
    """A turn that has been taken. `error`: the bug that ended it; it then has no intents."""

    events: Sequence[Event]
    intents: Sequence[Intent]
    now_ns: Nanos
    error: Exception | None = None
    retired: Sequence[InstrumentId] = ()
    """Instruments that left with it."""

    @property
    def failure(self) -> str:
        """The bug in one line; empty where there was none."""
        return "" if self.error is None else f"{type(self.error).__name__}: {self.error}"


class Bot:
    """Takes turns for one state. `desks` changes while the bot runs: instruments come and go."""

    def __init__(
        self, state: State, desks: dict[InstrumentId, Desk], guards: Sequence[Guard] = ()
    ) -> None:
        self.state = state
        self.desks = desks
        self.guards = guards

    def step(self, events: Sequence[Event], now_ns: Nanos) -> Turn:
        """Take one turn; what it raises is a bug and comes back as `error`."""
        try:
            intents = turn(self.state, events, now_ns, self.desks, self.guards)
        except Exception as error:  # noqa: BLE001  # a bug, whatever it is: the caller trips
            return Turn(events, (), now_ns, error)
        retired = tuple(self.state.retired.leaving)
        for instrument in retired:
            self.desks.pop(instrument, None)
        return Turn(events, intents, now_ns, retired=retired)

    def give_up(self, why: Why, detail: str, now_ns: Nanos) -> None:
        """Trip the kill switch without a turn, because turns keep failing."""
        trip(self.state, why, detail, now_ns)


def begun(run: str, now_ns: Nanos, events: Iterable[Event]) -> State:
    """A fresh state of a run (in base 36) that has heard these events and decided nothing."""
    state = State(run=run, started_ns=now_ns)
    for event in events:
        apply(state, event, now_ns)
    return state
