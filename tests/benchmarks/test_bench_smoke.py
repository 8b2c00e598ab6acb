"""The bench runs, and every loop really sends both orders. Nothing here looks at a clock."""

from io import StringIO

import pytest
from rich.console import Console

from tests.benchmarks.bench import Number, as_table, race_numbers
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


def test_each_ratio_is_judged_against_its_own_loop() -> None:
    took_us = {Loop.BARE: 100, Loop.LIVE: 250, Loop.NAIVE: 500}
    samples = {(case, loop): [took_us[loop] * 1000] * 3 for case in Case for loop in Loop}
    verdicts = {(n.name, n.p50, n.met) for n in race_numbers(samples) if n.aim}
    # At most 3 times the bare loop: 2.5. At least 3 times faster than the naive one: only 2.
    assert verdicts == {("mmbot / bare", 2.5, True), ("naive / mmbot", 2.0, False)}


def test_the_table_fits_a_hundred_columns_and_says_the_verdict_in_words() -> None:
    console = Console(width=100, file=StringIO(), record=True)
    numbers = [
        Number("one turn, 50 instruments, back to back", "a" * 30, "us", 12345.6, 23456.7),
        Number("aims", "slow", "us", 90.0, 95.0, "at most 60 us", met=False),
        Number("aims", "fast", "x", 1.5, None, "at most 3 x", met=True),
    ]
    console.print(as_table(numbers))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if "slow" in line and "missed" in line]
    assert [line for line in lines if "fast" in line and "pass" in line]
