"""A venue saved and restored is the same venue."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import CancelReason, OrderState
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.exchange.settlement import deliver, settle_session
from mmbot.sim.exchange.state import (
    VERSION,
    BadState,
    SavedVenue,
    decode,
    encode,
    restore_exchange,
    save_exchange,
)
from tests.sim.products import CALL, COINS, FUTURE, PERPETUAL, an_exchange, trade

D = Decimal


def a_lived_in_exchange() -> Exchange:
    """Trades of several kinds, funding, a settlement, a delivery, and orders at rest."""
    exchange = an_exchange()
    exchange.open_account("crowd", COINS, followed=False)
    trade(exchange, PERPETUAL, Side.BUY, "300", "2500", 1)
    trade(exchange, FUTURE, Side.SELL, "100", "2490", 2)
    exchange.accrue_funding(PERPETUAL.name, D("0.0001"))
    settle_session(exchange, 3)
    deliver(exchange, FUTURE.name, D(2480), 3)
    trade(exchange, CALL, Side.SELL, "3", "0.03", 4)
    exchange.accrue_funding(PERPETUAL.name, D("0.0002"))
    for account, price in (("ann", "0.02"), ("bob", "0.025"), ("crowd", "0.021")):
        wish = NewOrder(
            name=CALL.name, side=Side.BUY, amount=D(2), price=D(price), label=f"of-{account}"
        )
        assert isinstance(exchange.place(account, wish, 5), Placed)
    exchange.drain()
    return exchange


def saved_venue(exchange: Exchange) -> SavedVenue:
    return SavedVenue(
        version=VERSION,
        seed=7,
        restarts=0,
        time_ms=10,
        wall_ms=20,
        prices={"ETH": 2500.0},
        exchange=save_exchange(exchange),
        user_trades={"ann": [{"trade_id": "1", "price": 0.03}]},
    )


def restored(exchange: Exchange, *, with_orders: bool = True) -> Exchange:
    """Through the file's text and back."""
    saved = decode(encode(saved_venue(exchange)))
    return restore_exchange(saved.exchange, VenueRules(), with_orders=with_orders)


def test_nothing_changes_through_the_file() -> None:
    exchange = a_lived_in_exchange()
    again = restored(exchange)
    for account in exchange.accounts.values():
        if account.followed:
            ours = again.accounts[account.name]
            for order in (*account.open_orders.values(), *ours.open_orders.values()):
                order.level = None
            assert ours == account
        for currency in COINS:
            assert again.equity(account.name, currency) == exchange.equity(account.name, currency)
    assert again.listings == exchange.listings
    assert again.expired == exchange.expired
    assert again.counts == exchange.counts
    assert again.settlement_prices == exchange.settlement_prices
    assert again.drain() == []


def test_saving_twice_gives_the_same_text() -> None:
    exchange = a_lived_in_exchange()
    exchange.cancel_all("crowd", 6)
    venue = saved_venue(exchange)
    again = replace(venue, exchange=save_exchange(restored(exchange)))
    assert encode(again) == encode(venue)


def test_orders_rest_where_they_were_and_the_crowds_are_gone() -> None:
    again = restored(a_lived_in_exchange())
    assert again.book(CALL.name).depth(Side.BUY) == [(D("0.025"), D(2)), (D("0.02"), D(2))]
    trade(again, CALL, Side.BUY, "1", "0.03", 7)
    assert again.accounts["ann"].log[-1].user_seq == again.accounts["ann"].log_count


def test_new_ids_go_on_from_the_old_ones() -> None:
    exchange = a_lived_in_exchange()
    known = {order_id for account in exchange.accounts.values() for order_id in account.open_orders}
    again = restored(exchange)
    wish = NewOrder(name=CALL.name, side=Side.BUY, amount=D(2), price=D("0.01"))
    placed = again.place("ann", wish, 9)
    assert isinstance(placed, Placed)
    assert placed.order.order_id not in known


def test_a_venue_may_come_back_without_its_orders() -> None:
    exchange = a_lived_in_exchange()
    (order_id,) = exchange.accounts["ann"].open_orders
    again = restored(exchange, with_orders=False)
    assert again.orders == {}
    assert again.book(CALL.name).depth(Side.BUY) == []
    order = again.order("ann", order_id)
    assert order is not None
    assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, CancelReason.DISCONNECT)
    assert again.position("ann", CALL.name).size == -3


@pytest.mark.parametrize("text", [b"", b"\x00\xff", b"[]", b'{"version": 1}', b"{"])
def test_anything_else_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(BadState) as refused:
        decode(text)
    assert str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_of_another_version_is_refused() -> None:
    text = encode(replace(saved_venue(an_exchange()), version=VERSION + 1))
    with pytest.raises(BadState, match="version"):
        decode(text)
