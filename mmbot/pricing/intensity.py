"""How often an order is reached: the rate of takers by depth, A exp(-k depth).

Theory of operation
-------------------
Takers arrive at random moments; each reaches down to some depth from the middle of the book, and an
order of ours at a depth is reached by all who go at least as far (Avellaneda and Stoikov 2008,
"High-frequency trading in a limit order book", 2.5). Rates are those of one side.

1. Where the depths beyond a first one are exponential, they forget how deep that was: k follows
   from the mean excess over it, and A from how many there were in which time.
2. What a taker would have paid is seen only as far as there was something to take, rounded down to
   the grid. Steps of `gap` make the exponential a geometric distribution, whose maximum likelihood
   is k = ln(1 + gap / excess) / gap; with a gap of 0 it is 1 / excess.
3. The standard error of k follows from the variance of the excess, excess (excess + gap) / n, and
   that of A from the one of k and from that of a Poisson count. Forgetting makes n smaller.
"""

from math import exp, log, sqrt
from typing import NamedTuple

_EXPONENT_MAX = 700.0
"""Of a float."""


class Intensity(NamedTuple):
    """A in arrivals a second on one side, k in 1 / half-spread, and the standard error of each."""

    a: float
    k: float
    a_error: float
    k_error: float

    def at(self, depth: float) -> float:
        """Arrivals a second that reach an order there, on one side."""
        return self.a * exp(-self.k * depth)


def intensity(
    n: float, excess: float, seconds: float, *, first: float, gap: float, n_effective: float
) -> Intensity | None:
    """From `n` arrivals on both sides in that time, `excess` the mean of how far each went beyond
    the depth `first`. None where nothing follows from them: none went beyond."""
    if not (n > 0 and excess > 0 and seconds > 0):
        return None
    k = log(1 + gap / excess) / gap if gap > 0 else 1 / excess
    k_error = 1 / sqrt(n_effective * excess * (excess + gap))
    exponent = k * first
    if exponent > _EXPONENT_MAX:
        return None
    a = n / (2 * seconds) * exp(exponent)
    return Intensity(a, k, a * sqrt(1 / n_effective + (first * k_error) ** 2), k_error)
