"""The latent prices: what ETH and BTC are really worth, from moment to moment, from one seed.

Theory of operation
-------------------
1. One latent price a currency. The index, the perpetual, the futures (through `carry`, a slowly
   moving annualized basis) and every option follow from it; nobody's orders move it, so it is the
   same history whoever watches or trades.
2. That price moves in three ways:
   * diffusion, whose volatility has mean `vol_mean` and a logarithm that is the sum of two
     mean-reverting factors (hours and days); its shocks are in part shared by the currencies;
   * jumps, small ones a few times a day and large ones every few days, common to all currencies;
   * news: what informed traders know before the price does; it takes over a part of the
     diffusion's variance. A `News` has a direction and a size. Its holders trade it in slices,
     and every slice releases its share into the price (or, for news about volatility, into the
     implied level) over the following seconds.
3. Implied volatility follows the price: falls lift it by three times as much as rises do, jumps
   twice as much again. That response is a function of how far the price has come from its own
   average of the last hours, so that it is exact for a move of a minute and forgets in a day.
4. Steps are `STEP_MS` of virtual time. Every concern draws from its own `random.Random`.

Units: log prices and log moves; volatilities are annualized fractions (0.5 = 50 %), volatility
points are hundredths of that; times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from msgspec import Struct

STEP_MS: Final = 50
SECONDS_A_DAY: Final = 86_400.0
SECONDS_A_YEAR: Final = 365 * SECONDS_A_DAY  # ACT/365, as the venue counts

FAST_HALF_LIFE_S: Final = 2 * 3_600.0
SLOW_HALF_LIFE_S: Final = 5 * SECONDS_A_DAY
FAST_SD: Final = 0.45
SLOW_SD: Final = 0.25

COMMON_CORRELATION: Final = 0.8
FIRST_COINS: Final = ("BTC", "ETH", "XRP")
"""Their jumps are drawn from one stream; a coin listed later draws its own part from a stream of
its own, so that it changes nobody else's history."""

INDEX_LAG_S: Final = 1.0
MEMORY_MS: Final = 2_000  # how far back `price_ago` reaches

# Volatility points that 7-day at-the-money volatility gains when the price goes 1 % from its
# average; each counts once for the whole displacement and once more for what jumps put into it.
POINTS_PER_PERCENT_DOWN: Final = 1.5
POINTS_PER_PERCENT_UP: Final = 0.5
AVERAGE_HALF_LIFE_S: Final = 2 * 3_600.0

NEWS_SLICES_MIN: Final = 3
NEWS_SLICES_MAX: Final = 10
NEWS_SLICE_GAP_MEAN_S: Final = 0.6
NEWS_RELEASE_S: Final = 5.0
NEWS_MOVE_MAX: Final = 0.005
NEWS_POINTS_MAX: Final = 3.0
NEWS_SIZE_LOG_SD: Final = 0.5
PREMIUM_HALF_LIFE_S: Final = 900.0
PREMIUM_MAX: Final = 0.4

BASIS_SD: Final = 0.0002
BASIS_HALF_LIFE_S: Final = 1_800.0

CARRY_MEAN: Final = 0.05  # a year, of forwards over the index
CARRY_SD: Final = 0.02
CARRY_HALF_LIFE_S: Final = 3 * SECONDS_A_DAY

