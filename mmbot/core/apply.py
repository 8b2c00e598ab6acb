"""Events applied: the one way in which venue, clock, store and people change the state.

Nothing is decided here. What an event means for orders is in core.order_updates, for money in
core.booking, for everything that a snapshot states in core.reconcile.
"""

from typing import assert_never

from mmbot.core import chain_upkeep, gates, watched
from mmbot.core import events as ev
from mmbot.core.booking import book_fill, value_opening
from mmbot.core.books import Market
from mmbot.core.exit import begin_exit, trip
from mmbot.core.expiry import look_for_ends
from mmbot.core.labels import SEQUENCES_MAX
from mmbot.core.order_life import Status
from mmbot.core.order_updates import order_seen, outcome_unknown, request_refused
from mmbot.core.reconcile import (
    RESYNC_RETRY_NS,
    fallback_tried,
    invalidate,
    note_gap,
    snapshot_failed,
    snapshot_taken,
)
from mmbot.core.state import RESYNC_DELAY_NS, Note, State
from mmbot.core.types import MS, Nanos, to_decimal, venue_name
from mmbot.core.why import Why

TICK_MARKETS = 8
"""Markets a Tick has looked at though nothing happened there; the next Tick takes the next ones."""

SILENCE_NS: Nanos = 1500 * MS
"""With no round trip for this long, a Tick looks at every market there: books may be stale."""


def apply(  # noqa: C901, PLR0912, PLR0915  # one case an event: the union is read off here
    state: State, event: ev.Event, now_ns: Nanos
) -> None:
    """Let one event change the state."""
    match event:
        case ev.BookChanged():
            market = state.markets.get(event.instrument)
            if market is not None:
                market.take_book(event)
                state.touch(event.instrument)
            else:
                watched.hear(state, event, now_ns)
        case ev.TickerChanged():
            _ticker_changed(state, event, now_ns)
        case ev.OrderSeen():
            order_seen(state, event, now_ns)
        case ev.Filled():
            if event.fill.instrument not in state.markets:  # what is held off desk has changed
                state.account_of(event.fill.instrument).look_by(now_ns + RESYNC_DELAY_NS)
            book_fill(state, event.fill)
        case ev.Tick():
            _tick(state, now_ns)
        case ev.RequestRefused():
            request_refused(state, event, now_ns)
        case ev.OutcomeUnknown():
            outcome_unknown(state, event, now_ns)
        case ev.SnapshotTaken():
            snapshot_taken(state, event, now_ns)
        case ev.SnapshotFailed():
            snapshot_failed(state, event, now_ns)
        case ev.FallbackTried():
            fallback_tried(state, event, now_ns)
        case ev.TradePrinted():
            if event.instrument in state.markets:
                state.touch(event.instrument)
        case ev.ReferenceChanged():
            if state.references.take(event.source, event.asset, event):
                for market in state.markets.values():
                    if market.instrument.underlying == event.asset:
                        state.touch(market.instrument.id)
        case ev.BookLost():
            market = state.markets.get(event.instrument)
            if market is not None:
                market.lose_book(event.why)
                state.touch(event.instrument)
            else:
                watched.hear(state, event, now_ns)
        case ev.InstrumentState():
            market = state.markets.get(event.instrument)
            if market is not None:
                market.closure.hear_news(event.state, now_ns)
                state.touch(event.instrument)
            else:
                watched.hear(state, event, now_ns)
        case ev.InstrumentsListed():
            _listed(state, event)
        case ev.InstrumentsWatched():
            watched.begin_watching(state, event)
        case ev.Fitted():
            chain_upkeep.take_fit(state, event, now_ns)
        case (
            ev.LinkChanged()
            | ev.LinkAlive()
            | ev.LimitsRead()
            | ev.PlatformState()
            | ev.ProtectionTold()
            | ev.ElementsUnread()
            | ev.VenueDescribed()
            | ev.MessageLost()
        ):
            _link(state, event, now_ns)
        case (
            ev.LabelsReserved()
            | ev.StoreChanged()
            | ev.TapeChanged()
            | ev.LatchSaved()
            | ev.LeaseChecked()
            | ev.LeaseLate()
            | ev.LeaseLost()
        ):
            _store(state, event, now_ns)
        case (
            ev.Pause()
            | ev.Unpause()
            | ev.WindDown()
            | ev.Switched()
            | ev.SizeScaled()
            | ev.VolShifted()
        ):
            _control(state, event)
        case ev.Stop():
            state.stopping = state.stopping or event.why
            begin_exit(state, now_ns)
        case ev.Trip():
            trip(state, event.why, event.detail, now_ns)
        case _:
            assert_never(event)


