"""What passes as an object is what its text says, when it leaves and for ever after."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from tests.wire.spec import history


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types in every place: 1 is not 1.0, and a tuple is no list."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("manner", Manner)
def test_every_message_of_a_morning_is_what_its_text_says_and_stays_so(manner: Manner) -> None:
    judge = history.morning(manner)
    assert len(judge.said) > 1_000
    for frame in judge.said:
        assert same(frame.message, orjson.loads(frame.text)), frame.text[:300]


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ([1], (1,)), (True, 1), ([[1]], [[1.0]])])
def test_what_json_would_not_give_back_is_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert same(one, one)


def test_a_frame_has_one_text() -> None:
    frame = Frame({"a": [1, 0.5, None]})
    assert frame.text == b'{"a":[1,0.5,null]}'
    assert frame.text is frame.text
