"""The order table: what the venue's words, and their absence, do to what we believe.

Times are in seconds of desk time; a place leaves at 0, must be answered by 2, dies at the venue at
4, and its absence is proof after 5 (a second of clock skew later).
"""

# mypy: disable-error-code="comparison-overlap"
# Decimals are compared with whole numbers in tuples; a status changes behind mypy's back.

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core.absence import CLOCK_SKEW_NS
from mmbot.core.capabilities import REQUEST_DEADLINE_NS, VALID_FOR_NS, Capabilities
from mmbot.core.events import OrderSeen
from mmbot.core.order_life import IN_FLIGHT, OrderState, Request, Status
from mmbot.core.orders import Order, Orders
from mmbot.core.statements import OpenOrder
from mmbot.core.types import SECOND, Side
from tests.builders import a_fill, an_order

USUAL = Capabilities()
BUY, SELL = Side.BUY, Side.SELL
OPEN, FILLED = OrderState.OPEN, OrderState.FILLED
CANCELLED, REJECTED = OrderState.CANCELLED, OrderState.REJECTED


def s(seconds: float) -> int:
    return int(seconds * SECOND)


class Table:
    """One order of 10 at 0.0200 in a table, and the venue's words about it."""

    def __init__(self, status: Status = Status.LIVE) -> None:
        self.orders = Orders()
        self.order = an_order(BUY, "0.0200", 10, status=Status.PENDING, order_id="")
        self.order.request = Request.PLACE
        self.order.deadline_ns = REQUEST_DEADLINE_NS
        self.order.uncertain_until_ns = VALID_FOR_NS + CLOCK_SKEW_NS
        self.orders.add(self.order)
        if status is not Status.PENDING:
            self.seen(OPEN, answers=Request.PLACE, venue_ms=1)
        if status is Status.AMENDING:
            self.amend("0.0195", 10, at=10)
        if status is Status.CANCELING:
            self.orders.cancel_sent(self.order, USUAL, s(10))
        if status is Status.UNKNOWN:
            self.orders.lost(self.order, s(10))
        assert self.order.status is status

    def amend(self, price: str, amount: int, *, at: float) -> None:
        self.orders.amend_sent(self.order, Decimal(price), Decimal(amount), USUAL, s(at))

    def exposed(self, side: Side) -> Decimal:
        orders = self.orders.on(self.order.instrument)
        return sum((order.exposed for order in orders if order.side is side), Decimal(0))

    def statement(
        self,
        state: OrderState = OPEN,
        *,
        filled: int = 0,
        price: str = "0.0200",
        amount: int = 10,
        answers: Request | None = None,
        venue_ms: int = 2,
    ) -> OrderSeen:
        return OrderSeen(
            venue="deribit",
            label=self.order.label,
            order_id="77",
            instrument=self.order.instrument,
            side=self.order.side,
            price=Decimal(price),
            amount=Decimal(amount),
            filled=Decimal(filled),
            state=state,
            venue_ms=venue_ms,
            answers=answers,
        )

    def seen(
        self,
        state: OrderState = OPEN,
        *,
        filled: int = 0,
        price: str = "0.0200",
        amount: int = 10,
        answers: Request | None = None,
        venue_ms: int = 2,
    ) -> None:
        statement = self.statement(
            state, filled=filled, price=price, amount=amount, answers=answers, venue_ms=venue_ms
        )
        self.orders.seen(statement, self.order, asked_ns=0)

    def filled(self, amount: int, trade_id: str = "t", venue_ms: int = 3) -> None:
        fill = a_fill(BUY, "0.0200", amount, trade_id=trade_id, venue_ms=venue_ms)
        self.orders.book(self.order, fill)

    def listed(self, *, asked: float, filled: int = 0, price: str = "0.0200", ms: int = 2) -> None:
        stated = OpenOrder(
            "77",
            self.order.label,
            self.order.instrument,
            BUY,
            Decimal(price),
            Decimal(10),
            Decimal(filled),
            ms,
        )
        self.orders.in_snapshot(self.order, stated, s(asked))

    @property
    def known(self) -> bool:
        return self.order.label in self.orders.by_label

    @property
    def terms(self) -> tuple[Decimal, Decimal, Decimal]:
        return self.order.price, self.order.amount, self.order.filled


