"""Positions and PnL: vectors by hand for each kind of contract, then laws over random histories."""

# mypy: disable-error-code="comparison-overlap"
# Decimals are compared with whole numbers in tuples; a status changes behind mypy's back.

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Inventory, Pnl, Position
from mmbot.core.statements import Fill, Flow, FlowKind
from mmbot.core.types import Kind, Right, Side
from tests.builders import a_fill, a_linear_perpetual, a_perpetual, an_option

BUY, SELL = Side.BUY, Side.SELL
NOISE = Decimal("1e-9")


def d(value: str | int) -> Decimal:
    return Decimal(value)


def booked(instrument: Instrument, *fills: tuple[Side, str, str, str, str]) -> Position:
    """A position after (side, price, amount, fee, mark of the moment)."""
    position = Position(instrument)
    for side, price, amount, fee, mark in fills:
        position.book(a_fill(side, price, amount, instrument=instrument, fee=fee), Decimal(mark))
    return position


def a_flow(kind: FlowKind, instrument: Instrument, **changes: Any) -> Flow:
    terms: dict[str, Any] = {
        "ref": "1",
        "kind": kind,
        "instrument": instrument.id,
        "currency": instrument.settlement,
        "money": d(0),
        "venue_ms": 1_749_196_800_000,
    }
    return Flow(**(terms | changes))


# --- by hand ----------------------------------------------------------------------------------


def test_a_round_trip_in_an_inverse_option() -> None:
    # Premiums are coin, so worth is amount x price.
    # Buy 2 at 0.0200, mark 0.0210: spread 2 x 0.0010 = 0.0020; fee 0.0006.
    # Mark to 0.0230: inventory 2 x 0.0020 = 0.0040.
    # Sell 2 at 0.0240, mark 0.0230: spread 2 x 0.0010 = 0.0020; fee 0.0006.
    # Total: 2 x (0.0240 - 0.0200) - 0.0012 = 0.0068 = 0.0040 + 0.0040 - 0.0012.
    position = booked(
        an_option(),
        (BUY, "0.0200", "2", "0.0006", "0.0210"),
        (SELL, "0.0240", "2", "0.0006", "0.0230"),
    )
    assert position.amount == 0
    assert position.pnl(d("0.0300")) == Pnl(
        total=d("0.0068"),
        spread=d("0.0040"),
        inventory=d("0.0040"),
        fees=d("0.0012"),
        realized=d("0.0068"),
        unrealized=d(0),
    )


def test_a_long_inverse_perpetual() -> None:
    # Amounts are USD, money is ETH; a long of A from p0 to p1 earns A (1/p0 - 1/p1).
    # Buy 10,000 at 2,000, mark 2,500: spread 10000 (1/2000 - 1/2500) = 5 - 4 = 1.
    # Sell 4,000 at 2,000, mark 2,000: first the mark moved, 10000 (1/2500 - 1/2000) = -1;
    # the sale earned -4000 (1/2000 - 1/2000) = 0 of spread and realized 4000 (1/2000 - 1/2000) = 0.
    # Left 6,000 from 2,000; at 1,600: 6000 (1/2000 - 1/1600) = 3 - 3.75 = -0.75, all of it
    # inventory. Total 1 - 1 + 0 - 0.75 = -0.75.
    position = booked(
        a_perpetual(),
        (BUY, "2000", "10000", "0", "2500"),
        (SELL, "2000", "4000", "0", "2000"),
    )
    assert position.amount == 6000
    assert position.pnl(d(1600)) == Pnl(
        total=d("-0.75"),
        spread=d(1),
        inventory=d("-1.75"),
        fees=d(0),
        realized=d(0),
        unrealized=d("-0.75"),
    )


def test_a_short_inverse_perpetual_closed_at_a_profit() -> None:
    # Sell 5,000 at 2,500, buy back at 2,000: 5000 (1/2000 - 1/2500) = 2.5 - 2 = 0.5 ETH, less
    # fees of 0.001 each way.
    position = booked(
        a_perpetual(),
        (SELL, "2500", "5000", "0.001", "2500"),
        (BUY, "2000", "5000", "0.001", "2000"),
    )
    pnl = position.pnl(d(2000))
    assert (pnl.total, pnl.realized, pnl.unrealized) == (d("0.498"), d("0.498"), d(0))


