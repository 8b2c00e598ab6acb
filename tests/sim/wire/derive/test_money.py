"""Money at the simulated Derive: fees, funding, settlement, margin; all of it adds up."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from mmbot.sim.exchange.listing import Charge, FeeBasis, Kind, Side, fee
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market.market import Market
from mmbot.sim.wire.derive.terms import BTC, RULES
from tests.sim.wire.derive.venue import (
    ACCOUNT,
    MAKER,
    OPTION,
    PERPETUAL,
    PUT,
    START_MS,
    Caller,
    Judged,
    Refused,
)

D = Decimal
HOUR_MS = 3_600_000
STEP = D("1E-9")


def subaccount(caller: Caller) -> Any:
    return caller.ask("private/get_subaccount", subaccount_id=caller.judged.subaccount_id)


def cash(caller: Caller) -> Decimal:
    (row,) = subaccount(caller)["collaterals"]
    return D(row["amount"])


def position(caller: Caller, name: str) -> Any:
    (row,) = [one for one in subaccount(caller)["positions"] if one["instrument_name"] == name]
    return row


def take(caller: Caller, name: str, side: Side, amount: str, price: str) -> Any:
    """Trade against somebody else's order; the trade as it is told."""
    judged = caller.judged
    judged.quote(name, side.opposite, amount, price)
    terms = caller.signed(name, side.value, amount, price, time_in_force="ioc")
    (trade,) = caller.ask("private/order", **terms)["trades"]
    return trade


def make(caller: Caller, name: str, side: Side, amount: str, price: str) -> Any:
    """The same with our order resting before."""
    caller.order(name, side.value, amount, price)
    caller.judged.quote(name, side.opposite, amount, price)
    sub = caller.judged.subaccount_id
    return caller.ask("private/get_trade_history", subaccount_id=sub)["trades"][0]


@pytest.fixture
def caller() -> Caller:
    return Judged().caller()


# --- fees -------------------------------------------------------------------------------------


def test_the_fee_of_a_recorded_position_is_reckoned_to_the_last_digit() -> None:
    # ccxt 4.5.90, derive.fetch_positions: 0.01 BTC-PERP bought at 84842.8 for 0.264487131065.
    listing = _listed("BTC-PERP")
    index = D("84829.0436883333333333")
    by_rate = fee(listing, D("0.01"), D("84842.8"), listing.taker_fee, index)
    charge = Charge(listing.taker_fee, listing.fee_basis.base)
    assert (charge.base + by_rate).quantize(D("1E-12")) == D("0.264487131065")
    assert BTC.perpetual is not None
    assert BTC.perpetual.fee_basis == FeeBasis(base=D("0.01"), at_index=True)


def _listed(name: str) -> Any:
    exchange = Exchange(rules=RULES)
    Market(exchange, 1, START_MS)
    return exchange.listings[name]


def test_a_taker_pays_the_rate_at_the_index_and_the_base_fee_once(caller: Caller) -> None:
    judged = caller.judged
    index = judged.exchange.book(PERPETUAL).index
    for price in ("2860", "2861"):
        judged.quote(PERPETUAL, Side.SELL, "1", price)
    terms = caller.signed(PERPETUAL, "buy", "2", "2861", time_in_force="ioc")
    told = caller.ask("private/order", **terms)
    first, second = (D(one["trade_fee"]) for one in told["trades"])
    assert second == (D("0.0003") * index).quantize(D("1E-12"))
    assert first == second + D("0.01")
    assert D(told["order"]["order_fee"]) == first + second


def test_a_maker_pays_its_rate_alone(caller: Caller) -> None:
    index = caller.judged.exchange.book(PERPETUAL).index
    trade = make(caller, PERPETUAL, Side.BUY, "1", "2840")
    assert D(trade["trade_fee"]) == (D("0.0001") * index).quantize(D("1E-12"))


def test_an_options_fee_is_capped_by_its_mark(caller: Caller) -> None:
    index = caller.judged.exchange.book(OPTION).index
    trade = take(caller, OPTION, Side.BUY, "1", "90")
    assert D(trade["trade_fee"]) == (D("0.0004") * index).quantize(D("1E-12")) + D("0.5")
    # 12.5 % of what a put far out of the money is worth is less than the rate of the index.
    cheap = "ETH-20250606-2200-P"
    caller.judged.venue.watch(cheap)
    caller.judged.market.unwatch(cheap)
    mark = caller.judged.exchange.book(cheap).mark
    assert 0 < mark * D("0.125") < D("0.0004") * index
    trade = take(caller, cheap, Side.BUY, "1", "5")
    assert D(trade["trade_fee"]) == (D("0.125") * mark).quantize(D("1E-12")) + D("0.5")


