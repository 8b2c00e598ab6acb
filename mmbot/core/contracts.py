"""Contracts: what is traded, what it is worth, pays and costs, and what it counts as.

Theory of operation
-------------------
Everything that depends on the kind of a contract is said here, under a name for what it means, so
that the rest of the core never asks for the kind. Units as in core.types.

    kind                       price            amount   worth of holding   pays at expiry
    linear perpetual, future   USDC             coin     amount x price     the delivery price
    inverse perpetual, future  US dollars       dollars  -amount / price    the delivery price
    option priced in coin      coin             coin     amount x price     intrinsic / delivery
    option priced in USDC      USDC             coin     amount x price     intrinsic
    binary                     dollars a share  shares   amount x price     1 or 0

A binary market is one instrument: the price is that of YES, the position net = YES - NO. To sell
is to sell YES that is held or to buy NO at 1 - price; the venue's adapter carries out either. A
pair of YES and NO pays 1 whatever happens, so profit follows from the net alone.
"""

from dataclasses import dataclass
from decimal import Decimal

from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.grid import Grid
from mmbot.core.types import (
    BINARY,
    FUTURE,
    ONE,
    OPTION,
    PERPETUAL,
    SELL,
    ZERO,
    InstrumentId,
    Kind,
    Nanos,
    Right,
    Side,
)

