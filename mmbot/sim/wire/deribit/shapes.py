"""The venue's objects as JSON: prices and amounts as numbers, times in milliseconds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from mmbot.sim.exchange.accounts import Account, Position, Print, UserTrade
from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.funding import FundingHour
from mmbot.sim.exchange.ledger import Entry, EntryType, Settlement
from mmbot.sim.exchange.listing import Kind, Listing, Side
from mmbot.sim.exchange.margin import MAX_LEVERAGE
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.wire.face import Best, MarketTicker

USER_ID: Final = 1001
Json = dict[str, Any]


def venue_kind(listing: Listing) -> str:
    """The venue calls a perpetual a future that does not end."""
    return "option" if listing.kind is Kind.OPTION else "future"


def quote_currency(listing: Listing) -> str:
    """What the price is in."""
    if not listing.inverse:
        return listing.settlement
    return listing.underlying if listing.kind is Kind.OPTION else "USD"


def instrument(listing: Listing, number: int, *, is_open: bool) -> Json:
    """A row of get_instruments."""
    counter = "USD" if listing.inverse else listing.settlement
    shaped: Json = {
        "price_index": listing.index_name,
        "kind": venue_kind(listing),
        "instrument_name": listing.name,
        "instrument_id": number,
        "instrument_type": "reversed" if listing.inverse else "linear",
        "maker_commission": float(listing.maker_fee),
        "taker_commission": float(listing.taker_fee),
        "expiration_timestamp": listing.expiry_ms,
        "creation_timestamp": listing.created_ms,
        "is_active": is_open,
        "state": "open" if is_open else "closed",
        "tick_size": float(listing.tick),
        "tick_size_steps": [
            {"above_price": float(above), "tick_size": float(step)}
            for above, step in listing.tick_steps
        ],
        "contract_size": float(listing.contract_size),
        "min_trade_amount": float(listing.min_amount),
        "settlement_currency": listing.settlement,
        "settlement_period": listing.settlement_period,
        "base_currency": listing.underlying,
        "counter_currency": counter,
        "quote_currency": quote_currency(listing),
        "block_trade_commission": float(listing.taker_fee),
        "block_trade_min_trade_amount": float(listing.min_amount * 25),
        "block_trade_tick_size": float(listing.tick),
    }
    if listing.kind is Kind.OPTION:
        assert listing.strike is not None, "an option has a strike"
        assert listing.right is not None, "an option is a call or a put"
        shaped["strike"] = float(listing.strike)
        shaped["option_type"] = listing.right.value
    else:
        shaped["future_type"] = shaped["instrument_type"]
        shaped["max_leverage"] = MAX_LEVERAGE
        shaped["max_liquidation_commission"] = 0.0075
    return shaped


def order(found: Order, listing: Listing) -> Json:
    """An order object."""
    shaped: Json = {
        "order_id": found.order_id,
        "order_state": found.state.value,
        "order_type": found.type.value,
        "time_in_force": found.time_in_force.value,
        "instrument_name": found.name,
        "direction": found.side.value,
        "price": float(found.price),
        "amount": float(found.amount),
        "contracts": float(found.amount / listing.contract_size),
        "filled_amount": float(found.filled),
        "average_price": float(found.average_price),
        "label": found.label,
        "post_only": found.post_only,
        "reject_post_only": found.reject_post_only,
        "reduce_only": found.reduce_only,
        "mmp": False,
        "replaced": found.replaced,
        "api": True,
        "web": False,
        "is_liquidation": False,
        "risk_reducing": False,
        "user_id": USER_ID,
        "creation_timestamp": found.created_ms,
        "last_update_timestamp": found.updated_ms,
    }
    if found.cancel_reason is not None:
        shaped["cancel_reason"] = found.cancel_reason.value
    return shaped


def public_trade(made: Print, listing: Listing, ticker: MarketTicker) -> Json:
    """A trade as everybody sees it; an option's carries the volatility its price stands for."""
    shaped: Json = {
        "trade_id": made.trade_id,
        "trade_seq": made.trade_seq,
        "instrument_name": made.name,
        "timestamp": made.time_ms,
        "direction": made.side.value,
        "price": float(made.price),
        "amount": float(made.amount),
        "contracts": float(made.amount / listing.contract_size),
        "mark_price": float(made.mark),
        "index_price": float(made.index),
        "tick_direction": made.tick_direction,
    }
    if listing.kind is Kind.OPTION:
        shaped["iv"] = _trade_iv(made, listing, ticker)
    return shaped


