"""What instruments are worth: at the latent price to the crowd, at the index to the venue.

`Worth` puts together the latent prices (`underlying.py`), the smile, Black-76 and the averaging of
the last half hour (`delivery.py`).

Units: inverse option prices in coin, all others in USD; volatilities as fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from mmbot.pricing import scalar
from mmbot.sim.exchange.ladder import Ladder
from mmbot.sim.exchange.listing import Kind, Listing, Right
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.rules import Family
from mmbot.sim.market.delivery import DeliveryWindow, averaged_deviation
from mmbot.sim.market.smile import Smile, smile
from mmbot.sim.market.underlying import SECONDS_A_YEAR, Latent, Underlyings

OPTION_DIGITS: Final = 6  # of marks
FUTURE_DIGITS: Final = 2
OPTION_BAND_MIN: Final = 0.02  # coin
OPTION_BAND_SHARE: Final = 0.4  # of the mark
PERPETUAL_BAND_SHARE: Final = 0.015  # of the index

_YEAR_MS: Final = 1_000 * SECONDS_A_YEAR


class Mark(Struct, frozen=True, gc=False):
    """What the venue marks an instrument at: `underlying` in USD, `low` and `high` the band."""

    price: Decimal
    index: Decimal
    underlying: Decimal
    low: Decimal
    high: Decimal


@dataclass(slots=True)
class _Ahead:
    """What the options of one expiry have in common as long as the latent prices stand still.

    `growth` is the forward over the spot, `left` the share of a move that reaches the delivery.
    """

    smile: Smile
    growth: float
    left: float


class Worth:
    """Every instrument's worth now, which is when the underlyings have come to."""

    def __init__(
        self,
        exchange: Exchange,
        underlyings: Underlyings,
        families: Sequence[Family],
        prices: Mapping[str, float],
    ) -> None:
        self.windows = {
            one.index_name: DeliveryWindow(underlyings.now_ms, prices[one.underlying])
            for one in families
        }
        self._exchange = exchange
        self._underlyings = underlyings
        self._families = families
        self._ahead: dict[tuple[str, int], _Ahead] = {}

    @property
    def now_ms(self) -> int:
        """Where the latent prices are."""
        return self._underlyings.now_ms

    def moved(self) -> None:
        """The latent prices have moved: what was derived from them is worth nothing now."""
        self._ahead.clear()

    def index(self, name: str) -> float:
        """The index in USD, by the venue's name for it (`eth_usd`); KeyError for any other."""
        family = self._family_of(name)
        return round(self._underlyings[family.underlying].index, family.index_digits)

    def delivery_estimate(self, name: str) -> float:
        """The next delivery price of that index, as the venue expects it.

        The index itself until half an hour before; then the mean so far and the index, each for its
        share of the half hour.
        """
        family = self._family_of(name)
        expected = self.windows[name].blend(self.now_ms, self._underlyings[family.underlying].index)
        return round(expected, family.index_digits)

    def value(self, listing: Listing, spot: float) -> tuple[float, scalar.Value, float]:
        """(forward, value, volatility) of an option with the coin at `spot` (USD).

        The forward is of the delivery price, and the volatility the one at which Black-76 over the
        time to expiry gives what an option on an average is worth (see `delivery.py`). Delta and
        gamma are by the coin.
        """
        strike, is_call = option_terms(listing)
        years = self.years(listing)
        if years <= 0:
            forward = self.forward(listing, spot)
            return forward, scalar.value(forward, strike, 0.0, 0.0, is_call=is_call), 0.0
        ahead = self._ahead_of(listing, years)
        left = ahead.left
        forward = spot * ahead.growth
        if left < 1:
            forward = self.windows[listing.index_name].blend(self.now_ms, forward)
        curve = ahead.smile.volatility(math.log(strike / forward))
        deviation = averaged_deviation(years, curve, left)
        if left < 1:
            deviation *= spot / forward  # it is the coin that still moves, not the mean so far
        volatility = deviation / math.sqrt(years)
        value = scalar.value(forward, strike, years, volatility, is_call=is_call)
        if left < 1:
            value = replace(value, delta=left * value.delta, gamma=left * left * value.gamma)
        return forward, value, volatility

    def forward(self, listing: Listing, spot: float) -> float:
        """What is to be expected of the delivery price with the coin at `spot` (USD)."""
        expired = self._exchange.expired.get(listing.name)
        if expired is not None:
            return float(expired.delivery)
        forward = self._underlyings[listing.underlying].forward(spot, self.years(listing))
        window = self.windows[listing.index_name]
        if listing.expiry_ms > window.close_ms:
            return forward
        return window.blend(self.now_ms, forward)

    def share_left(self, listing: Listing) -> float:
        """How much of a move of the coin still reaches the delivery price."""
        window = self.windows[listing.index_name]
        return window.share_left(self.now_ms) if listing.expiry_ms <= window.close_ms else 1.0

    def delivery_of(self, listing: Listing) -> float:
        """The delivery price to expect as the venue publishes it: without any carry."""
        expired = self._exchange.expired.get(listing.name)
        if expired is not None:
            return float(expired.delivery)
        if listing.expiry_ms <= self.windows[listing.index_name].close_ms:
            return self.delivery_estimate(listing.index_name)
        return self.index(listing.index_name)

    def linear_price(self, listing: Listing, latent: Latent, spot: float) -> float:
        """What a perpetual or future is worth (USD) with the coin at `spot`."""
        if listing.kind is Kind.PERPETUAL:
            return spot * (1 + latent.basis)
        return self.forward(listing, spot)

    def years(self, listing: Listing) -> float:
        """The time to expiry, ACT/365."""
        return (listing.expiry_ms - self._underlyings.now_ms) / _YEAR_MS

    def mark(self, listing: Listing) -> Mark:
        """What the venue marks an instrument at now."""
        latent = self._underlyings[listing.underlying]
        index = Decimal(repr(self.index(listing.index_name)))
        if listing.kind is Kind.OPTION:
            forward, value, _ = self.value(listing, latent.index)
            mark = value.price / forward if listing.inverse else value.price
            exact, underlying = rounded(mark, OPTION_DIGITS), rounded(forward, OPTION_DIGITS)
        else:
            mark = self.linear_price(listing, latent, latent.index)
            exact, underlying = rounded(mark, FUTURE_DIGITS), index
        low, high = band(listing, mark, latent.index)
        return Mark(exact, index, underlying, low, high)

    def _family_of(self, index_name: str) -> Family:
        for family in self._families:
            if family.index_name == index_name:
                return family
        raise KeyError(index_name)

    def _ahead_of(self, listing: Listing, years: float) -> _Ahead:
        key = (listing.index_name, listing.expiry_ms)
        found = self._ahead.get(key)
        if found is None:
            latent = self._underlyings[listing.underlying]
            found = self._ahead[key] = _Ahead(
                smile(latent.vol_state(), years),
                latent.forward(1.0, years),
                self.share_left(listing),
            )
        return found


