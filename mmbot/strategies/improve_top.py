"""Be a little better than the best: the first strategy to try on a new market."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.reads import Reads
from mmbot.core.sizes import POSITION, SMALLEST, Size
from mmbot.core.types import BUY, OPTION, SELL, ZERO, Level, Quote, Side, Term
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.strategies.quote_builder import QuoteBuilder
from mmbot.strategies.quote_context import QuoteContext, find_ground

_MAX_AGGRESSION = 0.9
_MIN_SPREAD_BPS = (1.0, 5.0)
"""Between these the minimum spread is what the market makes it, where nobody gave one."""

_NOISE = 1e-9
"""Relative error of float arithmetic that must not be mistaken for a difference."""

_JOINING, _IMPROVING = Why.JOINING, Why.IMPROVING  # a class's look-up is a Python call


class ImprovementUnit(Enum):
    """What `improvement` is counted in."""

    USD = "usd"
    TICKS = "ticks"
    PRICE = "price"
    BPS = "bps"


_USD, _TICKS, _, _BPS = ImprovementUnit


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
    max_position: Annotated[Size, doc("position of the full skew")] = POSITION
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
        context = find_ground(
            view, margin=self.edge, size=self.size, max_position=self.max_position
        )
        if not isinstance(context, QuoteContext):
            return context
        bid = self._wish(view, context, BUY)
        ask = self._wish(view, context, SELL)
        self._keep_apart(view, context, bid, ask)
        # Whole ticks: prices are rounded outward, so that a part of a tick would move one side by a
        # tick and the other not at all.
        skew = round(context.skew * self.lean_ticks) if context.skew else 0
        drafts = [ask] if self.ask_only else [bid] if self.bid_only else [bid, ask]
        size, fair = context.size(context.amount), context.fair
        quotes: list[Quote] = []
        for builder in drafts:
            if skew:
                builder.shift("skew", skew * context.tick)
                if builder.why is not Why.FALLBACK_WIDTH:
                    builder.why = Why.SKEWED
            context.hold(builder)
            follow = context.follow(builder, self.requote_pct)
            quotes.append(builder.quote(size=size, fair=fair, follow=follow))
        return quotes

    def reads(self, instrument: Instrument) -> Reads:
        """The best prices alone, unless a size or a width is looked for in the levels below."""
        top = not self.improvement_reference_size and (
            instrument.kind is OPTION or self.min_spread_bps is not None
        )
        return Reads(depth=1 if top else None)

    def _wish(self, view: View, context: QuoteContext, side: Side) -> QuoteBuilder:
        """Where we would like to be if nothing but the others' prices mattered."""
        reference = self._reference(view, side)
        if reference is None:
            builder = QuoteBuilder.start(
                side, "fallback", self._fallback(context, side), Why.FALLBACK_WIDTH
            )
        else:
            builder = QuoteBuilder(side, reference, _JOINING, [Term("reference", reference)])
        if context.tight:
            builder.clamp = Why.TIGHT_MARKET
            return builder
        if self.aggression < 1:
            part = min(self.aggression, _MAX_AGGRESSION)
            step = part * (context.mid - builder.price)
            builder.shift("towards mid", step)
        else:
            step = self._improvement(view, context, side, builder.price)
            builder.shift("improvement", side.sign * step)
        if step and reference is not None:
            builder.why = _IMPROVING
        return builder

    def _reference(self, view: View, side: Side) -> float | None:
        levels = view.bids if side is BUY else view.asks
        if not self.improvement_reference_size:
            return levels[0][0] if levels else None
        seen = 0.0
        wanted = float(self.improvement_reference_size)
        for price, amount in levels:
            seen = seen + amount if self.reference_cumulative else amount
            if seen >= wanted * (1 - _NOISE):
                return price
        return None

    def _fallback(self, context: QuoteContext, side: Side) -> float:
        if context.instrument.kind is OPTION:
            return context.fair - side.sign * context.edge
        return context.mid - side.sign * context.mid * self.spread_bps / 20_000

    def _improvement(
        self, view: View, context: QuoteContext, side: Side, reference: float
    ) -> float:
        """The improvement in price units, at least one tick of the grid towards the other side."""
        amount = float(self.improvement)
        if amount == 0:
            return 0.0
        instrument = view.instrument
        tick = context.ladder.gap(reference, side.sign)  # towards the other side
        unit = self.improvement_unit
        if unit is _USD:
            amount = amount / view.index if instrument.priced_in_coin else amount
        elif unit is _TICKS:
            amount = amount * tick
        elif unit is _BPS:
            amount = amount * reference / 10_000
        return amount if amount > tick else tick

    def _keep_apart(
        self, view: View, context: QuoteContext, bid: QuoteBuilder, ask: QuoteBuilder
    ) -> None:
        """Our own width is at least the minimum spread, and a tick in any case."""
        least = context.tick
        if context.instrument.kind is not OPTION:
            least = max(least, self._min_spread(view, context))
        if ask.price - bid.price < least * (1 - _NOISE):
            for builder in (bid, ask):
                bound = context.mid - builder.side.sign * least / 2
                builder.shift("minimum spread", bound - builder.price)
                builder.price = bound
                builder.clamp = Why.MIN_SPREAD_CLAMP

    def _min_spread(self, view: View, context: QuoteContext) -> float:
        """The minimum spread in price units."""
        if self.min_spread_bps is not None:
            return context.mid * self.min_spread_bps / 10_000
        least, most = (context.mid * bps / 10_000 for bps in _MIN_SPREAD_BPS)
        if not view.bids or not view.asks:
            return least
        return min(most, max(least, _average(view.asks) - _average(view.bids)))


def _average(levels: tuple[Level, ...]) -> float:
    """The mean price of one side's visible levels, by amount."""
    total = sum(amount for _, amount in levels)
    return sum(price * amount for price, amount in levels) / total if total else levels[0][0]
