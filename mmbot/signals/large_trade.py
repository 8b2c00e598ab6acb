"""Takers who take more than is usual."""

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import TradePrinted
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import MS, Nanos
from mmbot.plugins.registry import Family, register
from mmbot.signals.fading import fade, left_of

KEPT = 250
"""Trades that say what is usual."""


@register(Family.SIGNAL, "large_trade")
@dataclass(frozen=True, slots=True, kw_only=True)
class LargeTrade:
    """Large trades of late, bought less sold, each as a multiple of what counts as large.

    Large is what is more than most of the instrument's own last 250 trades; what a taker does at
    one moment on one side is one trade, in however many parts it is printed. A trade counts half
    as much after a half-life. Positive: somebody large has bought, and the price is expected to
    rise. It is told once there have been trades enough: 20 for a quantile of 0.95.
    """

    quantile: Annotated[
        float, Ge(0.5), Le(0.99), doc("share of trades that are no larger than what is usual")
    ] = 0.95
    half_life_s: Annotated[
        float, Gt(0), Le(86_400), doc("seconds after which a trade counts half as much")
    ] = 30.0

    units: ClassVar[Mapping[str, str]] = {"": "large trades"}

    def start(self, instrument: Instrument) -> Memory:  # noqa: ARG002  # the same for all
        """No trade yet."""
        numbers: dict[str, int | float] = {"flow": 0.0, "part": 0.0, "ms": 0, "sign": 0}
        return Memory(numbers, {"sizes": [], "sorted": []})

    def observe(self, memory: Memory, event: Heard) -> None:
        """Compare a trade with those before it."""
        if not isinstance(event, TradePrinted):
            return
        numbers, sizes, ordered = memory.numbers, memory.series["sizes"], memory.series["sorted"]
        size, sign = float(event.amount), event.side.sign
        if (event.venue_ms, sign) == (numbers["ms"], numbers["sign"]):  # the same one goes on
            numbers["flow"] -= numbers["part"]
            before = sizes.pop()
            del ordered[bisect_left(ordered, before)]
            size += before
        weight = fade(numbers, ("flow",), event.venue_ms * MS, self.half_life_s)
        large = ordered[int(self.quantile * len(ordered))] if self._is_enough(ordered) else size
        part = weight * sign * size / large if size > large else 0.0
        numbers["flow"] += part
        numbers["part"], numbers["ms"], numbers["sign"] = part, event.venue_ms, sign
        sizes.append(size)
        insort(ordered, size)
        if len(sizes) > KEPT:
            del ordered[bisect_left(ordered, sizes.pop(0))]

    def _is_enough(self, sizes: list[float]) -> bool:
        return len(sizes) * (1 - self.quantile) >= 1 - 1e-9

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        """None while too few trades are known; 0 where none of them was large of late."""
        if not self._is_enough(memory.series["sizes"]):
            return None
        left = left_of(now_ns - int(memory.numbers["at_ns"]), self.half_life_s)
        return memory.numbers["flow"] * left
