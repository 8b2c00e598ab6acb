"""What a move comes to where an order cannot be amended.

Where the venue replaces, the old order ends and a new one is created by one request: while it is in
flight both may be filled, so both must be within the limits. Where they are not, or where the venue
has no such request, the old order is *cancelled*, and the new one placed when its slot is empty:
when the end of the old one is known. Such a cancel is no more urgent than any other move.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from mmbot.core.capabilities import Move
from mmbot.core.desk import Desk
from mmbot.core.diff import Action
from mmbot.core.exposure import worst_amount
from mmbot.core.inventory import Inventory
from mmbot.core.order_life import Request
from mmbot.core.orders import Order
from mmbot.core.rules import within_rules
from mmbot.core.types import BUY, ZERO, Approved, Label, Target
from mmbot.core.views import Proposal, View
from mmbot.core.why import Why


def in_two_orders(
    move: Move,
    desk: Desk,
    inventory: Inventory,
    view: View,
    orders: Sequence[Order],
    approved: Sequence[Approved],
    actions: Sequence[Action],
) -> tuple[list[Action], list[Order]]:
    """The actions with amends made into replaces and cancels, and the orders that come of the
    replaces beside those they replace."""
    made: list[Action] = []
    coming: list[Order] = []
    for action in actions:
        order, target = action.order, action.target
        if action.request is not Request.AMEND or order is None or target is None:
            made.append(action)
        elif move is Move.REPLACE and _both_allowed(
            desk, inventory, view, [*orders, *coming], approved, target
        ):
            coming.append(_successor(order, target))
            made.append(replace(action, request=Request.REPLACE))
        else:
            made.append(replace(action, request=Request.CANCEL, why=Why.MOVED))
    return made, coming


def _both_allowed(
    desk: Desk,
    inventory: Inventory,
    view: View,
    orders: Sequence[Order],
    approved: Sequence[Approved],
    target: Target,
) -> bool:
    """Whether every rule allows all of the target beside what rests in its slot already."""
    side = target.side
    beside = worst_amount(orders, side, approved, besides=target)
    beside += sum((o.exposed - o.unbooked for o in orders if o.slot == target.slot), ZERO)
    nearest = min if side is BUY else max
    best = nearest((t.price for t in approved if t.side is not side), default=None)
    held = inventory.worst(target.instrument, side)
    proposal = Proposal(target, held + beside * side.sign, best)
    allowed = within_rules(desk.rules, view, proposal)
    return not isinstance(allowed, Why) and allowed.size == target.size


def _successor(order: Order, target: Target) -> Order:
    """What will stand beside an order while it is replaced."""
    return Order(
        label=Label(""),
        instrument=order.instrument,
        side=order.side,
        level=order.level,
        owner=order.owner,
        price=target.price,
        amount=target.size,
        why=target.why,
        replaces=order.label,
    )