# --- from place to end ------------------------------------------------------------------------


def test_an_acknowledged_place_is_live() -> None:
    table = Table(Status.PENDING)
    table.seen(OPEN, answers=Request.PLACE)
    assert table.order.status is Status.LIVE
    assert table.order.order_id == "77"
    assert table.orders.counts.placed == 1


def test_a_push_may_come_before_the_answer_and_counts_once() -> None:
    table = Table(Status.PENDING)
    table.seen(OPEN)
    table.seen(OPEN, answers=Request.PLACE)
    assert table.order.status is Status.LIVE
    assert table.orders.counts.placed == 1


def test_a_refused_place_is_over() -> None:
    table = Table(Status.PENDING)
    table.orders.refused(table.order, Request.PLACE, False, s(1))
    assert not table.known
    assert (table.orders.counts.rejected, table.orders.counts.placed) == (1, 0)


def test_a_cancelled_order_is_forgotten_with_the_moment_of_its_end() -> None:
    table = Table(Status.CANCELING)
    table.seen(CANCELLED, answers=Request.CANCEL, venue_ms=9)
    assert not table.known
    assert list(table.orders.on(table.order.instrument)) == []
    assert table.orders.forgotten == {table.order.label: 9}
    assert table.orders.counts.cancelled == 1


@pytest.mark.parametrize("status", list(IN_FLIGHT))
def test_a_request_past_its_deadline_makes_the_order_unknown(status: Status) -> None:
    table = Table(status)
    deadline_ns = table.order.deadline_ns
    assert table.orders.overdue(deadline_ns - 1) == []
    assert table.orders.overdue(deadline_ns) == [table.order]
    assert table.order.status is Status.UNKNOWN
    assert table.order.working


def test_an_impossible_move_is_a_bug() -> None:
    table = Table(Status.PENDING)
    with pytest.raises(AssertionError, match="CANCEL_SENT in PENDING"):
        table.orders.cancel_sent(table.order, USUAL, s(1))


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.AMENDING, Status.CANCELING, Status.UNKNOWN]
)
def test_no_request_overtakes_another(status: Status) -> None:
    with pytest.raises(AssertionError):
        Table(status).amend("0.0190", 10, at=11)


def test_a_label_is_used_once() -> None:
    table = Table()
    with pytest.raises(AssertionError, match="used twice"):
        table.orders.add(an_order())


# --- only a venue statement ends an order -----------------------------------------------------


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DONE])
def test_a_lost_answer_never_ends_an_order(status: Status) -> None:
    table = Table(status)
    table.orders.lost(table.order, s(20))
    assert table.order.status is Status.UNKNOWN
    assert table.order.exposed == 10


def test_absent_order_is_done_only_after_its_validity_passed() -> None:
    table = Table(Status.PENDING)
    table.orders.lost(table.order, s(2))
    for asked in (2.5, 4.0, 5.0):
        table.orders.not_found(table.order, s(asked))
        assert table.order.status is Status.UNKNOWN
    table.orders.not_found(table.order, s(5.001))
    assert not table.known


@pytest.mark.parametrize("status", [Status.PENDING, Status.LIVE, Status.AMENDING, Status.CANCELING])
def test_absence_says_nothing_of_an_order_that_is_not_in_doubt(status: Status) -> None:
    table = Table(status)
    table.orders.not_found(table.order, s(100))
    assert table.order.status is status


def test_a_live_order_missing_from_a_snapshot_is_looked_up_not_buried() -> None:
    table = Table()
    table.orders.not_in_snapshot(table.order, s(20))
    assert table.order.status is Status.UNKNOWN


