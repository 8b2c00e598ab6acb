"""kill -9 at any message on Derive: after every restart the venue, the store and the engine say the
same. The world, its kills and what must hold are those of `tests/contract/test_kills.py`.

Derive's own is in them: cancel-on-disconnect takes a person's order along, and orders move by being
replaced, so that a kill may strike between the end of one and the beginning of the next.
"""

import random
from pathlib import Path

import pytest

from mmbot.core.capabilities import Draws
from tests.contract.bench import World
from tests.contract.test_kills import kill_and_restart
from tests.contract.venues.derive import METHODS, DeriveBench

LOGIN = "public/login"
BACKFILL = "private/get_trade_history"
SENDS = METHODS[Draws.PLACE] + METHODS[Draws.MOVE]


@pytest.mark.parametrize(("seed", "kills"), [(1, 10), pytest.param(2, 50, marks=pytest.mark.long)])
async def test_killed_at_any_message_and_restarted(seed: int, kills: int, home: Path) -> None:
    async with DeriveBench(World(lively=True)) as bench:
        await kill_and_restart(bench, kills, random.Random(f"crash on derive {seed}"), home)
        starts = since_each_login([one.method for one in bench.asked])
        assert len(starts) > kills / 2, "engines signed in"
        assert sum(any(one in SENDS for one in start) for start in starts) > kills / 2, "and quoted"
        for start in starts:
            sent = [start.index(method) for method in SENDS if method in start]
            assert not sent or BACKFILL in start[: min(sent)], "read before anything is quoted"
        assert bench.faults_of_speech() == []


def since_each_login(asked: list[str]) -> list[list[str]]:
    """What was asked from each login to the next."""
    at = [number for number, method in enumerate(asked) if method == LOGIN]
    ends = [*at[1:], len(asked)]
    return [asked[begins:end] for begins, end in zip(at, ends, strict=True)]
