"""Funding, session settlement and delivery, in numbers worked out by hand for every kind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.sim.exchange.effects import AccountChange, InstrumentChanged
from mmbot.sim.exchange.funding import Funding
from mmbot.sim.exchange.ledger import Entry, EntryType
from mmbot.sim.exchange.listing import Kind, Listing, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason, OrderState
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.exchange.settlement import deliver, settle_session
from tests.sim.products import (
    CALL,
    COINS,
    DAILY_CALL,
    EVERYTHING,
    FRIDAY,
    FUTURE,
    LINEAR_CALL,
    LINEAR_PERPETUAL,
    MARKS,
    PERPETUAL,
    PUT,
    THURSDAY,
    an_exchange,
    trade,
)

D = Decimal


def cash(exchange: Exchange, account: str = "ann", currency: str = "ETH") -> Decimal:
    """What the account has gained in cash."""
    return exchange.accounts[account].cash[currency] - COINS[currency]


def gained(exchange: Exchange, account: str = "ann", currency: str = "ETH") -> Decimal:
    """What the account has gained in equity."""
    return exchange.equity(account, currency) - COINS[currency]


def the_log(exchange: Exchange, account: str = "ann") -> list[Entry]:
    return list(exchange.accounts[account].log)


class TestByHand:
    def test_an_inverse_future_there_and_back(self) -> None:
        exchange = an_exchange()
        trade(exchange, FUTURE, Side.BUY, "3000", "2500")
        trade(exchange, FUTURE, Side.SELL, "3000", "3000")
        # 3000 USD x (1/2500 - 1/3000) = 1.2 - 1 = 0.2 ETH; taker fees 0.05 % of 1.2 and of 1 ETH.
        assert gained(exchange) == D("0.2") - D("0.0006") - D("0.0005")
        # Bob loses it, and as the maker of a weekly future is paid 0.01 % of 1.2 and of 1 ETH.
        assert gained(exchange, "bob") == D("-0.2") + D("0.00012") + D("0.0001")
        assert cash(exchange) == D("-0.0011")
        settle_session(exchange, 0)
        assert cash(exchange) == D("0.1989")

    def test_an_inverse_future_is_closed_at_the_delivery_price(self) -> None:
        exchange = an_exchange()
        trade(exchange, FUTURE, Side.BUY, "3000", "2500")
        deliver(exchange, FUTURE.name, D(2400), FRIDAY.time_ms)
        # 3000 x (1/2500 - 1/2400) = 1.2 - 1.25 = -0.05 ETH, less the fee of the trade.
        assert cash(exchange) == gained(exchange) == D("-0.05") - D("0.0006")
        assert exchange.accounts["ann"].positions == {}
        entry = the_log(exchange)[-1]
        assert entry.type is EntryType.DELIVERY
        assert (entry.price, entry.position) == (D(2400), D(0))
        assert (entry.cashflow, entry.change, entry.commission) == (D("-0.05"), D("-0.05"), D(0))

    def test_the_profit_of_the_session_before_delivery_is_paid_with_it(self) -> None:
        exchange = an_exchange()
        trade(exchange, FUTURE, Side.BUY, "3000", "2500")
        trade(exchange, FUTURE, Side.SELL, "1500", "3000")
        deliver(exchange, FUTURE.name, D(2400), FRIDAY.time_ms)
        # Half of each: 0.1 - 0.025; fees 0.0006 and 0.00025.
        assert cash(exchange) == D("0.075") - D("0.00085")
        assert exchange.accounts["ann"].session["ETH"] == 0

    def test_eight_hours_of_funding_on_an_inverse_perpetual(self) -> None:
        exchange = an_exchange()
        # 28,500 USD at an index of 2850 are 10 ETH.
        trade(exchange, PERPETUAL, Side.BUY, "28500", "2850")
        exchange.set_mark(PERPETUAL.name, D(2850), index=D(2850))
        funding = Funding(PERPETUAL, 0, 2850)
        for second in range(1, 8 * 3_600 + 1):
            # A premium of 0.035 %: max(0.025 %, P) + min(-0.025 %, P) = 0.01 % for 8 hours.
            exchange.accrue_funding(PERPETUAL.name, funding.accrue(second * 1_000, 0.00035, 2850))
        # 0.01 % of 10 ETH is 0.001 ETH, from the long to the short.
        fee = D("0.005")  # 0.05 % of 10 ETH
        assert exchange.funding_of("ann", PERPETUAL.name) == pytest.approx(
            D("-0.001"), abs=D("1E-11")
        )
        assert gained(exchange) == pytest.approx(-fee - D("0.001"), abs=D("1E-11"))
        assert gained(exchange, "bob") == pytest.approx(D("0.001"), abs=D("1E-11"))
        assert cash(exchange) == -fee
        settle_session(exchange, 8 * 3_600_000)
        assert cash(exchange) == pytest.approx(-fee - D("0.001"), abs=D("1E-11"))
        assert exchange.session_funding("ann", "ETH") == 0
        entry = the_log(exchange)[-1]
        assert entry.type is EntryType.SETTLEMENT
        assert entry.interest_pl == entry.total_interest_pl == entry.change
        assert entry.change == pytest.approx(D("-0.001"), abs=D("1E-11"))
        assert entry.session_rpl == 0

    @pytest.mark.parametrize(
        ("listing", "delivery", "paid", "fee"),
        [
            # 2 x (2800 - 2500) / 2800 = 600 / 2800; fee 2 x 0.00015.
            (CALL, "2800", "0.214285714286", "0.0003"),
            (CALL, "2400", "0", "0"),
            # 2 x (2500 - 2000) / 2000.
            (PUT, "2000", "0.5", "0.0003"),
            (PUT, "2600", "0", "0"),
            # 2 / 2501; 12.5 % of that is less than 0.0003.
            (CALL, "2501", "0.000799680128", "0.000099960016"),
            # Dailies are delivered for nothing.
            (DAILY_CALL, "2800", "0.214285714286", "0"),
        ],
    )
    def test_inverse_options_pay_in_coin(
        self, listing: Listing, delivery: str, paid: str, fee: str
    ) -> None:
        exchange = an_exchange()
        trade(exchange, listing, Side.BUY, "2", "0.03")
        bought = D("0.06") + D("0.0006")  # the premium, and 0.0003 a coin
        sold = D("0.06") - D("0.0006")
        deliver(exchange, listing.name, D(delivery), FRIDAY.time_ms)
        assert cash(exchange) == gained(exchange) == -bought + D(paid) - D(fee)
        assert cash(exchange, "bob") == sold - D(paid) - D(fee)
        entry = the_log(exchange)[-1]
        assert (entry.cashflow, entry.commission, entry.position) == (D(paid), D(fee), D(0))
        assert (entry.side, entry.index) == ("close sell", D(delivery))
        assert the_log(exchange, "bob")[-1].side == "close buy"

    def test_a_linear_option_pays_in_usdc(self) -> None:
        exchange = an_exchange()
        trade(exchange, LINEAR_CALL, Side.BUY, "0.5", "75")
        # Half a coin at 75 USDC; fee 0.03 % of the index of 2500 a coin.
        assert cash(exchange, currency="USDC") == D("-37.5") - D("0.375")
        deliver(exchange, LINEAR_CALL.name, D(2800), FRIDAY.time_ms)
        # 0.5 x 300; fee 0.5 x 0.015 % of 2800.
        assert cash(exchange, currency="USDC") == D("-37.875") + D(150) - D("0.21")
        assert cash(exchange) == 0

    def test_a_linear_perpetual_there_and_back(self) -> None:
        exchange = an_exchange()
        trade(exchange, LINEAR_PERPETUAL, Side.BUY, "0.02", "100000")
        trade(exchange, LINEAR_PERPETUAL, Side.SELL, "0.02", "101500")
        # 0.02 x 1500 USDC; taker fees 0.05 % of 2000 and of 2030 USDC.
        assert gained(exchange, currency="USDC") == D(30) - D(1) - D("1.015")
        assert cash(exchange, currency="USDC") == D("-2.015")
        settle_session(exchange, 0)
        assert cash(exchange, currency="USDC") == D("27.985")

    def test_funding_of_a_linear_perpetual_is_in_usdc(self) -> None:
        exchange = an_exchange()
        trade(exchange, LINEAR_PERPETUAL, Side.SELL, "0.02", "100000")
        # A rate of -0.1 % for a whole period: shorts pay 0.001 x 100,000 = 100 USDC a coin.
        exchange.accrue_funding(LINEAR_PERPETUAL.name, D("-100"))
        assert exchange.funding_of("ann", LINEAR_PERPETUAL.name) == -2
        assert exchange.funding_of("bob", LINEAR_PERPETUAL.name) == 2

    def test_the_delivery_fee_is_a_setting(self) -> None:
        exchange = an_exchange(rate=D("0.001"), cap=D("0.5"), dailies_free=False)
        trade(exchange, DAILY_CALL, Side.BUY, "2", "0.03")
        deliver(exchange, DAILY_CALL.name, D(2800), THURSDAY.time_ms)
        assert the_log(exchange)[-1].commission == D("0.002")


class TestFunding:
    def test_it_accrues_on_what_is_held_when_it_falls_due(self) -> None:
        exchange = an_exchange()
        name = PERPETUAL.name
        exchange.accrue_funding(name, D("0.001"))
        trade(exchange, PERPETUAL, Side.BUY, "100", "2500")
        exchange.accrue_funding(name, D("0.001"))
        trade(exchange, PERPETUAL, Side.BUY, "200", "2500")
        exchange.accrue_funding(name, D("0.001"))
        trade(exchange, PERPETUAL, Side.SELL, "300", "2500")
        exchange.accrue_funding(name, D("0.001"))
        # Nothing before, then 100, then 300 USD, then nothing.
        assert exchange.funding_of("ann", name) == D("-0.1") - D("0.3")
        # What was earned stays with the session although the position is gone.
        assert exchange.accounts["ann"].funding["ETH"] == D("-0.4")
        assert exchange.accounts["bob"].funding["ETH"] == D("0.4")

    def test_it_is_part_of_equity_and_margin_at_once(self) -> None:
        exchange = an_exchange()
        trade(exchange, PERPETUAL, Side.BUY, "100", "2500")
        before = exchange.equity("ann", "ETH"), exchange.margin_balance("ann", "ETH")
        exchange.accrue_funding(PERPETUAL.name, D("0.001"))
        after = exchange.equity("ann", "ETH"), exchange.margin_balance("ann", "ETH")
        assert [a - b for a, b in zip(after, before, strict=True)] == [D("-0.1"), D("-0.1")]


class TestSession:
    def test_open_profit_and_the_entry_price_stay(self) -> None:
        exchange = an_exchange()
        trade(exchange, PERPETUAL, Side.BUY, "2500", "2000")
        before = exchange.equity("ann", "ETH")
        settle_session(exchange, 0)
        position = exchange.position("ann", PERPETUAL.name)
        assert position.average_price == 2000
        assert position.unrealized(D(2500)) == D("0.25")
        assert exchange.equity("ann", "ETH") == before
        assert exchange.settlement_prices[PERPETUAL.name] == 2500

    def test_a_position_closed_in_the_session_is_forgotten_after_it(self) -> None:
        exchange = an_exchange()
        trade(exchange, PERPETUAL, Side.BUY, "2500", "2000")
        trade(exchange, PERPETUAL, Side.SELL, "2500", "2500")
        assert exchange.accounts["ann"].positions[PERPETUAL.name].realized == D("0.25")
        settle_session(exchange, 5)
        assert exchange.accounts["ann"].positions == {}
        settled = exchange.accounts["ann"].settlements[-1]
        assert (settled.session_profit, settled.position) == (D("0.25"), D(0))
        settle_session(exchange, 6)
        assert len(exchange.accounts["ann"].settlements) == 1

    def test_what_options_realized_is_cash_already_and_counted_anew(self) -> None:
        exchange = an_exchange()
        trade(exchange, CALL, Side.BUY, "2", "0.03")
        trade(exchange, CALL, Side.SELL, "1", "0.04")
        position = exchange.position("ann", CALL.name)
        before = cash(exchange)
        assert position.realized == D("0.01")
        settle_session(exchange, 0)
        assert position.realized == 0
        assert (position.size, position.average_price) == (D(1), D("0.03"))
        assert cash(exchange) == before
        assert the_log(exchange)[-1].type is EntryType.TRADE


class TestTheEndOfAnInstrument:
    def test_its_orders_are_cancelled_and_everybody_is_told(self) -> None:
        exchange = an_exchange()
        trade(exchange, CALL, Side.BUY, "2", "0.03")
        wish = NewOrder(name=CALL.name, side=Side.SELL, amount=D(1), price=D("0.05"))
        resting = exchange.place("ann", wish, 0)
        assert isinstance(resting, Placed)
        exchange.drain()
        deliver(exchange, CALL.name, D(2800), FRIDAY.time_ms)
        assert resting.order.state is OrderState.CANCELLED
        assert resting.order.cancel_reason is CancelReason.SETTLEMENT
        assert exchange.order("ann", resting.order.order_id) is resting.order
        happened = exchange.drain()
        news = {one.account: one for one in happened if isinstance(one, AccountChange)}
        assert news["ann"].delivered
        assert [one.order_id for one in news["ann"].orders] == [resting.order.order_id]
        assert news["bob"].delivered
        assert news["bob"].orders == []
        states = [one.state.value for one in happened if isinstance(one, InstrumentChanged)]
        assert states == ["settled", "closed"]

    def test_it_cannot_be_traded_any_more(self) -> None:
        exchange = an_exchange()
        deliver(exchange, CALL.name, D(2800), FRIDAY.time_ms)
        wish = NewOrder(name=CALL.name, side=Side.SELL, amount=D(1), price=D("0.05"))
        answer = exchange.place("ann", wish, FRIDAY.time_ms)
        assert isinstance(answer, Refusal)
        assert answer.code is Code.BOOK_CLOSED
        assert exchange.terms(CALL.name) is CALL
        assert exchange.position("ann", CALL.name).size == 0

    def test_nobody_but_the_market_trades_while_it_settles(self) -> None:
        exchange = an_exchange()
        exchange.open_account("crowd", COINS, followed=False)
        wish = NewOrder(name=PERPETUAL.name, side=Side.SELL, amount=D(1), price=D(2600))
        placed = exchange.place("ann", wish, 0)
        assert isinstance(placed, Placed)
        exchange.settling_until_ms = 1_000
        order_id = placed.order.order_id
        answers = [
            exchange.place("ann", wish, 999),
            exchange.edit("ann", Edit(order_id=order_id, price=D(2700)), 999),
            exchange.cancel("ann", order_id, 999),
            exchange.cancel_all("ann", 999),
            exchange.cancel_by_label("ann", "", 999),
        ]
        codes = [one.code for one in answers if isinstance(one, Refusal)]
        assert codes == [Code.SETTLEMENT_IN_PROGRESS] * 5
        assert isinstance(exchange.place("crowd", wish, 999), Placed)
        assert exchange.cancel_all("ann", 1_000) == 1


actions = st.lists(
    st.tuples(
        st.sampled_from(["trade", "trade", "trade", "fund", "settle"]),
        st.sampled_from(range(len(EVERYTHING))),
        st.sampled_from(Side),
        st.integers(1, 7),  # lots
        st.integers(-5, 5),  # ticks
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(actions, st.decimals("2100", "2900", places=2))
def test_money_is_neither_made_nor_lost(stream: list[Any], delivery: Decimal) -> None:
    exchange = an_exchange()
    for now_ms, (what, which, side, lots, ticks) in enumerate(stream):
        listing = EVERYTHING[which]
        if what == "trade":
            price = D(MARKS[listing.name]) + ticks * listing.tick_at(D(MARKS[listing.name]))
            price = listing.snap_down(price)
            trade(exchange, listing, side, str(lots * listing.min_amount * 3), str(price), now_ms)
        elif what == "fund" and listing.kind is Kind.PERPETUAL:
            exchange.accrue_funding(listing.name, D(ticks * lots) / 7_000_000)
        elif what == "settle":
            settle_session(exchange, now_ms)
        check_conservation(exchange)
    for listing in EVERYTHING:
        if listing.kind is not Kind.PERPETUAL:
            deliver(exchange, listing.name, delivery, len(stream))
            check_conservation(exchange)
    settle_session(exchange, len(stream))
    check_conservation(exchange)
    for currency, brought in COINS.items():
        # All that is held back is what rounding to 1e-12 left over.
        assert abs(exchange.held.get(currency, D(0))) < D("1E-9")
        for account in exchange.accounts.values():
            assert account.session.get(currency, D(0)) == 0
            assert account.funding.get(currency, D(0)) == 0
            changes = sum((one.change for one in account.log if one.currency == currency), D(0))
            assert account.cash[currency] - brought == changes
            balances = [one.balance for one in account.log if one.currency == currency]
            assert balances[-1:] in ([], [account.cash[currency]])


def check_conservation(exchange: Exchange) -> None:
    for currency, brought in COINS.items():
        total = exchange.fees_collected.get(currency, D(0)) + exchange.held.get(currency, D(0))
        for account in exchange.accounts.values():
            for money in (account.cash, account.session, account.funding):
                total += money.get(currency, D(0))
            for position in account.positions.values():
                listing = position.listing
                if listing.settlement == currency and listing.kind is not Kind.OPTION:
                    total -= position.cost
        assert total == brought * len(exchange.accounts)
