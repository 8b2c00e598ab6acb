"""How long something has been kept: the keys of an ordered mapping, by when they came in.

No moment is kept for every key, only now and then the newest key of that moment: whatever stands
before it came earlier. A key that is gone for another reason takes nothing along.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from mmbot.core.types import Nanos

K = TypeVar("K", bound=str)
V = TypeVar("V")

STEP_NS: Nanos = 300 * 10**9
"""How finely ages are told apart."""


@dataclass(slots=True)
class Ages:
    """Of the keys of one mapping, to which new ones are added at its end."""

    steps: list[tuple[Nanos, str]] = field(default_factory=list)
    """Moments and the newest key then, oldest first."""
    upto_ns: Nanos = 0
    """What was there at this moment has been called old."""

    def old(self, kept: dict[K, V], now_ns: Nanos, before_ns: Nanos) -> list[K]:
        """The keys that came in before a moment, to be dropped. To be asked now and then: only
        what was there when it was asked has an age."""
        newest = next(reversed(kept), None)
        if newest is not None and (not self.steps or now_ns >= self.steps[-1][0] + STEP_NS):
            self.steps.append((now_ns, newest))
        last: str | None = None
        while self.steps and self.steps[0][0] < before_ns:
            self.upto_ns, key = self.steps.pop(0)
            last = key if key in kept else last
        found: list[K] = []
        if last is not None:
            for one in kept:
                found.append(one)
                if one == last:
                    break
        return found
