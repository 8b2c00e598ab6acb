"""Between the runner and the store: what the core wants kept, and what comes back."""

from mmbot.core.events import LabelsReserved, LatchSaved
from mmbot.core.intents import ReserveLabels, SaveLatch, StoreIntent
from mmbot.core.state import Journal, State
from mmbot.venues.base import Sink


class Forgetful:
    """Keeps nothing and says yes to everything: for runs that leave no trace, such as benchmarks.

    Not for trading: a crash would lose which orders are ours.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def carry_out(self, intent: StoreIntent) -> None:
        """Say yes."""
        match intent:
            case ReserveLabels():
                self._sink(LabelsReserved(intent.upto))
            case SaveLatch():
                self._sink(LatchSaved())

    def keep(self, state: State) -> None:
        """Forget it."""
        state.journal = Journal()
        state.orders.changed.clear()
