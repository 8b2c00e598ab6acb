"""Methods of market data: what is listed, tickers, trades, settlement prices, funding."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing
from mmbot.sim.wire.derive import shapes
from mmbot.sim.wire.derive.assets import CASH, RISK_UNIVERSE_ID, TYPES, address_of, type_of
from mmbot.sim.wire.derive.calls import Method, enter, paged
from mmbot.sim.wire.derive.channels import STATUSES
from mmbot.sim.wire.derive.errors import WireError, invalid_params
from mmbot.sim.wire.derive.limits import Pool
from mmbot.sim.wire.derive.params import Params
from mmbot.sim.wire.derive.portfolio import MANAGER_ID
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json
from mmbot.sim.wire.derive.venue import DeriveVenue
from mmbot.sim.wire.derive.words import text, text_of

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)

HOUR_MS: Final = 3_600_000
PERIODS_S: Final = (900, 3_600, 14_400, 28_800, 86_400)


def coins(venue: DeriveVenue) -> list[str]:
    """Everything that something is listed on."""
    return list(dict.fromkeys(one.underlying for one in venue.exchange.listings.values()))


def _coin(venue: DeriveVenue, name: str) -> str:
    if name not in coins(venue):
        raise WireError(12002, f"Currency {name} not found")
    return name


def _instrument(venue: DeriveVenue, listing: Listing) -> Json:
    funding = None
    if listing.kind is Kind.PERPETUAL:
        funding = venue.market_ticker(listing.name).current_funding
    return shapes.instrument(venue.exchange, listing, funding)


@method("public/get_all_instruments")
def _all_instruments(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    kind, expired = params.choice("instrument_type", TYPES), _required_flag(params, "expired")
    coin = params.text_or("currency", "")
    if kind == "erc20":
        spots = [shapes.spot(one) for one in coins(venue) if coin in ("", one) and not expired]
        rows, told = paged(spots, params)
        return {"instruments": rows, "pagination": told}
    listed = venue.exchange.listings.values()
    if expired:
        listed = [one.listing for one in venue.exchange.expired.values()]  # type: ignore[assignment]
    found = [one for one in listed if type_of(one) == kind and coin in ("", one.underlying)]
    page, told = paged(found, params)
    return {"instruments": [_instrument(venue, one) for one in page], "pagination": told}


def _required_flag(params: Params, name: str) -> bool:
    if params.raw.get(name) is None:
        raise invalid_params(f"missing field `{name}`")
    return params.flag(name)


@method("public/get_instrument")
def _get_instrument(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    name = params.text("instrument_name")
    coin, _, quote = name.partition("-")
    if quote == CASH and coin in coins(venue):
        return shapes.spot(coin)
    return _instrument(venue, venue.listing(name))


@method("public/get_all_live_instruments", pool=Pool.LIVE_NAMES)
def _live(venue: DeriveVenue, _session: Session, _params: Params) -> list[str]:
    return list(venue.exchange.listings)


@method("public/get_ticker")
def _ticker(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    listing = venue.listing(params.text("instrument_name"))
    venue.watch(listing.name)
    return venue.ticker_of(listing.name)


@method("public/get_tickers")
def _tickers(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    kind, coin = params.choice("instrument_type", TYPES), params.text_or("currency", "")
    date = params.loose_integer_or("expiry_date", None)
    if kind == "option" and (not coin or date is None):
        raise invalid_params("options require currency and expiry_date")
    if kind != "option" and date is not None:
        raise invalid_params("expiry_date is for options only")
    found = [
        one.name
        for one in venue.exchange.listings.values()
        if type_of(one) == kind
        and coin in ("", one.underlying)
        and (date is None or _date(one.expiry_ms) == str(date))
    ]
    return {"tickers": {name: venue.ticker_of(name) for name in found}}


@method("public/get_trade_history")
def _trade_history(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    name, kind = params.text_or("instrument_name", ""), params.text_or("instrument_type", "")
    coin, trade_id = params.text_or("currency", ""), params.text_or("trade_id", "")
    params.choice("batch_status", STATUSES, "Settled")
    first_ms, last_ms = params.span("from_timestamp", "to_timestamp")
    names = [name] if name else list(venue.exchange.numbers)
    found = []
    for one in names:
        listing = venue.listing(one)
        if kind not in ("", type_of(listing)) or coin not in ("", listing.underlying):
            continue
        found += [
            made
            for made in venue.prints(one)
            if trade_id in ("", made.trade_id) and first_ms <= made.time_ms <= last_ms
        ]
    found.sort(key=lambda made: made.time_ms, reverse=True)
    rows, told = paged(found, params)
    return {"trades": [venue.settled_row(made) for made in rows], "pagination": told}


@method("public/get_option_settlement_prices")
def _settlement_prices(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    coin = _coin(venue, params.text("currency"))
    delivered = {
        one.listing.expiry_ms: one.delivery
        for one in venue.exchange.expired.values()
        if one.listing.underlying == coin and one.listing.kind is Kind.OPTION
    }
    return {
        "expiries": [
            {
                "expiry_date": _date(expiry_ms),
                "utc_expiry_sec": expiry_ms // 1_000,
                "price": text(price),
            }
            for expiry_ms, price in sorted(delivered.items())
        ]
    }


@method("public/get_funding_rate_history")
def _funding_rates(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    listing = venue.listing(params.text("instrument_name"))
    if listing.kind is not Kind.PERPETUAL:
        raise invalid_params("instrument_name: not a perpetual")
    if params.loose_integer_or("period", 3_600) not in PERIODS_S:
        raise invalid_params(f"period: expected one of {PERIODS_S}")
    first_ms, last_ms = params.span("start_timestamp", "end_timestamp")
    rows = []
    for hour in venue.market.funding_hours(listing.name):
        began_ms, rate = hour.time_ms - HOUR_MS, text_of(hour.interest_1h)
        if first_ms <= began_ms <= last_ms:
            candle = dict.fromkeys(("open", "high", "low", "close", "funding_rate"), rate)
            rows.append(
                candle
                | {
                    "timestamp": began_ms,
                    "currency": listing.underlying,
                    "risk_universe_id": RISK_UNIVERSE_ID,
                }
            )
    return {"funding_rate_history": rows}


@method("public/get_all_currencies")
def _currencies(venue: DeriveVenue, _session: Session, _params: Params) -> list[Json]:
    return [_currency(venue, coin) for coin in (*coins(venue), CASH)]


@method("public/get_currency")
def _one_currency(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    name = params.text("currency")
    return _currency(venue, name if name == CASH else _coin(venue, name))


def _currency(venue: DeriveVenue, name: str) -> Json:
    price, is_cash = "1", name == CASH
    if not is_cash:
        price = text_of(venue.market.index(f"{name}_{CASH}".lower()))
    interest = {"current_open_interest": "0", "interest_cap": "1000000000"}
    universe: Json = {"risk_universe_id": RISK_UNIVERSE_ID, "oi": interest}

    def asset(kind: str) -> Json | None:
        if is_cash:
            return None
        return {
            "address": address_of(name, kind),
            "name": f"{name}-{kind.upper()}",
            "universes": [universe | {"risk_universe_name": "main"}],
        }

    held = universe | {
        "lending": None,
        "pm2_im_discount": "1",
        "pm2_mm_discount": "1",
        "srm_im_discount": "1" if is_cash else "0",
        "srm_mm_discount": "1" if is_cash else "0",
    }
    return {
        "currency": name,
        "managers": [
            {
                "risk_universe_id": RISK_UNIVERSE_ID,
                "risk_universe_name": "main",
                "sm": MANAGER_ID,
                "pm": None,
            }
        ],
        "market_type": "CASH" if is_cash else "ALL",
        "option": asset("option"),
        "perp": asset("perp"),
        "spot": [
            {
                "address": address_of(name, "erc20"),
                "erc20": {
                    "decimals": 6 if is_cash else 18,
                    "underlying_erc20": address_of(name, "erc20"),
                },
                "min_deposit_usd": "1",
                "name": name,
                "universes": [held],
            }
        ],
        "spot_price": price,
        "spot_price_24h": None,
    }


@method("public/get_liquidation_history")
def _liquidations(_venue: DeriveVenue, _session: Session, params: Params) -> Json:
    rows, told = paged([], params)
    return {"auctions": rows, "pagination": told}


@method("public/get_wallets_from_session_key")
def _wallets(venue: DeriveVenue, _session: Session, params: Params) -> Json:
    key = params.text("public_session_key").lower()
    return {"wallets": [one.owner for one in venue.wallets.values() if key in one.keys]}


def _date(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y%m%d}"
