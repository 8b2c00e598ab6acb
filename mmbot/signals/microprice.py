"""Where the waiting amounts put the price, between the best two."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, ClassVar

from annotated_types import Ge, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import Level, Nanos
from mmbot.plugins.registry import Family, register


@register(Family.SIGNAL, "microprice")
@dataclass(frozen=True, slots=True, kw_only=True)
class Microprice:
    """How far the size-weighted price is above the middle of the book, in half-spreads.

    Each side's price, the mean of its levels by amount, is weighted with the amount on the other
    side: where more bids wait, the price is expected to rise. With one level it lies between -1
    (at the bid) and 1 (at the ask), and is the imbalance of the two best amounts; deeper levels
    move it by their prices too. Our own orders are in it.
    """

    levels: Annotated[int, Ge(1), Le(10), doc("levels of each side that are weighted")] = 1

    units: ClassVar[Mapping[str, str]] = {"": "half-spreads"}

    def start(self, instrument: Instrument) -> Memory:  # noqa: ARG002  # the same for all
        """No book yet."""
        return Memory()

    def observe(self, memory: Memory, event: Heard) -> None:
        """Weigh the newest book."""
        if isinstance(event, BookChanged):
            above = self._above(event.bids, event.asks)
            if above is not None and isfinite(above):
                memory.numbers["above"] = above
            else:
                memory.numbers.clear()
        elif isinstance(event, BookLost):
            memory.numbers.clear()

    def _above(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> float | None:
        if not bids or not asks:
            return None
        (bid, bid_amount), (ask, ask_amount) = bids[0], asks[0]
        half = (ask - bid) / 2
        if not half > 0:  # also true for NaN
            return None
        bid_price, ask_price = bid, ask
        if self.levels > 1:
            bid_price, bid_amount = _side(bids[: self.levels])
            ask_price, ask_amount = _side(asks[: self.levels])
        waiting = bid_amount + ask_amount
        if not waiting > 0:
            return None
        weighted = (bid_price * ask_amount + ask_price * bid_amount) / waiting
        return (weighted - (bid + ask) / 2) / half

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """None without a book of two sides."""
        return memory.numbers.get("above")


def _side(levels: tuple[Level, ...]) -> Level:
    """The mean price of some levels, and all that waits there."""
    amount = sum(amount for _, amount in levels)
    worth = sum(price * amount for price, amount in levels)
    return (worth / amount if amount > 0 else levels[0][0]), amount
