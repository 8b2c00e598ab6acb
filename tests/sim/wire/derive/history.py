"""A morning at the simulated Derive, without sockets: every frame it sends is judged.

`morning` plays it: orders, fills, protection, positions, an hour's end, an expiry and a settlement
on the chain. A new method needs one request in `EVERYTHING`, a new channel one name in `CHANNELS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.manner import Manner
from tests.sim.wire.derive.venue import OWNER, PERPETUAL, Caller, Judged

Json = dict[str, Any]

BEFORE_EIGHT_MS: Final = 1_749_196_797_000  # 2025-06-06T07:59:57Z, a Friday
ENDING: Final = "ETH-20250606-2500-C"  # ends at eight
LATER: Final = "ETH-20250613-2800-C"
NAMES: Final = (ENDING, LATER, PERPETUAL)
NO_ORDER: Final = "00000000-0000-4000-8000-000000000000"

# What is asked at any time, about everything: method -> the parameters of each request. `sub` is
# the subaccount.
SUB: Final[Json] = {"subaccount_id": 130_837}
WALLET: Final[Json] = {"wallet": OWNER}
EVERYTHING: Final[Mapping[str, tuple[Json, ...]]] = {
    "public/get_time": ({},),
    "public/getRateLimits": ({},),
    "public/get_all_instruments": (
        *({"instrument_type": kind, "expired": False} for kind in ("erc20", "perp")),
        {"instrument_type": "option", "expired": False, "page": 2, "page_size": 1_000},
        {"instrument_type": "option", "expired": True, "currency": "ETH", "page_size": 1_000},
    ),
    "public/get_all_live_instruments": ({},),
    "public/get_instrument": tuple({"instrument_name": name} for name in (*NAMES, "ETH-USDC")),
    "public/get_ticker": tuple({"instrument_name": name} for name in NAMES),
    "public/get_tickers": (
        {"instrument_type": "perp"},
        {"instrument_type": "option", "currency": "ETH", "expiry_date": 20250613},
    ),
    "public/get_trade_history": ({}, {"instrument_name": PERPETUAL}, {"currency": "ETH"}),
    "public/get_option_settlement_prices": ({"currency": "ETH"},),
    "public/get_funding_rate_history": ({"instrument_name": PERPETUAL},),
    "public/get_all_currencies": ({},),
    "public/get_currency": ({"currency": "ETH"}, {"currency": "USDC"}),
    "public/get_liquidation_history": ({},),
    "public/get_wallets_from_session_key": ({"public_session_key": OWNER},),
    "private/get_account": (WALLET,),
    "private/get_subaccounts": (WALLET,),
    "private/get_subaccount": (SUB,),
    "private/get_all_portfolios": (WALLET,),
    "private/get_positions": (SUB,),
    "private/get_collaterals": (SUB,),
    "private/session_keys": (WALLET,),
    "private/get_open_orders": (SUB,),
    "private/get_trigger_orders": (SUB,),
    "private/get_algo_orders": (SUB,),
    "private/get_order_history": (SUB, WALLET, SUB | {"page": 1, "page_size": 2}),
    "private/get_trade_history": (SUB, WALLET, SUB | {"instrument_name": PERPETUAL}),
    "private/get_funding_history": (SUB, WALLET),
    "private/get_option_settlement_history": (SUB, WALLET),
    "private/get_interest_history": (SUB,),
    "private/get_deposit_history": (SUB,),
    "private/get_withdrawal_history": (SUB,),
    "private/get_erc20_transfer_history": (SUB,),
    "private/get_mmp_config": (SUB, SUB | {"currency": "ETH"}),
    "private/change_subaccount_label": (SUB | {"label": "makers"},),
    "private/cancel_all_trigger_orders": (SUB,),
    "private/cancel_all_algo_orders": (SUB,),
}
CHANNELS: Final = (
    *(
        channel.format(name)
        for name in NAMES
        for channel in (
            "orderbook.{}.1.10",
            "orderbook.{}.10.100",
            "ticker_slim.{}.100",
            "ticker_slim.{}.1000",
            "trades.{}",
        )
    ),
    "trades.option.ETH",
    "trades.perp.ETH",
    "trades.perp.ETH.Settled",
    "spot_feed.ETH",
    *(f"130837.{kind}" for kind in ("orders", "trades", "balances", "trades.Settled")),
    "130837.quotes",
    "130837.best.quotes",
    f"{OWNER}.rfqs",
    "auctions.watch",
    "margin.watch",
)
TOLD: Final = frozenset(
    {
        "orderbook.{instrument_name}.{group}.{depth}",
        "ticker_slim.{instrument_name}.{interval}",
        "trades.{instrument_name}",
        "trades.{instrument_type}.{currency}",
        "trades.{instrument_type}.{currency}.{batch_status}",
        "spot_feed.{currency}",
        "{subaccount_id}.orders",
        "{subaccount_id}.trades",
        "{subaccount_id}.trades.{batch_status}",
        "{subaccount_id}.balances",
    }
)
"""The channels that have something to say; the others are of auctions and quotes on request."""


@cache
def morning(manner: Manner = Manner.PLAIN, seed: int = 1) -> Judged:
    """Play it once; the tests share what was noted."""
    judged = Judged(manner=manner, manner_seed=seed, start_ms=BEFORE_EIGHT_MS, quiet=False)
    caller = judged.caller()
    status = caller.subscribe(*CHANNELS)
    assert set(status.values()) == {"ok"}, status
    caller.ask("private/set_cancel_on_disconnect", enabled=True)
    judged.pass_time(200)
    _trade(judged, caller)
    _ask_everything(caller)
    judged.pass_time(4_000)  # over eight
    _trade(judged, caller, names=(LATER, PERPETUAL))
    judged.pass_time(12_000)  # and onto the chain
    over_http = judged.caller(rest=True)
    _ask_everything(over_http)
    _refused(caller)
    caller.ask("unsubscribe", channels=list(CHANNELS[:2]))
    caller.ask("unsubscribe")
    return judged


def _ask_everything(caller: Caller) -> None:
    for method, requests in EVERYTHING.items():
        for params in requests:
            caller.ask(method, **params)


def _trade(judged: Judged, caller: Caller, names: tuple[str, ...] = NAMES) -> None:
    """Every kind of order and of end."""
    sub = judged.subaccount_id
    config = {"mmp_interval": 10_000, "mmp_frozen_time": 1_000, "mmp_amount_limit": "0.5"}
    caller.ask("private/set_mmp_config", subaccount_id=sub, currency="ETH", **config)
    for name in names:
        price = judged.exchange.book(name).mark
        tick = judged.exchange.terms(name).tick
        reach = 200 if name == PERPETUAL else 20  # its makers want their fee back
        low = str(price // tick * tick - reach * tick)
        high = str(price // tick * tick + 2 * reach * tick)
        caller.ask("private/order_debug", **caller.signed(name, "buy", "0.2", low))
        caller.order(name, "buy", "0.2", high, time_in_force="ioc")
        caller.order(name, "sell", "0.1", low, order_type="market")
        made = caller.order(name, "buy", "0.1", low, label="mine")
        caller.ask("private/get_order", subaccount_id=sub, order_id=made["order_id"])
        moved = caller.ask(
            "private/replace",
            **caller.signed(name, "buy", "0.1", low, label="mine"),
            order_id_to_cancel=made["order_id"],
        )
        failed = caller.ask(
            "private/replace",
            **caller.signed(name, "buy", "0.1", high, time_in_force="post_only"),
            order_id_to_cancel=moved["order"]["order_id"],
        )
        assert failed["create_order_error"] is not None
        slid = {"time_in_force": "post_only", "reject_post_only": False}
        made = caller.order(name, "buy", "0.1", high, **slid)
        caller.ask(
            "private/cancel", subaccount_id=sub, instrument_name=name, order_id=made["order_id"]
        )
        made = caller.order(name, "buy", "0.1", low)
        by_nonce = {"instrument_name": name, "nonce": int(made["nonce"])}
        caller.ask("private/cancel_by_nonce", subaccount_id=sub, **by_nonce)
        protected = caller.order(name, "sell", "1", high, mmp=True)
        judged.quote(name, Side.BUY, "0.6", protected["limit_price"])
        caller.ask("private/reset_mmp", subaccount_id=sub, currency="ETH")
        caller.order(name, "buy", "0.1", low, label="mine")
        caller.ask("private/cancel_by_label", subaccount_id=sub, label="mine", instrument_name=name)
        caller.ask("private/cancel_by_label", subaccount_id=sub, label="mine")
        caller.order(name, "buy", "0.1", low)
        caller.ask("private/cancel_by_instrument", subaccount_id=sub, instrument_name=name)
    caller.ask("private/cancel_all", subaccount_id=sub)
    for name in names:
        caller.order(name, "buy", "0.1", str(judged.exchange.terms(name).tick * 2))


def _refused(caller: Caller) -> None:
    """One request for every way to say no."""
    sub = caller.judged.subaccount_id
    no_order = {"instrument_name": PERPETUAL, "order_id": NO_ORDER}
    for method, params in (
        ("public/no_such_method", {}),
        ("public/get_ticker", {"instrument_name": "ETH-NOTHING"}),
        ("public/get_ticker", {}),
        ("public/get_currency", {"currency": "DOGE"}),
        ("private/get_positions", {"subaccount_id": 7}),
        ("private/cancel", {"subaccount_id": sub, **no_order}),
        ("private/order", caller.signed(PERPETUAL) | {"limit_price": "2501"}),
    ):
        assert caller.refusal(method, **params), method
