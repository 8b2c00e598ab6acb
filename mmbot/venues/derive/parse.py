"""The border: Derive's messages become the core's values, or are refused, element by element.

Theory of operation
-------------------
What cannot be read is left out and noted, as `mmbot/venues/reading.py` says. A book is one element:
without one of its levels it would say something else. Everything is in USDC, and the venue's
decimals are taken digit for digit.

Equity is what the venue says the subaccount is worth. Its `maintenance_margin` is what is left
above the requirement, so what the positions need is minus `positions_maintenance_margin`, and that
is compared with what is left plus that need: below it the venue liquidates. A position's delta is
stated for one unit.

Pure: no clock, no socket, no log. `venue` is our name for the venue.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from mmbot.core.contracts import Instrument
from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import (
    OrderSeen,
    RequestRefused,
    TickerChanged,
    TradePrinted,
)
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import Equity, Fill, HeldPosition, Liquidity, OpenOrder
from mmbot.core.types import ZERO, InstrumentId, Label, Level, Nanos, Side
from mmbot.core.why import Why
from mmbot.venues.derive import messages
from mmbot.venues.derive.errors import RATE_LIMIT, meaning_of
from mmbot.venues.derive.names import SETTLEMENT, is_option
from mmbot.venues.meanings import OrderFate
from mmbot.venues.prints import PublicTrade
from mmbot.venues.reading import Unread, Unreadable, each, fields_of, instrument_id, read

FUNDING_HOURS: Final = 8
"""The hours for which the core states funding; the venue's is for one."""

_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
_STATES: Final = {
    "open": OrderState.OPEN,
    "untriggered": OrderState.OPEN,
    "algo_active": OrderState.OPEN,
    "filled": OrderState.FILLED,
    "cancelled": OrderState.CANCELLED,
    "expired": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
}
_LIQUIDITY: Final = {"maker": Liquidity.MAKER, "taker": Liquidity.TAKER}
_UNPLACED: Final = ("untriggered", "algo_active")
_PLAIN_TYPES: Final = ("limit", None)
"""Of orders whose `limit_price` is the price they rest at, once they are placed."""


# --- the market -------------------------------------------------------------------------------


def ticker_changed(
    instrument: Instrument, data: object, unread: Unread, now_ns: Nanos
) -> TickerChanged:
    """ticker_slim: reference values, without the instrument's name. What cannot be read is None."""
    try:
        raw = fields_of(data, "ticker").get("instrument_ticker", data)
        stated = read(messages.SlimTicker, raw, unread, "ticker")
    except Unreadable as error:
        unread.note("ticker", error)
        stated = messages.SlimTicker()
    option = stated.option_pricing or messages.OptionPricing()
    return TickerChanged(
        instrument=instrument.id,
        mark=_price(stated.mark, may_be_zero=instrument.may_be_worthless),
        index=_price(stated.index),
        forward=_price(option.forward),
        mark_iv=_price(option.iv),
        delta=None if option.delta is None else float(option.delta),
        min_price=_price(stated.min_price, may_be_zero=True),
        max_price=_price(stated.max_price),
        received_ns=now_ns,
        best_bid=_price(stated.best_bid),
        best_ask=_price(stated.best_ask),
        bid_iv=_price(option.bid_iv),
        ask_iv=_price(option.ask_iv),
        current_funding=None if stated.funding is None else float(stated.funding) * FUNDING_HOURS,
    )


def trade_printed(instrument: Instrument, data: object, unread: Unread) -> PublicTrade | None:
    """One public trade; None for one that was not made in the instrument's book. Raises
    Unreadable."""
    if fields_of(data, "public trade").get("rfq_id") is not None:
        return None
    row = read(messages.PublicTrade, data, unread, "public trade")
    price, amount = float(row.trade_price), float(row.trade_amount)
    if price < 0 or amount <= 0:
        raise Unreadable(f"a public trade of {row.trade_amount} @ {row.trade_price}")
    side = _SIDES[row.direction]
    return PublicTrade(
        row.trade_id, TradePrinted(instrument.id, price, amount, side, row.timestamp)
    )


def _price(value: Decimal | None, *, may_be_zero: bool = False) -> float | None:
    """A model's number; None where it is none, as the venue writes 0 for what it lacks."""
    if value is None or value < 0 or (value == 0 and not may_be_zero):
        return None
    return float(value)


