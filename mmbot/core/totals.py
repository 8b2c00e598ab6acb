"""What became of instruments that are gone: profit, orders, fills and time in the market.

An instrument that has left the state (core.retire) lives on in sums: one for each venue, desk,
settlement currency and underlying, so that a run of months is as large as a run of an hour. What is
summed up is exact money; it is converted into dollars as the profit of an instrument that is still
there would be, by the index of its underlying.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Pnl
from mmbot.core.order_counts import OrderCounts
from mmbot.core.types import InstrumentId

LATELY_MAX = 64
"""Instruments whose terms are kept after they are gone: what a venue adds to them is booked."""

TotalKey = tuple[str, str, str, str]
"""Venue, desk, settlement currency and underlying."""


@dataclass(slots=True)
class Total:
    """What some instruments that are gone came to."""

    instruments: int = 0
    pnl: Pnl = field(default_factory=Pnl)
    """Of this run."""
    carried: Pnl = field(default_factory=Pnl)
    """Of the runs before it."""
    orders: OrderCounts = field(default_factory=OrderCounts)
    fills: int = 0
    """Booked by this run."""
    sides: int = 0
    """On how many of their sides there ever was a quote ..."""
    shares: float = 0.0
    """... and the sum of the times in the market there, each 0 to 1."""
    index: float | None = None
    """The last one known, in USD."""


@dataclass(frozen=True, slots=True)
class Former:
    """An instrument that has left not long ago."""

    instrument: Instrument
    desk: str
    opened_ms: int
    """As of its position: trades before this moment (venue time) are part of what was there."""
    mark: float | None
    index: float | None


@dataclass(slots=True)
class Retired:
    """Every instrument that has left the state, in sums."""

    totals: dict[TotalKey, Total] = field(default_factory=dict)
    lately: dict[InstrumentId, Former] = field(default_factory=dict)
    """The newest of them, oldest first."""
    leaving: list[InstrumentId] = field(default_factory=list)
    """Those that left in this turn: for who keeps more of them."""

    def keep(self, former: Former) -> None:
        """Keep the terms of one more; the oldest give way."""
        self.lately.pop(former.instrument.id, None)
        self.lately[former.instrument.id] = former
        if len(self.lately) > LATELY_MAX:
            del self.lately[next(iter(self.lately))]

    def of(self, venue: str | None = None, desk: str | None = None) -> Iterator[Total]:
        """Those of a venue, of a desk, or all."""
        for (its_venue, its_desk, *_), total in self.totals.items():
            if venue in (None, its_venue) and desk in (None, its_desk):
                yield total
