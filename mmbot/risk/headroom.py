"""The headroom a limit leaves on one side, as a verdict."""

from decimal import Decimal

from mmbot.core.contracts import Instrument
from mmbot.core.views import ALLOW, Block, Proposal, Shrink, Verdict
from mmbot.core.why import Why


def fit(
    instrument: Instrument, proposal: Proposal, limit: Decimal, *, cut: Why, full: Why
) -> Verdict:
    """Keep the worst-case position on the target's own side within `limit` (amount unit, >= 0);
    `cut` says why a target is shrunk, `full` why there is no headroom for any.

    Headroom = limit - (worst_position in the target's direction). Against a position it is the
    whole way back to flat plus the limit beyond, so reducing is possible even above the limit.
    What is left of a target is rounded down to the lot; less than the venue's minimum is nothing.
    """
    target = proposal.target
    headroom = limit - target.side.sign * proposal.worst_position
    if target.size <= headroom:
        return ALLOW
    left = instrument.snap_size(headroom) if headroom > 0 else headroom
    return Shrink(left, cut) if left > 0 else Block(full)
