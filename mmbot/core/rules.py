"""What a desk's rules leave of a target."""

from collections.abc import Iterable

from msgspec.structs import replace

from mmbot.core.ports import RiskRule
from mmbot.core.types import Target
from mmbot.core.views import ALLOW, Block, Proposal, Shrink, View
from mmbot.core.why import Why


def within_rules(rules: Iterable[RiskRule], view: View, proposal: Proposal) -> Target | Why:
    """A proposal's target, as large as every rule allows; cut, it says by which."""
    target = proposal.target
    size, why = target.size, target.why
    for rule in rules:
        verdict = rule.check(view, proposal)
        if verdict is ALLOW:
            continue
        if isinstance(verdict, Block):
            return verdict.why
        if isinstance(verdict, Shrink) and verdict.size < size:
            size, why = view.instrument.snap_size(verdict.size), verdict.why
            if size < view.instrument.least_amount(target.price, target.side):
                return why
    return target if size == target.size else replace(target, size=size, why=why)