def test_a_live_order_gone_from_a_later_snapshot_needs_no_further_wait() -> None:
    table = Table()  # placed at 0, answered: nothing is outstanding, whatever its validity was
    table.orders.not_in_snapshot(table.order, s(3))
    table.orders.not_found(table.order, s(3.1))
    assert not table.known


def test_snapshot_cannot_doubt_an_order_sent_after_it_was_asked() -> None:
    table = Table()
    table.order.sent_ns = s(21)
    table.orders.not_in_snapshot(table.order, s(20))
    assert table.order.status is Status.LIVE


@pytest.mark.parametrize("status", list(IN_FLIGHT))
def test_snapshot_does_not_answer_a_request_in_flight(status: Status) -> None:
    table = Table(status)
    table.orders.not_in_snapshot(table.order, s(11))
    table.listed(asked=11)
    assert table.order.status is status


def test_snapshot_asked_before_an_amend_does_not_undo_it() -> None:
    table = Table()
    table.amend("0.0195", 10, at=21)
    table.seen(OPEN, price="0.0195", answers=Request.AMEND, venue_ms=5)
    table.listed(asked=20, price="0.0200", ms=5)  # the same millisecond at the venue
    assert table.order.price == Decimal("0.0195")


def test_an_unknown_order_listed_by_a_snapshot_lives() -> None:
    table = Table(Status.UNKNOWN)
    table.listed(asked=20, filled=4)
    assert table.order.status is Status.LIVE
    assert (table.order.remaining, table.order.unbooked) == (6, 4)


def test_a_filled_order_is_filled_by_the_amount_that_is_stated_whatever_it_was_to_become() -> None:
    """An amend to 15 was under way when 10 were filled, and the venue names no filled amount."""
    table = Table()
    table.amend("0.0200", 15, at=10)
    table.filled(10)
    statement = replace(table.statement(FILLED, venue_ms=4), filled=None)
    table.orders.seen(statement, table.order, asked_ns=0)
    assert (table.order.filled, table.order.unbooked) == (10, 0)


def test_an_order_without_a_word_after_its_place_was_lost_keeps_all_its_weight() -> None:
    table = Table(Status.PENDING)
    table.orders.lost(table.order, s(2))
    assert (table.order.working, table.order.exposed) == (True, 10)


def test_absence_does_not_cancel_what_the_venue_said_was_filled() -> None:
    table = Table()
    table.seen(OPEN, filled=4)
    table.orders.lost(table.order, s(20))
    table.orders.not_found(table.order, s(30))
    assert table.order.status is Status.DONE
    assert table.order.exposed == 4


# --- late and stale words ---------------------------------------------------------------------


def test_an_older_statement_changes_nothing() -> None:
    table = Table()
    table.amend("0.0195", 10, at=10)
    table.seen(OPEN, price="0.0195", answers=Request.AMEND, venue_ms=9)
    table.seen(OPEN, price="0.0200", venue_ms=8)
    table.seen(OPEN, price="0.0200", answers=Request.PLACE, venue_ms=1)
    assert table.order.price == Decimal("0.0195")


@pytest.mark.parametrize("venue_ms", [8, 9])
@pytest.mark.parametrize("answers", [None, Request.PLACE, Request.AMEND])
def test_an_order_that_ended_does_not_rise_at_an_older_word(
    venue_ms: int, answers: Request | None
) -> None:
    table = Table(Status.AMENDING)
    table.seen(FILLED, filled=10, venue_ms=9)  # owed, so it is still in the table
    table.seen(OPEN, price="0.0195", answers=answers, venue_ms=venue_ms)
    assert table.order.status is Status.DONE


def test_a_push_with_the_old_terms_leaves_the_amend_in_flight() -> None:
    table = Table(Status.AMENDING)
    table.seen(OPEN, filled=3)
    assert table.order.status is Status.AMENDING
    assert table.order.filled == 3


def test_a_push_with_the_new_terms_is_as_good_as_the_answer() -> None:
    table = Table(Status.AMENDING)
    table.seen(OPEN, price="0.0195")
    assert table.order.status is Status.LIVE
    assert table.order.price == Decimal("0.0195")
    assert table.orders.counts.amended == 1


