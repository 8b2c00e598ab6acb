"""The venue's word on our orders, one at a time: updates, refusals, and answers that never come.

A refusal stops what its scope reaches and no more: a slot, a side, an instrument, the account or
the platform.
"""

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core import gates
from mmbot.core.adoption import adopt
from mmbot.core.claims import keep_word, label_of, learn
from mmbot.core.closures import BLOCKED_FIRST_NS, BLOCKED_MAX_NS, BUSY_FIRST_NS, BUSY_MAX_NS
from mmbot.core.error_scope import ErrorScope
from mmbot.core.exit import note_end
from mmbot.core.expiry import renewed
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import Order
from mmbot.core.state import RESYNC_DELAY_NS, Account, State
from mmbot.core.statements import OpenOrder, order_key
from mmbot.core.two_orders import refused_with, successor_of
from mmbot.core.types import Nanos
from mmbot.core.why import Why


def order_seen(state: State, event: ev.OrderSeen, now_ns: Nanos) -> None:
    """The venue's statement about one order: ours, or somebody else's on the account."""
    account = state.add_account(event.venue)
    if event.label is None:
        event = replace(event, label=label_of(state, account, event.order_id))
    if not is_ours(event.label):
        _foreign_seen(account, event)
        return
    assert event.label is not None
    key = order_key(account.venue, event.order_id)
    is_new_id = not account.capabilities.label_echoed and key not in state.orders.ids
    order = state.orders.by_label.get(event.label)
    _heed_gates(account, event, order, now_ns)
    if order is None:
        if event.venue_ms <= state.orders.forgotten.get(event.label, -1):
            return  # old news about a finished order
        if event.state is not OrderState.OPEN:
            # An earlier run's: a look that was asked before may list it as open.
            state.orders.forgotten[event.label] = event.venue_ms
            return
        order = adopt(state, _stated(event), event.venue, now_ns)
    market = state.markets.get(order.instrument)
    if market is not None:
        market.own_ms[order.side] = max(market.own_ms[order.side], event.venue_ms)
    if order.working and _leaves_open(account, event):
        state.orders.ended(order, event, now_ns)
    else:
        state.orders.seen(event, order, asked_ns=0)
    _heed_answer(state, order, event, now_ns)
    note_end(account, event)
    if order.unbooked > 0 or order.ended:
        account.look_by(now_ns + RESYNC_DELAY_NS)
    state.touch(order.instrument)
    earlier = learn(state, account, order) if is_new_id else None
    if earlier is not None:
        order_seen(state, earlier, now_ns)


def _heed_gates(account: Account, event: ev.OrderSeen, order: Order | None, now_ns: Nanos) -> None:
    """Whatever says so: the venue has counted the last request about the order. What is filled may
    have a cancel on its way."""
    placed = order is not None and order.request is Request.PLACE
    if event.label and (placed or event.answers or event.state is OrderState.CANCELLED):
        gates.answered(account, event.label, now_ns)


def _leaves_open(account: Account, event: ev.OrderSeen) -> bool:
    """Whether an end is told and nobody can know how much was filled. Where fills are told more
    than once, to have heard of one does not mean to have heard of all."""
    ended, can = event.state is OrderState.CANCELLED and event.filled is None, account.capabilities
    return ended and not (can.end_tells_filled and can.fills_final)


def _heed_answer(state: State, order: Order, event: ev.OrderSeen, now_ns: Nanos) -> None:
    """What was taken ends refusals of its kind, and a move renews; what was rejected counts as a
    refusal."""
    memory = state.slot(order.instrument, order.side, order.level, order.owner)
    market = state.markets.get(order.instrument)
    if event.state is OrderState.OPEN:
        memory.refusals = 0
        if event.answers in (Request.PLACE, Request.AMEND):
            memory.accept()
            state.account_of(order.instrument).refused.over()
            if market is not None:
                market.closure.accept()
        if event.answers is Request.AMEND and order.status is Status.LIVE:
            renewed(state.account_of(order.instrument), order)
    elif event.state is OrderState.REJECTED:
        memory.refuse(now_ns)
        state.watch.requests.refused(now_ns)


def _stated(seen: ev.OrderSeen) -> OpenOrder:
    return OpenOrder(
        seen.order_id,
        seen.label,
        seen.instrument,
        seen.side,
        seen.price,
        seen.amount,
        seen.filled,
        seen.venue_ms,
        seen.created_ms,
    )


def _foreign_seen(account: Account, seen: ev.OrderSeen) -> None:
    """A foreign order on the account: remembered, so that no mass cancel takes it along."""
    keep_word(account, seen)
    foreign = account.foreign
    if seen.state is OrderState.OPEN:
        foreign[seen.order_id] = _stated(seen)
    else:
        foreign.pop(seen.order_id, None)


def request_refused(state: State, event: ev.RequestRefused, now_ns: Nanos) -> None:
    """The venue said no to a request about an order of ours."""
    successor = None
    if event.request is Request.REPLACE:
        successor = refused_with(state.orders, event.label, now_ns)
    order = state.orders.by_label.get(event.label)
    if order is not None:
        state.orders.refused(order, event.request, event.stands, now_ns)
    order = order or successor
    for account in state.accounts.values():
        gates.answered(account, event.label if successor is None else successor.label, now_ns)
    if order is None:
        return
    news = _heed_scope(state, order, event, now_ns)
    if news and event.request is not Request.CANCEL:
        state.watch.requests.refused(now_ns)
    market = state.markets.get(order.instrument)
    if market is not None:
        market.why[order.side] = event.why
    if order.status is Status.UNKNOWN:
        state.account_of(order.instrument).look_by(now_ns + RESYNC_DELAY_NS)
    state.touch(order.instrument)


def _heed_scope(state: State, order: Order, event: ev.RequestRefused, now_ns: Nanos) -> bool:
    """Let a refusal stop what it reaches, and no more; whether it counts as a refusal of ours."""
    memory = state.slot(order.instrument, order.side, order.level, order.owner)
    account, market = state.account_of(order.instrument), state.markets.get(order.instrument)
    match event.scope:
        case ErrorScope.SIDE:
            return memory.lack_funds(now_ns)
        case ErrorScope.INSTRUMENT if market is not None:
            market.closure.refuse(event.detail, now_ns)
        case ErrorScope.PLATFORM:
            account.refused.refused(BUSY_FIRST_NS, BUSY_MAX_NS, event.why, event.detail, now_ns)
            state.touch_all()
        case ErrorScope.ACCOUNT:
            first_ns, most_ns = BLOCKED_FIRST_NS, BLOCKED_MAX_NS
            account.refused.refused(first_ns, most_ns, event.why, event.detail, now_ns)
            state.touch_all()
        case _:
            memory.refuse(now_ns)
    return event.why is Why.REFUSED


def outcome_unknown(state: State, event: ev.OutcomeUnknown, now_ns: Nanos) -> None:
    """A request of ours will not be answered: what became of its order must be asked."""
    if event.request is Request.REPLACE:
        successor = successor_of(state.orders, event.label)
        if successor is not None:
            outcome_unknown(
                state, ev.OutcomeUnknown(successor.label, Request.PLACE, event.why), now_ns
            )
    order = state.orders.by_label.get(event.label)
    if order is None or order.request is not event.request:
        return  # answered otherwise meanwhile
    state.orders.lost(order, now_ns)
    state.account_of(order.instrument).look_by(now_ns + RESYNC_DELAY_NS)
    state.touch(order.instrument)
