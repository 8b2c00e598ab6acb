"""Whether an order may enter, and at what price: one rule of the venue a test."""

from __future__ import annotations

import pytest

from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import CancelReason, OrderState, TimeInForce
from mmbot.sim.exchange.refusals import Code, Refusal
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from tests.sim.orders import D, an_exchange, ask, best, bid, placed, refused, wish
from tests.wire.venue import OPTION


class TestPostOnly:
    def test_it_moves_to_one_tick_off_the_touch(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        moved = placed(exchange, "bob", bid("1", "0.035", post_only=True))
        assert moved.order.price == D("0.0295")
        placed(exchange, "cyn", ask("1", "0.0295", post_only=True))
        assert best(exchange) == ("0.0295", "0.03")

    def test_moving_down_across_a_ladder_step_uses_the_finer_tick(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.005"))
        moved = placed(exchange, "bob", bid("1", "0.01", post_only=True))
        assert moved.order.price == D("0.0049")

    def test_with_reject_it_is_refused_with_11054(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        order = bid("1", "0.03", post_only=True, reject_post_only=True)
        answer = exchange.place("bob", order, 0)
        assert isinstance(answer, Refusal)
        assert (answer.code.number, answer.code.message) == (11054, "post_only_reject")
        assert exchange.accounts["bob"].open_orders == {}

    def test_there_is_no_price_below_the_lowest_ask(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.0001"))
        answer = exchange.place("bob", bid("1", "0.0001", post_only=True), 0)
        assert refused(answer) is Code.POST_ONLY_REJECT

    def test_an_edit_refused_that_way_cancels_the_order(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        order = placed(
            exchange, "bob", bid("1", "0.02", post_only=True, reject_post_only=True)
        ).order
        edit = Edit(order_id=order.order_id, price=D("0.03"))
        assert refused(exchange.edit("bob", edit, 0)) is Code.POST_ONLY_REJECT
        assert order.state is OrderState.CANCELLED
        assert order.cancel_reason is CancelReason.EDIT_POST_ONLY

    def test_an_edit_without_reject_moves_off_the_touch(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        order = placed(exchange, "bob", bid("1", "0.02", post_only=True)).order
        answer = exchange.edit("bob", Edit(order_id=order.order_id, price=D("0.04")), 0)
        assert isinstance(answer, Placed)
        assert (order.price, order.filled) == (D("0.0295"), D(0))


class TestReduceOnly:
    def test_without_a_position_it_is_refused(self) -> None:
        answer = an_exchange().place("ann", ask("1", "0.03", reduce_only=True), 0)
        assert refused(answer) is Code.OTHER_REJECT

    def test_it_is_cut_to_the_position(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("2", "0.03"))
        placed(exchange, "ann", bid("2", "0.03"))
        answer = placed(exchange, "ann", ask("5", "0.031", reduce_only=True))
        assert answer.order.amount == 2

    def test_a_resting_one_never_turns_the_position(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("2", "0.03"))
        placed(exchange, "ann", bid("2", "0.03"))
        resting = placed(exchange, "ann", ask("2", "0.0310", reduce_only=True)).order
        placed(exchange, "cyn", bid("1", "0.03"))
        placed(exchange, "ann", ask("1", "0.03"))
        placed(exchange, "cyn", bid("2", "0.0310"))
        assert exchange.position("ann", OPTION).size == 0
        assert (resting.filled, resting.state) == (D(1), OrderState.CANCELLED)


class TestSelfTrade:
    def test_by_default_the_resting_order_is_cancelled(self) -> None:
        exchange = an_exchange()
        own = placed(exchange, "ann", ask("1", "0.03")).order
        placed(exchange, "bob", ask("1", "0.03"))
        taker = placed(exchange, "ann", bid("1", "0.03"))
        assert own.state is OrderState.CANCELLED
        assert taker.order.filled == 1
        assert exchange.position("bob", OPTION).size == -1

    def test_or_the_incoming_order_is_refused(self) -> None:
        exchange = an_exchange()
        exchange.accounts["ann"].self_trade = SelfTrade.REJECT_TAKER
        own = placed(exchange, "ann", ask("1", "0.03")).order
        assert refused(exchange.place("ann", bid("1", "0.03"), 0)) is Code.ORDER_OVERLAP
        assert own.state is OrderState.OPEN

    def test_an_order_that_others_fill_first_is_not_refused(self) -> None:
        exchange = an_exchange()
        exchange.accounts["ann"].self_trade = SelfTrade.REJECT_TAKER
        placed(exchange, "bob", ask("1", "0.03"))
        placed(exchange, "ann", ask("1", "0.0305"))
        assert placed(exchange, "ann", bid("1", "0.0305")).order.filled == 1


class TestTerms:
    @pytest.mark.parametrize(
        ("order", "code", "number"),
        [
            (bid("1", "0.00505"), Code.PRICE_WRONG_TICK, 10043),
            (bid("1", "0.00005"), Code.PRICE_WRONG_TICK, 10043),
            (bid("1.5", "0.03"), Code.INVALID_AMOUNT, 10021),
            (bid("0", "0.03"), Code.INVALID_AMOUNT, 10021),
            (bid("-1", "0.03"), Code.INVALID_AMOUNT, 10021),
            (bid("1", "0.03", name="ETH-NOTHING"), Code.INVALID_INSTRUMENT, 10020),
            (bid("1", "0"), Code.INVALID_PRICE, 10023),
            (wish(Side.BUY, "1", None), Code.INVALID_PRICE, 10023),
            (
                bid("1", "0.03", post_only=True, time_in_force=TimeInForce.IOC),
                Code.BAD_ARGUMENT,
                11043,
            ),
        ],
    )
    def test_the_venues_codes(self, order: NewOrder, code: Code, number: int) -> None:
        assert refused(an_exchange().place("ann", order, 0)) is code
        assert code.number == number

    def test_below_the_minimum(self) -> None:
        exchange = an_exchange(amount_step=D("0.1"))
        assert refused(exchange.place("ann", bid("0.9", "0.03"), 0)) is Code.QTY_TOO_LOW

    def test_the_finer_tick_below_the_step(self) -> None:
        exchange = an_exchange()
        assert placed(exchange, "ann", bid("1", "0.0049")).order.price == D("0.0049")
        assert placed(exchange, "ann", bid("1", "0.005")).order.price == D("0.005")

    def test_the_price_band_binds_only_the_dangerous_side(self) -> None:
        exchange = an_exchange()
        exchange.set_mark(
            OPTION, D("0.03"), index=D(2500), min_price=D("0.02"), max_price=D("0.04")
        )
        assert refused(exchange.place("ann", bid("1", "0.0405"), 0)) is Code.PRICE_TOO_HIGH
        assert refused(exchange.place("ann", ask("1", "0.0195"), 0)) is Code.PRICE_TOO_LOW
        placed(exchange, "ann", bid("1", "0.01"))
        placed(exchange, "ann", ask("1", "0.05"))
