"""From the engine's state to what people read: status frames, the summary, the statistics line."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import nan
from types import MappingProxyType
from typing import Any

from mmbot.core.books import Market, book_fault
from mmbot.core.contracts import Instrument
from mmbot.core.costs import maker_fee_price
from mmbot.core.desk import Desk
from mmbot.core.order_life import Status
from mmbot.core.order_to_volume import Traffic
from mmbot.core.orders import Order
from mmbot.core.protection import is_frozen
from mmbot.core.sizes import unit_of, unit_price
from mmbot.core.state import State
from mmbot.core.statements import OpenOrder
from mmbot.core.types import (
    MS,
    SECOND,
    ZERO,
    InstrumentId,
    Level,
    Nanos,
    Quote,
    Side,
    instrument_name,
    to_decimal,
)
from mmbot.core.why import Why
from mmbot.engine import holdings, parts
from mmbot.engine import signals as signals_of
from mmbot.engine.fair_inputs import fair_row, without_surface
from mmbot.engine.held_back import held_back
from mmbot.engine.holdings import Index
from mmbot.engine.parts import LONE_DESK
from mmbot.engine.status import (
    Doing,
    Earned,
    ForeignOrder,
    InstrumentRow,
    OrderToVolume,
    QuoteRow,
    ReferenceRow,
    StatusFrame,
    Summary,
)

NONE: Mapping[Any, Any] = MappingProxyType({})
"""Nothing is known beside the state."""


def status_frame(
    state: State,
    mode: str,
    venue: str,
    now_ns: Nanos,
    ended: str = "",
    refresh_ns: Mapping[InstrumentId, Nanos] = NONE,
    *,
    accounts: Mapping[str, tuple[str, str]] = NONE,
    desks: Mapping[InstrumentId, str] = NONE,
    reads_left: Mapping[str, Mapping[str, float]] = NONE,
    signal_desks: Mapping[InstrumentId, Desk] = NONE,
) -> StatusFrame:
    """The engine at this moment. `venue`: where it trades, in words. `ended`: why the run is over;
    empty while it is not. `refresh_ns`: of each instrument's desk. `accounts`: the kind of each
    venue, and whose account. `desks`: the name of each instrument's desk, "desk" where it is left
    out. `reads_left`: of each venue, as its adapter keeps it. `signal_desks`: whose signals are
    asked what they say of each instrument."""
    here = state.accounts.values()
    link, link_ok = _link(state)
    index, named = holdings.indices(state), holdings.names(state)
    signals = signals_of.said(state, signal_desks, now_ns)
    rows = tuple(
        _row(
            state,
            market,
            named[one],
            desks.get(one, LONE_DESK),
            index,
            refresh_ns.get(one, 0),
            now_ns,
            signals.get(one, {}),
            signals_of.units_of(signal_desks[one]) if one in signals else {},
        )
        for one, market in state.markets.items()
    )
    held = tuple(holdings.held_rows(state, named, index, now_ns))
    settled = tuple(parts.settled_rows(state, index))
    return StatusFrame(
        mode=mode,
        venue=venue,
        run_id=state.run,
        uptime_s=(now_ns - state.started_ns) / SECOND,
        link=link,
        link_ok=link_ok,
        budget=sum(account.budget.level for account in here),
        budget_full=sum(account.budget.burst for account in here),
        in_flight=sum(len(account.budget.unanswered) for account in here),
        deferred=sum(account.budget.deferred for account in here),
        order_to_volume=_order_to_volume(state, now_ns),
        fills=parts.every_fill(state),
        pnl=holdings.profit(state, index, rows, held, settled),
        rows=rows,
        held=held,
        doing=_doing(state),
        market_up=all(account.market_up for account in here),
        trading_up=all(account.trading_up for account in here),
        equity=holdings.every_equity(state),
        equity_usd=holdings.equity_usd(state, index),
        foreign=tuple(
            ForeignOrder(
                instrument=_name_of(order, named),
                side=order.side.value if order.side is not None else "?",
                price=order.price,
                amount=_open_amount(order),
                label=order.label or "",
                order_id=order.order_id,
            )
            for account in here
            for order in account.foreign.values()
        ),
        controls=_controls(state, now_ns),
        locks=tuple(_locks(state, named, now_ns)),
        unread=dict(sum((Counter(account.unread) for account in here), Counter())),
        ended=ended,
        off_desk=holdings.off_desk(state, index),
        at_ns=now_ns,
        delta=holdings.exposures(state, named, rows + held),
        margin_use=holdings.margin_use(state),
        trip=_tripped(state) or "",
        venues=tuple(
            parts.venue_frame(state, account, accounts, reads_left.get(account.venue, {}), now_ns)
            for account in here
        ),
        desks=tuple(parts.desk_frames(state, rows, desks)),
        settled=settled,
    )


def _name_of(order: OpenOrder, named: Mapping[InstrumentId, str]) -> str:
    if order.instrument is None:
        return "?"
    return named.get(order.instrument, instrument_name(order.instrument))


def summary(
    state: State,
    mode: str,
    venue: str,
    now_ns: Nanos,
    open_orders: Mapping[str, int | None],
    ended: str,
    *,
    accounts: Mapping[str, tuple[str, str]] = NONE,
    desks: Mapping[InstrumentId, str] = NONE,
) -> Summary:
    """The run in one object. `open_orders`: of ours, what is left at each venue; None where it
    could not be asked."""
    frame = status_frame(state, mode, venue, now_ns, ended, accounts=accounts, desks=desks)
    left = [count for count in open_orders.values() if count is not None]
    return Summary(
        mode=mode,
        venue=venue,
        run_id=state.run,
        instruments=tuple(row.instrument for row in frame.rows),
        orders=parts.order_counts(parts.every_order(state)),
        fills=frame.fills,
        positions={row.instrument: row.position for row in frame.every_row if row.position},
        rows=tuple(
            Earned(
                name=row.instrument,
                position=row.position,
                pnl_usd=row.pnl_usd,
                quoted=row.quoted,
            )
            for row in frame.every_row
            if row.position or row.pnl_usd
        )
        + tuple(
            Earned(name=row.name, position=ZERO, pnl_usd=row.pnl_usd, quoted=False)
            for row in frame.settled
            if row.pnl_usd
        ),
        delta_coin=frame.delta,
        pnl=frame.pnl,
        open_orders_after_stop=sum(left) if len(left) == len(open_orders) else None,
        duration_s=round((now_ns - state.started_ns) / SECOND, 3),
        ended=ended,
        tripped=_tripped(state),
        venues={
            one.name: parts.venue_summary(state, one, open_orders.get(one.name))
            for one in frame.venues
        },
        desks={one.name: parts.desk_summary(state, one, desks) for one in frame.desks},
    )


def _tripped(state: State) -> str | None:
    latch = state.latch
    if latch.tripped is None:
        return None
    return f"{latch.tripped.value}: {latch.detail}" if latch.detail else latch.tripped.value


def statistics_line(state: State, now_ns: Nanos) -> str:
    """What the log says every 30 seconds."""
    counts = parts.every_order(state)
    pnl = status_frame(state, "", "", now_ns).pnl
    fills = parts.every_fill(state)
    quoted = sum(
        1
        for market in state.markets
        if any(order.status is Status.LIVE for order in state.orders.on(market))
    )
    return (
        f"Stats: orders {counts.placed} placed, {counts.amended} amended, "
        f"{counts.cancelled} cancelled, {counts.rejected} rejected; {fills} fills; "
        f"{quoted}/{len(state.markets)} instruments quoted; PnL {pnl.total_usd:+.2f} USD; "
        f"up {(now_ns - state.started_ns) // SECOND} s"
    )


def _controls(state: State, now_ns: Nanos) -> tuple[str, ...]:
    paused = _paused(state)
    said = ["paused" if why is Why.PAUSED else f"paused: {why.value}" for why in paused]
    if state.store_trouble:
        said.append(f"not quoting: {state.store_trouble}")
    if state.watch.slowed is not None:
        said.append(f"slowed: {state.watch.slowed.value}")
    return (*said, *state.controls.texts(now_ns), *without_surface(state, now_ns))


def _order_to_volume(state: State, now_ns: Nanos) -> OrderToVolume:
    hours = [one.order_to_volume.last_hour(now_ns) for one in state.accounts.values()]
    hour = sum(hours, Traffic())
    return OrderToVolume(
        messages=hour.messages,
        trades=hour.trades,
        volume_usd=hour.volume_usd,
        per_trade=hour.per_trade,
        per_1000_usd=hour.per_1000_usd,
        slowed=state.watch.slowed is Why.ORDER_TO_VOLUME,
    )


def _link(state: State) -> tuple[str, bool]:
    if state.latch.tripped is not None:
        return f"KILL SWITCH: {state.latch.tripped.value}", False
    if state.stopping is not None:
        return "stopping", False
    accounts = state.accounts.values()
    if not all(account.trading_up and account.market_up for account in accounts):
        return "down", False
    if not all(account.reconciled for account in accounts):
        return "reconciling", False
    return "up", True


def _doing(state: State) -> Doing:
    if state.latch.tripped is not None:
        return Doing.KILLED
    if state.stopping is not None:
        return Doing.STOPPING
    return Doing.PAUSED if _paused(state) else Doing.RUNNING


def _paused(state: State) -> list[Why]:
    """What pauses us, by a person's word or a guard's; that nobody has ticked yet is no news."""
    said = (state.paused, state.watch.paused)
    return [why for why in said if why is not None and why is not Why.STARTING]


def _row(
    state: State,
    market: Market,
    name: str,
    desk: str,
    index: Index,
    refresh_ns: Nanos,
    now_ns: Nanos,
    signals: dict[str, float | None],
    signal_units: dict[str, str],
) -> InstrumentRow:
    instrument = market.instrument
    orders = list(state.orders.on(instrument.id))
    bid = _best(orders, Side.BUY)
    ask = _best(orders, Side.SELL)
    position = state.inventory.of(instrument)
    account = state.account(instrument.venue)
    heard_ns = max(market.received_ns, account.alive_ns)
    fault = book_fault(market, now_ns - heard_ns, now_ns)
    total = state.inventory.session(instrument, _mark(market)).total
    rate = holdings.usd_per(instrument, index) if total else 1.0
    return InstrumentRow(
        instrument=name,
        market_bid=_others(market, Side.BUY),
        market_ask=_others(market, Side.SELL),
        our_bid=bid.price if bid else None,
        our_bid_size=bid.remaining if bid else None,
        our_ask=ask.price if ask else None,
        our_ask_size=ask.remaining if ask else None,
        fair=_fair(market),
        position=position.amount,
        delta_coin=_delta(market, position.amount),
        pnl_usd=None if rate is None else float(total) * rate,
        age_s=(now_ns - heard_ns) / SECOND if heard_ns else None,
        why=_why(market),
        symbol=instrument.symbol,
        open_orders=sum(1 for order in orders if order.working),
        last_fill_s=(
            max(0.0, (now_ns - position.last_fill_ms * MS) / SECOND)
            if position.last_fill_ms
            else None
        ),
        book=fault.value if fault is not None else "",
        mark=market.mark,
        index=market.index,
        quotes=tuple(_quote(instrument, quote) for quote in market.quotes),
        quoted_share=parts.quoted_share(market, now_ns),
        pricer=market.pricer,
        fair_by=fair_row(state, market, now_ns),
        reasons={side.value: market.why[side] for side in Side if side in market.why},
        worth_saying=_worth_saying(market),
        held_back=held_back(state, market, refresh_ns, now_ns),
        unit=unit_of(instrument),
        unit_usd=_unit_usd(market),
        min_amount=instrument.grid.min_amount,
        amount_step=instrument.grid.amount_step,
        venue=instrument.venue,
        desk=desk,
        references=tuple(_references(state, instrument.underlying, now_ns)),
        settlement=instrument.settlement,
        maker_fee=_maker_fee(market),
        base_fee=instrument.fees.base,
        signals=signals,
        signal_units=signal_units,
    )


def _maker_fee(market: Market) -> float | None:
    fair = _fair(market)
    if fair is None or market.index is None:
        return None
    return maker_fee_price(market.instrument, fair, market.index)


def _fair(market: Market) -> float | None:
    """By the desk's pricer; the venue's mark while nothing is quoted by it."""
    if market.quotes:
        return market.quotes[0].fair
    return market.valuation.fair if market.valuation is not None else market.mark


def _references(state: State, asset: str, now_ns: Nanos) -> Iterator[ReferenceRow]:
    for source, reference in state.references.newest.get(asset, {}).items():
        stamp_ms = reference.source_ms
        yield ReferenceRow(
            source=source,
            price=reference.price,
            age_s=(now_ns - reference.received_ns) / SECOND,
            source_age_s=None if stamp_ms is None else (now_ns - stamp_ms * MS) / SECOND,
        )


def _quote(instrument: Instrument, quote: Quote) -> QuoteRow:
    return QuoteRow(
        side=quote.side.value,
        level=quote.level,
        price=quote.price,
        grid=instrument.snap_price(quote.price, quote.side),
        size=quote.size,
        fair=quote.fair,
        why=quote.why,
        clamp=quote.clamp,
        terms=tuple((term.name, term.value) for term in quote.terms),
    )


def _best(orders: list[Order], side: Side) -> Order | None:
    mine = [o for o in orders if o.side is side and o.working]
    return max(mine, key=lambda o: o.price * side.sign, default=None)


def _others(market: Market, side: Side) -> Decimal | None:
    levels: tuple[Level, ...] = market.bids if side is Side.BUY else market.asks
    kept = market.held.get(side)
    if kept is not None and kept[0]:
        levels = kept[0]
    return to_decimal(levels[0][0]) if levels else None


_QUOTING = (Why.IMPROVING, Why.JOINING, Why.SKEWED, Why.QUOTED, Why.FALLBACK_WIDTH)


def _worth_saying(market: Market) -> dict[str, Why]:
    """By side, the reason worth a trader's eye: why it is not quoted, else the bound that had the
    last word, else why it is where it is."""
    said = {side.value: market.why[side] for side in Side if side in market.why}
    for quote in market.quotes:
        if quote.clamp is not None and said.get(quote.side.value) in _QUOTING:
            said[quote.side.value] = quote.clamp
    return said


def _why(market: Market) -> Why:
    """The same of both sides together: the first that is not ordinary quoting."""
    said = _worth_saying(market).values()
    return next((why for why in said if why not in _QUOTING), next(iter(said), Why.STARTING))


def _unit_usd(market: Market) -> float | None:
    """USD of one unit of amount; None while its price is not known."""
    mark, index = market.mark or nan, market.index or nan
    return unit_price(market.instrument, index, mark)


def _mark(market: Market) -> Decimal | None:
    return None if market.mark is None else to_decimal(market.mark)


def _locks(state: State, named: Mapping[InstrumentId, str], now_ns: Nanos) -> Iterator[str]:
    """What the venues do not let us trade at present."""
    for account in state.accounts.values():
        where = f"{account.venue}: " if len(state.accounts) > 1 else ""
        for coin in account.protected:
            if is_frozen(account.protected, coin, now_ns):
                yield f"{where}quotes on {coin} frozen: `mmbot unpause --venue {account.venue}`"
        for name in account.locks:
            yield f"{where}{name or 'everything'} locked by the venue"
        if account.refused.reason(now_ns) is not None:
            yield f"{where}no orders taken: {account.refused.detail}"
    for one, market in state.markets.items():
        if words := market.closure.words(now_ns):
            yield f"{named[one]} {words}"


def _open_amount(order: OpenOrder) -> Decimal | None:
    """What is still open of it; None where the venue does not say."""
    if order.amount is None:
        return None
    return order.amount - (order.filled or Decimal(0))


def _delta(market: Market, amount: Decimal) -> float | None:
    instrument = market.instrument
    if not instrument.moves_with_coin:
        if not amount:
            return 0.0
        return market.delta * float(amount) if market.delta is not None else None
    if market.index is None:
        return None
    return float(instrument.coin(amount, to_decimal(market.index)))
