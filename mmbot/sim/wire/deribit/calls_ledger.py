"""Methods about money that has moved: the transaction log and the settlements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from mmbot.sim.exchange.ledger import Entry, EntryType, Settlement
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import invalid_params
from mmbot.sim.wire.deribit.filters import COUNT_MAX, currency_of
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

LOG_COUNT: Final = 100
SETTLEMENTS_COUNT: Final = 20

RowT = TypeVar("RowT")

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("private/get_transaction_log")
def _get_transaction_log(venue: DeribitVenue, session: Session, params: Params) -> Json:
    """Newest first; `continuation` is the id of the first entry of the next page."""
    currency = currency_of(venue, params)
    start_ms = _required(params, "start_timestamp")
    end_ms = _required(params, "end_timestamp")
    query = params.text_or("query", None)
    first = params.integer_or_none("continuation")
    chosen = [
        entry
        for entry in reversed(venue.exchange.accounts[session.owner].log)
        if entry.currency == currency
        and start_ms <= entry.time_ms <= end_ms
        and (first is None or entry.id <= first)
        and (query is None or _matches(entry, query))
    ]
    page, rest = _page(chosen, params, LOG_COUNT)
    return {
        "logs": [
            shapes.log_entry(
                entry, session.owner, venue.exchange.terms(entry.name) if entry.name else None
            )
            for entry in page
        ],
        "continuation": rest[0].id if rest else None,
    }


def _matches(entry: Entry, query: str) -> bool:
    """The venue's keywords: a type, an instrument, maker or taker, open, close, buy or sell."""
    role = {True: "maker", False: "taker", None: ""}[entry.is_maker]
    return query in (entry.type.value, entry.name, role, entry.side, *entry.side.split())


@method("private/get_settlement_history_by_instrument")
def _get_settlements_by_instrument(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.terms(params).name
    own = venue.exchange.accounts[session.owner].settlements
    return _settlements((one for one in own if one.name == name), params)


@method("private/get_settlement_history_by_currency")
def _get_settlements_by_currency(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    own = venue.exchange.accounts[session.owner].settlements
    return _settlements((one for one in own if one.currency == currency), params)


def _settlements(own: Iterable[Settlement], params: Params) -> Json:
    """Newest first; `continuation` is where the next page begins, counted from the oldest."""
    kind = params.text_or("type", None)
    if kind not in (None, EntryType.SETTLEMENT.value, EntryType.DELIVERY.value, "bankruptcy"):
        raise invalid_params("must be one of settlement, delivery, bankruptcy", "type")
    latest_ms = params.integer_or_none("search_start_timestamp")
    chosen = [
        one
        for one in own
        if (kind is None or one.type.value == kind)
        and (latest_ms is None or one.time_ms <= latest_ms)
    ]
    first = params.integer_or("continuation", len(chosen))
    chosen = chosen[:first][::-1]
    page, rest = _page(chosen, params, SETTLEMENTS_COUNT)
    return {
        "settlements": [shapes.settlement(one) for one in page],
        "continuation": str(len(rest)) if rest else None,
    }


def _page(rows: list[RowT], params: Params, default: int) -> tuple[list[RowT], list[RowT]]:
    """What is asked for of `rows`, and what is left."""
    count = params.integer_or("count", default)
    if not 1 <= count <= COUNT_MAX:
        raise invalid_params(f"must be from 1 to {COUNT_MAX}", "count")
    return rows[:count], rows[count:]


def _required(params: Params, name: str) -> int:
    found = params.integer_or_none(name)
    if found is None:
        raise invalid_params("value required", name)
    return found
