"""Orders that end by themselves, where the venue has each of them expire.

Theory of operation
-------------------
1. A place says when its order ends (`Order.expires_ns`); a move says it anew, for its successor or,
   where the order keeps its id, as soon as the venue has answered. Any other word that looks like
   the move may be older than that, so the end stays where it was.
2. In the last quarter of its life an order is *expiring*: it fits no target, so that the diff moves
   it, even to where it rests already. One that nobody wants is cancelled as ever.
3. An order found at the venue ends nobody knows when: it is expiring from the start.
4. An order whose end has passed has not ended before the venue says so: it is UNKNOWN, and asked
   about. If it rests nevertheless, it is moved.
"""

from mmbot.core.absence import CLOCK_SKEW_NS
from mmbot.core.capabilities import Capabilities
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.state import Account, State
from mmbot.core.types import Nanos

LAST_PART = 4
"""An order is renewed in the last of so many equal parts of its life."""


def expires_ns(can: Capabilities, sent_ns: Nanos) -> Nanos:
    """When an order ends by itself that is sent or moved now; 0: never."""
    return 0 if can.orders_expire_ns is None else sent_ns + can.orders_expire_ns


def has_expired(order: Order, at_ns: Nanos) -> bool:
    """Whether it has ended by then, by whichever clock, as far as is known when it ends."""
    return 0 < order.expires_ns < at_ns - CLOCK_SKEW_NS


def renewed(account: Account, order: Order) -> None:
    """The venue has answered that it moved the order: its end counts from that request."""
    order.expires_ns = expires_ns(account.capabilities, order.sent_ns)
    order.expiring = False


def look_for_ends(state: State, now_ns: Nanos) -> None:
    """Orders that are to be moved before their end, and orders whose end has passed."""
    for account in state.accounts.values():
        life_ns = account.capabilities.orders_expire_ns
        if life_ns is None:
            continue
        for order in state.orders.at(account.venue):
            if order.status is not Status.LIVE:
                continue
            if has_expired(order, now_ns):
                order.expires_ns = 0
                state.orders.lost(order, now_ns)
                account.look_by(now_ns)
            if not order.expiring and now_ns >= order.expires_ns - life_ns // LAST_PART:
                order.expiring = True
                state.touch(order.instrument)
