"""An option that is looked at and not traded: what its makers would quote, without any order.

Theory of operation
-------------------
Who follows the ticker of an option is told a best bid and ask twice a second. They are what the
makers of `flow.py` would quote by the same rules: each around what it believes, its own width away,
late by its latency, of the size it has on average. Nothing rests, nothing is matched, nobody takes
and so nobody holds or undercuts anything: as soon as somebody wants the book, the crowd comes and
quotes in earnest. The draws come from a stream of the instrument's own.

A chain has many of them, so an option is valued in full in every eighth look alone, and its ticker
is another one then, or when a best price has moved. What it is worth in between, and at the latent
price instead of the index, follows from its delta and gamma; while it stays between the worths at
which a best price would be another one, a look is over there. All options of an expiry are looked
at in one step, so that they have its smile in common.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from mmbot.pricing import scalar
from mmbot.sim.exchange.ladder import Ladder
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market.flow import LATENCY_MS, MAKERS, NOISE_HALF_LIFE_S, lot
from mmbot.sim.market.stats import Stats
from mmbot.sim.market.ticker import Greeks, MarketTicker, Quoted, Quotes
from mmbot.sim.market.underlying import Latent
from mmbot.sim.market.worth import OPTION_DIGITS, Worth, band_around, option_terms

EVERY_MS: Final = 500
VALUED_EVERY: Final = 8
"""So many looks make a valuation."""
_KEEP: Final = 0.5 ** (VALUED_EVERY * EVERY_MS / 1_000 / NOISE_HALF_LIFE_S)
_FRESH: Final = math.sqrt(1 - _KEEP * _KEEP)
_LATE_MS: Final = LATENCY_MS[1]
_NEAR_POINTS: Final = 4.0
"""So near to the mark's, in volatility points, that of a price follows from vega and its slope."""
_BAND_KEPT: Final = 0.02
"""A price band stays while the mark has moved by less than this share of its width."""
_DAY_MS: Final = 86_400_000
_NOTHING_TRADED: Final = Stats()
NOBODY: Final = Quotes(None, None)
_TEMPERS: Final = tuple((one.half_width, one.noise, int(one.lots)) for one in MAKERS[:3])
"""The makers with the narrowest quotes: those of the others are hardly ever the best."""


class Sight(NamedTuple):
    """A coin's price in one step, as every glance at its options needs it."""

    published: float
    """The index as it is published ..."""
    log_index: float
    """... and the logarithm of what it is exactly."""
    away: float
    """From there to the latent price, as makers know it: late."""

    @staticmethod
    def of(latent: Latent, index: float) -> Sight:
        """The present one."""
        log_index = math.log(latent.index)
        away = math.log(latent.price) - log_index - latent.move_ago(_LATE_MS)
        return Sight(index, log_index, away)