def _trade_iv(made: Print, listing: Listing, ticker: MarketTicker) -> float:
    """In percent: the mark's volatility plus the distance from the mark over vega (first order)."""
    if ticker.mark_iv is None or ticker.greeks is None or ticker.greeks.vega <= 0:
        return ticker.mark_iv or 0.0
    away = float(made.price - made.mark)
    away_usd = away * (ticker.underlying_price or 0.0) if listing.inverse else away
    return round(max(ticker.mark_iv + away_usd / ticker.greeks.vega, 0.0), 2)


def user_trade(made: UserTrade, listing: Listing, ticker: MarketTicker) -> Json:
    """A trade as the account sees it."""
    shaped = public_trade(made.public, listing, ticker)
    if listing.kind is Kind.OPTION:
        shaped["underlying_price"] = ticker.underlying_price
    return {
        **shaped,
        "direction": made.side.value,
        "order_id": made.order_id,
        "label": made.label,
        "liquidity": "M" if made.is_maker else "T",
        "fee": float(made.fee),
        "fee_currency": made.fee_currency,
        "profit_loss": float(made.realized),
        "state": made.order_state.value,
        "order_type": made.order_type.value,
        "post_only": made.post_only,
        "reduce_only": made.reduce_only,
        "mmp": False,
        "api": True,
        "risk_reducing": False,
        "matching_id": None,
    }


def delta(change: BookDelta) -> Json:
    """A book change as `book.*` sends it."""
    return {
        "type": "change",
        "timestamp": change.time_ms,
        "instrument_name": change.name,
        "prev_change_id": change.prev_change_id,
        "change_id": change.change_id,
        "bids": [[action, float(price), float(amount)] for action, price, amount in change.bids],
        "asks": [[action, float(price), float(amount)] for action, price, amount in change.asks],
    }


def snapshot(book: Book, now_ms: int) -> Json:
    """A whole book as `book.*` sends it first."""
    return {
        "type": "snapshot",
        "timestamp": now_ms,
        "instrument_name": book.listing.name,
        "change_id": book.change_id,
        "bids": [["new", float(price), float(amount)] for price, amount in book.depth(Side.BUY)],
        "asks": [["new", float(price), float(amount)] for price, amount in book.depth(Side.SELL)],
    }


def quote(book: Book, now_ms: int, best: Best | None = None) -> Json:
    """Best bid and ask, the book's unless others are given; zero where a side is empty."""
    told = best or book
    bid, ask = told.best_bid, told.best_ask
    return {
        "timestamp": now_ms,
        "instrument_name": book.listing.name,
        "best_bid_price": float(bid.price) if bid else 0.0,
        "best_bid_amount": float(bid.total) if bid else 0.0,
        "best_ask_price": float(ask.price) if ask else 0.0,
        "best_ask_amount": float(ask.total) if ask else 0.0,
    }


