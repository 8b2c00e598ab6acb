"""The parts of an engine, each by itself: its accounts and its desks, for status and summary.

Desks are not in the state: which of them quotes an instrument is told by a mapping, and what is in
none of it belongs to the only desk there is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mmbot.core.books import Market
from mmbot.core.capabilities import Draws
from mmbot.core.gates import gate_is
from mmbot.core.order_counts import OrderCounts as Counted
from mmbot.core.protection import FOREVER
from mmbot.core.state import Account, State
from mmbot.core.totals import Total
from mmbot.core.types import InstrumentId, Nanos, Side, venue_name
from mmbot.core.why import Why
from mmbot.engine import holdings
from mmbot.engine.holdings import Index
from mmbot.engine.status import (
    DeskFrame,
    DeskSummary,
    InstrumentRow,
    Limit,
    LinkFrame,
    MmpFrame,
    OrderCounts,
    SettledRow,
    VenueFrame,
    VenueSummary,
)

LONE_DESK = "desk"


def venue_frame(
    state: State,
    account: Account,
    accounts: Mapping[str, tuple[str, str]],
    reads_left: Mapping[str, float],
    now_ns: Nanos = 0,
) -> VenueFrame:
    """One account at this moment. `accounts`: the kind of each venue, and whose account.
    `reads_left`: of the limits that only reads draw from, which its adapter keeps."""
    kind, name = accounts.get(account.venue, ("", ""))
    return VenueFrame(
        name=account.venue,
        kind=kind,
        account=name,
        link=_link(account),
        limits=tuple(_limits(account, reads_left)),
        equity=holdings.equity(account),
        open_orders=sum(order.working for order in state.orders.at(account.venue)),
        dead_man=account.capabilities.dead_man.value,
        mmp=_mmp(account, now_ns),
    )


def _mmp(account: Account, now_ns: Nanos) -> MmpFrame:
    ends = [until_ns for until_ns in account.protected.values() if until_ns > now_ns]
    until = max(ends, default=FOREVER)
    return MmpFrame(
        configured=bool(account.protected),
        frozen=bool(ends),
        until=until if until < FOREVER else None,
    )


def _limits(account: Account, reads_left: Mapping[str, float]) -> Iterator[Limit]:
    """Every gate of an account; one that counts per instrument as it is where least is left."""
    budget, can = account.budget, account.capabilities
    yield Limit(name="requests", scope="account", left=budget.level, full=budget.burst)
    for gate in can.gates:
        if gate is can.order_gate:
            continue
        if not gate.for_orders:
            kept = account.gates.get(gate.name)
            if gate.name in reads_left:
                left = reads_left[gate.name]
                yield Limit(name=gate.name, scope=gate.scope.value, left=left, full=gate.burst)
            elif gate.weight(Draws.MASS_CANCEL) or gate.weight(Draws.LABEL_CANCEL):
                left = gate.burst if kept is None else kept.level
                yield Limit(name=gate.name, scope=gate.scope.value, left=left, full=gate.burst)
            continue
        each = [one for key, one in account.gates.items() if gate_is(gate, key)]
        scarce = min(each, key=lambda one: one.level, default=None)
        _, full = gate.of_core
        left = full if scarce is None else scarce.level
        yield Limit(name=gate.name, scope=gate.scope.value, left=left, full=full)


def _link(account: Account) -> LinkFrame:
    if account.lease_lost:
        return LinkFrame(ok=False, text=Why.LEASE_LOST.value)
    if not account.trading_up or not account.market_up:
        return LinkFrame(ok=False, text="down")
    if not account.reconciled:
        return LinkFrame(ok=False, text="reconciling")
    return LinkFrame(ok=True, text="up")


def venue_summary(state: State, frame: VenueFrame, open_orders: int | None) -> VenueSummary:
    """One account at the end. `open_orders`: of ours; None where the venue could not be asked."""
    counted = state.orders.counted.items()
    here = [one for name, one in counted if venue_name(name) == frame.name]
    gone = list(state.retired.of(venue=frame.name))
    markets = [m for m in state.markets.values() if m.instrument.venue == frame.name]
    return VenueSummary(
        kind=frame.kind,
        account=frame.account,
        orders=order_counts(sum((*here, *(one.orders for one in gone)), Counted())),
        fills=fills(state, markets, gone),
        open_orders_after_stop=open_orders,
    )


def desk_frames(
    state: State,
    rows: Sequence[InstrumentRow],
    desks: Mapping[InstrumentId, str],
) -> Iterator[DeskFrame]:
    """Every desk at this moment, in the order of its first instrument. `rows`: of all markets."""
    past = [desk or LONE_DESK for _, desk, *_ in state.retired.totals]
    for name in dict.fromkeys((*(row.desk for row in rows), *past)):
        here, gone = [row for row in rows if row.desk == name], _gone(state, name)
        shares = [share for row in here for share in row.quoted_share.values()]
        sides = len(shares) + sum(one.sides for one in gone)
        yield DeskFrame(
            name=name,
            instruments=len(here),
            open_orders=sum(row.open_orders for row in here),
            fills=fills(state, _of_desk(state, name, desks), gone),
            quoted_share=(sum(shares) + sum(g.shares for g in gone)) / sides if sides else None,
            watched=sum((m.desk or LONE_DESK) == name for m in state.watched.values()),
        )


def desk_summary(state: State, frame: DeskFrame, desks: Mapping[InstrumentId, str]) -> DeskSummary:
    """One desk at the end."""
    counted = state.orders.counted.items()
    here = [one for name, one in counted if desks.get(name, LONE_DESK) == frame.name]
    here += [one.orders for one in _gone(state, frame.name)]
    return DeskSummary(
        orders=order_counts(sum(here, Counted())),
        fills=frame.fills,
        quoted_share=frame.quoted_share,
    )


def _of_desk(state: State, name: str, desks: Mapping[InstrumentId, str]) -> Iterator[Market]:
    return (m for one, m in state.markets.items() if desks.get(one, LONE_DESK) == name)


def _gone(state: State, name: str) -> list[Total]:
    """What became of a desk's instruments that are gone."""
    gone = list(state.retired.of(desk=name))
    return gone if name != LONE_DESK else [*gone, *state.retired.of(desk="")]


