"""The frozen windows: what a strategy looks through, what a risk rule and a guard see."""

from collections.abc import Mapping
from decimal import Decimal
from math import nan
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from mmbot.core.chains import Chain
from mmbot.core.contracts import Instrument
from mmbot.core.order_to_volume import Traffic
from mmbot.core.references import NO_REFERENCES, Reference
from mmbot.core.types import Level, Nanos, Target
from mmbot.core.why import Why

NO_SIGNALS: Mapping[str, float | None] = MappingProxyType({})


class MarketView(Struct):
    """One market as a pricer may see it: the others' best levels, and the venue's own references.
    Fields as in `View`."""

    instrument: Instrument
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    mark: float
    index: float
    forward: float
    mark_iv: float | None
    delta: float | None
    row: int = -1
    """Of an option in a chain, its row there."""


class Valuation(NamedTuple):
    """What an instrument is worth by a model, in price units, and what the model says besides."""

    fair: float
    sigma: float | None = None
    """Volatility the value was built on, fraction per year; None: the model has none."""
    delta: float | None = None
    """Coin per unit of amount; None: the model has none, and the venue's stands."""
    model: str = ""
    """What it was built on, in a word or two, for people ..."""
    why: Why | None = None
    """... and why on nothing better, where something better was wanted."""
    forward: float | None = None
    """USD per coin that an option was valued on; None: the venue's."""


class View(Struct, frozen=True, gc=False):
    """One instrument as a strategy may see it. Prices and amounts as in core.types.

    `bids` and `asks` are the best levels with our own orders taken out (held at the last known
    good reference while one of ours is in flight). The book has passed every check of
    core.books before a strategy is asked. `worst_long` and `worst_short` are the position if
    everything of ours resting, in flight or unknown on that side were filled.
    """

    instrument: Instrument
    now_ns: Nanos
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    mark: float
    """The venue's mark price."""
    index: float
    """USD per coin of the underlying."""
    forward: float
    """The price options are priced on; the index where the venue gives none."""
    fair: float
    """What it is worth by the desk's pricer, moved by a person's vol offset."""
    mark_iv: float | None
    delta: float | None
    """The pricer's, or else the venue's."""
    min_price: float | None
    max_price: float | None
    position: Decimal
    worst_long: Decimal
    worst_short: Decimal
    book_age_ns: Nanos
    """Since the book or its link last gave a sign of life."""
    desk: "DeskView"
    references: Mapping[str, Reference] = NO_REFERENCES
    """By source: the newest price of the underlying elsewhere, in USD per coin."""
    sigma: float | None = None
    """Volatility that fair value was built on, where the pricer says."""
    signals: Mapping[str, float | None] = NO_SIGNALS
    """What the desk's signals say of this instrument, by name; None: not known yet."""
    chain: Chain | None = None
    """The options that are valued with this one, to be read only; None where the pricer does
    without ..."""
    row: int = -1
    """... and which of them it is."""

    @property
    def bid(self) -> float | None:
        """Best bid of the others."""
        return self.bids[0][0] if self.bids else None

    @property
    def ask(self) -> float | None:
        """Best ask of the others."""
        return self.asks[0][0] if self.asks else None

    @property
    def mid(self) -> float:
        """Middle between the others' best prices; fair where a side is missing."""
        bid, ask = self.bid, self.ask
        return self.fair if bid is None or ask is None else (bid + ask) / 2


class DeskView(Struct, frozen=True, gc=False):
    """What one market must know of the others.

    `others_coin`: worst-case exposure of all other instruments on the same underlying, in coin
    (sum over instruments of the larger absolute position if one side filled), with what the account
    holds where no desk trades.
    """

    others_coin: Decimal


