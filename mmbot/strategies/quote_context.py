"""What a quote is built on: a sane book, a fair value, the grid, and the edge to keep.

A strategy says where it would like to quote; `QuoteContext.hold` then has the last word, so that no
strategy can give money away: bid <= fair - edge and ask >= fair + edge, and never at or through
the best price of the other side. Both bounds only push outward, so a spread is never narrowed.
"""

from decimal import Decimal
from itertools import starmap
from math import inf, isfinite
from operator import add

from msgspec import Struct

from mmbot.core.contracts import Instrument
from mmbot.core.costs import cost_floor
from mmbot.core.grid import Ladder
from mmbot.core.sizes import Size, amount_of
from mmbot.core.types import BUY, OPTION
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.strategies.quote_builder import QuoteBuilder

_EDGE_CLAMP, _CROSS_CLAMP = Why.EDGE_CLAMP, Why.CROSS_CLAMP  # a class's look-up is a Python call

_OPTION_PCT = 0.5
"""Lag of an option's order worth a request, % of its premium."""

_FALLS_BACK = 1.5
"""Of a quote's distance from the middle, how far its order may fall behind elsewhere."""


class QuoteContext(Struct, frozen=True, gc=False):
    """Facts of one view after every doubt about them is settled. Prices in price units."""

    instrument: Instrument
    ladder: Ladder
    """The instrument's grid."""
    mid: float
    """Middle of the others' best prices; fair where a side is missing."""
    tick: float
    """The tick that holds at mid."""
    tight: bool
    """The market is at most two ticks wide: no room to improve."""
    bid_max: float
    """A tick below the others' best ask; infinite without one."""
    ask_min: float
    """A tick above the others' best bid; zero without one."""
    fair: float
    edge: float
    """Least distance from fair: maker fee plus margin."""
    skew: float
    """Where to shift both quotes, in units of a full skew: -1 at the long limit, +1 at the short
    limit, linear between."""
    amount: Decimal
    """The size that was asked for, in the instrument's amount unit."""

    def free_outward(self, builder: QuoteBuilder) -> float | None:
        """How far outward the nearest price lies that the quote does not round to.

        None where the grid ends: no bid fits below one tick.
        """
        here = self.instrument.grid.snap_price(builder.price, builder.side)
        if here is None:
            return None
        sign = builder.side.sign
        return (builder.price - float(self.instrument.grid.step_price(here, -sign))) * sign

    def hold(self, builder: QuoteBuilder) -> None:
        """Take the quote being built back to the edge and out of the other side's way."""
        buys = builder.side is BUY
        edge = self.fair - self.edge if buys else self.fair + self.edge
        if builder.price > edge if buys else builder.price < edge:
            builder.hold("edge", edge, _EDGE_CLAMP)
        crossing = self.bid_max if buys else self.ask_min
        if builder.price > crossing if buys else builder.price < crossing:
            builder.hold("crossing", crossing, _CROSS_CLAMP)

    def follow(
        self, builder: QuoteBuilder, requote_pct: float | None, behind: float = inf
    ) -> tuple[float, float]:
        """How closely its order follows a finished quote: its (requote threshold, danger).

        `requote_pct`, % of price, bounds both; None stands for what suits the instrument. An
        option's order is moved from 0.5 % behind or a tick ahead on. Elsewhere half a percent is
        many times the market's width, so the quote's own distance is the measure: its order stays
        until fair value less the costs has come up to it, or the middle has left it by half as much
        again. A tick behind is always left. No level overtakes the one it is `behind` by so much.
        """
        price, sign = builder.price, builder.side.sign
        tick = self.ladder.tick_at(price)
        if self.instrument.kind is OPTION:
            share = _OPTION_PCT if requote_pct is None else requote_pct
            least = price * share / 100
            return least if least > tick else tick, 0.0
        danger = min(behind, max(0.0, (self.fair - price) * sign - self.edge))
        if requote_pct is None:
            return max(_FALLS_BACK * (self.mid - price) * sign, tick), danger
        given = price * requote_pct / 100
        return max(given, tick), min(given, danger)

    def size(self, size: Decimal) -> float:
        """The size to quote: never below the venue's minimum."""
        return float(max(size, self.instrument.grid.min_amount))


def find_ground(
    view: View, *, margin: Decimal, size: Size, max_position: Size
) -> QuoteContext | Why:
    """The context of a quote in this view, or why there is none.

    `margin` (price units) is wanted on top of the maker fee; `size` is that of a quote; at
    `max_position` the skew is full.
    """
    fair, index = view.fair, view.index
    if not 0 < fair < inf:  # true for NaN
        return Why.NO_FAIR
    if not 0 < index < inf:
        return Why.NO_MARK
    if not view.position.is_finite():
        return Why.INTERNAL_ERROR
    bids, asks = view.bids, view.asks
    if not bids and not asks:
        return Why.BOOK_EMPTY
    bid, ask = bids[0][0] if bids else 0.0, asks[0][0] if asks else inf
    # One sum finds every NaN and infinity: both survive addition.
    total = sum(starmap(add, bids)) + sum(starmap(add, asks))
    if not isfinite(total) or ask <= 0 or (bid <= 0 and bids):
        return Why.BOOK_IMPLAUSIBLE
    if bid >= ask:
        return Why.BOOK_CROSSED
    instrument = view.instrument
    amount = amount_of(size, instrument, index, view.mark)
    full = amount_of(max_position, instrument, index, view.mark)
    if amount is None or full is None:
        return Why.NO_MARK
    mid = (bid + ask) / 2 if bids and asks else fair
    ladder = instrument.grid.ladder
    bid_max = ladder.beside(ask, -1) if asks else inf
    ask_min = ladder.beside(bid, 1) if bids else 0.0
    skew = -max(-1.0, min(1.0, float(view.position / full))) if view.position else 0.0
    return QuoteContext(
        instrument=instrument,
        ladder=ladder,
        mid=mid,
        tick=ladder.tick_at(mid),
        tight=ask_min >= bid_max,
        bid_max=bid_max,
        ask_min=ask_min,
        fair=fair,
        edge=cost_floor(instrument, fair, index, float(margin)),
        skew=skew,
        amount=amount,
    )
