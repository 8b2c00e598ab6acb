"""Which side of the book more is waiting on."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import Level, Nanos
from mmbot.plugins.registry import Family, register


@register(Family.SIGNAL, "imbalance")
@dataclass(frozen=True, slots=True, kw_only=True)
class Imbalance:
    """(bid amount - ask amount) / (bid amount + ask amount) at the top of the book.

    1: only bids wait, -1: only asks, 0: as much on either side. Our own orders are among them. The
    price tends to move away from the side where more is waiting (Cont, Kukanov and Stoikov 2014,
    "The price impact of order book events").
    """

    levels: Annotated[int, Ge(1), Le(10), doc("levels of each side that are added up")] = 1

    def start(self, instrument: Instrument) -> Memory:  # noqa: ARG002  # the same for all
        """No book yet."""
        return Memory()

    def observe(self, memory: Memory, event: Heard) -> None:
        """Keep the amounts of the newest book."""
        if isinstance(event, BookChanged):
            memory.numbers["bid"] = _waiting(event.bids, self.levels)
            memory.numbers["ask"] = _waiting(event.asks, self.levels)
        elif isinstance(event, BookLost):
            memory.numbers.clear()

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """Between -1 and 1; None without a book, or with an empty one."""
        bid, ask = memory.numbers.get("bid", 0.0), memory.numbers.get("ask", 0.0)
        return (bid - ask) / (bid + ask) if bid + ask else None


def _waiting(side: tuple[Level, ...], levels: int) -> float:
    if levels == 1:  # as nearly always
        return side[0][1] if side else 0.0
    return sum(amount for _, amount in side[:levels])
