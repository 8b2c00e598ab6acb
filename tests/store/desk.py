"""A store in a folder and engines on it: what the tests of this room begin with."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.statements import Fill
from mmbot.core.types import MS, Side
from mmbot.store.database import Database, open_store
from mmbot.store.locations import HOME_VARIABLE, URL_VARIABLE, Location, locate
from mmbot.store.queries import Reader
from mmbot.store.records import (
    AccountDraft,
    AccountKey,
    FillBooked,
    News,
    OrderNoted,
    RunDraft,
    RunStarted,
)
from mmbot.store.runs import start_run
from mmbot.store.writer import CAPACITY_RECORDS, Timing, Writer
from tests.builders import NOW_NS, a_fill, an_option, an_order

N = TypeVar("N", bound=News)

DEADLINE_S = 20.0
"""Generous: it is only reached when something is broken."""

ACCOUNT_KEY = AccountKey(Mode.SIM, "deribit", "sim-1")
HEDGE_KEY = AccountKey(Mode.SIM, "hedge", "sim-2")
BOTH = (ACCOUNT_KEY, HEDGE_KEY)
"""A run of two accounts has these."""

Accounts = AccountKey | Sequence[AccountKey]

IMPATIENT = Timing(retry_s=0.02, gone_s=0.1)
"""Retries take milliseconds here."""

_numbers = itertools.count(1)


@dataclass(slots=True)
class Wall:
    """Wall time that passes when the test says so."""

    ns: int = NOW_NS

    def __call__(self) -> int:
        return self.ns

    def forward_s(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


@dataclass(slots=True)
class Engine:
    """A running engine's store, and what it was told."""

    writer: Writer
    run: int
    started: RunStarted
    wall: Wall
    news: list[News] = field(default_factory=list)

    def told(self, kind: type[N]) -> list[N]:
        """The news of one kind, in order."""
        return [item for item in self.news if isinstance(item, kind)]

    def flush(self) -> None:
        """All that was put is on the disk."""
        assert self.writer.flush(DEADLINE_S), self.writer.problem

    async def hears(self, kind: type[N], times: int = 1) -> N:
        """Wait for news of this kind; the newest of it."""
        await until(lambda: len(self.told(kind)) >= times)
        return self.told(kind)[-1]


def a_location(folder: Path, mode: Mode = Mode.SIM) -> Location:
    """In a file of that folder, or in the database that is named by a URL."""
    named = {URL_VARIABLE: os.environ[URL_VARIABLE]} if URL_VARIABLE in os.environ else {}
    return locate(mode, {HOME_VARIABLE: str(folder), **named})


def keys_of(accounts: Accounts) -> tuple[AccountKey, ...]:
    """One account is a tuple of one."""
    return (accounts,) if isinstance(accounts, AccountKey) else tuple(accounts)


def a_draft(accounts: Accounts, endpoint: str = "http://127.0.0.1:1") -> RunDraft:
    """A run of these accounts, all at Deribit, whatever their venues are called."""
    return RunDraft(tuple(AccountDraft(key, endpoint, "deribit") for key in keys_of(accounts)))


def begin(
    database: Database,
    accounts: Accounts = ACCOUNT_KEY,
    wall: Wall | None = None,
    run: int | None = None,
) -> RunStarted:
    """A run of its own number."""
    draft = replace(a_draft(accounts), config_path="desk.toml", env_path=".env")
    draw = partial(next, _numbers) if run is None else lambda: run
    return start_run(database, draft, draw, (wall or Wall())())


@asynccontextmanager
async def an_engine(
    location: Location,
    accounts: Accounts = ACCOUNT_KEY,
    *,
    wall: Wall | None = None,
    capacity: int = CAPACITY_RECORDS,
) -> AsyncIterator[Engine]:
    """An engine that starts on the store, and stops when the block is left."""
    wall = wall or Wall()
    database = open_store(location)
    started = begin(database, accounts, wall)
    news: list[News] = []
    writer = Writer(
        database,
        keys_of(accounts),
        started,
        wall_ns=wall,
        tell=news.append,
        capacity=capacity,
        timing=IMPATIENT,
    )
    try:
        yield Engine(writer, started.run, started, wall, news)
    finally:
        await asyncio.to_thread(writer.close, 0, DEADLINE_S)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; fail when it does not."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 # conditions are about databases and threads
            await asyncio.sleep(0.005)


def a_record(
    number: int = 1,
    *,
    side: Side = Side.BUY,
    price: Decimal | str = "0.0200",
    amount: Decimal | str | int = 1,
    fee: Decimal | str | int = 0,
    mark: Decimal | str = "0.0210",
    instrument: Instrument | None = None,
    ours: bool = True,
) -> FillBooked:
    """Trade number `number`, a second after the one before it."""
    return FillBooked(
        a_trade(number, side, price, amount, fee, instrument),
        instrument or an_option(),
        Decimal(mark),
        ours,
    )


def a_trade(
    number: int,
    side: Side = Side.BUY,
    price: Decimal | str = "0.0200",
    amount: Decimal | str | int = 1,
    fee: Decimal | str | int = 0,
    instrument: Instrument | None = None,
) -> Fill:
    return a_fill(
        side,
        price,
        amount,
        instrument=instrument,
        trade_id=f"t{number}",
        fee=fee,
        label=f"mm1-{number}",
        venue_ms=NOW_NS // MS + 1000 * number,
    )


def a_note(label: str = "mm1-0", **changes: Any) -> OrderNoted:
    """An order of ours, live."""
    return OrderNoted.of(an_order(label=label, **changes))


def booked(location: Location) -> set[str]:
    """Trade ids on file."""
    return {row.fill.trade_id for row in Reader(location).fills()}
