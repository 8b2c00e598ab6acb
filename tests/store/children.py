"""Processes that the tests start, and some of them kill.

start HOME RUN         takes the account, and dies
fill HOME RUN          books fills as fast as it can until it is killed
fill-both HOME RUN     the same on two accounts, each trade id used by both
labels HOME RUN TIMES  reserves blocks of labels
"""

import asyncio
import itertools
import os
import random
import signal
import sys
from pathlib import Path

from mmbot.core.types import SECOND, InstrumentId, Side
from mmbot.store.database import open_store
from mmbot.store.runs import grant_labels
from mmbot.store.writer import Writer
from tests.builders import NOW_NS, a_linear_perpetual, a_perpetual, an_option
from tests.store.desk import (
    ACCOUNT_KEY,
    BOTH,
    DEADLINE_S,
    Accounts,
    Wall,
    a_location,
    a_record,
    begin,
    keys_of,
)


def start(home: Path, run: int) -> None:
    """An engine that dies as soon as it has its account."""
    begin(open_store(a_location(home)), run=run)
    os.kill(os.getpid(), signal.SIGKILL)


OPTION, LINEAR = an_option(), a_linear_perpetual()
AT_HEDGE = a_perpetual(id=InstrumentId("hedge:ETH-PERPETUAL"), venue="hedge")


async def fill(home: Path, run: int, accounts: Accounts = ACCOUNT_KEY) -> None:
    """Book fills on two instruments; say how many were put, and how many are surely written."""
    database = open_store(a_location(home))
    wall = Wall(NOW_NS + run * 10 * SECOND)  # by then the lease of the one before has run out
    started = begin(database, accounts, wall, run)
    writer = Writer(database, keys_of(accounts), started, wall_ns=wall, tell=lambda news: None)
    dice = random.Random(run)
    for number in itertools.count(run * 1_000_000):
        side, amount = dice.choice(list(Side)), dice.randint(1, 9)
        wanted = (
            (OPTION, AT_HEDGE) if len(keys_of(accounts)) > 1 else (dice.choice([OPTION, LINEAR]),)
        )
        for instrument in wanted:
            assert writer.put(a_record(number, side=side, amount=amount, instrument=instrument))
        if dice.random() < 0.2:
            writer.flush(0)  # no waiting: the thread commits while further fills are put
        durable = number % 50 == 0 and writer.flush(DEADLINE_S)
        print("durable" if durable else "put", number, flush=True)


def labels(home: Path, run: int, times: int) -> None:
    """Reserve blocks of labels and say which."""
    database = open_store(a_location(home))
    for _ in range(times):
        with database.transaction() as connection:
            upto = grant_labels(connection, run, 10)
        print(upto, flush=True)


if __name__ == "__main__":
    task, folder, *numbers = sys.argv[1:]
    if task == "start":
        start(Path(folder), int(numbers[0]))
    elif task == "fill":
        asyncio.run(fill(Path(folder), int(numbers[0])))
    elif task == "fill-both":
        asyncio.run(fill(Path(folder), int(numbers[0]), BOTH))
    else:
        labels(Path(folder), int(numbers[0]), int(numbers[1]))
