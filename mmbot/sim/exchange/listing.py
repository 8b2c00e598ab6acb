"""What can be traded, and what a trade in it is worth: units, tick ladder, value and fees.

All money is exact: `value` and `fee` are rounded once, to `MONEY_STEP`, and everything after that
is addition, so that what one account gains is to the last digit what the others lose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum
from functools import cache
from typing import Final

MONEY_STEP: Final = Decimal("1E-12")
OPTION_FEE_CAP_OF_PREMIUM: Final = Decimal("0.125")
DELIVERY_FEE_RATE: Final = Decimal("0.00015")
NEVER_MS: Final = 32503708800000  # the year 3000: how the venue dates what does not expire
ZERO: Final = Decimal(0)

_FRIDAY: Final = 4


class Side(Enum):
    """Of an order or a trade; the values are the venue's words."""

    BUY = "buy"
    SELL = "sell"

    # One object each, and dictionaries are asked by side all the time.
    __hash__ = object.__hash__

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The side of the counterparty."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Kind(Enum):
    """What sort of contract; the option rights are in `Right`."""

    OPTION = "option"
    PERPETUAL = "perpetual"
    FUTURE = "future"


class Right(Enum):
    """Of an option; the values are the venue's words."""

    CALL = "call"
    PUT = "put"


@dataclass(frozen=True, slots=True)
class FeeBasis:
    """What a fee is counted from, beside its rate.

    `base`: what a taker's order costs besides, in settlement currency. `at_index`: the notional of
    a linear perpetual or future is at the index, not at the price traded. `cap_at_mark`: what an
    option's fee never exceeds is a share of its mark, not of the premium.
    """

    base: Decimal = ZERO
    at_index: bool = False
    cap_at_mark: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """What one side of a trade is charged: a rate, and what its order costs besides."""

    rate: Decimal
    base: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One instrument's terms.

    Units: an inverse option is priced in coin and sized in coin; an inverse perpetual or future is
    priced in USD and sized in USD; the linear kinds are priced in USDC and sized in coin.
    `tick_steps` is the ladder above the base `tick`: from price `above` up, `tick` applies.
    Commissions are rates: of one coin (inverse option), of the index (linear option), of the
    notional (perpetual, future). A negative rate is a rebate.
    """

    name: str
    kind: Kind
    underlying: str  # "ETH"
    settlement: str  # the currency of profit, fees and cash: "ETH" or "USDC"
    inverse: bool
    contract_size: Decimal
    min_amount: Decimal
    amount_step: Decimal
    tick: Decimal
    tick_steps: tuple[tuple[Decimal, Decimal], ...] = ()
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    fee_basis: FeeBasis = FeeBasis()
    strike: Decimal | None = None
    right: Right | None = None
    expiry_ms: int = NEVER_MS
    created_ms: int = 0

    @property
    def index_name(self) -> str:
        """Of the price index behind it: eth_usd, eth_usdc."""
        return _index_name(self.underlying, "usd" if self.inverse else self.settlement)

    @property
    def settlement_period(self) -> str:
        """day, week, month or perpetual, told from the date as the venue's calendar has it."""
        if self.expiry_ms >= NEVER_MS:
            return "perpetual"
        date = datetime.fromtimestamp(self.expiry_ms / 1000, UTC)
        if date.weekday() != _FRIDAY:
            return "day"
        return "month" if (date + timedelta(days=7)).month != date.month else "week"

    def tick_at(self, price: Decimal) -> Decimal:
        """The tick that applies at `price` and upward."""
        tick = self.tick
        for above, step in self.tick_steps:
            if price >= above:
                tick = step
        return tick

    def next_above(self, price: Decimal) -> Decimal:
        """The next price on the ladder above `price`, itself on the ladder."""
        return price + self.tick_at(price)

    def next_below(self, price: Decimal) -> Decimal:
        """The next price on the ladder below `price`, itself on the ladder."""
        tick = self.tick
        for above, step in self.tick_steps:
            if price > above:
                tick = step
        return price - tick

    def on_ladder(self, price: Decimal) -> bool:
        """Whether `price` is a positive multiple of the tick that applies there."""
        return price > 0 and price % self.tick_at(price) == 0

    def snap_down(self, price: Decimal) -> Decimal:
        """The highest ladder price at or below `price` (zero when there is none)."""
        tick = self.tick_at(price)
        return (price / tick).to_integral_value(ROUND_FLOOR) * tick

    def snap_up(self, price: Decimal) -> Decimal:
        """The lowest ladder price at or above `price`, which is positive."""
        tick = self.tick_at(price)
        return (price / tick).to_integral_value(ROUND_CEILING) * tick


