"""Fills that wait for the price after a while, and the markouts of those that need wait no more.

A memory keeps rows of what waits, soonest first, and for each side the last markouts with the
executions they are of, so that one that is taken back can be left out again.
"""

from bisect import bisect_right

from mmbot.core.memory import Memory
from mmbot.core.types import Nanos, Side

FILLS = 50
"""Of each side: the mean is over so many, the newest counting most."""

_OLDER = 1 - 2 / (FILLS + 1)
"""What a fill counts of the one after it."""
_ROW = ("due_ns", "sign", "price", "half")
BOUGHT, SOLD = "buy", "sell"
_SIDES = {1: BOUGHT, -1: SOLD}


def none_yet(by_mark: bool) -> Memory:
    """Nothing has been filled."""
    columns: dict[str, list[float]] = {name: [] for name in (*_ROW, *_SIDES.values())}
    names: dict[str, list[str]] = {name: [] for name in ("due", *_SIDES.values())}
    return Memory({"by_mark": int(by_mark)}, columns, names)


def wait(
    memory: Memory, execution: str, side: Side, price: float, half: float, due_ns: Nanos
) -> None:
    """A fill, whose markout is known at `due_ns`. Nothing is kept where that was before the newest
    price: nobody knows any more what stood then."""
    if due_ns < memory.numbers.get("price_ns", 0):
        return
    at = bisect_right(memory.series["due_ns"], due_ns)
    for name, number in zip(_ROW, (due_ns, side.sign, price, half), strict=True):
        memory.series[name].insert(at, float(number))
    memory.names["due"].insert(at, execution)


def price_is(memory: Memory, price: float | None, at_ns: Nanos) -> None:
    """A newer price, None where there is none. Fills whose time was before are judged by the one
    that stood then."""
    numbers, due_ns = memory.numbers, memory.series["due_ns"]
    while due_ns and due_ns[0] < at_ns:
        _judge(memory, numbers.get("price"))
    numbers["price_ns"] = at_ns
    if price is not None:
        numbers["price"] = price
    else:
        numbers.pop("price", None)


def _judge(memory: Memory, price: float | None) -> None:
    """The first that waits waits no more; nothing follows from it where there was no price."""
    _, sign, paid, half = (memory.series[name].pop(0) for name in _ROW)
    execution = memory.names["due"].pop(0)
    if price is None:
        return
    side = _SIDES[int(sign)]
    markouts, executions = memory.series[side], memory.names[side]
    markouts.append(sign * (price - paid) / half)
    executions.append(execution)
    del markouts[:-FILLS], executions[:-FILLS]
    _average(memory, side)


def take_back(memory: Memory, execution: str) -> None:
    """A fill that was none."""
    due = memory.names["due"]
    if execution in due:
        at = due.index(execution)
        del due[at]
        for name in _ROW:
            del memory.series[name][at]
    for side in _SIDES.values():
        if execution in memory.names[side]:
            at = memory.names[side].index(execution)
            del memory.names[side][at], memory.series[side][at]
            _average(memory, side)


def _average(memory: Memory, side: str) -> None:
    total = weights = 0.0
    for markout in memory.series[side]:
        total = _OLDER * total + markout
        weights = _OLDER * weights + 1
    memory.numbers[side] = total / weights if weights else 0.0


def mean(memory: Memory, side: str, least: int) -> float | None:
    """Of a side; None while it has fewer fills."""
    return memory.numbers[side] if len(memory.series[side]) >= least else None
