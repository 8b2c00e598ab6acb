"""Belief against the venue's word: what a gap leaves of belief, and what a snapshot changes.

Theory of operation
-------------------
1. A line that broke or a gap in the turns leaves every order UNKNOWN (`invalidate`), until a
   snapshot that was asked afterwards has been absorbed.
2. A snapshot is absorbed money first: executions and flows, then orders, then positions. Before
   that, where labels are not named, it says whose they are (core.claims).
3. Orders of ours that only the venue knows are adopted; those that only we know are looked up by
   name before they count as absent (core.orders).
4. A position that disagrees with our fills twice in a row halts its market: between two looks a
   fill may be on its way.
"""

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.absence import CLOCK_SKEW_NS
from mmbot.core.adoption import adopt
from mmbot.core.booking import book_fill, book_flow, funds_changed, value_opening
from mmbot.core.claims import claim_lost, forget_unclaimed, is_nameless, label_of
from mmbot.core.closures import doubled
from mmbot.core.exit import note_end, proved_flat
from mmbot.core.inventory import Opened
from mmbot.core.labels import is_ours
from mmbot.core.off_desk import look_off_desk
from mmbot.core.order_life import OrderState, Status
from mmbot.core.orders import Order
from mmbot.core.retire import forget_old, retire
from mmbot.core.state import Account, State
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Label, Nanos

RESYNC_RETRY_NS: Nanos = 1 * SECOND
"""Between two attempts to get a snapshot."""

RESYNC_RETRY_MAX_NS: Nanos = 30 * SECOND
"""The same where answers come that nobody can read."""

RESYNC_EVERY_NS: Nanos = 30 * SECOND
"""A look at the venue even when nothing is unclear (fills and orphans nobody told us about)."""

FALLBACK_EVERY_NS: Nanos = 10 * SECOND
"""Between two attempts over the second path while the trading link is down and nobody leaves."""


def invalidate(state: State, account: Account, now_ns: Nanos) -> None:
    """The line broke or turns have a gap: every order is UNKNOWN until the venue is asked anew."""
    account.reconciled, account.doubted_ns = False, now_ns
    account.asked_ns, account.resync_ns = 0, now_ns
    for order in list(state.orders.at(account.venue)):
        state.orders.lost(order, now_ns)


def note_gap(state: State, now_ns: Nanos) -> None:
    """No turn was taken for a while: belief is void, and nothing is sent before lease and latch are
    read."""
    state.away_ns = now_ns
    for account in state.accounts.values():
        invalidate(state, account, now_ns)


def snapshot_taken(state: State, event: ev.SnapshotTaken, now_ns: Nanos) -> None:
    """The venue's word on everything: money first, then orders, then positions."""
    account = state.add_account(event.venue)
    if not account.asked_ns or event.asked_ns < account.asked_ns:
        return  # superseded: the link changed since it was asked
    account.asked_ns, account.last_snapshot_ns = 0, event.asked_ns
    account.unreadable_looks = 0
    if event.flows_complete:
        account.flows_ns = max(account.flows_ns, account.flows_asked_ns)
    answers_missed = event.asked_ns > account.missed_ns
    account.resync_ns = now_ns + (RESYNC_EVERY_NS if answers_missed else RESYNC_RETRY_NS)
    in_doubt = claim_lost(state, account, event)
    for fill in event.fills:
        book_fill(state, fill)
    for flow in event.flows:
        book_flow(state, account, flow)
    _absorb_orders(state, account, event, in_doubt, now_ns)
    forget_unclaimed(state, account)
    _absorb_positions(state, account, event, now_ns)
    _absorb_equity(state, account, event)
    if event.asked_ns >= account.doubted_ns and account.trading_up:
        account.reconciled = True
    state.watch.due = True
    if state.exit_ns and event.asked_ns > state.exit_ns:
        if account.ours_open == 0 and not state.orders.working(event.venue):
            proved_flat(state, account, now_ns, "first path")
        else:
            account.flat_verified = False
    retire(state, account, event, now_ns)
    forget_old(state, now_ns)
    for market in state.markets.values():
        if market.instrument.venue == event.venue:
            state.touch(market.instrument.id)


def _absorb_equity(state: State, account: Account, event: ev.SnapshotTaken) -> None:
    stated = {equity.currency: equity for equity in event.equity}
    for currency, equity in stated.items():
        before = account.equity.get(currency)
        if before is not None and before.balance != equity.balance:
            funds_changed(state, event.venue)
    account.equity |= stated  # what is not told just now is what it was
    for equity in event.equity:
        account.opening_equity.setdefault(equity.currency, equity)


def snapshot_failed(state: State, event: ev.SnapshotFailed, now_ns: Nanos) -> None:
    """No snapshot came of it: the next try, each time later while answers cannot be read."""
    account = state.add_account(event.venue)
    account.asked_ns, account.detail = 0, event.detail
    account.unreadable_looks = account.unreadable_looks + 1 if event.unreadable else 0
    times = max(1, account.unreadable_looks)
    account.resync_ns = now_ns + doubled(RESYNC_RETRY_NS, times, RESYNC_RETRY_MAX_NS)