@cache
def _index_name(underlying: str, quote: str) -> str:
    return f"{underlying}_{quote}".lower()


@dataclass(frozen=True, slots=True)
class Expired:
    """An instrument that has been delivered, at a price in USD."""

    listing: Listing
    delivery: Decimal
    time_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryFee:
    """What the delivery of an option costs: `rate` of the coin, at most `cap` of the payoff."""

    rate: Decimal = DELIVERY_FEE_RATE
    cap: Decimal = OPTION_FEE_CAP_OF_PREMIUM
    dailies_free: bool = True


def value(listing: Listing, amount: Decimal, price: Decimal) -> Decimal:
    """What `amount` (signed, in the listing's amount unit) is worth at `price`.

    In settlement currency, up to a constant that cancels: profit = value(exit) - value(entry).
    Options and linear contracts: amount x price. Inverse perpetuals and futures: -amount / price
    coin, which gives the venue's amount x (1/entry - 1/exit) for a long.
    """
    if listing.inverse and listing.kind is not Kind.OPTION:
        return (-amount / price).quantize(MONEY_STEP)
    return (amount * price).quantize(MONEY_STEP)


def average_price(listing: Listing, size: Decimal, cost: Decimal) -> Decimal:
    """The price at which `size` (signed, not zero) is worth `cost`: `value` inverted."""
    assert size != 0, "a flat position has no average price"
    if listing.inverse and listing.kind is not Kind.OPTION:
        return -size / cost
    return cost / size


def payoff(listing: Listing, delivery: Decimal) -> Decimal:
    """What one unit of amount is worth in the listing's price unit when it is delivered.

    `delivery` is the delivery price (USD). Futures: that price itself. Options: max(0, S - K) for a
    call, max(0, K - S) for a put; in USDC when linear, divided by S (coin) when inverse.
    """
    if listing.kind is not Kind.OPTION:
        return delivery
    assert listing.strike is not None, "an option has a strike"
    inside = delivery - listing.strike
    paid = max(inside if listing.right is Right.CALL else -inside, ZERO)
    return paid / delivery if listing.inverse else paid


def fee(
    listing: Listing,
    amount: Decimal,
    price: Decimal,
    rate: Decimal,
    index: Decimal,
    mark: Decimal = ZERO,
) -> Decimal:
    """What trading `amount` (unsigned) at `price` costs, in settlement currency; negative: rebate.

    Options: rate per coin (times the `index` in USDC when linear), never more than 12.5 % of the
    premium, or of what the option is worth at its `mark`. Perpetuals and futures: rate of the
    notional, amount / price coin when inverse. See `FeeBasis`.
    Source: the venue's published fee schedule (support article 25944746248989).
    """
    if listing.kind is Kind.OPTION:
        per_coin = rate if listing.inverse else rate * index
        capped = mark if listing.fee_basis.cap_at_mark else price
        owed = min(per_coin * amount, OPTION_FEE_CAP_OF_PREMIUM * capped * amount)
    elif listing.inverse:
        owed = rate * amount / price
    else:
        owed = rate * amount * (index if listing.fee_basis.at_index else price)
    return owed.quantize(MONEY_STEP)
