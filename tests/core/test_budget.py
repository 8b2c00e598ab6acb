"""The request budget: numbers from the venue's default tier, 5 a second, 20 at once."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.budget import Budget
from mmbot.core.types import MS, SECOND, Label, Nanos
from mmbot.sim.models.credits import Bucket, Rate

NUMBERS = count()
TRAVELS_NS = 5 * SECOND
"""A request that has not arrived by then never does."""


def spent(budget: Budget, *, cancel: bool = False) -> int:
    """How many requests in a row the budget allows now; all are answered at once."""
    labels = []
    while budget.affords(cancel=cancel):
        labels.append(Label(f"mmtest-{next(NUMBERS)}"))
        budget.spend(labels[-1], budget.at_ns + TRAVELS_NS)
    for label in labels:
        budget.answered(label, budget.at_ns)
    return len(labels)


def test_places_stop_where_the_reserve_begins() -> None:
    budget = Budget()  # 20 at once: one is never used, a quarter is for cancels only
    assert spent(budget) == 14


def test_cancels_have_budget_when_places_have_none() -> None:
    budget = Budget()
    spent(budget)
    assert not budget.affords()
    assert spent(budget, cancel=True) == 5
    assert not budget.affords(cancel=True)


def test_time_earns_requests_at_nearly_the_venues_rate() -> None:
    budget = Budget()
    budget.refill(SECOND)
    spent(budget)
    budget.refill(11 * SECOND)  # 49: 2 % less than 5 a second, but the bucket is full before
    assert spent(budget) == 14
    budget.refill(13 * SECOND)
    assert spent(budget) == 9


def test_fractions_of_a_request_are_not_lost() -> None:
    budget = Budget()
    spent(budget)
    for step in range(1, 16):
        budget.refill(step * 20 * MS)  # fifteen times a tenth of a request, and less a little
    assert spent(budget) == 1


def test_no_more_is_saved_than_the_burst() -> None:
    budget = Budget()
    spent(budget)
    budget.refill(3600 * SECOND)
    assert budget.level == budget.full == 19


def test_time_that_stands_still_or_runs_back_earns_nothing() -> None:
    budget = Budget()
    budget.refill(10 * SECOND)
    spent(budget)
    budget.refill(10 * SECOND)
    budget.refill(5 * SECOND)
    assert not budget.affords()
    budget.refill(10 * SECOND)
    assert not budget.affords()


def test_what_was_not_answered_yet_does_not_come_back() -> None:
    budget = Budget()
    budget.refill(SECOND)
    waiting = [Label("mm-1"), Label("mm-2")]
    for label in waiting:
        budget.spend(label, 6 * SECOND)
    budget.refill(5 * SECOND)
    assert budget.level == 17
    budget.answered(waiting[0], 5 * SECOND)
    budget.refill(5999 * MS)
    assert budget.level == 18


@pytest.mark.parametrize(("windowed", "back_s"), [(False, 6), (True, 6 + 4 / 0.98)])
def test_a_request_without_an_answer_counts_until_it_can_arrive_no_more(
    windowed: bool, back_s: float
) -> None:
    """Of a window, and then for a window more: 20 in 4 s."""
    budget = Budget(windowed=windowed)
    budget.refill(SECOND)
    budget.spend(Label("mm-1"), 6 * SECOND)
    back_ns = int(back_s * SECOND)
    budget.refill(back_ns - MS)
    budget.refill(back_ns)
    assert budget.level == (19 if windowed else 18)
    budget.refill(back_ns + 300 * MS)
    assert budget.level == 19


@pytest.mark.parametrize("windowed", [False, True])
def test_a_second_request_about_an_order_does_not_make_the_first_arrive(windowed: bool) -> None:
    budget = Budget(windowed=windowed)
    budget.refill(SECOND)
    budget.spend(Label("mm-1"), 6 * SECOND)
    budget.refill(5 * SECOND)
    budget.spend(Label("mm-1"), 10 * SECOND)
    budget.answered(Label("mm-1"), 5 * SECOND)
    budget.refill(5900 * MS)
    assert budget.level == (17 if windowed else 18)


def test_the_accounts_own_limits_replace_the_defaults() -> None:
    budget = Budget()
    budget.resize(rate_per_s=10.0, burst=100.0)
    assert spent(budget) == 74
    budget.refill(SECOND)
    assert spent(budget) == 9


def test_limits_read_again_give_nothing_back() -> None:
    budget = Budget()
    spent(budget)
    spent(budget, cancel=True)
    budget.resize(rate_per_s=5.0, burst=20.0)
    assert spent(budget, cancel=True) == 0


def test_what_an_earlier_run_may_have_spent_is_not_there() -> None:
    budget = Budget()
    budget.inherit(2 * SECOND, 100 * SECOND)
    budget.refill(100 * SECOND)
    assert budget.level == pytest.approx(9.8)
    budget.inherit(-SECOND, 100 * SECOND)
    assert budget.level == 0.0
    rested = Budget()
    rested.inherit(3600 * SECOND, 100 * SECOND)
    assert rested.level == rested.full


@pytest.mark.parametrize("burst", [1.0, 2.0, 5.0])
def test_the_smallest_venues_can_still_be_quoted(burst: float) -> None:
    budget = Budget()
    budget.resize(rate_per_s=1.0, burst=burst)
    assert budget.affords()


def test_cancels_are_short_where_none_would_be_left_for_the_next_one() -> None:
    budget = Budget()
    spent(budget)
    assert not budget.short_for(4)
    assert budget.short_for(5)


class Line:
    """A line to the venue that keeps the order of requests and nothing else; the venue's clock
    runs at its own pace, and its bucket is the simulator's."""

    def __init__(self, pace: float, limit: Rate) -> None:
        self.pace = pace
        self.bucket = Bucket(limit, 0)
        self.traveling: list[tuple[Nanos, Label]] = []
        self.answers: list[tuple[Nanos, Label]] = []

    def send(self, label: Label, at_ns: Nanos) -> None:
        arrives_ns = max([at_ns, *(when for when, _ in self.traveling)])
        self.traveling.append((arrives_ns, label))

    def deliver(self, until_ns: Nanos, back_ns: Nanos) -> bool:
        """Everything that arrives until then; whether the venue took all of it."""
        while self.traveling and self.traveling[0][0] <= until_ns:
            arrived_ns, label = self.traveling.pop(0)
            if not self.bucket.take(int(arrived_ns * self.pace) // MS):
                return False
            self.answers.append((arrived_ns + back_ns, label))
        return True


@settings(max_examples=100, deadline=None)
@given(
    pace=st.sampled_from([0.99, 1.0, 1.01]),
    limit=st.sampled_from([Rate(5, 20), Rate(1, 3), Rate(30, 100)]),
    steps=st.lists(
        st.tuples(
            st.integers(1, 400),  # ms until the next step
            st.integers(0, 30),  # requests wanted then
            st.integers(0, 1500),  # ms they take there ...
            st.integers(0, 1500),  # ... and their answers back
        ),
        min_size=20,
        max_size=120,
    ),
)
def test_however_requests_bunch_up_on_the_way_the_venue_never_counts_too_many(
    pace: float, limit: Rate, steps: list[tuple[int, int, int, int]]
) -> None:
    budget, line, now_ns = Budget(), Line(pace, limit), 0
    budget.level = budget.full
    budget.resize(limit.per_s, limit.burst)
    for pause_ms, wanted, there_ms, back_ms in steps:
        now_ns += pause_ms * MS
        assert line.deliver(now_ns, back_ms * MS)
        for answer in [a for a in line.answers if a[0] <= now_ns]:
            line.answers.remove(answer)
            budget.answered(answer[1], now_ns)
        budget.refill(now_ns)
        for _ in range(wanted):
            if budget.affords(cancel=True):
                label = Label(f"mmtest-{next(NUMBERS)}")
                budget.spend(label, now_ns + 3600 * SECOND)  # what travels may well be that late
                line.send(label, now_ns + there_ms * MS)
    assert line.deliver(now_ns + 3600 * SECOND, 0)
