"""What a person has changed while the bot runs: which quotes are off, how large, how far from fair.

Changes hold until they are taken back or the run ends; a vol offset also ends by itself.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from mmbot.core.books import Market
from mmbot.core.contracts import Instrument
from mmbot.core.scope import DAY_NS, Scope
from mmbot.core.types import ONE, SECOND, Nanos, Right, Side
from mmbot.core.views import Valuation
from mmbot.pricing.scalar import value

_YEAR_NS: Nanos = 365 * DAY_NS
_VOL_LEAST = 1e-4
"""No offset takes a volatility lower."""


@dataclass(slots=True)
class Controls:
    """The changes in force. Of switches that cover the same quote the last one counts."""

    wind_down: bool = False
    """Only quotes that reduce a position."""
    switches: list[tuple[Scope, bool]] = field(default_factory=list)
    """(which quotes, on or off), oldest first."""
    size_factor: Decimal = ONE
    """Every quote's size is multiplied by this."""
    vol_points: float = 0.0
    """Added to the volatility options are valued at; 1.5 is 1.5 vol points."""
    vol_until_ns: Nanos = 0

    def switch(self, scope: Scope, on: bool) -> None:
        """Quotes in `scope` are on or off from now on."""
        if scope.everything:
            self.switches.clear()
            if on:
                return
        self.switches = [(old, was) for old, was in self.switches if old != scope]
        self.switches.append((scope, on))

    def sides_off(self, instrument: Instrument) -> tuple[Side, ...]:
        """Sides of an instrument that may not be quoted."""
        return tuple(side for side in Side if not self._on(instrument, side))

    def _on(self, instrument: Instrument, side: Side) -> bool:
        on = True
        for scope, wanted in self.switches:
            if scope.covers(instrument, side):
                on = wanted
        return on

    def shifted(self, market: Market, valued: Valuation, now_ns: Nanos) -> Valuation:
        """What an option is worth with the offset on its volatility: valued anew at the volatility
        it was valued at, or else the venue's, plus the offset. As it was where there is no offset,
        no volatility, or nothing that depends on one."""
        instrument = market.instrument
        sigma = valued.sigma if valued.sigma is not None else market.mark_iv
        forward = valued.forward if valued.forward is not None else market.forward
        if not (sigma and forward and instrument.has_vega and sigma > 0 and forward > 0):
            return valued
        assert instrument.strike is not None
        assert instrument.expiry_ns is not None
        strike, years = float(instrument.strike), (instrument.expiry_ns - now_ns) / _YEAR_NS
        moved = max(_VOL_LEAST, sigma + self.vol_points / 100)
        is_call = instrument.right is Right.CALL
        before = value(forward, strike, years, sigma, is_call=is_call)
        after = value(forward, strike, years, moved, is_call=is_call)
        unit = forward if instrument.inverse else 1.0
        fair = max(0.0, valued.fair + (after.price - before.price) / unit)
        return valued._replace(fair=fair, sigma=moved, delta=after.delta)

    def lapse(self, now_ns: Nanos) -> bool:
        """End a vol offset whose time is up; whether it did."""
        if not self.vol_points or now_ns < self.vol_until_ns:
            return False
        self.vol_points, self.vol_until_ns = 0.0, 0
        return True

    def texts(self, now_ns: Nanos) -> tuple[str, ...]:
        """What is in force, for people; empty when nothing was changed."""
        said = ["winding down"] if self.wind_down else []
        said += [f"{'on' if on else 'off'}: {scope.text}" for scope, on in self.switches]
        if self.size_factor != 1:
            said.append(f"size x {self.size_factor.normalize():f}")
        if self.vol_points:
            left_s = max(0, self.vol_until_ns - now_ns) // SECOND
            said.append(f"vol {self.vol_points:+g} for {left_s // 60}:{left_s % 60:02}")
        return tuple(said)
