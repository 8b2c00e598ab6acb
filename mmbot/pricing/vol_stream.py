"""Realized volatility of a price that arrives one by one: plain data, plain floats.

The estimators of vol.py, whose definitions hold here too; variances are per second of the logarithm
of the price. What forgets does so by a half-life in seconds and not in samples, so that a burst of
trades does not push an hour out of memory: with d = 2^(-dt / half-life) a weighted sum is

    sum <- d sum + r^2,   time <- d time + dt,   variance = sum / time

which is unbiased however the samples fall. Every class is a memory that can be written down:
`observe` changes it, the properties read it.
"""

import math
from dataclasses import dataclass, field

from mmbot.pricing.ewma import decay

SECONDS_PER_YEAR = 365.0 * 86_400.0

_LN2 = math.log(2.0)
_ALPHA = 1.34


@dataclass(slots=True)
class EwmaVariance:
    """Realized and bipower variance that forget."""

    half_life_s: float
    _squares: float = 0.0
    _time: float = 0.0
    _products: float = 0.0
    _product_time: float = 0.0
    _price: float | None = None
    _at_s: float = 0.0
    _return: float = 0.0
    _seconds: float = 0.0

    def observe(self, at_s: float, price: float) -> None:
        """A price, in the order of time."""
        before, self._price = self._price, price
        seconds, self._at_s = at_s - self._at_s, at_s
        if before is None:
            return
        moved = math.log(price / before)
        kept = decay(seconds, self.half_life_s)
        self._squares = kept * self._squares + moved * moved
        self._time = kept * self._time + seconds
        self._products = kept * self._products + abs(moved * self._return)
        self._product_time = kept * self._product_time + math.sqrt(seconds * self._seconds)
        self._return, self._seconds = moved, seconds

    @property
    def realized(self) -> float | None:
        """Variance per second; None until time has passed between two prices."""
        return self._squares / self._time if self._time > 0.0 else None

    @property
    def bipower(self) -> float | None:
        """Variance per second without jumps; None before the third price."""
        if self._product_time <= 0.0:
            return None
        return 0.5 * math.pi * self._products / self._product_time


@dataclass(slots=True)
class Bar:
    """One bar in the making or made: vol.Bars of one."""

    opened: float
    high: float
    low: float
    close: float
    begun_s: float
    ended_s: float

    @property
    def seconds(self) -> float:
        """What it covers."""
        return self.ended_s - self.begun_s


@dataclass(slots=True)
class Bars:
    """Prices as bars of a width: each opens at the last price before it, as in vol.bars."""

    width_s: float
    _bar: Bar | None = None

    def observe(self, at_s: float, price: float) -> Bar | None:
        """A price, in the order of time; the bar that ended before it, if one did."""
        bar = self._bar
        if bar is None:
            self._bar = Bar(price, price, price, price, at_s, at_s)
            return None
        ended = at_s // self.width_s > bar.ended_s // self.width_s
        if ended:
            self._bar = Bar(bar.close, bar.close, bar.close, bar.close, bar.ended_s, at_s)
            done, bar = bar, self._bar
        bar.high, bar.low = max(bar.high, price), min(bar.low, price)
        bar.close, bar.ended_s = price, at_s
        return done if ended and done.seconds > 0.0 else None


@dataclass(slots=True)
class _Moves:
    """The variance of moves around a drift that is the same in every second, without a second look
    at them: sum (m - mu s)^2 with mu = sum m / sum s."""

    squares: float = 0.0
    sum: float = 0.0
    products: float = 0.0
    square_seconds: float = 0.0

    def observe(self, moved: float, seconds: float) -> None:
        """A move that took so long."""
        self.squares += moved * moved
        self.sum += moved
        self.products += moved * seconds
        self.square_seconds += seconds * seconds

    def variance(self, number: int, seconds: float) -> float:
        """Sample variance per second, of so many moves in so many seconds."""
        drift = self.sum / seconds
        apart = self.squares - 2.0 * drift * self.products + drift * drift * self.square_seconds
        return apart / seconds * number / (number - 1.0)


@dataclass(slots=True)
class _AfterFirst:
    """What Yang and Zhang's estimator sums over the bars that have one before them."""

    count: int = 0
    seconds: float = 0.0
    rogers_satchell: float = 0.0
    overnight: _Moves = field(default_factory=_Moves)
    inside: _Moves = field(default_factory=_Moves)

    def observe(
        self, overnight: float, inside: float, rogers_satchell: float, seconds: float
    ) -> None:
        """A bar, and the seconds from the close before it to its own."""
        self.count += 1
        self.seconds += seconds
        self.rogers_satchell += rogers_satchell
        self.overnight.observe(overnight, seconds)
        self.inside.observe(inside, seconds)

    def yang_zhang(self) -> float | None:
        """Variance per second."""
        number = self.count
        if number < 2:
            return None
        k = (_ALPHA - 1.0) / (_ALPHA + (number + 1.0) / (number - 1.0))
        spread = self.overnight.variance(number, self.seconds)
        spread += k * self.inside.variance(number, self.seconds)
        return spread + (1.0 - k) * self.rogers_satchell / self.seconds


@dataclass(slots=True)
class RangeVariance:
    """Parkinson, Garman-Klass, Rogers-Satchell and Yang-Zhang over all bars so far."""

    seconds: float = 0.0
    count: int = 0
    _ranges: float = 0.0
    _closes: float = 0.0
    _rogers_satchell: float = 0.0
    _last: Bar | None = None
    _after: _AfterFirst = field(default_factory=_AfterFirst)

    def observe(self, bar: Bar) -> None:
        """A bar that is over."""
        span, moved = math.log(bar.high / bar.low), math.log(bar.close / bar.opened)
        up = math.log(bar.high / bar.close) * math.log(bar.high / bar.opened)
        down = math.log(bar.low / bar.close) * math.log(bar.low / bar.opened)
        self.count += 1
        self.seconds += bar.seconds
        self._ranges += span * span
        self._closes += moved * moved
        self._rogers_satchell += up + down
        last, self._last = self._last, bar
        if last is not None:
            overnight, seconds = math.log(bar.opened / last.close), bar.ended_s - last.ended_s
            self._after.observe(overnight, moved, up + down, seconds)

    @property
    def parkinson(self) -> float | None:
        """Variance per second by the ranges alone; None before the first bar, as the others."""
        return self._ranges / (4.0 * _LN2) / self.seconds if self.count else None

    @property
    def garman_klass(self) -> float | None:
        """By ranges and closes."""
        terms = 0.5 * self._ranges - (2.0 * _LN2 - 1.0) * self._closes
        return terms / self.seconds if self.count else None

    @property
    def rogers_satchell(self) -> float | None:
        """By ranges and closes, a drift left out."""
        return self._rogers_satchell / self.seconds if self.count else None

    @property
    def yang_zhang(self) -> float | None:
        """By overnight moves, moves in bars and ranges; None before the third bar."""
        return self._after.yang_zhang()