# --- positions --------------------------------------------------------------------------------


def test_a_premium_is_cash_at_once_and_the_option_is_worth_its_mark(caller: Caller) -> None:
    trade = take(caller, OPTION, Side.BUY, "2", "90")
    fees = D(trade["trade_fee"])
    assert cash(caller) == D(250_000) - 180 - fees
    row = position(caller, OPTION)
    mark = caller.judged.exchange.book(OPTION).mark
    assert (row["amount"], row["average_price_excl_fees"]) == ("2", "90")
    assert D(row["average_price"]) == 90 + fees / 2
    assert D(row["mark_value"]) == 2 * mark
    assert D(row["unrealized_pnl"]) == 2 * mark - 180 - fees
    assert row["net_settlements"] == "0"
    whole = subaccount(caller)
    assert D(whole["subaccount_value"]) == cash(caller) + 2 * mark


def test_what_a_perpetual_realizes_is_cash_with_the_trade(caller: Caller) -> None:
    bought = take(caller, PERPETUAL, Side.BUY, "2", "2860")
    sold = take(caller, PERPETUAL, Side.SELL, "1", "2870")
    fees = D(bought["trade_fee"]) + D(sold["trade_fee"])
    assert cash(caller) == D(250_000) + 10 - fees
    assert D(sold["realized_pnl_excl_fees"]) == 10
    assert D(sold["realized_pnl"]) == 10 - D(bought["trade_fee"]) / 2 - D(sold["trade_fee"])
    row = position(caller, PERPETUAL)
    assert (row["amount"], row["average_price_excl_fees"]) == ("1", "2860")
    assert D(row["total_fees"]) == fees


def test_a_position_that_turns_begins_anew_at_the_price_it_turned_at(caller: Caller) -> None:
    take(caller, PERPETUAL, Side.BUY, "1", "2860")
    turned = take(caller, PERPETUAL, Side.SELL, "3", "2850")
    row = position(caller, PERPETUAL)
    assert (row["amount"], row["average_price_excl_fees"]) == ("-2", "2850")
    assert D(turned["realized_pnl_excl_fees"]) == -10
    # Of the turning trade's fee, two thirds are those of entering the new position.
    entered = 2850 - D(turned["trade_fee"]) * 2 / 3 / 2
    assert abs(D(row["average_price"]) - entered) < STEP


def test_every_hour_open_profit_and_funding_are_settled() -> None:
    judged = Judged(start_ms=START_MS + HOUR_MS - 2_000)
    caller = judged.caller()
    sub = judged.subaccount_id
    caller.subscribe(f"{sub}.balances")
    take(caller, PERPETUAL, Side.BUY, "10", "2860")
    before = cash(caller)
    caller.pushes.clear()
    judged.venue.market_moves = True
    judged.pass_time(2_000)
    (rows,) = caller.told(f"{sub}.balances")
    (row,) = rows
    assert (row["name"], row["update_type"]) == ("USDC", "perp_settlement")
    assert D(row["previous_balance"]) == before
    assert cash(caller) == D(row["new_balance"])
    (event,) = caller.ask("private/get_funding_history", subaccount_id=sub)["events"]
    assert D(event["pnl"]) + D(event["funding"]) == cash(caller) - before
    held = position(caller, PERPETUAL)
    # Where it was entered is what it was; what it is worth is what has come since.
    assert held["average_price_excl_fees"] == "2860"
    assert D(held["mark_value"]) == (
        D(held["unrealized_pnl"]) - D(held["net_settlements"]) + D(held["pending_funding"])
    )
    assert abs(D(held["mark_value"])) < 1


def test_an_option_is_settled_in_cash_at_the_mean_of_the_half_hour() -> None:
    judged = Judged(start_ms=1_749_196_797_000)  # 07:59:57 on the day it ends
    caller = judged.caller()
    sub = judged.subaccount_id
    caller.subscribe(f"{sub}.balances")
    take(caller, OPTION, Side.BUY, "2", "60")
    take(caller, PUT, Side.SELL, "1", "5")
    before = cash(caller)
    caller.pushes.clear()
    judged.venue.market_moves = True
    judged.pass_time(4_000)
    told = caller.ask("public/get_option_settlement_prices", currency="ETH")["expiries"]
    price = D({one["expiry_date"]: one["price"] for one in told}["20250606"])
    paid = 2 * max(price - 2800, D(0)) - max(2800 - price, D(0))
    assert paid
    assert cash(caller) == before + paid
    assert subaccount(caller)["positions"] == []
    updates = [row["update_type"] for rows in caller.told(f"{sub}.balances") for row in rows]
    assert "option_settlement" in updates
    settled = caller.ask("private/get_option_settlement_history", subaccount_id=sub)
    amounts = {one["instrument_name"]: one["amount"] for one in settled["settlements"]}
    assert amounts == {OPTION: "2", PUT: "-1"}
    gone = caller.ask("public/get_instrument", instrument_name=OPTION)
    assert gone["is_active"] is False
    assert D(gone["option_details"]["settlement_price"]) == price
    assert caller.refusal("private/order", **caller.signed(OPTION, "buy", "1", "50")) == 11021


