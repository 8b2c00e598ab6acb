"""Between the runner and the store: what the core wants kept, and what comes back."""

from mmbot.core.events import AuthorityRead, LabelsReserved, LatchSaved
from mmbot.core.intents import ReadAuthority, ReserveLabels, SaveLatch, StoreIntent
from mmbot.core.state import State
from mmbot.engine.clock import Clock
from mmbot.venues.base import Sink


class Forgetful:
    """Keeps nothing and says yes to everything: for runs that leave no trace, such as benchmarks.

    Not for trading: a crash would lose which orders are ours.
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    def carry_out(self, intent: StoreIntent) -> None:
        """Say yes."""
        match intent:
            case ReserveLabels():
                self._sink(LabelsReserved(intent.upto))
            case SaveLatch():
                self._sink(LatchSaved())
            case ReadAuthority():
                self._sink(AuthorityRead(self._clock.now_ns()))

    def keep(self, state: State) -> None:
        """Forget it."""
        state.journal.clear()
        state.orders.changed.clear()
