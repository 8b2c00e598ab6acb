"""The real `mmbot` binary on a bench, with the bench's keys in its environment, and its files."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import zstandard

from tests.cli.desk import Done
from tests.cli.desk import mmbot as run
from tests.cli.terminal import MMBOT
from tests.contract.bench import Bench
from tests.contract.desk import ORDERS

START_S = 30.0


async def mmbot(bench: Bench, *arguments: str, env: Mapping[str, str] | None = None) -> Done:
    """Run a command to its end, while the venue goes on."""
    return await run(*arguments, **{**bench.environment, **(env or {})})


def to_quote(bench: Bench, *more: str) -> tuple[str, ...]:
    """The command that trades on the bench."""
    return ("quote", *(word for pair in bench.flags().items() for word in pair), *more)


@asynccontextmanager
async def a_process(
    bench: Bench, home: Path, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mmbot quote` as a child that does not outlive the test; it speaks into HOME/../said."""
    home.parent.mkdir(exist_ok=True)
    with (home.parent / "said").open("ab") as said:
        engine = await asyncio.create_subprocess_exec(
            MMBOT,
            *to_quote(bench, *more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **bench.environment},
        )
    try:
        yield engine
    finally:
        if engine.returncode is None:
            with suppress(ProcessLookupError):
                engine.send_signal(signal.SIGCONT)
                engine.kill()
            await engine.wait()


@asynccontextmanager
async def quoting(
    bench: Bench, home: Path, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same, once both sides of everything rest."""
    async with a_process(bench, home, *more) as engine:
        await bench.until(
            lambda: len(bench.ours()) == ORDERS or engine.returncode is not None,
            "it quotes",
            START_S,
        )
        assert engine.returncode is None, (home.parent / "said").read_text()
        yield engine


async def ended(engine: asyncio.subprocess.Process, how: signal.Signals = signal.SIGTERM) -> int:
    """Ask it to leave; its exit code."""
    engine.send_signal(how)
    return await asyncio.wait_for(engine.wait(), START_S)


def written(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Everything that lies in files, tapes unpacked."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            yield file, _unpacked(data) if file.suffix == ".zst" else data


def _unpacked(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    return reader.read()
