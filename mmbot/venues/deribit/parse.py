"""The border: Deribit's messages become the core's values, or are refused, element by element.

Theory of operation
-------------------
Every message is read through its type in `messages.py`. One element that cannot be read is left out
and noted (`Unread`); its neighbors count. Of an element whose vital fields are right, a field that
is wrong is unknown (None) and noted too. Nothing is guessed: unknown is None, zero is a number, and
a number is finite. Where the venue's specification promises less than a decision needs, what can be
told from the instrument's own name is taken from there, and nothing else.

Pure: no clock, no socket, no log.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import OrderSeen, RequestRefused, TickerChanged, TradePrinted
from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.grid import Grid, TickStep
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import (
    Equity,
    Fill,
    Finality,
    Flow,
    FlowKind,
    HeldPosition,
    Liquidity,
    OpenOrder,
)
from mmbot.core.types import MS, ZERO, InstrumentId, Kind, Label, Nanos, Right, Side
from mmbot.core.why import Why
from mmbot.venues.deribit import messages
from mmbot.venues.deribit.errors import meaning_of
from mmbot.venues.meanings import OrderFate
from mmbot.venues.prints import PublicTrade
from mmbot.venues.reading import (
    Unread,
    Unreadable,
    exact,
    exact_or_none,
    fields_of,
    finite_or_none,
    instrument_id,
    read,
)

_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
_BESIDE_THE_BOOK: Final = ("block_trade_id", "block_rfq_id", "combo_trade_id", "combo_id")
"""What a public trade has that was agreed on beside the instrument's book, or made in another."""
_STATES: Final = {
    "open": OrderState.OPEN,
    "untriggered": OrderState.OPEN,
    "triggered": OrderState.OPEN,
    "filled": OrderState.FILLED,
    "cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
}
_FINALITY: Final = {"MATCHED": Finality.PROVISIONAL, "FAILED": Finality.VOIDED}
_LIQUIDITY: Final = {"M": Liquidity.MAKER, "T": Liquidity.TAKER}

FLOW_ROWS: Final = {
    "settlement": FlowKind.SETTLEMENT,
    "delivery": FlowKind.DELIVERY,
    "transfer": FlowKind.TRANSFER,
    "deposit": FlowKind.TRANSFER,
    "withdrawal": FlowKind.TRANSFER,
}
"""Rows of the transaction log that are not trades, and what they are to us."""

_FEES_UNSTATED: Final = {"option": Decimal("0.0003"), "future": Decimal("0.0005")}
"""Base schedule, as rates: what is counted with where a listing states no commission. They are the
most an account pays, so that no quote is closer than it should be."""

_FEE_CAP: Final = Decimal("0.125")
"""No fee is more than this share of what changes hands; only an option's comes near."""

_COIN_LADDER: Final = (TickStep(Decimal("0.005"), Decimal("0.0005")),)
"""Of options priced in coin, where a listing states no ladder: every price on it is also on the
finer grid, so that none is refused."""


# --- the market -------------------------------------------------------------------------------


def ticker_changed(
    instrument: Instrument, data: object, unread: Unread, now_ns: Nanos
) -> TickerChanged:
    """A ticker's reference values. What cannot be read of it is None."""
    try:
        stated = read(messages.Ticker, data, unread, "ticker")
    except Unreadable as error:
        unread.note("ticker", error)
        stated = messages.Ticker()
    mark = finite_or_none(stated.mark_price)
    if mark == 0 and not instrument.may_be_worthless:
        mark = None
    iv = finite_or_none(stated.mark_iv)
    return TickerChanged(
        instrument=instrument.id,
        mark=mark,
        index=finite_or_none(stated.index_price),
        forward=finite_or_none(stated.underlying_price),
        mark_iv=iv / 100.0 if iv is not None else None,
        delta=finite_or_none(stated.greeks.delta) if stated.greeks is not None else None,
        min_price=finite_or_none(stated.min_price),
        max_price=finite_or_none(stated.max_price),
        received_ns=now_ns,
        state=stated.state,
        best_bid=_best(stated.best_bid_price),
        best_ask=_best(stated.best_ask_price),
        bid_iv=_of_percent(stated.bid_iv),
        ask_iv=_of_percent(stated.ask_iv),
        current_funding=finite_or_none(stated.current_funding),
        funding_8h=finite_or_none(stated.funding_8h),
    )


