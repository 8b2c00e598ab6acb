"""How fast a market moves, as its best prices show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Annotated, ClassVar

from annotated_types import Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import SECOND, Nanos
from mmbot.plugins.registry import Family, register
from mmbot.signals.fading import fade, left_of


@register(Family.SIGNAL, "top_speed")
@dataclass(frozen=True, slots=True, kw_only=True)
class TopSpeed:
    """Changes of the best prices a second, bid and ask counted each.

    A change counts half as much after a half-life. Books come conflated, so what changes several
    times between two turns has changed once; our own orders are among the best prices. It is told
    from one second after the first book on, and has no direction.
    """

    half_life_s: Annotated[
        float, Gt(0), Le(86_400), doc("seconds after which a change counts half as much")
    ] = 30.0

    units: ClassVar[Mapping[str, str]] = {"": "1/s"}

    def start(self, instrument: Instrument) -> Memory:  # noqa: ARG002  # the same for all
        """No book yet."""
        return Memory({"changes": 0.0})

    def observe(self, memory: Memory, event: Heard) -> None:
        """Compare the best prices with those before. An empty side has a price, too: none, 0."""
        numbers = memory.numbers
        if isinstance(event, BookChanged):
            bid = event.bids[0][0] if event.bids else 0.0
            ask = event.asks[0][0] if event.asks else 0.0
            known_bid, known_ask = numbers.get("bid"), numbers.get("ask")
            if known_bid == bid and known_ask == ask:
                return
            numbers["bid"], numbers["ask"] = bid, ask
            if known_bid is None:
                numbers.setdefault("since_ns", event.received_ns)
                return
            weight = fade(numbers, ("changes",), event.received_ns, self.half_life_s)
            numbers["changes"] += weight * ((known_bid != bid) + (known_ask != ask))
        elif isinstance(event, BookLost):
            numbers.pop("bid", None)
            numbers.pop("ask", None)

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        """None without a book, and for its first second."""
        numbers = memory.numbers
        if "bid" not in numbers or now_ns - numbers["since_ns"] < SECOND:
            return None
        # Changes at a steady rate, each weighted by its age, add up to the rate times this.
        seen = 1 - left_of(now_ns - int(numbers["since_ns"]), self.half_life_s)
        weighted_s = self.half_life_s / log(2) * seen
        left = left_of(now_ns - int(numbers.get("at_ns", now_ns)), self.half_life_s)
        return numbers["changes"] * left / weighted_s
