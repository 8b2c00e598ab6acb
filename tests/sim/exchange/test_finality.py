"""Trades that are matched first, and confirmed or taken back later."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.sim.exchange.accounts import Account
from mmbot.sim.exchange.effects import TradeConcluded
from mmbot.sim.exchange.finality import LateFinality, Standing
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import OrderState
from tests.sim.orders import D, an_exchange, ask, bid, placed
from tests.wire.venue import OPTION, PERPETUAL

LONG_MS = 60_000


def late_exchange(*, fails: bool, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    exchange = an_exchange()
    monkeypatch.setattr("mmbot.sim.exchange.finality.FAILS", float(fails))
    exchange.finality = LateFinality(1)
    return exchange


def wealth(account: Account, name: str) -> tuple[object, ...]:
    position = account.positions.get(name)
    held = (position.size, position.cost) if position is not None else (D(0), D(0))
    return (*held, account.cash["ETH"], account.session.get("ETH", D(0)))


@pytest.mark.parametrize(("name", "price"), [(OPTION, "0.03"), (PERPETUAL, "2500")])
def test_a_trade_that_fails_leaves_no_trace_on_either_side(
    name: str, price: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = late_exchange(fails=True, monkeypatch=monkeypatch)
    placed(exchange, "bob", ask("400", price, name=name))
    made = placed(exchange, "ann", bid("400", price, name=name)).trades[0]
    finality = exchange.finality
    assert finality is not None
    assert finality.standing(made.public.trade_id) == (Standing.MATCHED, 0)
    assert exchange.position("ann", name).size == 400
    assert exchange.fees_collected["ETH"] > 0
    exchange.conclude(LONG_MS)
    assert finality.standing(made.public.trade_id) == (Standing.FAILED, LONG_MS)
    for who in ("ann", "bob"):
        assert wealth(exchange.accounts[who], name) == (D(0), D(0), D(100), D(0))
    assert exchange.fees_collected["ETH"] == 0


def test_a_trade_that_is_confirmed_stays_and_is_told_to_both_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = late_exchange(fails=False, monkeypatch=monkeypatch)
    placed(exchange, "bob", ask("2", "0.03"))
    placed(exchange, "ann", bid("2", "0.03"))
    exchange.drain()
    exchange.conclude(LONG_MS)
    exchange.conclude(LONG_MS + 1)
    told = [one for one in exchange.drain() if isinstance(one, TradeConcluded)]
    assert sorted(one.account for one in told) == ["ann", "bob"]
    assert exchange.position("ann", OPTION).size == 2


def test_what_an_order_had_filled_does_not_come_back_into_the_book(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = late_exchange(fails=True, monkeypatch=monkeypatch)
    order = placed(exchange, "bob", ask("5", "0.03")).order
    taker = placed(exchange, "ann", bid("2", "0.03")).order
    exchange.conclude(LONG_MS)
    assert (order.amount, order.filled, order.open_amount) == (D(3), D(0), D(3))
    assert exchange.book(OPTION).depth(order.side, 1) == [(D("0.03"), D(3))]
    assert (taker.state, taker.filled, taker.amount) == (OrderState.FILLED, D(0), D(2))


def test_what_expires_is_confirmed_before_it_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = late_exchange(fails=True, monkeypatch=monkeypatch)
    placed(exchange, "bob", ask("2", "0.03"))
    made = placed(exchange, "ann", bid("2", "0.03")).trades[0]
    exchange.close(OPTION, D(2600), 10, {})
    assert exchange.finality is not None
    assert exchange.finality.standing(made.public.trade_id) == (Standing.CONFIRMED, 10)


def money(exchange: Exchange) -> tuple[object, object]:
    """What never changes: of the currency, and of the positions."""
    total, held = exchange.fees_collected.get("ETH", D(0)) + exchange.held.get("ETH", D(0)), D(0)
    for account in exchange.accounts.values():
        total += account.cash["ETH"] + account.session.get("ETH", D(0))
        total += account.funding.get("ETH", D(0))
        for position in account.positions.values():
            held += position.size
            if position.listing.name == PERPETUAL:
                total -= position.cost
    return total, held


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_money_and_positions_are_conserved_whatever_fails(seed: int, trades: int) -> None:
    draw, exchange = Random(seed), an_exchange()
    exchange.finality = LateFinality(seed)
    before = money(exchange)
    sides: tuple[Callable[..., object], ...] = (bid, ask)
    for n in range(trades):
        name, price = draw.choice(((OPTION, "0.03"), (PERPETUAL, "2500"), (PERPETUAL, "2600")))
        one, other = draw.sample(("ann", "bob", "cyn"), 2)
        make, take = draw.sample(sides, 2)
        amount = str(draw.randint(1, 9))
        placed(exchange, one, make(amount, price, name=name), n * 400)  # type: ignore[arg-type]  # an order
        placed(exchange, other, take(amount, price, name=name), n * 400)  # type: ignore[arg-type]  # an order
        exchange.conclude(n * 400)
        assert money(exchange) == before
    exchange.conclude(10**9)
    assert not exchange.finality.open
    assert money(exchange) == before
