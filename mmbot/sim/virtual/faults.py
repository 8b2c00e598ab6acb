"""The player of a fault plan in virtual time: it draws what goes wrong, and counts it."""

from collections import Counter
from random import Random

from mmbot.core.types import SECOND, Nanos
from mmbot.sim.models.faults import FaultPlan

HOUR_S = 3_600.0


class FaultInjector:
    """What goes wrong, drawn when it could: one generator, in the order of the history. `line`:
    of several lines, which one, so that each has its own troubles."""

    def __init__(self, plan: FaultPlan, line: str = "") -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        """Faults that happened, by name."""
        self._draw = Random(f"trouble {plan.seed}{line and ' '}{line}")

    def heal(self) -> None:
        """Nothing goes wrong from now on."""
        self.plan = self.plan.healed()

    def strikes(self, name: str, share: float = 1.0) -> bool:
        """Whether the fault of that name happens now, with that share of its chance; a fault that
        is off costs no draw."""
        chance: float = getattr(self.plan, name) * share
        if not chance or self._draw.random() >= chance:
            return False
        self.counts[name] += 1
        return True

    def befalls(self, name: str, an_hour: float) -> bool:
        """Whether something that comes so often an hour comes in this second."""
        if not an_hour or self._draw.random() >= an_hour / HOUR_S:
            return False
        self.counts[name] += 1
        return True

    def either(self) -> bool:
        """One of two, evenly."""
        return self._draw.random() < 0.5

    def up_to(self, seconds: float) -> Nanos:
        """A duration of at most that."""
        return int(self._draw.random() * seconds * SECOND)

    def pick(self, count: int) -> int:
        """One of so many, from 0."""
        return int(self._draw.random() * count)
