"""Hundreds of histories, harsh and mild: nothing that must hold breaks, and all of them settle.

A seed that fails is run by hand with `python -m tests.simulation SEED 1 harsh`; the bug it found
gets a test of its own.
"""

import pytest

from mmbot.core.capabilities import Capabilities, DeadMan, Move
from mmbot.core.types import SECOND
from mmbot.sim.models.faults import Harshness
from mmbot.sim.virtual.history import Outcome
from tests.simulation.drawn import drawn_world

CHUNK = 10
HARSH = range(1, 81, CHUNK)
MILD = range(1001, 1031, CHUNK)
CALM = range(2001, 2011, CHUNK)
OTHERWISE = range(1, 21, CHUNK)
LONG = range(10_001, 12_001, CHUNK)
LONG_OTHERWISE = range(20_001, 21_001, CHUNK)

PLAIN = Capabilities()
LIVES = {
    "same_id label final": PLAIN,
    "replace label final": Capabilities(move=Move.REPLACE),
    "none none final": Capabilities(move=Move.NONE, label_echoed=False),
    "same_id label late": Capabilities(fills_final=False),
    "same_id label final 10": Capabilities(
        dead_man=DeadMan.ORDER_EXPIRY, orders_expire_ns=10 * SECOND
    ),
    "replace none final 10": Capabilities(
        move=Move.REPLACE,
        label_echoed=False,
        dead_man=DeadMan.ORDER_EXPIRY,
        orders_expire_ns=10 * SECOND,
    ),
}
"""How orders live, in the words of `python -m tests.simulation`."""
OTHER_LIVES = list(LIVES)[1:]


def failures(first: int, harshness: Harshness, life: str = "same_id label final") -> list[str]:
    """What did not hold in one chunk of seeds, with the command that shows it again."""
    found: list[str] = []
    for seed in range(first, first + CHUNK):
        outcome: Outcome = drawn_world(seed, harshness, can=LIVES[life]).run()
        if outcome.violation is not None:
            wrong = outcome.violation
            found.append(
                f"seed {seed}, turn {wrong.turn}: {wrong.check}: {wrong.detail}\n  {wrong.event}\n"
                f"  python -m tests.simulation {seed} 1 {harshness.value} {life}"
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


@pytest.mark.parametrize("life", OTHER_LIVES)
@pytest.mark.parametrize("first", OTHERWISE)
def test_harsh_seeds_of_other_lives_hold(first: int, life: str) -> None:
    assert not failures(first, Harshness.HARSH, life)


@pytest.mark.long
@pytest.mark.parametrize("first", LONG)
def test_two_thousand_more_hold(first: int) -> None:
    assert not failures(first, Harshness.HARSH)


@pytest.mark.long
@pytest.mark.parametrize("life", OTHER_LIVES)
@pytest.mark.parametrize("first", LONG_OTHERWISE)
def test_a_thousand_more_of_each_other_life_hold(first: int, life: str) -> None:
    assert not failures(first, Harshness.HARSH, life)
