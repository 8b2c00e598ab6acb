"""The time of a session, and what is to happen when it has passed: one heap of timers.

Desk time never falls, except that before any link is up a simulated venue's clock may be taken
over. Seconds here count from the start and stand still while desk time is set back.
"""

import heapq
from collections.abc import Callable
from math import ceil

from mmbot.core.types import Nanos


class Timer:
    """Something that will be called once, unless it is canceled."""

    __slots__ = ("call", "canceled")

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.canceled = False

    def cancel(self) -> None:
        """It is not called any more."""
        self.canceled = True


class Timers:
    """`now_ns` is desk time as the present call of the session told it, `now_s` the seconds since
    `start_ns`. What a timer raises is told to `fault`."""

    def __init__(self, start_ns: Nanos, fault: Callable[[Exception], None]) -> None:
        self.now_ns = start_ns
        self.now_s = 0.0
        self._start_ns = start_ns
        self._fault = fault
        self._heap: list[tuple[Nanos, int, Timer]] = []
        self._made = 0

    def at(self, now_ns: Nanos) -> None:
        """It is so late now."""
        if now_ns < self.now_ns:
            self._start_ns -= self.now_ns - now_ns
        self.now_ns = now_ns
        self.now_s = (now_ns - self._start_ns) / 1e9

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call it in so many seconds, and not from within this."""
        timer = Timer(call)
        self._made += 1
        due_ns = self.now_ns - self._start_ns + ceil(seconds * 1e9)
        heapq.heappush(self._heap, (due_ns, self._made, timer))
        return timer

    @property
    def due_ns(self) -> Nanos | None:
        """When the next one is to be called; None: there is none."""
        heap = self._heap
        while heap and heap[0][2].canceled:
            heapq.heappop(heap)
        return heap[0][0] + self._start_ns if heap else None

    def run(self) -> None:
        """Call what is due; what is made meanwhile waits for the next time."""
        made = self._made
        later: list[tuple[Nanos, int, Timer]] = []
        while (due_ns := self.due_ns) is not None and due_ns <= self.now_ns:
            entry = heapq.heappop(self._heap)
            if entry[1] > made:
                later.append(entry)
                continue
            try:
                entry[2].call()
            except Exception as error:  # noqa: BLE001  # no entry ends by raising
                self._fault(error)
        for entry in later:
            heapq.heappush(self._heap, entry)
