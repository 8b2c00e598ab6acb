"""Laws of the exchange under random order streams, and a deliberately simple matcher beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.sim.exchange.effects import AccountChange, BookDelta, Prints
from mmbot.sim.exchange.listing import Kind, Side, value
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import OrderType, TimeInForce
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from tests.wire.venue import OPTION, PERPETUAL, option, perpetual

D = Decimal
ACCOUNTS = ("ann", "bob", "cyn")
START_COIN = D(100)

Fill = tuple[int, int, Decimal, Decimal]  # taker, maker, price, amount


@dataclass
class Resting:
    number: int
    account: str
    side: Side
    price: Decimal
    left: Decimal
    post_only: bool = False


@dataclass
class SimpleMatcher:
    """One list of orders in order of arrival, searched from the front every time."""

    tick: Decimal
    resting: list[Resting] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)

    def best_against(self, side: Side, price: Decimal) -> Resting | None:
        against = [one for one in self.resting if one.side is not side]
        if side is Side.BUY:
            crossed = [one for one in against if one.price <= price]
            return min(crossed, key=lambda one: one.price, default=None)
        crossed = [one for one in against if one.price >= price]
        return max(crossed, key=lambda one: one.price, default=None)

    def off_the_touch(self, order: Resting, price: Decimal) -> Decimal:
        touch = self.best_against(order.side, price)
        if not order.post_only or touch is None:
            return price
        return touch.price - order.side.sign * self.tick

    def arrive(self, order: Resting, time_in_force: TimeInForce) -> None:
        order.price = self.off_the_touch(order, order.price)
        if time_in_force is TimeInForce.FOK:
            there = sum(
                one.left
                for one in self.resting
                if one.side is not order.side
                and one.account != order.account
                and (order.price - one.price) * order.side.sign >= 0
            )
            if there < order.left:
                return
        while order.left:
            maker = self.best_against(order.side, order.price)
            if maker is None:
                break
            if maker.account == order.account:
                self.resting.remove(maker)
                continue
            amount = min(maker.left, order.left)
            self.fills.append((order.number, maker.number, maker.price, amount))
            maker.left -= amount
            order.left -= amount
            if not maker.left:
                self.resting.remove(maker)
        if order.left and time_in_force is TimeInForce.GTC:
            self.resting.append(order)

    def edit(self, number: int, price: Decimal, left: Decimal) -> None:
        order = next(one for one in self.resting if one.number == number)
        price = self.off_the_touch(order, price)
        if price == order.price and left <= order.left:
            order.left = left
            return
        self.resting.remove(order)
        order.price, order.left = price, left
        self.arrive(order, TimeInForce.GTC)

    def depth(self, side: Side) -> list[tuple[Decimal, Decimal]]:
        totals: dict[Decimal, Decimal] = {}
        for one in self.resting:
            if one.side is side:
                totals[one.price] = totals.get(one.price, D(0)) + one.left
        return sorted(totals.items(), reverse=side is Side.BUY)


@dataclass(frozen=True)
class Step:
    what: str  # place, edit or cancel
    account: str
    side: Side
    ticks: int
    lots: int
    time_in_force: TimeInForce
    post_only: bool
    market: bool
    which: int


steps = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(["place", "place", "place", "edit", "cancel"]),
        account=st.sampled_from(ACCOUNTS),
        side=st.sampled_from(Side),
        ticks=st.integers(95, 105),
        lots=st.integers(1, 6),
        time_in_force=st.sampled_from(TimeInForce),
        post_only=st.booleans(),
        market=st.integers(0, 9).map(lambda draw: draw == 0),
        which=st.integers(0, 50),
    ),
    max_size=50,
)


class Runner:
    """Drives one instrument of an exchange with steps."""

    def __init__(self, name: str, tick: Decimal, lot: Decimal) -> None:
        self.exchange = Exchange()
        self.exchange.list(option())
        self.exchange.list(perpetual())
        for account in ACCOUNTS:
            self.exchange.open_account(account, {"ETH": START_COIN})
        self.name, self.tick, self.lot = name, tick, lot
        self.numbers: dict[str, int] = {}

    def open_order(self, step: Step) -> str | None:
        own = list(self.exchange.accounts[step.account].open_orders)
        return own[step.which % len(own)] if own else None

    def run(self, step: Step, now_ms: int) -> Placed | None:
        price, amount = step.ticks * self.tick, step.lots * self.lot
        if step.what == "place":
            post_only = step.post_only and not step.market and step.time_in_force is TimeInForce.GTC
            answer = self.exchange.place(
                step.account,
                NewOrder(
                    name=self.name,
                    side=step.side,
                    amount=amount,
                    price=price,
                    type=OrderType.MARKET if step.market else OrderType.LIMIT,
                    time_in_force=step.time_in_force,
                    post_only=post_only,
                ),
                now_ms,
            )
            assert isinstance(answer, Placed), answer
            self.numbers[answer.order.order_id] = len(self.numbers)
            return answer
        order_id = self.open_order(step)
        if order_id is None:
            return None
        if step.what == "cancel":
            self.exchange.cancel(step.account, order_id, now_ms)
            return None
        edit = Edit(order_id=order_id, price=price, amount=amount)
        edited = self.exchange.edit(step.account, edit, now_ms)
        return edited if isinstance(edited, Placed) else None


@settings(max_examples=150, deadline=None)
@given(steps)
def test_it_matches_like_the_simple_matcher(stream: list[Step]) -> None:
    runner = Runner(OPTION, D("0.0005"), D(1))
    simple = SimpleMatcher(runner.tick)
    for now_ms, step in enumerate(stream):
        if step.what == "place":
            limit = step.ticks * runner.tick
            in_force = step.time_in_force
            if step.market:
                limit = D(1) if step.side is Side.BUY else runner.tick
                in_force = TimeInForce.FOK if in_force is TimeInForce.FOK else TimeInForce.IOC
            # The exchange prices a market order at the far end of the book; the outcome is one.
            answer = runner.run(step, now_ms)
            assert answer is not None
            order = Resting(
                runner.numbers[answer.order.order_id],
                step.account,
                step.side,
                limit,
                step.lots * runner.lot,
                answer.order.post_only,
            )
            simple.arrive(order, in_force)
        elif step.what == "edit":
            order_id = runner.open_order(step)
            answer = runner.run(step, now_ms)
            if answer is not None and order_id is not None:
                known = answer.order
                total = step.lots * runner.lot
                filled_before = known.filled - sum(
                    (trade.public.amount for trade in answer.trades), D(0)
                )
                simple.edit(
                    runner.numbers[order_id], step.ticks * runner.tick, total - filled_before
                )
        else:
            order_id = runner.open_order(step)
            runner.run(step, now_ms)
            if order_id is not None:
                number = runner.numbers[order_id]
                simple.resting = [one for one in simple.resting if one.number != number]
        book = runner.exchange.book(OPTION)
        assert book.depth(Side.BUY) == simple.depth(Side.BUY)
        assert book.depth(Side.SELL) == simple.depth(Side.SELL)
    assert fills_of(runner) == simple.fills


def fills_of(runner: Runner) -> list[Fill]:
    """(taker, maker, price, amount) of every trade, in order."""
    sides: dict[str, dict[bool, str]] = {}
    prints = []
    for effect in runner.exchange.drain():
        if isinstance(effect, Prints):
            prints += effect.trades
        elif isinstance(effect, AccountChange):
            for trade in effect.trades:
                sides.setdefault(trade.public.trade_id, {})[trade.is_maker] = trade.order_id
    return [
        (
            runner.numbers[sides[made.trade_id][False]],
            runner.numbers[sides[made.trade_id][True]],
            made.price,
            made.amount,
        )
        for made in prints
    ]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([OPTION, PERPETUAL]), steps, st.decimals("0.7", "1.4", places=3))
def test_nothing_is_lost(name: str, stream: list[Step], move: Decimal) -> None:
    is_option = name == OPTION
    runner = Runner(name, D("0.0005"), D(1)) if is_option else Runner(name, D("25.05"), D(13))
    exchange = runner.exchange
    mark = (100 * runner.tick * move).quantize(D("0.0001"))
    exchange.set_mark(name, mark, index=D(2500))
    for now_ms, step in enumerate(stream):
        runner.run(step, now_ms)
        book = exchange.book(name)
        if book.best_bid is not None and book.best_ask is not None:
            assert book.best_bid.price < book.best_ask.price
    accounts = list(exchange.accounts.values())
    positions = [exchange.position(account.name, name) for account in accounts]
    assert sum(position.size for position in positions) == 0
    money = sum(
        (account.cash["ETH"] + account.session.get("ETH", D(0)) for account in accounts), D(0)
    )
    if exchange.listings[name].kind is not Kind.OPTION:
        money -= sum((position.cost for position in positions), D(0))
    assert money + exchange.fees_collected.get("ETH", D(0)) == START_COIN * len(ACCOUNTS)
    # At any mark, what is owned adds up to what was brought, but for one rounding an account.
    equity = sum((exchange.equity(account.name, "ETH") for account in accounts), D(0))
    drift = equity + exchange.fees_collected.get("ETH", D(0)) - START_COIN * len(ACCOUNTS)
    assert abs(drift) <= D("1E-12") * len(ACCOUNTS)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_the_notices_alone_rebuild_books_orders_and_positions(stream: list[Step]) -> None:
    runner = Runner(OPTION, D("0.0005"), D(1))
    for now_ms, step in enumerate(stream):
        runner.run(step, now_ms)
    exchange = runner.exchange
    book = exchange.book(OPTION)
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    change_id: int | None = None
    sizes = dict.fromkeys(ACCOUNTS, D(0))
    last_state: dict[str, tuple[object, Decimal]] = {}
    cash = dict.fromkeys(ACCOUNTS, START_COIN)
    for effect in exchange.drain():
        if isinstance(effect, BookDelta):
            assert change_id is None or effect.prev_change_id == change_id
            change_id = effect.change_id
            for levels, changes in ((bids, effect.bids), (asks, effect.asks)):
                for action, price, amount in changes:
                    assert (action == "new") == (price not in levels)
                    if action == "delete":
                        assert amount == 0
                        del levels[price]
                    else:
                        levels[price] = amount
        elif isinstance(effect, AccountChange):
            for order in effect.orders:
                last_state[order.order_id] = (order.state, order.filled)
            for trade in effect.trades:
                signed = trade.public.amount * trade.side.sign
                sizes[effect.account] += signed
                cash[effect.account] -= trade.fee
                cash[effect.account] -= value(book.listing, signed, trade.public.price)
    assert sorted(bids.items(), reverse=True) == book.depth(Side.BUY)
    assert sorted(asks.items()) == book.depth(Side.SELL)
    for account in ACCOUNTS:
        assert exchange.position(account, OPTION).size == sizes[account]
        assert exchange.accounts[account].cash["ETH"] == cash[account]
        for order_id in runner.numbers:
            found = exchange.order(account, order_id)
            if found is not None:
                assert last_state[order_id] == (found.state, found.filled)