def test_a_linear_perpetual() -> None:
    # Buy 2 at 100, buy 1 at 130: entry (200 + 130) / 3 = 110. Sell 1 at 140: realized 30.
    # At mark 120 the other two are worth 2 x (120 - 110) = 20.
    # Spread: 2 x (102 - 100) + 1 x (128 - 130) + 1 x (140 - 138) = 4 - 2 + 2 = 4.
    # Inventory: 2 x (128 - 102) + 3 x (138 - 128) + 2 x (120 - 138) = 52 + 30 - 36 = 46.
    # Fees 0.3. Total 30 + 20 - 0.3 = 49.7 = 4 + 46 - 0.3.
    position = booked(
        a_linear_perpetual(),
        (BUY, "100", "2", "0.1", "102"),
        (BUY, "130", "1", "0.1", "128"),
        (SELL, "140", "1", "0.1", "138"),
    )
    pnl = position.pnl(d(120))
    assert position.amount == 2
    assert pnl.spread == 4
    assert pnl.inventory == 46
    assert pnl.total == d("49.7")
    # The entry price is a third: what was released and what is left round in the 28th digit.
    assert abs(pnl.realized - d("29.7")) < NOISE
    assert abs(pnl.unrealized - 20) < NOISE


def test_flipping_through_zero_opens_the_rest_at_the_new_price() -> None:
    # Long 2 from 0.0200; sell 5 at 0.0250: realized 2 x 0.0050 = 0.0100, short 3 from 0.0250.
    # At 0.0240: 3 x 0.0010 = 0.0030 unrealized.
    position = booked(
        an_option(),
        (BUY, "0.0200", "2", "0", "0.0200"),
        (SELL, "0.0250", "5", "0", "0.0250"),
    )
    pnl = position.pnl(d("0.0240"))
    assert position.amount == -3
    assert (pnl.realized, pnl.unrealized, pnl.total) == (d("0.0100"), d("0.0030"), d("0.0130"))


def test_a_rebate_is_earned() -> None:
    position = booked(an_option(), (BUY, "0.0200", "1", "-0.0001", "0.0200"))
    assert position.pnl(d("0.0200")).total == d("0.0001")


# --- what was there before us -----------------------------------------------------------------


def test_opening_position_is_not_profit() -> None:
    position = Position(an_option())
    position.open_with(d(10), d("0.0200"))
    assert position.amount == 10
    assert position.pnl(d("0.0200")).total == 0
    # From then on it is ours: 10 x 0.0010.
    assert position.pnl(d("0.0210")).total == d("0.0100")


def test_opening_position_of_unknown_mark_is_taken_over_at_the_first_one_seen() -> None:
    position = Position(an_option())
    position.open_with(d(10), None)
    assert position.pnl(None) == Pnl()
    assert position.pnl(d("0.0200")).total == 0
    position.revalue(d("0.0200"))
    assert position.pnl(d("0.0210")).total == d("0.0100")


def test_fill_in_an_opening_position_of_unknown_mark_counts_from_its_own_mark() -> None:
    # 10 taken over at the mark of the fill, 0.0200; 1 bought 0.0005 below it.
    position = Position(an_option())
    position.open_with(d(10), None)
    position.book(a_fill(BUY, "0.0195", 1), d("0.0200"))
    assert position.pnl(d("0.0200")).total == d("0.0005")


def test_fill_seen_before_the_opening_position_keeps_its_profit() -> None:
    # Bought 2 at 0.0200, mark 0.0200; the opening 10 are taken over at 0.0230. The two earned
    # 2 x 0.0030 meanwhile, all of it by holding them.
    position = booked(an_option(), (BUY, "0.0200", "2", "0", "0.0200"))
    position.open_with(d(10), d("0.0230"))
    pnl = position.pnl(d("0.0230"))
    assert (pnl.total, pnl.inventory, pnl.spread) == (d("0.0060"), d("0.0060"), d(0))


