"""How long the kill switch tries before it says that orders may remain."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds for one account, in seconds of our clock."""

    bound_s: float = 15.0
    order_s: float = 0.5
    """An account is given up after `bound_s`, and `order_s` more for each order that had to go."""
    call_limit_s: float = 2.0
    """How long one way may take, connecting included, before the other one is tried."""
    unread_s: float = 3.0
    """Rows, or a whole list, that stay unreadable for so long will not be read this time."""


USUAL = Timing()
