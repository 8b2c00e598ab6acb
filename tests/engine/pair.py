"""One engine on two accounts: options at a venue named `deribit`, the perpetual at one named
`hedge`, each a simulated venue of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mmbot.sim.wire.server import SimVenue, VenueOptions
from tests.cli.desk import QUIET
from tests.cli.terminal import MMBOT
from tests.engine.live import until
from tests.engine.test_crash import START_S, ours_at_venue

NAMES = ("deribit", "hedge")
OPTIONS = 8
"""Orders of ours that rest when both sides of four options are quoted, and ..."""
PERPETUAL = 2
"""... those of the perpetual."""
RUN_S = 60.0
APART_MS = 7_000
"""The second world began so much earlier."""

DESKS = """\
[venues.deribit]
url = "{}"
[venues.hedge]
kind = "deribit"
url = "{}"
[desks.options]
venue = "deribit"
expiry = 2025-06-06
strikes = [2800, 2900]
[desks.options.strategy.improve_top]
[desks.perp]
venue = "hedge"
symbols = ["ETH-PERPETUAL"]
[desks.perp.strategy.simple_spread]
spread_bps = 4
"""


def desk_file(folder: Path, first: str, second: str, desks: str = DESKS) -> Path:
    """Both desks, on venues at these addresses."""
    folder.mkdir(exist_ok=True)
    file = folder / "desks.toml"
    file.write_text(desks.format(first, second))
    return file


@dataclass(slots=True)
class Pair:
    """Two venues, and the folder in which the engine's file and log are."""

    first: SimVenue
    second: SimVenue
    folder: Path
    desks: str = DESKS

    @property
    def both(self) -> tuple[SimVenue, SimVenue]:
        return self.first, self.second

    @property
    def file(self) -> Path:
        return desk_file(self.folder, self.first.rest_url, self.second.rest_url, self.desks)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def resting(self) -> tuple[int, int]:
        """Orders of ours at each venue."""
        return len(ours_at_venue(self.first)), len(ours_at_venue(self.second))

    async def start(self, *arguments: str, **env: str) -> asyncio.subprocess.Process:
        """`mmbot quote` on both, unless `arguments` say something else."""
        arguments = arguments or ("--config", str(self.file))
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                MMBOT,
                "quote",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env},
            )

    async def quoting(self, engine: asyncio.subprocess.Process) -> None:
        """Wait until every side is quoted."""

        def quoted() -> bool:
            assert engine.returncode is None, self.log
            return self.resting == (OPTIONS, PERPETUAL)

        await until(quoted, "ten orders", START_S)

    async def refused(self, *arguments: str, **env: str) -> str:
        """An engine is refused, exit 4; its last line."""
        engine = await self.start(*arguments, **env)
        async with ending(engine):
            assert await asyncio.wait_for(engine.wait(), START_S) == 4, self.log
        return self.log.splitlines()[-1]

    @asynccontextmanager
    async def an_engine(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """An engine that quotes both; ended in the end, however it stands."""
        engine = await self.start()
        async with ending(engine):
            await self.quoting(engine)
            yield engine


@asynccontextmanager
async def ending(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """A process that does not outlive the test."""
    try:
        yield
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            await process.wait()


@asynccontextmanager
async def a_pair(folder: Path, options: VenueOptions = QUIET) -> AsyncIterator[Pair]:
    """Two venues whose worlds began at different moments."""
    first = replace(options, world_id="1")
    second = replace(options, world_id="2", start_ms=options.start_ms - APART_MS)
    async with SimVenue(first) as one, SimVenue(second) as other:
        yield Pair(one, other, folder)
