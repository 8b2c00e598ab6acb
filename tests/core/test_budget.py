"""The request budget: numbers from the venue's default tier, 5 a second, 20 at once."""

import pytest

from mmbot.core.budget import Budget
from mmbot.core.types import MS, SECOND


def spent(budget: Budget, *, cancel: bool = False) -> int:
    """How many requests in a row the budget allows now."""
    count = 0
    while budget.spend(cancel=cancel):
        count += 1
    return count


def test_places_stop_where_the_reserve_begins() -> None:
    budget = Budget()  # 20 at once, a quarter of it for cancels only
    assert spent(budget) == 15


def test_cancels_have_budget_when_places_have_none() -> None:
    budget = Budget()
    spent(budget)
    assert not budget.spend(cancel=False)
    assert spent(budget, cancel=True) == 5
    assert not budget.spend(cancel=True)


def test_time_earns_requests_at_the_rate() -> None:
    budget = Budget()
    budget.refill(SECOND)
    spent(budget)
    budget.refill(SECOND + 1000 * MS)  # 5 a second
    assert spent(budget) == 5


def test_fractions_of_a_request_are_not_lost() -> None:
    budget = Budget()
    spent(budget)
    for step in range(1, 16):
        budget.refill(step * 20 * MS)  # fifteen times a tenth of a request
    assert spent(budget) == 1


def test_no_more_is_saved_than_the_burst() -> None:
    budget = Budget()
    spent(budget)
    budget.refill(3600 * SECOND)
    assert budget.level == 20


def test_time_that_stands_still_or_runs_back_earns_nothing() -> None:
    budget = Budget()
    budget.refill(10 * SECOND)
    spent(budget)
    budget.refill(10 * SECOND)
    budget.refill(5 * SECOND)
    assert not budget.spend(cancel=False)
    budget.refill(10 * SECOND)
    assert not budget.spend(cancel=False)


def test_the_accounts_own_limits_replace_the_defaults_with_a_margin() -> None:
    budget = Budget()
    budget.resize(rate_per_s=10.0, burst=100.0)
    assert spent(budget) == 75
    budget.refill(SECOND)
    assert spent(budget) == 9  # nine tenths of the venue's own rate


def test_limits_read_again_give_nothing_back() -> None:
    budget = Budget()
    spent(budget)
    spent(budget, cancel=True)
    budget.resize(rate_per_s=5.0, burst=20.0)
    assert spent(budget, cancel=True) == 0


@pytest.mark.parametrize("burst", [1.0, 2.0, 5.0])
def test_the_smallest_venues_can_still_be_quoted(burst: float) -> None:
    budget = Budget()
    budget.resize(rate_per_s=1.0, burst=burst)
    assert budget.spend(cancel=False)