class Glance:
    """The makers of one option, as far as their quotes are concerned."""

    def __init__(
        self, listing: Listing, ladder: Ladder, draw: Random, width_scale: float, future: str
    ) -> None:
        self.listing = listing
        self.ticker: MarketTicker | None = None
        """The last one; None before the first look."""
        self._ladder = ladder
        self._draw = draw
        self._width_scale = width_scale
        self._underlying_index = future
        self.index_name = listing.index_name
        self._strike, self._is_call = option_terms(listing)
        self._lot = lot(listing)
        self._looks = 0
        self._bid_units = self._ask_units = 0.0
        """Where the best quotes are, from what it is worth ..."""
        self._bid_lots = self._ask_lots = 0
        """... and how large."""
        self._last = NOBODY
        self._stays_from = self._stays_to = 0.0
        """Between these worths the best prices are the same."""
        self._halted = False
        self._quoted_last: tuple[Decimal | None, Decimal | None] | None = None
        """Their prices."""
        self._forward = self._mark = self._per_log = self._bend = self._vega = 0.0
        self._log_index = self._volatility = self._years = self._low = self._high = 0.0
        self._mark_iv = self._volga = self._band_mark = 0.0
        self._delivery: float | None = None
        """What is expected of the delivery price; None: the index."""
        self._greeks = Greeks(0.0, 0.0, 0.0, 0.0, 0.0)
        self._misjudged = [draw.gauss(0, noise) for _, noise, _ in _TEMPERS]

    def look(self, worth: Worth, latent: Latent, sight: Sight, *, halted: bool) -> None:
        """Half a second has passed: what the venue publishes now."""
        self._looks += 1
        valued = self._looks % VALUED_EVERY == 1
        if valued:
            self._value(worth, latent)
            self._change_minds()
        moved = sight.log_index - self._log_index
        mark = max(self._mark + (self._per_log + self._bend * moved) * moved, 0.0)
        fair = mark + self._per_log * sight.away
        if not valued and halted == self._halted and self._stays_from < fair < self._stays_to:
            return
        self._halted = halted
        unit = max(self._vega, self._ladder.tick_at(max(fair, 0.0)) / 2)
        quotes = NOBODY if halted else self._quotes(fair, unit)
        if not valued and self.ticker is not None and quotes is self.ticker.quotes:
            return
        forward = self._forward * (1 + moved)
        bid_iv = self._quoted(quotes.best_bid, mark, forward)
        ask_iv = self._quoted(quotes.best_ask, mark, forward)
        index = sight.published
        self.ticker = MarketTicker(
            self.listing.name,
            worth.now_ms,
            index,
            round(mark, OPTION_DIGITS),
            self._low,
            self._high,
            _NOTHING_TRADED,
            self._delivery if self._delivery is not None else index,
            underlying_price=round(forward, 4),
            underlying_index=self._underlying_index,
            mark_iv=self._mark_iv,
            bid_iv=bid_iv,
            ask_iv=ask_iv,
            greeks=self._greeks,
            quotes=quotes,
        )

    def _value(self, worth: Worth, latent: Latent) -> None:
        """Take the option's worth at the index in full."""
        listing = self.listing
        self._forward, value, volatility = worth.value(listing, latent.index)
        forward, self._years = self._forward, worth.years(listing)
        left = worth.share_left(listing)
        mark, per_log, bend, vega = (
            value.price,
            value.delta * forward,
            value.gamma * forward * forward / 2,
            value.vega,
        )
        if listing.inverse:
            per_log = (per_log - left * mark) / forward
            mark, bend, vega = mark / forward, bend / forward, vega / forward
        self._mark, self._per_log, self._bend, self._vega = mark, per_log, bend, vega
        self._log_index, self._volatility = math.log(latent.index), volatility
        if abs(mark - self._band_mark) > _BAND_KEPT * (self._high - self._low):
            self._band_mark = mark
            self._low, self._high = band_around(listing, self._ladder, mark, latent.index)
        self._delivery = worth.delivery_of(listing) if left < 1 else None
        self._mark_iv = round(100 * volatility, 2)
        self._volga = _volga(forward, self._strike, self._years, volatility)
        self._greeks = Greeks(
            round(value.delta, 5),
            round(value.gamma, 5),
            round(value.vega, 5),
            round(value.theta, 5),
            round(value.rho, 5),
        )

    def _quoted(self, quoted: Quoted | None, mark: float, forward: float) -> float:
        """The volatility of a best price, in percent; 0 where there is none."""
        if quoted is None or self._vega <= 0:
            return 0.0
        price = float(quoted.price)
        away = (price - mark) / self._vega
        if abs(away) < _NEAR_POINTS and abs(away * self._volga) < _NEAR_POINTS:
            return round(100 * self._volatility + away - 0.5 * self._volga * away * away, 2)
        usd = price * forward if self.listing.inverse else price
        guess = self._volatility + away / 100
        found = scalar.implied_vol(
            usd, forward, self._strike, self._years, guess, is_call=self._is_call
        )
        return round(100 * found, 2) if found is not None else 0.0

    def _change_minds(self) -> None:
        """What each maker believes has moved; the best of what all would quote is what counts, and
        none of them takes what another one does."""
        misjudged, gauss, scale = self._misjudged, self._draw.gauss, self._width_scale
        bid, ask = -math.inf, math.inf
        for place, (half_width, noise, lots) in enumerate(_TEMPERS):
            moved = misjudged[place] = _KEEP * misjudged[place] + _FRESH * noise * gauss(0, 1)
            width = half_width * scale
            if moved - width > bid:
                bid, self._bid_lots = moved - width, lots
            if moved + width < ask:
                ask, self._ask_lots = moved + width, lots
        if bid > ask:
            bid = ask = (bid + ask) / 2
        self._bid_units, self._ask_units = bid, ask

    def _quotes(self, fair: float, unit: float) -> Quotes:
        """The best prices around that worth; the last ones, where they are the same."""
        ladder, least = self._ladder, self._ladder.tick / 2
        to_bid, to_ask = self._bid_units * unit, self._ask_units * unit
        bid, ask = fair + to_bid, fair + to_ask
        best_bid = ladder.down(bid) if bid > least else None
        best_ask = ladder.up(max(ask, least))
        at_bid, at_ask = float(best_bid or 0), float(best_ask)
        below = at_ask - ladder.tick_at(at_ask - least)
        self._stays_from = max(at_bid or -math.inf, (below or -math.inf) + to_bid - to_ask) - to_bid
        above = at_bid + ladder.tick_at(at_bid) if best_bid else least
        self._stays_to = min(above - to_bid, at_ask - to_ask)
        if best_bid == best_ask:
            best_ask = self.listing.next_above(best_ask)
        quoted = (best_bid, best_ask)
        if quoted != self._quoted_last:
            self._quoted_last = quoted
            self._last = Quotes(
                Quoted(best_bid, self._bid_lots * self._lot) if best_bid else None,
                Quoted(best_ask, self._ask_lots * self._lot),
            )
        return self._last


