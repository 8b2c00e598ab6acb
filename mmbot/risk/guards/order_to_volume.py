"""How many requests may be sent for what is traded."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, doc

from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, Slow
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register


@register(Family.GUARD, "order_to_volume")
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderToVolume:
    """Slow down when too many orders are placed, amended and cancelled for the volume traded.

    Counted is the last hour, by each account. While it is too many, orders that merely lag behind
    the market stay where they are; those that have become too aggressive are still moved, what is
    gone is still placed, and cancels are never held back. About 350 messages per 1,000 USD of ETH
    products count as high, and 100 of BTC products.
    """

    per_1000_usd: Annotated[
        float, Gt(0), doc("messages per 1,000 USD traded as maker (notional value)")
    ] = 100.0
    least: Annotated[int, Ge(1), doc("messages an hour that are always allowed")] = 3600

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """Ok or slow."""
        used = 0.0
        for traffic in reading.traffic:
            allowed = max(self.least, self.per_1000_usd * traffic.volume_usd / 1000)
            if traffic.messages > allowed:
                detail = f"{traffic.messages} messages in an hour, allowed are {allowed:.0f}"
                return Slow(Why.ORDER_TO_VOLUME, detail)
            used = max(used, traffic.messages / allowed)
        return Ok(used)
