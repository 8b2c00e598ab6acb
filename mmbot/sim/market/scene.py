"""One instrument as it truly is in one step of the market, which its traders know in part."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.listing import Kind, Listing
from mmbot.sim.market.underlying import SECONDS_A_YEAR, About, Latent, News
from mmbot.sim.market.worth import OPTION_DIGITS, Worth

PERPETUAL_UNIT_SHARE: Final = 0.00005  # at mean volatility; it widens and narrows with it
PERPETUAL_UNIT_RATIO_MIN: Final = 0.5
PERPETUAL_UNIT_RATIO_MAX: Final = 4.0
HALF_SPREAD_UNITS: Final = 1.1
ACTIVITY_MIN: Final = 0.02

_ROOT_OF_A_YEAR: Final = math.sqrt(SECONDS_A_YEAR)  # in seconds


@dataclass(slots=True)
class Scene:
    """One instrument as it truly is in one step; prices in the listing's price unit.

    `fair` is its worth at the latent price and volatility, `per_log` and `per_point` how that
    changes with the log price and with a volatility point, `half_spread` a typical one, `cost` what
    a maker of a perpetual or future is charged for a trade: no quote is nearer to the fair price.
    `move_ago(ms)` is the log move of the latent price since then; `volatility` its annualized rate.
    """

    listing: Listing
    book: Book
    now_ms: int
    fair: float
    per_log: float
    per_point: float
    unit: float
    half_spread: float
    cost: float
    volatility_1s: float
    move_ago: Callable[[float], float]

    def gain(self, latent: Latent, news: News) -> float:
        """What holders of `news` know the instrument has yet to move, in its price unit."""
        known = news.unreleased + latent.pending(news.about)
        return known * (self.per_log if news.about is About.PRICE else self.per_point)


def scene_of(
    worth: Worth, listing: Listing, book: Book, latent: Latent, vol_mean: float
) -> tuple[Scene, float]:
    """The instrument at the latent price, and how busy it is (1 at the money).

    `vol_mean` is the volatility at which a perpetual's unit is what it is on average.
    """
    if listing.kind is Kind.OPTION:
        return _option_scene(worth, listing, book, latent)
    tick = book.ladder.tick
    fair = worth.linear_price(listing, latent, latent.price)
    ratio = latent.volatility / vol_mean
    ratio = max(PERPETUAL_UNIT_RATIO_MIN, min(PERPETUAL_UNIT_RATIO_MAX, ratio))
    unit = PERPETUAL_UNIT_SHARE * ratio * fair
    cost = max(0.0, float(listing.maker_fee)) * fair
    half_spread = max(HALF_SPREAD_UNITS * unit, tick) + cost
    scene = Scene(
        listing,
        book,
        worth.now_ms,
        fair,
        fair * worth.share_left(listing),
        0.0,
        unit,
        half_spread,
        cost,
        latent.volatility / _ROOT_OF_A_YEAR,
        latent.move_ago,
    )
    return scene, 1.0


def _option_scene(
    worth: Worth, listing: Listing, book: Book, latent: Latent
) -> tuple[Scene, float]:
    forward, value, _ = worth.value(listing, latent.price)
    # By the logarithm of the forward, which one log move of the coin moves by the share left.
    per_log = value.delta * forward
    fair, per_point = value.price, value.vega
    if listing.inverse:
        per_log = (per_log - worth.share_left(listing) * fair) / forward
        fair, per_point = fair / forward, per_point / forward
    tick = book.ladder.tick_at(round(fair, OPTION_DIGITS))
    unit = max(per_point, tick / 2)
    scene = Scene(
        listing,
        book,
        worth.now_ms,
        fair,
        per_log,
        per_point,
        unit,
        max(HALF_SPREAD_UNITS * unit, tick),
        0.0,
        latent.volatility / _ROOT_OF_A_YEAR,
        latent.move_ago,
    )
    activity = max(4 * abs(value.delta) * (1 - abs(value.delta)), ACTIVITY_MIN)
    return scene, activity
