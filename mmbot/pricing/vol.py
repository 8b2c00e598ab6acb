"""How much a price moved: realized volatility from samples and from bars, as arrays.

Everything here is a *variance per second* of the logarithm of the price; `annual` makes the
volatility of it (0.5 = 50 % a year of 365 days, as crypto trades around the clock). What arrives
one by one is estimated in vol_stream.py.

Samples may be irregular, and some may be missing. Of a return r over dt seconds the variance is
sigma^2 dt, so sums of squares are divided by the time they cover and not by their number: the mean
of r^2 / dt weighted by time. A gap makes an estimate less sure, and not larger or smaller.

From samples (times in seconds, ascending; prices above 0):

    realized        sum r^2 / sum dt: T. Andersen, T. Bollerslev, F. Diebold and P. Labys, "Modeling
                    and forecasting realized volatility", Econometrica 71 (2003)
    subsampled      the mean of `realized` over every k-th sample, begun at each of the first k:
                    L. Zhang, P. Mykland and Y. Ait-Sahalia, "A tale of two time scales", JASA 100
                    (2005); what bid and ask bounce adds falls with k
    bipower         pi/2 sum |r r'| / sum sqrt(dt dt') over neighbors: O. Barndorff-Nielsen and N.
                    Shephard, "Power and bipower variation with stochastic volatility and jumps",
                    Journal of Financial Econometrics 2 (2004); a jump hardly counts
    jump share      what of `realized` is not in `bipower`, at least 0

From bars, with o, h, l, c the logarithms of open, high, low, close, each summed over bars and
divided by their time; TTR's conventions (R package TTR, `volatility`):

    parkinson         (h - l)^2 / (4 ln 2)                        Journal of Business 53 (1980)
    garman_klass      (h - l)^2 / 2 - (2 ln 2 - 1) (c - o)^2      Journal of Business 53 (1980)
    rogers_satchell   (h - c) (h - o) + (l - c) (l - o)           Annals of Applied Prob. 1 (1991)
    yang_zhang        V(overnight) + k V(c - o) + (1 - k) rogers_satchell, V the sample variance
                      (n - 1), overnight the open over the last close, and k = 0.34 / (1.34 +
                      (n + 1) / (n - 1))                          Journal of Business 73 (2000)

The highest of a bar's samples is below the highest price there was. `bars` knows by how much on
average and `unbroken` puts it back: beta sigma sqrt(dt), with dt the mean distance of the samples
and beta = 0.5826 for even ones (M. Broadie, P. Glasserman and S. Kou, "A continuity correction for
discrete barrier options", Mathematical Finance 7 (1997)), and more the more uneven they are: 0.7071
for samples at random times (exact, by the exponential distance to the next sample).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SECONDS_PER_YEAR = 365.0 * 86_400.0
HOURS = 24

_LN2 = np.log(2.0)
_EVEN = 0.5826
"""-zeta(1/2) / sqrt(2 pi)."""
_AT_RANDOM = float(np.sqrt(0.5))
_ALPHA = 1.34
"""Yang and Zhang's choice, and TTR's."""


def annual(variance_per_s: float) -> float:
    """The annual volatility of a variance per second."""
    return float(np.sqrt(max(variance_per_s, 0.0) * SECONDS_PER_YEAR))


# --- samples --------------------------------------------------------------------------------------


def realized(times_s: Array, prices: Array) -> float:
    """Realized variance per second; NaN of fewer than two samples."""
    returns, seconds = _returns(times_s, prices)
    return _ratio(np.sum(returns * returns), np.sum(seconds))


def subsampled(times_s: Array, prices: Array, every: int) -> float:
    """Realized variance per second of every `every`-th sample, the mean over all beginnings."""
    found = [realized(times_s[first::every], prices[first::every]) for first in range(every)]
    return float(np.mean(found))


def bipower(times_s: Array, prices: Array) -> float:
    """Bipower variance per second, which a jump hardly moves; NaN of fewer than three samples."""
    returns, seconds = _returns(times_s, prices)
    products = np.abs(returns[1:] * returns[:-1])
    return _ratio(0.5 * np.pi * np.sum(products), np.sum(np.sqrt(seconds[1:] * seconds[:-1])))


def jump_share(times_s: Array, prices: Array) -> float:
    """The share of realized variance that came in jumps, 0 to 1."""
    whole = realized(times_s, prices)
    return max(0.0, 1.0 - bipower(times_s, prices) / whole) if whole > 0.0 else 0.0


def season(times_s: Array, prices: Array) -> Array:
    """Variance of each hour of the day (UTC) over that of the whole day: 24 factors whose mean is
    1. A return belongs to the hour of its middle; an hour without any has the factor 1."""
    returns, seconds = _returns(times_s, prices)
    middles = times_s[:-1] + 0.5 * seconds
    hours = np.floor(middles / 3600.0).astype(np.int64) % HOURS
    moved = np.bincount(hours, returns * returns, HOURS)
    covered = np.bincount(hours, seconds, HOURS)
    seen = covered > 0.0
    rates = np.divide(moved, covered, out=np.zeros(HOURS), where=seen)
    mean = float(rates[seen].mean()) if seen.any() else 0.0
    return np.where(seen, rates / mean, 1.0) if mean > 0.0 else np.ones(HOURS)


def _returns(times_s: Array, prices: Array) -> tuple[Array, Array]:
    """Returns of the logarithm, and the seconds of each. Two samples of one moment are a return
    over no time, which counts all the same."""
    return np.diff(np.log(prices)), np.diff(times_s)


def _ratio(sum_: float, over: float) -> float:
    return float(sum_ / over) if over > 0.0 else float("nan")


# --- bars -----------------------------------------------------------------------------------------


class Bars(NamedTuple):
    """Bars of a price, in the order of time."""

    opens: Array
    highs: Array
    lows: Array
    closes: Array
    seconds: Array
    """What each covers ..."""
    unseen: Array
    """... and the time between the last close and its open."""
    missed: Array
    """How far its highest and lowest sample fall short of highest and lowest price on average, as
    a multiple of the deviation of one second; 0 where it was made of every price."""


def whole_bars(
    times_s: Array, opens: Array, highs: Array, lows: Array, closes: Array, width_s: float
) -> Bars:
    """Bars of a width as a venue tells them, made of every price; `times_s` are all of their
    beginnings or all of their ends."""
    none = np.zeros(len(opens))
    unseen = np.maximum(np.diff(times_s, prepend=times_s[:1] - width_s) - width_s, 0.0)
    return Bars(opens, highs, lows, closes, none + width_s, unseen, none)


def bars(times_s: Array, prices: Array, width_s: float) -> Bars:
    """Samples as bars. A bar opens at the last sample before it, so that bars leave no time out;
    `width_s` without any sample makes the next bar wider."""
    numbers = np.floor(times_s / width_s).astype(np.int64)
    lasts = np.append(np.flatnonzero(np.diff(numbers)), len(prices) - 1)
    firsts = np.append(0, lasts[:-1])
    kept = lasts > firsts
    firsts, lasts = firsts[kept], lasts[kept]
    if not len(firsts):
        return Bars(*np.zeros((7, 0)))
    opened = prices[firsts]
    high = np.maximum(np.maximum.reduceat(prices[: lasts[-1] + 1], firsts), prices[lasts])
    low = np.minimum(np.minimum.reduceat(prices[: lasts[-1] + 1], firsts), prices[lasts])
    seconds = times_s[lasts] - times_s[firsts]
    apart = np.diff(times_s[: lasts[-1] + 1])
    squares = np.add.reduceat(apart * apart, firsts)
    mean = seconds / (lasts - firsts)
    uneven = np.maximum(squares / (lasts - firsts) / (mean * mean) - 1.0, 0.0)
    beta = _EVEN + (_AT_RANDOM - _EVEN) * uneven
    none = np.zeros(len(firsts))
    return Bars(opened, high, low, prices[lasts], seconds, none, beta * np.sqrt(mean))


def unbroken(sampled: Bars, variance_per_s: float) -> Bars:
    """The bars with the highs and lows they have on average, of a price of this variance per second
    (their samples' `realized`)."""
    wider = np.exp(sampled.missed * np.sqrt(variance_per_s))
    return sampled._replace(
        highs=sampled.highs * wider, lows=sampled.lows / wider, missed=np.zeros(len(sampled.missed))
    )


def close_to_close(of: Bars) -> float:
    """Realized variance per second of the closes."""
    covered = np.sum(of.seconds[1:] + of.unseen[1:])
    return _ratio(np.sum(np.log(of.closes[1:] / of.closes[:-1]) ** 2), covered)


def parkinson(of: Bars) -> float:
    """Variance per second by the ranges alone. A drift adds to it."""
    return _ratio(np.sum(np.log(of.highs / of.lows) ** 2) / (4.0 * _LN2), np.sum(of.seconds))


def garman_klass(of: Bars) -> float:
    """Variance per second by ranges and closes, the best one where there is no drift."""
    span, moved = np.log(of.highs / of.lows), np.log(of.closes / of.opens)
    terms = 0.5 * span * span - (2.0 * _LN2 - 1.0) * moved * moved
    return _ratio(np.sum(terms), np.sum(of.seconds))


def rogers_satchell(of: Bars) -> float:
    """Variance per second by ranges and closes, which a drift leaves alone."""
    up = np.log(of.highs / of.closes) * np.log(of.highs / of.opens)
    down = np.log(of.lows / of.closes) * np.log(of.lows / of.opens)
    return _ratio(np.sum(up + down), np.sum(of.seconds))


def yang_zhang(of: Bars) -> float:
    """Variance per second by overnight moves, moves in bars and ranges; NaN of fewer than three
    bars. The first bar counts as the close before the second alone, as in TTR."""
    overnight = np.log(of.opens[1:] / of.closes[:-1])
    rest = Bars(*(column[1:] for column in of))
    inside = np.log(rest.closes / rest.opens)
    number = len(inside)
    if number < 2:
        return float("nan")
    k = (_ALPHA - 1.0) / (_ALPHA + (number + 1.0) / (number - 1.0))
    covered = rest.seconds + rest.unseen
    spread = _around_mean(overnight, covered) + k * _around_mean(inside, covered)
    inside_share = float(np.sum(rest.seconds) / np.sum(covered))
    return spread + (1.0 - k) * inside_share * rogers_satchell(rest)


def _around_mean(moves: Array, seconds: Array) -> float:
    """Sample variance per second of moves around a drift that is the same in every second."""
    whole, number = np.sum(seconds), len(moves)
    apart = moves - np.sum(moves) / whole * seconds
    return _ratio(np.sum(apart * apart) / whole * number, number - 1.0)
