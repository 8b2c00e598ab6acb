"""Laws of the diff: it reaches the targets, then it is content."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.capabilities import Capabilities
from mmbot.core.diff import Action, diff
from mmbot.core.events import OrderSeen
from mmbot.core.fitting import amended_amount, fits
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.orders import ORPHAN_LEVEL, Order, Orders
from mmbot.core.types import SECOND, ZERO, Approved, Label, Side
from tests.builders import NOW_NS, a_target, an_order

USUAL = Capabilities()
LONG_AGO_NS = NOW_NS - 3600 * SECOND

prices = st.integers(1, 12).map(lambda n: Decimal("0.0005") * n + Decimal("0.0100"))
sizes = st.integers(1, 5).map(Decimal)
slots = st.tuples(st.sampled_from(Side), st.integers(0, 2))
settled = [Status.LIVE, Status.DONE]


@st.composite
def some_targets(draw: st.DrawFn) -> list[Approved]:
    wanted = draw(st.lists(slots, unique=True, max_size=5))
    requote_threshold = st.sampled_from(["0", "0.0005", "0.0010"])
    return [
        a_target(
            side, draw(prices), draw(sizes), level=level, requote_threshold=draw(requote_threshold)
        )
        for side, level in wanted
    ]


@st.composite
def some_orders(draw: st.DrawFn, statuses: list[Status]) -> Orders:
    orders = Orders()
    held = draw(st.lists(slots, unique=True, max_size=5))
    strays = draw(st.lists(st.sampled_from(Side), max_size=2))
    for n, (side, level) in enumerate([*held, *((side, ORPHAN_LEVEL) for side in strays)]):
        order = an_order(
            side,
            draw(prices),
            draw(sizes),
            label=f"mmtest-{n}",
            level=level,
            status=draw(st.sampled_from(statuses)),
            sent_ns=LONG_AGO_NS,
        )
        order.filled = order.booked = min(draw(st.integers(0, 4).map(Decimal)), order.amount - 1)
        orders.add(order)
    return orders


def plan(orders: Orders, targets: list[Approved]) -> list[Action]:
    return diff(targets, list(orders.all()), {}, NOW_NS)


def carry_out(orders: Orders, actions: list[Action]) -> None:
    """What a willing venue makes of them."""
    for n, action in enumerate(actions):
        order, target = action.order, action.target
        if order is None:
            assert target is not None
            orders.add(
                an_order(
                    target.side,
                    target.price,
                    target.size,
                    level=target.level,
                    label=f"mmnew-{n}",
                )
            )
        elif target is None:
            orders.cancel_sent(order, USUAL, NOW_NS)
            orders.seen(
                answer(order, OrderState.CANCELLED, order.price, order.amount), order, asked_ns=0
            )
        else:
            amount = amended_amount(order, target)
            orders.amend_sent(order, target.price, amount, USUAL, NOW_NS)
            orders.seen(answer(order, OrderState.OPEN, target.price, amount), order, asked_ns=0)


def answer(order: Order, state: OrderState, price: Decimal, amount: Decimal) -> OrderSeen:
    return OrderSeen(
        venue="deribit",
        label=order.label,
        order_id=order.order_id,
        instrument=order.instrument,
        side=order.side,
        price=price,
        amount=amount,
        filled=order.filled,
        state=state,
        venue_ms=order.venue_ms + 1,
        answers=Request.CANCEL if state is OrderState.CANCELLED else Request.AMEND,
    )


@given(some_orders(settled), some_targets())
@settings(max_examples=200, deadline=None)
def test_diff_reaches_the_targets_and_a_second_diff_is_empty(
    orders: Orders, targets: list[Approved]
) -> None:
    carry_out(orders, plan(orders, targets))
    assert plan(orders, targets) == []
    working = {(o.side, o.level): o for o in orders.all() if o.working}
    assert len(working) == sum(o.working for o in orders.all())
    assert set(working) == {(t.side, t.level) for t in targets}
    for target in targets:
        order = working[target.side, target.level]
        assert fits(order, target, NOW_NS)
        lag = (target.price - order.price) * target.side.sign
        assert lag == 0 or 0 < lag < target.requote_threshold
        assert order.remaining == target.size or order.filled > 0


@given(some_orders(list(Status)), some_targets())
@settings(max_examples=200, deadline=None)
def test_whatever_is_unknown_a_slot_never_gets_a_second_order(
    orders: Orders, targets: list[Approved]
) -> None:
    taken = {(o.side, o.level) for o in orders.all() if o.working}
    for action in plan(orders, targets):
        if action.request is Request.PLACE:
            assert action.target is not None
            slot = (action.target.side, action.target.level)
            assert slot not in taken
            taken.add(slot)
        else:
            assert action.order is not None
            assert action.order.status is Status.LIVE


@given(some_orders(list(Status)), some_targets())
@settings(max_examples=100, deadline=None)
def test_each_order_gets_at_most_one_request(orders: Orders, targets: list[Approved]) -> None:
    labels: list[Label] = [a.order.label for a in plan(orders, targets) if a.order is not None]
    assert len(labels) == len(set(labels))


@given(some_orders(settled), some_targets())
@settings(max_examples=100, deadline=None)
def test_no_more_is_asked_for_than_the_targets_sizes(
    orders: Orders, targets: list[Approved]
) -> None:
    carry_out(orders, plan(orders, targets))
    for side in Side:
        open_ = sum((o.remaining for o in orders.all() if o.side is side and o.working), ZERO)
        assert open_ <= sum((t.size for t in targets if t.side is side), ZERO)
