"""How long the prices elsewhere may be silent."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le, MinLen, doc

from mmbot.core.types import SECOND
from mmbot.core.views import GuardVerdict, Ok, Pause, RiskSnapshot
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "stale_references")
@dataclass(frozen=True, slots=True, kw_only=True)
class StaleReferences:
    """Pause all quoting while no source of reference prices says anything new.

    This guard watches only where a file names it. It looks at the sources that are named, one never
    heard from included; with none named, at every source that has spoken. One fresh price of one of
    them is enough: that a single source stands still is for the rule reference_price. Quotes come
    back by themselves; the kill switch is never tripped.
    """

    sources: Annotated[
        tuple[str, ...], MinLen(1), doc("which sources; every source there is, if none")
    ] = ()
    after_s: Annotated[
        float, Gt(0), Le(3600), doc("age of the newest price of all of them, in seconds")
    ] = 10.0

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or pause while every source is too old."""
        ages = reading.reference_ages
        sources = self.sources or tuple(ages)
        if not sources:
            return Ok()
        youngest_ns = min((ages[source] for source in sources if source in ages), default=None)
        if youngest_ns is None:
            return Pause(Why.NO_REFERENCE, f"nothing heard from {', '.join(sources)}")
        age_s = max(0.0, youngest_ns / SECOND)
        if age_s >= self.after_s:
            detail = f"newest price of {', '.join(sources)} is {age_s:.1f} s old"
            return Pause(Why.STALE_REFERENCE, detail)
        return Ok(age_s / self.after_s)
