"""Parameters that many methods share: currency, kind, and the page of a list of trades."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing
from mmbot.sim.wire.deribit.errors import invalid_params
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

COUNT_DEFAULT: Final = 10
COUNT_MAX: Final = 1_000


def trades_page(trades: Sequence[Json], params: Params) -> Json:
    """The answer to a query for trades: a page of `trades`, which come oldest first."""
    count = params.integer_or("count", COUNT_DEFAULT)
    if not 1 <= count <= COUNT_MAX:
        raise invalid_params(f"must be from 1 to {COUNT_MAX}", "count")
    start_ms = params.integer_or_none("start_timestamp")
    end_ms = params.integer_or_none("end_timestamp")
    trades = _between_ids(trades, params)
    start_seq = params.integer_or_none("start_seq")
    end_seq = params.integer_or_none("end_seq")
    chosen = [
        trade
        for trade in trades
        if (start_ms is None or trade["timestamp"] >= start_ms)
        and (end_ms is None or trade["timestamp"] <= end_ms)
        and (start_seq is None or trade["trade_seq"] >= start_seq)
        and (end_seq is None or trade["trade_seq"] <= end_seq)
    ]
    # Ascending gives the oldest that qualify; anything else the newest, newest first.
    if params.text_or("sorting", "default") != "asc":
        chosen.reverse()
    return {"trades": chosen[:count], "has_more": len(chosen) > count}


def _between_ids(trades: Sequence[Json], params: Params) -> Sequence[Json]:
    """From the trade of `start_id` to the one of `end_id`, both with it; ids of one currency."""
    start, end = (_number_of(params.text_or(name, None)) for name in ("start_id", "end_id"))
    if start is None and end is None:
        return trades
    return [
        trade
        for trade in trades
        if (number := _number_of(trade["trade_id"])) is not None
        and (start is None or number >= start)
        and (end is None or number <= end)
    ]


def _number_of(trade_id: str | None) -> int | None:
    """Trade ids count upward behind their currency: ETH-34066, 48470."""
    if trade_id is None:
        return None
    digits = trade_id.rpartition("-")[2]
    if not digits.isdigit():
        raise invalid_params("must be a trade id", "start_id")
    return int(digits)


def listings_of(venue: DeribitVenue, params: Params, *, is_open: bool = True) -> list[Listing]:
    """What is listed, or has expired, of the currency and kind asked for."""
    currency = currency_if_given(venue, params)
    kinds = kinds_of(params)
    exchange = venue.exchange
    listings: Iterable[Listing] = exchange.listings.values()
    if not is_open:
        listings = (one.listing for one in exchange.expired.values())
    return [
        one
        for one in listings
        if (currency is None or one.settlement == currency) and (kinds is None or one.kind in kinds)
    ]


def currency_of(venue: DeribitVenue, params: Params) -> str:
    """A required settlement currency."""
    currency = params.text("currency").upper()
    if currency not in venue.currencies():
        raise invalid_params("invalid currency", "currency")
    return currency


def currency_if_given(venue: DeribitVenue, params: Params) -> str | None:
    """A settlement currency; None for `any` and for none given."""
    if params.text_or("currency", "any") == "any":
        return None
    return currency_of(venue, params)


def kinds_of(params: Params) -> frozenset[Kind] | None:
    """The kinds of listing the venue's word stands for; None for `any` and for none given."""
    kind = params.text_or("kind", "any")
    if kind == "any":
        return None
    if kind == "option":
        return frozenset({Kind.OPTION})
    if kind == "future":
        return frozenset({Kind.PERPETUAL, Kind.FUTURE})
    if kind in ("spot", "combo", "future_combo", "option_combo"):
        return frozenset()
    raise invalid_params("must be one of any, future, option", "kind")
