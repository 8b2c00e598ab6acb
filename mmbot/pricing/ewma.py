"""A mean that forgets by a half-life in seconds, and not in samples: plain data, plain floats."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Ewma:
    """A mean of values that forgets by time: what stood for long counts for more than what stood
    for a moment. Each value holds from its time to the next one's."""

    half_life_s: float
    _mean: float | None = None
    _at_s: float = 0.0
    _last: float = 0.0

    def observe(self, at_s: float, value: float) -> None:
        """A value that holds from now on. What is out of order counts as of now."""
        self._mean = value if self._mean is None else self._until(at_s)
        self._at_s = max(at_s, self._at_s)
        self._last = value

    def value(self, now_s: float) -> float | None:
        """The mean now; None before the first value."""
        return None if self._mean is None else self._until(now_s)

    def _until(self, now_s: float) -> float:
        assert self._mean is not None
        kept = decay(now_s - self._at_s, self.half_life_s)
        return kept * self._mean + (1.0 - kept) * self._last


def decay(seconds: float, half_life_s: float) -> float:
    """What is left of a weight after so long; all of it where time went back."""
    return math.exp(-math.log(2.0) * max(seconds, 0.0) / half_life_s)