def test_the_answers_terms_hold_even_if_they_are_not_what_was_asked() -> None:
    table = Table(Status.AMENDING)
    table.seen(OPEN, price="0.0190", answers=Request.AMEND)
    assert table.order.status is Status.LIVE
    assert table.order.price == Decimal("0.0190")


def test_the_late_answer_to_an_earlier_amend_does_not_answer_this_one() -> None:
    table = Table(Status.AMENDING)  # to 0.0195
    table.orders.lost(table.order, s(12))
    table.listed(asked=12.5, price="0.0195", ms=5)
    table.amend("0.0190", 10, at=13)
    table.seen(OPEN, price="0.0195", answers=Request.AMEND, venue_ms=5)
    assert table.order.status is Status.AMENDING
    assert table.order.want_price == Decimal("0.0190")


def test_a_lost_amend_may_still_take_effect() -> None:
    table = Table(Status.AMENDING)  # sent at 10, to 0.0195
    table.orders.lost(table.order, s(12))
    table.listed(asked=14)
    assert table.order.status is Status.UNKNOWN
    table.listed(asked=15.001)  # valid until 14, a second of clock skew
    assert table.order.status is Status.LIVE
    assert table.order.price == Decimal("0.0200")


def test_a_late_push_with_the_old_terms_does_not_prove_a_lost_amend_dead() -> None:
    table = Table(Status.AMENDING)  # sent at 10, to 0.0195
    table.orders.lost(table.order, s(12))
    table.seen(OPEN, filled=1)  # however late it comes, it may be from before the amend
    assert table.order.status is Status.UNKNOWN
    assert (table.order.filled, table.order.want_price) == (1, Decimal("0.0195"))


def test_a_lost_amend_that_took_effect_is_known_at_once() -> None:
    table = Table(Status.AMENDING)
    table.orders.lost(table.order, s(12))
    table.listed(asked=12.5, price="0.0195")
    assert table.order.status is Status.LIVE
    assert table.order.price == Decimal("0.0195")


def test_the_late_answer_to_a_place_resolves_it() -> None:
    table = Table(Status.PENDING)
    table.orders.lost(table.order, s(2))
    table.seen(OPEN, answers=Request.PLACE)
    assert table.order.status is Status.LIVE


def test_the_late_refusal_of_a_place_resolves_it() -> None:
    table = Table(Status.PENDING)
    table.orders.lost(table.order, s(2))
    table.orders.refused(table.order, Request.PLACE, False, s(3))
    assert not table.known


def test_a_refused_amend_leaves_the_order_as_it_was() -> None:
    table = Table(Status.AMENDING)
    table.orders.refused(table.order, Request.AMEND, True, s(11))
    assert table.order.status is Status.LIVE
    assert table.order.exposed == 10
    assert table.order.want_price == 0


@pytest.mark.parametrize("status", [Status.AMENDING, Status.CANCELING])
@pytest.mark.parametrize("stands", [None, False])
def test_a_refusal_that_does_not_tell_asks_the_venue(status: Status, stands: bool | None) -> None:
    table = Table(status)
    request = table.order.request
    assert request is not None
    table.orders.refused(table.order, request, stands, s(11))
    assert table.order.status is Status.UNKNOWN
    table.orders.not_found(table.order, s(11.1))  # answered, so absence is proof at once
    assert not table.known


@pytest.mark.parametrize("stands", [True, None, False])
def test_the_late_refusal_of_a_cancel_does_not_answer_the_amend_in_flight(
    stands: bool | None,
) -> None:
    table = Table(Status.CANCELING)
    table.orders.lost(table.order, s(12))
    table.listed(asked=12.5)
    table.amend("0.0195", 20, at=13)
    table.orders.refused(table.order, Request.CANCEL, stands, s(13.5))
    assert table.order.status is Status.AMENDING
    table.orders.lost(table.order, s(15))
    table.orders.refused(table.order, Request.CANCEL, stands, s(15.5))
    assert table.order.status is Status.UNKNOWN
    assert table.order.exposed == 20


