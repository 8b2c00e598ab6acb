"""The bench runs, and every loop really sends both orders. Nothing here looks at a clock."""

import pytest

from tests.benchmarks.race import Case, Loop, race
from tests.benchmarks.turns import Subject
from tests.benchmarks.venue import STEPS_MAX, Account


def test_every_loop_answers_every_tick_with_both_orders() -> None:
    # More ticks than there are outward steps, so that the market also closes again.
    ticks = STEPS_MAX + 2
    samples = race(ticks, block=ticks, warm_up=1)
    assert {key: len(taken) for key, taken in samples.items()} == {
        (case, loop): ticks for case in Case for loop in Loop
    }
    assert all(taken_ns > 0 for taken in samples.values() for taken_ns in taken)


@pytest.mark.parametrize("instruments", [1, 4])
def test_the_measured_turns_are_the_ones_they_claim_to_be(instruments: int) -> None:
    subject = Subject(instruments)
    for _ in range(STEPS_MAX + 2):
        subject.amend()  # each asserts what the turn sent
        subject.quiet()
        subject.tick()


async def test_a_loop_that_sends_one_order_only_is_not_taken_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.benchmarks.venue.DEADLINE_S", 0.01)
    account = Account("half")
    account.arrivals["buy"] = 1
    with pytest.raises(TimeoutError, match="half: waited"):
        await account.until(lambda: len(account.arrivals) == 2, "both orders")
