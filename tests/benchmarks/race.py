"""Tick to both orders: mmbot, a bare loop and a naive one, in turns on one scripted venue.

Every contestant is a process of its own, and mmbot is the command itself, as anybody starts it; the
mmbot of another commit can be one more. Blocks of ticks alternate between them, so that whatever
else the machine does hits all alike.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from tests.benchmarks.blocks import Blocks, alternate
from tests.benchmarks.checkout import OURS, Checkout

STOP_DEADLINE_S = 20.0
PACE_S = 0.005
"""From one tick's last order to the next tick: about 200 ticks a second."""


class Case(Enum):
    """What both orders need after a tick."""

    AMEND = "amend"
    PLACE = "place"


class Loop(Enum):
    """The contestants. The value is the account's key at the venue."""

    # In this order: what is compared are neighbors, in time too.
    BASE = "base"
    """mmbot as it was."""
    LIVE = "live"
    BARE = "bare"
    NAIVE = "naive"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where it is run: modules of the venue and of the rivals, each with its words, what mmbot
    quotes, and who takes part."""

    venue: tuple[str, ...]
    rival: tuple[str, ...]
    quote: tuple[str, ...]
    loops: tuple[Loop, ...] = tuple(Loop)
    has_paths: bool = False
    """Every account has a path of its own; else a key."""


DERIBIT = Ground(
    ("tests.benchmarks.venue",),
    ("tests.benchmarks.rivals",),
    ("--exchange", "deribit", "--expiry", "20250606", "--strikes", "2800,2900"),
)
DERIVE = Ground(
    ("tests.benchmarks.derive", "venue"),
    ("tests.benchmarks.derive",),
    (
        *("--exchange", "derive", "--symbols", "ETH-20250606-2800-C"),
        *("--config", str(Path(__file__).with_name("derive.toml"))),
    ),
    loops=(Loop.BASE, Loop.LIVE, Loop.BARE),
    has_paths=True,
)

Samples = dict[tuple[Case, Loop], Blocks]
"""Latencies."""


def race(
    ticks: int, blocks: int, base: Checkout | None = None, ground: Ground = DERIBIT
) -> Samples:
    """So many blocks of `ticks` latencies of every loop in both cases, after one to warm up.

    Raises RuntimeError if a loop does not answer, or mmbot does not leave cleanly.
    """
    trees = {Loop.LIVE: OURS} | ({} if base is None else {Loop.BASE: base})
    loops = [loop for loop in ground.loops if loop is not Loop.BASE or base is not None]
    with ExitStack() as stack:
        url = stack.enter_context(_venue(ground))
        for loop in loops:
            stack.enter_context(_contestant(loop, url, trees.get(loop), ground))

        def measure(contestant: tuple[Case, Loop]) -> list[int]:
            case, loop = contestant
            return _block(url, loop, case, ticks)

        contestants = [(case, loop) for case in Case for loop in loops]
        for contestant in contestants:
            measure(contestant)
        return alternate(contestants, blocks, measure)


def _block(url: str, loop: Loop, case: Case, ticks: int) -> list[int]:
    asked = {"account": loop.value, "case": case.value, "ticks": ticks, "pace_s": PACE_S}
    request = urllib.request.Request(f"{url}/run", json.dumps(asked).encode(), method="POST")
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RuntimeError(f"{case.value}: {answer['error']}")
    latencies: list[int] = answer["latencies_ns"]
    return latencies


@contextmanager
def _venue(ground: Ground) -> Iterator[str]:
    """The scripted venue in its own process; its URL."""
    command = [sys.executable, "-m", *ground.venue]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def _contestant(loop: Loop, url: str, tree: Checkout | None, ground: Ground) -> Iterator[None]:
    """One loop in its own process. mmbot, of a tree, is asked to leave and must, orders and all."""
    environment: Mapping[str, str] = os.environ
    if tree is not None:
        environment = tree.environment()
        command = [
            *(sys.executable, "-m", "mmbot", "quote", *ground.quote, "--no-screen"),
            *("--refresh", "0.1", "--sim-url", f"{url}/{loop.value}" if ground.has_paths else url),
        ]
    else:
        command = [sys.executable, "-m", *ground.rival, loop.value, url]
    with TemporaryDirectory() as home, TemporaryFile("w+") as said:
        ours = {"MMBOT_SIM_KEY": loop.value, "MMBOT_SIM_SECRET": loop.value, "MMBOT_HOME": home}
        process = subprocess.Popen(
            command,
            cwd=None if tree is None else tree.root,
            env={**environment, **ours},
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            yield
            if tree is not None:
                process.terminate()
                if process.wait(STOP_DEADLINE_S):
                    raise RuntimeError(f"{loop.value} left with exit code {process.returncode}")
        except RuntimeError as error:
            if loop.value not in str(error):
                raise
            said.seek(0)
            raise RuntimeError(f"{error}; its last words: {said.readlines()[-3:]}") from error
        finally:
            process.kill()
            process.wait()