def ticker(exchange: Exchange, name: str, market: MarketTicker, now_ms: int) -> Json:
    """A ticker object of any kind of instrument, open or expired."""
    book = exchange.book(name)
    stats = market.stats
    is_open = name not in exchange.expired
    settled = float(exchange.settlement_prices.get(name, 0))
    shaped: Json = {
        **quote(book, now_ms, market.quotes),
        "state": "open" if is_open and name not in exchange.halted else "closed",
        "stats": {
            "high": stats.high,
            "low": stats.low,
            "price_change": stats.price_change,
            "volume": stats.volume,
            "volume_usd": stats.volume_usd,
            "volume_notional": stats.volume_usd,
        },
        "index_price": market.index_price,
        "estimated_delivery_price": market.delivery_estimate,
        "mark_price": market.mark_price,
        "min_price": market.min_price,
        "max_price": market.max_price,
        "last_price": None if book.last_price is None else float(book.last_price),
        "settlement_price" if is_open else "delivery_price": settled,
        "open_interest": float(exchange.open_interest(name)),
    }
    if book.listing.kind is Kind.OPTION:
        assert market.greeks is not None, "an option has greeks"
        shaped |= {
            "underlying_price": market.underlying_price,
            "underlying_index": market.underlying_index,
            "mark_iv": market.mark_iv,
            "bid_iv": market.bid_iv or 0.0,
            "ask_iv": market.ask_iv or 0.0,
            "interest_rate": 0.0,
            "greeks": {
                "delta": market.greeks.delta,
                "gamma": market.greeks.gamma,
                "vega": market.greeks.vega,
                "theta": market.greeks.theta,
                "rho": market.greeks.rho,
            },
        }
    elif book.listing.kind is Kind.PERPETUAL:
        shaped |= {
            "current_funding": market.current_funding or 0.0,
            "funding_8h": market.funding_8h or 0.0,
            "interest_value": float(exchange.cumulated_funding.get(name, 0)),
        }
    return shaped


def ticker_state(exchange: Exchange, name: str, market: MarketTicker) -> tuple[object, ...]:
    """All that `ticker` reads but the time; much cheaper than it."""
    book = exchange.book(name)
    bid, ask = book.best_bid, book.best_ask
    return (
        market,
        bid and (bid.price, bid.total),
        ask and (ask.price, ask.total),
        book.last_price,
        name in exchange.expired,
        name in exchange.halted,
        exchange.settlement_prices.get(name),
        exchange.open_interest(name),
        exchange.cumulated_funding.get(name),
    )


def book_summary(exchange: Exchange, name: str, market: MarketTicker, now_ms: int) -> Json:
    """A row of get_book_summary_by_currency; prices None where there are none."""
    full = ticker(exchange, name, market, now_ms)
    book = exchange.book(name)
    bid, ask = book.best_bid, book.best_ask
    listing = book.listing
    shaped: Json = {
        "instrument_name": listing.name,
        "base_currency": listing.underlying,
        "quote_currency": quote_currency(listing),
        "bid_price": float(bid.price) if bid else None,
        "ask_price": float(ask.price) if ask else None,
        "mid_price": float((bid.price + ask.price) / 2) if bid and ask else None,
        "mark_price": full["mark_price"],
        "last": full["last_price"],
        "open_interest": full["open_interest"],
        "estimated_delivery_price": full["estimated_delivery_price"],
        "creation_timestamp": now_ms,
        **full["stats"],
    }
    for name in ("underlying_price", "underlying_index", "mark_iv", "interest_rate"):
        if name in full:
            shaped[name] = full[name]
    for name in ("current_funding", "funding_8h"):
        if name in full:
            shaped[name] = full[name]
    return shaped


