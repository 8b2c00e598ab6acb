"""The only file that reads the time.

Desk time = wall at start + steadily elapsed + the venue's offset. Desk time never jumps; the offset
is 0 except in simulation, where it is set once from the venue's own clock. `scale` > 1 makes desk
time run faster than the wall, so that a test can live through an outage in seconds.
"""

import asyncio
import time

from mmbot.core.types import MS, Nanos


class Clock:
    """Desk time, wall time and waiting, all of one pace."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._start_ns = _elapsed_ns()
        self._base_ns = time.time_ns()

    def now_ns(self) -> Nanos:
        """Desk time."""
        elapsed = _elapsed_ns() - self._start_ns
        if self.scale != 1.0:
            elapsed = int(elapsed * self.scale)
        return self._base_ns + elapsed

    def now_ms(self) -> int:
        """Desk time in milliseconds, the unit venues speak."""
        return self.now_ns() // MS

    def set_to_ms(self, venue_ms: int) -> None:
        """Desk time is the venue's from now on. Only a simulated venue's time is far from ours."""
        self._base_ns += venue_ms * MS - self.now_ns()

    def wall_ns(self) -> Nanos:
        """Wall time, for what people and other processes compare with their own clocks."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds that pass at this clock's pace, from an arbitrary start."""
        return time.monotonic() * self.scale

    async def sleep(self, seconds: float) -> None:
        """Wait for that much desk time."""
        await asyncio.sleep(seconds / self.scale)


def _elapsed_ns() -> int:
    """A clock that never jumps and, where the system has one, counts a machine's sleep too: an
    engine that was suspended must notice."""
    return time.clock_gettime_ns(_STEADY)


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
