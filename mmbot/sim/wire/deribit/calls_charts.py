"""Methods of public history: candles, trades of a currency, volatility, index names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev
from typing import Final

from mmbot.sim.exchange.listing import Kind
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.charts import RESOLUTIONS
from mmbot.sim.wire.deribit.errors import invalid_params
from mmbot.sim.wire.deribit.filters import currency_of, listings_of, trades_page
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

HOURS_A_YEAR: Final = 24 * 365
VOLATILITY_HOURS: Final = 15 * 24
COLUMNS: Final = ("open", "high", "low", "close", "volume", "cost")

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("public/get_tradingview_chart_data")
def _get_chart(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    name = venue.known_name(params)
    resolution = params.text("resolution")
    if resolution not in RESOLUTIONS:
        raise invalid_params(f"must be one of {', '.join(RESOLUTIONS)}", "resolution")
    start_ms = params.integer_or_none("start_timestamp")
    end_ms = params.integer_or_none("end_timestamp")
    if start_ms is None or end_ms is None:
        missing = "start_timestamp" if start_ms is None else "end_timestamp"
        raise invalid_params("value required", missing)
    if name not in venue.catalog:
        venue.watch(name)
    end_ms = min(end_ms, venue.now_ms())
    rows = [
        one.shaped()
        for one in venue.charts.candles(name, RESOLUTIONS[resolution], start_ms, end_ms)
    ]
    return {
        "status": "ok" if rows else "no_data",
        "ticks": [row["tick"] for row in rows],
        **{column: [row[column] for row in rows] for column in COLUMNS},
    }


@method("public/get_last_trades_by_currency", "public/get_last_trades_by_currency_and_time")
def _get_last_trades_by_currency(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    currency_of(venue, params)
    made = [
        trade
        for listing in listings_of(venue, params)
        for trade in venue.prints_so_far(listing.name)
    ]
    made.sort(key=lambda trade: trade["timestamp"])
    return trades_page(made, params)


@method("public/get_book_summary_by_instrument")
def _get_book_summary(venue: DeribitVenue, _session: Session, params: Params) -> list[Json]:
    name = venue.listing(params).name
    venue.watch(name)
    ticker = venue.market_ticker(name)
    return [shapes.book_summary(venue.exchange, name, ticker, venue.now_ms())]


@method("public/get_historical_volatility")
def _get_historical_volatility(
    venue: DeribitVenue, _session: Session, params: Params
) -> list[tuple[int, float]]:
    """By the hour, in percent a year, oldest first: how much the index has moved by the hour since
    the world began, at most the last 15 days; nothing before there are two moves."""
    currency = currency_of(venue, params)
    perpetuals = [
        listing.name
        for listing in venue.exchange.listings.values()
        if listing.kind is Kind.PERPETUAL and listing.settlement == currency
    ]
    hours = venue.market.funding_hours(perpetuals[0]) if perpetuals else []
    moves = [math.log(hour.index / hour.previous_index) for hour in hours]
    return [
        (hours[last].time_ms, _a_year(moves[max(0, last + 1 - VOLATILITY_HOURS) : last + 1]))
        for last in range(1, len(moves))
    ]


def _a_year(hourly: Sequence[float]) -> float:
    return round(100 * stdev(hourly) * math.sqrt(HOURS_A_YEAR), 6)


@method("public/get_index_price_names")
def _get_index_names(venue: DeribitVenue, _session: Session, params: Params) -> list[Json]:
    more: Json = {}
    if params.flag("extended"):
        more = {"future_combo_creation_enabled": False, "option_combo_creation_enabled": False}
    return [{"name": name, **more} for name in venue.index_names()]


@method("public/get_last_settlements_by_instrument", "public/get_last_settlements_by_currency")
def _get_last_settlements(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    """Bankruptcies do not happen here, and what was settled is the accounts' own business."""
    if params.raw.get("instrument_name") is not None:
        venue.known_name(params)
    else:
        currency_of(venue, params)
    return {"settlements": [], "continuation": None}
