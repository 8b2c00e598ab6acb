"""Other people's things on the account and at the venue, of kinds that nobody has heard of.

The rows have the fields that recorded ones of their kind have. They change no balance and no
position: whoever leaves them out counts right.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

Json = dict[str, Any]

DAY_MS: Final = 86_400_000
BASKET: Final = "perpetual_basket_thing"
STRANGE_ID: Final = 900_000_000_000_000  # above every id that the venue gives


def _listing(name: str, kind: str, **more: Any) -> Json:
    row: Json = {
        "instrument_name": name,
        "instrument_id": STRANGE_ID + len(name),
        "kind": kind,
        "state": "open",
        "is_active": True,
        "base_currency": "ETH",
        "quote_currency": "USD",
        "counter_currency": "USD",
        "tick_size": 0.05,
        "tick_size_steps": [],
        "contract_size": 1.0,
        "min_trade_amount": 1.0,
        "maker_commission": 0.0,
        "taker_commission": 0.0,
        "creation_timestamp": 1_748_800_000_000,
    }
    return row | more


_COMBO: Final[Json] = {
    "price_index": "eth_usd",
    "instrument_type": "reversed",
    "settlement_currency": "ETH",
    "settlement_period": "week",
    "expiration_timestamp": 1_749_801_600_000,
}
LISTINGS: Final = (
    _listing(
        "ETH_USDC",
        "spot",
        quote_currency="USDC",
        counter_currency="USDC",
        instrument_type="linear",
        min_trade_amount=0.0001,
        contract_size=0.0001,
        tick_size=0.01,
    ),
    _listing("ETH-FS-13JUN25_PERP", "future_combo", **_COMBO),
    _listing(
        "ETH-CS-13JUN25-2800_2900",
        "option_combo",
        **(_COMBO | {"quote_currency": "ETH", "tick_size": 0.0001}),
    ),
    _listing("DEFI-BASKET-9", BASKET, base_currency="DEFI", price_index="defi_usd", strike=None),
)


def listings(random: Random, rows: list[Json]) -> None:
    """Kinds of instrument that the bot does not trade, between those that it does."""
    known = {row["instrument_name"] for row in rows}
    for row in LISTINGS:
        if row["instrument_name"] not in known:
            rows.insert(random.randrange(len(rows) + 1), dict(row))


def currencies(_random: Random, rows: list[Json]) -> None:
    """A currency that is new."""
    rows.append(
        {
            "currency": "DEFI",
            "currency_long": "Basket",
            "coin_type": "BASKET",
            "withdrawal_fee": 0.0,
            "in_cross_collateral_pool": False,
        }
    )


def open_orders(random: Random, rows: list[Json]) -> None:
    """Stop orders that other people left there, untriggered."""
    for number, kind in enumerate(("stop_market", "stop_limit", "trailing_stop", "unheard_of")):
        row: Json = {
            "order_id": f"ETH-SL{kind[:2].upper()}-{77_120 + number}",
            "order_type": kind,
            "order_state": "untriggered",
            "instrument_name": "ETH-PERPETUAL",
            "direction": "sell",
            "price": 2_350.0 if kind == "stop_limit" else "market_price",
            "amount": 50.0,
            "max_show": 50.0,
            "label": "",
            "trigger": "index_price",
            "trigger_price": 2_400.0,
            "triggered": False,
            "time_in_force": "good_til_cancelled",
            "post_only": False,
            "reduce_only": True,
            "risk_reducing": False,
            "replaced": False,
            "mmp": False,
            "api": False,
            "web": True,
            "is_liquidation": False,
            "creation_timestamp": 1_748_865_600_000,
            "last_update_timestamp": 1_748_865_600_000,
        }
        rows.insert(random.randrange(len(rows) + 1), row)


def positions(random: Random, rows: list[Json]) -> None:
    """Holdings of kinds that the bot does not trade."""
    basket: Json = {
        "instrument_name": "DEFI-BASKET-9",
        "kind": BASKET,
        "direction": "buy",
        "size": 3.0,
        "average_price": None,
        "mark_price": "12.5",
        "index_price": 12.4,
        "delta": 3.0,
        "initial_margin": 0.0,
        "maintenance_margin": 0.0,
        "floating_profit_loss": 0.1,
        "total_profit_loss": 0.1,
    }
    combo = basket | {"instrument_name": "ETH-FS-13JUN25_PERP", "kind": "future_combo"}
    combo |= {"size": 0.0, "direction": "zero", "mark_price": None}
    for row in (basket, combo):
        rows.insert(random.randrange(len(rows) + 1), row)


def log(random: Random, page: Json) -> None:
    """Entries that are neither a trade nor a settlement; they moved nothing."""
    kinds = ("correction", "negative_balance_fee", "usdc_reward", "unheard_of")
    for number, kind in enumerate(kinds):
        row: Json = {
            "id": STRANGE_ID + number,
            "user_seq": STRANGE_ID + number,
            "user_id": 1,
            "username": "me",
            "type": kind,
            "currency": "ETH",
            "timestamp": 1_748_865_600_000 + number,
            "commission": None,
            "cashflow": 0.0,
            "change": 0.0,
            "balance": 0.0,
            "equity": 0.0,
            "instrument_name": None,
            "position": None,
            "price": None,
            "side": "-",
            "trade_id": None,
            "order_id": None,
            "interest_pl": None,
            "info": {"note": kind} if number % 2 else "Source: api",
        }
        page["logs"].insert(random.randrange(len(page["logs"]) + 1), row)


def news(random: Random, now_ms: int) -> Json:
    """Of the listing of a combo, as there is every few minutes."""
    strike = random.randrange(20, 40) * 100
    return {
        "timestamp": now_ms,
        "state": random.choice(("created", "started", "paused", "unheard_of")),
        "instrument_name": f"ETH-CS-13JUN25-{strike}_{strike + 100}",
    }
