"""An option that is looked at and not traded: what its makers would quote, without any order.

Theory of operation
-------------------
Who follows the ticker of an option is told a best bid and ask twice a second. They are what the
makers of `flow.py` would quote by the same rules: each around what it believes, its own width away,
late by its latency, of the size it has on average. Nothing rests, nothing is matched, nobody takes
and so nobody holds or undercuts anything: as soon as somebody wants the book, the crowd comes and
quotes in earnest. The draws come from a stream of the instrument's own.

A chain has many of them, so an option is valued in full in every fourth look alone, and its ticker
is another one then, or when a best price has moved. What it is worth in between, and at the latent
price instead of the index, follows from its delta and gamma; the volatility of a quote is solved
for when the quote moves, and follows the mark until then.
"""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from mmbot.pricing import scalar
from mmbot.sim.exchange.ladder import Ladder
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.market.flow import LATENCY_MS, MAKERS, NOISE_HALF_LIFE_S, lot
from mmbot.sim.market.stats import Stats
from mmbot.sim.market.ticker import Greeks, MarketTicker, Quoted, Quotes
from mmbot.sim.market.underlying import Latent
from mmbot.sim.market.worth import OPTION_DIGITS, Worth, band_around, option_terms

EVERY_MS: Final = 500
VALUED_EVERY: Final = 4
"""So many looks make a valuation."""
_KEEP: Final = 0.5 ** (VALUED_EVERY * EVERY_MS / 1_000 / NOISE_HALF_LIFE_S)
_FRESH: Final = math.sqrt(1 - _KEEP * _KEEP)
_LATE_MS: Final = LATENCY_MS[1]
_NEWTON_MAX: Final = 8
_NEAR: Final = 1e-9
"""Of the forward: so near to a price its volatility is known."""
_NOTHING_TRADED: Final = Stats()
NOBODY: Final = Quotes(None, None)
_TEMPERS: Final = tuple((one.half_width, one.noise, int(one.lots)) for one in MAKERS[:3])
"""The makers with the narrowest quotes: those of the others are hardly ever the best."""


class Sight(NamedTuple):
    """A coin's price in one step, as every glance at its options needs it: logarithms."""

    log_index: float
    away: float
    """From there to the latent price, as makers know it: late."""

    @staticmethod
    def of(latent: Latent) -> Sight:
        """The present one."""
        log_index = math.log(latent.index)
        away = math.log(latent.price) - log_index - latent.move_ago(_LATE_MS)
        return Sight(log_index, away)


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
        self._index_name = listing.index_name
        self._strike, self._is_call = option_terms(listing)
        self._lot = lot(listing)
        self._looks = 0
        self._bid_units = self._ask_units = 0.0
        """Where the best quotes are, from what it is worth ..."""
        self._bid_lots = self._ask_lots = 0
        """... and how large."""
        self._last = NOBODY
        self._quoted_last: tuple[Decimal | None, Decimal | None] | None = None
        """Their prices."""
        self._forward = self._mark = self._per_log = self._bend = self._vega = 0.0
        self._log_index = self._volatility = self._years = self._low = self._high = 0.0
        self._mark_iv = 0.0
        self._delivery: float | None = None
        """What is expected of the delivery price; None: the index."""
        self._greeks = Greeks(0.0, 0.0, 0.0, 0.0, 0.0)
        self._solved: list[tuple[Decimal, float, float | None] | None] = [None, None]
        """Of the bid and the ask: price, mark and volatility."""
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
        unit = max(self._vega, self._ladder.tick_at(max(fair, 0.0)) / 2)
        quotes = NOBODY if halted else self._quotes(fair, unit)
        if not valued and self.ticker is not None and quotes is self.ticker.quotes:
            return
        forward = self._forward * (1 + moved)
        bid_iv = self._quoted(0, quotes.best_bid, mark, forward)
        ask_iv = self._quoted(1, quotes.best_ask, mark, forward)
        index = worth.index(self._index_name)
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
        self._low, self._high = band_around(listing, self._ladder, mark, latent.index)
        self._delivery = worth.delivery_of(listing) if left < 1 else None
        self._mark_iv = round(100 * volatility, 2)
        self._solved = [None, None]
        self._greeks = Greeks(
            round(value.delta, 5),
            round(value.gamma, 5),
            round(value.vega, 5),
            round(value.theta, 5),
            round(value.rho, 5),
        )

    def _quoted(self, side: int, quoted: Quoted | None, mark: float, forward: float) -> float:
        """The volatility of a best price, in percent; 0 where there is none."""
        if quoted is None or self._vega <= 0:
            return 0.0
        price = float(quoted.price)
        known = self._solved[side]
        if known is None or known[0] != quoted.price:
            guess = self._volatility + (price - mark) / (100 * self._vega)
            found = self._solve(price * (forward if self.listing.inverse else 1.0), forward, guess)
            known = self._solved[side] = (quoted.price, mark, found)
        _, at_mark, found = known
        if found is None:
            return 0.0
        return round(max(100 * found - (mark - at_mark) / self._vega, 0.0), 2)

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
        bid, ask = fair + self._bid_units * unit, fair + self._ask_units * unit
        best_bid = ladder.down(bid) if bid > least else None
        best_ask = ladder.up(max(ask, least))
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

    def _solve(self, usd: float, forward: float, guess: float) -> float | None:
        """The volatility at which Black-76 gives a price (USD); None where there is none."""
        strike, is_call, vol, years = self._strike, self._is_call, guess, self._years
        for _ in range(_NEWTON_MAX):
            if not scalar.VOL_MIN < vol < scalar.VOL_MAX:
                break
            at_vol = scalar.value(forward, strike, years, vol, is_call=is_call)
            miss = at_vol.price - usd
            if abs(miss) < _NEAR * forward:
                return vol
            if at_vol.vega <= 0:
                break
            vol -= miss / (100 * at_vol.vega)
        return scalar.implied_vol(usd, forward, strike, years, guess, is_call=is_call)
