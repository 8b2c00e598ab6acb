"""Killed at any moment: the store shows fills and their effect together, and labels once."""

import random
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from mmbot.core.types import SECOND
from mmbot.store import lease
from mmbot.store.database import open_store
from mmbot.store.queries import FillFilter, Reader
from tests.builders import NOW_NS
from tests.store.desk import BOTH, Wall, a_location, begin

KILLS = 10
BOTH_KILLS = 4
PUTS_MAX = 400
"""A killed process has put at most this many fills."""


def a_child(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.store.children", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_fills_and_positions_agree_whenever_the_process_is_killed(tmp_path: Path) -> None:
    location = a_location(tmp_path)
    dice = random.Random(1)
    durable: set[str] = set()
    for run in range(1, KILLS + 1):
        put: set[str] = set()
        with a_child("fill", tmp_path, run) as child:
            assert child.stdout is not None
            for _ in range(dice.randint(1, PUTS_MAX)):
                word, number = child.stdout.readline().split()
                put.add(f"t{number}")
                if word == "durable":
                    durable |= put
            child.kill()

        amounts: dict[str, Decimal] = defaultdict(Decimal)
        counts: dict[str, int] = defaultdict(int)
        seen: set[str] = set()
        reader = Reader(location)
        for row in reader.fills():
            fill = row.fill
            amounts[fill.instrument] += fill.amount * fill.side.sign
            counts[fill.instrument] += 1
            seen.add(fill.trade_id)
        positions = reader.positions()
        assert {p.instrument: p.amount for p in positions} == amounts
        assert {p.instrument: p.fills for p in positions} == counts
        assert durable <= seen, "what was said to be written is gone"
    assert len(Reader(location).runs()) == KILLS
    assert seen, "nothing was ever written"


def test_two_accounts_of_a_killed_process_are_both_taken_over(tmp_path: Path) -> None:
    location, dice = a_location(tmp_path), random.Random(2)
    reader = None
    for run in range(1, BOTH_KILLS + 1):
        with a_child("fill-both", tmp_path, run) as child:
            assert child.stdout is not None
            for _ in range(dice.randint(1, PUTS_MAX)):
                child.stdout.readline()
            child.kill()
        reader = Reader(location)
        for key in BOTH:
            fills = list(reader.fills(FillFilter(venue=key.venue, account=key.account)))
            moved = sum((row.fill.amount * row.fill.side.sign for row in fills), Decimal(0))
            held = reader.positions(key.venue, key.account)
            assert [(row.fills, row.amount) for row in held] == [(len(fills), moved)][: len(fills)]
    assert reader is not None
    ids = [reader.executions(key.venue, key.account) for key in BOTH]
    assert ids[0] & ids[1], "no trade id was ever used by both"
    wall = Wall(NOW_NS + BOTH_KILLS * 10 * SECOND)  # that of the last one: nothing has run out
    started = begin(open_store(location), BOTH, wall, run=BOTH_KILLS + 1)
    [engine] = reader.engines()
    assert engine.run.run == started.run
    assert [run.account_keys for run in reader.runs()] == [BOTH] * (BOTH_KILLS + 1)
    with open_store(location).transaction() as connection:
        assert {lease.holder(connection, key) for key in BOTH} == {started.run}


def test_blocks_of_labels_never_overlap_across_processes(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    begin(database, run=7)
    children = [a_child("labels", tmp_path, 7, 15) for _ in range(3)]
    said = [int(line) for child in children for line in child.communicate()[0].split()]
    assert len(said) == 45
    assert len(set(said)) == 45, "two processes were given the same block"
    assert max(said) == Reader(database.location).labels_upto(7) == 512 + 450
