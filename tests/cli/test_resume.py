"""`mmbot resume`: only a person with a reason re-arms the kill switch, and that is kept."""

import itertools
import json
import os
import subprocess
from getpass import getuser
from pathlib import Path

import pytest

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.core.why import Why
from mmbot.errors import Refused
from mmbot.store import latch
from mmbot.store.database import open_store
from mmbot.store.latch import Kept
from mmbot.store.locations import Location, locate
from mmbot.store.queries import Reader
from mmbot.store.records import AccountKey
from mmbot.store.runs import start_run
from tests.cli.terminal import MMBOT
from tests.store.desk import BOTH, Accounts, a_draft, keys_of

LIVE = AccountKey(Mode.LIVE, "deribit", "ann_1")
SIM = AccountKey(Mode.SIM, "deribit", "sim-1")

_numbers = itertools.count(1)


def resume(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MMBOT, "resume", *arguments], capture_output=True, text=True, timeout=60)


def place(account_key: AccountKey) -> Location:
    return locate(account_key.mode, os.environ)


def start(accounts: Accounts) -> int:
    """The number of a run that ended long ago without a word, its lease with it. Raises Refused."""
    number, [first, *_] = next(_numbers), keys_of(accounts)
    start_run(open_store(place(first)), a_draft(accounts), lambda: number, number * 10**10)
    return number


def tripped(account_key: AccountKey) -> bool:
    state = Reader(place(account_key)).latch(account_key)
    return state is not None and state.tripped


def trip(account_key: AccountKey) -> None:
    start(account_key)
    kept = latch.trip(
        place(account_key),
        [account_key],
        Why.MAX_POSITION,
        "12 of 10",
        "guard",
        Clock().wall_ns(),
        limit_s=10,
    )
    assert kept is Kept.STORE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--reason'"),
        (("--reason", "  "), "--reason: say what happened"),
        (("--reason", "x", "--mode", "lime"), "unknown mode 'lime'; did you mean 'live'?"),
        (("--reason", "x", "--run", "zzz"), "--run: unknown run 'zzz'"),
        (("--reason", "x", "--run", "-"), "--run: '-' is not the name of a run"),
        (("--reason", "x", "--venue", "deribt"), "unknown venue 'deribt'; did you mean 'deribit'?"),
    ],
)
def test_bad_input_re_arms_nothing(arguments: tuple[str, ...], said: str) -> None:
    trip(LIVE)
    done = resume(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert tripped(LIVE)


def test_who_when_and_why_are_kept() -> None:
    trip(LIVE)
    with pytest.raises(Refused):
        start(LIVE)
    before_ns = Clock().wall_ns()
    done = resume("--reason", "limit raised  after a look")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("LIVE     deribit ann_1: re-armed (tripped 20")
    assert "by guard, position limit: 12 of 10)" in done.stdout
    newest = Reader(place(LIVE)).latch_history(LIVE)[-1]
    assert (newest.tripped, newest.detail, newest.who) == (
        False,
        "limit raised after a look",
        getuser(),
    )
    assert before_ns <= newest.at_ns <= Clock().wall_ns()
    start(LIVE)


def test_every_account_is_re_armed_unless_one_mode_is_named() -> None:
    trip(LIVE)
    trip(SIM)
    one = json.loads(resume("--reason", "x", "--mode", "sim", "--json").stdout)
    assert [(r["mode"], r["account"], r["why"]) for r in one["rearmed"]] == [
        ("sim", "sim-1", "position limit")
    ]
    assert (tripped(SIM), tripped(LIVE)) == (False, True)
    trip(SIM)
    assert resume("--reason", "x").returncode == 0
    assert not tripped(SIM)
    assert not tripped(LIVE)


def test_every_account_of_a_run_that_is_named_is_re_armed() -> None:
    other = AccountKey(Mode.SIM, "deribit", "sim-7")
    number = start(BOTH)
    for account_key in BOTH:
        latch.trip(place(SIM), [account_key], Why.USER, "", "ann", Clock().wall_ns(), limit_s=10)
    trip(other)
    one = json.loads(resume("--reason", "x", "--run", base36(number), "--json").stdout)
    assert [(r["venue"], r["account"]) for r in one["rearmed"]] == [
        ("deribit", "sim-1"),
        ("hedge", "sim-2"),
    ]
    assert [tripped(account_key) for account_key in (*BOTH, other)] == [False, False, True]


def test_one_venue_of_a_run_of_two_is_re_armed_alone_and_without_flags_both_are() -> None:
    start(BOTH)
    latch.trip(place(SIM), BOTH, Why.USER, "", "ann", Clock().wall_ns(), limit_s=10)
    assert resume("--reason", "x", "--venue", "hedge").returncode == 0
    assert [tripped(account_key) for account_key in BOTH] == [True, False]
    with pytest.raises(Refused, match="sim-1 on deribit"):
        start(BOTH)
    latch.trip(place(SIM), BOTH, Why.USER, "", "ann", Clock().wall_ns(), limit_s=10)
    assert len(resume("--reason", "x").stdout.splitlines()) == 3
    assert [tripped(account_key) for account_key in BOTH] == [False, False]


def test_the_file_beside_a_store_is_not_re_armed_for_one_run_alone() -> None:
    number = start(BOTH)
    start(AccountKey(Mode.SIM, "deribit", "sim-7"))
    place(SIM).latch_file.touch()
    done = resume("--reason", "x", "--run", base36(number))
    assert done.returncode == 2
    assert "leave --run, --mode and --venue out" in done.stderr
    assert place(SIM).latch_file.exists()


def test_nothing_tripped_is_said_and_changes_nothing() -> None:
    start(SIM)
    done = resume("--reason", "x")
    assert (done.returncode, done.stdout) == (
        0,
        "No kill switch is tripped: there is nothing to re-arm.\n",
    )
    assert Reader(place(SIM)).latch_history(SIM) == []


def test_the_file_beside_a_store_is_re_armed_with_all_its_accounts() -> None:
    other = AccountKey(Mode.SIM, "deribit", "sim-2")
    start(SIM)
    start(other)
    place(SIM).latch_file.touch()
    assert tripped(SIM)
    assert tripped(other)
    assert resume("--reason", "disk was full").returncode == 0
    assert not place(SIM).latch_file.exists()
    start(SIM)
    start(other)


def test_a_file_that_stands_for_several_venues_is_not_re_armed_for_one() -> None:
    start(SIM)
    start(AccountKey(Mode.SIM, "elsewhere", "sim-2"))
    place(SIM).latch_file.touch()
    done = resume("--reason", "x", "--venue", "deribit")
    assert done.returncode == 2
    assert "stands for every account" in done.stderr
    assert place(SIM).latch_file.exists()


def test_a_file_beside_a_store_nobody_has_traded_on_yet_can_be_re_armed(home: Path) -> None:
    open_store(place(SIM))
    place(SIM).latch_file.touch()
    with pytest.raises(Refused):
        start(SIM)
    assert resume("--reason", "restored from a copy").returncode == 0
    start(SIM)
