"""A fixed width around the middle, in several levels, skewed against the position."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from math import inf
from typing import Annotated

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.reads import best_levels
from mmbot.core.sizes import POSITION, SMALLEST, Size
from mmbot.core.types import ONE, ZERO, Quote, Side
from mmbot.core.views import View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.strategies.quote_builder import QuoteBuilder
from mmbot.strategies.quote_context import QuoteContext, find_ground


class Center(Enum):
    """What the quotes are centered on."""

    MID = "mid"
    FAIR = "fair"


@register(Family.STRATEGY, "simple_spread")
@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleSpread:
    """Quote a fixed width around the middle of the market, or around fair value.

    Use it as a baseline, and where you want to earn a width rather than be first. A position
    shifts both sides the same way, against it: a long position lowers bid and ask. The half-width
    is never below the maker fee plus `edge`, which decides on options, where bps of a small
    premium mean little; a level's spacing and the full skew are at least one tick.
    """

    center: Annotated[Center, doc("quote around the market's mid or around fair value")] = (
        Center.MID
    )
    spread_bps: Annotated[
        float, Gt(0), Le(10_000), doc("width between the first bid and ask, in bps")
    ] = 20.0
    levels: Annotated[int, Ge(1), Le(20), doc("levels a side")] = 1
    level_spacing_bps: Annotated[
        float, Ge(0), Le(10_000), doc("from one level to the next, in bps; at least one tick")
    ] = 10.0
    size: Annotated[
        Size, doc("amount of the first level; at least the smallest order, the default")
    ] = SMALLEST
    level_size_factor: Annotated[
        Decimal, Gt(0), Le(10), doc("size of a level as a multiple of the one before it")
    ] = ONE
    skew_bps_at_limit: Annotated[
        float,
        Ge(0),
        Le(10_000),
        doc("shift of both sides at max_position, in bps; at least one tick, 0: none"),
    ] = 10.0
    max_position: Annotated[Size, doc("position of the full skew")] = POSITION
    edge: Annotated[
        Decimal, Ge(0), doc("distance to keep from fair value beyond the maker fee, price units")
    ] = ZERO
    requote_pct: Annotated[
        float | None,
        Ge(0),
        Le(100),
        doc(
            "how far off a resting order is moved, % of price, at least one tick; none: 0.5 for "
            "options, for others most of their own distance from fair value"
        ),
    ] = None
    reads = best_levels  # for their middle, and for what would cross them

    def quotes(self, view: View) -> Iterable[Quote] | Why:
        """The levels of both sides, or why none."""
        context = find_ground(
            view, margin=self.edge, size=self.size, max_position=self.max_position
        )
        if not isinstance(context, QuoteContext):
            return context
        return [quote for side in Side for quote in self._side(context, side)]

    def _side(self, context: QuoteContext, side: Side) -> Iterator[Quote]:
        center = context.mid if self.center is Center.MID else context.fair
        tick = context.tick
        builder = QuoteBuilder.start(side, self.center.value, center, Why.QUOTED)
        # Half a tick keeps bid and ask apart however small the width.
        builder.shift("half width", -side.sign * max(center * self.spread_bps / 20_000, tick / 2))
        builder.hold("cost floor", center - side.sign * context.edge, Why.COST_FLOOR_CLAMP)
        full_skew = max(center * self.skew_bps_at_limit / 10_000, tick)
        skew = context.skew * full_skew if self.skew_bps_at_limit else 0.0
        builder.shift("skew", skew)
        if abs(skew) >= tick:
            builder.why = Why.SKEWED
        context.hold(builder)
        size, step = context.amount, inf
        for level in range(self.levels):
            if level:
                next_free = context.free_outward(builder)
                if next_free is None:
                    return
                step = max(center * self.level_spacing_bps / 10_000, next_free)
                builder.shift("spacing", -side.sign * step)
                size *= self.level_size_factor
            yield builder.quote(
                size=context.size(size),
                fair=context.fair,
                follow=context.follow(builder, self.requote_pct, behind=step),
                level=level,
            )