class HedgedMarket(Struct, frozen=True, gc=False):
    """One market as a hedger may see it. Our own orders are in its book."""

    instrument: Instrument
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    mark: float | None
    index: float | None
    position: Decimal
    delta_coin: float | None
    """Delta of the position, in coin of the underlying; None while it is not known."""
    of_desk: bool
    """Whether the hedger's own desk trades it."""


class HedgeView(Struct, frozen=True, gc=False):
    """A desk as its hedger may see it: every market that a desk of the engine trades."""

    now_ns: Nanos
    markets: tuple[HedgedMarket, ...]


class Proposal(Struct, frozen=True, gc=False):
    """A target on its way to approval, with what a rule needs to judge it.

    `worst_position` is the position this target adds to in the worst case: the position plus
    everything of ours on the same side that is not in this target's own slot.
    `opposite` is the best price we want or have on the other side of this instrument.
    """

    target: Target
    worst_position: Decimal
    opposite: Decimal | None


class Allow(Struct, frozen=True, gc=False):
    """No objection."""


class Shrink(Struct, frozen=True, gc=False):
    """Not more than `size`."""

    size: Decimal
    why: Why


class Block(Struct, frozen=True, gc=False):
    """Not at all: the slot is emptied, and an order resting in it is cancelled."""

    why: Why


Verdict = Allow | Shrink | Block
ALLOW = Allow()


# --- guards -----------------------------------------------------------------------------------


class Holding(Struct, frozen=True, gc=False):
    """A position that is not flat; `opening` is the part that was there before us, `index` and
    `mark` what its market is priced at, NaN where that is not known."""

    instrument: Instrument
    amount: Decimal
    opening: Decimal
    index: float = nan
    mark: float = nan


class Margin(Struct, frozen=True, gc=False):
    """One currency's account value and the maintenance margin its positions need, both in it; with
    cross margin, the whole portfolio's margin balance and what all of it needs."""

    currency: str
    equity: Decimal
    maintenance: Decimal
    venue: str = ""


class RiskSnapshot(Struct, frozen=True, gc=False):
    """All accounts at one moment, as a guard may see them."""

    now_ns: Nanos
    session_usd: float
    """Trading profit of this run (core.profit) ..."""
    day_usd: float
    """... since the day began, UTC ..."""
    drawdown_usd: float
    """... and how far it is below its peak, restarts included; never negative."""
    positions: tuple[Holding, ...]
    silent_ns: Nanos
    """Since any market gave a sign of life."""
    sent: int
    refused: int
    """Places and amends of the last minute, and how many of them the venue refused."""
    mismatch: str
    """The first position that disagrees with our fills, both numbers; empty while all agree."""
    mismatch_ns: Nanos
    """For how long one has."""
    skew_ns: Nanos
    """How far desk time and a venue's clock are apart at least, and ..."""
    margins: tuple[Margin, ...]
    """By account and currency."""
    traffic: tuple[Traffic, ...]
    """Every account's messages and trades of the last hour."""
    skew_venue: str = ""
    """... which venue's that is."""
    venues: tuple[str, ...] = ()
    """What is traded at."""
    reference_ages: Mapping[str, Nanos] = MappingProxyType({})
    """By source: the age of the newest of its prices, by both clocks."""

    def at(self, venue: str) -> str:
        """Words for the end of a sentence that is about one of several venues."""
        return f" at {venue}" if len(self.venues) > 1 else ""


class Ok(Struct, frozen=True, gc=False):
    """Within the limit; `used` is the share of it in use."""

    used: float = 0.0


class Pause(Struct, frozen=True, gc=False):
    """No quotes while this is said; they come back by themselves."""

    why: Why
    detail: str


class Slow(Struct, frozen=True, gc=False):
    """Fewer requests while this is said: nothing is moved that merely lags behind the market."""

    why: Why
    detail: str


class Trip(Struct, frozen=True, gc=False):
    """The kill switch: everything is cancelled, and only a person re-arms."""

    why: Why
    detail: str


GuardVerdict = Ok | Slow | Pause | Trip
