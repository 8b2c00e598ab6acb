"""Pools: buckets that fill again, windows given back a whole window after the answer."""

from enum import Enum, auto

from mmbot.venues.pools import Pools
from mmbot.venues.rates import Rate


class Kind(Enum):
    ONLY = auto()


WINDOW = Rate(1.0, 5.0, windowed=True)


def at_once(pools: Pools, now_s: float) -> int:
    """So many requests, each answered right away."""
    count = 0
    while not pools.take(Kind.ONLY, now_s):
        pools.sent(Kind.ONLY)
        pools.ended(Kind.ONLY, now_s)
        count += 1
    return count


def test_a_window_begins_half_full_and_leaves_one_alone() -> None:
    pools = Pools(0.0, {Kind.ONLY: WINDOW})
    assert at_once(pools, 0.0) == 2
    assert at_once(pools, 5.0) == 0  # a window of ours is a little longer: clocks differ
    assert at_once(pools, 5.2) == 4


def test_no_window_wherever_it_begins_holds_more_than_the_limit() -> None:
    pools = Pools(0.0, {Kind.ONLY: WINDOW})
    sent: list[float] = []
    for tenth in range(1000):
        now_s = tenth / 10
        sent += [now_s] * at_once(pools, now_s)
    assert len(sent) > 70
    for start in sent:
        assert sum(start <= moment < start + 5.0 for moment in sent) <= 5


def test_what_is_not_answered_counts_until_a_window_after_it_is() -> None:
    pools = Pools(0.0, {Kind.ONLY: WINDOW})
    assert at_once(pools, 100.0) == 4
    assert not pools.take(Kind.ONLY, 110.0)
    pools.sent(Kind.ONLY)
    assert at_once(pools, 200.0) == 3
    pools.ended(Kind.ONLY, 300.0)
    assert at_once(pools, 301.0) == 3
    assert at_once(pools, 306.0) == 1


def test_what_the_venue_says_is_used_is_used() -> None:
    pools = Pools(0.0, {Kind.ONLY: WINDOW})
    pools.resize(Kind.ONLY, Rate(5.0, 25.0, windowed=True), spent=20)
    assert at_once(pools, 0.0) == 4
    assert at_once(pools, 5.2) == 24


def test_what_cannot_wait_is_made_up_for_by_one_whole_pool_at_most() -> None:
    pools = Pools(0.0, {Kind.ONLY: Rate(20.0, 100.0)})
    for _ in range(3_000):
        pools.spend(Kind.ONLY, 0.0)
        pools.sent(Kind.ONLY)
        pools.ended(Kind.ONLY, 0.0)
    assert 5.0 < pools.take(Kind.ONLY, 0.0) < 5.2
    assert 18 <= at_once(pools, 6.1) <= 20
