"""How much the price has moved of late."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, TickerChanged
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import SECOND, Nanos
from mmbot.plugins.registry import Family, register
from mmbot.signals.fading import fade

YEAR_S = 365 * 86_400
RETURNS_MIN = 10


@register(Family.SIGNAL, "realized_vol")
@dataclass(frozen=True, slots=True, kw_only=True)
class RealizedVol:
    """Realized volatility of late, a fraction per year: 0.62 is 62 %.

    Squared log returns over the time that they took, both counting half as much after a half-life.
    Of perpetuals and futures it is the middle of the book that moves, of options and binaries what
    they are priced on: the ticker's forward, or else its index. Prices are compared once in
    `sample_s` at most: what bounces within is no movement. Told after ten returns; no direction.
    """

    half_life_s: Annotated[
        float, Gt(0), Le(604_800), doc("seconds after which a return counts half as much")
    ] = 600.0
    sample_s: Annotated[
        float, Ge(0), Le(3_600), doc("seconds between two prices that are compared, at least")
    ] = 1.0

    units: ClassVar[Mapping[str, str]] = {"": "per year"}

    def start(self, instrument: Instrument) -> Memory:
        """No price yet."""
        by_book = int(instrument.moves_with_coin)
        return Memory({"by_book": by_book, "returns": 0, "squares": 0.0, "seconds": 0.0})

    def observe(self, memory: Memory, event: Heard) -> None:
        """Compare the price with the last one, if it is time."""
        numbers = memory.numbers
        if isinstance(event, BookChanged):
            if not numbers["by_book"]:
                return
        elif not isinstance(event, TickerChanged) or numbers["by_book"]:
            return
        at_ns, known_ns = event.received_ns, numbers.get("at_ns")
        if known_ns is not None and at_ns - known_ns < max(1, self.sample_s * SECOND):
            return
        price = _price(event)
        if price is None or not 0 < price < inf:  # true for NaN
            return
        fade(numbers, ("squares", "seconds"), at_ns, self.half_life_s)
        if known_ns is not None:
            numbers["squares"] += log(price / numbers["price"]) ** 2
            numbers["seconds"] += (at_ns - known_ns) / SECOND
            numbers["returns"] += 1
        numbers["price"] = price

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """None before there are returns enough."""
        numbers = memory.numbers
        if numbers["returns"] < RETURNS_MIN:
            return None
        return sqrt(numbers["squares"] / numbers["seconds"] * YEAR_S)


def _price(event: BookChanged | TickerChanged) -> float | None:
    if isinstance(event, TickerChanged):
        return event.forward if event.forward is not None else event.index
    return (event.bids[0][0] + event.asks[0][0]) / 2 if event.bids and event.asks else None
