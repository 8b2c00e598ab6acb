"""Killed at any moment: the store shows fills and their effect together, and labels once."""

import random
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from mmbot.store.database import open_store
from mmbot.store.queries import Reader
from tests.store.desk import a_location, begin

KILLS = 10
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


def test_blocks_of_labels_never_overlap_across_processes(tmp_path: Path) -> None:
    database = open_store(a_location(tmp_path))
    begin(database, run=7)
    children = [a_child("labels", tmp_path, 7, 15) for _ in range(3)]
    said = [int(line) for child in children for line in child.communicate()[0].split()]
    assert len(said) == 45
    assert len(set(said)) == 45, "two processes were given the same block"
    assert max(said) == Reader(database.location).labels_upto(7) == 512 + 450