def _best(price: float | None) -> float | None:
    """The venue writes 0 where there is none."""
    return finite_or_none(price) or None


def _of_percent(iv: float | None) -> float | None:
    """A quote's volatility; 0 stands for none, as of a bid below intrinsic value."""
    found = finite_or_none(iv)
    return found / 100.0 if found else None


def trade_printed(instrument: Instrument, data: object, unread: Unread) -> PublicTrade | None:
    """One public trade; None for one that was not made in the instrument's own book. Raises
    Unreadable."""
    fields = fields_of(data, "public trade")
    if any(fields.get(name) is not None for name in _BESIDE_THE_BOOK):
        return None
    row = read(messages.PublicTrade, data, unread, "public trade")
    side = _SIDES[row.direction]
    printed = TradePrinted(instrument.id, row.price, row.amount, side, row.timestamp)
    return PublicTrade(row.trade_id, printed)


def instrument_of(venue: str, data: object, unread: Unread) -> Instrument | None:
    """One entry of public/get_instruments; None for kinds mmbot does not trade. Raises
    Unreadable."""
    kind = fields_of(data, "listing").get("kind")
    if isinstance(kind, str) and kind not in ("option", "future"):
        return None
    row = read(messages.Listing, data, unread, "listing")
    name, prefix = row.instrument_name, row.instrument_name.partition("-")[0]
    raw = fields_of(data, "listing")
    for field_name in ("maker_commission", "taker_commission", "tick_size_steps", "option_type"):
        if raw.get(field_name) is not None and getattr(row, field_name) is None:
            raise Unreadable(f"{name}: {field_name} is {raw[field_name]!r}")
    settlement = row.settlement_currency or prefix.partition("_")[2] or row.base_currency
    inverse = settlement == row.base_currency
    if row.instrument_type is not None:
        inverse = row.instrument_type == "reversed"
    is_option = row.kind == "option"
    perpetual = row.settlement_period == "perpetual" or name.endswith("-PERPETUAL")
    unstated = _FEES_UNSTATED[row.kind]
    maker = exact_or_none(row.maker_commission)
    taker = exact_or_none(row.taker_commission)
    return Instrument(
        id=instrument_id(venue, name),
        venue=venue,
        name=name,
        symbol=_symbol(row, settlement, perpetual),
        kind=Kind.OPTION if is_option else Kind.PERPETUAL if perpetual else Kind.FUTURE,
        underlying=row.base_currency,
        settlement=settlement,
        inverse=inverse,
        contract_size=exact(row.contract_size),
        grid=Grid(
            min_amount=exact(row.min_trade_amount),
            amount_step=exact(row.min_trade_amount),
            tick=exact(row.tick_size),
            tick_steps=_ladder(row, in_coin=is_option and inverse),
        ),
        fees=Fees(
            basis=FeeBasis.INDEX if is_option else FeeBasis.NOTIONAL,
            maker=unstated if maker is None else maker,
            taker=unstated if taker is None else taker,
            cap=_FEE_CAP,
        ),
        strike=_strike(row) if is_option else None,
        right=_right(row) if is_option else None,
        expiry_ns=None if perpetual else row.expiration_timestamp * MS,
    )


def _ladder(row: messages.Listing, *, in_coin: bool) -> tuple[TickStep, ...]:
    stated = row.tick_size_steps
    if stated is None:
        return _COIN_LADDER if in_coin and row.tick_size < 0.0005 else ()
    steps = stated if isinstance(stated, list) else [stated]
    ladder = (TickStep(exact(step.above_price), exact(step.tick_size)) for step in steps)
    return tuple(sorted(ladder, key=lambda step: step.above))


