"""Whether prices elsewhere are known well enough to quote."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le, MinLen, doc

from mmbot.core.types import SECOND
from mmbot.core.views import ALLOW, Block, Proposal, Verdict, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.RULE, "reference_price")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePrice:
    """Stop quoting while a reference price is missing, old, or far from the venue's index.

    A desk has this rule only where its file names it. Each source that is named must have a price;
    with none named, every source that has spoken of the underlying counts, and one must have. A
    price is as old as the source's own stamp says, where it stamps, and at least as old as its
    receipt. With `max_gap_bps`, a price further than that from the venue's own index stops the
    quoting too: one of the two is wrong.
    """

    sources: Annotated[
        tuple[str, ...], MinLen(1), doc("whose prices are needed; every source there is, if none")
    ] = ()
    max_age_s: Annotated[
        float, Gt(0), Le(3600), doc("a price older than that is none, in seconds")
    ] = 5.0
    max_gap_bps: Annotated[
        float | None, Gt(0), Le(10_000), doc("largest distance from the venue's index, in bps")
    ] = None

    def check(self, view: View, proposal: Proposal) -> Verdict:  # noqa: ARG002  # a rule's shape
        """Allow, or block when a price that is needed cannot be relied upon."""
        sources = self.sources or tuple(view.references)
        if not sources:
            return Block(Why.NO_REFERENCE)
        for source in sources:
            reference = view.references.get(source)
            if reference is None:
                return Block(Why.NO_REFERENCE)
            if reference.age_ns(view.now_ns) > self.max_age_s * SECOND:
                return Block(Why.STALE_REFERENCE)
            if self.max_gap_bps is not None:
                gap_bps = abs(reference.price - view.index) / view.index * 1e4
                if not gap_bps <= self.max_gap_bps:  # also when the index is no number
                    return Block(Why.REFERENCE_GAP)
        return ALLOW
