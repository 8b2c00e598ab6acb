"""The ground a quote stands on: a sane book, a fair value, the grid, and the edge to keep.

A strategy says where it would like to quote; `Ground.hold` then has the last word, so that no
strategy can give money away: bid <= fair - edge and ask >= fair + edge, and never at or through
the best price of the other side. Both bounds only push outward, so a spread is never narrowed.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

from mmbot.core.costs import cost_floor
from mmbot.core.types import Instrument, Side, to_decimal
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.strategies.draft import Draft


@dataclass(frozen=True, slots=True)
class Ground:
    """Facts of one view after every doubt about them is settled. Prices in price units."""

    instrument: Instrument
    bid: float | None
    ask: float | None
    mid: float
    """Middle of the others' best prices; fair where a side is missing."""
    fair: float
    edge: float
    """Least distance from fair: maker fee plus margin."""
    lean: float
    """Where to shift both quotes, in units of a full lean: -1 at the long limit, +1 at the short
    limit, linear between."""

    def tick(self, price: float) -> float:
        """The tick that holds at `price`."""
        return float(self.instrument.tick_at(to_decimal(price)))

    def is_tight(self) -> bool:
        """Whether the market is at most two ticks wide: no room to improve."""
        if self.bid is None or self.ask is None:
            return False
        return self.instrument.step_price(to_decimal(self.bid), 2) >= to_decimal(self.ask)

    def hold(self, draft: Draft) -> None:
        """Take the draft back to the edge and out of the other side's way."""
        sign = draft.side.sign
        draft.hold("edge", self.fair - sign * self.edge, Why.EDGE_CLAMP)
        opposite = self.ask if draft.side is Side.BUY else self.bid
        if opposite is not None:
            last_free = self.instrument.step_price(to_decimal(opposite), -sign)
            draft.hold("crossing", float(last_free), Why.CROSS_CLAMP)

    def patience(self, price: float, requote_pct: float) -> float:
        """How far a resting order may lag behind `price`: that percentage, at least one tick."""
        return max(price * requote_pct / 100, self.tick(price))

    def size(self, size: Decimal) -> float:
        """The size to quote: never below the venue's minimum."""
        return float(max(size, self.instrument.min_amount))


def find_ground(view: View, *, margin: Decimal, max_position: Decimal) -> Ground | Why:
    """The ground in this view, or why there is none.

    `margin` (price units) is wanted on top of the maker fee; `max_position` (the venue's amount
    unit, > 0) is where the lean is full.
    """
    fair, index = view.fair, view.index
    if not (isfinite(fair) and fair > 0):
        return Why.NO_FAIR
    if not (isfinite(index) and index > 0):
        return Why.NO_MARK
    if not view.position.is_finite():
        return Why.INTERNAL_ERROR
    bid, ask = view.bid, view.ask
    if bid is None and ask is None:
        return Why.BOOK_EMPTY
    # One sum finds every NaN and infinity: both survive addition.
    total = sum(price + amount for side in (view.bids, view.asks) for price, amount in side)
    if not isfinite(total) or (bid is not None and bid <= 0) or (ask is not None and ask <= 0):
        return Why.BOOK_IMPLAUSIBLE
    if bid is not None and ask is not None and bid >= ask:
        return Why.BOOK_CROSSED
    return Ground(
        instrument=view.instrument,
        bid=bid,
        ask=ask,
        mid=view.mid,
        fair=fair,
        edge=cost_floor(view.instrument, fair, index, float(margin)),
        lean=-max(-1.0, min(1.0, float(view.position / max_position))),
    )
