"""Spending the request budget: actions of all markets become promised intents, most urgent first.

Cancels go first, then hedges, then orders whose resting price is expected to lose most, then what
reduces a position, then the rest. What cannot be afforded is not kept: its market is decided about
again once there is budget, so the newest quote wins. A cancel always has budget in reserve; where
the venue counts cancels by label apart, one that has none all the same goes by the order's label.
"""

from functools import partial

from mmbot.core import gates
from mmbot.core.capabilities import Draws
from mmbot.core.diff import Action
from mmbot.core.fitting import amended_amount
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace, VenueIntent
from mmbot.core.mass_cancel import with_mass_cancels
from mmbot.core.order_life import AMEND, CANCEL, PLACE, REPLACE
from mmbot.core.promise import OrderIntent, defer, go_without, promise_order, take_label
from mmbot.core.resting import expected_loss
from mmbot.core.state import Account, State
from mmbot.core.types import DESK, InstrumentId, Label, Nanos, venue_name
from mmbot.core.why import Why

_DRAWS = {
    PLACE: Draws.PLACE,
    AMEND: Draws.MOVE,
    REPLACE: Draws.MOVE,
    CANCEL: Draws.CANCEL,
}


def spend(state: State, actions: list[Action], now_ns: Nanos) -> list[VenueIntent]:
    """The requests that are sent now, as far as the budget reaches."""
    sent: list[VenueIntent] = []
    if not actions:
        return sent
    for action in actions:
        if action.target is None:
            actions, waiting, again = with_mass_cancels(state, actions, now_ns)
            defer(state, waiting, again)
            break
    if len(actions) > 1:
        actions.sort(key=partial(_urgency, state))
    for action in actions:
        account = state.accounts[venue_name(action.instrument)]
        intent = _intent(state, account, action, now_ns)
        if intent is not None:
            promise_order(state, account, intent, action.target, now_ns)
            sent.append(intent)
    return sent


def _intent(state: State, account: Account, action: Action, now_ns: Nanos) -> OrderIntent | None:
    """The request an action stands for, if it can be sent now."""
    if not account.trading_up or account.lease_lost:
        return None
    order, request = action.order, action.request
    creates = request is PLACE or request is REPLACE
    if creates and state.next_sequence >= state.reserved_upto:
        go_without(state, action, Why.NO_LABEL)
        return None
    about: InstrumentId | None = action.instrument
    draws, mass = _DRAWS[request], action.mass
    if mass is not None:
        about = mass.instrument
        draws = Draws.CANCEL if about is not None else Draws.MASS_CANCEL
    # A cancel that only makes room for another order has no part in what is kept for cancels.
    quote = action.target is not None and action.target.post_only and draws is not Draws.CANCEL
    drawn = gates.drawn_from(account, draws, about, quote=quote)
    by_id = order is not None and bool(order.order_id)
    if draws is Draws.CANCEL and action.mass is None:
        by_label = gates.by_label(account)
        if by_label and not (by_id and gates.all_afford(drawn, reserve=action.target is None)):
            drawn, by_id = by_label, False
    if not gates.all_afford(drawn, reserve=action.target is None):
        go_without(state, action, Why.RATE_LIMITED)
        return None
    label = take_label(state) if creates or order is None else order.label
    assert label is not None
    gates.spend(account, drawn, label, now_ns)
    valid_until_ns = now_ns + account.capabilities.takes_effect_within_ns
    return _request(action, label, valid_until_ns, by_id=by_id)


def _request(action: Action, label: Label, valid_until_ns: Nanos, *, by_id: bool) -> OrderIntent:
    order, target = action.order, action.target
    if order is not None and target is not None and action.request is AMEND:  # as nearly always
        return Amend(
            instrument=action.instrument,
            label=order.label,
            order_id=order.order_id,
            price=target.price,
            amount=amended_amount(order, target),
            post_only=target.post_only,
            valid_until_ns=valid_until_ns,
            why=action.why,
        )
    if order is None:
        assert target is not None
        return Place(
            instrument=action.instrument,
            label=label,
            side=target.side,
            price=target.price,
            amount=target.size,
            post_only=target.post_only,
            reduce_only=target.reduce_only,
            valid_until_ns=valid_until_ns,
            why=action.why,
            time_in_force=target.time_in_force,
        )
    if action.mass is not None:
        mass = action.mass
        return CancelAll(mass.venue, mass.instrument, tuple(mass.labels), action.why)
    if target is None or action.request is CANCEL:
        order_id = order.order_id if by_id else ""
        return Cancel(action.instrument, order.label, order_id, action.why)
    return Replace(
        instrument=action.instrument,
        old=order.label,
        order_id=order.order_id,
        label=label,
        side=target.side,
        price=target.price,
        amount=target.size,
        post_only=target.post_only,
        reduce_only=target.reduce_only,
        valid_until_ns=valid_until_ns,
        why=action.why,
    )


def _urgency(state: State, action: Action) -> tuple[int, float]:
    """Sort key: cancels first, then what has a priority, then what is expected to lose most where
    it rests, then sides without a quote (those that reduce a position first), then what merely
    lags."""
    order, target = action.order, action.target
    if target is None:
        return (0, 0.0)
    if target.owner is not DESK:
        return (1, -target.priority)
    market = state.markets[action.instrument]
    if order is not None and (order.price - target.price) * order.side.sign > 0:
        return (2, -expected_loss(market, order, target))
    reduces = state.inventory.amount(action.instrument) * target.side.sign < 0
    return (3 if order is None else 4, -float(reduces))
