"""Standard margin, by hand, and what the exchange refuses for want of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mmbot.sim.exchange.listing import Listing, Side
from mmbot.sim.exchange.margin import Margin, Prices, Resting, initial_with_orders, of_position
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from tests.sim.products import (
    CALL,
    FUTURE,
    LINEAR_CALL,
    LINEAR_PERPETUAL,
    PERPETUAL,
    PUT,
    an_exchange,
    trade,
)

D = Decimal


@pytest.mark.parametrize(
    ("listing", "size", "mark", "underlying", "initial", "maintenance"),
    [
        # Long options are paid for.
        (CALL, 5, 0.03, 2500, 0.0, 0.0),
        # At the money: 0.15 + mark, 0.075 + mark a coin.
        (CALL, -2, 0.03, 2500, 2 * 0.18, 2 * 0.105),
        # 4 % out of the money at 2400: 0.15 - 100 / 2400.
        (CALL, -1, 0.01, 2400, 0.15 - 100 / 2400 + 0.01, 0.085),
        # Far out of the money: not below 0.1.
        (CALL, -1, 0.001, 2000, 0.101, 0.076),
        (PUT, -1, 0.03, 2500, 0.18, 0.105),
        # A put far in the money: 0.075 of a mark above 1; the initial is never below it.
        (PUT, -1, 2.5, 700, 0.1875 + 2.5, 0.1875 + 2.5),
        # The same in USDC: 0.15 x 2500 + 75.
        (LINEAR_CALL, -0.5, 75.0, 2500, 0.5 * 450, 0.5 * 262.5),
        # 50 times leverage: 2 % of 1 ETH, either way; half of it to maintain.
        (PERPETUAL, 2500, 2500.0, 2500, 0.02, 0.01),
        (FUTURE, -2500, 2500.0, 2500, 0.02, 0.01),
        (LINEAR_PERPETUAL, -0.02, 100_000.0, 100_000, 40.0, 20.0),
        # No mark yet: nothing to reckon with.
        (PERPETUAL, 2500, 0.0, 2500, 0.0, 0.0),
    ],
)
def test_positions(
    listing: Listing,
    size: float,
    mark: float,
    underlying: float,
    initial: float,
    maintenance: float,
) -> None:
    found = of_position(listing, size, Prices(mark, underlying))
    assert (found.initial, found.maintenance) == pytest.approx((initial, maintenance))


def resting(*orders: tuple[Side, str, str]) -> Resting:
    found = Resting()
    for side, amount, price in orders:
        found.add(side, float(amount), float(price))
    return found


def test_orders_count_as_if_the_worse_side_were_filled() -> None:
    at_the_money = Prices(0.03, 2500)
    both = resting((Side.BUY, "3", "0.02"), (Side.SELL, "2", "0.04"))
    # Buys cost their premium, 0.06; sells leave a short of 2 x 0.18.
    assert initial_with_orders(CALL, 0, both, at_the_money) == pytest.approx(0.36)
    # With one long already, one is left short; with five long, none, and the premium is the worse.
    assert initial_with_orders(CALL, 1, both, at_the_money) == pytest.approx(0.18)
    assert initial_with_orders(CALL, 5, both, at_the_money) == pytest.approx(0.06)
    # A perpetual long of 2500 USD, with orders either way: 5000 USD long is the worse.
    orders = resting((Side.BUY, "2500", "2400"), (Side.SELL, "2500", "2600"))
    assert initial_with_orders(PERPETUAL, 2500, orders, Prices(2500, 2500)) == pytest.approx(0.04)


class TestTheExchange:
    def test_an_order_beyond_the_available_funds_is_refused(self) -> None:
        exchange = an_exchange()
        # 1,000 ETH at 50 times leverage: 125,000,000 USD at 2500, and not a dollar more.
        wish = NewOrder(name=PERPETUAL.name, side=Side.BUY, amount=D(125_000_001), price=D(2400))
        answer = exchange.place("ann", wish, 0)
        assert isinstance(answer, Refusal)
        assert (answer.code, answer.code.number) == (Code.NOT_ENOUGH_FUNDS, 10009)
        within = NewOrder(name=PERPETUAL.name, side=Side.BUY, amount=D(125_000_000), price=D(2400))
        placed = exchange.place("ann", within, 0)
        assert isinstance(placed, Placed)
        more = Edit(order_id=placed.order.order_id, amount=D(125_000_001))
        edited = exchange.edit("ann", more, 0)
        assert isinstance(edited, Refusal)
        assert edited.code is Code.NOT_ENOUGH_FUNDS
        assert placed.order.amount == 125_000_000
        less = Edit(order_id=placed.order.order_id, amount=D(1_000))
        assert isinstance(exchange.edit("ann", less, 0), Placed)

    def test_long_options_cost_their_premium_and_short_ones_margin(self) -> None:
        exchange = an_exchange()
        buys = NewOrder(name=CALL.name, side=Side.BUY, amount=D(20_000), price=D("0.05"))
        assert isinstance(exchange.place("ann", buys, 0), Placed)  # exactly 1,000 ETH
        one_more = NewOrder(name=PUT.name, side=Side.BUY, amount=D(1), price=D("0.0001"))
        assert isinstance(exchange.place("ann", one_more, 0), Refusal)
        # 0.18 a coin: 5,555 coins.
        for amount, expected in ((5_556, Refusal), (5_555, Placed)):
            sells = NewOrder(name=CALL.name, side=Side.SELL, amount=D(amount), price=D("0.06"))
            assert isinstance(exchange.place("bob", sells, 0), expected)

    def test_a_market_order_is_charged_at_the_mark(self) -> None:
        exchange = an_exchange()
        exchange.set_mark(CALL.name, D("0.03"), index=D(2500), max_price=D("0.5"))
        wish = NewOrder(name=CALL.name, side=Side.BUY, amount=D(30_000), type=OrderType.MARKET)
        assert isinstance(exchange.place("ann", wish, 0), Placed)

    def test_what_reduces_risk_is_always_allowed(self) -> None:
        exchange = an_exchange()
        trade(exchange, PERPETUAL, Side.BUY, "100000000", "2500")
        # Down 2 %: of 1,000 ETH about 800 are lost, which leaves less than the margin needed.
        exchange.set_mark(PERPETUAL.name, D(2450), index=D(2450))
        margin = exchange.margin_of("ann", "ETH")
        assert margin.initial > exchange.margin_balance("ann", "ETH")
        more = NewOrder(name=PERPETUAL.name, side=Side.BUY, amount=D(1), price=D(2400))
        assert isinstance(exchange.place("ann", more, 0), Refusal)
        less = NewOrder(name=PERPETUAL.name, side=Side.SELL, amount=D(1_000), price=D(2600))
        assert isinstance(exchange.place("ann", less, 0), Placed)

    def test_currencies_do_not_cover_each_other(self) -> None:
        exchange = an_exchange()
        exchange.accounts["ann"].cash["USDC"] = D(0)
        wish = NewOrder(
            name=LINEAR_PERPETUAL.name, side=Side.BUY, amount=D("0.01"), price=D(100_000)
        )
        assert isinstance(exchange.place("ann", wish, 0), Refusal)

    def test_the_account_is_told_its_margin(self) -> None:
        exchange = an_exchange()
        trade(exchange, CALL, Side.SELL, "2", "0.03")
        wish = NewOrder(name=CALL.name, side=Side.SELL, amount=D(1), price=D("0.05"))
        assert isinstance(exchange.place("ann", wish, 0), Placed)
        margin = exchange.margin_of("ann", "ETH")
        # Initial with the order: 3 x 0.18; maintenance of the 2 held: 2 x 0.105.
        assert (margin.initial, margin.maintenance) == pytest.approx((0.54, 0.21))
        assert exchange.margin_of("ann", "USDC") == Margin(0.0, 0.0)
