"""No nonce is used twice, by whichever process, and every one lies where the venue takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbot.core.types import SECOND
from mmbot.venues.derive.nonces import AHEAD_NS, OLDEST_NS, PARTS, Nonces, part_of

NOW_NS = 1_748_865_600 * SECOND
"""2025-06-02 12:00 UTC."""

moments = st.lists(st.integers(0, 50_000_000), min_size=1, max_size=200)
"""Nanoseconds between one order and the next."""


def drawn(part: int, gaps: list[int], start_ns: int = NOW_NS) -> list[tuple[int, int]]:
    """(moment, nonce) of each order."""
    nonces, now_ns, found = Nonces(part), start_ns, []
    for gap in gaps:
        now_ns += gap
        found.append((now_ns, nonces.draw(now_ns)))
    return found


@given(moments, st.integers(0, PARTS - 1))
def test_each_is_new_and_within_the_venues_window(gaps: list[int], part: int) -> None:
    found = drawn(part, gaps)
    assert len({nonce for _, nonce in found}) == len(found)
    assert all(now_ns - OLDEST_NS <= nonce <= now_ns + AHEAD_NS for now_ns, nonce in found)


@given(moments, moments, st.sets(st.integers(0, PARTS - 1), min_size=2, max_size=2))
def test_two_processes_of_one_moment_never_meet(
    gaps: list[int], others: list[int], parts: set[int]
) -> None:
    one, other = parts
    assert not {n for _, n in drawn(one, gaps)} & {n for _, n in drawn(other, others)}


def test_a_burst_runs_ahead_of_the_clock_by_a_millisecond_each() -> None:
    burst = drawn(7, [0] * 1000)
    assert len({nonce for _, nonce in burst}) == 1000
    assert max(nonce for _, nonce in burst) < NOW_NS + 1100 * 1_048_576


def test_they_are_of_the_scale_that_the_venue_takes() -> None:
    assert all(len(str(nonce)) == 19 for _, nonce in drawn(PARTS - 1, [0, 1, SECOND]))


def test_one_process_starts_anew_behind_nobody() -> None:
    """A run that begins a second later, with the same part by bad luck."""
    before = {nonce for _, nonce in drawn(5, [0] * 900)}
    after = {nonce for _, nonce in drawn(5, [0] * 900, NOW_NS + SECOND)}
    assert not before & after


def test_parts_follow_from_what_sets_a_process_apart() -> None:
    assert part_of("1k3xq0z", "host", 4711) == part_of("1k3xq0z", "host", 4711)
    parts = {part_of("1k3xq0z", "host", pid) for pid in range(1000)}
    assert len(parts) > 990
    assert all(0 <= part < PARTS for part in parts)
    assert part_of("a", "bc") != part_of("ab", "c")


@pytest.mark.parametrize("part", [-1, PARTS])
def test_a_part_that_would_spill_into_the_time_is_a_mistake(part: int) -> None:
    with pytest.raises(AssertionError):
        Nonces(part)