_STEP_S: Final = STEP_MS / 1_000
_STEP_YEARS: Final = _STEP_S / SECONDS_A_YEAR
_SLOW_STEPS: Final = 20  # the slow factors move once a second
_MEMORY_STEPS: Final = MEMORY_MS // STEP_MS
_LN2: Final = math.log(2)
_OWN_SHARE: Final = math.sqrt(1 - COMMON_CORRELATION**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathParams:
    """What the weather of the latent prices is like.

    `news_per_hour` counts news of each kind for each currency. How much they bring together does
    not depend on how many they are: `news_share` is the part of the diffusion's variance that
    reaches the price as news, `news_points` the standard deviation of an hour's news about
    volatility, in volatility points.
    """

    vol_mean: float = 0.50
    jumps_a_day: float = 4.0
    jump_sd: float = 0.004
    large_jumps_a_day: float = 0.3
    large_jump_sd: float = 0.02
    jump_mean_sds: float = 0.0  # in units of the jump's own sd; negative: they mostly fall
    news_per_hour: float = 24.0
    news_share: float = 0.5
    news_points: float = 8.0

    @property
    def jump_variance(self) -> float:
        """Variance a year that jumps add, about zero."""
        a_day = self.jumps_a_day * self.jump_sd**2 + self.large_jumps_a_day * self.large_jump_sd**2
        return 365 * a_day * (1 + self.jump_mean_sds**2)

    @property
    def diffusion_variance(self) -> float:
        """Mean variance a year of everything that is no jump: the mean square of a lognormal."""
        return self.vol_mean**2 * math.exp(FAST_SD**2 + SLOW_SD**2)


class About(Enum):
    """What a piece of news will move."""

    PRICE = "price"
    VOL = "vol"


@dataclass(slots=True)
class News:
    """Something a few traders know: `move` is signed, in log price or in volatility points.

    `slices_ms` are the moments its holders trade; `released` of them are in the past.
    """

    about: About
    move: float
    slices_ms: tuple[int, ...]
    released: int = 0

    @property
    def unreleased(self) -> float:
        """The part of `move` that no slice has released yet."""
        return self.move * (1 - self.released / len(self.slices_ms))


class VolState(Struct, frozen=True, gc=False):
    """What implied volatility is made of at one moment; `chain.Surface` turns it into a curve.

    `slow_ratio` and `fast_ratio` are the factors' variances over their means; `shift_points` is
    the response of 7-day volatility to the price, `premium` a log factor on every volatility.
    """

    diffusion_variance: float
    jump_variance: float
    slow_ratio: float
    fast_ratio: float
    shift_points: float
    premium: float


class Latent:
    """One currency's latent price and everything that follows it without being traded."""

    def __init__(self, seed: int, currency: str, price: float, params: PathParams) -> None:
        self.currency = currency
        self.params = params
        self._shock = Random(f"{seed}:path:{currency}")
        self._factors = Random(f"{seed}:vol:{currency}")
        self._newsroom = Random(f"{seed}:news:{currency}")
        self.price = price
        self.index = price
        self.basis = 0.0
        self._basis_curve = Random(f"{seed}:carry:{currency}")
        self.carry = self._basis_curve.gauss(CARRY_MEAN, CARRY_SD)  # a year
        self.news: list[News] = []
        self.slices: list[News] = []  # the news traded in this very step
        self._log_price = math.log(price)
        self._average = self._log_price
        self._jumped = 0.0  # displacement that jumps put in, forgotten like the average
        self._pending_move = 0.0
        self._pending_points = 0.0
        self._premium = 0.0
        self._fast = self._factors.gauss(0, FAST_SD)
        self._slow = self._factors.gauss(0, SLOW_SD)
        self._memory = deque([price] * (_MEMORY_STEPS + 1), maxlen=_MEMORY_STEPS + 1)
        # Of the same prices; not the sum of the moves, which is another number in its last digits.
        self._logs = deque([math.log(price)] * (_MEMORY_STEPS + 1), maxlen=_MEMORY_STEPS + 1)
        self._steps = 0
        self._news_share = params.news_share if params.news_per_hour else 0.0
        self._diffusion_sd = 0.0
        self._refresh_volatility()

    @property
    def volatility(self) -> float:
        """What the diffusion and the news run at just now, annualized; jumps excluded."""
        return self._volatility

    @property
    def perpetual(self) -> float:
        """What the perpetual is worth (USD)."""
        return self.price * (1 + self.basis)

    def forward(self, spot: float, years: float) -> float:
        """What the coin at `spot` (USD) is worth for delivery in that many years."""
        return spot * math.exp(self.carry * max(years, 0.0))

    def price_ago(self, lag_ms: float) -> float:
        """The latent price `lag_ms` ago (at most `MEMORY_MS`)."""
        return self._memory[-1 - _steps_ago(lag_ms)]

    def move_ago(self, lag_ms: float) -> float:
        """The log move of the latent price since `lag_ms` ago (at most `MEMORY_MS`)."""
        return self._logs[-1] - self._logs[-1 - _steps_ago(lag_ms)]

    def pending(self, about: About) -> float:
        """What traded news has yet to do: log price or volatility points, signed."""
        return self._pending_move if about is About.PRICE else self._pending_points

    def vol_state(self) -> VolState:
        """What implied volatility is made of now."""
        return VolState(
            self.params.diffusion_variance,
            self.params.jump_variance,
            self._slow_ratio,
            self._fast_ratio,
            response_points(self._log_price - self._average) + response_points(self._jumped),
            self._premium,
        )

    def step(self, now_ms: int, common_shock: float, jump: float) -> None:
        """Move by one `STEP_MS`; `jump` is this step's jump in log price, mostly zero."""
        if self._steps % _SLOW_STEPS == 0:
            self._move_factors()
            self._hear_news(now_ms)
        self._steps += 1
        self._trade_news(now_ms)
        own = _OWN_SHARE * self._shock.gauss(0, 1)
        sd = self._diffusion_sd
        move = sd * (COMMON_CORRELATION * common_shock + own) - 0.5 * sd * sd
        if self._pending_move:
            released = self._pending_move * _RELEASE
            self._pending_move -= released
            move += released
        if self._pending_points:
            released = self._pending_points * _RELEASE
            self._pending_points -= released
            premium = self._premium + released / 100 / self.params.vol_mean
            self._premium = max(-PREMIUM_MAX, min(PREMIUM_MAX, premium))
        if jump:
            move += jump
            self._jumped += jump
        self._log_price += move
        self._average += (self._log_price - self._average) * _AVERAGE
        self.price = math.exp(self._log_price)
        self.index += (self.price - self.index) * _INDEX
        self._memory.append(self.price)
        self._logs.append(math.log(self.price))

    def _move_factors(self) -> None:
        draw = self._factors.gauss
        self._fast = self._fast * _FAST_KEEP + FAST_SD * _FAST_NEW * draw(0, 1)
        self._slow = self._slow * _SLOW_KEEP + SLOW_SD * _SLOW_NEW * draw(0, 1)
        self.basis = self.basis * _BASIS_KEEP + BASIS_SD * _BASIS_NEW * draw(0, 1)
        fresh = CARRY_SD * _CARRY_NEW * self._basis_curve.gauss(0, 1)
        self.carry = CARRY_MEAN + (self.carry - CARRY_MEAN) * _CARRY_KEEP + fresh
        self._premium *= _PREMIUM_KEEP
        self._jumped *= _JUMPED_KEEP
        self._refresh_volatility()

    def _refresh_volatility(self) -> None:
        log_ratio = self._fast + self._slow - 0.5 * (FAST_SD**2 + SLOW_SD**2)
        self._volatility = self.params.vol_mean * math.exp(log_ratio)
        self._slow_ratio = math.exp(2 * self._slow - 2 * SLOW_SD**2)
        self._fast_ratio = math.exp(2 * self._fast - 2 * FAST_SD**2)
        self._diffusion_sd = self._volatility * math.sqrt((1 - self._news_share) * _STEP_YEARS)

    def _hear_news(self, now_ms: int) -> None:
        """Once a second: perhaps somebody learns something."""
        draw = self._newsroom
        for about in About:
            if draw.random() >= self.params.news_per_hour / 3_600:
                continue
            # Lognormal with a mean square of one.
            size = math.exp(NEWS_SIZE_LOG_SD * draw.gauss(0, 1) - NEWS_SIZE_LOG_SD**2)
            gap_hours = 1 / self.params.news_per_hour
            if about is About.PRICE:
                gap_years = 3_600 * gap_hours / SECONDS_A_YEAR
                size *= self._volatility * math.sqrt(self._news_share * gap_years)
                size = min(size, NEWS_MOVE_MAX)
            else:
                size = min(size * self.params.news_points * math.sqrt(gap_hours), NEWS_POINTS_MAX)
            move = size if draw.random() < 0.5 else -size
            moment = float(now_ms)
            slices = []
            for _ in range(draw.randint(NEWS_SLICES_MIN, NEWS_SLICES_MAX)):
                moment += 1_000 * draw.expovariate(1 / NEWS_SLICE_GAP_MEAN_S)
                slices.append(int(moment))
            self.news.append(News(about, move, tuple(slices)))

    def _trade_news(self, now_ms: int) -> None:
        self.slices.clear()
        if not self.news:
            return
        for item in self.news:
            due = item.released < len(item.slices_ms) and item.slices_ms[item.released] <= now_ms
            if not due:
                continue
            item.released += 1
            self.slices.append(item)
            share = item.move / len(item.slices_ms)
            if item.about is About.PRICE:
                self._pending_move += share
            else:
                self._pending_points += share
        self.news = [item for item in self.news if item.released < len(item.slices_ms)]


class Underlyings:
    """All latent prices, moved together."""

    def __init__(
        self, seed: int, start_ms: int, prices: Mapping[str, float], params: PathParams
    ) -> None:
        self.now_ms = start_ms
        self.params = params
        self._shock = Random(f"{seed}:path:common")
        coins = sorted(prices)
        self._small = _Jumps(f"{seed}:jumps", params.jumps_a_day, params.jump_sd, start_ms, coins)
        self._large = _Jumps(
            f"{seed}:large-jumps", params.large_jumps_a_day, params.large_jump_sd, start_ms, coins
        )
        self.latents = {name: Latent(seed, name, prices[name], params) for name in coins}

    def __getitem__(self, currency: str) -> Latent:
        """The latent price of a coin."""
        return self.latents[currency]

    def step(self) -> None:
        """Move everything by one `STEP_MS`."""
        self.now_ms += STEP_MS
        shock = self._shock.gauss(0, 1)
        small = self._small.at(self.now_ms, self.params.jump_mean_sds)
        large = self._large.at(self.now_ms, self.params.jump_mean_sds)
        for place, latent in enumerate(self.latents.values()):
            jump = 0.0
            if small:
                jump += small[place]
            if large:
                jump += large[place]
            latent.step(self.now_ms, shock, jump)


class _Jumps:
    """Arrivals of one class of jumps, the same moments for all currencies."""

    def __init__(
        self, stream: str, a_day: float, sd: float, start_ms: int, coins: Sequence[str]
    ) -> None:
        self._draw = Random(stream)
        self._own = [
            self._draw if coin in FIRST_COINS else Random(f"{stream}:{coin}") for coin in coins
        ]
        self._rate = a_day / SECONDS_A_DAY / 1_000
        self._sd = sd
        self._next_ms = start_ms + self._gap()

    def at(self, now_ms: int, mean_sds: float) -> Sequence[float]:
        """Every coin's jump in log price in the step that ends now, or nothing."""
        if now_ms < self._next_ms:
            return ()
        self._next_ms = now_ms + self._gap()
        shared = COMMON_CORRELATION * self._draw.gauss(0, 1)
        return [
            self._sd * (mean_sds + shared + _OWN_SHARE * draw.gauss(0, 1)) for draw in self._own
        ]

    def _gap(self) -> float:
        return self._draw.expovariate(self._rate) if self._rate else math.inf


def _steps_ago(lag_ms: float) -> int:
    return min(round(lag_ms / STEP_MS), _MEMORY_STEPS)


def response_points(displacement: float) -> float:
    """Volatility points of 7-day volatility for a log displacement of the price."""
    if displacement < 0:
        return -100 * displacement * POINTS_PER_PERCENT_DOWN
    return 100 * displacement * POINTS_PER_PERCENT_UP


def _keep(elapsed_s: float, half_life_s: float) -> float:
    """What is left of a mean-reverting factor after `elapsed_s`."""
    return math.exp(-_LN2 * elapsed_s / half_life_s)


_SLOW_STEP_S: Final = _SLOW_STEPS * _STEP_S
_FAST_KEEP: Final = _keep(_SLOW_STEP_S, FAST_HALF_LIFE_S)
_FAST_NEW: Final = math.sqrt(1 - _FAST_KEEP**2)
_SLOW_KEEP: Final = _keep(_SLOW_STEP_S, SLOW_HALF_LIFE_S)
_SLOW_NEW: Final = math.sqrt(1 - _SLOW_KEEP**2)
_BASIS_KEEP: Final = _keep(_SLOW_STEP_S, BASIS_HALF_LIFE_S)
_BASIS_NEW: Final = math.sqrt(1 - _BASIS_KEEP**2)
_CARRY_KEEP: Final = _keep(_SLOW_STEP_S, CARRY_HALF_LIFE_S)
_CARRY_NEW: Final = math.sqrt(1 - _CARRY_KEEP**2)
_PREMIUM_KEEP: Final = _keep(_SLOW_STEP_S, PREMIUM_HALF_LIFE_S)
_JUMPED_KEEP: Final = _keep(_SLOW_STEP_S, AVERAGE_HALF_LIFE_S)
_AVERAGE: Final = 1 - _keep(_STEP_S, AVERAGE_HALF_LIFE_S)
_INDEX: Final = 1 - math.exp(-_STEP_S / INDEX_LAG_S)
_RELEASE: Final = 1 - math.exp(-_STEP_S / NEWS_RELEASE_S)