# --- fills and what may still come ------------------------------------------------------------


def test_fill_before_ack_counts_once() -> None:
    table = Table(Status.PENDING)
    table.filled(3)
    assert (table.order.exposed, table.order.unbooked) == (7, 0)
    table.seen(OPEN, filled=3, answers=Request.PLACE)
    assert (table.order.exposed, table.order.remaining, table.order.unbooked) == (7, 7, 0)


def test_ack_before_fill_counts_once() -> None:
    table = Table(Status.PENDING)
    table.seen(OPEN, filled=3, answers=Request.PLACE)
    assert (table.order.exposed, table.order.remaining, table.order.unbooked) == (10, 7, 3)
    table.filled(3)
    assert (table.order.exposed, table.order.remaining, table.order.unbooked) == (7, 7, 0)


def test_owed_fill_keeps_counting_for_limits() -> None:
    table = Table()
    table.seen(FILLED, filled=10)
    assert table.order.status is Status.DONE
    assert table.exposed(BUY) == 10
    table.filled(6, "t1")
    assert table.exposed(BUY) == 4
    table.filled(4, "t2")
    assert not table.known


def test_a_cancelled_part_no_longer_counts() -> None:
    table = Table(Status.CANCELING)
    table.seen(CANCELLED, filled=4)
    assert table.order.exposed == 4
    table.filled(4)
    assert not table.known


def test_the_larger_of_old_and_new_amount_counts_while_an_amend_is_in_flight() -> None:
    table = Table()
    table.amend("0.0195", 15, at=10)
    assert table.order.exposed == 15
    table.seen(OPEN, price="0.0195", amount=15)
    table.amend("0.0195", 5, at=11)
    assert table.order.exposed == 15
    table.seen(OPEN, price="0.0195", amount=5, venue_ms=3)
    assert table.order.exposed == 5


def test_a_lost_amend_counts_with_both_its_amounts() -> None:
    table = Table()
    table.amend("0.0195", 15, at=10)
    table.orders.lost(table.order, s(12))
    assert table.order.exposed == 15


def test_exposure_is_of_one_side() -> None:
    table = Table()
    table.orders.add(an_order(SELL, "0.0230", 3, label="mmtest-1"))
    assert (table.exposed(BUY), table.exposed(SELL)) == (10, 3)


@pytest.mark.parametrize("adopted_ms", [3, 9])
def test_fills_from_before_an_order_was_found_are_not_counted_again(adopted_ms: int) -> None:
    table = Table()
    order: Order = table.order
    order.filled = order.booked = Decimal(3)
    order.adopted_ms = adopted_ms
    table.filled(3, "before", venue_ms=3)
    assert (order.remaining, order.exposed) == (7, 7)
    table.filled(2, "after", venue_ms=10)
    assert (order.remaining, order.exposed) == (5, 5)


def test_the_list_of_finished_orders_is_bounded() -> None:
    orders = Orders()
    for n in range(5000):
        order = an_order(label=f"mmtest-{n}")
        orders.add(order)
        orders.cancel_sent(order, USUAL, s(1))
        orders.seen(
            OrderSeen(
                venue="deribit",
                label=order.label,
                order_id="",
                instrument=order.instrument,
                side=BUY,
                price=order.price,
                amount=order.amount,
                filled=order.filled,
                state=CANCELLED,
                venue_ms=n,
            ),
            order,
            asked_ns=0,
        )
    assert len(orders.forgotten) == 4096
    assert "mmtest-4999" in orders.forgotten


def test_working_orders_are_counted_by_venue() -> None:
    table = Table()
    assert table.orders.working("deribit")
    assert not table.orders.working("derive")
    table.seen(FILLED, filled=10)
    assert not table.orders.working("deribit")  # done, even if it owes us a fill
