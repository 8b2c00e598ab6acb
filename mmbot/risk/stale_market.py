"""The age beyond which a market is not quoted."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.leeway import Leeway, Prices
from mmbot.core.reads import Reads
from mmbot.core.types import SECOND
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.RULE, "stale_market")
@dataclass(frozen=True, slots=True, kw_only=True)
class StaleMarket:
    """Stop quoting a market that has given no sign of life for a while.

    A sign of life is a change of the book or a heartbeat answered on its connection, so a quiet
    market stays quoted. Orders resting in a market gone silent are cancelled.
    """

    after_s: Annotated[float, Gt(0), Le(10), doc("silence that ends the quoting, in seconds")] = 3.0

    def check(self, view: View, proposal: Proposal) -> Verdict:  # noqa: ARG002  # a rule's shape
        """Allow, or block when the market is too old."""
        too_old = view.book_age_ns > self.after_s * SECOND
        return Block(Why.BOOK_STALE) if too_old else ALLOW

    def leeway(self, prices: Prices) -> Leeway:  # noqa: ARG002  # the same for all
        """Anything in a book that is young enough."""
        return Leeway(age_ns=self.after_s * SECOND)

    def reads(self, instrument: Instrument) -> Reads:  # noqa: ARG002  # the same for all
        """The age of the book, and no level of it."""
        return Reads(depth=0, age_limit_ns=self.after_s * SECOND)
