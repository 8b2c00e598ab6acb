"""How often takers come, and how deep they reach: found again from streams of a known truth."""

from collections.abc import Iterator
from math import exp, floor
from random import Random

import pytest

from mmbot.core import events as ev
from mmbot.core.ports import Heard
from mmbot.core.statements import Liquidity
from mmbot.core.types import MS, Side
from mmbot.core.why import Why
from mmbot.signals.arrival import Arrival
from tests.signals.streams import PERPETUAL, book, filled, heard, ns, taken_back, trade

A, K = 0.8, 1.5
"""Of one side."""
MID, HALF = 2850.025, 0.025
"""A book that is one tick of 0.05 wide."""

SIGNAL = Arrival(arrivals=100_000)


def stream(
    seed: int, count: int, *, first: float = 0.0, half: float = HALF, tick: float = 0.0
) -> Iterator[Heard]:
    """Takers on both sides, each reaching an exponential depth beyond `first`; with a tick as far
    as there is a price of the grid. Books come every second or so."""
    draw, at_s, next_book_s = Random(seed), 0.0, 0.0
    rate = 2 * A * exp(-K * first)
    for _ in range(count):
        at_s += draw.expovariate(rate)
        while next_book_s < at_s:
            yield book(next_book_s, MID - half, MID + half, 1 + draw.random())
            next_book_s += 1.0
        side, depth = draw.choice((Side.BUY, Side.SELL)), first + draw.expovariate(K)
        if tick:
            depth = first + floor((depth - first) * half / tick) * tick / half
        yield trade(at_s, side, MID + side.sign * depth * half)
    yield book(at_s, MID - half, MID + half, 7.0)


def told(*events: Heard, signal: Arrival = SIGNAL) -> dict[str, float | None]:
    memory = heard(signal, events)
    return {"": signal.value(memory, ns(0)), **signal.values(memory, ns(0))}


def known(found: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None}


def seconds(one: ev.TradePrinted) -> float:
    return (one.venue_ms - ns(0) // MS) / 1000


STREAMS = {
    "from the middle": {"first": 0.0},
    "from the touch": {"first": 1.0},
    "on the grid": {"first": 1.0, "tick": 0.05},
    "a wide book on the grid": {"first": 1.0, "half": 0.125, "tick": 0.05},
}


@pytest.mark.parametrize("kind", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("seed", range(3))
def test_two_thousand_arrivals_tell_rate_and_decay(seed: int, kind: dict[str, float]) -> None:
    found = known(told(*stream(seed, 2_000, **kind), signal=Arrival()))
    assert found["A"] == pytest.approx(A, rel=0.1)
    assert found["k"] == pytest.approx(K, rel=0.1)
    assert found[""] == pytest.approx(found["A"] * exp(-found["k"]))


@pytest.mark.parametrize("kind", STREAMS.values(), ids=STREAMS)
def test_the_standard_errors_are_what_the_estimates_err_by(kind: dict[str, float]) -> None:
    errors: dict[str, list[float]] = {"A": [], "k": []}
    for seed in range(100):
        found = known(told(*stream(seed, 400, **kind)))
        errors["A"].append((found["A"] - A) / found["A_error"])
        errors["k"].append((found["k"] - K) / found["k_error"])
    for name, by in errors.items():
        mean = sum(by) / len(by)
        deviation = (sum(one**2 for one in by) / len(by)) ** 0.5
        # A hundred draws: 1 +- 0.07, and a mean of 0 +- 0.1.
        assert deviation == pytest.approx(1.0, abs=0.25), name
        assert mean == pytest.approx(0.0, abs=0.4), name


def test_a_taker_told_in_parts_and_by_our_own_fill_came_once() -> None:
    top, end = book(0, 99.0, 101.0), book(200, 99.0, 101.0, 6.0)
    whole: list[Heard] = [top]
    parts: list[Heard] = [top]
    for n in range(40):
        at_s, deepest = 1.0 + n, n % 3
        whole.append(trade(at_s, Side.BUY, 101.0 + deepest))
        parts.append(filled(at_s, Side.SELL, 101.0, f"t{n}"))
        parts += [trade(at_s, Side.BUY, 101.0 + part) for part in range(deepest + 1)]
    assert known(told(*parts, end)) == pytest.approx(known(told(*whole, end)))


def test_our_own_fills_are_evidence_where_no_trades_are_told() -> None:
    events = list(stream(1, 2_000, first=1.0))
    own = [
        filled((one.venue_ms - ns(0) // 10**6) / 1000, one.side.opposite, one.price, str(n))
        if isinstance(one, ev.TradePrinted)
        else one
        for n, one in enumerate(events)
    ]
    assert known(told(*own)) == pytest.approx(known(told(*events)))
    took = filled(1, Side.BUY, 2851.0, liquidity=Liquidity.TAKER)
    assert heard(SIGNAL, [*events, took, taken_back(own[5], 2)]) == heard(SIGNAL, events)  # type: ignore[arg-type]  # the sixth is a fill


def test_time_without_a_book_is_no_time_in_which_nobody_came() -> None:
    lost = ev.BookLost(PERPETUAL.id, Why.LINK_DOWN)
    one_sided = book(0, 99.0, None)
    first = list(stream(1, 500, first=1.0))
    whole = known(told(*first))
    for gone in (lost, one_sided):
        later = book(1e6, MID - HALF, MID + HALF)
        assert known(told(*first, gone, later)) == whole, gone


def test_a_market_in_which_nobody_comes_any_more_has_a_rate_that_falls() -> None:
    first = list(stream(1, 500, first=1.0))
    end_s = (first[-1].received_ns - ns(0)) / 1e9  # type: ignore[union-attr]  # a book
    before, after = known(told(*first)), known(told(*first, book(2 * end_s, 1.0, 2.0)))
    assert after["A"] == pytest.approx(before["A"] / 2, rel=0.01)
    assert after["k"] == before["k"]


def test_a_few_trades_of_late_books_do_not_move_the_first_depth() -> None:
    sound = list(stream(1, 2_000, first=1.0))
    late = [trade(0.5 + n, Side.BUY, MID) for n in range(100)]
    found = known(told(sound[0], *late, *sound[1:]))
    assert found["k"] == pytest.approx(known(told(*sound))["k"], rel=0.02)


def test_nothing_is_told_of_few_or_of_none_beyond_the_touch() -> None:
    blank = dict.fromkeys(("", "A", "k", "A_error", "k_error"))
    assert told() == blank
    top = [book(0, 99.0, 101.0), book(100, 99.0, 101.0, 5.0)]
    assert told(*top, *(trade(101 + n, Side.BUY, 102.0) for n in range(19))) == blank
    assert told(*top, *(trade(101 + n, Side.BUY, 101.0) for n in range(40))) == blank
    few = Arrival(least=2)
    assert (
        None
        not in told(*top, *(trade(101 + n, Side.BUY, 102.0) for n in range(2)), signal=few).values()
    )


def test_older_takers_count_less() -> None:
    signal = Arrival(arrivals=100)
    slow = list(stream(1, 2_000, first=1.0))
    end_s = (slow[-1].received_ns - ns(0)) / 1e9  # type: ignore[union-attr]  # a book
    fast: list[Heard] = []
    for n in range(1_000):
        at_s = end_s + 1 + n / 100
        fast += [book(at_s, MID - HALF, MID + HALF), trade(at_s, Side.BUY, MID + 2 * HALF)]
    found = known(told(*slow, *fast, signal=signal))
    assert found[""] == pytest.approx(50.0, rel=0.2), "a hundred a second, on either side"
    assert found["k_error"] > known(told(*slow))["k_error"]
