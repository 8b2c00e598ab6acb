"""How long the desk may be blind."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le, doc

from mmbot.core.types import SECOND
from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Trip
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "stale_data")
@dataclass(frozen=True, slots=True, kw_only=True)
class StaleData:
    """Trip the kill switch when no market at all has given a sign of life for a long time.

    Quotes are pulled within seconds of silence (rule stale_market) and come back by themselves.
    This is for an outage after which a person should look before anything is quoted again.
    """

    after_s: Annotated[float, Gt(0), Le(86_400), doc("silence of every market, in seconds")] = 900.0

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok, or trip after too long a silence."""
        silent_s = reading.silent_ns / SECOND
        if silent_s >= self.after_s:
            return Trip(Why.STALE_DATA, f"every market silent for {silent_s:.1f} s")
        return Ok(silent_s / self.after_s)
