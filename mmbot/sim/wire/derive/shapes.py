"""The venue's objects as JSON: what can be traded, orders, trades, books and tickers.

Numbers are texts; times are milliseconds, but for those of instruments, which are seconds.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from mmbot.sim.exchange.accounts import Print, UserTrade
from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.funding import PERIOD_HOURS, RATE_MAX
from mmbot.sim.exchange.listing import OPTION_FEE_CAP_OF_PREMIUM, Kind, Listing, Right, Side
from mmbot.sim.exchange.margin import MarginTerms
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason, Order, OrderState
from mmbot.sim.wire.derive.assets import (
    CASH,
    RISK_UNIVERSE_ID,
    address_of,
    asset_of,
    index_of,
    type_of,
)
from mmbot.sim.wire.derive.tickets import Ticket
from mmbot.sim.wire.derive.words import rounded, text, text_of
from mmbot.sim.wire.face import Best, MarketTicker, Quoted

Json = dict[str, Any]

STRANGER: Final = "0x0000000000000000000000000000000000000001"
STRANGER_ID: Final = 1
NEVER_SEC: Final = 2**63 - 1
AMOUNT_MAX: Final = {"ETH": 10_000, "BTC": 1_000}
RHO_POINTS: Final = 100  # the venue's is of one, the market's of a percentage point

_STATUS: Final = {
    OrderState.OPEN: "open",
    OrderState.FILLED: "filled",
    OrderState.CANCELLED: "cancelled",
}
_REASON: Final = {
    None: "",
    CancelReason.USER_REQUEST: "user_request",
    CancelReason.DISCONNECT: "cancel_on_disconnect",
    CancelReason.EDIT_POST_ONLY: "validation_failed",
    CancelReason.SETTLEMENT: "validation_failed",
    CancelReason.SELF_TRADE: "validation_failed",
}


def instrument(exchange: Exchange, listing: Listing, funding_rate: float | None) -> Json:
    """A row of get_all_instruments."""
    address, number = asset_of(listing)
    is_option = listing.kind is Kind.OPTION
    details: Json = {"option_details": None, "perp_details": None, "erc20_details": None}
    ends_sec = NEVER_SEC
    if is_option:
        assert listing.strike is not None, "an option has a strike"
        expired = exchange.expired.get(listing.name)
        ends_sec = listing.expiry_ms // 1_000
        details["option_details"] = {
            "expiry": ends_sec,
            "index": index_of(listing),
            "option_type": "C" if listing.right is Right.CALL else "P",
            "settlement_price": None if expired is None else text(expired.delivery),
            "strike": text(listing.strike),
        }
    else:
        paid = exchange.cumulated_funding.get(listing.name, Decimal(0))
        details["perp_details"] = {
            "index": index_of(listing),
            "max_rate_per_hour": text_of(RATE_MAX / PERIOD_HOURS),
            "min_rate_per_hour": text_of(-RATE_MAX / PERIOD_HOURS),
            "aggregate_funding": rounded(paid),
            "funding_rate": text_of((funding_rate or 0.0) / PERIOD_HOURS),
            "srm_perp_margin_requirements": _requirements(exchange.rules.margin),
        }
    row = _terms(listing.name, type_of(listing), listing.underlying)
    return (
        row
        | {
            "is_active": listing.name in exchange.listings and not exchange.is_halted(listing),
            "scheduled_activation": listing.created_ms // 1_000,
            "scheduled_deactivation": ends_sec,
            "tick_size": text(listing.tick),
            "minimum_amount": text(listing.min_amount),
            "maximum_amount": str(amount_max(listing)),
            "amount_step": text(listing.amount_step),
            "mark_price_fee_rate_cap": text(OPTION_FEE_CAP_OF_PREMIUM) if is_option else "0",
            "maker_fee_rate": text(listing.maker_fee),
            "taker_fee_rate": text(listing.taker_fee),
            "base_fee": text(listing.fee_basis.base),
            "base_asset_address": address,
            "base_asset_sub_id": str(number),
        }
        | details
    )


def spot(coin: str) -> Json:
    """A coin's row: listed, but not traded here."""
    address = address_of(coin, "erc20")
    return _terms(f"{coin}-{CASH}", "erc20", coin) | {
        "is_active": False,
        "scheduled_activation": 0,
        "scheduled_deactivation": NEVER_SEC,
        "tick_size": "0.01",
        "minimum_amount": "0.01",
        "maximum_amount": "10000",
        "amount_step": "0.001",
        "mark_price_fee_rate_cap": "0",
        "maker_fee_rate": "0",
        "taker_fee_rate": "0",
        "base_fee": "0",
        "base_asset_address": address,
        "base_asset_sub_id": "0",
        "option_details": None,
        "perp_details": None,
        "erc20_details": {
            "borrow_index": "1",
            "decimals": 18,
            "supply_index": "1",
            "underlying_erc20_address": address,
        },
    }


