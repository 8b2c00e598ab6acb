"""Instruments go: what is settled, flat, without orders and owed nothing leaves the state.

Theory of operation
-------------------
1. Whether an instrument may go is asked when the venue has just been looked at, because only a look
   can tell that nothing is owed; so turns in which nothing is learned of it cost nothing.
2. It may go when all of this holds: its expiry is `SETTLED_NS` past; a look at the account and one
   at its flows (funding, deliveries) were both asked for later than that and have been absorbed;
   the venue shows no position and neither do we; no order of ours on it is in the table, which an
   unknown one and one with a fill not yet booked is.
3. Its profit, its fills and its orders go into sums first (core.totals), and into the guards'
   figures, so that no limit and no sum can tell that it went.
4. What the venue adds to it later brings it back as it would be now: flat, with a market and a
   position, which is booked to and retired again. The keys of what is booked stay, so nothing is
   booked twice. What is added to one that left too long ago is money off the desk (core.off_desk).
5. Those keys, and the names of orders that ended, go by their age: when no venue is asked about
   their time any more. What a venue then states of it all the same is booked already.
"""

from mmbot.core import events as ev
from mmbot.core.books import Market
from mmbot.core.order_counts import OrderCounts
from mmbot.core.state import Account, State
from mmbot.core.totals import Former, Total
from mmbot.core.types import SECOND, ZERO, InstrumentId, Nanos, Side

SETTLED_NS: Nanos = 60 * SECOND
"""So long after its expiry an instrument stays in any case: deliveries come late."""

KEPT_NS: Nanos = 3600 * SECOND
"""Keys of what is booked, and names of orders that ended, are kept for so long before the oldest
moment that a venue may still be asked about."""


def retire(state: State, account: Account, looked: ev.SnapshotTaken, now_ns: Nanos) -> None:
    """Let go what has come to its end on an account that has just been looked at."""
    ended = [m for m in state.markets.values() if _has_ended(account, m)]
    if not ended or not account.reconciled or looked.asked_ns <= account.missed_ns:
        return
    unclear = {p.instrument for p in looked.positions if p.amount != ZERO}
    going = [market for market in ended if _owes_nothing(state, market, unclear)]
    # The guards' figures first, and of all markets: a part of them would be a peak that never was.
    if not going or not state.watch.profit.update(state.markets.values(), state.inventory, now_ns):
        return
    for market in going:
        if _is_counted(state, market.instrument.id) and not _hedges_through(state, market):
            _let_go(state, market)


def revive(state: State, instrument: InstrumentId) -> Market | None:
    """Bring back an instrument to which the venue has something to add; None where it is not known
    any more."""
    former = state.retired.lately.get(instrument)
    if former is None:
        return None
    market = state.markets[instrument] = Market(former.instrument, desk=former.desk)
    market.mark, market.index, market.expiry_asked = former.mark, former.index, True
    market.off = state.controls.sides_off(former.instrument)
    position = state.inventory.add(former.instrument)
    position.opened, position.opened_ms = True, former.opened_ms
    state.chains_due = True
    state.touch(instrument)
    return market


def forget_old(state: State, now_ns: Nanos) -> None:
    """Drop what only told old statements apart: no venue is asked about their time any more."""
    asked_ns = min(min(one.last_snapshot_ns, one.flows_ns) for one in state.accounts.values())
    state.inventory.forget_old(now_ns, asked_ns - KEPT_NS)
    orders = state.orders
    for label in orders.forgotten_ages.old(orders.forgotten, now_ns, asked_ns - KEPT_NS):
        del orders.forgotten[label]
    for key in orders.id_ages.old(orders.ids, now_ns, asked_ns - KEPT_NS):
        label = orders.ids.pop(key)
        if label in orders.by_label:
            orders.ids[key] = label  # it is still about


def _has_ended(account: Account, market: Market) -> bool:
    """Whether it expired long enough before the last looks at its account."""
    expiry_ns, instrument = market.instrument.expiry_ns, market.instrument
    if expiry_ns is None or instrument.venue != account.venue:
        return False
    settled_ns = expiry_ns + SETTLED_NS
    return settled_ns < min(account.last_snapshot_ns, account.flows_ns)


def _owes_nothing(state: State, market: Market, unclear: set[InstrumentId]) -> bool:
    """Whether nothing is held there or on its way, by the venue's word and by ours."""
    instrument = market.instrument
    position = state.inventory.positions.get(instrument.id)
    return (
        instrument.id not in unclear
        and position is not None
        and position.opened
        and not position.amount
        and not position.accrued
        and not market.halted
        and not any(state.inventory.open_fills(instrument.id))
        and not any(state.orders.on(instrument.id))
    )


def _is_counted(state: State, instrument: InstrumentId) -> bool:
    """Whether what it earned is in the guards' figures: without a mark it cannot be."""
    position = state.inventory.positions[instrument]
    return not position.cash or instrument in state.watch.profit.counted


def _hedges_through(state: State, market: Market) -> bool:
    """Whether a hedger is asked through this market alone: its desk has no other one."""
    desk = market.desk
    if desk not in state.hedges:
        return False
    return not any(one.desk == desk for one in state.markets.values() if one is not market)


def _let_go(state: State, market: Market) -> None:
    instrument, name = market.instrument, market.instrument.id
    position = state.inventory.positions[name]
    _add_up(state, market)
    state.retired.keep(
        Former(instrument, market.desk, position.opened_ms, market.mark, market.index)
    )
    state.retired.leaving.append(name)
    others = state.worst_coin.get(instrument.underlying, ZERO) - market.worst_coin
    state.worst_coin[instrument.underlying] = others
    del state.markets[name], state.inventory.positions[name]
    state.chains_due = True
    state.inventory.carried.pop(name, None)
    state.watch.profit.forget(name)
    state.orders.by_instrument.pop(name, None)
    state.orders.counted.pop(name, None)
    state.signals.pop(name, None)
    state.dirty.pop(name, None)
    for wanted in state.hedges.values():
        wanted.pop(name, None)
    for slot in [key for key in state.slots if key[0] == name]:
        del state.slots[slot]
    account = state.account(instrument.venue)
    account.deferred.pop(name, None)
    account.doubtful.pop(name, None)
    for limit in [key for key in account.gates if key.endswith(f" {name}")]:
        del account.gates[limit]


def _add_up(state: State, market: Market) -> None:
    """Add what it came to to the sums."""
    instrument, inventory = market.instrument, state.inventory
    key = (instrument.venue, market.desk, instrument.settlement, instrument.underlying)
    total = state.retired.totals.get(key)
    if total is None:
        total = state.retired.totals[key] = Total()
    session = inventory.session(instrument, None)
    total.instruments += 1
    total.pnl += session
    total.carried += inventory.of(instrument).pnl(None) - session
    total.orders += state.orders.counted.get(instrument.id, OrderCounts())
    total.fills += inventory.session_fills(instrument)
    shares = [market.uptime.share(side, instrument.expiry_ns or 0) for side in Side]
    known = [share for share in shares if share is not None]
    total.sides += len(known)
    total.shares += sum(known)
    if market.index is not None:
        total.index = market.index
