"""What is surely allowed is what the rules allow, whatever has happened.

Whole histories run with every decision taken once more with all rules asked about everything: both
must be the same. That this finds a leeway which is too wide is shown by bugs that are planted.
"""

from collections.abc import Callable

import pytest

from mmbot.core import approve
from mmbot.core import turn as conductor
from mmbot.core.books import Market
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.decide import Decision, decide
from mmbot.core.desk import Desk
from mmbot.core.leeway import UNBOUNDED, is_within
from mmbot.core.state import State
from mmbot.core.types import Nanos
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from mmbot.sim.models.faults import Harshness
from tests.properties.decided_again import is_same
from tests.simulation.drawn import drawn_world

SEEDS_MAX = 40


class Audit:
    """Takes every decision once more, with every rule asked."""

    def __init__(self) -> None:
        self.made = 0
        self.passed = 0
        self.wrong: list[str] = []

    def decide(self, state: State, desk: Desk, market: Market, now_ns: Nanos) -> Decision:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(approve, "_surely_allowed", self._note(approve._surely_allowed))
            patch.setattr(approve, "is_within", self._note(is_within))
            decision = decide(state, desk, market, now_ns)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(approve, "_surely_allowed", lambda *_: False)
            patch.setattr(approve, "is_within", lambda *_: False)
            asked = decide(state, desk, market, now_ns)
        self.made += 1
        if not is_same(decision, asked):
            self.wrong.append(f"turn {state.turns}, {market.instrument.name}: {asked}")
        return decision

    def _note(self, ask: Callable[..., bool]) -> Callable[..., bool]:
        def noted(*given: object) -> bool:
            answer = ask(*given)
            self.passed += answer
            return answer

        return noted


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Audit:
    one = Audit()
    monkeypatch.setattr(conductor, "decide", one.decide)
    return one


LIVES = {
    "amended": Capabilities(),
    "replaced": Capabilities(move=Move.REPLACE),
    "voided": Capabilities(fills_final=False),
}


@pytest.mark.parametrize("life", LIVES)
def test_the_rules_would_have_said_the_same(audit: Audit, life: str) -> None:
    for seed in range(501, 504):
        outcome = drawn_world(seed, Harshness.HARSH, can=LIVES[life]).run()
        assert outcome.violation is None, outcome.violation
        assert not audit.wrong, f"seed {seed}: {audit.wrong[0]}"
    assert audit.passed > audit.made / 10, "hardly anything was put to the test"


@pytest.mark.parametrize("rule", [MaxPosition, MaxExposure])
def test_a_leeway_that_is_too_wide_is_found(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, rule: type
) -> None:
    monkeypatch.setattr(rule, "leeway", lambda self, prices: UNBOUNDED)
    for seed in range(1, 1 + SEEDS_MAX):
        drawn_world(seed).run()
        if audit.wrong:
            return
    pytest.fail(f"{SEEDS_MAX} seeds found nothing wrong")
