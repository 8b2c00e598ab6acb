"""Methods about the account: balances, positions, orders and trades."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mmbot.sim.exchange.orders import Order
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import order_not_found
from mmbot.sim.wire.deribit.filters import currency_if_given, currency_of, kinds_of, trades_page
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.triggers import types_of
from mmbot.sim.wire.deribit.venue import DeribitVenue

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("private/get_account_summary")
def _get_account_summary(venue: DeribitVenue, session: Session, params: Params) -> Json:
    summary = venue.summary_of(session.owner, currency_of(venue, params))
    return summary | _owner(venue, session, params)


@method("private/get_account_summaries")
def _get_account_summaries(venue: DeribitVenue, session: Session, params: Params) -> Json:
    summaries = [venue.summary_of(session.owner, one) for one in venue.currencies()]
    return {**_owner(venue, session, params), "summaries": summaries}


def _owner(venue: DeribitVenue, session: Session, params: Params) -> Json:
    """Whose account it is, for who asks with `extended`."""
    if not params.flag("extended"):
        return {}
    return shapes.account_owner(venue.exchange.accounts[session.owner])


@method("private/get_positions")
def _get_positions(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    currency = currency_if_given(venue, params)
    kinds = kinds_of(params)
    return [
        _position(venue, session, name)
        for name, held in venue.exchange.accounts[session.owner].positions.items()
        if (currency is None or held.listing.settlement == currency)
        and (kinds is None or held.listing.kind in kinds)
    ]


@method("private/get_position")
def _get_position(venue: DeribitVenue, session: Session, params: Params) -> Json:
    return _position(venue, session, venue.terms(params).name)


def _position(venue: DeribitVenue, session: Session, name: str) -> Json:
    margin = venue.exchange.open_orders_margin(session.owner, name)
    return {**venue.position_of(session.owner, name), "open_orders_margin": margin}


@method("private/get_open_orders")
def _get_open_orders(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    return _open_orders(venue, session, params)


@method("private/get_open_orders_by_currency")
def _get_open_orders_by_currency(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _open_orders(venue, session, params, currency=currency_of(venue, params))


@method("private/get_open_orders_by_instrument")
def _get_open_orders_by_instrument(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    name = venue.known_name(params, is_open=True)
    return _open_orders(venue, session, params, name=name)


@method("private/get_open_orders_by_label")
def _get_open_orders_by_label(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    label = params.text_or("label", None)
    return _open_orders(venue, session, params, currency=currency_of(venue, params), label=label)


def _open_orders(
    venue: DeribitVenue,
    session: Session,
    params: Params,
    *,
    name: str | None = None,
    currency: str | None = None,
    label: str | None = None,
) -> list[Json]:
    kinds = kinds_of(params)
    resting, triggers = types_of(params)
    waiting = venue.triggers.waiting(
        session.owner, triggers, name=name, currency=currency, kinds=kinds, label=label
    )
    return [
        venue.shaped(order)
        for order in venue.exchange.accounts[session.owner].open_orders.values()
        if resting
        and (name is None or order.name == name)
        and (label is None or order.label == label)
        and (currency is None or venue.exchange.listings[order.name].settlement == currency)
        and (kinds is None or venue.exchange.listings[order.name].kind in kinds)
    ] + [order.shaped() for order in waiting]


@method("private/get_order_state")
def _get_order_state(venue: DeribitVenue, session: Session, params: Params) -> Json:
    order_id = params.text("order_id")
    waiting = venue.triggers.find(session.owner, order_id)
    if waiting is not None:
        return waiting.shaped()
    found = venue.exchange.order(session.owner, order_id)
    if found is None:
        raise order_not_found()
    return venue.shaped(found)


@method("private/get_order_state_by_label")
def _get_order_state_by_label(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    label = params.text("label")
    currency = currency_of(venue, params)
    return [
        venue.shaped(order)
        for order in _known_orders(venue, session)
        if order.label == label and venue.exchange.terms(order.name).settlement == currency
    ] + [
        order.shaped()
        for order in venue.triggers.waiting(session.owner, currency=currency, label=label)
    ]


@method("private/get_order_history_by_currency")
def _get_order_history_by_currency(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _order_history(venue, session, params, currency=currency_of(venue, params))


@method("private/get_order_history_by_instrument")
def _get_order_history_by_instrument(
    venue: DeribitVenue, session: Session, params: Params
) -> list[Json]:
    return _order_history(venue, session, params, name=venue.known_name(params))


def _order_history(
    venue: DeribitVenue,
    session: Session,
    params: Params,
    *,
    name: str | None = None,
    currency: str | None = None,
) -> list[Json]:
    unfilled = params.flag("include_unfilled")
    closed = venue.exchange.accounts[session.owner].closed_orders.values()
    chosen = [
        order
        for order in closed
        if (name is None or order.name == name)
        and (currency is None or venue.exchange.terms(order.name).settlement == currency)
        and (unfilled or order.filled)
    ]
    chosen.reverse()
    count = params.integer_or("count", 20)
    offset = params.integer_or("offset", 0)
    return [venue.shaped(order) for order in chosen[offset : offset + count]]


@method("private/get_user_trades_by_instrument", "private/get_user_trades_by_instrument_and_time")
def _get_user_trades_by_instrument(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.known_name(params)
    own = [one for one in venue.user_trades(session.owner) if one["instrument_name"] == name]
    return trades_page(own, params)


@method("private/get_user_trades_by_currency", "private/get_user_trades_by_currency_and_time")
def _get_user_trades_by_currency(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    kinds = kinds_of(params)
    own = []
    for one in venue.user_trades(session.owner):
        listing = venue.exchange.terms(one["instrument_name"])
        if listing.settlement == currency and (kinds is None or listing.kind in kinds):
            own.append(one)
    return trades_page(own, params)


@method("private/get_user_trades_by_order")
def _get_user_trades_by_order(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    order_id = params.text("order_id")
    own = [one for one in venue.user_trades(session.owner) if one["order_id"] == order_id]
    return own if params.text_or("sorting", "default") == "asc" else own[::-1]


def _known_orders(venue: DeribitVenue, session: Session) -> Iterable[Order]:
    account = venue.exchange.accounts[session.owner]
    yield from account.open_orders.values()
    yield from account.closed_orders.values()