# --- margin -----------------------------------------------------------------------------------


def test_margin_is_told_as_what_is_left(caller: Caller) -> None:
    take(caller, PERPETUAL, Side.BUY, "10", "2860")
    whole, row = subaccount(caller), position(caller, PERPETUAL)
    notional = 10 * float(caller.judged.exchange.book(PERPETUAL).mark)
    assert float(row["initial_margin"]) == pytest.approx(-0.066 * notional)
    assert float(row["maintenance_margin"]) == pytest.approx(-0.05 * notional)
    for kind in ("initial", "maintenance"):
        parts = (f"collaterals_{kind}_margin", f"positions_{kind}_margin")
        left = sum(float(whole[part]) for part in parts)
        assert float(whole[f"{kind}_margin"]) == pytest.approx(left)
    assert whole["open_orders_margin"] == "0"
    caller.order(PERPETUAL, "buy", "10", "2500")
    assert float(subaccount(caller)["open_orders_margin"]) == pytest.approx(-0.066 * notional)


def test_a_position_is_liquidated_where_its_maintenance_margin_is_gone(caller: Caller) -> None:
    take(caller, PERPETUAL, Side.BUY, "300", "2860")
    row = position(caller, PERPETUAL)
    price = float(row["liquidation_price"])
    mark = float(row["mark_price"])
    value = float(subaccount(caller)["subaccount_value"])
    assert 0 < price < mark
    # At that mark the whole value is just the maintenance margin of the position.
    assert value - 300 * (mark - price) == pytest.approx(0.05 * 300 * price)
    assert float(row["leverage"]) == pytest.approx(300 * mark / value)


# --- all of it --------------------------------------------------------------------------------


def test_money_is_only_ever_moved_and_the_venues_word_adds_up() -> None:
    judged = Judged(start_ms=1_749_196_500_000, seed=3)  # 07:55 on a day when options end
    judged.venue.market_moves = True
    caller, draw = judged.caller(), Random(5)
    exchange = judged.exchange
    for _ in range(60):
        name, side = draw.choice((OPTION, PUT, PERPETUAL)), draw.choice(tuple(Side))
        if name not in exchange.listings:
            continue
        tick = exchange.terms(name).tick
        price = exchange.book(name).mark // tick * tick + draw.randrange(-30, 30) * tick
        amount = str(D(draw.randrange(1, 30)) / 10)
        if price > 0:
            with suppress(Refused):  # the crowd may have been faster
                draw.choice((take, make))(caller, name, side, amount, str(price))
        judged.pass_time(8_000, 1_000)
        _adds_up(judged, caller)
    assert len(exchange.accounts[ACCOUNT].trades) > 30
    assert judged.now_ms > 1_749_196_800_000


def _adds_up(judged: Judged, caller: Caller) -> None:
    exchange = judged.exchange
    whole = subaccount(caller)
    value = D(whole["subaccount_value"])
    assert abs(value - exchange.equity(ACCOUNT, "USDC")) < STEP
    assert value == D(whole["collaterals_value"]) + D(whole["positions_value"])
    told = sum((D(one["mark_value"]) for one in whole["positions"]), D(0))
    assert abs(told - D(whole["positions_value"])) < STEP
    for one in whole["positions"]:
        if one["instrument_type"] == "perp":
            parts = D(one["unrealized_pnl"]) - D(one["net_settlements"])
            assert abs(D(one["mark_value"]) - parts - D(one["pending_funding"])) < STEP
    # Between two accounts, the fees and what is held: nothing is made, nothing lost.
    accounts = [one for one in exchange.accounts.values() if one.name in (ACCOUNT, MAKER)]
    crowd = [one for one in exchange.accounts.values() if one not in accounts]
    total = sum(
        (
            one.cash.get("USDC", D(0))
            + one.session.get("USDC", D(0))
            + one.funding.get("USDC", D(0))
            - sum(p.cost for p in one.positions.values() if p.listing.kind is not Kind.OPTION)
            for one in (*accounts, *crowd)
        ),
        D(0),
    )
    total += exchange.fees_collected.get("USDC", D(0)) + exchange.held.get("USDC", D(0))
    opened = D(250_000) + D(10**9) + len(crowd) * D(10**9)
    assert abs(total - opened) < STEP
