"""The bench of the signals measures what it says. Nothing here looks at a clock."""

from mmbot.plugins.registry import BUILT_IN, Family
from tests.benchmarks.bench import signals_numbers
from tests.benchmarks.signals import HEARD, READ, TOLD, Subject, signals_ns


def test_every_signal_that_comes_with_mmbot_is_measured_and_has_something_to_say() -> None:
    subject = Subject()
    book = subject.next_book()
    subject.take(HEARD)
    said = subject.told(book.received_ns)
    assert set(BUILT_IN[Family.SIGNAL]) <= set(said)
    unsaid = {name.partition(".")[0] for name, value in said.items() if value is None}
    assert unsaid == {"funding_carry", "basis"}, "they hear tickers alone"


def test_the_numbers_are_those_of_one_run_and_judged_against_five_microseconds() -> None:
    blocks = {READ: [[4_000]] * 2, HEARD: [[6_000]] * 2, TOLD: [[2_000]] * 2}
    found = {
        one.name: (one.p50, [(str(a), one.met(a)) for a in one.aims])
        for one in signals_numbers(blocks)
    }
    assert found == {
        READ: (4.0, []),
        HEARD: (6.0, [("<= 5", False)]),
        f"{HEARD} / read": (1.5, []),
        TOLD: (2.0, []),
        f"{TOLD} / read": (0.5, []),
    }
    assert signals_ns(1).keys() == {READ, HEARD, TOLD}