def _strike(row: messages.Listing) -> Decimal:
    """Stated, or by the name: ETH-6JUN25-2800-C, XRP_USDC-6JUN25-2d2-C."""
    if row.strike is not None:
        return exact(row.strike)
    parts = row.instrument_name.split("-")
    text = parts[2].replace("d", ".") if len(parts) == 4 else ""
    if not text.replace(".", "", 1).isdigit() or not Decimal(text):
        raise Unreadable(f"{row.instrument_name}: an option without a strike")
    return Decimal(text)


def _right(row: messages.Listing) -> Right:
    if row.option_type is not None:
        return Right(row.option_type)
    right = {"C": Right.CALL, "P": Right.PUT}.get(row.instrument_name.rpartition("-")[2])
    if right is None:
        raise Unreadable(f"{row.instrument_name}: neither a call nor a put")
    return right


def _symbol(row: messages.Listing, settlement: str, perpetual: bool) -> str:
    """ccxt's name for it: BASE/QUOTE:SETTLE, -yymmdd if it ends, -strike-C or P of an option."""
    quote = row.counter_currency
    if quote is None:
        quote = "USD" if settlement == row.base_currency else settlement
    symbol = f"{row.base_currency}/{quote}:{settlement}"
    if perpetual:
        return symbol
    symbol += f"-{datetime.fromtimestamp(row.expiration_timestamp / 1000, UTC):%y%m%d}"
    if row.kind != "option":
        return symbol
    strike = _strike(row)
    plain = f"{strike:f}".rstrip("0").rstrip(".") if strike % 1 else f"{strike:.0f}"
    return f"{symbol}-{plain}-{'C' if _right(row) is Right.CALL else 'P'}"


# --- orders -----------------------------------------------------------------------------------


def seen_of(venue: str, data: object, answers: Request | None, unread: Unread) -> OrderSeen:
    """The venue's statement about one order. Raises Unreadable where it says neither which order
    nor what state it is in."""
    order = read(messages.Order, data, unread, "order")
    state = _STATES.get(order.order_state or "")
    if state is None or order.last_update_timestamp is None:
        raise Unreadable(f"order {order.order_id}: state {order.order_state!r}")
    return OrderSeen(
        venue=venue,
        label=Label(order.label) if order.label else None,
        order_id=order.order_id,
        instrument=_id_or_none(venue, order.instrument_name),
        side=_SIDES[order.direction] if order.direction else None,
        price=_price(order),
        amount=exact_or_none(order.amount),
        filled=exact_or_none(order.filled_amount),
        state=state,
        venue_ms=order.last_update_timestamp,
        answers=answers,
        created_ms=order.creation_timestamp,
    )


def open_order_of(venue: str, data: object, unread: Unread) -> OpenOrder:
    """One entry of private/get_open_orders. Raises Unreadable where it does not even tell which
    order it is (`order_id`, or a label)."""
    raw = fields_of(data, "order")
    label = raw.get("label")
    label = label if isinstance(label, str) and label else None
    try:
        order = read(messages.Order, data, unread, "order")
    except Unreadable:
        if label is None:
            raise
        unread.note("order", f"{label}: no order_id")
        return OpenOrder("", Label(label), None, None, None, None, None)
    return OpenOrder(
        order_id=order.order_id,
        label=Label(label) if label is not None else None,
        instrument=_id_or_none(venue, order.instrument_name),
        side=_SIDES[order.direction] if order.direction else None,
        price=_price(order),
        amount=exact_or_none(order.amount),
        filled=exact_or_none(order.filled_amount),
        venue_ms=order.last_update_timestamp or 0,
        created_ms=order.creation_timestamp,
    )


def _id_or_none(venue: str, name: str | None) -> InstrumentId | None:
    return instrument_id(venue, name) if name else None


