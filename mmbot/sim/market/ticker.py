"""What the venue publishes about an instrument beside its book, rounded as it does."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from mmbot.pricing import scalar
from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.funding import Funding
from mmbot.sim.exchange.listing import Listing
from mmbot.sim.market.stats import Stats
from mmbot.sim.market.underlying import Latent
from mmbot.sim.market.worth import FUTURE_DIGITS, OPTION_DIGITS, Worth, band, option_terms


class Greeks(Struct, frozen=True, gc=False):
    """As the venue scales them: see `scalar.Value`."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


class Quoted(Struct, frozen=True, gc=False):
    """A best price that no order stands behind, and how much there would be of it."""

    price: Decimal
    total: Decimal


class Quotes(Struct, frozen=True, gc=False):
    """Best prices beside the book, of an option that is only looked at; None: nobody's."""

    best_bid: Quoted | None
    best_ask: Quoted | None


class MarketTicker(Struct, frozen=True, gc=False):
    """What the venue publishes about an instrument beside its book, rounded as it does.

    The volatilities, `underlying_*` and `greeks` are None where it is no option, the funding rates
    where it is no perpetual.
    """

    name: str
    time_ms: int
    index_price: float
    mark_price: float
    min_price: float
    max_price: float
    stats: Stats
    delivery_estimate: float
    underlying_price: float | None = None
    underlying_index: str | None = None
    mark_iv: float | None = None  # percent, as are the next two; 0 without a quote
    bid_iv: float | None = None
    ask_iv: float | None = None
    greeks: Greeks | None = None
    current_funding: float | None = None  # per 8 hours, positive: longs pay
    funding_8h: float | None = None  # the trailing mean of it
    quotes: Quotes | None = None  # instead of the book's best, where nobody trades


def linear_ticker(
    worth: Worth, listing: Listing, latent: Latent, stats: Stats, funding: Funding | None
) -> MarketTicker:
    """Of a future, or with its `funding` of a perpetual."""
    mark = worth.linear_price(listing, latent, latent.index)
    low, high = band(listing, mark, latent.index)
    ticker = MarketTicker(
        listing.name,
        worth.now_ms,
        worth.index(listing.index_name),
        round(mark, FUTURE_DIGITS),
        float(low),
        float(high),
        stats,
        worth.delivery_of(listing),
    )
    if funding is None:
        return ticker
    return replace(
        ticker, current_funding=round(funding.rate, 8), funding_8h=round(funding.mean_8h, 8)
    )


def option_ticker(
    worth: Worth,
    listing: Listing,
    latent: Latent,
    stats: Stats,
    book: Book | None,
    underlying_index: str,
) -> MarketTicker:
    """Of an option; `book` is None where nobody has ever quoted it."""
    forward, value, volatility = worth.value(listing, latent.index)
    strike, is_call = option_terms(listing)
    years = worth.years(listing)
    mark = value.price / forward if listing.inverse else value.price
    in_usd = forward if listing.inverse else 1.0

    def quoted(price: Decimal | None) -> float:
        if price is None:
            return 0.0
        usd = float(price) * in_usd
        found = scalar.implied_vol(usd, forward, strike, years, volatility, is_call=is_call)
        return round(100 * found, 2) if found is not None else 0.0

    bid = ask = None
    if book is not None:
        bid = book.best_bid.price if book.best_bid is not None else None
        ask = book.best_ask.price if book.best_ask is not None else None
    low, high = band(listing, mark, latent.index)
    return MarketTicker(
        listing.name,
        worth.now_ms,
        worth.index(listing.index_name),
        round(mark, OPTION_DIGITS),
        float(low),
        float(high),
        stats,
        worth.delivery_of(listing),
        underlying_price=round(forward, 4),
        underlying_index=underlying_index,
        mark_iv=round(100 * volatility, 2),
        bid_iv=quoted(bid),
        ask_iv=quoted(ask),
        greeks=Greeks(
            round(value.delta, 5),
            round(value.gamma, 5),
            round(value.vega, 5),
            round(value.theta, 5),
            round(value.rho, 5),
        ),
    )
