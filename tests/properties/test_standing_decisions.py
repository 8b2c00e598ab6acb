"""A decision that stands is the one that would be made now, whatever has happened in between.

Whole histories run with every decision that stands taken once more, from nothing: both must be the
same. That this finds a decision which stands too long is shown by bugs that are planted: something
that was read is left out of what must not have changed.
"""

from collections.abc import Callable
from operator import attrgetter

import pytest

from mmbot.core import basis
from mmbot.core import turn as conductor
from mmbot.core.books import Market
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.decide import Decision, decide
from mmbot.core.desk import Desk
from mmbot.core.reads import no_levels
from mmbot.core.state import State
from mmbot.core.types import Nanos
from mmbot.sim.models.faults import Harshness
from mmbot.strategies.improve_top import ImproveTop
from mmbot.strategies.simple_spread import SimpleSpread
from tests.properties.decided_again import is_same
from tests.simulation.drawn import drawn_pair, drawn_world

SEEDS_MAX = 30


class Audit:
    """Takes every decision that stands once more."""

    def __init__(self) -> None:
        self.made = self.stood = 0
        self.wrong: list[str] = []

    def decide(self, state: State, desk: Desk, market: Market, now_ns: Nanos) -> Decision:
        last = market.stands
        decision = decide(state, desk, market, now_ns)
        self.made += 1
        if last is not None and decision.stands is last:
            self.stood += 1
            market.keep(None)
            fresh = decide(state, desk, market, now_ns)
            market.keep(last)
            if not is_same(decision, fresh):
                self.wrong.append(f"turn {state.turns}, {market.instrument.name}: {fresh}")
        return decision


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Audit:
    one = Audit()
    monkeypatch.setattr(conductor, "decide", one.decide)
    return one


LIVES = {
    "amended": Capabilities(),
    "replaced": Capabilities(move=Move.REPLACE),
    "cancelled first": Capabilities(move=Move.NONE, label_echoed=False),
    "voided": Capabilities(fills_final=False),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("harshness", [Harshness.HARSH, Harshness.NONE])
def test_what_stands_would_be_decided_again(audit: Audit, life: str, harshness: Harshness) -> None:
    for seed in range(301, 304):
        outcome = drawn_world(seed, harshness, can=LIVES[life]).run()
        assert outcome.violation is None, outcome.violation
        assert not audit.wrong, f"seed {seed}: {audit.wrong[0]}"
    assert audit.stood > audit.made / 20, "hardly anything was put to the test"


def test_what_stands_would_be_decided_again_with_two_accounts(audit: Audit) -> None:
    for seed in range(401, 404):
        assert drawn_pair(seed).run().violation is None
        assert not audit.wrong, f"seed {seed}: {audit.wrong[0]}"
    assert audit.stood


Plant = Callable[[pytest.MonkeyPatch], None]


def orders_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basis, "_of_order", attrgetter("label"))


def view_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basis, "_of_view", attrgetter("instrument"))


def exposure_of_others_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [name for name in basis.VIEWED if name != "desk"]
    monkeypatch.setattr(basis, "_of_view", attrgetter(*known))


def book_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for strategy in (ImproveTop, SimpleSpread):
        monkeypatch.setattr(strategy, "reads", no_levels)


PLANTS: dict[Plant, int] = {
    orders_left_out: 21,
    view_left_out: 2,
    exposure_of_others_left_out: 8,
    book_left_out: 3,
}
"""Each with the first seed that found it when this was written. What histories seldom bring about
is in tests/core/test_standing.py."""


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_decision_that_stands_too_long_is_found(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, plant: Plant
) -> None:
    plant(monkeypatch)
    for seed in range(PLANTS[plant], PLANTS[plant] + SEEDS_MAX):
        drawn_world(seed).run()
        if audit.wrong:
            return
    pytest.fail(f"{SEEDS_MAX} seeds found nothing wrong")
