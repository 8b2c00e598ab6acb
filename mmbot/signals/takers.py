"""Takers counted by how deep they reached, and the time in which they could.

All sums fade with each taker that comes, time like the rest, so that their ratios stay rates: a
market in which nobody comes any more has a rate that falls. Takers are counted twice: all of them
by their depth, and those at the touch or beyond by how far they went beyond it.
"""

from bisect import bisect_right

from mmbot.core.grid import Grid
from mmbot.core.memory import Memory
from mmbot.core.types import SECOND, Nanos
from mmbot.pricing.intensity import Intensity, intensity
from mmbot.signals import tops

TOUCH = 1.0
"""The depth of the best price, in half-spreads."""
INSIDE_MAX = 0.1
"""A larger share of takers inside the touch is no noise of books that came late."""

_NOISE = 1e-6
_SUMS = ("all", "depth", "beyond", "excess", "gap", "watched_s")
_LAST = ("last_ms", "last_sign", "last_depth")
_LAST_KEPT = 8
"""Takers that are recognized when another part of them is told."""


def none_yet(grid: Grid) -> Memory:
    """Nobody has come, and there was no book."""
    numbers: dict[str, int | float] = dict.fromkeys((*_SUMS, "squares"), 0.0)
    series: dict[str, list[float]] = {name: [] for name in _LAST}
    series["above"] = [float(step.above) for step in grid.tick_steps]
    series["ticks"] = [float(grid.tick), *(float(step.tick) for step in grid.tick_steps)]
    return Memory(numbers, series)


def watched(memory: Memory, at_ns: Nanos | None) -> None:
    """A book with two sides at that moment, or (None) no such book any more."""
    numbers = memory.numbers
    known_ns = numbers.get("book_ns")
    if at_ns is None:
        numbers.pop("book_ns", None)
        return
    if known_ns is not None:
        numbers["watched_s"] += max(0, at_ns - known_ns) / SECOND
    numbers["book_ns"] = at_ns


def arrived(
    memory: Memory, venue_ms: int, sign: int, price: float, *, most: int, least: int
) -> None:
    """A part of what a taker (`sign` 1: a buyer) took. About `most` takers count, and nothing is
    told of fewer than `least`."""
    numbers, series = memory.numbers, memory.series
    book = tops.met(numbers, venue_ms)
    if book is None:
        return
    mid, half = book
    depth = max(0.0, sign * (price - mid) / half)
    for at, ms in enumerate(series["last_ms"]):
        if ms == venue_ms and series["last_sign"][at] == sign:
            known = series["last_depth"][at]
            if depth > known:
                _count(numbers, known, -1)
                _count(numbers, depth, 1)
                series["last_depth"][at] = depth
                _fit(numbers, least)
            return
    left = 1 - 1 / most
    for name in _SUMS:
        numbers[name] *= left
    numbers["squares"] = numbers["squares"] * left**2 + 1
    numbers["gap"] += _gap(memory, price) / half
    _count(numbers, depth, 1)
    for name, number in zip(_LAST, (venue_ms, sign, depth), strict=True):
        series[name].append(float(number))
        del series[name][:-_LAST_KEPT]
    _fit(numbers, least)


def _count(numbers: dict[str, int | float], depth: float, times: int) -> None:
    numbers["all"] += times
    numbers["depth"] += times * depth
    if depth >= TOUCH - _NOISE:
        numbers["beyond"] += times
        numbers["excess"] += times * max(0.0, depth - TOUCH)


def _gap(memory: Memory, price: float) -> float:
    """The step of the grid at a price; 0 where the price is on no grid, and hides nothing."""
    tick = memory.series["ticks"][bisect_right(memory.series["above"], price)]
    steps = price / tick
    return tick if abs(steps - round(steps)) < _NOISE else 0.0


def _fit(numbers: dict[str, int | float], least: int) -> None:
    """What follows from all that were counted, found when one more was: it is asked for often."""
    everyone, first = numbers["all"], TOUCH
    n, excess = numbers["beyond"], numbers["excess"]
    if n < (1 - INSIDE_MAX) * everyone:
        n, excess, first = everyone, numbers["depth"], 0.0
    n_effective = everyone * n / numbers["squares"]
    found = None
    if round(n_effective) >= least:
        gap = numbers["gap"] / everyone
        found = intensity(n, excess / n, first=first, gap=gap, n_effective=n_effective)
    for name in Intensity._fields:
        if found is None:
            numbers.pop(name, None)
        else:
            numbers[name] = getattr(found, name)


def rate(numbers: dict[str, int | float]) -> tuple[float, float] | None:
    """A, in arrivals a second on one side, and k; None while they cannot be told."""
    k, watched_s = numbers.get("k"), numbers["watched_s"]
    return None if k is None or not watched_s else (numbers["expected"] / watched_s, k)
