"""Money first: executions and flows are booked once, whatever their source, before anything is
concluded about the orders behind them.

A fill may be *provisional* (Finality): it is booked at once, and the venue states it again when it
is final or void. A void one is taken back by a reversal, an entry of its own; one that is first
heard of as void is booked and taken back, so that the books are the same whatever came first. The
first word that is not provisional stands.
"""

from decimal import Decimal

from msgspec.structs import replace

from mmbot.core.books import Market
from mmbot.core.claims import keep_fill
from mmbot.core.inventory import Booked, Flowed, Position
from mmbot.core.labels import is_ours
from mmbot.core.retire import revive
from mmbot.core.state import Account, State
from mmbot.core.statements import Fill, Finality, Flow, Liquidity, booking_key
from mmbot.core.types import MS, to_decimal, venue_name


def book_fill(state: State, fill: Fill) -> None:
    """One execution on the account, ours or not: into its position, then to its order."""
    if fill.label is None:  # the venue need not repeat it: its order tells whose it is
        fill = replace(fill, label=state.orders.ids.get(fill.order_id))
    pending = state.inventory.provisional.get(fill.key)
    if pending is None:
        _book_new(state, fill)
    elif fill.finality is not Finality.PROVISIONAL:
        _conclude(state, pending, fill)


def _book_new(state: State, fill: Fill) -> None:
    market = state.markets.get(fill.instrument)
    if market is None and not state.inventory.knows(fill.key, fill.venue_ms):
        market = revive(state, fill.instrument)
    if market is None:
        _book_off_desk(state, fill)
        return
    position = state.inventory.add(market.instrument)
    # What an earlier run traded without living to write it down is booked all the same.
    ours_unwritten = is_ours(fill.label) and not position.opened
    if not ours_unwritten and _in_opening(state, position, fill.venue_ms):
        _know_of_opening(state, position, fill)
        return
    mark = _mark_of(market, fill)
    if not state.inventory.book(fill, market.instrument, mark):
        return
    _booked(state, market, fill, mark)
    if fill.finality is Finality.PROVISIONAL:
        state.inventory.provisional[fill.key] = replace(fill, mark=mark)
    elif fill.finality is Finality.VOIDED:
        _take_back(state, replace(fill, mark=mark), fill.stated_ms)


def _mark_of(market: Market, fill: Fill) -> Decimal:
    """What a fill is valued at: its own mark, else the present one, else what was paid."""
    if fill.mark is not None and market.instrument.is_price(fill.mark):
        return fill.mark
    return to_decimal(market.mark) if market.mark is not None else fill.price


def _booked(state: State, market: Market, fill: Fill, mark: Decimal) -> None:
    """What follows from an execution, or a reversal, that is in its position now."""
    state.watch.due = True
    funds_changed(state, market.instrument.venue)
    ours = is_ours(fill.label)
    state.entries.append(Booked(fill, market.instrument, mark, ours))
    if ours:
        _book_to_order(state, market, fill)
    elif fill.label is None:
        keep_fill(state.account(market.instrument.venue), fill)
    state.touch(fill.instrument)


def _book_to_order(state: State, market: Market, fill: Fill) -> None:
    assert fill.label is not None
    if not fill.reverses:
        _note_traded(state, market, fill)
    order = state.orders.by_label.get(fill.label)
    if order is not None:
        state.orders.book(order, fill)


def _note_traded(state: State, market: Market, fill: Fill) -> None:
    market.own_ms[fill.side] = max(market.own_ms[fill.side], fill.venue_ms)
    if fill.liquidity is not Liquidity.TAKER:  # what is not told is what our orders are for
        account = state.account(market.instrument.venue)
        account.order_to_volume.traded(market.notional_usd(fill), fill.venue_ms * MS)