def amount_max(listing: Listing) -> int:
    """The largest amount of an order."""
    return AMOUNT_MAX.get(listing.underlying, AMOUNT_MAX["ETH"])


def _requirements(terms: MarginTerms) -> Json:
    """What standard margin asks for a perpetual, as shares of its notional."""
    initial = 1 / terms.max_leverage
    return {
        "im_perp_req": text_of(round(initial, 6)),
        "mm_perp_req": text_of(round(initial * terms.maintenance_share, 6)),
        "max_leverage": text_of(round(terms.max_leverage, 2)),
    }


def _terms(name: str, kind: str, coin: str) -> Json:
    return {
        "instrument_type": kind,
        "instrument_name": name,
        "risk_universe_id": RISK_UNIVERSE_ID,
        "base_currency": coin,
        "quote_currency": CASH,
        "pro_rata_fraction": "0",
        "fifo_min_allocation": "0",
        "pro_rata_amount_step": "1",
    }


def order(made: Order, ticket: Ticket, subaccount_id: int) -> Json:
    """An order as its owner is told of it."""
    reason = _REASON[made.cancel_reason]
    if made.cancel_reason is CancelReason.USER_REQUEST and not _could_rest(ticket):
        reason = "ioc_or_market_partial_fill"
    signed = ticket.signed_limit_price
    return {
        "subaccount_id": subaccount_id,
        "order_id": made.order_id,
        "instrument_name": made.name,
        "direction": made.side.value,
        "label": made.label,
        "quote_id": None,
        "amount": text(made.amount),
        "average_price": rounded(made.average_price),
        "cancel_reason": reason if ticket.reason is None else ticket.reason,
        "creation_timestamp": made.created_ms,
        "filled_amount": text(made.filled),
        "is_transfer": False,
        "last_update_timestamp": made.updated_ms,
        "limit_price": text(made.price),
        "signed_limit_price": None if signed is None else text(signed),
        "max_fee": text(ticket.max_fee),
        "mmp": ticket.mmp,
        "nonce": str(ticket.nonce),
        "order_fee": text(ticket.fee),
        "order_status": ticket.status or _STATUS[made.state],
        "order_type": ticket.type,
        "replaced_order_id": ticket.replaced_order_id,
        "signature": ticket.signature,
        "signature_expiry_sec": ticket.expiry_sec,
        "signer": ticket.signer,
        "time_in_force": ticket.time_in_force,
        "trigger_type": None,
        "trigger_price": None,
        "trigger_price_type": None,
        "trigger_reject_message": None,
        "extra_fee": "0",
        "algo_type": None,
        "algo_duration_sec": None,
        "algo_num_slices": None,
        "algo_slices_completed": None,
    }


def _could_rest(ticket: Ticket) -> bool:
    return ticket.type == "limit" and ticket.time_in_force in ("gtc", "post_only")


def public_trade(made: Print) -> Json:
    """A trade as everybody is told of it: its taker's side, of an owner nobody knows."""
    return {
        "trade_id": made.trade_id,
        "instrument_name": made.name,
        "timestamp": made.time_ms,
        "trade_price": text(made.price),
        "trade_amount": text(made.amount),
        "mark_price": text(made.mark),
        "index_price": text(made.index),
        "direction": made.side.value,
        "quote_id": None,
        "rfq_id": None,
        "subaccount_id": STRANGER_ID,
        "wallet": STRANGER,
        "liquidity_role": "taker",
        "trade_fee": "0",
        "extra_fee": "0",
        "expected_rebate": "0",
        "realized_pnl": "0",
        "realized_pnl_excl_fees": "0",
    }


