"""What is believed of a request from the moment before it leaves, so that belief is never behind
what was sent; and what is remembered of a request that could not be afforded."""

from collections.abc import Iterable

from mmbot.core import gates
from mmbot.core.absence import uncertain_ns
from mmbot.core.capabilities import Capabilities, Draws
from mmbot.core.diff import Action
from mmbot.core.expiry import expires_ns
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    CheckLease,
    FallbackCancel,
    Place,
    Replace,
    ReserveLabels,
    Resync,
    SaveLatch,
    StoreIntent,
)
from mmbot.core.labels import label_of
from mmbot.core.order_life import Request, Status
from mmbot.core.orders import Order
from mmbot.core.state import Account, State
from mmbot.core.two_orders import replace_sent
from mmbot.core.types import IOC, SECOND, InstrumentId, Label, Nanos, Target
from mmbot.core.why import Why

OrderIntent = Place | Replace | Amend | Cancel | CancelAll

_PLACE = Request.PLACE

FALLBACK_DEADLINE_NS: Nanos = 10 * SECOND
"""An attempt over the second path that is not back by then never comes."""


def promise(state: State, intent: Resync | FallbackCancel | StoreIntent, now_ns: Nanos) -> None:
    """Believe that `intent` is on its way, before it leaves."""
    match intent:
        case Resync():
            account = state.account(intent.venue)
            account.asked_ns = now_ns
            if intent.flows_since_ms is not None:
                account.flows_asked_ns = now_ns
        case FallbackCancel():
            state.account(intent.venue).fallback_ns = now_ns + FALLBACK_DEADLINE_NS
        case CheckLease():
            state.lease_check_asked_ns = now_ns
        case SaveLatch():
            state.latch.asked = True
        case ReserveLabels():
            state.labels_asked = intent.upto


def promise_order(
    state: State, account: Account, intent: OrderIntent, target: Target | None, now_ns: Nanos
) -> None:
    """The same of a request about orders on an account; `target` is what it is to become."""
    can, orders, changes = account.capabilities, state.orders, 1
    match intent:
        case Amend():
            state.watch.requests.sent(now_ns)
            order = orders.by_label[intent.label]
            orders.amend_sent(order, intent.price, intent.amount, can, now_ns)
            order.why, order.fair = intent.why, 0.0 if target is None else target.fair
        case Place():
            state.watch.requests.sent(now_ns)
            new = _new(intent, can, target, now_ns)
            if intent.time_in_force is IOC:
                state.slot(new.instrument, new.side, new.level, new.owner).tried(now_ns)
            orders.add(new)
        case Replace():
            state.watch.requests.sent(now_ns)
            successor = _new(intent, can, target, now_ns)
            successor.replaces = intent.old
            replace_sent(orders, orders.by_label[intent.old], successor, can, now_ns)
        case Cancel():
            orders.cancel_sent(orders.by_label[intent.label], can, now_ns)
        case CancelAll():
            changes = len(intent.labels)
            for label in intent.labels:
                order = orders.by_label[label]
                if order.status in (Status.LIVE, Status.UNKNOWN):
                    orders.cancel_sent(order, can, now_ns)
    account.order_to_volume.sent(changes, now_ns)


def _new(intent: Place | Replace, can: Capabilities, target: Target | None, now_ns: Nanos) -> Order:
    assert target is not None, "an order is placed for a target"
    return Order(
        label=intent.label,
        instrument=intent.instrument,
        side=intent.side,
        level=target.level,
        price=intent.price,
        amount=intent.amount,
        why=intent.why,
        fair=target.fair,
        owner=target.owner,
        request=_PLACE,
        sent_ns=now_ns,
        deadline_ns=now_ns + can.request_deadline_ns,
        uncertain_until_ns=now_ns + uncertain_ns(can),
        placed_ns=now_ns,
        expires_ns=expires_ns(can, now_ns),
    )


# --- labels and the request budget ------------------------------------------------------------


def take_label(state: State) -> Label | None:
    """The next label of a durably reserved block; None when there is none left."""
    if state.next_sequence >= state.reserved_upto:
        return None
    state.next_sequence += 1
    return label_of(state.run, state.next_sequence - 1)


def refill(state: State, now_ns: Nanos) -> None:
    """Tokens come back; where there is one to spend, markets that went without get their turn."""
    for account in state.accounts.values():
        gates.refill(account, now_ns)
        if not account.deferred:
            continue
        place = Draws.PLACE
        again = [one for one in account.deferred if gates.affords(account, place, one, quote=True)]
        if again:
            state.dirty = dict.fromkeys(again) | state.dirty
            for instrument in again:
                del account.deferred[instrument]


def go_without(state: State, action: Action, why: Why) -> None:
    """An action cannot be sent now: its side says why, and its market is decided about again, a
    cancel's at once, others once there is budget."""
    target = action.target
    if target is not None:
        state.markets[action.instrument].why[target.side] = why
    if why is not Why.RATE_LIMITED:
        return
    account = state.account_of(action.instrument)
    account.budget.deferred += 1
    if target is None:
        state.touch(action.instrument)
    else:
        account.deferred[action.instrument] = None


def defer(state: State, waiting: Iterable[InstrumentId], again: Iterable[InstrumentId]) -> None:
    """Markets that wait until there is budget, and markets to decide about at the next turn."""
    for instrument in waiting:
        state.account_of(instrument).deferred[instrument] = None
    for instrument in again:
        state.touch(instrument)
