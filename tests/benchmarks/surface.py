"""What a surface costs beside the floor of option mathematics, and a slice beside scipy's.

The *floor* is price and greeks of 1,000 options with the logarithms and roots at hand. A refit is
everything from bids and asks to a surface that is proved to have no arbitrage: 344 quotes of 12
expiries, implied volatilities included, and it is warm: the market has moved a little since the
last one (forward 1 basis point, volatilities 0.03 points and as much noise). For one slice the
comparison is one call of scipy's least_squares with its derivatives, from the last solution.
"""

import time
from collections.abc import Callable
from itertools import cycle
from random import Random
from typing import Final

import numpy as np
from scipy.optimize import least_squares

from mmbot.pricing import black76, svi, svi_fit
from mmbot.pricing.chain_quotes import YEAR_NS, ChainQuotes
from mmbot.pricing.surface import Memory, fit
from mmbot.pricing.svi import Array
from tests.benchmarks.blocks import Blocks, alternate

FLOOR: Final = "price and greeks of 1,000"
REFIT: Final = "refit of a chain, warm"
COLD: Final = "refit of a chain, cold"
SLICE: Final = "one slice, warm"
SCIPY: Final = "scipy least_squares, warm"

EXPIRIES: Final = 12
QUOTES: Final = 344
BLOCK: Final = 10
_MOVED: Final = 8
"""Chains that follow each other in a circle."""
_AT_NS: Final = 1_767_600_000_000_000_000
_DAYS: Final = (1.5, 2.5, 3.5, 5, 12, 19, 26, 54, 82, 173, 264, 355)
_SLICE_STRIKES: Final = 50


def a_chain(rng: Random, moved: float = 0.0) -> ChainQuotes:
    """Two-sided quotes around a surface of its own, in coin; `moved` in basis points."""
    forward = 90_000.0 * (1.0 + 1e-4 * moved)
    counts = [QUOTES // EXPIRIES + (place < QUOTES % EXPIRIES) for place in range(EXPIRIES)]
    rows = []
    for days, count in zip(_DAYS, counts, strict=True):
        years = days / 365
        deviation = 0.5 * years**0.5
        smile = svi.Slice(0.16 * years, 0.2 * deviation, -0.25, 0.1 * deviation, 0.6 * deviation)
        for place in range(count):
            # Strikes stand still while the forward moves.
            strike = 90_000.0 * np.exp(deviation * (-2.0 + 4.0 * place / (count - 1)))
            vol = float(smile.vol(np.log(strike / forward), years)) + 3e-4 * moved
            rows.append((days, strike, forward, vol + rng.gauss(0.0, 3e-4)))
    days_, strike_, forward_, vol_ = (np.array(part) for part in zip(*rows, strict=True))
    sign = np.where(strike_ >= forward_, 1.0, -1.0)
    half = 0.004 + 0.01 * np.abs(np.log(strike_ / forward_))

    def price(vol: Array) -> Array:
        return black76.price(forward_, strike_, days_ / 365, vol, sign, inverse=True)

    return ChainQuotes(
        at_ns=_AT_NS,
        underlying="BTC",
        expiry_ns=_AT_NS + (days_ / 365 * YEAR_NS).astype(np.int64),
        strike=strike_,
        sign=sign,
        forward=forward_,
        bid=price(vol_ - half),
        ask=price(vol_ + half),
        mark_vol=vol_,
        synthetic=np.zeros(len(strike_), dtype=np.bool_),
    )


def contestants() -> dict[str, Callable[[], object]]:
    """What does each thing once, by name."""
    rng = Random(7)
    chains = cycle([a_chain(rng, moved=float(step % 2)) for step in range(_MOVED)])
    _, first = fit(next(chains))
    kept: list[Memory | None] = [first]

    def refit() -> object:
        surface, kept[0] = fit(next(chains), kept[0])
        return surface

    many = 1_000
    strike = 90_000.0 * np.exp(np.linspace(-0.5, 0.5, many))
    forward, years, vol = np.full(many, 90_000.0), np.full(many, 0.1), np.full(many, 0.5)
    sign = np.where(strike >= forward, 1.0, -1.0)
    log_moneyness, root = np.log(forward / strike), np.sqrt(years)

    def floor() -> object:
        return black76.value(
            forward,
            strike,
            years,
            vol,
            sign,
            inverse=True,
            log_moneyness=log_moneyness,
            sqrt_years=root,
        )

    return {
        FLOOR: floor,
        REFIT: refit,
        COLD: lambda: fit(next(chains)),
        **_slices(rng),
    }


def _slices(rng: Random) -> dict[str, Callable[[], object]]:
    """The two that fit one slice, from the last solution, to quotes that have moved a little."""
    years, k = 0.1, np.linspace(-0.5, 0.5, _SLICE_STRIKES)
    true = svi.Slice(0.016, 0.04, -0.25, 0.02, 0.1)

    def observed(moved: float) -> svi_fit.Observed:
        noise = np.array([rng.gauss(0.0, 3e-4) for _ in k])
        vol = (true.vol(k, years) + 3e-4 * moved + noise)[None]
        pull, prior_pull = np.full_like(vol, 200.0), np.full_like(vol, 30.0)
        return svi_fit.Observed(np.array([years]), k[None], vol, pull, vol, prior_pull)

    several = cycle([observed(float(step % 2)) for step in range(_MOVED)])
    kept = [svi_fit.fit(next(several))]

    def ours() -> object:
        kept[0] = svi_fit.fit(next(several), kept[0].rows, kept[0].pressure, brief=True)
        return kept[0]

    last = [true.wings]

    def theirs() -> object:
        quotes = next(several)

        def miss(row: Array) -> Array:
            w = svi.variance(row[None], quotes.k)
            return np.asarray(((np.sqrt(w / years) - quotes.vol) * quotes.pull)[0])

        def slope(row: Array) -> Array:
            w, by_row = svi.variance_gradient(row[None], quotes.k)
            return np.asarray(by_row[0] * (0.5 * quotes.pull[0] / np.sqrt(w[0] * years))[:, None])

        last[0] = least_squares(miss, last[0], jac=slope, method="lm").x
        return last[0]

    return {SLICE: ours, SCIPY: theirs}


def surface_ns(rounds: int) -> dict[str, Blocks]:
    """Nanoseconds of single calls by contestant, in alternating blocks, after one that warms up."""
    call = contestants()

    def measure(name: str) -> list[int]:
        taken = []
        for _ in range(BLOCK):
            started = time.perf_counter_ns()
            call[name]()
            taken.append(time.perf_counter_ns() - started)
        return taken

    for name in call:
        measure(name)
    return alternate(call, -(-rounds // BLOCK), measure)
