"""What takers have been doing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost, TradePrinted
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import MS, Nanos
from mmbot.plugins.registry import Family, register
from mmbot.signals import tops
from mmbot.signals.fading import fade, left_of

_SUMS = ("lots", "half_spreads")


@register(Family.SIGNAL, "trade_flow")
@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFlow:
    """What takers have bought of late less what they have sold, in lots (smallest orders).

    A trade counts half as much after a half-life. `trade_flow.half_spreads` adds up how far above
    the middle of the book before it each taker went: one who buys at the ask counts 1, one who
    sells two half-spreads down counts -2, whatever the size, and in however many parts it is
    printed. Positive: takers buy, and the price is expected to rise.
    """

    half_life_s: Annotated[
        float, Gt(0), Le(86_400), doc("seconds after which a trade counts half as much")
    ] = 10.0

    units: ClassVar[Mapping[str, str]] = {"": "lots", "half_spreads": "half-spreads"}

    def start(self, instrument: Instrument) -> Memory:
        """No trade yet."""
        grid = instrument.grid
        return Memory({"lot": float(max(grid.amount_step, grid.min_amount))})

    def observe(self, memory: Memory, event: Heard) -> None:
        """Add a trade up, and keep the book that the next one meets."""
        numbers = memory.numbers
        if isinstance(event, BookChanged):
            tops.see(numbers, event)
        elif isinstance(event, TradePrinted):
            self._traded(numbers, event)
        elif isinstance(event, BookLost):
            tops.lose(numbers)

    def _traded(self, numbers: dict[str, int | float], trade: TradePrinted) -> None:
        weight, sign = fade(numbers, _SUMS, trade.venue_ms * MS, self.half_life_s), trade.side.sign
        lots = sign * trade.amount / numbers["lot"]
        numbers["lots"] = numbers.get("lots", 0.0) + weight * lots
        book = tops.met(numbers, trade.venue_ms)
        if book is None:
            return
        far, known = (trade.price - book[0]) / book[1], 0.0
        if (trade.venue_ms, sign) == (numbers.get("ms"), numbers.get("sign")):  # he goes on
            known = numbers["far"]
            far = max(known, far) if sign > 0 else min(known, far)
        numbers["half_spreads"] = numbers.get("half_spreads", 0.0) + weight * (far - known)
        numbers["ms"], numbers["sign"], numbers["far"] = trade.venue_ms, sign, far

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        """None until there was a trade."""
        return self._left(memory, "lots", now_ns)

    def values(self, memory: Memory, now_ns: Nanos) -> Mapping[str, float | None]:
        """The distances; None until a trade met a book that is known."""
        return {"half_spreads": self._left(memory, "half_spreads", now_ns)}

    def _left(self, memory: Memory, name: str, now_ns: Nanos) -> float | None:
        known = memory.numbers.get(name)
        if known is None:
            return None
        return known * left_of(now_ns - int(memory.numbers["at_ns"]), self.half_life_s)