def user_trade(
    made: UserTrade, subaccount_id: int, realized: Decimal, realized_excl_fees: Decimal
) -> Json:
    """A trade as one of its two sides is told of it; nothing is settled on the chain yet."""
    public = made.public
    return {
        "subaccount_id": subaccount_id,
        "order_id": made.order_id,
        "instrument_name": public.name,
        "direction": made.side.value,
        "label": made.label,
        "quote_id": None,
        "rfq_id": None,
        "trade_id": public.trade_id,
        "timestamp": public.time_ms,
        "mark_price": text(public.mark),
        "index_price": text(public.index),
        "trade_price": text(public.price),
        "trade_amount": text(public.amount),
        "liquidity_role": "maker" if made.is_maker else "taker",
        "realized_pnl": rounded(realized),
        "realized_pnl_excl_fees": rounded(realized_excl_fees),
        "is_transfer": False,
        "trade_fee": text(made.fee),
        "extra_fee": "0",
        "expected_rebate": "0",
        "op_uuid": public.trade_id,
        "batch_status": None,
        "tx_hash": None,
    }


def orderbook(book: Book, group: int, depth: int, now_ms: int) -> Json:
    """The first levels of both sides, prices by `group` ticks."""
    step = book.listing.tick * group
    return {
        "timestamp": now_ms,
        "instrument_name": book.listing.name,
        "publish_id": book.change_id,
        "bids": _levels(book, Side.BUY, step, depth, ROUND_FLOOR),
        "asks": _levels(book, Side.SELL, step, depth, ROUND_CEILING),
    }


def _levels(book: Book, side: Side, step: Decimal, depth: int, rounding: str) -> list[list[str]]:
    totals: dict[Decimal, Decimal] = {}
    for price, amount in book.depth(side):
        price = (price / step).to_integral_value(rounding) * step
        if price not in totals and len(totals) == depth:
            break
        totals[price] = totals.get(price, Decimal(0)) + amount
    return [[text(price), text(amount)] for price, amount in totals.items()]


def ticker(
    exchange: Exchange, listing: Listing, market: MarketTicker, trades_24h: int, now_ms: int
) -> Json:
    """ticker_slim's `instrument_ticker`; of an expired instrument, what is left to say."""
    bid: Quoted | None = None
    ask: Quoted | None = None
    if listing.name in exchange.listings:
        best: Best = market.quotes or exchange.book(listing.name)
        bid, ask = best.best_bid, best.best_ask
    stats = market.stats
    funding = market.current_funding
    shaped: Json = {
        "t": now_ms,
        "A": "0" if ask is None else text(ask.total),
        "a": "0" if ask is None else text(ask.price),
        "B": "0" if bid is None else text(bid.total),
        "b": "0" if bid is None else text(bid.price),
        "f": None if funding is None else text_of(round(funding / PERIOD_HOURS, 9)),
        "option_pricing": None,
        "I": text_of(market.index_price),
        "M": text_of(market.mark_price),
        "stats": {
            "c": text_of(stats.volume),
            "v": text_of(round(stats.volume * market.index_price, 6)),
            "pr": text_of(stats.volume_usd),
            "n": trades_24h,
            "oi": text(exchange.open_interest(listing.name)),
            "h": text_of(stats.high or 0.0),
            "l": text_of(stats.low or 0.0),
            "p": text_of(round((stats.price_change or 0.0) / 100, 6)),
        },
        "minp": text_of(market.min_price),
        "maxp": text_of(market.max_price),
    }
    greeks = market.greeks
    if greeks is not None:
        shaped["option_pricing"] = {
            "d": text_of(greeks.delta),
            "t": text_of(greeks.theta),
            "g": text_of(greeks.gamma),
            "v": text_of(greeks.vega),
            "i": _share(market.mark_iv),
            "r": text_of(round(greeks.rho * RHO_POINTS, 5)),
            "f": text_of(market.underlying_price or 0.0),
            "m": text_of(market.mark_price),
            "df": "1",
            "bi": _share(market.bid_iv),
            "ai": _share(market.ask_iv),
        }
    return shaped


def _share(percent: float | None) -> str:
    return text_of(round((percent or 0.0) / 100, 6))
