"""Methods of public data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from mmbot.sim.exchange.funding import FundingHour
from mmbot.sim.exchange.listing import Kind, Side
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import invalid_params
from mmbot.sim.wire.deribit.filters import currency_if_given, listings_of, trades_page
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

DELIVERY_PRICES_COUNT: Final = 10
DELIVERY_PRICES_MAX: Final = 1_000
CHART_HOURS: Final = {"8h": 8, "24h": 24, "1m": 31 * 24}
COIN_TYPES: Final = {"BTC": "BITCOIN", "ETH": "ETHER"}
CURRENCY_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin"}

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("public/get_currencies")
def _get_currencies(venue: DeribitVenue, _session: Session, _params: Params) -> list[Json]:
    return [
        {
            "currency": currency,
            "currency_long": CURRENCY_NAMES.get(currency, currency),
            "coin_type": COIN_TYPES.get(currency, currency),
            "network_currency": currency,
            "decimals": 6 if currency == "USDC" else 8,
            "min_confirmations": 1,
            "min_withdrawal_fee": 0.0001,
            "withdrawal_fee": 0.0001,
            "network_fee": 0.0001,
            "withdrawal_priorities": [],
            "apr": 0.0,
            "in_cross_collateral_pool": False,
        }
        for currency in venue.currencies()
    ]


@method("public/get_instruments")
def _get_instruments(venue: DeribitVenue, _session: Session, params: Params) -> list[Json]:
    is_open = not params.flag("expired")
    numbers, halted = venue.exchange.numbers, venue.exchange.halted
    rows = [
        shapes.instrument(one, numbers[one.name], is_open=is_open and one.name not in halted)
        for one in listings_of(venue, params, is_open=is_open)
    ]
    if is_open:
        kind = params.text_or("kind", "any") or "any"
        rows += venue.catalog.rows(currency_if_given(venue, params), kind)
    return rows


@method("public/get_instrument")
def _get_instrument(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    if params.text("instrument_name") in venue.catalog:
        return venue.catalog.row(params.text("instrument_name"))
    name = venue.terms(params).name
    exchange = venue.exchange
    is_open = name in exchange.listings and name not in exchange.halted
    return shapes.instrument(exchange.terms(name), exchange.numbers[name], is_open=is_open)


@method("public/ticker")
def _ticker(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    if params.text("instrument_name") in venue.catalog:
        return venue.catalog.ticker(params.text("instrument_name"))
    name = venue.listing(params).name
    venue.watch(name)
    return venue.ticker_of(name)


@method("public/get_order_book")
def _get_order_book(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    if params.text("instrument_name") in venue.catalog:
        ticker = venue.catalog.ticker(params.text("instrument_name"))
        return {**ticker, "change_id": 1, "bids": [], "asks": []}
    name = venue.listing(params).name
    depth = params.integer_or("depth", 20)
    if depth < 1:
        raise invalid_params("must be positive", "depth")
    venue.watch(name)
    book = venue.exchange.book(name)
    return {
        **venue.ticker_of(name),
        "change_id": book.change_id,
        "bids": [[float(price), float(total)] for price, total in book.depth(Side.BUY, depth)],
        "asks": [[float(price), float(total)] for price, total in book.depth(Side.SELL, depth)],
    }


@method("public/get_last_trades_by_instrument", "public/get_last_trades_by_instrument_and_time")
def _get_last_trades(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    name = venue.known_name(params)
    if name not in venue.catalog:
        venue.watch(name)
    return trades_page(venue.prints(name), params)


@method("public/get_index_price")
def _get_index_price(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    index_name = _index_name(venue, params)
    return {
        "index_price": venue.index_of(index_name),
        "estimated_delivery_price": venue.market.delivery_estimate(index_name),
    }


def _index_name(venue: DeribitVenue, params: Params) -> str:
    index_name = params.text("index_name")
    if index_name not in venue.index_names():
        raise invalid_params(f"must be one of {', '.join(venue.index_names())}", "index_name")
    return index_name


@method("public/get_book_summary_by_currency")
def _get_book_summary(venue: DeribitVenue, _session: Session, params: Params) -> list[Json]:
    params.text("currency")
    now_ms = venue.now_ms()
    return [
        shapes.book_summary(venue.exchange, one.name, venue.market_ticker(one.name), now_ms)
        for one in listings_of(venue, params)
    ]


@method("public/get_delivery_prices")
def _get_delivery_prices(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    prices = venue.exchange.delivery_prices.get(_index_name(venue, params), [])[::-1]
    offset = params.integer_or("offset", 0)
    count = params.integer_or("count", DELIVERY_PRICES_COUNT)
    if not 1 <= count <= DELIVERY_PRICES_MAX:
        raise invalid_params(f"must be from 1 to {DELIVERY_PRICES_MAX}", "count")
    return {
        "data": [
            {"date": _date(time_ms), "delivery_price": float(price)}
            for time_ms, price in prices[offset : offset + count]
        ],
        "records_total": len(prices),
    }


def _date(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


@method("public/get_funding_rate_value")
def _get_funding_rate_value(venue: DeribitVenue, _session: Session, params: Params) -> float:
    return sum(hour.interest_1h for hour in _funding_hours(venue, params))


@method("public/get_funding_rate_history")
def _get_funding_rate_history(venue: DeribitVenue, _session: Session, params: Params) -> list[Json]:
    return [shapes.funding_hour(hour) for hour in _funding_hours(venue, params)]


@method("public/get_funding_chart_data")
def _get_funding_chart_data(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    name = _perpetual_name(venue, params)
    length = params.text("length")
    if length not in CHART_HOURS:
        raise invalid_params(f"must be one of {', '.join(CHART_HOURS)}", "length")
    ticker = venue.market_ticker(name)
    return {
        "current_interest": ticker.current_funding,
        "interest_8h": ticker.funding_8h,
        "data": [
            {
                "timestamp": hour.time_ms,
                "index_price": hour.index,
                "interest_8h": hour.interest_8h,
            }
            for hour in list(venue.market.funding_hours(name))[-CHART_HOURS[length] :]
        ],
    }


def _funding_hours(venue: DeribitVenue, params: Params) -> list[FundingHour]:
    name = _perpetual_name(venue, params)
    start_ms = params.integer_or("start_timestamp", 0)
    end_ms = params.integer_or("end_timestamp", venue.now_ms())
    return [hour for hour in venue.market.funding_hours(name) if start_ms < hour.time_ms <= end_ms]


def _perpetual_name(venue: DeribitVenue, params: Params) -> str:
    listing = venue.listing(params)
    if listing.kind is not Kind.PERPETUAL:
        raise invalid_params("must be a perpetual", "instrument_name")
    return listing.name
