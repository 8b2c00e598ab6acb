"""The grid: which prices and amounts a venue takes for an instrument.

Theory of operation
-------------------
Prices lie on a ladder: from each boundary upward another tick holds, and a boundary is a price of
both ladders it joins. Rounding is always away from the market, bids down and asks up, so that an
order never asks for more than the model did. Where the venue names a lowest or a highest price,
none beyond it leaves here. A bid above the highest and an ask below the lowest come to that price,
which is away from the market; a bid below the lowest and an ask above the highest are none.
Amounts are whole lots, rounded down. What is less than the venue's smallest order, by amount or by
what it is worth, is nothing.

A model asks with floats, several times a turn and for much the same prices: the grid's `ladder`
answers it, and remembers.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isfinite

from mmbot.core.types import BUY, SELL, ZERO, Side, to_decimal

_UNREACHABLE = Decimal("Infinity")

_ANSWERS_KEPT = 512
"""Of each kind, for each grid."""


@dataclass(frozen=True, slots=True)
class TickStep:
    """From `above` (inclusive) upward, prices move in steps of `tick`."""

    above: Decimal
    tick: Decimal


class Ladder:
    """A grid as models ask about it. Prices are rounded as in `to_decimal` before they meet it.

    `tick`: the lowest range's. `snap(price, side)`: as `Grid.snap_price`. `tick_at(price)`: the
    tick that holds there. `beside(price, ticks)`: the price so many ticks along the ladder, and
    `gap(price, ticks)`: how far from `price` that is. `lots(size, factor)`: so many times `size` in
    whole lots; zero where that is not finite.
    """

    __slots__ = ("beside", "gap", "lots", "snap", "tick", "tick_at")

    def __init__(self, grid: "Grid") -> None:
        tick, steps = float(grid.tick), grid.tick_steps

        @lru_cache(_ANSWERS_KEPT)
        def snap(price: float, side: Side) -> Decimal | None:
            return grid.snap_price(to_decimal(price), side) if isfinite(price) else None

        @lru_cache(_ANSWERS_KEPT)
        def tick_at(price: float) -> float:
            if not steps:
                return tick
            return float(grid.tick_at(to_decimal(price)))

        @lru_cache(_ANSWERS_KEPT)
        def beside(price: float, ticks: int) -> float:
            return float(grid.step_price(to_decimal(price), ticks))

        @lru_cache(_ANSWERS_KEPT)
        def gap(price: float, ticks: int) -> float:
            at = to_decimal(price)
            return abs(float(grid.step_price(at, ticks) - at))

        @lru_cache(_ANSWERS_KEPT)
        def lots(size: float, factor: Decimal) -> Decimal:
            step = grid.amount_step
            return to_decimal(size) * factor // step * step if isfinite(size) else ZERO

        self.tick = tick
        self.snap, self.tick_at, self.beside, self.gap = snap, tick_at, beside, gap
        self.lots = lots


class _Derived:
    """Room for what follows from a grid's fields: no field, so no part of equality or of a tape."""

    __slots__ = ("_ladder",)
    _ladder: Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid(_Derived):
    """A venue's current grid for one instrument; None stands for no such limit.

    `min_notional`: the least an order must come to, in the currency of the price. `lowest` and
    `highest` are what the contract itself can be priced at, such as 0.01 and 0.99 of a binary; a
    band that moves with the market is the ticker's.
    """

    tick: Decimal
    tick_steps: tuple[TickStep, ...] = ()
    amount_step: Decimal
    min_amount: Decimal
    min_notional: Decimal | None = None
    lowest: Decimal | None = None
    highest: Decimal | None = None

    @property
    def ladder(self) -> Ladder:
        """The same grid for models."""
        try:
            return self._ladder
        except AttributeError:  # asked for the first time
            ladder = Ladder(self)
            object.__setattr__(self, "_ladder", ladder)
            return ladder

    def tick_at(self, price: Decimal) -> Decimal:
        """The tick that holds at `price`: the largest `above` not beyond it decides."""
        tick = self.tick
        for step in self.tick_steps:
            if step.above <= price:
                tick = step.tick
        return tick

    def snap_price(self, price: float | Decimal, side: Side) -> Decimal | None:
        """The nearest price on the grid away from the market: bids down, asks up.

        None when nothing on the grid is left (a bid below one tick or below the lowest price, an
        ask above the highest one) or the price is not finite.
        """
        if isinstance(price, float):
            return self.ladder.snap(price, side)
        if self.lowest is None and self.highest is None:
            return self._round(price, side)
        snapped = self._round(self._from_far_side(price, side), side)
        return snapped if snapped is not None and self._in_range(snapped) else None

    def _round(self, price: Decimal, side: Side) -> Decimal | None:
        """The same on the ladder alone."""
        if price <= 0 and side is BUY:
            return None
        tick = self.tick_at(price)
        if price <= 0:
            return tick
        ticks, beyond = divmod(price, tick)
        if side is SELL and beyond:
            ticks += 1
        return ticks * tick if ticks else None

    def _from_far_side(self, price: Decimal, side: Side) -> Decimal:
        """A price beyond the end of the range that is away from the market comes to that end."""
        if side is BUY:
            return price if self.highest is None else min(price, self.highest)
        return price if self.lowest is None else max(price, self.lowest)

    def _in_range(self, price: Decimal) -> bool:
        if self.lowest is not None and price < self.lowest:
            return False
        return self.highest is None or price <= self.highest

    def step_price(self, price: Decimal, ticks: int) -> Decimal:
        """`price` moved by that many ticks along the ladder (never below zero). The ladder goes on
        beyond the lowest and the highest price: only snapping keeps within them."""
        while ticks > 0:
            price, ticks = price + self.tick_at(price), ticks - 1
        if ticks < 0:
            finest = min([self.tick, *[step.tick for step in self.tick_steps]])
            while ticks < 0 and price > 0:
                # On a boundary of the ladder the step down is the tick of the range below.
                price, ticks = max(ZERO, price - self.tick_at(price - finest)), ticks + 1
        return price

    def on_grid(self, price: Decimal) -> bool:
        """Whether the venue would accept an order at this price."""
        return price > 0 and self._in_range(price) and price % self.tick_at(price) == 0

    def snap_size(self, size: float | Decimal) -> Decimal:
        """The size rounded down to the lot; zero when below the venue's minimum or not finite."""
        if not isinstance(size, Decimal):
            size = to_decimal(size)
        if not size.is_finite():
            return ZERO
        snapped = (size // self.amount_step) * self.amount_step
        return snapped if snapped >= self.min_amount else ZERO

    def least_amount(self, unit_worth: Decimal) -> Decimal:
        """The smallest order, in whole lots, where one unit of amount counts as `unit_worth`
        towards the least notional; infinite where that is nothing."""
        if self.min_notional is None:
            return self.min_amount
        if unit_worth <= 0:
            return _UNREACHABLE
        lots, beyond = divmod(self.min_notional, unit_worth * self.amount_step)
        return max(self.min_amount, (lots + 1 if beyond else lots) * self.amount_step)
