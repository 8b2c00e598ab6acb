"""What a fresh state makes of what earlier runs have left."""

from dataclasses import replace
from decimal import Decimal

from mmbot.core.inventory import Position
from mmbot.core.orders import CLOCK_SKEW_NS, Status
from mmbot.core.state import VALID_FOR_NS, State
from mmbot.core.takeover import KNOWN_BEFORE_MS, take_budget, take_order, take_positions
from mmbot.core.types import SECOND
from mmbot.core.why import Why
from tests.builders import NOW_NS, a_perpetual, an_option, an_order


def test_what_was_traded_since_the_oldest_last_trade_is_asked_for() -> None:
    state = State(run="new", started_ns=NOW_NS)
    traded = Position(an_option(), Decimal(3), opened=True, opened_ms=50, last_fill_ms=90_000_000)
    untouched = Position(a_perpetual(), opened=True, opened_ms=95_000_000)
    known_since_ms = take_positions(state, [traded, untouched])
    assert state.resume_ms == 90_000_000
    assert known_since_ms == 90_000_000 - KNOWN_BEFORE_MS
    assert state.inventory.of(traded.instrument).amount == Decimal(3)


def test_a_position_that_was_never_opened_says_nothing_about_when_to_resume() -> None:
    state = State(run="new", started_ns=NOW_NS)
    assert take_positions(state, [Position(an_option(), last_fill_ms=90_000_000)]) < 0
    assert state.resume_ms == 0


def test_an_order_without_an_end_is_unknown_until_its_last_request_must_be_dead() -> None:
    state = State(run="new", started_ns=NOW_NS)
    noted = replace(an_order(), filled=Decimal("0.4"), booked=Decimal("0.1"), status=Status.LIVE)
    take_order(state, noted, 1 * SECOND, NOW_NS)
    order = state.orders.by_label[noted.label]
    assert (order.status, order.why) == (Status.UNKNOWN, Why.ADOPTED)
    assert (order.price, order.amount, order.owed) == (noted.price, noted.amount, Decimal("0.3"))
    assert order.settle_ns == NOW_NS + VALID_FOR_NS + CLOCK_SKEW_NS - 1 * SECOND


def test_an_order_written_long_ago_has_nothing_on_its_way_any_more() -> None:
    state = State(run="new", started_ns=NOW_NS)
    take_order(state, noted := an_order(), 3_600 * SECOND, NOW_NS)
    assert state.orders.by_label[noted.label].settle_ns == NOW_NS


def test_a_clock_that_was_set_back_does_not_lengthen_the_wait() -> None:
    state = State(run="new", started_ns=NOW_NS)
    take_order(state, noted := an_order(), -3_600 * SECOND, NOW_NS)
    settle_ns = state.orders.by_label[noted.label].settle_ns
    assert settle_ns == NOW_NS + VALID_FOR_NS + CLOCK_SKEW_NS


def test_a_run_right_after_another_one_has_few_requests_and_one_much_later_has_all() -> None:
    soon, later = (State(run="new", started_ns=NOW_NS) for _ in range(2))
    take_budget(soon, "deribit", 2 * SECOND, NOW_NS)
    take_budget(later, "deribit", 60 * SECOND, NOW_NS)
    # One of the two seconds may have been lived through unheard; in the other, 5 requests x 0.98
    # come back.
    assert 4.0 <= soon.account("deribit").budget.level <= 5.0
    assert later.account("deribit").budget.level == later.account("deribit").budget.full
