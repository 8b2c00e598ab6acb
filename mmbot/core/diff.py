"""Targets against working orders: keep, amend, cancel, place.

Theory of operation
-------------------
A slot is (instrument, side, owner, level). Each holds at most one order that is not DONE, or one
and the order that was sent to replace it; as long as it holds one, nothing is placed there, so a
slot can never have more, whatever is unknown about the first. For each slot, in this order:

1. an order that fits its target is *kept* (it has queue priority, and a request costs budget);
2. an order that does not is *amended* when it is LIVE, and waited for when a request is in flight;
3. an order without a target is *cancelled*;
4. an empty slot with a target gets a *place*.

What fits: core.fitting. What an amend comes to where orders cannot be amended: core.moves. Of an
order and its successor neither is moved before one has ended; one that ends as it arrives never is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from mmbot.core.fitting import fits
from mmbot.core.order_life import AMEND, CANCEL, DONE, LIVE, PLACE, Request
from mmbot.core.orders import ORPHAN_LEVEL, Order
from mmbot.core.types import GTC, Approved, InstrumentId, Label, Nanos, Side, Slot
from mmbot.core.why import Why


@dataclass(slots=True)
class MassCancel:
    """One cancel for many orders: all on the venue, or all on one instrument."""

    venue: str
    instrument: InstrumentId | None
    labels: list[Label]


class Action(Struct, frozen=True, gc=False):
    """One request worth sending. `order` is None for a place, `target` for a cancel."""

    request: Request
    instrument: InstrumentId
    order: Order | None
    target: Approved | None
    why: Why
    mass: MassCancel | None = None


def diff(
    targets: Sequence[Approved],
    working: Sequence[Order],
    reasons: dict[Side, Why],
    settled_ns: Nanos,
) -> list[Action]:
    """What to do on one instrument so that its working orders become the targets.

    `reasons` says why a side has no target, for the cancels; an order sent after `settled_ns` is
    not moved just because it lags. Applying the actions and diffing again gives nothing.
    """
    wanted: dict[Slot, Approved] = {(t.side, t.owner, t.level): t for t in targets}
    heirs = _heirs(working)
    actions: list[Action] = []
    for order in working:
        if order.status is DONE:
            continue
        slot = (order.side, order.owner, order.level)
        heir, target = heirs.get(order.label) if heirs else None, None
        if heir is not None and heir.status is not LIVE:
            target = wanted.get(slot)  # if it does not come to be, this one stays
        elif heir is None and order.level != ORPHAN_LEVEL:
            target = wanted.pop(slot, None)
        if order.filled >= order.amount and not order.unsized:
            continue  # filled up: the word of its end is on its way
        if target is None:
            if order.status is LIVE:
                why = Why.ORPHAN if order.level == ORPHAN_LEVEL else reasons.get(order.side)
                actions.append(Action(CANCEL, order.instrument, order, None, why or Why.NOT_WANTED))
        elif (
            order.status is LIVE
            and not fits(order, target, settled_ns)
            and target.time_in_force is GTC
            and heir is None
            and not (heirs and any(o.label == order.replaces and o.working for o in working))
        ):
            actions.append(Action(AMEND, order.instrument, order, target, target.why))
    for target in wanted.values():
        actions.append(Action(PLACE, target.instrument, None, target, target.why))
    return actions


def _heirs(working: Sequence[Order]) -> dict[Label, Order]:
    """By the label of the order that it was sent to replace."""
    heirs: dict[Label, Order] = {}
    for order in working:
        if order.replaces is not None and order.working:
            heirs[order.replaces] = order
    return heirs
