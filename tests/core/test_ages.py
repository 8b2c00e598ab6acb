"""The age of keys, told without a moment for each."""

from mmbot.core.ages import STEP_NS, Ages


def test_what_came_before_a_moment_is_old_and_nothing_else() -> None:
    ages, kept = Ages(), {"a": 1, "b": 2}
    assert ages.old(kept, STEP_NS, 0) == []
    kept["c"] = 3
    assert ages.old(kept, 2 * STEP_NS, STEP_NS) == [], "not before that moment"
    kept["d"] = 4
    assert ages.old(kept, 3 * STEP_NS, STEP_NS + 1) == ["a", "b"]
    assert ages.upto_ns == STEP_NS


def test_a_key_that_is_gone_takes_no_younger_one_along() -> None:
    ages, kept = Ages(), {"a": 1}
    ages.old(kept, STEP_NS, 0)
    kept = {"b": 2}
    assert ages.old(kept, 2 * STEP_NS, STEP_NS + 1) == []
    assert ages.old(kept, 3 * STEP_NS, 2 * STEP_NS + 1) == ["b"]


def test_no_more_moments_are_kept_than_there_are_steps() -> None:
    ages, kept = Ages(), {"a": 1}
    for tenth in range(100):
        ages.old(kept, tenth * STEP_NS // 10, 0)
    assert len(ages.steps) == 10