def _price(order: messages.Order) -> Decimal | None:
    """Market and trigger orders state a word, or none."""
    return None if isinstance(order.price, str) else exact_or_none(order.price)


def refusal_of(
    code: int, data: object, detail: str, label: Label, request: Request
) -> RequestRefused:
    """An error answer to an order request.

    A refused place left nothing behind. A refused amend or cancel left the order as it was, unless
    the code says that it is gone, or the amend met the book: Deribit then may have cancelled it
    (cancel_reason edit_post_only_reject).
    """
    meaning = meaning_of(code, data)
    stands = True if meaning.fate is OrderFate.STANDS else None
    if request is Request.PLACE:
        stands = False
    elif meaning.scope is ErrorScope.INSTRUMENT:
        stands = None  # a closed book may have taken the order with it
    why = _WHY_BY_FATE.get(meaning.fate) or _WHY_BY_SCOPE.get(meaning.scope, Why.REFUSED)
    if not meaning.name:  # a code nobody has heard of
        why = Why.REFUSED
    return RequestRefused(label, request, why, detail, stands, meaning.scope)


_WHY_BY_FATE: Final = {OrderFate.CROSSED: Why.CROSSED_BOOK, OrderFate.GONE: Why.ABSENT}
_WHY_BY_SCOPE: Final = {
    ErrorScope.REQUEST: Why.VENUE_BUSY,
    ErrorScope.SIDE: Why.NO_FUNDS,
    ErrorScope.INSTRUMENT: Why.CLOSED,
    ErrorScope.PLATFORM: Why.LOCKED,
    ErrorScope.SESSION: Why.LINK_DOWN,
    ErrorScope.ACCOUNT: Why.BLOCKED,
}


# --- money ------------------------------------------------------------------------------------


def fill_of(venue: str, data: object, unread: Unread) -> Fill:
    """One user trade. The fee is positive when paid, in the venue's own currency for it. Raises
    Unreadable."""
    trade = read(messages.UserTrade, data, unread, "trade")
    if not trade.price and trade.instrument_name[-2:] not in ("-C", "-P"):
        raise Unreadable(f"trade {trade.trade_id}: a price of 0 is no price there")
    return Fill(
        trade_id=str(trade.trade_id),
        instrument=instrument_id(venue, trade.instrument_name),
        side=_SIDES[trade.direction],
        price=exact(trade.price),
        amount=exact(trade.amount),
        fee=exact(trade.fee),
        fee_currency=trade.fee_currency,
        liquidity=_LIQUIDITY.get(trade.liquidity or ""),
        order_id=trade.order_id or "",
        label=Label(trade.label) if trade.label else None,
        venue_ms=trade.timestamp,
        mark=exact_or_none(trade.mark_price),
        index=exact_or_none(trade.index_price),
        finality=_FINALITY.get(trade.status or "", Finality.FINAL),
        stated_ms=trade.status_timestamp or 0,
    )


def position_of(venue: str, data: object, terms: Instrument | None, unread: Unread) -> HeldPosition:
    """One entry of private/get_positions. `terms`: of an instrument that is not followed. Raises
    Unreadable where it does not tell of which instrument it is."""
    held = read(messages.Position, data, unread, "position")
    return HeldPosition(
        instrument=instrument_id(venue, held.instrument_name),
        amount=exact_or_none(held.size),
        mark=exact_or_none(held.mark_price),
        funding=exact_or_none(held.realized_funding) or ZERO,
        terms=terms,
        average=_price_or_none(held.average_price),
        index=_price_or_none(held.index_price),
        delta=_loose(held.delta),
    )


def _loose(value: float | str | None) -> float | None:
    """A finite number that nothing hangs on, or its text; None where it is neither."""
    try:
        return finite_or_none(None if value is None else float(value))
    except ValueError:
        return None


