"""Whether an order fits its target, and what an amend that makes it fit asks for.

An order fits when it rests at the target's price, or lags behind it by less than the target's
requote threshold, or when it lags but was sent a moment ago; one that is more aggressive than its
target never fits (where it may stay nevertheless, its own price has become the target: resting).
Its open size must be the target's, except that a partly filled order may stay smaller until it is
moved anyway. An order that is about to expire fits nothing: to move it renews it.
"""

from decimal import Decimal

from mmbot.core.orders import Order
from mmbot.core.types import Approved, Nanos


def fits(order: Order, target: Approved, settled_ns: Nanos) -> bool:
    """Whether a live order may stay as it is; one sent after `settled_ns` may lag."""
    if order.expiring:
        return False
    lag = (target.price - order.price) * target.side.sign
    if lag < 0 or (lag > 0 and lag >= target.requote_threshold and order.sent_ns <= settled_ns):
        return False
    remaining, size = order.remaining, target.size
    return remaining == size or (order.filled > 0 and 0 < remaining < size)


def amended_amount(order: Order, target: Approved) -> Decimal:
    """The total amount to ask for so that the target's size stays open."""
    return order.filled + target.size
