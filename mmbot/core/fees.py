"""Fees as a model: of what a rate is taken, what is added to it and where it ends.

    fee = rate x basis x amount, at most cap x what changes hands, + base (takers alone)

The schedules this has to say:

    Deribit     options 0.03 % of the index, at most 12.5 % of the premium; perpetuals and futures
                a rate of the notional, makers' may be negative (a rebate)
    Derive      a rate of the index, options' and perpetuals' alike, the same cap on options, and
                `base_fee` US dollars for every order that takes
    Degen       takers a rate of the notional, makers nothing
    Polymarket  takers 0.07 x p (1 - p) a share, makers nothing

A venue that charges takers alone has a maker rate of zero.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from mmbot.core.types import ZERO


class FeeBasis(Enum):
    """What the rates are rates of, for one unit of amount."""

    NOTIONAL = "notional"
    """What changes hands: the price, or its reciprocal where amounts are US dollars."""
    INDEX = "index"
    """One coin of the underlying, in the currency of the price."""
    VARIANCE = "variance"
    """p (1 - p): the variance of what a share that trades at p will pay."""


NOTIONAL, INDEX, VARIANCE = FeeBasis  # where turns are decided: a class's look-up is a Python call


class _Derived:
    """Room for what follows from a schedule's fields: no field, so no part of equality or tape."""

    __slots__ = ("_maker",)
    if TYPE_CHECKING:  # at run time it would pass for a field
        _maker: tuple[float, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees(_Derived):
    """A fee schedule of one instrument.

    `maker` and `taker` are rates, fractions of the basis, negative for a rebate. `base` is charged
    for an order that takes, whatever its size; it is counted in full for each fill, as there is no
    telling which one is an order's first. `cap` bounds the part that is a rate, as a share of what
    changes hands; None: no bound.
    """

    basis: FeeBasis
    maker: Decimal = ZERO
    taker: Decimal = ZERO
    base: Decimal = ZERO
    cap: Decimal | None = None

    @property
    def maker_floats(self) -> tuple[float, float | None]:
        """The maker's rate and the cap, for models, which ask with every quote."""
        try:
            return self._maker
        except AttributeError:  # asked for the first time
            floats = float(self.maker), None if self.cap is None else float(self.cap)
            object.__setattr__(self, "_maker", floats)
            return floats
