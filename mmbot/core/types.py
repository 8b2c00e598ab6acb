"""The nouns: what is traded, what is wanted, what happened.

Units, everywhere in mmbot:

* a *price* is in the instrument's quote unit: coin for inverse options (0.0130 = 0.013 ETH),
  US dollars for inverse perpetuals and futures, USDC for linear instruments;
* an *amount* (size) is in the venue's amount unit: US dollars for inverse perpetuals and futures,
  coin of the underlying for options and linear instruments;
* money is in the instrument's settlement currency.

Decimal for orders and money, float for models. `Instrument.snap_price` and `snap_size` are the
one place where a model's float becomes an order's Decimal.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import NewType

from mmbot.core.why import Why

InstrumentId = NewType("InstrumentId", str)
"""`venue:venue_name`, for example `deribit:ETH-6JUN25-2800-C`."""


def venue_name(instrument: InstrumentId) -> str:
    """The venue an instrument is traded at."""
    return instrument.partition(":")[0]


def instrument_name(instrument: InstrumentId) -> str:
    """The venue's own name of an instrument; empty where the venue did not say."""
    return instrument.partition(":")[2]


def unnamed(venue: str) -> InstrumentId:
    """Where an order is of which the venue does not say the instrument."""
    return InstrumentId(f"{venue}:")


Label = NewType("Label", str)
"""Our name for an order: `mm<run, base 36>-<sequence, base 36>`."""

Nanos = int
"""A moment or a duration in nanoseconds; moments are desk time (DESIGN: clocks)."""

MS: Nanos = 1_000_000
SECOND: Nanos = 1_000_000_000

ZERO = Decimal(0)
ONE = Decimal(1)

_MODEL_DIGITS = 10
"""A model's float is rounded to this many decimals before it meets the grid, so that binary
noise (0.013000000000000001) cannot push a price one tick outward."""

_DECIMALS_KEPT = 4096


# Prices and marks come back many times a turn and between turns; a text costs ten lookups.
@lru_cache(_DECIMALS_KEPT)
def to_decimal(value: float) -> Decimal:
    """A model's float as the Decimal a person would have written."""
    # Some JSON writes whole numbers as integers: they are the same number, digit for digit.
    # + 0: there is one zero, not two.
    return Decimal(repr(round(float(value), _MODEL_DIGITS) + 0))


class Side(Enum):
    """Which way we trade. Bids buy, asks sell."""

    BUY = "buy"
    SELL = "sell"

    sign: int
    """+1 for a buy, -1 for a sell: the sign of the position it adds."""

    def __init__(self, word: str) -> None:
        self.sign = 1 if word == "buy" else -1

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python call

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Kind(Enum):
    """What kind of contract an instrument is."""

    OPTION = "option"
    PERPETUAL = "perpetual"
    FUTURE = "future"


class Right(Enum):
    """What an option gives."""

    CALL = "call"
    PUT = "put"


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


@dataclass(frozen=True, slots=True)
class Term:
    """One addend of a quote, for `explain`: fair, lean, edge ... in price units."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Quote:
    """What a strategy wants at one (side, level): a model's price and size, not yet on the grid.

    `patience` is how far (price units) the resting order may lag behind this quote towards the
    market's far side before it is worth a request. `danger` is how far it may lead, being more
    aggressive than this quote, before it is moved; with 0 it is moved from one tick on. `fair` is
    the value the quote was built around. `clamp` names the bound that had the last word, if any.
    """

    side: Side
    price: float
    size: float
    fair: float
    why: Why
    level: int = 0
    patience: float = 0.0
    terms: tuple[Term, ...] = ()
    clamp: Why | None = None
    danger: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """A quote on the venue's grid: price and size as they would leave the bot."""

    instrument: InstrumentId
    side: Side
    level: int
    price: Decimal
    size: Decimal
    fair: float
    why: Why
    patience: Decimal = ZERO
    post_only: bool = True
    reduce_only: bool = False
    danger: Decimal = ZERO

    @property
    def slot(self) -> tuple[Side, int]:
        """Which order of ours on the instrument it is: side and level."""
        return self.side, self.level


Approved = NewType("Approved", Target)
"""A target every risk rule has seen. Only these reach `diff`; the type checker is the guard."""


class Liquidity(Enum):
    """Whether a fill made or took."""

    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution; `fee` in `fee_currency`. `liquidity` is None where the venue does not say.

    `trade_id` and `side` together are unique per venue and account: a trade with ourselves is two
    executions under one id.
    """

    trade_id: str
    instrument: InstrumentId
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity | None
    order_id: str
    label: Label | None
    venue_ms: int
    mark: Decimal | None = None
    index: Decimal | None = None

    @property
    def key(self) -> str:
        """What it is booked under, once."""
        return execution_key(self.trade_id, self.side)


def execution_key(trade_id: str, side: Side) -> str:
    """The name of one execution on an account."""
    return f"{trade_id} {side.value}"


@dataclass(frozen=True, slots=True)
class Greeks:
    """Per unit of amount, or summed over a book; units as in TRADING section 1.

    delta in coin, gamma in coin per 1 % move, vega in USD per vol point, theta in USD per day.
    """

    delta_coin: float = 0.0
    gamma_coin_per_pct: float = 0.0
    vega_usd_per_vol_point: float = 0.0
    theta_usd_per_day: float = 0.0


class FlowKind(Enum):
    """What moved money on the account other than a trade."""

    FUNDING = "funding"
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Money that moved without a trade; `ref` is unique per venue and account.

    Funding: `money` received (negative: paid), in `currency`. Settlement: the venue paid out
    `money`, what a perpetual or a future earned in the session; as profit it is counted already.
    Delivery: the position of an expired instrument ends at `price` (its payoff, in the quote unit)
    for `fee`. Transfer: `money` came in or went out; no instrument. `index`: USD per coin at that
    moment, where it is known.
    """

    ref: str
    kind: FlowKind
    instrument: InstrumentId | None
    currency: str
    money: Decimal
    venue_ms: int
    price: Decimal | None = None
    fee: Decimal = ZERO
    index: Decimal | None = None


Level = tuple[float, float]
"""(price, amount) of one book level."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order as the venue states it (in a snapshot). What it does not say is None, but for the
    price of an order that has none. To cancel it, the id is enough."""

    order_id: str
    label: Label | None
    instrument: InstrumentId | None
    side: Side | None
    price: Decimal | None
    amount: Decimal | None
    filled: Decimal | None
    venue_ms: int = 0


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """A position as the venue states it: signed, in the instrument's amount unit."""

    instrument: InstrumentId
    amount: Decimal | None
    """None where it could not be read: then nothing is known of it, least of all that it is 0."""
    mark: Decimal | None = None
    funding: Decimal = ZERO
    """Funding of this session that is in equity but not in the balance yet."""
    terms: Instrument | None = None
    """Of an instrument that no desk trades: what is needed to reckon its exposure."""
    average: Decimal | None = None
    """The average price it was opened at, in the quote unit."""
    index: Decimal | None = None
    """USD per coin of the underlying."""
    delta: float | None = None
    """Of the whole position, in coin of the underlying."""


@dataclass(frozen=True, slots=True)
class Equity:
    """One currency's account value as the venue states it."""

    currency: str
    equity: Decimal
    balance: Decimal = field(default=ZERO)
    maintenance_margin: Decimal | None = field(default=ZERO)
    """What the positions need; below it the venue liquidates. None where it is not stated."""
    margin_balance: Decimal | None = None
    """What that is compared with; None: the equity."""
    cross: bool = False
    """The two margins are those of the whole portfolio, converted into this currency."""
