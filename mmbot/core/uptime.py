"""Time in the market: for how much of the time an order of ours rested on a side.

Whatever opens or ends an order is an event of its instrument, and every event of an instrument is
followed by a look at it, so looking then misses nothing. Time that passed while nobody looked (a
stopped process) counts as it was at the last look.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mmbot.core.order_life import AMENDING, CANCELING, LIVE
from mmbot.core.orders import Order
from mmbot.core.types import BUY, Nanos, Side

_RESTING = (LIVE, AMENDING, CANCELING)
"""Known to be at the venue, and not known to be gone."""


@dataclass(slots=True)
class SideUptime:
    """One side: `quoted_ns` up to the last change, `since_ns` when the present quote began."""

    quoted_ns: Nanos = 0
    since_ns: Nanos = 0
    """0 while there is none."""
    gaps: int = 0
    """How often there was one, and then none."""


@dataclass(slots=True)
class Uptime:
    """One instrument, from the first time it was quoted on a side."""

    began_ns: Nanos = 0
    """0 before that."""
    sides: dict[Side, SideUptime] = field(
        default_factory=lambda: {side: SideUptime() for side in Side}
    )

    def look(self, orders: Iterable[Order], now_ns: Nanos) -> None:
        """Our orders on the instrument as they are now."""
        bids = asks = False
        for order in orders:
            if order.status in _RESTING:
                if order.side is BUY:
                    bids = True
                else:
                    asks = True
        if not self.began_ns and (bids or asks):
            self.began_ns = now_ns
        for side, uptime in self.sides.items():
            if bids if side is BUY else asks:
                if not uptime.since_ns:
                    uptime.since_ns = now_ns
            elif uptime.since_ns:
                uptime.quoted_ns += now_ns - uptime.since_ns
                uptime.since_ns = 0
                uptime.gaps += 1

    def quoted_ns(self, side: Side, now_ns: Nanos) -> Nanos:
        """For how long that side has been quoted."""
        uptime = self.sides[side]
        open_ns = now_ns - uptime.since_ns if uptime.since_ns else 0
        return uptime.quoted_ns + max(0, open_ns)

    def share(self, side: Side, now_ns: Nanos) -> float | None:
        """Time in the market on that side, 0 to 1; None before any quote."""
        if not self.began_ns or now_ns <= self.began_ns:
            return None
        return self.quoted_ns(side, now_ns) / (now_ns - self.began_ns)