def position(exchange: Exchange, account: str, name: str, market: MarketTicker) -> Json:
    """A position as `user.changes` has it; sizes signed, USD for inverse futures, coin otherwise.

    `realized_*` are this session's, in settlement currency.
    """
    found = exchange.position(account, name)
    listing = found.listing
    size = float(found.size)
    direction = "zero" if not found.size else "buy" if found.size > 0 else "sell"
    floating = float(found.unrealized(exchange.book(name).mark))
    realized = float(found.realized)
    to_usd = market.index_price if listing.inverse else 1.0
    margin = exchange.position_margin(found)
    shaped: Json = {
        "instrument_name": listing.name,
        "kind": venue_kind(listing),
        "direction": direction,
        "size": size,
        "average_price": float(found.average_price),
        "mark_price": market.mark_price,
        "index_price": market.index_price,
        "settlement_price": float(exchange.settlement_prices.get(name, 0)),
        "floating_profit_loss": floating,
        "realized_profit_loss": realized,
        "total_profit_loss": floating + realized,
        "initial_margin": margin.initial,
        "maintenance_margin": margin.maintenance,
        "delta": position_delta(found, market),
    }
    if listing.kind is Kind.OPTION:
        assert market.greeks is not None, "an option has greeks"
        shaped |= {
            "gamma": size * market.greeks.gamma,
            "vega": size * market.greeks.vega,
            "theta": size * market.greeks.theta,
            "floating_profit_loss_usd": floating * to_usd,
        }
        return shaped
    shaped |= {"size_currency": position_delta(found, market), "leverage": MAX_LEVERAGE}
    if listing.kind is Kind.PERPETUAL:
        shaped["realized_funding"] = float(exchange.funding_of(account, name))
        shaped["interest_value"] = float(found.funded)
    return shaped


def position_delta(found: Position, market: MarketTicker) -> float:
    """In coin: size x delta of an option, the coin size of a perpetual or future."""
    size = float(found.size)
    if found.listing.kind is Kind.OPTION:
        return size * market.greeks.delta if market.greeks is not None else 0.0
    return size / market.mark_price if found.listing.inverse else size


def account_owner(account: Account) -> Json:
    """Whose account it is: what the methods about it say with `extended` only."""
    return {
        "id": USER_ID,
        "email": f"{account.name}@example.com",
        "system_name": account.name,
        "username": account.name,
        "type": "main",
        "mmp_enabled": False,
        "interuser_transfers_enabled": False,
        "login_enabled": False,
        "security_keys_enabled": False,
        "creation_timestamp": 0,
        "referrer_id": None,
        "self_trading_reject_mode": account.self_trade.value,
        "self_trading_extended_to_subaccounts": False,
        "block_rfq_self_match_prevention": True,
    }


def account_summary(
    exchange: Exchange,
    account: Account,
    currency: str,
    tickers: dict[str, MarketTicker],
    limits: Json,
) -> Json:
    """The account in one currency; `tickers` holds every instrument the account has a size in."""
    balance = account.cash.get(currency, Decimal(0))
    session_realized = account.session.get(currency, Decimal(0))
    session_funding = exchange.session_funding(account.name, currency)
    session_open = exchange.session_unrealized(account.name, currency)
    options_value = exchange.options_value(account.name, currency)
    margin_balance = exchange.margin_balance(account.name, currency)
    margin = exchange.margin_of(account.name, currency)
    available = max(float(margin_balance) - margin.initial, 0.0)
    options_delta = gamma = vega = theta = net_delta = futures_delta = 0.0
    options_open = options_realized = Decimal(0)
    for name, held in account.positions.items():
        if held.listing.settlement != currency:
            continue
        if held.listing.kind is Kind.OPTION:
            options_realized += held.realized
        if not held.size:
            continue
        market = tickers[name]
        if held.listing.kind is not Kind.OPTION:
            futures_delta += position_delta(held, market)
            continue
        assert market.greeks is not None, "an option has greeks"
        size = float(held.size)
        options_delta += size * market.greeks.delta
        net_delta += size * (market.greeks.delta - market.mark_price * held.listing.inverse)
        gamma += size * market.greeks.gamma
        vega += size * market.greeks.vega
        theta += size * market.greeks.theta
        options_open += held.unrealized(exchange.book(name).mark)
    total = options_open + session_open + session_realized + session_funding
    index = f"{currency.lower()}_usd"
    return {
        "currency": currency,
        "balance": float(balance),
        "equity": float(margin_balance + options_value),
        "margin_balance": float(margin_balance),
        "available_funds": available,
        "available_withdrawal_funds": max(min(float(balance), available), 0.0),
        "initial_margin": margin.initial,
        "maintenance_margin": margin.maintenance,
        "projected_initial_margin": margin.initial,
        "projected_maintenance_margin": margin.maintenance,
        "delta_total": net_delta + futures_delta,
        "projected_delta_total": net_delta + futures_delta,
        "delta_total_map": {index: net_delta + futures_delta},
        "options_delta": options_delta,
        "options_gamma": gamma,
        "options_gamma_map": {index: gamma},
        "options_vega": vega,
        "options_vega_map": {index: vega},
        "options_theta": theta,
        "options_theta_map": {index: theta},
        "options_value": float(options_value),
        "options_pl": float(options_open),
        "options_session_upl": float(options_open),
        "options_session_rpl": float(options_realized),
        "futures_pl": float(session_open + session_realized),
        "futures_session_upl": float(session_open),
        "futures_session_rpl": float(session_realized),
        "session_upl": float(session_open + options_open),
        "session_rpl": float(session_realized),
        "total_pl": float(total),
        "fee_balance": 0.0,
        "spot_reserve": 0.0,
        "additional_reserve": 0.0,
        "locked_balance": 0.0,
        "margin_model": "segregated_sm",
        "portfolio_margining_enabled": False,
        "cross_collateral_enabled": False,
        "estimated_liquidation_ratio": 0.0,
        "estimated_liquidation_ratio_map": {},
        "limits": limits,
    }


