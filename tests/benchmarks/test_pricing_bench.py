"""The contestants value the same chain. Nothing here looks at a clock."""

import numpy as np
import pytest

from tests.benchmarks.pricing import (
    BLOCK,
    FLOOR,
    IMPLIED,
    OPTIONS,
    OURS,
    QUOTED,
    TICK,
    UNKEPT,
    Chain,
    contestants,
    pricing_ns,
)


def test_every_contestant_values_as_often_as_it_is_asked() -> None:
    taken = pricing_ns(BLOCK + 1)
    assert list(taken) == [FLOOR, OURS, QUOTED, UNKEPT, IMPLIED]
    assert {len(block) for blocks in taken.values() for block in blocks} == {BLOCK}
    assert {len(blocks) for blocks in taken.values()} == {2}


def test_the_floor_is_the_same_value() -> None:
    passes = contestants()
    *floor, theta = passes[FLOOR]()
    *ours, ours_theta = passes[OURS]()
    for a, b in zip(floor, ours, strict=True):
        assert a.shape == (OPTIONS,)
        assert a == pytest.approx(b, rel=1e-9)
    # Of the last day ours is at most the time value.
    assert np.all(ours_theta >= theta * (1 + 1e-12))
    assert np.any(ours_theta > 0.9 * theta)


def test_quotes_are_around_fair_on_the_grid() -> None:
    fair, *_, bid, ask = contestants()[QUOTED]()
    assert np.all(bid + TICK <= fair)
    assert np.all(ask - TICK >= fair)
    assert np.abs(bid / TICK - np.rint(bid / TICK)).max() < 1e-9


def test_the_implied_volatilities_are_those_of_the_chain() -> None:
    assert contestants()[IMPLIED]()[0] == pytest.approx(Chain().vol, rel=1e-6)
