"""Virtual time: what happens next, in order."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timeline:
    """A heap of (moment, order of entry, what happens). Times are nanoseconds of desk time."""

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self._heap: list[tuple[int, int, Action]] = []
        self._entered = 0

    def at(self, time_ns: int, action: Action) -> None:
        """Let `action` happen then, behind what was entered for the same moment before."""
        assert time_ns >= self.now_ns, "nothing happens in the past"
        self._entered += 1
        heapq.heappush(self._heap, (time_ns, self._entered, action))

    def after(self, delay_ns: int, action: Action) -> None:
        """Let `action` happen so much later."""
        self.at(self.now_ns + delay_ns, action)

    def step(self) -> None:
        """Go to the next moment and let it happen."""
        self.now_ns, _, action = heapq.heappop(self._heap)
        action()