def _conclude(state: State, pending: Fill, said: Fill) -> None:
    """The venue's last word on a provisional fill."""
    del state.inventory.provisional[said.key]
    state.touch(said.instrument)
    if said.finality is Finality.VOIDED:
        _take_back(state, pending, said.stated_ms)
        return
    market = state.markets.get(said.instrument)
    if market is not None and pending.mark is not None:
        final = replace(pending, finality=Finality.FINAL, stated_ms=said.stated_ms)
        ours = is_ours(pending.label)
        state.entries.append(Booked(final, market.instrument, pending.mark, ours, again=True))


def _take_back(state: State, fill: Fill, at_ms: int) -> None:
    """Book the reversal of a fill; without a mark of its own, at the present one."""
    reversal = fill.reversal(at_ms or fill.venue_ms)
    market = state.markets.get(fill.instrument) or revive(state, fill.instrument)
    if market is None:
        _book_off_desk(state, reversal)
        return
    mark = _mark_of(market, fill)
    if state.inventory.book(reversal, market.instrument, mark):
        _booked(state, market, reversal, mark)


def _know_of_opening(state: State, position: Position, fill: Fill) -> None:
    """A fill that is part of what was there before us, which what is taken back later was not."""
    known = fill.key in state.inventory.booked
    state.inventory.know(fill.key)
    unvalued = replace(fill, mark=None)
    if fill.finality is Finality.PROVISIONAL and not known:
        state.inventory.provisional[fill.key] = unvalued
    elif fill.finality is Finality.VOIDED and not _in_opening(state, position, fill.stated_ms):
        _take_back(state, unvalued, fill.stated_ms)


def value_opening(state: State, market: Market) -> None:
    """What was taken over before any mark was known is so at the first one there is."""
    position = state.inventory.positions.get(market.instrument.id)
    if position is None or position.mark is not None or not position.amount:
        return
    if market.mark is not None:
        position.revalue(to_decimal(market.mark))


def _in_opening(state: State, position: Position, venue_ms: int) -> bool:
    """Whether what the venue stamped so is part of the opening position.

    Once that stands, only the venue's own stamps can tell: its clock is not ours, and what happened
    just after the opening may be stamped before it by ours.
    """
    if position.opened:
        return venue_ms < position.opened_ms
    if venue_ms >= state.started_ns // MS:
        return False
    position.opened_ms = max(position.opened_ms, venue_ms + 1)
    return True


def _book_off_desk(state: State, fill: Fill) -> None:
    """A fill on an instrument we do not trade: not ours to value, but no longer owed."""
    if state.inventory.knows(fill.key, fill.venue_ms):
        return
    state.inventory.know(fill.key)
    held = state.account_of(fill.instrument).held or {}
    if fill.instrument in held:
        held[fill.instrument].trade(fill)
    order = state.orders.by_label.get(fill.label) if fill.label else None
    if order is not None:
        state.orders.book(order, fill)
    if fill.finality is Finality.PROVISIONAL:
        state.inventory.provisional[fill.key] = replace(fill, mark=None)
    elif fill.finality is Finality.VOIDED and not fill.reverses:
        _take_back(state, fill, fill.stated_ms)


def book_flow(state: State, account: Account, flow: Flow) -> None:
    """Money that moved without a trade, booked once; nothing from before a position was opened."""
    key = booking_key(account.venue, flow.name)
    if state.inventory.knows(key, flow.venue_ms):
        return
    market = None
    if flow.instrument is not None:
        market = state.markets.get(flow.instrument) or revive(state, flow.instrument)
        if market is None:
            return
    before_us = flow.venue_ms < state.started_ns // MS
    if market is None:
        if not before_us or account.resume_ms:
            state.inventory.know(key)
            state.entries.append(Flowed(flow, None, account.venue))
        return
    state.inventory.know(key)
    position = state.inventory.add(market.instrument)
    if not _in_opening(state, position, flow.venue_ms):
        position.flow(flow)
        state.entries.append(Flowed(flow, market.instrument, account.venue))


def funds_changed(state: State, venue: str) -> None:
    """A position or a balance is not what it was: sides that lacked funds may have them now."""
    for (instrument, *_), memory in state.slots.items():
        if memory.short and venue_name(instrument) == venue:
            memory.funds_changed()
