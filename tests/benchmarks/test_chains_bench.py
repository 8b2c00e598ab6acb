"""The bench of chains measures what it says. Nothing here looks at a clock."""

from mmbot.core.types import Nanos
from mmbot.pricing.auto import Auto
from mmbot.pricing.mark import Mark
from tests.benchmarks.bench import chains_numbers
from tests.benchmarks.chains import ALL_ANEW, BY_MARK, BY_SURFACE, WATCHED, Subject, chains_ns


def valued_ns(subject: Subject) -> Nanos:
    [chain] = subject.bot.state.chains.values()
    return chain.valued_ns


def test_one_bot_is_priced_by_the_mark_and_the_other_on_a_surface() -> None:
    by_mark, by_surface = Subject(Mark()), Subject(Auto())
    by_mark.one_book()
    by_surface.one_book()
    assert by_mark.bot.state.chains == {}
    assert by_surface.bot.puppet.views[-1].fair != by_mark.bot.puppet.views[-1].fair
    [chain] = by_surface.bot.state.chains.values()
    assert len(chain.names) == WATCHED + 1
    assert all(chain.fitted)


def test_a_book_values_nothing_anew_and_the_perpetual_everything() -> None:
    subject = Subject(Auto())
    before = valued_ns(subject)
    subject.one_book()
    assert valued_ns(subject) == before
    subject.perpetual()
    assert valued_ns(subject) == subject.bot.now_ns


def test_what_the_chain_adds_is_the_difference_of_the_two() -> None:
    blocks = {BY_MARK: [[60_000]] * 2, BY_SURFACE: [[70_000]] * 2, ALL_ANEW: [[200_000]] * 2}
    *_, more = chains_numbers(blocks)
    assert (more.p50, more.unit, [one.bound for one in more.aims]) == (10.0, "us", [15.0])
    assert chains_ns(1).keys() == {BY_MARK, BY_SURFACE, ALL_ANEW}