def level_of(row: Any) -> Level:
    """One level of a book: [price, amount], or an object of both. Raises Unreadable."""
    try:
        if isinstance(row, Mapping):
            price, amount = float(row["price"]), float(row["amount"])
        elif isinstance(row, str):
            raise TypeError
        else:
            price, amount = float(row[0]), float(row[1])
    except (LookupError, TypeError, ValueError) as error:
        raise Unreadable(f"book: level {row!r:.60}") from error
    if not (isfinite(price) and isfinite(amount) and price > 0 and amount >= 0):
        raise Unreadable(f"book: level {row!r:.60}")
    return price, amount


# --- orders -----------------------------------------------------------------------------------


def seen_of(venue: str, data: object, answers: Request | None, unread: Unread) -> OrderSeen:
    """The venue's statement about one order. Raises Unreadable where it says neither which order
    nor what state it is in."""
    order = read(messages.Order, data, unread, "order")
    state = _STATES.get(order.order_status or "")
    if state is None or order.last_update_timestamp is None:
        raise Unreadable(f"order {order.order_id}: state {order.order_status!r}")
    return OrderSeen(
        venue=venue,
        label=Label(order.label) if order.label else None,
        order_id=order.order_id,
        instrument=_id_or_none(venue, order),
        side=_SIDES[order.direction] if order.direction else None,
        price=_order_price(order),
        amount=_amount(order.amount, least=True),
        filled=_amount(order.filled_amount),
        state=state,
        venue_ms=order.last_update_timestamp,
        answers=answers,
        created_ms=order.creation_timestamp,
    )


def open_order_of(venue: str, data: object, unread: Unread) -> OpenOrder:
    """One entry of private/get_open_orders. Raises Unreadable where it does not even tell which
    order it is (`order_id`, or a label)."""
    label = fields_of(data, "order").get("label")
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
        instrument=_id_or_none(venue, order),
        side=_SIDES[order.direction] if order.direction else None,
        price=_order_price(order),
        amount=_amount(order.amount, least=True),
        filled=_amount(order.filled_amount),
        venue_ms=order.last_update_timestamp or 0,
        created_ms=order.creation_timestamp,
    )


def _id_or_none(venue: str, order: messages.Order) -> InstrumentId | None:
    return instrument_id(venue, order.instrument_name) if order.instrument_name else None


def _order_price(order: messages.Order) -> Decimal | None:
    """Where it rests; market orders and those that wait for something do not."""
    rests = order.order_type in _PLAIN_TYPES and order.order_status not in _UNPLACED
    price = order.limit_price
    return price if rests and price is not None and price > 0 else None


def _amount(value: Decimal | None, *, least: bool = False) -> Decimal | None:
    return None if value is None or value < 0 or (least and value == 0) else value


# --- answers ----------------------------------------------------------------------------------


def refusal_of(
    code: int, data: object, detail: str, label: Label, request: Request
) -> RequestRefused:
    """An error answer to an order request.

    A refused place left nothing behind, unless the venue itself does not know; a refused replace
    created nothing. The order that was to end, by a cancel or a replace, is as it was unless the
    code says otherwise.
    """
    meaning = meaning_of(code, data)
    stands = True if meaning.fate is OrderFate.STANDS else None
    if request is Request.PLACE:
        stands = None if meaning.fate is OrderFate.OPEN else False
    elif meaning.scope is ErrorScope.INSTRUMENT:
        stands = None  # a closed book, or a protection that fired, may have taken the order with it
    why = _WHY_BY_FATE.get(meaning.fate) or _WHY_BY_SCOPE.get(meaning.scope, Why.REFUSED)
    if code == RATE_LIMIT:
        why = Why.RATE_LIMITED
    if not meaning.name:  # a code nobody has heard of
        why = Why.REFUSED
    return RequestRefused(label, request, why, detail, stands, meaning.scope)


_WHY_BY_FATE: Final = {OrderFate.CROSSED: Why.CROSSED_BOOK, OrderFate.GONE: Why.ABSENT}
_WHY_BY_SCOPE: Final = {
    ErrorScope.REQUEST: Why.VENUE_BUSY,
    ErrorScope.SIDE: Why.NO_FUNDS,
    ErrorScope.INSTRUMENT: Why.CLOSED,
    ErrorScope.SESSION: Why.LINK_DOWN,
    ErrorScope.ACCOUNT: Why.BLOCKED,
}