def option_terms(listing: Listing) -> tuple[float, bool]:
    """(strike, whether it is a call)."""
    assert listing.strike is not None, "an option has a strike"
    assert listing.right is not None, "an option is a call or a put"
    return float(listing.strike), listing.right is Right.CALL


def rounded(price: float, digits: int) -> Decimal:
    """A price with so many digits."""
    return Decimal(repr(round(price, digits)))


def band(listing: Listing, mark: float, index: float) -> tuple[Decimal, Decimal]:
    """Where orders may be priced: (lowest sell, highest buy), on the ladder."""
    room = _room(listing, mark, index)
    low = listing.snap_up(Decimal(repr(max(mark - room, float(listing.tick)))))
    return low, listing.snap_down(Decimal(repr(mark + room)))


def band_around(listing: Listing, ladder: Ladder, mark: float, index: float) -> tuple[float, float]:
    """The same as floats, by the listing's own ladder: much cheaper."""
    room = _room(listing, mark, index)
    low = ladder.up(max(mark - room, ladder.tick))
    return float(low), float(ladder.down(mark + room))


def _room(listing: Listing, mark: float, index: float) -> float:
    if listing.kind is not Kind.OPTION:
        return PERPETUAL_BAND_SHARE * index
    least = OPTION_BAND_MIN if listing.inverse else OPTION_BAND_MIN * index
    return max(least, OPTION_BAND_SHARE * mark)
