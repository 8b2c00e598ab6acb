"""What a subaccount holds, owes and is worth, as JSON.

Theory of operation
-------------------
1. All is in USDC. The cash is the one collateral; an option is worth its mark. A perpetual is worth
   what has not been settled yet: its open profit since the last settlement, and the funding since.
   Cash and all these together are the subaccount's value.
2. Margin is told as what is left: a collateral counts for, a position against. An initial margin
   (less what open orders would add) below zero lets nothing be opened.
3. Prices of entry hold the fees, and there is one without them. `net_settlements` is what has gone
   from a position to cash so far: value = unrealized - net_settlements + pending funding.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from mmbot.sim.exchange.accounts import Position
from mmbot.sim.exchange.listing import ZERO, Kind, value
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.wire.derive.assets import CASH, RISK_UNIVERSE_ID, type_of
from mmbot.sim.wire.derive.tickets import Life
from mmbot.sim.wire.derive.words import rounded, text, text_of
from mmbot.sim.wire.face import MarketTicker

Json = dict[str, Any]

MANAGER_ID: Final = 1
MARGIN_TYPE: Final = "SM"
CURRENCIES: Final = ("BTC", "ETH", CASH)


def worth(exchange: Exchange, account: str, held: Position) -> Decimal:
    """What a position adds to its subaccount's value."""
    mark = exchange.book(held.listing.name).mark
    if held.listing.kind is Kind.OPTION:
        return value(held.listing, held.size, mark)
    return held.unrealized(mark) + exchange.funding_of(account, held.listing.name)


def position(
    exchange: Exchange, account: str, held: Position, life: Life, market: MarketTicker
) -> Json:
    """A row of get_positions."""
    listing, size = held.listing, held.size
    name = listing.name
    mark = exchange.book(name).mark
    is_option = listing.kind is Kind.OPTION
    needs = exchange.position_margin(held)
    pending = ZERO if is_option else exchange.funding_of(account, name)
    unrealized, now_worth = life.unrealized(mark), worth(exchange, account, held)
    settled = ZERO if is_option else unrealized + pending - now_worth
    greeks = market.greeks
    return {
        "instrument_type": type_of(listing),
        "instrument_name": name,
        "amount": text(size),
        "average_price": rounded(life.average_price),
        "average_price_excl_fees": rounded(life.average_price_excl_fees),
        "mark_price": text(mark),
        "index_price": text_of(market.index_price),
        "mark_value": rounded(now_worth),
        "amount_step": text(listing.amount_step),
        "creation_timestamp": life.opened_ms,
        "cumulative_funding": rounded(life.funding + pending),
        "pending_funding": rounded(pending),
        "net_settlements": rounded(settled),
        "initial_margin": _against(needs.initial),
        "maintenance_margin": _against(needs.maintenance),
        "open_orders_margin": _against(exchange.open_orders_margin(account, name)),
        "realized_pnl": rounded(life.realized - life.realized_fees),
        "realized_pnl_excl_fees": rounded(life.realized),
        "total_fees": rounded(life.fees),
        "unrealized_pnl": rounded(unrealized),
        "unrealized_pnl_excl_fees": rounded(unrealized + life.entry_fees),
        "delta": text_of(greeks.delta) if greeks is not None else "1",
        "gamma": text_of(greeks.gamma) if greeks is not None else "0",
        "vega": text_of(greeks.vega) if greeks is not None else "0",
        "theta": text_of(greeks.theta) if greeks is not None else "0",
        "leverage": None if is_option else _leverage(exchange, account, size * mark),
        "liquidation_price": None if is_option else _liquidation(exchange, account, held),
    }


def collateral(exchange: Exchange, account: str) -> Json:
    """The cash of a subaccount."""
    cash = text(exchange.accounts[account].cash.get(CASH, ZERO))
    nothing = dict.fromkeys(
        (
            "cumulative_interest",
            "delta",
            "open_orders_margin",
            "pending_interest",
            "realized_pnl",
            "realized_pnl_excl_fees",
            "total_fees",
            "unrealized_pnl",
            "unrealized_pnl_excl_fees",
        ),
        "0",
    )
    return nothing | {
        "asset_type": "erc20",
        "asset_name": CASH,
        "currency": CASH,
        "delta_currency": CASH,
        "amount": cash,
        "amount_step": "0",
        "average_price": "1",
        "average_price_excl_fees": "1",
        "creation_timestamp": 0,
        "initial_margin": cash,
        "maintenance_margin": cash,
        "mark_price": "1",
        "mark_value": cash,
    }


def subaccount(
    exchange: Exchange,
    account: str,
    subaccount_id: int,
    label: str,
    positions: list[Json],
    open_orders: list[Json],
) -> Json:
    """The whole of one: the answer of get_subaccount."""
    owner = exchange.accounts[account]
    cash = owner.cash.get(CASH, ZERO)
    held = [one for one in owner.positions.values() if one.size]
    in_positions = sum((worth(exchange, account, one) for one in held), ZERO)
    in_perpetuals = sum(
        (worth(exchange, account, one) for one in held if one.listing.kind is not Kind.OPTION),
        ZERO,
    )
    with_orders = exchange.margin_of(account, CASH)
    needs = [exchange.position_margin(one) for one in held]
    initial = float(in_perpetuals) - sum(one.initial for one in needs)
    maintenance = float(in_perpetuals) - sum(one.maintenance for one in needs)
    orders = with_orders.initial - sum(one.initial for one in needs)
    return {
        "subaccount_id": subaccount_id,
        "failed_to_fetch": False,
        "manager_id": MANAGER_ID,
        "risk_universe_id": RISK_UNIVERSE_ID,
        "label": label,
        "currency": list(CURRENCIES),
        "margin_type": MARGIN_TYPE,
        "is_under_liquidation": float(cash) + maintenance < 0,
        "positions_value": text(in_positions),
        "collaterals_value": text(cash),
        "subaccount_value": text(cash + in_positions),
        "mm_credits": "0",
        "positions_maintenance_margin": _money(maintenance),
        "positions_initial_margin": _money(initial),
        "collaterals_maintenance_margin": text(cash),
        "collaterals_initial_margin": text(cash),
        "maintenance_margin": _money(float(cash) + maintenance),
        "initial_margin": _money(float(cash) + initial),
        "open_orders_margin": _against(orders),
        "projected_margin_change": "0",
        "open_orders": open_orders,
        "positions": positions,
        "collaterals": [collateral(exchange, account)],
        "vault_deposit_holds": [],
    }


def _leverage(exchange: Exchange, account: str, notional: Decimal) -> str | None:
    """Notional by what the subaccount is worth."""
    owned = float(exchange.equity(account, CASH))
    return _money(abs(float(notional)) / owned) if owned > 0 else None


def _liquidation(exchange: Exchange, account: str, held: Position) -> str | None:
    """The mark at which the maintenance margin is used up, all else as it is; None if none is."""
    needs = exchange.margin_of(account, CASH).maintenance
    left = float(exchange.margin_balance(account, CASH)) - needs
    size = float(held.size)
    mark = float(exchange.book(held.listing.name).mark)
    share = exchange.rules.margin.maintenance_share / exchange.rules.margin.max_leverage
    # A move m of the mark changes what is left by size x m less the margin of the new notional.
    slope = size - share * abs(size)
    price = mark - left / slope
    return _money(price) if price > 0 else None


def _against(needed: float) -> str:
    return _money(-needed)


def _money(number: float) -> str:
    return text_of(round(number, 12))
