"""Adoption: an order of ours is found at the venue that is in no table of ours."""

from mmbot.core.order_life import Status
from mmbot.core.orders import ORPHAN_LEVEL, Order
from mmbot.core.state import State
from mmbot.core.statements import OpenOrder
from mmbot.core.types import ZERO, Nanos, Owner, Side, unnamed
from mmbot.core.why import Why


def adopt(state: State, stated: OpenOrder, venue: str, now_ns: Nanos) -> Order:
    """An order of ours that this table does not know: it fills its slot if that is free, and the
    venue has said enough of it. Otherwise it goes, and nothing is quoted beside it meanwhile."""
    assert stated.label is not None
    instrument, side = stated.instrument, stated.side
    if instrument is None:
        instrument = unnamed(venue)
    price, amount, filled = stated.price, stated.amount, stated.filled
    unsized = side is None or price is None or amount is None or filled is None
    slot = (side, Owner.DESK, 0)
    taken = any(o.slot == slot and o.working for o in state.orders.on(instrument))
    order = Order(
        label=stated.label,
        instrument=instrument,
        side=side or Side.BUY,
        level=ORPHAN_LEVEL if taken or unsized else 0,
        price=price or ZERO,
        amount=amount or ZERO,
        filled=filled or ZERO,
        booked=filled or ZERO,
        unsized=unsized,
        why=Why.ADOPTED,
        status=Status.UNKNOWN,
        order_id=stated.order_id,
        adopted_ms=stated.venue_ms,
        sent_ns=now_ns,
        uncertain_until_ns=now_ns,
        unknown_ns=now_ns,
    )
    state.orders.add(order)
    state.touch(order.instrument)
    return order