# --- money ------------------------------------------------------------------------------------


def fill_of(venue: str, data: object, unread: Unread) -> Fill:
    """One user trade. The fee is positive when paid. Raises Unreadable.

    What a batch on the chain comes to later does not undo it: `batch_status` is no end of a trade.
    """
    trade = read(messages.UserTrade, data, unread, "trade")
    if trade.trade_amount <= 0 or trade.trade_price < 0:
        raise Unreadable(f"trade {trade.trade_id}: {trade.trade_amount} at {trade.trade_price}")
    if not trade.trade_price and not is_option(trade.instrument_name):
        raise Unreadable(f"trade {trade.trade_id}: a price of 0 is no price there")
    return Fill(
        trade_id=trade.trade_id,
        instrument=instrument_id(venue, trade.instrument_name),
        side=_SIDES[trade.direction],
        price=trade.trade_price,
        amount=trade.trade_amount,
        fee=trade.trade_fee,
        fee_currency=SETTLEMENT,
        liquidity=_LIQUIDITY.get(trade.liquidity_role or ""),
        order_id=trade.order_id or "",
        label=Label(trade.label) if trade.label else None,
        venue_ms=trade.timestamp,
        mark=_positive(trade.mark_price, or_zero=is_option(trade.instrument_name)),
        index=_positive(trade.index_price),
    )


def position_of(venue: str, data: object, terms: Instrument | None, unread: Unread) -> HeldPosition:
    """One entry of private/get_positions. `terms`: of an instrument that is not followed. Raises
    Unreadable where it does not tell of which instrument it is."""
    held = read(messages.Position, data, unread, "position")
    average = held.average_price_excl_fees
    delta = None
    if held.delta is not None and held.amount is not None:
        delta = float(held.delta * held.amount)
    return HeldPosition(
        instrument=instrument_id(venue, held.instrument_name),
        amount=held.amount,
        mark=_positive(held.mark_price, or_zero=is_option(held.instrument_name)),
        funding=held.pending_funding or ZERO,
        terms=terms,
        average=_positive(held.average_price if average is None else average),
        index=_positive(held.index_price),
        delta=delta,
    )


def equity_of(data: object, unread: Unread) -> Equity:
    """private/get_subaccount: the account's one statement, in USDC. The balance is the USDC that is
    held; other collateral counts in the equity alone. Raises Unreadable."""
    stated = read(messages.Subaccount, data, unread, "account")
    if stated.failed_to_fetch:
        raise Unreadable("account: the venue could not load it")
    need = has = None
    if stated.maintenance_margin is not None and stated.positions_maintenance_margin is not None:
        need = max(ZERO, -stated.positions_maintenance_margin)
        has = stated.maintenance_margin + need
    return Equity(
        currency=SETTLEMENT,
        equity=stated.subaccount_value,
        balance=_cash(stated, unread),
        maintenance_margin=need,
        margin_balance=has,
    )


def _cash(stated: messages.Subaccount, unread: Unread) -> Decimal:
    rows, unreadable = each(
        stated.collaterals, lambda row: read(messages.Collateral, row, unread, "collateral"),
        unread, "collateral",
    )  # fmt: skip
    cash = [row.amount for row in rows if row.asset_name == SETTLEMENT]
    if unreadable and not cash:
        raise Unreadable("account: its USDC cannot be read")
    return sum(cash, ZERO)


def _positive(value: Decimal | None, *, or_zero: bool = False) -> Decimal | None:
    return None if value is None or value < 0 or (value == 0 and not or_zero) else value


# --- the connection ---------------------------------------------------------------------------


def refused_channels(data: object, channels: Iterable[str], unread: Unread) -> dict[str, str]:
    """Of the answer to subscribe: the channels that are not subscribed, with the venue's reason.
    Raises Unreadable."""
    said = read(messages.Subscribed, data, unread, "subscription")
    stated = {channel: said.status.get(channel, "not answered") for channel in channels}
    return {channel: str(told)[:200] for channel, told in stated.items() if told != "ok"}