class Glances:
    """All options that are looked at, those of one expiry in one step: `every` steps lie between
    two looks at the same."""

    def __init__(self, exchange: Exchange, worth: Worth, every: int) -> None:
        self._exchange = exchange
        self._worth = worth
        self._every = every
        self._at: dict[str, Glance] = {}
        self._due: list[dict[str, Glance]] = [{} for _ in range(every)]

    def __contains__(self, name: str) -> bool:
        """Whether that option is looked at."""
        return name in self._at

    def get(self, name: str) -> Glance | None:
        """What its makers say; None where nobody asks them."""
        return self._at.get(name)

    def add(self, glance: Glance, latent: Latent) -> None:
        """Look at one more, and at once."""
        name = glance.listing.name
        self._at[name] = self._due[self._turn(glance)][name] = glance
        sight = Sight.of(latent, self._worth.index(glance.index_name))
        halted = self._exchange.is_halted(glance.listing)
        glance.look(self._worth, latent, sight, halted=halted)

    def drop(self, name: str) -> None:
        """Look at it no more."""
        glance = self._at.pop(name, None)
        if glance is not None:
            del self._due[self._turn(glance)][name]

    def step(self, number: int, latents: Mapping[str, Latent], crowds: Container[str]) -> None:
        """Look at whatever it is the turn of; what has a crowd is looked at in its book."""
        due = self._due[number % self._every]
        if not due:
            return
        worth, is_halted = self._worth, self._exchange.is_halted
        any_halted = bool(self._exchange.halted)
        sights: dict[str, Sight] = {}
        for name, glance in due.items():
            if name in crowds:
                continue
            listing, index_name = glance.listing, glance.index_name
            latent = latents[listing.underlying]
            sight = sights.get(index_name)
            if sight is None:
                sight = sights[index_name] = Sight.of(latent, worth.index(index_name))
            glance.look(worth, latent, sight, halted=any_halted and is_halted(listing))

    def _turn(self, glance: Glance) -> int:
        return glance.listing.expiry_ms // _DAY_MS % self._every


def _volga(forward: float, strike: float, years: float, volatility: float) -> float:
    """How vega changes with a volatility point, over vega (Black-76)."""
    deviation = volatility * math.sqrt(years)
    if deviation <= 0:
        return 0.0
    log_money = math.log(forward / strike)
    return ((log_money / deviation) ** 2 - deviation * deviation / 4) / (100 * volatility)