def log_entry(entry: Entry, account: str, listing: Listing | None) -> Json:
    """A row of get_transaction_log; without a listing it is about cash alone."""
    shaped: Json = {
        "id": entry.id,
        "user_seq": entry.user_seq,
        "user_id": USER_ID,
        "username": account,
        "timestamp": entry.time_ms,
        "type": entry.type.value,
        "instrument_name": None,
        "currency": entry.currency,
        "side": entry.side,
        "amount": float(entry.amount),
        "position": None,
        "price": None,
        "cashflow": float(entry.cashflow),
        "change": float(entry.change),
        "balance": float(entry.balance),
        "equity": float(entry.equity),
        "commission": float(entry.commission),
        "interest_pl": None if entry.interest_pl is None else float(entry.interest_pl),
        "trade_id": entry.trade_id,
        "order_id": entry.order_id,
        "info": None,
    }
    if listing is None:
        return shaped
    shaped |= {
        "instrument_name": entry.name,
        "contracts": float(entry.amount / listing.contract_size),
        "position": float(entry.position),
        "price": float(entry.price),
        "price_currency": quote_currency(listing),
        "mark_price": float(entry.mark),
        "index_price": float(entry.index),
        "profit_as_cashflow": False,
    }
    if entry.total_interest_pl is not None:
        shaped["total_interest_pl"] = float(entry.total_interest_pl)
    if entry.session_rpl is not None:
        shaped["session_rpl"] = float(entry.session_rpl)
    if entry.is_maker is not None:
        shaped["user_role"] = shaped["fee_role"] = "maker" if entry.is_maker else "taker"
    if entry.type is EntryType.DELIVERY:
        shaped["settlement_price"] = float(entry.price)
    return shaped


def settlement(done: Settlement) -> Json:
    """A row of get_settlement_history_by_*."""
    return {
        "type": done.type.value,
        "timestamp": done.time_ms,
        "instrument_name": done.name,
        "position": float(done.position),
        "session_profit_loss": float(done.session_profit),
        "profit_loss": float(done.profit),
        "funding": float(done.funding),
        "mark_price": float(done.mark),
        "index_price": float(done.index),
    }


def funding_hour(hour: FundingHour) -> Json:
    """A row of get_funding_rate_history."""
    return {
        "timestamp": hour.time_ms,
        "index_price": hour.index,
        "prev_index_price": hour.previous_index,
        "interest_1h": hour.interest_1h,
        "interest_8h": hour.interest_8h,
    }
