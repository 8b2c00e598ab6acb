"""From the engine's state to what people read: status frames, the summary, the statistics line."""

from collections.abc import Iterator
from decimal import Decimal
from math import nan

from mmbot.core.books import Market, book_fault
from mmbot.core.contracts import Instrument
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.sizes import unit_of, unit_price
from mmbot.core.state import Account, State
from mmbot.core.statements import OpenOrder
from mmbot.core.types import (
    MS,
    SECOND,
    Kind,
    Level,
    Nanos,
    Quote,
    Side,
    instrument_name,
    to_decimal,
)
from mmbot.core.why import Why
from mmbot.engine import holdings
from mmbot.engine.held_back import held_back
from mmbot.engine.holdings import Index
from mmbot.engine.status import (
    Doing,
    Earned,
    ForeignOrder,
    InstrumentRow,
    OrderCounts,
    OrderToVolume,
    QuoteRow,
    StatusFrame,
    Summary,
)


def status_frame(
    state: State,
    mode: str,
    venue: str,
    now_ns: Nanos,
    ended: str = "",
    refresh_ns: Nanos = 0,
) -> StatusFrame:
    """The desk at this moment. `ended`: why the run is over; empty while it is not. `refresh_ns`:
    the desk's."""
    account = state.account(venue)
    budget = account.budget
    link, link_ok = _link(state, venue)
    index = holdings.indices(state)
    rows = tuple(_row(state, one, index, refresh_ns, now_ns) for one in state.markets.values())
    held = tuple(holdings.held_rows(account, index, now_ns))
    return StatusFrame(
        mode=mode,
        venue=venue,
        run_id=state.run,
        uptime_s=(now_ns - state.started_ns) / SECOND,
        link=link,
        link_ok=link_ok,
        budget=budget.level,
        budget_full=budget.burst,
        in_flight=len(budget.in_flight),
        deferred=budget.deferred,
        order_to_volume=_order_to_volume(state, account, now_ns),
        fills=_fills(state),
        pnl=holdings.profit(state, index, rows, held),
        rows=rows,
        held=held,
        doing=_doing(state),
        market_up=account.market_up,
        trading_up=account.trading_up,
        equity={name: held.equity for name, held in account.equity.items() if held.equity},
        equity_usd=holdings.equity_usd(account, index),
        foreign=tuple(
            ForeignOrder(
                instrument=instrument_name(order.instrument) if order.instrument else "?",
                side=order.side.value if order.side is not None else "?",
                price=order.price,
                amount=_open_amount(order),
                label=order.label or "",
                order_id=order.order_id,
            )
            for order in account.foreign.values()
        ),
        controls=_controls(state, now_ns),
        locks=tuple(_locks(state, account, now_ns)),
        unread=dict(account.unread),
        ended=ended,
        off_desk=holdings.off_desk(state, account, index),
        at_ns=now_ns,
        delta=holdings.exposures(state, account, rows + held),
        margin_use=holdings.margin_use(account),
        trip=_tripped(state) or "",
    )


def summary(
    state: State, mode: str, venue: str, now_ns: Nanos, open_orders: int | None, ended: str
) -> Summary:
    """The run in one object."""
    counts = state.orders.counts
    frame = status_frame(state, mode, venue, now_ns, ended)
    return Summary(
        mode=mode,
        venue=venue,
        run_id=state.run,
        instruments=tuple(m.instrument.name for m in state.markets.values()),
        orders=OrderCounts(
            placed=counts.placed,
            amended=counts.amended,
            cancelled=counts.cancelled,
            rejected=counts.rejected,
        ),
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
        ),
        delta_coin=frame.delta,
        pnl=frame.pnl,
        open_orders_after_stop=open_orders,
        duration_s=round((now_ns - state.started_ns) / SECOND, 3),
        ended=ended,
        tripped=_tripped(state),
    )


def _tripped(state: State) -> str | None:
    latch = state.latch
    if latch.tripped is None:
        return None
    return f"{latch.tripped.value}: {latch.detail}" if latch.detail else latch.tripped.value


def statistics_line(state: State, now_ns: Nanos) -> str:
    """What the log says every 30 seconds."""
    counts = state.orders.counts
    pnl = status_frame(state, "", next(iter(state.accounts), ""), now_ns).pnl
    fills = _fills(state)
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
    return (*said, *state.controls.texts(now_ns))


def _order_to_volume(state: State, account: Account, now_ns: Nanos) -> OrderToVolume:
    hour = account.order_to_volume.last_hour(now_ns)
    return OrderToVolume(
        messages=hour.messages,
        trades=hour.trades,
        volume_usd=hour.volume_usd,
        per_trade=hour.per_trade,
        per_1000_usd=hour.per_1000_usd,
        slowed=state.watch.slowed is Why.ORDER_TO_VOLUME,
    )


def _quoted_share(market: Market, now_ns: Nanos) -> dict[str, float]:
    until_ns = min(now_ns, market.instrument.expiry_ns or now_ns)
    shares = {side.value: market.uptime.share(side, until_ns) for side in Side}
    return {side: share for side, share in shares.items() if share is not None}


def _fills(state: State) -> int:
    return sum(state.inventory.session_fills(m.instrument) for m in state.markets.values())


def _link(state: State, venue: str) -> tuple[str, bool]:
    account = state.account(venue)
    if state.latch.tripped is not None:
        return f"KILL SWITCH: {state.latch.tripped.value}", False
    if state.stopping is not None:
        return "stopping", False
    if not account.trading_up or not account.market_up:
        return "down", False
    if not account.reconciled:
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
    state: State, market: Market, index: Index, refresh_ns: Nanos, now_ns: Nanos
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
        instrument=instrument.name,
        market_bid=_others(market, Side.BUY),
        market_ask=_others(market, Side.SELL),
        our_bid=bid.price if bid else None,
        our_bid_size=bid.remaining if bid else None,
        our_ask=ask.price if ask else None,
        our_ask_size=ask.remaining if ask else None,
        fair=market.quotes[0].fair if market.quotes else market.mark,
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
        pricer=market.pricer,
        quoted_share=_quoted_share(market, now_ns),
        reasons={side.value: market.why[side] for side in Side if side in market.why},
        worth_saying=_worth_saying(market),
        held_back=held_back(state, market, refresh_ns, now_ns),
        unit=unit_of(instrument),
        unit_usd=_unit_usd(market),
        min_amount=instrument.min_amount,
        amount_step=instrument.amount_step,
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


def _locks(state: State, account: Account, now_ns: Nanos) -> Iterator[str]:
    """What the venue does not let us trade at present."""
    for name in account.locks:
        yield f"{name or 'everything'} locked by the venue"
    if account.refused.reason(now_ns) is not None:
        yield f"no orders taken: {account.refused.detail}"
    for market in state.markets.values():
        if words := market.closure.words(now_ns):
            yield f"{market.instrument.name} {words}"


def _open_amount(order: OpenOrder) -> Decimal | None:
    """What is still open of it; None where the venue does not say."""
    if order.amount is None:
        return None
    return order.amount - (order.filled or Decimal(0))


def _delta(market: Market, amount: Decimal) -> float | None:
    instrument = market.instrument
    if instrument.kind is Kind.OPTION:
        if not amount:
            return 0.0
        return market.delta * float(amount) if market.delta is not None else None
    if market.index is None:
        return None
    return float(instrument.coin(amount, to_decimal(market.index)))
