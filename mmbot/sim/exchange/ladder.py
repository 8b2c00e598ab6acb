"""The prices an instrument may have, for who thinks in floats.

What `Listing` says in decimals, exactly and slowly, is asked here of floats: nearly always a float
says which rung it is. Where it is too near to a rung to tell, the listing decides.
"""

from __future__ import annotations

from decimal import Decimal
from math import floor
from typing import Final

from mmbot.sim.exchange.listing import Listing

PRICE_DIGITS: Final = 8  # finer than any tick, coarser than what floats get wrong
_NEAR: Final = 10.0**-PRICE_DIGITS


class Ladder:
    """One listing's prices."""

    __slots__ = ("_base", "_listing", "_steps", "tick")

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.tick = float(listing.tick)
        """The smallest."""
        self._base = _Rungs(listing.tick)
        # From the highest: the first that a price has reached is the one that applies.
        steps = sorted(listing.tick_steps, reverse=True)
        self._steps = [(float(above), _Rungs(tick)) for above, tick in steps]

    def tick_at(self, price: float) -> float:
        """The tick that applies at a price (as its shortest text has it) and upward."""
        for above, rungs in self._steps:
            if price >= above:
                return rungs.tick
        return self.tick

    def down(self, price: float) -> Decimal:
        """The highest price of the ladder at or below `price`, which is positive."""
        rungs = self._rungs(price)
        if rungs is not None:
            place = price / rungs.tick
            below = floor(place)
            if rungs.least < place - below < rungs.most:
                return Decimal(below) * rungs.step
        return self._listing.snap_down(_exact(price))

    def up(self, price: float) -> Decimal:
        """The lowest price of the ladder at or above `price`, which is positive."""
        rungs = self._rungs(price)
        if rungs is not None:
            place = price / rungs.tick
            below = floor(place)
            if rungs.least < place - below < rungs.most:
                return Decimal(below + 1) * rungs.step
        return self._listing.snap_up(_exact(price))

    def _rungs(self, price: float) -> _Rungs | None:
        """The rungs around a price; None where it is too near to another tick to tell."""
        for above, rungs in self._steps:
            if price >= above + _NEAR:
                return rungs
            if price > above - _NEAR:
                return None
        return self._base


class _Rungs:
    """Prices of one tick. Between `least` and `most` of it a price is near to none of them, even
    when rounded."""

    __slots__ = ("least", "most", "step", "tick")

    def __init__(self, step: Decimal) -> None:
        self.step = step
        self.tick = float(step)
        self.least = 1e-6 + _NEAR / self.tick
        self.most = 1 - self.least


def _exact(price: float) -> Decimal:
    return Decimal(repr(round(price, PRICE_DIGITS)))
