"""Standard margin: what positions and orders must be covered by, per settlement currency.

Formulas, per unit of amount, F being the underlying's price and mark the option's:

* short call: initial max(0.15 - OTM / F, 0.1) + mark, maintenance 0.075 + mark (coin);
* short put: maintenance max(0.075, 0.075 mark) + mark, initial the same as a call's but never less
  than the maintenance (coin). Linear options: the parts without mark times F, in USDC;
* long options: nothing, they are paid for;
* perpetuals and futures: initial notional / leverage, maintenance a share of it.

The numbers are the usual venue's; leverage and share are `MarginTerms`. Source: the venue's
description of standard margin. The venue's own initial rate of futures rises slowly with the size
of the position; here it does not. Nothing is netted across instruments.

Open orders count as if the worse side of each instrument were filled in full: its position then,
plus the premium its buys cost. What sells would bring in does not count, nor do fees. An order that
leaves the requirement no higher than it was is always allowed.

Margin is a model: floats, in settlement currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from mmbot.sim.exchange.listing import Kind, Listing, Right, Side

MAX_LEVERAGE: Final = 50
MAINTENANCE_SHARE: Final = 0.5  # of the initial margin of perpetuals and futures

SHORT_INITIAL: Final = 0.15
SHORT_INITIAL_MIN: Final = 0.1
SHORT_MAINTENANCE: Final = 0.075


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTerms:
    """What a venue asks for perpetuals and futures: initial notional / `max_leverage`, of which
    `maintenance_share` is the maintenance margin."""

    max_leverage: float = MAX_LEVERAGE
    maintenance_share: float = MAINTENANCE_SHARE


USUAL: Final = MarginTerms()


class Margin(Struct, frozen=True, gc=False):
    """In settlement currency."""

    initial: float
    maintenance: float


class Prices(Struct, frozen=True, gc=False):
    """What an instrument stands at: `mark` in its price unit, `underlying` in USD; 0: unknown."""

    mark: float
    underlying: float


@dataclass(slots=True)
class Resting:
    """An account's open orders in one instrument, amounts unsigned."""

    buys: float = 0.0
    buys_value: float = 0.0  # sum of amount x price
    sells: float = 0.0

    def add(self, side: Side, amount: float, price: float) -> None:
        """Count one more order."""
        if side is Side.BUY:
            self.buys += amount
            self.buys_value += amount * price
        else:
            self.sells += amount


def of_position(
    listing: Listing, size: float, prices: Prices, terms: MarginTerms = USUAL
) -> Margin:
    """What a position of `size` (signed) needs; nothing while there is no mark."""
    mark, underlying = prices.mark, prices.underlying
    if listing.kind is not Kind.OPTION:
        if mark <= 0:
            return Margin(0.0, 0.0)
        notional = abs(size) / mark if listing.inverse else abs(size) * mark
        initial = notional / terms.max_leverage
        return Margin(initial, initial * terms.maintenance_share)
    if size >= 0 or underlying <= 0:
        return Margin(0.0, 0.0)
    assert listing.strike is not None, "an option has a strike"
    strike = float(listing.strike)
    is_call = listing.right is Right.CALL
    out_of_the_money = max(strike - underlying if is_call else underlying - strike, 0.0)
    coin = 1.0 if listing.inverse else underlying
    initial = coin * max(SHORT_INITIAL - out_of_the_money / underlying, SHORT_INITIAL_MIN)
    maintenance = coin * SHORT_MAINTENANCE
    if not is_call:
        maintenance = max(maintenance, SHORT_MAINTENANCE * mark)
        initial = max(initial, maintenance)
    return Margin(-size * (initial + mark), -size * (maintenance + mark))


def initial_with_orders(
    listing: Listing,
    size: float,
    resting: Resting,
    prices: Prices,
    terms: MarginTerms = USUAL,
) -> float:
    """What a position and the account's open orders in its instrument need together."""
    bought = of_position(listing, size + resting.buys, prices, terms).initial
    if listing.kind is Kind.OPTION:
        bought += resting.buys_value
    sold = of_position(listing, size - resting.sells, prices, terms).initial
    return max(bought, sold)