def settled_rows(state: State, index: Index) -> Iterator[SettledRow]:
    """Instruments that are gone, in sums."""
    for (venue, desk, settlement, underlying), total in state.retired.totals.items():
        rate = holdings.rate_of(settlement, underlying, index)
        yield SettledRow(
            venue=venue,
            desk=desk or LONE_DESK,
            settlement=settlement,
            underlying=underlying,
            instruments=total.instruments,
            fills=total.fills,
            pnl_usd=None if rate is None else float(total.pnl.total) * rate,
        )


def order_counts(counted: Counted) -> OrderCounts:
    """As they are shown."""
    return OrderCounts(
        placed=counted.placed,
        amended=counted.amended,
        cancelled=counted.cancelled,
        rejected=counted.rejected,
    )


def quoted_share(market: Market, now_ns: Nanos) -> dict[str, float]:
    """By side: time in the market since the first quote of this run, 0 to 1."""
    until_ns = min(now_ns, market.instrument.expiry_ns or now_ns)
    shares = {side.value: market.uptime.share(side, until_ns) for side in Side}
    return {side: share for side, share in shares.items() if share is not None}


def fills(state: State, markets: Iterable[Market], gone: Iterable[Total]) -> int:
    """Of this run, on these markets and on those that are gone."""
    here = sum(state.inventory.session_fills(market.instrument) for market in markets)
    return here + sum(one.fills for one in gone)


def every_fill(state: State) -> int:
    """Of this run."""
    return fills(state, state.markets.values(), state.retired.of())


def every_order(state: State) -> Counted:
    """What became of all our requests."""
    return sum((one.orders for one in state.retired.of()), state.orders.counts)
