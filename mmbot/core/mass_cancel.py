"""Many single cancels become few mass cancels: when everything must go, or when the request budget
has not enough for each.

Foreign orders are spared, and nothing is asked for that the venue cannot do. Short of budget, whole
instruments are cancelled at once where that saves requests, and only if that does not do either,
all there is. A mass cancel stands in the place of its first cancel; the others' orders are named in
it.
"""

from collections import Counter
from collections.abc import Container

from msgspec.structs import replace

from mmbot.core import gates
from mmbot.core.capabilities import CancelScope
from mmbot.core.decide import may_cancel
from mmbot.core.diff import Action, MassCancel
from mmbot.core.order_life import Request, Status
from mmbot.core.state import Account, State
from mmbot.core.types import InstrumentId, Nanos, instrument_name, venue_name
from mmbot.core.why import Why

MASS_CANCEL_FROM = 3
"""From this many cancels on, a mass cancel is used when everything must go."""


def with_mass_cancels(
    state: State, actions: list[Action], now_ns: Nanos
) -> tuple[list[Action], list[InstrumentId], list[InstrumentId]]:
    """The actions with mass cancels in them; then instruments whose targets wait until there is
    budget, and instruments to decide about again at once."""
    waiting: list[InstrumentId] = []
    again: list[InstrumentId] = []
    if all(action.target is not None for action in actions):
        return actions, waiting, again
    if state.exit_ns and len(actions) >= MASS_CANCEL_FROM:
        return _gathered(state, actions, None), waiting, again
    for account in state.accounts.values():
        here = [a for a in actions if venue_name(a.instrument) == account.venue]
        cancels = [action for action in here if action.target is None]
        if not cancels or not account.trading_up or not _short_for(account, cancels):
            continue
        counts = Counter(action.instrument for action in cancels)
        saving = {instrument for instrument, count in counts.items() if count > 1}
        mass_cancels = cancels + _along(state, account, cancels, saving, again, now_ns)
        gathered = _gathered(state, mass_cancels, saving)
        if _short_for(account, gathered) and _may_cancel_all(account):
            mass_cancels = cancels + _along(state, account, cancels, None, again, now_ns)
            gathered = _gathered(state, mass_cancels, None)
        waiting += [action.instrument for action in here if action.target is not None]
        actions = [action for action in actions if action not in here] + gathered
    return actions, waiting, again


def _short_for(account: Account, cancels: list[Action]) -> bool:
    return gates.short_for(account, [action.instrument for action in cancels])


def _along(
    state: State,
    account: Account,
    cancels: list[Action],
    instruments: Container[InstrumentId] | None,
    again: list[InstrumentId],
    now_ns: Nanos,
) -> list[Action]:
    """Cancels of what mass cancels of these instruments (None: of all) take along though it might
    stay: it is placed again later. What was cancelled a moment ago is looked at `again`."""
    asked = {action.order.label for action in cancels if action.order is not None}
    along = [
        Action(Request.CANCEL, order.instrument, order, None, Why.RATE_LIMITED)
        for order in state.orders.at(account.venue)
        if order.status is Status.LIVE
        and order.label not in asked
        and (
            instruments is None
            or (order.instrument in instruments and _may_mass_cancel(account, order.instrument))
        )
    ]
    again += [action.instrument for action in along if not may_cancel(action, now_ns)]
    return [action for action in along if may_cancel(action, now_ns)]


def _may_cancel_all(account: Account) -> bool:
    """Whether the venue can cancel all there is, and nothing foreign rests there: nobody knows
    before the venue has been asked."""
    able = CancelScope.VENUE in account.capabilities.cancels_all_of
    return able and account.reconciled and not account.foreign


def _may_mass_cancel(account: Account, instrument: InstrumentId) -> bool:
    """Whether the venue can cancel all of an instrument, and nothing foreign rests on it, as far as
    the venue names instruments."""
    return (
        CancelScope.INSTRUMENT in account.capabilities.cancels_all_of
        and account.reconciled
        and bool(instrument_name(instrument))
        and all(order.instrument not in (instrument, None) for order in account.foreign.values())
    )


def _gathered(
    state: State, cancels: list[Action], instruments: Container[InstrumentId] | None
) -> list[Action]:
    """Single cancels as mass cancels of these instruments (None: of a whole venue, or of every
    instrument where foreign orders rest on others). Where foreign orders rest they stay single."""
    gathered: list[Action] = []
    whole: dict[str, MassCancel] = {}
    for action in cancels:
        order = action.order
        assert order is not None, "only cancels can be gathered"
        account = state.account_of(order.instrument)
        if instruments is None and _may_cancel_all(account):
            key, instrument = account.venue, None
        elif (instruments is None or order.instrument in instruments) and _may_mass_cancel(
            account, order.instrument
        ):
            key, instrument = order.instrument, order.instrument
        else:
            gathered.append(action)
            continue
        mass = whole.get(key)
        if mass is None:
            mass = whole[key] = MassCancel(account.venue, instrument, [])
            gathered.append(replace(action, mass=mass))
        mass.labels.append(order.label)
    return gathered