def fallback_tried(state: State, event: ev.FallbackTried, now_ns: Nanos) -> None:
    """The second path has been tried. What it could not list may still arrive over the first one
    while a request of ours is valid."""
    account = state.add_account(event.venue)
    again_ns = RESYNC_RETRY_NS if state.exit_ns else FALLBACK_EVERY_NS
    account.fallback_ns = now_ns + again_ns
    if event.left is None or event.left or not state.exit_ns or event.asked_ns < state.exit_ns:
        return
    if all(
        order.uncertain_until_ns < event.asked_ns
        for order in state.orders.at(event.venue)
        if order.working
    ):
        proved_flat(state, account, now_ns, "second path")


def _absorb_orders(
    state: State,
    account: Account,
    event: ev.SnapshotTaken,
    in_doubt: dict[Label, None],
    now_ns: Nanos,
) -> None:
    listed = _absorb_listed(state, account, event, now_ns) | in_doubt
    looked_up = dict(event.lookups)
    for order in list(state.orders.at(account.venue)):
        if order.instrument not in state.markets:
            state.touch(order.instrument)  # an orphan goes, whatever it took to find it
        statement = looked_up.get(order.label)
        if statement is not None:
            note_end(account, statement)
            state.orders.seen(statement, order, event.asked_ns)
            if _trades_tell(account, statement):
                state.orders.all_listed(order, statement.filled)
        elif order.label not in listed and event.orders_complete:
            unasked = order.instrument not in state.markets or is_nameless(account, order)
            if order.label in looked_up or unasked:
                # Where nobody trades or can ask, that it is not open is all there is to know.
                state.orders.not_found(order, event.asked_ns)
            else:
                state.orders.not_in_snapshot(order, event.asked_ns)
        if order.status is Status.UNKNOWN or order.unbooked > 0:
            account.look_by(max(now_ns + RESYNC_RETRY_NS, order.uncertain_until_ns + 1))


def _trades_tell(account: Account, stated: ev.OrderSeen) -> bool:
    """Whether an end is told, and the trades listed after it say how much was filled: what was once
    may have been taken back, also in the millisecond of the end."""
    return stated.state is not OrderState.OPEN and not account.capabilities.fills_final


def _absorb_listed(
    state: State, account: Account, event: ev.SnapshotTaken, now_ns: Nanos
) -> dict[Label, None]:
    """Open orders as listed; returns the labels of ours among them."""
    listed: dict[Label, None] = {}
    foreign: dict[str, OpenOrder] = {}
    for told in event.orders:
        stated = told
        if told.label is None:
            stated = replace(told, label=label_of(state, account, told.order_id))
        if not is_ours(stated.label):
            foreign[stated.order_id] = stated
            continue
        assert stated.label is not None
        listed[stated.label] = None
        order = state.orders.by_label.get(stated.label)
        if order is None:
            if stated.venue_ms <= state.orders.forgotten.get(stated.label, -1):
                continue
            order = adopt(state, stated, account.venue, now_ns)
        state.orders.in_snapshot(order, stated, event.asked_ns)
    account.foreign, account.ours_open = foreign, len(listed)
    return listed


def _absorb_positions(
    state: State, account: Account, event: ev.SnapshotTaken, now_ns: Nanos
) -> None:
    held = {position.instrument: position for position in event.positions}
    doubtful: dict[InstrumentId, Decimal] = {}
    for market in state.markets.values():
        instrument = market.instrument
        if instrument.venue != account.venue:
            continue
        stated = held.get(instrument.id)
        amount = stated.amount if stated is not None else ZERO
        if amount is None:
            continue  # nobody knows what is held there: what we believe stands
        position = state.inventory.add(instrument)
        position.accrued = stated.funding if stated is not None else ZERO
        gap = amount - position.amount
        if not position.opened:
            mark = stated.mark if stated is not None else None
            if mark is not None and not instrument.is_price(mark):
                mark = None
            position.open_with(gap, mark)
            value_opening(state, market)
            earliest_ms = (state.started_ns - CLOCK_SKEW_NS) // MS
            at_ms = position.opened_ms = max(position.opened_ms, earliest_ms)
            state.entries.append(Opened(instrument, gap, position.mark, at_ms))
            continue
        if not gap:
            market.halted = ""
        elif account.doubtful.get(instrument.id) == gap:
            market.halted = f"venue says {amount}, fills say {position.amount}"
        else:
            doubtful[instrument.id] = gap  # perhaps a fill still on its way: look again
            account.look_by(now_ns + RESYNC_RETRY_NS)
        if gap and market.halted:
            doubtful[instrument.id] = gap
    account.doubtful = doubtful
    first, account.held = account.held is None, account.held or {}
    account.off_desk = look_off_desk(account.held, event.positions, state.markets, first=first)


def unresolved(state: State, account: Account) -> Iterator[Order]:
    """Orders of one account whose fate must be asked about by name, those among them that are
    being cancelled all the same: a cancel that finds nothing need not say so."""
    for order in state.orders.at(account.venue):
        unsure = order.status is Status.CANCELING and order.unknown_ns > 0
        asked = order.status is Status.UNKNOWN or unsure or order.unbooked > 0
        if asked and order.instrument in state.markets:
            yield order
