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

_EXCESS_MIN = 1e-9
"""Less is what adding and taking away has left of nothing."""


class Intensity(NamedTuple):
    """The rate of one side, A exp(-k depth), but for the time in which the arrivals were counted.

    `k` in 1 / half-spread; `expected` is A times that time. `k_error` is the standard error of k,
    and `a_error` that of A as a share of it.
    """

    k: float
    k_error: float
    expected: float
    a_error: float


def intensity(
    n: float, excess: float, *, first: float, gap: float, n_effective: float
) -> Intensity | None:
    """From `n` arrivals on both sides, `excess` the mean of how far each went beyond the depth
    `first`. None where nothing follows from them: none went beyond."""
    if not (n > 0 and excess > _EXCESS_MIN):
        return None
    k = log(1 + gap / excess) / gap if gap > 0 else 1 / excess
    if k * first > _EXPONENT_MAX:
        return None
    k_error = 1 / sqrt(n_effective * excess * (excess + gap))
    a_error = sqrt(1 / n_effective + (first * k_error) ** 2)
    return Intensity(k, k_error, n / 2 * exp(k * first), a_error)
