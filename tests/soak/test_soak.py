"""The soak in small: its machinery works, and its verdict can be bad."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.soak.soak import PORTIONS, Sample, judge

FLAT = Sample(
    messages=0,
    seconds=0.0,
    rss_mb=150.0,
    blocks=800_000,
    tasks=10,
    fds=26,
    threads=4,
    store_fds=3,
    store_mb=4.0,
    queued=20,
    orders=8,
    requests=0,
    fills=0,
)
MILLION = 1_000_000


def samples(**per_million: float) -> list[Sample]:
    """Five million messages in which these things grow by so much a million."""
    return [
        replace(
            FLAT,
            messages=int(n * MILLION / 10),
            **{
                name: type(getattr(FLAT, name))(getattr(FLAT, name) + slope * n / 10)
                for name, slope in per_million.items()
            },
        )
        for n in range(1, 51)
    ]


def bad(taken: list[Sample]) -> list[str]:
    return [finding.what for finding in judge(taken) if finding.ok is False]


def test_a_flat_run_is_flat() -> None:
    assert bad(samples()) == []


@pytest.mark.parametrize(
    ("what", "grows", "finding"),
    [
        ("rss_mb", 1.1, "resident memory"),
        ("blocks", 11_000, "pieces of memory alive"),
        ("tasks", 1, "tasks"),
        ("fds", 1, "file descriptors"),
        ("store_fds", 1, "of them the store's"),
        ("threads", 1, "threads"),
        ("queued", 100, "queued for core and store"),
        ("orders", 100, "orders in the table"),
        ("requests", 100, "requests without an answer"),
    ],
)
def test_what_grows_is_found(what: str, grows: float, finding: str) -> None:
    assert bad(samples(**{what: grows})) == [finding]


def test_what_grows_while_warming_up_is_no_leak() -> None:
    taken = samples()
    taken[:14] = [replace(sample, rss_mb=100.0 + n) for n, sample in enumerate(taken[:14])]
    assert bad(taken) == []


def test_a_short_run_does_not_judge_memory() -> None:
    memory = judge([replace(s, messages=s.messages // 100) for s in samples(rss_mb=50)])[:2]
    assert [finding.ok for finding in memory] == [None, None]


def test_a_middling_run_finds_what_is_kept_of_every_twentieth_message() -> None:
    for grows, ok in ((40_000, True), (60_000, False)):
        taken = [replace(s, messages=s.messages // 10) for s in samples(blocks=grows / 10)]
        assert judge(taken)[1].ok is ok


def soak(messages: int) -> dict[str, Any]:
    """The command, as anybody runs it."""
    command = [sys.executable, "-m", "tests.soak", "--messages", str(messages), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert isinstance(said, dict)
    return said


def test_thirty_thousand_messages_pass_and_the_books_agree() -> None:
    said = soak(30_000)
    assert said["ok"] is True
    assert len(said["samples"]) == PORTIONS
    assert said["samples"][-1]["messages"] >= 30_000
    assert said["samples"][-1]["fills"] > 0


@pytest.mark.long
def test_half_a_million_messages_leave_nothing_behind() -> None:
    said = soak(500_000)
    alive = next(f for f in said["findings"] if f["what"] == "pieces of memory alive")
    assert alive["ok"] is True
