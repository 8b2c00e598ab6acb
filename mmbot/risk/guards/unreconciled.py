"""How long our books and the venue's may disagree."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, doc

from mmbot.core.types import SECOND
from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "unreconciled")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unreconciled:
    """Trip the kill switch when a position at the venue keeps differing from our fills.

    The instrument itself is halted at once, and quoted again as soon as both agree.
    """

    after_s: Annotated[
        float, Ge(0), Le(3600), doc("how long both numbers may differ, in seconds")
    ] = 120.0

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip after too long a difference."""
        if not reading.mismatch:
            return Ok()
        for_s = reading.mismatch_ns / SECOND
        if for_s >= self.after_s:
            return Trip(Why.UNRECONCILED, reading.mismatch)
        return Ok(for_s / self.after_s)
