"""A replace in the order table: one request about two orders, which then go their own ways.

The old order is CANCELING, its successor PENDING, and `Order.replaces` links them for as long as
both may rest. What the venue says of one is believed of that one alone: a fill is booked to the
order it names, and the end of the old one, however late it is told, says nothing of its successor.
Only where the venue refuses the request, or nothing is heard of it, are both told.
"""

from mmbot.core.capabilities import Capabilities
from mmbot.core.order_life import Request, Status, Trigger
from mmbot.core.orders import Order, Orders
from mmbot.core.types import Label, Nanos


def replace_sent(
    orders: Orders, old: Order, successor: Order, can: Capabilities, now_ns: Nanos
) -> None:
    """A request leaves now that ends one order and creates another."""
    orders.add(successor)
    orders.changed[old.label] = old
    old.step(Trigger.REPLACE_SENT)
    old.request = Request.REPLACE
    old.sent_ns, old.deadline_ns = now_ns, now_ns + can.request_deadline_ns
    old.uncertain_until_ns = max(old.uncertain_until_ns, now_ns)


def successor_of(orders: Orders, old: Label) -> Order | None:
    """What the request that ends an order was to create, while that is not answered for."""
    for order in orders.by_label.values():
        if order.replaces == old and order.status in (Status.PENDING, Status.UNKNOWN):
            return order
    return None


def refused_with(orders: Orders, old: Label, now_ns: Nanos) -> Order | None:
    """The venue refused to replace an order: what that would have created is not there."""
    successor = successor_of(orders, old)
    if successor is not None:
        orders.refused(successor, Request.PLACE, stands=False, now_ns=now_ns)
    return successor
