"""A simulated world as a child process: what `mmbot quote` trades on when nothing else is named.

It runs in a session of its own, so that Ctrl+C in the terminal reaches the bot alone, and it
outlives us for a while: killing the bot means the same here as at a real venue.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import urlsplit

from mmbot.errors import VenueUnreachable

START_DEADLINE_S = 30.0
CONNECT_S = 1.0
LINGER_S = 60
"""How long the world waits for another client after the last one left."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A simulated world that we started."""

    urls: Mapping[str, str]
    """Its venues as they were asked for -> where each listens."""
    world: str
    pid: int
    process: asyncio.subprocess.Process = field(repr=False)

    async def end(self) -> None:
        """End it now, and with it its world: nobody is to come back to it."""
        await _end(self.process)


@dataclass(frozen=True, slots=True)
class Starting:
    """A simulated world on its way: its process has begun, and does not listen yet."""

    faces: tuple[str, ...]
    process: asyncio.subprocess.Process = field(repr=False)
    errors: IO[bytes] = field(repr=False)

    async def listening(self) -> Embedded:
        """Wait until it listens. Raises VenueUnreachable, and then it has ended."""
        assert self.process.stdout is not None
        faces = self.faces
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), START_DEADLINE_S)
            said = json.loads(line)
            venues = list(said["venues"].values()) if len(faces) > 1 else [said]
            urls = {face: one["rest"] for face, one in zip(faces, venues, strict=True)}
        except (TimeoutError, ValueError):
            await _end(self.process)
            self.errors.seek(0)
            last = self.errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise VenueUnreachable(
                f"the simulated venue did not start: {last or 'no word from it'}"
            ) from None
        except BaseException:
            await _end(self.process)
            raise
        finally:
            self.errors.close()
        return Embedded(urls, said["world_id"], said["pid"], self.process)

    async def end(self) -> None:
        """End it before it listens: nobody has come to it."""
        await _end(self.process)
        self.errors.close()


async def begin(
    faces: Sequence[str], seed: int, at: datetime, linger_s: int = LINGER_S
) -> Starting:
    """Start `mmbot sim serve` with these venues (KIND or KIND:NAME)."""
    command = [sys.executable, "-m", "mmbot", "sim", "serve", "--exchange", ",".join(faces)]
    command += ["--seed", str(seed), "--at", at.isoformat(), "--linger", str(linger_s), "--json"]
    errors = TemporaryFile()  # noqa: SIM115  # closed when it listens, or ends
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    except BaseException:
        errors.close()
        raise
    return Starting(tuple(faces), process, errors)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing in it is worth a farewell: it has no orders but its own."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def still_runs(url: str, pid: int) -> bool:
    """Whether that process is still a world of ours and listens there."""
    address = urlsplit(url)
    assert address.hostname is not None
    try:
        with socket.create_connection((address.hostname, address.port or 80), CONNECT_S):
            return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
