"""The exchange's order rules, one behavior a test; numbers by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mmbot.sim.exchange.listing import average_price, fee, value
from mmbot.sim.exchange.matching import (
    AccountChange,
    BookDelta,
    CancelReason,
    Code,
    Edit,
    Exchange,
    Kind,
    NewOrder,
    OrderState,
    OrderType,
    Placed,
    Prints,
    Refusal,
    SelfTrade,
    Side,
    TimeInForce,
)
from tests.wire.venue import OPTION, PERPETUAL, option, perpetual

D = Decimal


def an_exchange(**listing_changes: Any) -> Exchange:
    """One option, one perpetual; accounts ann, bob and cyn with 100 ETH each."""
    exchange = Exchange()
    exchange.list(option(OPTION, **listing_changes))
    exchange.list(perpetual())
    for name in ("ann", "bob", "cyn"):
        exchange.open_account(name, {"ETH": D(100)})
    for name, mark in ((OPTION, "0.03"), (PERPETUAL, "2500")):
        exchange.set_mark(name, D(mark), index=D(2500))
    return exchange


def wish(side: Side, amount: str, price: str | None, **changes: Any) -> NewOrder:
    terms: dict[str, Any] = {
        "name": OPTION,
        "side": side,
        "amount": D(amount),
        "price": None if price is None else D(price),
    }
    return NewOrder(**(terms | changes))


def bid(amount: str, price: str, **changes: Any) -> NewOrder:
    return wish(Side.BUY, amount, price, **changes)


def ask(amount: str, price: str, **changes: Any) -> NewOrder:
    return wish(Side.SELL, amount, price, **changes)


def placed(exchange: Exchange, account: str, order: NewOrder, now_ms: int = 0) -> Placed:
    answer = exchange.place(account, order, now_ms)
    assert isinstance(answer, Placed), answer
    return answer


def refused(answer: object) -> Code:
    assert isinstance(answer, Refusal), answer
    return answer.code


def best(exchange: Exchange, name: str = OPTION) -> tuple[str | None, str | None]:
    book = exchange.book(name)
    bid_level, ask_level = book.best_bid, book.best_ask
    return (
        str(bid_level.price) if bid_level else None,
        str(ask_level.price) if ask_level else None,
    )


class TestPriority:
    def test_the_better_price_trades_first_then_the_earlier_order(self) -> None:
        exchange = an_exchange()
        worse = placed(exchange, "ann", ask("1", "0.0310")).order
        first = placed(exchange, "ann", ask("1", "0.0305")).order
        second = placed(exchange, "bob", ask("1", "0.0305")).order
        filled = []
        for _ in range(3):
            placed(exchange, "cyn", bid("1", "0.0310"))
            filled.append([order.filled for order in (first, second, worse)])
        assert filled == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]

    def test_one_order_sweeps_the_levels_from_the_best(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.0310"))
        placed(exchange, "ann", ask("2", "0.0305"))
        taker = placed(exchange, "cyn", bid("3", "0.0310"))
        swept = [(trade.public.price, trade.public.amount) for trade in taker.trades]
        assert swept == [(D("0.0305"), D(2)), (D("0.0310"), D(1))]
        assert [trade.public.trade_seq for trade in taker.trades] == [1, 2]

    def test_a_partial_fill_leaves_the_rest_at_the_head_of_the_queue(self) -> None:
        exchange = an_exchange()
        first = placed(exchange, "ann", ask("5", "0.03")).order
        placed(exchange, "bob", ask("5", "0.03"))
        placed(exchange, "cyn", bid("2", "0.03"))
        placed(exchange, "cyn", bid("2", "0.03"))
        assert first.filled == 4
        assert exchange.book(OPTION).depth(Side.SELL) == [(D("0.03"), D(6))]

    def test_a_trade_happens_at_the_resting_price(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        taker = placed(exchange, "bob", bid("1", "0.05"))
        assert taker.order.average_price == D("0.03")
        assert taker.order.state is OrderState.FILLED


class TestTimeInForce:
    def test_immediate_or_cancel_takes_what_is_there(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        answer = placed(exchange, "bob", bid("2", "0.03", time_in_force=TimeInForce.IOC))
        assert answer.order.filled == 1
        assert answer.order.state is OrderState.CANCELLED
        assert best(exchange) == (None, None)

    def test_fill_or_kill_takes_all_or_nothing(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"))
        kill = placed(exchange, "bob", bid("2", "0.03", time_in_force=TimeInForce.FOK))
        assert (kill.order.state, kill.order.filled) == (OrderState.CANCELLED, D(0))
        assert exchange.book(OPTION).depth(Side.SELL) == [(D("0.03"), D(1))]
        placed(exchange, "cyn", ask("1", "0.0305"))
        fill = placed(exchange, "bob", bid("2", "0.0305", time_in_force=TimeInForce.FOK))
        assert fill.order.state is OrderState.FILLED

    def test_fill_or_kill_does_not_count_the_accounts_own_orders(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("5", "0.03"))
        kill = placed(exchange, "bob", bid("2", "0.03", time_in_force=TimeInForce.FOK))
        assert kill.order.filled == 0

    def test_a_market_order_stops_at_the_price_band_and_never_rests(self) -> None:
        exchange = an_exchange()
        exchange.set_mark(
            OPTION, D("0.03"), index=D(2500), min_price=D("0.01"), max_price=D("0.04")
        )
        placed(exchange, "ann", ask("1", "0.04"))
        placed(exchange, "ann", ask("1", "0.045"))
        answer = placed(exchange, "bob", wish(Side.BUY, "2", None, type=OrderType.MARKET))
        assert answer.order.filled == 1
        assert answer.order.state is OrderState.CANCELLED
        assert best(exchange) == (None, "0.045")

    def test_a_market_order_in_an_empty_book_is_cancelled(self) -> None:
        answer = placed(an_exchange(), "bob", wish(Side.SELL, "2", None, type=OrderType.MARKET))
        assert (answer.order.state, answer.trades) == (OrderState.CANCELLED, [])

    def test_a_request_past_its_validity_is_refused(self) -> None:
        exchange = an_exchange()
        late = exchange.place("ann", bid("1", "0.03", valid_until_ms=999), 1_000)
        assert refused(late) is Code.TIMED_OUT
        in_time = placed(exchange, "ann", bid("1", "0.03", valid_until_ms=1_000), 1_000)
        edit = Edit(order_id=in_time.order.order_id, price=D("0.031"), valid_until_ms=999)
        assert refused(exchange.edit("ann", edit, 1_000)) is Code.TIMED_OUT
        assert in_time.order.price == D("0.03")


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


class TestEdit:
    def queue(self) -> tuple[Exchange, str]:
        exchange = an_exchange()
        first = placed(exchange, "ann", bid("4", "0.03")).order
        placed(exchange, "bob", bid("4", "0.03"))
        return exchange, first.order_id

    def filled_first(self, exchange: Exchange) -> str:
        exchange.drain()
        placed(exchange, "cyn", ask("1", "0.03"))
        (maker,) = (
            change.account
            for change in exchange.drain()
            if isinstance(change, AccountChange) and change.account != "cyn"
        )
        return maker

    def test_a_smaller_size_keeps_its_place(self) -> None:
        exchange, order_id = self.queue()
        exchange.edit("ann", Edit(order_id=order_id, amount=D(2)), 0)
        assert self.filled_first(exchange) == "ann"
        assert exchange.book(OPTION).depth(Side.BUY) == [(D("0.03"), D(5))]

    def test_a_larger_size_goes_to_the_back(self) -> None:
        exchange, order_id = self.queue()
        exchange.edit("ann", Edit(order_id=order_id, amount=D(5)), 0)
        assert self.filled_first(exchange) == "bob"

    def test_a_price_change_and_back_goes_to_the_back(self) -> None:
        exchange, order_id = self.queue()
        exchange.edit("ann", Edit(order_id=order_id, price=D("0.0295")), 0)
        exchange.edit("ann", Edit(order_id=order_id, price=D("0.03")), 0)
        assert self.filled_first(exchange) == "bob"

    def test_the_amount_is_the_total_with_what_is_filled(self) -> None:
        exchange, order_id = self.queue()
        placed(exchange, "cyn", ask("3", "0.03"))
        answer = exchange.edit("ann", Edit(order_id=order_id, amount=D(5)), 0)
        assert isinstance(answer, Placed)
        assert answer.order.open_amount == 2
        assert answer.order.replaced
        too_small = exchange.edit("ann", Edit(order_id=order_id, amount=D(3)), 0)
        assert refused(too_small) is Code.INVALID_AMOUNT

    def test_an_edit_into_the_market_trades(self) -> None:
        exchange, order_id = self.queue()
        placed(exchange, "cyn", ask("1", "0.04"))
        answer = exchange.edit("ann", Edit(order_id=order_id, price=D("0.04")), 0)
        assert isinstance(answer, Placed)
        assert [trade.public.price for trade in answer.trades] == [D("0.04")]
        assert answer.order.order_id == order_id
        assert best(exchange) == ("0.04", None)

    def test_an_ended_order_cannot_be_edited_or_cancelled(self) -> None:
        exchange, order_id = self.queue()
        exchange.cancel("ann", order_id, 0)
        assert refused(exchange.edit("ann", Edit(order_id=order_id), 0)) is Code.NOT_OPEN_ORDER
        assert refused(exchange.cancel("ann", order_id, 0)) is Code.NOT_OPEN_ORDER
        assert refused(exchange.cancel("ann", "nonsense", 0)) is Code.ORDER_NOT_FOUND

    def test_nobody_touches_another_accounts_order(self) -> None:
        exchange, order_id = self.queue()
        assert refused(exchange.cancel("bob", order_id, 0)) is Code.ORDER_NOT_FOUND
        edit = Edit(order_id=order_id, amount=D(1))
        assert refused(exchange.edit("bob", edit, 0)) is Code.ORDER_NOT_FOUND


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


class TestCancelling:
    def test_filters(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", bid("1", "0.03", label="x"))
        placed(exchange, "ann", bid("1", "0.0295", label="x"))
        placed(exchange, "ann", bid("1", "0.029", label="y"))
        placed(exchange, "ann", bid("10", "2400", name=PERPETUAL, label="x"))
        placed(exchange, "bob", bid("1", "0.03", label="x"))
        assert exchange.cancel_by_label("ann", "x", 0, settlement="BTC") == 0
        assert exchange.cancel_all("ann", 0, kinds=frozenset({Kind.PERPETUAL})) == 1
        assert exchange.cancel_by_label("ann", "x", 0) == 2
        assert exchange.cancel_all("ann", 0, name=OPTION) == 1
        assert exchange.cancel_all("ann", 0) == 0
        assert best(exchange) == ("0.03", None)


class TestMoney:
    def test_an_inverse_perpetual_pays_in_coin(self) -> None:
        # 1000 USD at 2500 is 0.4 ETH; at 2600 it is 0.384615384615: the long gains the difference.
        exchange = an_exchange()
        placed(exchange, "bob", ask("1000", "2500", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2500", name=PERPETUAL))
        placed(exchange, "bob", bid("1000", "2600", name=PERPETUAL))
        placed(exchange, "ann", ask("1000", "2600", name=PERPETUAL))
        ann = exchange.accounts["ann"]
        assert ann.session["ETH"] == D("0.015384615385")
        # Taker fees: 0.0005 of 0.4 and of 0.384615384615 coin.
        assert ann.cash["ETH"] == D(100) - D("0.0002") - D("0.000192307692")
        assert exchange.accounts["bob"].cash["ETH"] == 100
        assert exchange.accounts["bob"].session["ETH"] == D("-0.015384615385")

    def test_the_average_entry_of_an_inverse_perpetual_is_harmonic(self) -> None:
        # 1000 USD at 2500 and 1000 at 2000: 0.4 + 0.5 coin for 2000 USD, so 2222.22.
        exchange = an_exchange()
        placed(exchange, "bob", ask("1000", "2500", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2500", name=PERPETUAL))
        placed(exchange, "bob", ask("1000", "2000", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2000", name=PERPETUAL))
        average = exchange.position("ann", PERPETUAL).average_price
        assert average.quantize(D("0.01")) == D("2222.22")

    def test_an_option_moves_the_premium_at_once(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("2", "0.03"))
        placed(exchange, "ann", bid("2", "0.03"))
        # 2 x 0.03 premium and 2 x 0.0003 fee each.
        assert exchange.accounts["ann"].cash["ETH"] == D("99.9394")
        assert exchange.accounts["bob"].cash["ETH"] == D("100.0594")
        exchange.set_mark(OPTION, D("0.04"), index=D(2500))
        assert exchange.equity("ann", "ETH") == D("99.9394") + D("0.08")
        assert exchange.position("ann", OPTION).unrealized(D("0.04")) == D("0.02")

    def test_closing_a_part_realizes_that_parts_share(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("4", "0.03"))
        placed(exchange, "ann", bid("4", "0.03"))
        placed(exchange, "bob", bid("1", "0.05"))
        closing = placed(exchange, "ann", ask("1", "0.05"))
        assert closing.trades[0].realized == D("0.02")
        option_left = exchange.position("ann", OPTION)
        assert (option_left.size, option_left.average_price) == (D(3), D("0.03"))

        placed(exchange, "bob", ask("1000", "2500", name=PERPETUAL))
        placed(exchange, "ann", bid("1000", "2500", name=PERPETUAL))
        placed(exchange, "bob", bid("400", "2600", name=PERPETUAL))
        closing = placed(exchange, "ann", ask("400", "2600", name=PERPETUAL))
        # 400 x (1/2500 - 1/2600) = 0.16 - 0.153846153846
        assert closing.trades[0].realized == D("0.006153846154")
        assert exchange.position("ann", PERPETUAL).average_price == 2500

    def test_turning_a_position_realizes_only_what_was_closed(self) -> None:
        exchange = an_exchange()
        placed(exchange, "bob", ask("2", "0.03"))
        placed(exchange, "ann", bid("2", "0.03"))
        placed(exchange, "bob", bid("5", "0.04"))
        placed(exchange, "ann", ask("5", "0.04"))
        position = exchange.position("ann", OPTION)
        assert position.realized == D("0.02")
        assert (position.size, position.average_price) == (D(-3), D("0.04"))

    def test_fees(self) -> None:
        coin, usdc = D("0.0003"), D("0.0005")
        # Per contract, until 12.5 % of the premium is less: below 0.0024.
        assert fee(option(), D(2), D("0.03"), coin, D(2500)) == D("0.0006")
        assert fee(option(), D(2), D("0.002"), coin, D(2500)) == D("0.0005")
        linear = option(inverse=False, settlement="USDC")
        assert fee(linear, D(2), D(75), coin, D(2500)) == D("1.5")
        assert fee(linear, D(2), D(2), coin, D(2500)) == D("0.5")
        assert fee(perpetual(), D(1000), D(2500), usdc, D(2500)) == D("0.0002")
        linear_perpetual = perpetual(inverse=False, settlement="USDC")
        assert fee(linear_perpetual, D(2), D(2500), usdc, D(2500)) == D("2.5")
        # A rebate is negative.
        assert fee(linear_perpetual, D(2), D(2500), D("-0.0001"), D(2500)) == D("-0.5")

    def test_value_and_its_inverse(self) -> None:
        linear = perpetual(inverse=False, settlement="USDC")
        assert value(linear, D(2), D(2500)) == 5000
        for listing in (linear, perpetual(), option()):
            cost = value(listing, D(-4), D("0.5"))
            assert average_price(listing, D(-4), cost) == D("0.5")


class TestNotices:
    def test_one_request_gives_account_news_prints_and_one_chained_book_change(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"), 10)
        placed(exchange, "ann", ask("1", "0.0305"), 20)
        before = exchange.drain()[-1]
        assert isinstance(before, BookDelta)
        placed(exchange, "bob", bid("3", "0.0305"), 30)
        ours, theirs, prints, delta = exchange.drain()
        assert isinstance(ours, AccountChange)
        assert isinstance(theirs, AccountChange)
        assert {ours.account, theirs.account} == {"ann", "bob"}
        assert isinstance(prints, Prints)
        assert [trade.amount for trade in prints.trades] == [1, 1]
        assert isinstance(delta, BookDelta)
        assert delta.prev_change_id == before.change_id
        assert delta.bids == [("new", D("0.0305"), D(1))]
        assert delta.asks == [("delete", D("0.03"), D(0)), ("delete", D("0.0305"), D(0))]

    def test_orders_in_notices_are_as_of_then(self) -> None:
        exchange = an_exchange()
        order = placed(exchange, "ann", ask("1", "0.03")).order
        exchange.cancel("ann", order.order_id, 0)
        states = [
            one.state
            for change in exchange.drain()
            if isinstance(change, AccountChange)
            for one in change.orders
        ]
        assert states == [OrderState.OPEN, OrderState.CANCELLED]

    def test_an_account_nobody_follows_gives_no_news(self) -> None:
        exchange = an_exchange()
        exchange.open_account("crowd", {"ETH": D(1)}, followed=False)
        placed(exchange, "crowd", ask("1", "0.03"))
        assert [type(effect) for effect in exchange.drain()] == [BookDelta]

    def test_time_never_goes_back(self) -> None:
        exchange = an_exchange()
        placed(exchange, "ann", ask("1", "0.03"), 1_000)
        assert placed(exchange, "bob", bid("1", "0.03"), 990).order.created_ms == 1_000

    def test_tick_direction(self) -> None:
        exchange = an_exchange()
        directions = []
        for price in ("0.03", "0.03", "0.0305", "0.03", "0.03"):
            placed(exchange, "ann", ask("1", price))
            trade = placed(exchange, "bob", bid("1", price)).trades[0]
            directions.append(trade.public.tick_direction)
        assert directions == [0, 1, 0, 2, 3]
