"""Be a little better than the best: the first strategy to try on a new market."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.sizes import POSITION, SMALLEST, Size
from mmbot.core.types import ZERO, Kind, Level, Quote, Side
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.strategies.draft import Draft
from mmbot.strategies.ground import Ground, find_ground

_MAX_AGGRESSION = 0.9
_MIN_SPREAD_BPS = (1.0, 5.0)
"""Between these the minimum spread is what the market makes it, where nobody gave one."""

_NOISE = 1e-9
"""Relative error of float arithmetic that must not be mistaken for a difference."""


class ImprovementUnit(Enum):
    """What `improvement` is counted in."""

    USD = "usd"
    TICKS = "ticks"
    PRICE = "price"
    BPS = "bps"


@register(Family.STRATEGY, "improve_top")
@dataclass(frozen=True, slots=True, kw_only=True)
class ImproveTop:
    """Improve the best bid and ask of the others, on both sides, by a little.

    Use it where the others' prices can be trusted and there is room between them. The bid stays
    at or below fair value less fee and `edge`, the ask at or above fair value plus both. A market
    of at most two ticks is joined, not improved. A position shifts both quotes against it. A
    missing side, or one without a level of the reference size, is quoted at a fallback width
    around mid (perpetuals and futures) or at fair value less fee and `edge` (options).
    """

    improvement: Annotated[
        Decimal, Ge(0), doc("how much better than the reference, at least one tick; 0 joins")
    ] = Decimal("0.1")
    improvement_unit: Annotated[
        ImprovementUnit,
        doc("unit of improvement: usd (coin premiums: converted at the index), ticks, price, bps"),
    ] = ImprovementUnit.USD
    improvement_reference_size: Annotated[
        Decimal, Ge(0), doc("the reference is the first level of this amount; 0: the best level")
    ] = ZERO
    reference_cumulative: Annotated[
        bool, doc("count the amounts of the better levels towards the reference size")
    ] = False
    aggression: Annotated[
        float,
        Ge(0),
        Le(1),
        doc("below 1: instead of improving, go this fraction (at most 0.9) towards mid; 0 joins"),
    ] = 1.0
    spread_bps: Annotated[
        float, Gt(0), Le(10_000), doc("fallback width in bps of mid (perpetuals and futures)")
    ] = 10.0
    min_spread_bps: Annotated[
        float | None,
        Ge(0),
        Le(10_000),
        doc(
            "least width between our bid and ask, bps of mid (not for options); none: that of the "
            "others' quotes on average, 1 to 5"
        ),
    ] = None
    edge: Annotated[
        Decimal, Ge(0), doc("distance to keep from fair value beyond the maker fee, price units")
    ] = ZERO
    size: Annotated[Size, doc("amount a side; at least the smallest order, the default")] = SMALLEST
    lean_ticks: Annotated[
        float,
        Ge(0),
        doc("shift of both quotes against the position, at max_position; in whole ticks"),
    ] = 2.0
    max_position: Annotated[Size, doc("position of the full lean")] = POSITION
    requote_pct: Annotated[
        float | None,
        Ge(0),
        Le(100),
        doc(
            "how far off a resting order is moved, % of price, at least one tick; none: 0.5 for "
            "options, for others most of their own distance from fair value"
        ),
    ] = None
    bid_only: Annotated[bool, doc("quote the bid alone")] = False
    ask_only: Annotated[bool, doc("quote the ask alone")] = False

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.bid_only and self.ask_only:
            raise ValueError("bid_only and ask_only exclude each other: set at most one")

    def quotes(self, view: View) -> Iterable[Quote] | Why:
        """At most one quote a side, or why none."""
        ground = find_ground(view, margin=self.edge, size=self.size, max_position=self.max_position)
        if isinstance(ground, Why):
            return ground
        bid = self._wish(view, ground, Side.BUY)
        ask = self._wish(view, ground, Side.SELL)
        self._keep_apart(view, ground, bid, ask)
        # Whole ticks: prices are rounded outward, so that a part of a tick would move one side by a
        # tick and the other not at all.
        lean = round(ground.lean * self.lean_ticks)
        drafts = [*([] if self.ask_only else [bid]), *([] if self.bid_only else [ask])]
        for draft in drafts:
            draft.shift("lean", lean * ground.tick)
            if lean and draft.why is not Why.FALLBACK_WIDTH:
                draft.why = Why.LEANING
            ground.hold(draft)
        size = ground.size(ground.amount)
        return [
            draft.quote(
                size=size,
                fair=ground.fair,
                follow=ground.follow(draft, self.requote_pct),
            )
            for draft in drafts
        ]

    def _wish(self, view: View, ground: Ground, side: Side) -> Draft:
        """Where we would like to be if nothing but the others' prices mattered."""
        reference = self._reference(view, side)
        if reference is None:
            draft = Draft.start(side, "fallback", self._fallback(ground, side), Why.FALLBACK_WIDTH)
        else:
            draft = Draft.start(side, "reference", reference, Why.JOINING)
        if ground.tight:
            draft.clamp = Why.TIGHT_MARKET
            return draft
        if self.aggression < 1:
            part = min(self.aggression, _MAX_AGGRESSION)
            step = part * (ground.mid - draft.price)
            draft.shift("towards mid", step)
        else:
            step = self._improvement(view, ground, side, draft.price)
            draft.shift("improvement", side.sign * step)
        if step and reference is not None:
            draft.why = Why.IMPROVING
        return draft

    def _reference(self, view: View, side: Side) -> float | None:
        seen = 0.0
        wanted = float(self.improvement_reference_size)
        for price, amount in view.bids if side is Side.BUY else view.asks:
            seen = seen + amount if self.reference_cumulative else amount
            if seen >= wanted * (1 - _NOISE):
                return price
        return None

    def _fallback(self, ground: Ground, side: Side) -> float:
        if ground.instrument.kind is Kind.OPTION:
            return ground.fair - side.sign * ground.edge
        return ground.mid - side.sign * ground.mid * self.spread_bps / 20_000

    def _improvement(self, view: View, ground: Ground, side: Side, reference: float) -> float:
        """The improvement in price units, at least one tick of the grid towards the other side."""
        amount = float(self.improvement)
        if amount == 0:
            return 0.0
        instrument = view.instrument
        tick = ground.tick_inward(side, reference)
        match self.improvement_unit:
            case ImprovementUnit.USD:
                in_coin = instrument.inverse and instrument.kind is Kind.OPTION
                amount = amount / view.index if in_coin else amount
            case ImprovementUnit.TICKS:
                amount = amount * tick
            case ImprovementUnit.BPS:
                amount = amount * reference / 10_000
            case ImprovementUnit.PRICE:
                pass
        return max(amount, tick)

    def _keep_apart(self, view: View, ground: Ground, bid: Draft, ask: Draft) -> None:
        """Our own width is at least the minimum spread, and a tick in any case."""
        least = ground.tick
        if ground.instrument.kind is not Kind.OPTION:
            least = max(least, self._min_spread(view, ground))
        if ask.price - bid.price < least * (1 - _NOISE):
            for draft in (bid, ask):
                bound = ground.mid - draft.side.sign * least / 2
                draft.shift("minimum spread", bound - draft.price)
                draft.price = bound
                draft.clamp = Why.MIN_SPREAD_CLAMP

    def _min_spread(self, view: View, ground: Ground) -> float:
        """The minimum spread in price units."""
        if self.min_spread_bps is not None:
            return ground.mid * self.min_spread_bps / 10_000
        least, most = (ground.mid * bps / 10_000 for bps in _MIN_SPREAD_BPS)
        if not view.bids or not view.asks:
            return least
        return min(most, max(least, _average(view.asks) - _average(view.bids)))


def _average(levels: tuple[Level, ...]) -> float:
    """The mean price of one side's visible levels, by amount."""
    total = sum(amount for _, amount in levels)
    return sum(price * amount for price, amount in levels) / total if total else levels[0][0]