_IMPLAUSIBLE_SHARE = {
    OPTION: 0.30,
    PERPETUAL: 0.02,
    FUTURE: 0.05,
    BINARY: 0.30,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One tradable contract, with the venue's current grid.

    `contract_size` is the amount of one contract. `strike`, `right` and `expiry_ns` (desk time) are
    those of what expires: a binary's YES wins above its strike (CALL) or below it (PUT), and
    `tie_pays` says whether it also wins exactly there. Venues differ (Polymarket settles >= as up,
    Degen > as YES); where a venue does not say, YES does not win a tie.
    """

    id: InstrumentId
    venue: str
    name: str
    symbol: str
    kind: Kind
    underlying: str
    settlement: str
    inverse: bool
    contract_size: Decimal
    grid: Grid
    fees: Fees
    strike: Decimal | None = None
    right: Right | None = None
    tie_pays: bool = False
    expiry_ns: Nanos | None = None

    # --- what it is, by what that means -----------------------------------------------------------

    @property
    def counted_in_usd(self) -> bool:
        """Whether amounts are US dollars of the underlying: inverse perpetuals and futures."""
        return self.inverse and self.kind is not OPTION

    @property
    def counted_in_coin(self) -> bool:
        """Whether amounts are coin of the underlying: options, linear perpetuals and futures."""
        kind = self.kind
        return kind is OPTION or (kind is not BINARY and not self.inverse)

    @property
    def counted_in_shares(self) -> bool:
        """Whether amounts are shares that pay one dollar or nothing, and no coin or dollars of an
        underlying."""
        return self.kind is BINARY

    @property
    def priced_in_coin(self) -> bool:
        """Whether the price is in coin of the underlying: inverse options."""
        return self.inverse and self.kind is OPTION

    @property
    def premium_paid(self) -> bool:
        """Whether its price changes hands when it is traded, and not only the profit."""
        return self.kind is OPTION or self.kind is BINARY

    @property
    def may_be_worthless(self) -> bool:
        """Whether a price of zero is one: options and binaries can come to nothing."""
        return self.kind is OPTION or self.kind is BINARY

    @property
    def counted_by_underlying(self) -> bool:
        """Whether its notional is that of the underlying, and not what is paid: options."""
        return self.kind is OPTION

    @property
    def has_vega(self) -> bool:
        """Whether its worth is a volatility's: options. A binary's sensitivity changes its sign at
        the strike, so a volatility says nothing of which way to lean."""
        return self.kind is OPTION

    @property
    def moves_with_coin(self) -> bool:
        """Whether one coin of it moves as a coin does: perpetuals and futures. What others move by
        is their delta, which the venue or a model must say."""
        return self.kind is PERPETUAL or self.kind is FUTURE

    @property
    def fair_is_mark(self) -> bool:
        """Whether the venue's mark says better what it is worth than its own book: an option's
        book is wide and thin, and its mark a model's."""
        return self.kind is OPTION

    @property
    def implausible_share(self) -> float:
        """How far the middle of a sound book may be from the mark, as a share of the mark."""
        return _IMPLAUSIBLE_SHARE[self.kind]

    @property
    def may_be_wide(self) -> bool:
        """Whether a sound book may be so wide that its middle says little: options, binaries."""
        return self.kind is OPTION or self.kind is BINARY

    def is_price(self, price: Decimal) -> bool:
        """Whether something can be worth that: what can come to nothing may be at zero, and a
        share is never worth more than the dollar it may pay."""
        if self.kind is BINARY:
            return 0 <= price <= 1
        return price > 0 or (price == 0 and self.may_be_worthless)

    # --- the grid ---------------------------------------------------------------------------------

    def tick_at(self, price: Decimal) -> Decimal:
        """The tick that holds at `price`."""
        return self.grid.tick_at(price)

    def snap_price(self, price: float | Decimal, side: Side) -> Decimal | None:
        """The nearest price on the grid away from the market, or None; see `Grid.snap_price`."""
        return self.grid.snap_price(price, side)

    def step_price(self, price: Decimal, ticks: int) -> Decimal:
        """`price` moved by that many ticks along the ladder (never below zero)."""
        return self.grid.step_price(price, ticks)

    def on_grid(self, price: Decimal) -> bool:
        """Whether the venue would accept an order at this price."""
        return self.grid.on_grid(price)

    def snap_size(self, size: float | Decimal) -> Decimal:
        """The size rounded down to the lot; zero when below the venue's minimum or not finite."""
        return self.grid.snap_size(size)

    def least_amount(self, price: Decimal, side: Side) -> Decimal:
        """The smallest order the venue takes at that price. What counts towards a least notional is
        what the order costs: for the seller of a binary, NO at 1 - price."""
        if self.grid.min_notional is None:
            return self.grid.min_amount
        if self.counted_in_usd:
            return self.grid.least_amount(ONE)
        return self.grid.least_amount(
            ONE - price if self.counted_in_shares and side is SELL else price
        )

    # --- money ------------------------------------------------------------------------------------

    def value(self, amount: Decimal, price: Decimal) -> Decimal:
        """Worth of holding `amount` at `price`, in settlement currency.

        Linear kinds, options and binaries: amount x price. Inverse perpetuals and futures (amount
        in USD): -amount / price, so that the profit of a long from p0 to p1 is A (1/p0 - 1/p1)
        coin. A short of a binary is NO, bought at 1 - price: its worth here is a dollar a share
        less than NO's, when it is bought and at every mark after, so that the profit is NO's.
        """
        if self.inverse and self.kind is not OPTION:
            return -amount / price
        return amount * price

    def payoff(self, delivery: Decimal) -> Decimal:
        """What one unit of amount is worth at expiry, in the quote unit, when the underlying is
        delivered at `delivery` (USD). Options: the intrinsic value, in coin where they are inverse;
        binaries: 1 where YES wins, else 0; futures: the delivery price itself."""
        if self.kind is OPTION:
            worth = max(ZERO, self._inside(delivery))
            return worth / delivery if self.inverse else worth
        if self.kind is BINARY:
            inside = self._inside(delivery)
            return ONE if inside > 0 or (inside == 0 and self.tie_pays) else ZERO
        return delivery

    def _inside(self, delivery: Decimal) -> Decimal:
        """How far a delivery lies on the winning side of the strike (USD)."""
        assert self.strike is not None
        inside = delivery - self.strike
        return -inside if self.right is Right.PUT else inside

    def fee(
        self, amount: Decimal, price: Decimal, index: Decimal, *, taker: bool = False
    ) -> Decimal:
        """The fee for trading `amount` (> 0) at `price`, in settlement currency (`index`: USD per
        coin of the underlying)."""
        fees = self.fees
        rate = fees.taker if taker else fees.maker
        part = abs(rate) * amount
        match fees.basis:
            case FeeBasis.NOTIONAL:
                fee = abs(self.value(part, price))
            case FeeBasis.INDEX:
                fee = part if self.priced_in_coin else part * index
            case FeeBasis.VARIANCE:
                fee = part * price * (ONE - price)
        if fees.cap is not None:
            fee = min(fee, abs(self.value(fees.cap * amount, price)))
        if rate < 0:
            fee = -fee
        return fee + fees.base if taker else fee

    def coin(self, amount: Decimal, index: Decimal) -> Decimal:
        """Delta-one notional of `amount` in coin of the underlying (`index` in USD).

        Nothing for a binary: its delta depends on time and distance to the strike and has no bound
        near expiry, while its loss is bounded by what it cost. A share is no coin, and limits in
        coin do not hold it: those in its own unit and in dollars do.
        """
        if self.kind is BINARY:
            return ZERO
        if self.inverse and self.kind is not OPTION:
            return amount / index
        return amount
