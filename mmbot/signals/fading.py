"""Sums in which what happened counts half as much after a half-life, and a quarter after two.

A memory's "at_ns" is the moment that its sums are of.
"""

from collections.abc import Iterable
from math import exp2

from mmbot.core.types import SECOND, Nanos


def left_of(passed_ns: Nanos, half_life_s: float) -> float:
    """What is left of a weight of 1 after a while; no clock of a venue makes it more."""
    return exp2(passed_ns / (half_life_s * -SECOND)) if passed_ns > 0 else 1.0


def fade(
    numbers: dict[str, int | float], sums: Iterable[str], at_ns: Nanos, half_life_s: float
) -> float:
    """Bring sums forward to the moment of what is added next; returns the weight to add it with,
    below 1 for what is heard late."""
    known_ns = numbers.get("at_ns")
    if known_ns is not None and at_ns <= known_ns:
        return left_of(int(known_ns) - at_ns, half_life_s)
    numbers["at_ns"] = at_ns
    if known_ns is not None:
        left = left_of(at_ns - int(known_ns), half_life_s)
        for name in sums:
            if name in numbers:
                numbers[name] *= left
    return 1.0
