"""Looking at the venue: snapshots when they are due, and the second path when the first is dead.

When everything must go, each venue is asked until it shows nothing of ours, and then no more.
"""

from mmbot.core import gates
from mmbot.core.intents import FallbackCancel, Resync, VenueIntent
from mmbot.core.lease_check import may_send
from mmbot.core.promise import promise
from mmbot.core.reconcile import unresolved
from mmbot.core.state import Account, State
from mmbot.core.types import MS, SECOND, Nanos, venue_name
from mmbot.core.why import Why

FILLS_OVERLAP_MS = 60_000
"""How far a back-fill reaches back beyond the last snapshot."""

VERIFY_AGAIN_NS: Nanos = 200 * MS
"""Between two looks at the venue until it shows nothing of ours."""

RESYNC_DEADLINE_NS: Nanos = 30 * SECOND
"""A snapshot not back by then never comes."""

FALLBACK_NS: Nanos = 1 * SECOND
"""So long orders may outlive the kill switch or the trading link before they are taken back over
the second path."""

FLOWS_EVERY_NS: Nanos = 60 * SECOND
"""How often funding, deliveries and transfers are asked for."""

LOOKUPS_MAX = 40
"""Orders asked about by name at a time: questions count at the venue too."""


def look(state: State, account: Account, now_ns: Nanos) -> list[VenueIntent]:
    """Ask for a snapshot when one is due; when leaving or tripped, until it shows us flat."""
    due_ns = account.resync_ns
    all_well = account.trading_up and state.latch.tripped is None and not state.exit_ns
    if all_well and not 0 < due_ns <= now_ns:  # as in nearly every turn
        return []
    asked_for = _second_path(state, account, now_ns)
    if not account.trading_up or not _snapshot_due(state, account, now_ns):
        return asked_for
    flows_due = now_ns >= account.flows_ns + FLOWS_EVERY_NS or any(
        market.expiry_asked and state.inventory.amount(market.instrument.id)
        for market in state.markets.values()
        if market.instrument.venue == account.venue
    )
    by_label = account.capabilities.label_echoed
    asked = [o for o in unresolved(state, account) if by_label or o.order_id]
    asked = asked[: gates.lookups(account, LOOKUPS_MAX)]
    intent = Resync(
        venue=account.venue,
        fills_since_ms=_fills_since_ms(state, account),
        flows_since_ms=_since_ms(state, account, account.flows_ns) if flows_due else None,
        labels=tuple((o.instrument, o.label) for o in asked),
        why=Why.STARTING if not account.last_snapshot_ns else Why.RECONCILING,
        order_ids=() if by_label else tuple(o.order_id for o in asked),
    )
    if gates.spend_look(account, len(intent.labels), now_ns + RESYNC_DEADLINE_NS):
        promise(state, intent, now_ns)
        asked_for.append(intent)
    return asked_for


def _snapshot_due(state: State, account: Account, now_ns: Nanos) -> bool:
    due_ns = account.resync_ns
    if state.exit_ns and not account.flat_verified and not state.orders.working(account.venue):
        verify_ns = account.last_snapshot_ns + VERIFY_AGAIN_NS
        due_ns = min(due_ns, verify_ns) if due_ns else verify_ns
    in_flight = account.asked_ns and now_ns < account.asked_ns + RESYNC_DEADLINE_NS
    return not in_flight and bool(due_ns) and now_ns >= due_ns


def _second_path(state: State, account: Account, now_ns: Nanos) -> list[VenueIntent]:
    """The trading link is down and stays down, or tripped and orders still there: go round it."""
    if account.flat_verified or state.latch.holds_back(now_ns):
        return []
    if not account.trading_up and (state.exit_ns or _left_behind(state, account, now_ns)):
        due_ns = account.trading_ns + FALLBACK_NS
    elif state.latch.tripped is not None and state.orders.working(account.venue):
        due_ns = state.exit_ns + FALLBACK_NS
    else:
        return []
    if now_ns < max(due_ns, account.fallback_ns):
        return []
    why = state.latch.tripped or state.stopping or Why.LINK_DOWN
    intent = FallbackCancel(account.venue, why, known_ids(state, account))
    promise(state, intent, now_ns)
    return [intent]


def known_ids(state: State, account: Account) -> tuple[str, ...]:
    """Our orders by their ids, where the venue cannot tell them by their labels."""
    if account.capabilities.label_echoed:
        return ()
    return tuple(o.order_id for o in state.orders.at(account.venue) if o.working and o.order_id)


def _left_behind(state: State, account: Account, now_ns: Nanos) -> bool:
    """Whether orders of ours may rest where nobody can move them: the venue need not have noticed
    that the link is gone."""
    lost = account.trading_ns > 0  # it has been up in this run
    return lost and state.orders.working(account.venue) and may_send(state, now_ns)


def _fills_since_ms(state: State, account: Account) -> int:
    """From where on to ask for trades: a provisional one is stated again where it was traded."""
    since_ms = _since_ms(state, account, account.last_snapshot_ns)
    for fill in state.inventory.provisional.values():
        if venue_name(fill.instrument) == account.venue:
            since_ms = min(since_ms, fill.venue_ms)
    return since_ms


def _since_ms(state: State, account: Account, last_ns: Nanos) -> int:
    """From where on to ask for what happened (venue time), with some overlap."""
    if last_ns:
        return last_ns // MS - FILLS_OVERLAP_MS
    started_ms = state.started_ns // MS
    return min(started_ms, account.resume_ms or started_ms) - FILLS_OVERLAP_MS
