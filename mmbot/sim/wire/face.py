"""What the wire needs of the market behind it; `mmbot.sim.market.market.Market` is the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from mmbot.sim.exchange.effects import Prints
from mmbot.sim.exchange.funding import FundingHour


class Greeks(Protocol):
    """In the venue's scaling: vega in USD per vol point, theta in USD per day."""

    @property
    def delta(self) -> float:
        """Coin per coin."""

    @property
    def gamma(self) -> float:
        """Change of delta per USD."""

    @property
    def vega(self) -> float:
        """USD per vol point."""

    @property
    def theta(self) -> float:
        """USD per day."""

    @property
    def rho(self) -> float:
        """USD per percentage point of interest."""


class Stats(Protocol):
    """Of the last 24 hours; None where nothing traded. `price_change` in percent."""

    @property
    def high(self) -> float | None:
        """The highest price."""

    @property
    def low(self) -> float | None:
        """The lowest price."""

    @property
    def price_change(self) -> float | None:
        """From the first to the last price, in percent."""

    @property
    def volume(self) -> float:
        """In coin."""

    @property
    def volume_usd(self) -> float:
        """In USD."""


class Quoted(Protocol):
    """A best price and how much there is of it."""

    @property
    def price(self) -> Decimal:
        """In the instrument's price unit."""

    @property
    def total(self) -> Decimal:
        """In its amount unit."""


class Best(Protocol):
    """Best prices; None where a side is empty. A book has them."""

    @property
    def best_bid(self) -> Quoted | None:
        """To sell at."""

    @property
    def best_ask(self) -> Quoted | None:
        """To buy at."""


class MarketTicker(Protocol):
    """What the market says about one instrument now; volatilities in percent.

    The volatilities, `underlying_*` and `greeks` are None where the instrument is no option, the
    funding rates where it is no perpetual.
    """

    @property
    def index_price(self) -> float:
        """USD."""

    @property
    def mark_price(self) -> float:
        """In the instrument's price unit."""

    @property
    def min_price(self) -> float:
        """The lowest price of a sell order."""

    @property
    def max_price(self) -> float:
        """The highest price of a buy order."""

    @property
    def stats(self) -> Stats:
        """The last 24 hours."""

    @property
    def delivery_estimate(self) -> float:
        """The delivery price to expect, USD."""

    @property
    def underlying_price(self) -> float | None:
        """The forward, USD."""

    @property
    def underlying_index(self) -> str | None:
        """The future of that expiry, or a synthetic one."""

    @property
    def mark_iv(self) -> float | None:
        """The volatility of the mark."""

    @property
    def bid_iv(self) -> float | None:
        """Of the best bid; 0 without one."""

    @property
    def ask_iv(self) -> float | None:
        """Of the best ask; 0 without one."""

    @property
    def greeks(self) -> Greeks | None:
        """The greeks at the mark."""

    @property
    def current_funding(self) -> float | None:
        """The rate per 8 hours; positive: longs pay."""

    @property
    def funding_8h(self) -> float | None:
        """The mean rate of the last 8 hours."""

    @property
    def quotes(self) -> Best | None:
        """Best prices that are not the book's, of an option that is only looked at."""


class Market(Protocol):
    """Moves when it is told the time, and acts only where somebody watches."""

    def watch(self, name: str) -> None:
        """Act in that instrument from now on."""

    def glance(self, name: str) -> None:
        """Have a ticker of that option worth looking at, though nobody trades it."""

    def unglance(self, name: str) -> None:
        """Nobody looks at it any more."""

    def glanced(self, name: str) -> MarketTicker | None:
        """That ticker; None where there is a crowd, or nobody looks."""

    def unwatch(self, name: str) -> None:
        """Stop acting in that instrument."""

    def advance(self, now_ms: int) -> None:
        """Let everything happen up to that venue time."""

    def ticker(self, name: str) -> MarketTicker:
        """What there is to say about an instrument now."""

    def index(self, name: str) -> float:
        """A price index in USD."""

    def delivery_estimate(self, name: str) -> float:
        """The next delivery price of an index, USD."""

    def funding_hours(self, name: str) -> Sequence[FundingHour]:
        """A perpetual's funding by the hour, oldest first."""

    def prices(self) -> Mapping[str, float]:
        """What each coin is worth now, USD."""

    def note(self, prints: Prints) -> None:
        """Take public trades into the statistics."""
