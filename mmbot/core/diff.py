"""Targets against working orders: keep, amend, cancel, place.

Theory of operation
-------------------
A slot is (instrument, side, owner, level). Each holds at most one order that is not DONE; as long
as it holds one, nothing is placed there, so a slot can never have two, whatever is unknown about
the first. For each slot, in this order:

1. an order that fits its target is *kept* (it has queue priority, and a request costs budget);
2. an order that does not is *amended* when it is LIVE, and waited for when a request is in flight;
3. an order without a target is *cancelled*;
4. an empty slot with a target gets a *place*.

An order fits when it rests at the target's price, or lags behind it by less than the target's
requote threshold, or when it lags but was sent a moment ago; one that is more aggressive than its
target never fits (where it may stay nevertheless, its own price has become the target: resting).
Its open size must be the target's, except that a partly filled order may stay smaller until it is
moved anyway. One that ends as it arrives is on its way out, and is never moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mmbot.core.order_life import Request, Status
from mmbot.core.orders import ORPHAN_LEVEL, Order
from mmbot.core.types import Approved, InstrumentId, Label, Nanos, Side, Slot, TimeInForce
from mmbot.core.why import Why


@dataclass(slots=True)
class MassCancel:
    """One cancel for many orders: all on the venue, or all on one instrument."""

    venue: str
    instrument: InstrumentId | None
    labels: list[Label]


@dataclass(frozen=True, slots=True)
class Action:
    """One request worth sending. `order` is None for a place, `target` for a cancel."""

    request: Request
    instrument: InstrumentId
    order: Order | None
    target: Approved | None
    why: Why
    mass: MassCancel | None = None


def fits(order: Order, target: Approved, settled_ns: Nanos) -> bool:
    """Whether a live order may stay as it is; one sent after `settled_ns` may lag."""
    lag = (target.price - order.price) * target.side.sign
    if lag < 0 or (lag > 0 and lag >= target.requote_threshold and order.sent_ns <= settled_ns):
        return False
    return order.remaining == target.size or (
        order.filled > 0 and 0 < order.remaining < target.size
    )


def diff(
    targets: Sequence[Approved],
    working: Iterable[Order],
    reasons: dict[Side, Why],
    settled_ns: Nanos,
) -> list[Action]:
    """What to do on one instrument so that its working orders become the targets.

    `reasons` says why a side has no target, for the cancels; an order sent after `settled_ns` is
    not moved just because it lags. Applying the actions and diffing
    again gives nothing.
    """
    wanted: dict[Slot, Approved] = {(t.side, t.owner, t.level): t for t in targets}
    actions: list[Action] = []
    for order in working:
        if not order.working:
            continue
        slot = (order.side, order.owner, order.level)
        target = wanted.pop(slot, None) if order.level != ORPHAN_LEVEL else None
        if not order.remaining and not order.unsized:
            continue  # filled up: the word of its end is on its way
        if target is None:
            if order.status is Status.LIVE:
                why = Why.ORPHAN if order.level == ORPHAN_LEVEL else reasons.get(order.side)
                actions.append(
                    Action(Request.CANCEL, order.instrument, order, None, why or Why.NOT_WANTED)
                )
        elif (
            order.status is Status.LIVE
            and not fits(order, target, settled_ns)
            and target.time_in_force is TimeInForce.GTC
        ):
            actions.append(Action(Request.AMEND, order.instrument, order, target, target.why))
    actions.extend(Action(Request.PLACE, t.instrument, None, t, t.why) for t in wanted.values())
    return actions


def amended_amount(order: Order, target: Approved) -> Decimal:
    """The total amount to ask for so that the target's size stays open."""
    return order.filled + target.size
