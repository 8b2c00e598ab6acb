"""The market through 08:00 UTC: what it delivers, settles, lists, and at which price."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from mmbot.sim.exchange.effects import InstrumentChanged, InstrumentState
from mmbot.sim.exchange.ledger import EntryType
from mmbot.sim.exchange.listing import Kind, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.refusals import Refusal
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.market.chain import FAMILIES, future_expiries
from mmbot.sim.market.chain import expiries as calendar
from mmbot.sim.market.flow import NOISE_ACCOUNT
from mmbot.sim.market.market import Market

D = Decimal
EIGHT_MS = 1_749_196_800_000  # 2025-06-06T08:00:00Z, a Friday
MINUTE_MS = 60_000
CALL, PUT, FUTURE = "ETH-6JUN25-2800-C", "ETH-6JUN25-2900-P", "ETH-6JUN25"
LINEAR_CALL = "ETH_USDC-6JUN25-2800-C"
PERPETUAL, LINEAR_PERPETUAL = "ETH-PERPETUAL", "BTC_USDC-PERPETUAL"
LATER = "ETH-13JUN25-2800-C"
BALANCES = {"BTC": D(10), "ETH": D(100), "USDC": D(250_000)}


def a_market(start_ms: int, *names: str, seed: int = 1) -> Market:
    """A market with `me` among its accounts; `names` are watched."""
    exchange = Exchange()
    exchange.open_account("me", BALANCES)
    market = Market(exchange, seed, start_ms)
    for name in names:
        market.watch(name)
    exchange.drain()
    return market


def buy(market: Market, name: str, lots: int = 1) -> None:
    listing = market.exchange.listings[name]
    wish = NewOrder(
        name=name, side=Side.BUY, amount=lots * listing.min_amount, type=OrderType.MARKET
    )
    placed = market.exchange.place("me", wish, market.now_ms)
    assert isinstance(placed, Placed), placed
    assert placed.order.filled > 0


def cash(market: Market, currency: str = "ETH") -> Decimal:
    return market.exchange.accounts["me"].cash[currency]


def test_what_expires_is_delivered_at_the_mean_of_its_index() -> None:
    market = a_market(EIGHT_MS - 32 * MINUTE_MS)
    seen = []
    while market.now_ms < EIGHT_MS:
        market.advance(market.now_ms + 1_000)
        if market.now_ms > EIGHT_MS - 30 * MINUTE_MS:
            seen.append(market.underlyings["ETH"].index)
    assert len(seen) == 1_800
    ((time_ms, delivery),) = market.exchange.delivery_prices["eth_usd"]
    assert time_ms == EIGHT_MS
    assert float(delivery) == pytest.approx(sum(seen) / 1_800, abs=0.0051)
    assert abs(max(seen) - min(seen)) > 1  # it is not just any moment's
    assert market.exchange.expired[CALL].delivery == delivery
    assert market.exchange.delivery_prices["eth_usdc"] == [(EIGHT_MS, delivery)]


def test_inside_the_half_hour_prices_lean_on_the_mean_so_far() -> None:
    market = a_market(EIGHT_MS - 31 * MINUTE_MS)
    market.advance(EIGHT_MS - 10 * MINUTE_MS)
    index = market.index("eth_usd")
    estimate = market.delivery_estimate("eth_usd")
    expected = market.ticker(FUTURE)
    assert expected.delivery_estimate == estimate != index
    # Two thirds of the mean stand; the carry of ten minutes is nothing.
    assert expected.mark_price == pytest.approx(estimate, rel=1e-5)
    option = market.ticker(CALL)
    assert option.underlying_price == pytest.approx(expected.mark_price, abs=0.01)
    assert option.underlying_index == FUTURE
    assert option.greeks is not None
    # At 2800 and 50 points below the money it is all but sure to be exercised: delta 1 x 1/3.
    assert option.greeks.delta == pytest.approx(1 / 3, abs=0.02)
    assert market.ticker(LATER).delivery_estimate == index


def test_the_account_is_paid_what_its_positions_are_worth() -> None:
    market = a_market(EIGHT_MS - 20_000, CALL, PUT, FUTURE, LINEAR_CALL, PERPETUAL)
    exchange = market.exchange
    for name in (CALL, PUT, LINEAR_CALL):
        buy(market, name, 2)
    buy(market, FUTURE, 3_000)
    buy(market, PERPETUAL, 3_000)
    market.advance(EIGHT_MS - 50)
    before = {currency: cash(market, currency) for currency in ("ETH", "USDC")}
    entry_price = exchange.position("me", FUTURE).average_price
    market.advance(EIGHT_MS)
    _, delivery = exchange.delivery_prices["eth_usd"][-1]
    assert 2_800 < delivery < 2_900
    deliveries = {
        entry.name: entry
        for entry in exchange.accounts["me"].log
        if entry.type is EntryType.DELIVERY
    }
    step = D("1E-12")
    call, put = deliveries[CALL], deliveries[PUT]
    assert call.cashflow == (2 * (delivery - 2_800) / delivery).quantize(step)
    assert put.cashflow == (2 * (2_900 - delivery) / delivery).quantize(step)
    assert call.commission == put.commission == D("0.0003")
    future = deliveries[FUTURE]
    assert abs(future.change - (3_000 / entry_price - 3_000 / delivery)) < D("1E-11")
    # 0.2 coin; the fee is 0.015 % of the coin.
    linear = deliveries[LINEAR_CALL]
    assert linear.change == D("0.2") * (delivery - 2_800) - D("0.2") * D("0.00015") * delivery
    settled = [e for e in exchange.accounts["me"].log if e.type is EntryType.SETTLEMENT]
    assert [entry.name for entry in settled] == [PERPETUAL]
    assert cash(market) - before["ETH"] == sum(
        entry.change for entry in (call, put, future, *settled)
    )
    assert cash(market, "USDC") - before["USDC"] == linear.change
    assert list(exchange.accounts["me"].positions) == [PERPETUAL]


def test_the_perpetual_is_settled_at_its_mark_and_trades_on() -> None:
    market = a_market(EIGHT_MS - 5_000, PERPETUAL)
    buy(market, PERPETUAL, 100)
    market.advance(EIGHT_MS)
    exchange = market.exchange
    settled = exchange.settlement_prices[PERPETUAL]
    assert settled == exchange.book(PERPETUAL).mark
    assert "BTC_USDC-PERPETUAL" in exchange.settlement_prices
    assert "ETH-27JUN25" in exchange.settlement_prices
    trades_before = exchange.book(PERPETUAL).trade_seq
    wish = NewOrder(name=PERPETUAL, side=Side.BUY, amount=D(1), price=D(2_000))
    assert isinstance(exchange.place("me", wish, market.now_ms), Refusal)
    market.advance(EIGHT_MS + market.exchange.rules.settlement_pause_ms - 50)
    assert exchange.book(PERPETUAL).trade_seq == trades_before
    market.advance(EIGHT_MS + 60_000)
    assert isinstance(exchange.place("me", wish, market.now_ms), Placed)
    assert exchange.book(PERPETUAL).trade_seq > trades_before
    assert exchange.accounts[NOISE_ACCOUNT].session


def test_the_calendar_rolls_without_a_restart() -> None:
    market = a_market(EIGHT_MS - 1_000)
    exchange = market.exchange
    before = dict(exchange.listings)
    market.advance(EIGHT_MS)
    now = {listing.expiry_ms for listing in exchange.listings.values()}
    for family in FAMILIES.values():
        mine = [one for one in exchange.listings.values() if one.index_name == family.index_name]
        options = {one.expiry_ms for one in mine if one.kind is Kind.OPTION}
        assert options == {
            expiry.time_ms for expiry in calendar(EIGHT_MS) if expiry.period in family.periods
        }
    futures = {one.name for one in exchange.listings.values() if one.kind is Kind.FUTURE}
    assert futures == {
        f"{coin}-{expiry.code}"
        for coin in ("BTC", "ETH")
        for expiry in future_expiries(calendar(EIGHT_MS))
    }
    assert EIGHT_MS not in now
    assert CALL in exchange.expired
    happened = [one for one in exchange.drain() if isinstance(one, InstrumentChanged)]
    created = [one.listing.name for one in happened if one.state is InstrumentState.CREATED]
    closed = [one.listing.name for one in happened if one.state is InstrumentState.CLOSED]
    # The next Friday that had no options yet, and the weekly that now gets a future.
    assert any(name.startswith("ETH-11JUL25-") for name in created)
    assert "ETH-20JUN25" in created
    assert set(closed) == set(before) - set(exchange.listings)
    assert Counter(one.state for one in happened)[InstrumentState.STARTED] == len(created)
    market.watch("ETH-20JUN25")
    assert exchange.book("ETH-20JUN25").best_bid is not None


def test_one_seed_is_one_morning() -> None:
    mornings = []
    for _ in range(2):
        market = a_market(EIGHT_MS - 3_000, CALL, PERPETUAL, seed=4)
        buy(market, CALL)
        market.advance(EIGHT_MS + 4_000)
        mornings.append(repr([market.exchange.drain(), market.exchange.accounts["me"].log]))
    assert mornings[0] == mornings[1]


def test_funding_accrues_on_every_perpetual_watched_or_not() -> None:
    watched, alone = a_market(EIGHT_MS, seed=8), a_market(EIGHT_MS, seed=8)
    for market in (watched, alone):
        market.advance(EIGHT_MS + 15 * MINUTE_MS)
    watched.watch(PERPETUAL)
    for market in (watched, alone):
        market.advance(EIGHT_MS + 15 * MINUTE_MS + 30_000)
    funding = alone.exchange.cumulated_funding
    assert watched.exchange.cumulated_funding == funding
    assert set(funding) == {
        "BTC-PERPETUAL",
        PERPETUAL,
        LINEAR_PERPETUAL,
        "ETH_USDC-PERPETUAL",
        "SOL_USDC-PERPETUAL",
    }


def test_the_basis_moves_slowly_and_orders_the_futures() -> None:
    market = a_market(EIGHT_MS)
    for currency in ("BTC", "ETH"):
        carry = market.underlyings[currency].carry
        assert -0.05 < carry < 0.15
        futures = [
            one
            for one in market.exchange.listings.values()
            if one.kind is Kind.FUTURE and one.underlying == currency
        ]
        marks = [market.ticker(one.name).mark_price for one in futures]
        assert marks == sorted(marks, reverse=carry < 0)
    before = market.underlyings["ETH"].carry
    market.advance(EIGHT_MS + 10 * MINUTE_MS)
    assert 0 < abs(market.underlyings["ETH"].carry - before) < 0.005


def test_money_only_changes_hands_through_a_settlement() -> None:
    names = (CALL, FUTURE, LINEAR_CALL, PERPETUAL, LINEAR_PERPETUAL, LATER)
    market = a_market(EIGHT_MS - 2 * MINUTE_MS, *names, seed=5)
    exchange = market.exchange

    def totals() -> dict[str, Decimal]:
        found = dict.fromkeys(exchange.currencies, D(0))
        accounts = exchange.accounts.values()
        for money in (
            exchange.fees_collected,
            exchange.held,
            *(each for one in accounts for each in (one.cash, one.session, one.funding)),
        ):
            for currency, amount in money.items():
                found[currency] += amount
        for account in accounts:
            for position in account.positions.values():
                if position.listing.kind is not Kind.OPTION:
                    found[position.listing.settlement] -= position.cost
        return found

    before = totals()
    buy(market, CALL)
    market.advance(EIGHT_MS - 1_000)
    assert totals() == before
    market.advance(EIGHT_MS + 3_000)
    assert totals() == before
    assert all(abs(amount) < D("1E-9") for amount in exchange.held.values())
    assert market.watched == [PERPETUAL, LINEAR_PERPETUAL, LATER]
