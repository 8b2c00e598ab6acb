"""How far what is traded is from its index."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from mmbot.core.contracts import Instrument
from mmbot.core.events import TickerChanged
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import SECOND, Nanos
from mmbot.plugins.registry import Family, register

YEAR_NS = 365 * 86_400 * SECOND


@register(Family.SIGNAL, "basis")
@dataclass(frozen=True, slots=True)
class Basis:
    """How far a market is below its index, as a share of the index.

    That is the basis with its sign turned: positive means that the market is below its index, and
    the price is expected to rise towards it. Of perpetuals and futures the middle of the ticker's
    best prices is compared, or else their mark; of options the forward they are priced on.
    `basis.yearly` is the same as a rate per year, for what expires.
    """

    units: ClassVar[Mapping[str, str]] = {"": "of the index", "yearly": "per year"}

    def start(self, instrument: Instrument) -> Memory:
        """No ticker yet."""
        memory = Memory({"by_top": int(instrument.moves_with_coin)})
        if instrument.expiry_ns is not None:
            memory.numbers["expiry_ns"] = instrument.expiry_ns
        return memory

    def observe(self, memory: Memory, event: Heard) -> None:
        """Compare prices of one ticker, so that none is older than the other."""
        if not isinstance(event, TickerChanged):
            return
        numbers, index = memory.numbers, event.index
        price = _middle(event) if numbers["by_top"] else event.forward
        numbers.pop("below", None)
        if price is not None and index is not None and 0 < index < inf and 0 < price < inf:
            numbers["below"] = 1 - price / index

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """None while one of the two prices is not known."""
        return memory.numbers.get("below")

    def values(self, memory: Memory, now_ns: Nanos) -> Mapping[str, float | None]:
        """The rate; None for what does not expire, or has."""
        below, expiry_ns = memory.numbers.get("below"), memory.numbers.get("expiry_ns")
        if below is None or expiry_ns is None or expiry_ns <= now_ns:
            return {"yearly": None}
        return {"yearly": below * YEAR_NS / (expiry_ns - now_ns)}


def _middle(event: TickerChanged) -> float | None:
    if event.best_bid is None or event.best_ask is None:
        return event.mark
    return (event.best_bid + event.best_ask) / 2
