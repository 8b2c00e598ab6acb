"""The nouns: what is traded, what is wanted, what happened.

Units, everywhere in mmbot:

* a *price* is in the instrument's quote unit: coin for inverse options (0.0130 = 0.013 ETH),
  US dollars for inverse perpetuals and futures, USDC for linear instruments, dollars a share of YES
  (0 to 1) for binaries;
* an *amount* (size) is in the venue's amount unit: US dollars for inverse perpetuals and futures,
  coin of the underlying for options and linear instruments, shares for binaries;
* money is in the instrument's settlement currency.

Decimal for orders and money, float for models. `Instrument.snap_price` and `snap_size` are the
one place where a model's float becomes an order's Decimal.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NewType

from msgspec import Struct

from mmbot.core.why import Why

InstrumentId = NewType("InstrumentId", str)
"""`venue:venue_name`, for example `deribit:ETH-6JUN25-2800-C`."""

_IDS_KEPT = 8192


@lru_cache(_IDS_KEPT)
def venue_name(instrument: InstrumentId) -> str:
    """The venue an instrument is traded at."""
    return instrument.partition(":")[0]


def instrument_name(instrument: InstrumentId) -> str:
    """The venue's own name of an instrument; empty where the venue did not say."""
    return instrument.partition(":")[2]


def told_apart(instruments: Iterable[InstrumentId]) -> dict[InstrumentId, str]:
    """What people call each of these: its venue's name of it, with the venue before it where two
    venues have one of that name."""
    known = dict.fromkeys(instruments)
    count = Counter(map(instrument_name, known))
    return {one: name if count[name := instrument_name(one)] == 1 else str(one) for one in known}


@lru_cache(_IDS_KEPT)
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
        return SELL if self is BUY else BUY


BUY, SELL = Side  # where turns are decided: a member looked up by its class costs a Python call


class Kind(Enum):
    """What kind of contract an instrument is."""

    OPTION = "option"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    BINARY = "binary"

    __hash__ = object.__hash__  # as Side's


OPTION, PERPETUAL, FUTURE, BINARY = Kind  # as BUY and SELL


class Right(Enum):
    """What an option gives; of a binary, on which side of the strike YES wins: above (CALL)."""

    CALL = "call"
    PUT = "put"


class Owner(Enum):
    """Who wants an order: the desk that quotes the instrument, or a hedger."""

    DESK = "desk"
    HEDGE = "hedge"

    __hash__ = object.__hash__  # as Side's


DESK, HEDGE = Owner


class TimeInForce(Enum):
    """How long an order stays open: until it is cancelled, or not at all beyond its arrival."""

    GTC = "GTC"
    IOC = "IOC"


GTC, IOC = TimeInForce


Slot = tuple[Side, Owner, int]
"""Which order of ours on one instrument: side, owner, level."""


class Term(Struct, frozen=True, gc=False):
    """One addend of a quote, for `explain`: fair, skew, edge ... in price units."""

    name: str
    value: float


class Quote(Struct, frozen=True, gc=False):
    """What is wanted in one slot: a model's price and size, not yet on the grid. The core sets the
    owner.

    `requote_threshold` is how far (price units) the resting order may lag behind this quote towards
    the market's far side before it is worth a request. `danger` is how far it may lead, being more
    aggressive than this quote, before it is moved; with 0 it is moved from one tick on. `fair` is
    the value the quote was built around. `clamp` names the bound that had the last word, if any.
    """

    side: Side
    price: float
    size: float
    fair: float
    why: Why
    level: int = 0
    requote_threshold: float = 0.0
    terms: tuple[Term, ...] = ()
    clamp: Why | None = None
    danger: float = 0.0
    owner: Owner = Owner.DESK


class Target(Struct, frozen=True, gc=False):
    """A quote on the venue's grid: price and size as they would leave the bot."""

    instrument: InstrumentId
    side: Side
    level: int
    price: Decimal
    size: Decimal
    fair: float
    why: Why
    requote_threshold: Decimal = ZERO
    post_only: bool = True
    reduce_only: bool = False
    danger: Decimal = ZERO
    owner: Owner = Owner.DESK
    time_in_force: TimeInForce = TimeInForce.GTC

    @property
    def slot(self) -> Slot:
        """Which order of ours on the instrument it is."""
        return self.side, self.owner, self.level

    @property
    def priority(self) -> int:
        """Where requests are short, more goes before less; 0 waits for what is at stake."""
        return 1 if self.owner is HEDGE else 0


if TYPE_CHECKING:  # as NewType has it, which mypy cannot take of a Struct

    class Approved(Target, frozen=True):
        """A target every risk rule has seen. Only these reach `diff`; the type checker is the
        guard."""

        def __init__(self, target: Target) -> None: ...

else:
    Approved = NewType("Approved", Target)


Level = tuple[float, float]
"""(price, amount) of one book level."""
