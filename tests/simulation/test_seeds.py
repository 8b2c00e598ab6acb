"""Two hundred histories, harsh and mild: nothing that must hold breaks, and all of them settle.

A seed that fails is run by hand with `python -m tests.simulation SEED 1 harsh`; the bug it found
gets a test of its own.
"""

import pytest

from mmbot.sim.models.faults import Harshness
from mmbot.sim.virtual.world import Outcome
from tests.simulation.drawn import drawn_world

CHUNK = 10
HARSH = range(1, 161, CHUNK)
MILD = range(1001, 1031, CHUNK)
CALM = range(2001, 2011, CHUNK)
LATE = range(1, 101, CHUNK)
LONG = range(10_001, 12_001, CHUNK)


def failures(first: int, harshness: Harshness, *, late_finality: bool = False) -> list[str]:
    """What did not hold in one chunk of seeds, with the command that shows it again."""
    found: list[str] = []
    late = " late" if late_finality else ""
    for seed in range(first, first + CHUNK):
        outcome: Outcome = drawn_world(seed, harshness, late_finality=late_finality).run()
        if outcome.violation is not None:
            wrong = outcome.violation
            found.append(
                f"seed {seed}, turn {wrong.turn}: {wrong.check}: {wrong.detail}\n  {wrong.event}\n"
                f"  python -m tests.simulation {seed} 1 {harshness.value}{late}"
            )
    return found


@pytest.mark.parametrize("first", HARSH)
def test_harsh_seeds_hold(first: int) -> None:
    assert not failures(first, Harshness.HARSH)


@pytest.mark.parametrize("first", MILD)
def test_mild_seeds_hold(first: int) -> None:
    assert not failures(first, Harshness.MILD)


@pytest.mark.parametrize("first", CALM)
def test_seeds_without_faults_hold(first: int) -> None:
    assert not failures(first, Harshness.NONE)


@pytest.mark.parametrize("first", LATE)
def test_harsh_seeds_whose_fills_may_be_voided_hold(first: int) -> None:
    assert not failures(first, Harshness.HARSH, late_finality=True)


@pytest.mark.long
@pytest.mark.parametrize("first", LONG)
def test_two_thousand_more_hold(first: int) -> None:
    assert not failures(first, Harshness.HARSH)
    assert not failures(first, Harshness.HARSH, late_finality=True)
