"""A venue in the test's process, the real `mmbot quote` trading on it, and commands beside them."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.cli.terminal import MMBOT
from tests.engine.live import CALL, until
from tests.engine.test_crash import START_S, ours_at_venue, start

QUIET = VenueOptions(flow_scale=0.0)
COMMAND_S = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one object it printed."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


async def mmbot(*arguments: str, **env: str) -> Done:
    """Run a command to its end, while the venue goes on."""
    process = await asyncio.create_subprocess_exec(
        MMBOT,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
    )
    try:
        async with asyncio.timeout(COMMAND_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def an_engine(
    venue: SimVenue, home: Path, desk: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """An engine that quotes both sides of four options; ended in the end, however it stands."""
    engine = await start(venue, home, desk)
    try:
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders", START_S)
        yield engine
    finally:
        if engine.returncode is None:
            with suppress(ProcessLookupError):
                engine.send_signal(signal.SIGCONT)
                engine.kill()
            await engine.wait()


async def ended(engine: asyncio.subprocess.Process) -> int:
    """Ask it to leave; its exit code."""
    engine.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(engine.wait(), START_S)


def place_by_hand(venue: SimVenue, name: str = CALL) -> None:
    """A person's own order on our account."""
    wish = NewOrder(
        name=name, side=Side.BUY, amount=Decimal(3), price=Decimal("0.001"), label="by hand"
    )
    assert isinstance(venue.exchange.place(venue.account, wish, venue.now_ms()), Placed)
    venue.publish()


def open_labels(venue: SimVenue) -> list[str]:
    """Everything open on our account."""
    return [o.label for o in venue.exchange.accounts[venue.account].open_orders.values()]
