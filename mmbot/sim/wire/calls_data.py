"""Methods of public data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mmbot.sim.matching import Side
from mmbot.sim.wire import shapes
from mmbot.sim.wire.calls import Method, Session, enter
from mmbot.sim.wire.errors import invalid_params
from mmbot.sim.wire.filters import listings_of, trades_page
from mmbot.sim.wire.params import Params
from mmbot.sim.wire.shapes import Json

CURRENCY_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin"}

if TYPE_CHECKING:
    from mmbot.sim.wire.deribit import DeribitVenue

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("public/get_currencies")
def _get_currencies(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    return [
        {
            "currency": currency,
            "currency_long": CURRENCY_NAMES.get(currency, currency),
            "coin_type": "ETHER" if currency == "ETH" else currency,
            "network_currency": currency,
            "fee_precision": 4,
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
def _get_instruments(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    if params.flag("expired"):
        return []
    chosen = {one.name for one in listings_of(venue, params)}
    return [
        shapes.instrument(one, number)
        for number, one in enumerate(venue.exchange.listings.values(), start=1)
        if one.name in chosen
    ]


@method("public/get_instrument")
def _get_instrument(venue: DeribitVenue, session: Session, params: Params) -> Json:
    listing = venue.listing(params)
    return shapes.instrument(listing, list(venue.exchange.listings).index(listing.name) + 1)


@method("public/ticker")
def _ticker(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    venue.watch(name)
    return venue.ticker_of(name)


@method("public/get_order_book")
def _get_order_book(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    depth = params.integer_or("depth", 20)
    if depth < 1:
        raise invalid_params("must be positive", "depth")
    venue.watch(name)
    book = venue.exchange.book(name)
    return {
        **venue.ticker_of(name),
        "change_id": book.change_id,
        "bids": [(float(price), float(total)) for price, total in book.depth(Side.BUY, depth)],
        "asks": [(float(price), float(total)) for price, total in book.depth(Side.SELL, depth)],
    }


@method("public/get_last_trades_by_instrument", "public/get_last_trades_by_instrument_and_time")
def _get_last_trades(venue: DeribitVenue, session: Session, params: Params) -> Json:
    name = venue.listing(params).name
    venue.watch(name)
    return trades_page(venue.prints(name), params)


@method("public/get_index_price")
def _get_index_price(venue: DeribitVenue, session: Session, params: Params) -> Json:
    index_name = params.text("index_name")
    if index_name not in venue.index_names():
        raise invalid_params(f"must be one of {', '.join(venue.index_names())}", "index_name")
    price = venue.index_of(index_name)
    return {"index_price": price, "estimated_delivery_price": price}


@method("public/get_book_summary_by_currency")
def _get_book_summary(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    params.text("currency")
    now_ms = venue.now_ms()
    return [
        shapes.book_summary(
            venue.exchange.book(one.name),
            venue.market_ticker(one.name),
            venue.exchange.open_interest(one.name),
            now_ms,
        )
        for one in listings_of(venue, params)
    ]
