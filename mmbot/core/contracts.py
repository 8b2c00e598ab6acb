"""Contracts: what is traded, on which grid, and what it is worth, pays and costs.

Units as in core.types. `Instrument.snap_price` and `snap_size` are the one place where a model's
float becomes an order's Decimal.
"""

from dataclasses import dataclass
from decimal import Decimal

from mmbot.core.types import ONE, ZERO, InstrumentId, Kind, Nanos, Right, Side, to_decimal


@dataclass(frozen=True, slots=True)
class TickStep:
    """From `above` (inclusive) upward, prices move in steps of `tick`."""

    above: Decimal
    tick: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One tradable contract, with the venue's current grid.

    `contract_size` is the amount of one contract; `fee` rates are fractions; an option fee is
    capped at `fee_cap` of the premium. `expiry_ns` is desk time, None for perpetuals.
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
    min_amount: Decimal
    amount_step: Decimal
    tick: Decimal
    tick_steps: tuple[TickStep, ...] = ()
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    fee_cap: Decimal = Decimal("0.125")
    strike: Decimal | None = None
    right: Right | None = None
    expiry_ns: Nanos | None = None

    def tick_at(self, price: Decimal) -> Decimal:
        """The tick that holds at `price`: the largest `above` not beyond it decides."""
        tick = self.tick
        for step in self.tick_steps:
            if step.above <= price:
                tick = step.tick
        return tick

    def snap_price(self, price: float | Decimal, side: Side) -> Decimal | None:
        """The nearest price on the grid away from the market: bids down, asks up.

        None when nothing on the grid is left (a bid below one tick) or the price is not finite.
        """
        if isinstance(price, float):
            if price != price or price in (float("inf"), float("-inf")):
                return None
            price = to_decimal(price)
        if price <= 0 and side is Side.BUY:
            return None
        tick = self.tick_at(price)
        if price <= 0:
            return tick
        ticks, beyond = divmod(price, tick)
        if side is Side.SELL and beyond:
            ticks += 1
        return ticks * tick if ticks else None

    def step_price(self, price: Decimal, ticks: int) -> Decimal:
        """`price` moved by that many ticks along the ladder (never below zero)."""
        while ticks > 0:
            price, ticks = price + self.tick_at(price), ticks - 1
        if ticks < 0:
            finest = min([self.tick, *[step.tick for step in self.tick_steps]])
            while ticks < 0 and price > 0:
                # On a boundary of the ladder the step down is the tick of the range below.
                price, ticks = max(ZERO, price - self.tick_at(price - finest)), ticks + 1
        return price

    def is_price(self, price: Decimal) -> bool:
        """Whether something can be worth that: only an option can be worth nothing."""
        return price > 0 or (price == 0 and self.kind is Kind.OPTION)

    def on_grid(self, price: Decimal) -> bool:
        """Whether the venue would accept this price's last digit."""
        return price > 0 and price % self.tick_at(price) == 0

    def snap_size(self, size: float | Decimal) -> Decimal:
        """The size rounded down to the lot; zero when below the venue's minimum or not finite."""
        if not isinstance(size, Decimal):
            size = to_decimal(size)
        if not size.is_finite():
            return ZERO
        snapped = (size // self.amount_step) * self.amount_step
        return snapped if snapped >= self.min_amount else ZERO

    def value(self, amount: Decimal, price: Decimal) -> Decimal:
        """Worth of holding `amount` at `price`, in settlement currency.

        Linear kinds and options: amount x price. Inverse perpetuals and futures (amount in USD):
        -amount / price, so that the profit of a long from p0 to p1 is A (1/p0 - 1/p1) coin.
        """
        if self.inverse and self.kind is not Kind.OPTION:
            return -amount / price
        return amount * price

    def payoff(self, delivery: Decimal) -> Decimal:
        """What one unit of amount is worth at expiry, in the quote unit, when the underlying is
        delivered at `delivery` (USD). Options: the intrinsic value, in coin where they are inverse;
        futures: the delivery price itself."""
        if self.kind is not Kind.OPTION:
            return delivery
        assert self.strike is not None
        inside = delivery - self.strike
        if self.right is Right.PUT:
            inside = -inside
        worth = max(ZERO, inside)
        return worth / delivery if self.inverse else worth

    def fee(self, amount: Decimal, price: Decimal, rate: Decimal, index: Decimal) -> Decimal:
        """The fee for trading `amount` (> 0) at `price`, in settlement currency.

        Options: min(rate x amount [x index if linear], cap x price x amount). Inverse perpetuals
        and futures: rate x amountUSD / price. Linear: rate x amount x price. (Deribit fees.)
        """
        if self.kind is Kind.OPTION:
            underlying = ONE if self.inverse else index
            fee = min(abs(rate) * amount * underlying, self.fee_cap * price * amount)
            return fee if rate >= 0 else -fee
        if self.inverse:
            return rate * amount / price
        return rate * amount * price

    def coin(self, amount: Decimal, index: Decimal) -> Decimal:
        """Delta-one notional of `amount` in coin of the underlying (`index` in USD)."""
        if self.inverse and self.kind is not Kind.OPTION:
            return amount / index
        return amount
