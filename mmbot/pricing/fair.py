"""What the two sides of a book, a perpetual and its funding say about value: plain floats.

Prices are in USD per coin, sizes in any one unit, times in seconds. Rates and carry are fractions
of notional: 0.0001 is one basis point.

    mid              the middle of the best prices
    size-weighted    (bid x ask size + ask x bid size) / (bid size + ask size): with more to buy
                     than to sell the price is nearer to the ask. J. Gatheral and R. Oomen,
                     "Zero-intelligence realized variance estimation", Finance and Stochastics 14
                     (2010)
    Stoikov's        the middle plus what imbalance and spread foretold of it: stoikov.py
    forward          the perpetual times one plus the mean of (underlying price / perpetual - 1)
                     over the last minute: the perpetual is where prices change first, the venue's
                     own price of the expiry comes a second late
    funding          what longs pay shorts, by the premium over the index and a dead band
    basis carry      what a forward gains on the spot each day until it expires
"""

import math
from dataclasses import dataclass, field

from mmbot.pricing.ewma import Ewma

FUNDING_HOURS = 8.0
DEAD_BAND = 0.00025
"""No funding is paid while the premium is within 0.025 %."""

BASIS_HALF_LIFE_S = 60.0


def mid(bid: float, ask: float) -> float:
    """The middle."""
    return (bid + ask) / 2


def size_weighted(bid: float, bid_size: float, ask: float, ask_size: float) -> float | None:
    """The best prices, each weighted by the size on the other side; None where both are empty."""
    total = bid_size + ask_size
    return (bid * ask_size + ask * bid_size) / total if total else None


@dataclass(slots=True)
class ExpiryForward:
    """The forward of one expiry, led by the perpetual. A memory: plain data."""

    half_life_s: float = BASIS_HALF_LIFE_S
    _basis: Ewma = field(init=False)

    def __post_init__(self) -> None:
        self._basis = Ewma(self.half_life_s)

    def observe(self, at_s: float, underlying_price: float, perpetual: float) -> None:
        """The venue's price of the expiry (its `underlying_price`), and the perpetual's then."""
        self._basis.observe(at_s, underlying_price / perpetual - 1.0)

    def value(self, now_s: float, perpetual: float) -> float | None:
        """USD per coin, at the perpetual's price of now; None before the first observation."""
        basis = self._basis.value(now_s)
        return None if basis is None else perpetual * (1.0 + basis)


def funding_8h(mark: float, index: float, cap: float = math.inf) -> float:
    """The funding rate of 8 hours at this moment: the premium beyond the dead band, max(0.025 %, P)
    + min(-0.025 %, P) with P = (mark - index) / index, at most `cap` either way. Above 0 longs pay.
    """
    premium = (mark - index) / index
    rate = max(DEAD_BAND, premium) + min(-DEAD_BAND, premium)
    return max(-cap, min(cap, rate))


def funding_carry_per_day(rate_8h: float) -> float:
    """What a long perpetual earns in a day at that rate, as a fraction of notional: below 0 while
    longs pay. Funding accrues all the time, rate x dt / 8 h."""
    return -rate_8h * 24.0 / FUNDING_HOURS


def basis_carry_per_day(forward: float, spot: float, years: float) -> float | None:
    """What a long forward earns in a day where the spot stays, as a fraction of notional: ln(S/F)
    over the days to expiry, below 0 where the forward is dearer. None at expiry and after it."""
    days = 365.0 * years
    return math.log(spot / forward) / days if days > 0.0 else None