# --- the market -------------------------------------------------------------------------------


def _ticker_changed(state: State, event: ev.TickerChanged, now_ns: Nanos) -> None:
    market = state.markets.get(event.instrument)
    if market is None:
        watched.hear(state, event, now_ns)
        return
    unmarked, unindexed = market.mark is None, market.index is None
    market.take_ticker(event)
    if event.state is not None:
        market.closure.hear_ticker(event.state, now_ns)
    if unmarked and market.mark is not None:
        carried = state.inventory.carried.get(event.instrument)
        if carried is not None:
            carried.revalue(to_decimal(market.mark))
    if market.chain:
        chain_upkeep.hear_ticker(state, market, now_ns)
    if market.index is not None:
        if unindexed:
            state.touch_all()  # exposure in coin can be reckoned from now on
        state.opening_index.setdefault(market.instrument.underlying, market.index)
    value_opening(state, market)
    state.touch(event.instrument)


def _listed(state: State, event: ev.InstrumentsListed) -> None:
    for instrument in event.instruments:
        market = state.markets.get(instrument.id)
        if market is None:
            state.add_account(instrument.venue)
            state.watched.pop(instrument.id, None)
            state.chains_due = True
            market = state.markets[instrument.id] = Market(instrument, event.desk)
            market.off = state.controls.sides_off(instrument)
            state.inventory.add(instrument)  # before any reader asks, so that their order is ours
        elif market.instrument != instrument:
            market.instrument = instrument
            market.closure.accept()  # what was refused may have been so for the old terms
        state.touch(instrument.id)


# --- the link to a venue ----------------------------------------------------------------------


def _link(
    state: State,
    event: ev.LinkEvent | ev.MessageLost,
    now_ns: Nanos,
) -> None:
    account = state.add_account(event.venue)
    match event:
        case ev.LinkAlive():
            if event.link is ev.Link.MARKET:
                account.alive_ns, account.proven_ns = event.received_ns, event.asked_ns
            account.skew_ns = _skew_ns(event, account.skew_ns)
        case ev.LinkChanged():
            _link_changed(state, event, now_ns)
        case ev.LimitsRead():
            gates.limits_read(account, event.rate_per_s, event.burst)
        case ev.VenueDescribed():
            gates.described(account, event.capabilities)
            account.capabilities = event.capabilities
        case ev.ProtectionTold():
            account.protected[event.underlying] = event.frozen_until_ns
            state.touch_all()
        case ev.PlatformState():
            _platform(state, event)
        case ev.ElementsUnread():
            account.unread[event.kind] = account.unread.get(event.kind, 0) + event.count
        case ev.MessageLost():
            account.missed_ns = now_ns
            account.look_by(now_ns + RESYNC_RETRY_NS)


def _skew_ns(alive: ev.LinkAlive, known_ns: Nanos) -> Nanos:
    """The venue answered at some moment between question and answer; what is beyond that is the
    clocks. Where it does not say when, what is known stands."""
    if alive.venue_ns is None:
        return known_ns
    return max(0, alive.asked_ns - alive.venue_ns, alive.venue_ns - alive.received_ns)