def test_flat_has_nothing_unrealized_when_a_fill_closed_what_was_there_before() -> None:
    # Sold 2 at 0.0250 that were there before us and are taken over at 0.0230: 2 x 0.0020.
    position = booked(an_option(), (SELL, "0.0250", "2", "0", "0.0250"))
    position.open_with(d(2), d("0.0230"))
    pnl = position.pnl(d("0.0400"))
    assert position.amount == 0
    assert (pnl.total, pnl.realized, pnl.unrealized) == (d("0.0040"), d("0.0040"), d(0))


# --- once -------------------------------------------------------------------------------------


def test_a_trade_counts_once_whoever_reports_it() -> None:
    inventory = Inventory()
    option = an_option()
    fill = a_fill(BUY, "0.0200", 1)
    assert inventory.book(fill, option, d("0.0200"))
    assert not inventory.book(fill, option, d("0.0300"))
    assert inventory.of(option).amount == 1


# --- laws -------------------------------------------------------------------------------------

prices = st.decimals(min_value="0.0001", max_value="5000", places=4)
amounts = st.decimals(min_value="0.01", max_value="100000", places=2)
fees = st.decimals(min_value="-1", max_value="1", places=6)
instruments = st.sampled_from([an_option(), a_perpetual(), a_linear_perpetual()])
histories = st.lists(
    st.tuples(st.sampled_from(Side), prices, amounts, fees, prices), min_size=1, max_size=12
)


def history(
    instrument: Instrument, steps: list[tuple[Side, Decimal, Decimal, Decimal, Decimal]]
) -> list[tuple[Fill, Decimal]]:
    return [
        (a_fill(side, price, amount, instrument=instrument, fee=fee), mark)
        for side, price, amount, fee, mark in steps
    ]


