"""The rules of one exchange as a value: what it lists on which terms, and how it treats orders.

What differs between kinds of exchange stands here; the exchange and the market read it. How an
exchange says things, and what it allows a connection, is its face's (sim/wire).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Final
from zlib import crc32

from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.listing import ZERO, DeliveryFee, FeeBasis, Listing
from mmbot.sim.exchange.margin import MarginTerms

OPTION_FEE: Final = Decimal("0.0003")
TAKER_FEE: Final = Decimal("0.0005")  # of perpetuals and futures, whose makers pay nothing
WEEKLY_FUTURE_REBATE: Final = Decimal("-0.0001")  # but those of weekly futures are paid


class Period(Enum):
    """Which cycle an expiry belongs to; the values are the venue's settlement periods."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class Dates(Enum):
    """How an expiry is written in names."""

    SHORT = "6JUN25"
    DIGITS = "20250606"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How a venue names what it lists; `point` stands for the decimal point in strikes."""

    dates: Dates = Dates.SHORT
    perpetual: str = "PERPETUAL"
    point: str = "d"


class Ids(Enum):
    """What the ids of orders and trades look like."""

    COUNTED = "counted"
    UUID = "uuid"

    def write(self, listing: Listing, world: str, count: int) -> str:
        """The id of the order or trade of that number."""
        if self is Ids.UUID:
            return (
                f"{crc32(world.encode()):08x}-{count >> 48:04x}-4000-8000-{count & 2**48 - 1:012x}"
            )
        # Bitcoin-settled ids are bare digits at the venue, the others carry their currency.
        prefix = "" if listing.settlement == "BTC" else f"{listing.settlement}-"
        return f"{prefix}{world}{count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTerms:
    """An option's contract; amounts in coin, prices in coin (inverse) or USDC (linear). Fees are
    rates, as those of `Listing`. `step`: of amounts, where that is not the smallest one."""

    contract: Decimal
    min_amount: Decimal
    tick: Decimal
    tick_steps: tuple[tuple[Decimal, Decimal], ...]
    maker_fee: Decimal = OPTION_FEE
    taker_fee: Decimal = OPTION_FEE
    fee_basis: FeeBasis = field(default_factory=FeeBasis)
    step: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureTerms:
    """A perpetual's and a future's contract: sized in USD (inverse) or coin (linear). `step`: of
    amounts, where that is not the contract."""

    contract: Decimal
    tick: Decimal
    maker_fee: Decimal = ZERO
    weekly_maker_fee: Decimal = WEEKLY_FUTURE_REBATE  # of a future that belongs to a week
    taker_fee: Decimal = TAKER_FEE
    fee_basis: FeeBasis = field(default_factory=FeeBasis)
    step: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Everything listed under one prefix: `ETH` (inverse), `ETH_USDC` (linear).

    Strikes are counted in `strike_unit` (USD): `strike_steps` holds (days to expiry below which,
    units) pairs. `reach` is how many deviations the ladders go out.
    """

    prefix: str
    underlying: str
    settlement: str
    options: OptionTerms
    perpetual: FutureTerms | None
    has_futures: bool
    periods: tuple[Period, ...]  # of the options
    strike_steps: tuple[tuple[float, int], ...]
    strike_unit: Decimal = Decimal(1)
    reach: float = 4.0
    index_digits: int = 2
    names: Names = field(default_factory=Names)

    @property
    def inverse(self) -> bool:
        """Whether contracts settle in their own coin."""
        return self.underlying == self.settlement

    @property
    def index_name(self) -> str:
        """The venue's name of the price index: eth_usd, eth_usdc."""
        return f"{self.underlying}_{'usd' if self.inverse else self.settlement}".lower()

    @property
    def perpetual_name(self) -> str:
        """The venue's name of the perpetual."""
        return f"{self.prefix}-{self.names.perpetual}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRules:
    """One exchange's rules.

    `families`: what is listed; none: the usual ones (`market.chain.FAMILIES`). `self_trade`: how an
    account is opened. `post_only_slides`: a post-only order that would trade is moved to one tick
    off the touch, unless it asks to be refused; without, it is refused in any case.
    `band_refuses`: no order is let in beyond the price band; without, whoever places one sees to
    it that nobody trades there. `settlement_pause_ms`: how long nobody can trade after 08:00 UTC.
    `session_ms`: how long a session of perpetuals and futures lasts, counted from there; where one
    `settles_open`, their open profit is settled with it. `realizes_at_once`: what a trade in them
    realizes, and their funding so far, is cash with the trade and does not wait for the session's
    end.
    """

    families: tuple[Family, ...] = ()
    self_trade: SelfTrade = SelfTrade.CANCEL_MAKER
    post_only_slides: bool = True
    delivery_fee: DeliveryFee = field(default_factory=DeliveryFee)
    band_refuses: bool = True
    settlement_pause_ms: int = 2_000
    session_ms: int = 86_400_000
    settles_open: bool = False
    realizes_at_once: bool = False
    margin: MarginTerms = field(default_factory=MarginTerms)
    ids: Ids = Ids.COUNTED
