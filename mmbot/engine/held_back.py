"""Why an order that rests is not at the price that is wanted: what its move waits for, in words."""

from decimal import Decimal

from mmbot.core.books import Market
from mmbot.core.order_life import IN_FLIGHT, Request, Status
from mmbot.core.orders import Order
from mmbot.core.sizes import plain
from mmbot.core.state import State
from mmbot.core.types import SECOND, Nanos, Owner, Quote, Side, to_decimal
from mmbot.core.why import Why


def held_back(state: State, market: Market, refresh_ns: Nanos, now_ns: Nanos) -> dict[str, str]:
    """By side, of the first level; sides that are where they should be are left out.

    `refresh_ns`: the desk's. What is decided in core.turn and core.diff is told here, in the order
    in which it is decided there.
    """
    found = {}
    for quote in market.quotes:
        if quote.level == 0 and quote.owner is Owner.DESK and quote.side.value not in found:
            told = _side(state, market, quote, refresh_ns, now_ns)
            if told:
                found[quote.side.value] = told
    return found


def _side(state: State, market: Market, quote: Quote, refresh_ns: Nanos, now_ns: Nanos) -> str:
    instrument, side = market.instrument, quote.side
    wanted = instrument.snap_price(quote.price, side)
    order = _resting(state, market, side)
    if order is None or wanted is None:
        return ""
    if order.status in IN_FLIGHT:
        return _in_flight(order)
    if order.status is Status.UNKNOWN:
        return "nobody knows whether it stands: the venue is being asked"
    if order.price == wanted:
        return ""
    why = market.why.get(side)
    if why is Why.RATE_LIMITED:
        budget = state.account_of(instrument.id).budget
        return f"no request left: {budget.level:.0f} of {budget.burst:.0f}"
    if why is Why.STAYS:
        return _obstacle(state, market, side, now_ns)
    lead = (order.price - wanted) * side.sign
    if 0 < lead < to_decimal(quote.danger):
        return (
            f"it leads by {plain(lead)}, and may by less than {quote.danger:.6g} while the "
            "rules allow it"
        )
    if lead > 0:
        return "it is too close to the market: its move goes out with the next decision"
    if state.watch.slowed is not None:
        return f"slowed ({state.watch.slowed.value}): what merely lags is not moved"
    return _lag(order, wanted, to_decimal(quote.requote_threshold), refresh_ns, now_ns)


def _in_flight(order: Order) -> str:
    if order.request is Request.REPLACE:
        return "it is being replaced by a new order: both count until the venue has answered"
    if order.request is Request.CANCEL:
        return "it is being cancelled: what is wanted is placed when its end is known"
    return "a request about it is on its way"


def _lag(
    order: Order, wanted: Decimal, threshold: Decimal, refresh_ns: Nanos, now_ns: Nanos
) -> str:
    lag = abs(wanted - order.price)
    if lag < threshold:
        return f"it lags by {plain(lag)}, and a move is worth a request from {plain(threshold)} on"
    since_ns = now_ns - order.sent_ns
    if since_ns < refresh_ns:
        return (
            f"it was sent {since_ns / SECOND:.1f} s ago, and what merely lags is moved every "
            f"{refresh_ns / SECOND:g} s"
        )
    return "its move goes out with the next decision"


def _obstacle(state: State, market: Market, side: Side, now_ns: Nanos) -> str:
    memory = state.slots.get((market.instrument.id, side, Owner.DESK, 0))
    if memory is not None and now_ns < memory.not_before_ns:
        left_s = (memory.not_before_ns - now_ns) / SECOND
        return f"{memory.why.value}: tried again in {left_s:.1f} s"
    return "an order of ours on the other side is in the way"


def _resting(state: State, market: Market, side: Side) -> Order | None:
    for order in state.orders.on(market.instrument.id):
        if order.slot == (side, Owner.DESK, 0) and order.working:
            return order
    return None
