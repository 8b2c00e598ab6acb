"""How often an order of ours would be reached, by its depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Annotated, ClassVar

from annotated_types import Ge, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost, Filled, TradePrinted
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.statements import Liquidity
from mmbot.core.types import Nanos
from mmbot.plugins.registry import Family, register
from mmbot.signals import tops
from mmbot.signals.takers import arrived, none_yet, rate, watched


@register(Family.SIGNAL, "arrival")
@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How many takers a second reach an order of ours at the touch, on one side.

    An order at a depth of d half-spreads from the middle is reached A exp(-k d) times a second;
    `arrival.A` (1/s, one side) and `arrival.k` (1/half-spread) are fitted to the depths that takers
    have reached, and `arrival.A_error` and `arrival.k_error` are their standard errors. Public
    trades and fills of ours of one moment and side are one taker. Depth counts from the touch on,
    or from the middle where more than a tenth trade inside the touch. No direction.
    """

    arrivals: Annotated[int, Ge(20), Le(100_000), doc("takers that count, older ones less")] = 2000
    least: Annotated[int, Ge(2), Le(10_000), doc("takers before anything is told")] = 20

    units: ClassVar[Mapping[str, str]] = {
        "": "1/s",
        "A": "1/s",
        "A_error": "1/s",
        "k": "1/half-spread",
        "k_error": "1/half-spread",
    }

    def start(self, instrument: Instrument) -> Memory:
        """Nobody has arrived yet."""
        return none_yet(instrument.grid)

    def observe(self, memory: Memory, event: Heard) -> None:
        """Count takers, and the time in which there is a book for them to reach into."""
        if isinstance(event, BookChanged):
            watched(memory, event.received_ns if tops.see(memory.numbers, event) else None)
        elif isinstance(event, TradePrinted):
            self._arrived(memory, event.venue_ms, event.side.sign, event.price)
        elif isinstance(event, Filled):
            fill = event.fill
            if not fill.reverses and fill.liquidity is not Liquidity.TAKER:
                self._arrived(memory, fill.venue_ms, -fill.side.sign, float(fill.price))
        elif isinstance(event, BookLost):
            tops.lose(memory.numbers)
            watched(memory, None)

    def _arrived(self, memory: Memory, venue_ms: int, sign: int, price: float) -> None:
        arrived(memory, venue_ms, sign, price, most=self.arrivals, least=self.least)

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """None while too few have arrived, or none went beyond the best price."""
        found = rate(memory.numbers)
        return None if found is None else found[0] * exp(-found[1])

    def values(self, memory: Memory, now_ns: Nanos) -> Mapping[str, float | None]:  # noqa: ARG002  # of the port
        """The fit."""
        numbers = memory.numbers
        found = rate(numbers)
        if found is None:
            return {"A": None, "k": None, "A_error": None, "k_error": None}
        a, k = found
        return {"A": a, "k": k, "A_error": a * numbers["a_error"], "k_error": numbers["k_error"]}
