"""What a chain of 1,000 options costs: price, greeks and a bid and ask for each, as arrays.

The *floor* is price and greeks by Black (1976) in bare numpy and scipy.special.ndtr, ln(F/K) and
sqrt(T) kept from the last time, as the hot path keeps them: nothing is checked. Ours has the checks
of `black76.value` (no forward, expiry, the last day) and the quotes on top.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.special import ndtr

from mmbot.pricing.black76 import DAYS_PER_YEAR, Array, implied_vol, price, value
from tests.benchmarks.blocks import Blocks, alternate

FLOOR: Final = "numpy: price and greeks"
OURS: Final = "mmbot, price and greeks"
QUOTED: Final = "mmbot, and quotes"
UNKEPT: Final = "mmbot, and quotes, nothing kept"
IMPLIED: Final = "mmbot, implied volatilities"

OPTIONS: Final = 1_000
BLOCK: Final = 50
TICK: Final = 0.0001
FORWARD: Final = 60_000.0


class Chain:
    """Twenty expiries from six hours to a year, 25 strikes each, calls and puts."""

    def __init__(self) -> None:
        days = np.geomspace(0.25, 365.0, 20)
        deviations = np.linspace(-2.5, 2.5, 25)
        years, moved = (grid.ravel() for grid in np.meshgrid(days / DAYS_PER_YEAR, deviations))
        self.years = np.tile(years, 2)
        self.vol = np.tile(0.6 + 0.03 * moved * moved, 2)
        self.strike = np.tile(FORWARD * np.exp(moved * 0.6 * np.sqrt(years)), 2)
        self.sign = np.repeat([1.0, -1.0], OPTIONS // 2)
        self.forward = np.full(OPTIONS, FORWARD)
        self.log_moneyness = np.log(self.forward / self.strike)
        self.sqrt_years = np.sqrt(self.years)
        self.price = price(FORWARD, self.strike, self.years, self.vol, self.sign, inverse=True)

    def floor(self) -> tuple[Array, ...]:
        """Price, delta, gamma, vega and theta."""
        w = self.vol * self.sqrt_years
        d1 = self.log_moneyness / w + 0.5 * w
        density = np.exp(-0.5 * d1 * d1) * 0.3989422804014327
        delta = self.sign * ndtr(self.sign * d1)
        coin = delta - self.sign * (self.strike / self.forward) * ndtr(self.sign * (d1 - w))
        gamma = density / (100.0 * w)
        vega = self.forward * density * self.sqrt_years * 0.01
        theta = self.forward * density * (self.vol * self.vol) / (w * (-2.0 * DAYS_PER_YEAR))
        return coin, delta, gamma, vega, theta

    def ours(self) -> tuple[Array, ...]:
        """The same."""
        return value(
            self.forward,
            self.strike,
            self.years,
            self.vol,
            self.sign,
            inverse=True,
            log_moneyness=self.log_moneyness,
            sqrt_years=self.sqrt_years,
        )

    def quoted(self) -> tuple[Array, ...]:
        """With bid and ask."""
        found = self.ours()
        return (*found, *quotes(found[0], found[3]))

    def unkept(self) -> tuple[Array, ...]:
        """With the logarithms and roots, too."""
        found = value(self.forward, self.strike, self.years, self.vol, self.sign, inverse=True)
        return (*found, *quotes(found[0], found[3]))

    def implied(self) -> tuple[Array, ...]:
        """The volatilities of all prices."""
        terms = (self.forward, self.strike, self.years, self.sign)
        return (implied_vol(self.price, *terms, inverse=True),)


def quotes(fair: Array, vega_usd: Array) -> tuple[Array, Array]:
    """Bid and ask a tick and half a vol point around fair, outward on the grid."""
    half = vega_usd * (0.5 / FORWARD / TICK)
    half += 1.0
    middle = fair * (1.0 / TICK)
    bid = np.floor(middle - half)
    middle += half
    ask = np.ceil(middle)
    bid *= TICK
    ask *= TICK
    return bid, ask


def contestants() -> dict[str, Callable[[], tuple[Array, ...]]]:
    """What values the chain, by name."""
    chain = Chain()
    return {
        FLOOR: chain.floor,
        OURS: chain.ours,
        QUOTED: chain.quoted,
        UNKEPT: chain.unkept,
        IMPLIED: chain.implied,
    }


def pricing_ns(rounds: int) -> dict[str, Blocks]:
    """Nanoseconds of single passes by contestant, in alternating blocks, after one that warms
    up."""
    passes = contestants()

    def measure(name: str) -> list[int]:
        taken = []
        for _ in range(BLOCK):
            started = time.perf_counter_ns()
            passes[name]()
            taken.append(time.perf_counter_ns() - started)
        return taken

    for name in passes:
        measure(name)
    return alternate(passes, -(-rounds // BLOCK), measure)
