"""The position limit of one instrument."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import doc

from mmbot.core.contracts import Instrument
from mmbot.core.leeway import Leeway, Prices
from mmbot.core.reads import no_levels
from mmbot.core.sizes import POSITION, Size, amount_of
from mmbot.core.views import Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.risk.headroom import fit


@register(Family.RULE, "max_position")
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPosition:
    """Keep each instrument's position within a limit, long and short.

    Counted is the worst case: the position plus everything of ours resting, in flight or unknown
    on the same side. A target is shrunk to the headroom left and blocked when there is none;
    reducing is always allowed up to flat, and beyond it within the limit. A bare number is in the
    venue's unit: coin for options, US dollars for inverse perpetuals and futures.
    """

    limit: Annotated[Size, doc("largest position either way")] = POSITION

    reads = no_levels

    def most(self, instrument: Instrument, index: float, mark: float) -> Decimal | None:
        """The limit in the instrument's amount unit; None without the price it takes."""
        return amount_of(self.limit, instrument, index, mark)

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, shrink to the headroom left, or block."""
        limit = self.most(view.instrument, view.index, view.mark)
        if limit is None:
            return Block(Why.NO_MARK)
        return fit(view.instrument, proposal, limit, cut=Why.CUT_POSITION, full=Why.MAX_POSITION)

    def leeway(self, prices: Prices) -> Leeway | None:
        """Any position up to the limit."""
        limit = self.most(prices.instrument, prices.index, prices.mark)
        return None if limit is None else Leeway(position=limit)
