"""The exchange's order rules, one behavior a test; numbers by hand."""

from __future__ import annotations

from mmbot.sim.exchange.effects import AccountChange, BookDelta, Prints
from mmbot.sim.exchange.listing import Kind, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import OrderState, OrderType, TimeInForce
from mmbot.sim.exchange.refusals import Code
from mmbot.sim.exchange.requests import Edit, Placed
from tests.sim.orders import D, an_exchange, ask, best, bid, placed, refused, wish
from tests.wire.venue import OPTION, PERPETUAL


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
