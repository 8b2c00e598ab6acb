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
from mmbot.pricing.chain_quotes import ChainQuotes
from mmbot.pricing.surface import Memory, fit
from mmbot.pricing.svi import Array
from tests.benchmarks.blocks import Blocks, alternate
from tests.pricing.chains import chain_of

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
_DAYS: Final = (3.0, 4, 5, 6, 12, 19, 26, 54, 82, 173, 264, 355)
_SLICE_STRIKES: Final = 50


def a_chain(step: int) -> ChainQuotes:
    """The quotes of the whole chain; every other one has moved."""
    counts = [QUOTES // EXPIRIES + (place < QUOTES % EXPIRIES) for place in range(EXPIRIES)]
    strikes = dict(zip(_DAYS, counts, strict=True))
    return chain_of(strikes, moved=float(step % 2), noise=3e-4, seed=step)


def contestants() -> dict[str, Callable[[], object]]:
    """What does each thing once, by name."""
    chains = cycle([a_chain(step) for step in range(_MOVED)])
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
        **_slices(Random(7)),
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
