"""Methods of order entry: buy, sell, edit, cancel and their kin."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing, Side
from mmbot.sim.exchange.orders import OrderType, TimeInForce
from mmbot.sim.exchange.refusals import Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import WireError, bad_argument, invalid_params, order_not_found
from mmbot.sim.wire.deribit.filters import currency_if_given, currency_of, kinds_of
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.triggers import TriggerType, types_of
from mmbot.sim.wire.deribit.venue import DeribitVenue

LABEL_CHARS_MAX: Final = 64
SESSION_ORDERS_MAX: Final = 1_000  # ended orders are forgotten when a session has placed more

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("private/buy", matching=True)
def _buy(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return place(venue, session, params, Side.BUY)


@method("private/sell", matching=True)
def _sell(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return place(venue, session, params, Side.SELL)


def place(venue: DeribitVenue, session: Session, params: Params, side: Side) -> Json:
    """A new order of that side: the order, and the trades it made."""
    is_trigger = params.text_or("type", None) in _TRIGGER_TYPES
    _refuse_unsimulated(params, is_trigger=is_trigger)
    listing = venue.listing(params)
    venue.locks.check(session.owner, listing)
    amount = _amount(params, listing)
    if amount is None:
        raise invalid_params("amount or contracts is required", "amount")
    label = params.text_or("label", "") or ""
    if len(label) > LABEL_CHARS_MAX:
        raise bad_argument(f"must be at most {LABEL_CHARS_MAX} characters", "label")
    if is_trigger:
        waiting = venue.triggers.place(session.owner, listing, side, amount, params, label)
        if session.is_websocket:
            session.orders[waiting.order_id] = None
        return {"order": waiting.shaped(), "trades": []}
    wish = NewOrder(
        name=listing.name,
        side=side,
        amount=amount,
        price=params.decimal_or_none("price"),
        type=params.choice("type", OrderType, OrderType.LIMIT),
        time_in_force=params.choice("time_in_force", TimeInForce, TimeInForce.GTC),
        label=label,
        post_only=params.flag("post_only"),
        reject_post_only=params.flag("reject_post_only"),
        reduce_only=params.flag("reduce_only"),
        valid_until_ms=params.integer_or_none("valid_until"),
    )
    return _carry_out(venue, session, wish)


def _carry_out(venue: DeribitVenue, session: Session, wish: NewOrder) -> Json:
    venue.watch(wish.name)
    placed = venue.exchange.place(session.owner, wish, venue.now_ms())
    shaped = _placed(venue, placed)
    venue.expiries.count(session.owner, shaped["order"]["order_id"], wish.valid_until_ms)
    if shaped["order"]["order_state"] == "open" and session.is_websocket:
        session.orders[shaped["order"]["order_id"]] = None
        if len(session.orders) > SESSION_ORDERS_MAX:
            still_open = venue.exchange.orders
            session.orders = {one: None for one in session.orders if one in still_open}
    return shaped


@method("private/edit", matching=True)
def _edit(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return _edit_order(venue, session, params, params.text("order_id"))


@method("private/edit_by_label", matching=True)
def _edit_by_label(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    label = params.text("label")
    found = [
        order
        for order in venue.exchange.accounts[session.owner].open_orders.values()
        if order.label == label and order.name == name
    ]
    if not found:
        raise order_not_found()
    if len(found) > 1:
        raise WireError(13032, "non_unique_order_label")
    return _edit_order(venue, session, params, found[0].order_id)


def _edit_order(venue: DeribitVenue, session: Session, params: Params, order_id: str) -> Json:
    _refuse_unsimulated(params, is_trigger=False)
    known = venue.exchange.order(session.owner, order_id)
    if known is None:
        raise order_not_found()
    listing = venue.exchange.terms(known.name)  # it may have expired
    venue.locks.check(session.owner, listing)
    edit = Edit(
        order_id=order_id,
        amount=_amount(params, listing),
        price=params.decimal_or_none("price"),
        post_only=params.flag_or_none("post_only"),
        reject_post_only=params.flag_or_none("reject_post_only"),
        reduce_only=params.flag_or_none("reduce_only"),
        valid_until_ms=params.integer_or_none("valid_until"),
    )
    shaped = _placed(venue, venue.exchange.edit(session.owner, edit, venue.now_ms()))
    venue.expiries.count(session.owner, order_id, edit.valid_until_ms)
    return shaped


@method("private/cancel", matching=True)
def _cancel(venue: DeribitVenue, session: Session, params: Params) -> Json:
    order_id = params.text("order_id")
    waiting = venue.triggers.cancel(session.owner, order_id)
    if waiting is not None:
        return waiting.shaped()
    done = venue.exchange.cancel(session.owner, order_id, venue.now_ms())
    if isinstance(done, Refusal):
        raise WireError.from_refusal(done)
    shaped = venue.shaped(done)
    if not venue.rules.cancel_tells_filled:
        for name in _NOT_TOLD:
            shaped.pop(name, None)
    return shaped


@method("private/cancel_all", matching=True)
def _cancel_all(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(venue, session, params)


@method("private/cancel_all_by_instrument", matching=True)
def _cancel_all_by_instrument(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(venue, session, params, name=venue.listing(params).name)


@method("private/cancel_all_by_currency", matching=True)
def _cancel_all_by_currency(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(
        venue, session, params, settlement=currency_of(venue, params), kinds=kinds_of(params)
    )


@method("private/cancel_all_by_kind_or_type", matching=True)
def _cancel_all_by_kind(venue: DeribitVenue, session: Session, params: Params) -> int:
    return _cancel_matching(
        venue, session, params, settlement=currency_if_given(venue, params), kinds=kinds_of(params)
    )


@method("private/cancel_by_label", matching=True)
def _cancel_by_label(venue: DeribitVenue, session: Session, params: Params) -> int:
    label, currency = params.text("label"), currency_if_given(venue, params)
    cancelled = _count(
        venue.exchange.cancel_by_label(session.owner, label, venue.now_ms(), currency)
    )
    waiting = venue.triggers.waiting(session.owner, currency=currency, label=label)
    return cancelled + venue.triggers.cancel_each(waiting)


def _cancel_matching(
    venue: DeribitVenue,
    session: Session,
    params: Params,
    *,
    name: str | None = None,
    settlement: str | None = None,
    kinds: frozenset[Kind] | None = None,
) -> int:
    if params.flag("detailed"):
        raise invalid_params("detailed answers are not simulated", "detailed")
    resting, triggers = types_of(params)
    cancelled = 0
    if resting:
        cancelled = _count(
            venue.exchange.cancel_all(
                session.owner, venue.now_ms(), name=name, settlement=settlement, kinds=kinds
            )
        )
    waiting = venue.triggers.waiting(
        session.owner, triggers, name=name, currency=settlement, kinds=kinds
    )
    return cancelled + venue.triggers.cancel_each(waiting)


def _count(cancelled: int | Refusal) -> int:
    if isinstance(cancelled, Refusal):
        raise WireError.from_refusal(cancelled)
    return cancelled


@method("private/close_position", matching=True)
def _close_position(venue: DeribitVenue, session: Session, params: Params) -> Json:
    listing = venue.listing(params)
    venue.locks.check(session.owner, listing)
    name = listing.name
    size = venue.exchange.position(session.owner, name).size
    if not size:
        raise bad_argument("there is no position to close", "instrument_name")
    wish = NewOrder(
        name=name,
        side=Side.SELL if size > 0 else Side.BUY,
        amount=abs(size),
        price=params.decimal_or_none("price"),
        type=params.choice("type", OrderType, OrderType.LIMIT),
        reduce_only=True,
    )
    return _carry_out(venue, session, wish)


def _placed(venue: DeribitVenue, placed: Placed | Refusal) -> Json:
    if isinstance(placed, Refusal):
        raise WireError.from_refusal(placed)
    trades = [venue.user_trade(made) for made in placed.trades]
    return {"order": venue.shaped(placed.order), "trades": trades}


_NOT_TOLD: Final = ("amount", "average_price", "contracts", "filled_amount", "price")

_UNSIMULATED: Final = (
    "advanced",
    "display_amount",
    "linked_order_type",
    "max_show",
    "otoco_config",
)
_TRIGGER_TYPES: Final = frozenset(one.value for one in TriggerType)
_OF_TRIGGERS: Final = ("trigger", "trigger_price", "trigger_offset")


def _refuse_unsimulated(params: Params, *, is_trigger: bool) -> None:
    for name in _UNSIMULATED if is_trigger else (*_UNSIMULATED, *_OF_TRIGGERS):
        if params.raw.get(name) is not None:
            raise invalid_params("not simulated", name)
    if params.flag("mmp"):
        raise invalid_params("not simulated", "mmp")


def _amount(params: Params, listing: Listing) -> Decimal | None:
    amount = params.decimal_or_none("amount")
    contracts = params.decimal_or_none("contracts")
    if contracts is None:
        return amount
    by_contracts = contracts * listing.contract_size
    if amount is not None and amount != by_contracts:
        raise invalid_params("amount and contracts disagree", "contracts")
    return by_contracts
