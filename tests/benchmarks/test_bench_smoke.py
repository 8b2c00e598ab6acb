"""The bench runs, and every contestant really does what is timed. Nothing here looks at a clock."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.bench import Effort, TurnCase, measure, quote_numbers, race_numbers
from tests.benchmarks.blocks import alternate, percentile_us, pooled_ratio, ratio_of_blocks
from tests.benchmarks.checkout import OURS, Checkout, checked_out
from tests.benchmarks.driver import driven
from tests.benchmarks.market import STEPS_MAX
from tests.benchmarks.race import DERIVE, Case, Loop, race
from tests.benchmarks.startup import Begun, begin_quoting
from tests.benchmarks.table import WIDTH, Aim, Number, as_json, as_table
from tests.benchmarks.turns import KINDS, Manner, Subject, take_turns
from tests.benchmarks.venue import Account

TINY = Effort(rounds=1, ticks=2, turns=2, paced=1, starts=1, quotes=1, seeds=1)


# --- what is measured ---


def test_every_loop_answers_every_tick_with_both_orders() -> None:
    # More ticks than there are outward steps, so that the market also closes again. Our own tree
    # stands for the base.
    ticks = STEPS_MAX + 2
    samples = race(ticks, blocks=1, base=OURS)
    assert {key: [len(block) for block in blocks] for key, blocks in samples.items()} == {
        (case, loop): [ticks] for case in Case for loop in Loop
    }
    assert all(ns > 0 for blocks in samples.values() for block in blocks for ns in block)


def test_on_derive_both_loops_answer_every_tick_with_both_orders() -> None:
    ticks = STEPS_MAX + 2
    samples = race(ticks, blocks=1, ground=DERIVE)
    assert {key: [len(block) for block in blocks] for key, blocks in samples.items()} == {
        (case, loop): [ticks] for case in Case for loop in (Loop.LIVE, Loop.BARE)
    }
    named = {(n.group, n.name) for n in race_numbers(samples, "Derive, ") if n.aims}
    assert named == {(f"Derive, tick to both orders, {c.value}", "mmbot / bare") for c in Case}


@pytest.mark.parametrize("manner", Manner)
@pytest.mark.parametrize("instruments", [1, 4])
def test_the_measured_turns_are_the_ones_they_claim_to_be(instruments: int, manner: Manner) -> None:
    subject = Subject(instruments, manner)
    for _ in range(2 * STEPS_MAX + 2):
        for kind in (subject.amend, subject.quiet, subject.tick):
            subject.prepare()
            kind()  # each asserts what the turn sent


@pytest.mark.parametrize("manner", Manner)
def test_a_bench_may_last_long(manner: Manner) -> None:
    # By then the venue has been asked for its word, and an hour's messages are more than allowed.
    taken = take_turns(Subject(1, manner), 1_700, paced=False)
    assert {kind: len(durations) for kind, durations in taken.items()} == dict.fromkeys(
        KINDS, 1_700
    )


def test_where_prices_are_fresh_none_is_shown_twice() -> None:
    subject = Subject(1, Manner.FRESH)
    shown: list[float] = []
    for _ in range(3 * STEPS_MAX):
        subject.prepare()
        subject.amend()
        market = subject._bot.market
        shown += [market.bids[0][0], market.asks[0][0]]
    assert len(set(shown)) == len(shown)


async def test_a_loop_that_sends_one_order_only_is_not_taken_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.benchmarks.venue.DEADLINE_S", 0.01)
    account = Account("half")
    account.arrivals["buy"] = 1
    with pytest.raises(TimeoutError, match="half: waited"):
        await account.until(lambda: len(account.arrivals) == 2, "both orders")


def test_a_run_is_followed_from_its_start_to_its_first_order_and_leaves() -> None:
    begun = begin_quoting(OURS)
    assert begun.first_order_ns > 0
    assert begun.resident_mb > 1


def test_a_run_that_never_quotes_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "mmbot.py").write_text("print('not today')")
    with pytest.raises(RuntimeError, match="placed nothing"):
        begin_quoting(Checkout("broken", tmp_path))


# --- another commit ---


@pytest.mark.skipif(not (OURS.root / ".git").exists(), reason="no repository to take one from")
def test_turns_and_seeds_of_another_commit_are_measured_beside_ours() -> None:
    numbers = measure(TINY, ["turns", "seeds"], "HEAD")
    ratios = {(n.group, n.name) for n in numbers if n.unit == "x"}
    assert ("turn, 4 markets, back to back", "both orders amended / base") in ratios
    assert ("mmbot simulate --faults harsh, CPU", "mean / base") in ratios
    assert all(n.p50 > 0 for n in numbers)


@pytest.mark.skipif(not (OURS.root / ".git").exists(), reason="no repository to take one from")
def test_the_tree_of_a_commit_is_gone_afterwards() -> None:
    with checked_out("HEAD") as tree:
        assert (tree.root / "mmbot" / "__init__.py").exists()
    assert not tree.root.exists()


def test_a_commit_that_is_not_there_is_said_in_one_line() -> None:
    with (
        pytest.raises(RuntimeError, match=r"^fatal: [^\n]*$"),
        checked_out("0000000000000000000000000000000000000000"),
    ):
        pass


def test_another_mmbot_than_the_one_that_is_meant_is_not_measured(tmp_path: Path) -> None:
    bench = tmp_path / "tests" / "benchmarks"
    bench.mkdir(parents=True)
    (bench / "__init__.py").write_text("")
    with pytest.raises(RuntimeError, match="mmbot was found in"), driven(Checkout("x", tmp_path)):
        pass


# --- comparing ---


def test_blocks_alternate_and_none_always_comes_first() -> None:
    order: list[str] = []

    def one_block(key: str) -> int:
        order.append(key)
        return len(order)

    assert alternate("ab", 3, one_block) == {"a": [1, 4, 5], "b": [2, 3, 6]}
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_what_slows_both_down_for_a_while_drops_out_of_the_ratio_of_blocks() -> None:
    theirs = [[100, 100, 100], [400, 400, 400], [100, 100, 100]]
    ours = [[200, 200, 200], [800, 800, 800], [300, 300, 300]]
    assert ratio_of_blocks(ours, theirs) == 2.0  # the median of 2, 2 and 3
    assert pooled_ratio(ours, theirs, 50) == pytest.approx(3)  # 300 over 100
    assert percentile_us([[1000, 2000], [3000]], 50) == 2.0


def test_each_ratio_is_judged_against_its_own_loop() -> None:
    took_us = {Loop.BARE: 100, Loop.LIVE: 250, Loop.NAIVE: 500, Loop.BASE: 300}
    samples = {(case, loop): [[took_us[loop] * 1000] * 3] for case in Case for loop in Loop}
    verdicts = {
        (n.group[-5:], n.name, str(aim), n.met(aim))
        for n in race_numbers(samples)
        for aim in n.aims
    }
    assert verdicts == {
        # 2.5 times the bare loop, twice as fast as the naive one, 0.83 of the base
        ("amend", "mmbot / bare", "<= 3", True),
        ("amend", "mmbot / bare", "blocks <= 2", False),
        ("amend", "naive / mmbot", ">= 3", False),
        ("amend", "mmbot / base", "blocks <= 0.78", False),
        ("place", "mmbot / bare", "<= 3", True),
        ("place", "naive / mmbot", ">= 3", False),
        ("place", "mmbot / base", "blocks <= 0.9", True),
    }


def test_without_a_base_there_is_no_ratio_to_one() -> None:
    alone = quote_numbers([Begun(2_000_000_000, 140.0)], None)
    assert [(n.name, n.p50) for n in alone] == [
        ("start to its first order", 2000.0),
        ("resident memory", 140.0),
    ]
    beside = quote_numbers([Begun(2_000_000_000, 140.0)], [Begun(4_000_000_000, 175.0)])
    ratios = {n.name: (n.p50, n.blocks) for n in beside if n.unit == "x"}
    assert ratios == {"first order / base": (0.5, 0.5), "resident memory / base": (0.8, None)}


# --- what is printed ---


NUMBERS = [
    Number(TurnCase(50, False, Manner.GUARDED).group, "a" * 30, "us", 12345.6, 23456.7),
    Number("aims", "slow", "us", 90.0, 95.0, aims=[Aim(60)]),
    Number("aims", "fast", "x", 1.5, None, 1.4, [Aim(3), Aim(1.2, "blocks")]),
]


def test_the_table_fits_its_width_and_says_the_verdict_in_words() -> None:
    console = Console(width=WIDTH, file=StringIO(), record=True)
    console.print(as_table(NUMBERS))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line for line in lines if "slow" in line and "<= 60" in line and "MISSED" in line]
    assert [line for line in lines if "fast" in line and "<= 3" in line and "met" in line]
    assert [line for line in lines if "blocks <= 1.2" in line and "MISSED" in line]


def test_the_same_numbers_are_there_for_programs() -> None:
    of = {row["name"]: row for row in json.loads(json.dumps(as_json(NUMBERS)))}
    assert of["a" * 30]["met"] is None
    assert of["slow"]["met"] is False
    assert of["fast"]["aims"] == [
        {"bound": 3, "of": "p50", "at_least": False, "met": True},
        {"bound": 1.2, "of": "blocks", "at_least": False, "met": False},
    ]