def _link_changed(state: State, event: ev.LinkChanged, now_ns: Nanos) -> None:
    account = state.account(event.venue)
    account.detail = event.detail
    if event.link is ev.Link.MARKET:
        account.market_up = event.up
        if not event.up:
            watched.lose_link(state, event.venue)
            for market in state.markets.values():
                if market.instrument.venue == event.venue:
                    market.lose_book(Why.LINK_DOWN)
    else:
        account.trading_up, account.trading_ns = event.up, now_ns
        account.fallback_ns = 0
        invalidate(state, account, now_ns)
    for market in state.markets.values():
        if market.instrument.venue == event.venue:
            state.touch(market.instrument.id)


def _platform(state: State, event: ev.PlatformState) -> None:
    """The venue locks or unlocks; unlocking everything ends every lock."""
    account = state.account(event.venue)
    name = (event.currency or "").lower()
    if event.locked:
        account.locks[name] = event.detail
    elif name:
        account.locks.pop(name, None)
    else:
        account.locks.clear()
        account.refused.over()
    state.touch_all()


# --- store, people, time ----------------------------------------------------------------------


def _store(state: State, event: ev.StoreEvent, now_ns: Nanos) -> None:
    match event:
        case ev.LabelsReserved():
            state.reserved_upto = max(state.reserved_upto, min(event.upto, SEQUENCES_MAX))
        case ev.StoreChanged():
            state.store_trouble = event.trouble
            state.touch_all()
        case ev.TapeChanged():
            state.tape_trouble = event.trouble
            state.touch_all()
        case ev.LatchSaved():
            state.latch.saved = True
            state.touch_all()
        case ev.LeaseChecked():
            state.lease_checked_ns = event.asked_ns
        case ev.LeaseLate():
            note_gap(state, now_ns)
        case ev.LeaseLost():
            _lease_lost(state, event, now_ns)


def _lease_lost(state: State, event: ev.LeaseLost, now_ns: Nanos) -> None:
    """A run holds the leases of all its accounts or of none: where they are still ours, everything
    goes."""
    lost = [state.add_account(event.venue)] if event.venue else list(state.accounts.values())
    for account in lost:
        account.lease_lost = event.holder
    if not all(account.lease_lost for account in state.accounts.values()):
        state.stopping = state.stopping or Why.LEASE_LOST
        begin_exit(state, now_ns)


def _control(state: State, event: ev.Control) -> None:
    controls = state.controls
    match event:
        case ev.Pause():
            state.paused = event.why
        case ev.Unpause():
            state.paused = None
        case ev.WindDown():
            controls.wind_down = event.on
        case ev.Switched():
            controls.switch(event.scope, event.on)
            for market in state.markets.values():
                market.off = controls.sides_off(market.instrument)
        case ev.SizeScaled():
            controls.size_factor = event.factor
        case ev.VolShifted():
            controls.vol_points, controls.vol_until_ns = event.points, event.until_ns
    state.touch_all()


def _tick(state: State, now_ns: Nanos) -> None:
    state.watch.due = True
    state.watch.ticking_ns = state.watch.ticking_ns or now_ns
    if state.controls.lapse(now_ns):
        state.notes.append(Note("control", {"what": "vol offset", "ended": "its time was up"}))
        state.touch_all()
    for order in state.orders.overdue(now_ns):
        state.account_of(order.instrument).look_by(now_ns)
        state.touch(order.instrument)
    for order in state.orders.all():
        if order.status is Status.LIVE and not order.remaining:  # and nobody has said that it ended
            state.account_of(order.instrument).look_by(now_ns + RESYNC_DELAY_NS)
    look_for_ends(state, now_ns)
    watched.drop_expired(state, now_ns)
    _look_around(state, now_ns)


def _look_around(state: State, now_ns: Nanos) -> None:
    """Every market of a venue that is silent needs a decision, and some of the others."""
    accounts, instruments = state.accounts, list(state.markets)
    silent = [venue for venue, one in accounts.items() if now_ns - one.alive_ns > SILENCE_NS]
    if silent:
        for instrument in instruments:
            if venue_name(instrument) in silent:
                state.touch(instrument)
    if len(silent) < len(accounts):
        count = min(TICK_MARKETS, len(instruments))
        for step in range(count):
            state.touch(instruments[(state.next_market + step) % len(instruments)])
        state.next_market += count