@given(instruments, histories, st.decimals("0.0001", "5000", places=4), st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_equity_change_is_spread_plus_inventory_less_fees(
    instrument: Instrument,
    steps: list[tuple[Side, Decimal, Decimal, Decimal, Decimal]],
    last: Decimal,
    opened_after: int,
) -> None:
    position = Position(instrument)
    for n, (fill, mark) in enumerate(history(instrument, steps)):
        if n == opened_after:
            position.open_with(Decimal(-777), mark)
        position.book(fill, mark)
        pnl = position.pnl(mark)
        assert abs(pnl.total - (pnl.spread + pnl.inventory - pnl.fees)) < NOISE
        assert abs(pnl.realized + pnl.unrealized - pnl.total) < NOISE
    pnl = position.pnl(last)
    assert abs(pnl.total - (pnl.spread + pnl.inventory - pnl.fees)) < NOISE
    assert abs(pnl.realized + pnl.unrealized - (pnl.spread + pnl.inventory - pnl.fees)) < NOISE


@given(instruments, histories, prices)
@settings(max_examples=100, deadline=None)
def test_total_is_the_sum_of_what_each_fill_earned(
    instrument: Instrument,
    steps: list[tuple[Side, Decimal, Decimal, Decimal, Decimal]],
    last: Decimal,
) -> None:
    """A second way to the same number: hold every fill to the end by itself."""
    position = booked(instrument)
    apart = Decimal(0)
    for fill, mark in history(instrument, steps):
        position.book(fill, mark)
        change = fill.amount * fill.side.sign
        apart += instrument.value(change, last) - instrument.value(change, fill.price) - fill.fee
    assert abs(position.pnl(last).total - apart) < NOISE


@given(instruments, histories)
@settings(max_examples=50, deadline=None)
def test_flat_leaves_nothing_unrealized(
    instrument: Instrument, steps: list[tuple[Side, Decimal, Decimal, Decimal, Decimal]]
) -> None:
    position = booked(instrument)
    for fill, mark in history(instrument, steps):
        position.book(fill, mark)
    if position.amount:
        side = SELL if position.amount > 0 else BUY
        position.book(a_fill(side, 100, abs(position.amount), instrument=instrument), Decimal(100))
    assert position.amount == 0
    assert position.pnl(Decimal(50)).unrealized == 0


def test_sums_of_pnl_add_every_line() -> None:
    one = Pnl(d(1), d(2), d(3), d(4), d(5), d(6))
    assert one + one == Pnl(d(2), d(4), d(6), d(8), d(10), d(12))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_volume_counts_both_ways(side: Side) -> None:
    position = booked(
        an_option(), (side, "0.02", "2", "0", "0.02"), (side.opposite, "0.02", "3", "0", "0.02")
    )
    assert (position.volume, position.fills) == (5, 2)


# --- expiry and funding -----------------------------------------------------------------------


def test_an_inverse_call_delivered_in_the_money() -> None:
    # Buy 2 of the 2800 call at 0.0300, mark 0.0310, fee 0.0006; delivered at 3200:
    # payoff (3200 - 2800) / 3200 = 0.125 coin each, fee 0.0009.
    # Spread 2 x 0.0010 = 0.0020; inventory 2 x (0.125 - 0.0310) = 0.1880; fees 0.0015.
    # Total 2 x (0.125 - 0.0300) - 0.0015 = 0.1885.
    call = an_option()
    assert call.payoff(d(3200)) == d("0.125")
    position = booked(call, (BUY, "0.0300", "2", "0.0006", "0.0310"))
    price = call.payoff(d(3200))
    position.flow(a_flow(FlowKind.DELIVERY, call, price=price, fee=d("0.0009")))
    assert position.amount == 0
    assert position.pnl(None) == Pnl(
        total=d("0.1885"),
        spread=d("0.0020"),
        inventory=d("0.1880"),
        fees=d("0.0015"),
        realized=d("0.1885"),
        unrealized=d(0),
    )


def test_a_short_put_delivered_out_of_the_money_keeps_its_premium() -> None:
    # Sell 1 of the 2800 put at 0.0200, mark 0.0200, fee 0.0003; delivered at 3200: worth nothing.
    put = an_option(right=Right.PUT)
    assert put.payoff(d(3200)) == 0
    position = booked(put, (SELL, "0.0200", "1", "0.0003", "0.0200"))
    position.flow(a_flow(FlowKind.DELIVERY, put, price=d(0)))
    assert position.amount == 0
    assert position.pnl(None).total == d("0.0197")


def test_a_linear_call_pays_in_dollars() -> None:
    # Buy 3 of the 2800 call at 150 USDC; delivered at 3200 it pays 400 each: 3 x 250 = 750.
    call = an_option(inverse=False, settlement="USDC", tick=d(1), tick_steps=())
    position = booked(call, (BUY, "150", "3", "0", "150"))
    position.flow(a_flow(FlowKind.DELIVERY, call, price=call.payoff(d(3200))))
    assert position.pnl(None).total == d(750)


def test_an_inverse_future_is_delivered_at_the_delivery_price() -> None:
    # A long of 8,000 USD from 2,500 delivered at 3,200 earns 8000 (1/2500 - 1/3200)
    # = 3.2 - 2.5 = 0.7 coin.
    future = a_perpetual(kind=Kind.FUTURE, expiry_ns=1_749_196_800_000 * 1_000_000)
    position = booked(future, (BUY, "2500", "8000", "0", "2500"))
    position.flow(a_flow(FlowKind.DELIVERY, future, price=future.payoff(d(3200))))
    assert position.amount == 0
    assert position.pnl(None).total == d("0.7")


def test_funding_is_a_line_of_its_own_and_accrues_before_it_settles() -> None:
    # Buy 10,000 USD at 2,000 (mark 2,000). Paid 0.002 ETH of funding this session, not settled
    # yet: profit -0.002 at an unmoved mark. Settled, it is cash, and the accrual starts anew.
    position = booked(a_perpetual(), (BUY, "2000", "10000", "0", "2000"))
    position.accrued = d("-0.002")
    before = position.pnl(d(2000))
    assert (before.total, before.funding) == (d("-0.002"), d("-0.002"))
    position.flow(a_flow(FlowKind.FUNDING, position.instrument, money=d("-0.002")))
    position.accrued = d(0)
    assert position.pnl(d(2000)) == Pnl(
        total=d("-0.002"), funding=d("-0.002"), realized=d("-0.002"), unrealized=d(0)
    )