def _price_or_none(value: float | str | None) -> Decimal | None:
    number = _loose(value)
    return exact(number) if number is not None and number > 0 else None


def equity_of(data: object, unread: Unread) -> Equity:
    """One currency of private/get_account_summaries. Raises Unreadable.

    With cross margin, `equity` and both margins are the whole portfolio's, converted; where such a
    row lacks its margin balance, the two are the portfolio's in USD.
    """
    stated = read(messages.Summary, data, unread, "account")
    cross = bool(stated.cross_collateral_enabled or "cross" in (stated.margin_model or ""))
    need, has = stated.maintenance_margin, stated.margin_balance
    if cross and has is None:
        need, has = stated.total_maintenance_margin_usd, stated.total_margin_balance_usd
    return Equity(
        currency=stated.currency,
        equity=exact(stated.equity),
        balance=exact(stated.balance),
        maintenance_margin=exact_or_none(need),
        margin_balance=exact_or_none(has),
        cross=cross,
    )


def flows_of(data: object, instruments: Mapping[str, Instrument], unread: Unread) -> Iterator[Flow]:
    """What a row of the transaction log moved of ours without a trade; a session's end is two:
    profit and funding. Nothing for a trade, or a kind of row nobody has heard of. Raises
    Unreadable."""
    kind = FLOW_ROWS.get(str(fields_of(data, "log row").get("type")))
    if kind is None:
        return
    row = read(messages.LogRow, data, unread, "log row")
    instrument = instruments.get(row.instrument_name) if row.instrument_name else None
    if kind is not FlowKind.TRANSFER and instrument is None:
        return  # not one that we trade
    needed = {FlowKind.DELIVERY: "commission", FlowKind.SETTLEMENT: "interest_pl"}.get(kind)
    if needed is not None:
        stated = fields_of(data, "log row").get(needed)
        if stated is not None and exact_or_none(getattr(row, needed)) is None:
            raise Unreadable(f"log row {row.id}: {needed} is {stated!r:.80}")
    money, price = exact(row.change), None
    index = exact_or_none(row.index_price)
    if kind is FlowKind.DELIVERY:
        assert instrument is not None
        if index is None:
            raise Unreadable(f"log row {row.id}: a delivery without the price of the index")
        price = instrument.payoff(index)
    flow = Flow(
        ref=str(row.id),
        kind=kind,
        instrument=instrument.id if instrument is not None else None,
        currency=row.currency,
        money=money,
        venue_ms=row.timestamp,
        price=price,
        # Null is what the venue states where it charges none.
        fee=(exact_or_none(row.commission) or ZERO) if kind is FlowKind.DELIVERY else ZERO,
        index=index,
    )
    if kind is not FlowKind.SETTLEMENT:
        yield flow
        return
    funding = exact_or_none(row.interest_pl) or ZERO
    if funding:
        yield replace(flow, kind=FlowKind.FUNDING, money=funding)
    if money != funding:
        yield replace(flow, money=money - funding)


# --- the platform -----------------------------------------------------------------------------


def news_of(data: object, unread: Unread) -> messages.ListingNews:
    """instrument.state. Raises Unreadable."""
    return read(messages.ListingNews, data, unread, "listing news")


def lock_of(data: object, unread: Unread) -> tuple[str, bool]:
    """platform_state and user.lock: (what is locked, in the words of `core.closures`; whether).
    Raises Unreadable."""
    said = read(messages.PlatformLock, data, unread, "platform news")
    name = said.price_index or said.currency or ""
    return ("" if name.upper() in ("ALL", "ANY") else name), said.locked


def locks_of(data: object, unread: Unread) -> list[str]:
    """public/status: everything that is locked at present; an empty name is everything. Raises
    Unreadable."""
    said = read(messages.Status, data, unread, "platform status")
    if said.locked in (True, "true"):
        return [""]
    if said.locked in (False, "false"):
        return []
    return [*(said.locked_indices or ()), *(said.locked_currencies or ())]
