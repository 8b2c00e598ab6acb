"""How long the commands take to start, and how much memory a run holds.

`mmbot --help` beside a process that only imports what any such command needs. Typer loads more of
rich to draw a help screen than `import rich` does; an empty application's `--help` shows how much
of the difference that is.

`mmbot quote` as anybody starts it, with a simulated venue of its own, from the start of the process
to its first order, and its resident memory a little later.
"""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.blocks import Blocks, alternate
from tests.benchmarks.checkout import OURS, Checkout

SETTLED_S = 2.0
"""After its first order, before memory is read."""
STOP_DEADLINE_S = 30.0
QUOTE = ("quote", "--exchange", "deribit", "--expiry", "20250606", "--strikes", "2800,2900")

_PLACED = re.compile(r"\bplace \S+ (buy|sell) ")
_VENUE = re.compile(r"simulated venue .*\(pid (\d+)\)")


class Command(Enum):
    """What is started."""

    FLOOR = "python importing typer and rich"
    EMPTY = "empty typer application --help"
    HELP = "mmbot --help"
    BASE = "mmbot --help, base"


_WORDS = {
    Command.FLOOR: ("-c", "import typer, rich"),
    Command.EMPTY: ("-c", "import typer; typer.run(lambda: None)", "--help"),
    Command.HELP: ("-m", "mmbot", "--help"),
    Command.BASE: ("-m", "mmbot", "--help"),
}


@dataclass(frozen=True, slots=True)
class Begun:
    """One run's beginning."""

    first_order_ns: int
    resident_mb: float


def help_ns(blocks: int, base: Checkout | None = None) -> dict[Command, Blocks]:
    """Durations of each command, once a block."""
    commands = [one for one in Command if one is not Command.BASE or base is not None]

    def measure(command: Command) -> list[int]:
        tree = base if base is not None and command is Command.BASE else OURS
        words = [sys.executable, *_WORDS[command]]
        quiet = subprocess.DEVNULL
        started_ns = time.perf_counter_ns()
        subprocess.run(words, check=True, cwd=tree.root, env=tree.environment(), stdout=quiet)
        return [time.perf_counter_ns() - started_ns]

    for command in commands:
        measure(command)  # the first run reads from disk
    return alternate(commands, blocks, measure)


def begin_quoting(tree: Checkout) -> Begun:
    """One run of a tree's `mmbot quote`. Raises RuntimeError if it ends before it has quoted."""
    command = [sys.executable, "-m", "mmbot", *QUOTE, "--no-screen"]
    venue_pid = 0
    said: list[str] = []
    with TemporaryDirectory() as home:
        started_ns = time.perf_counter_ns()
        with subprocess.Popen(
            command,
            cwd=tree.root,
            env=tree.environment(MMBOT_HOME=home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr is not None
                for line in process.stderr:
                    said.append(line)
                    if found := _VENUE.search(line):
                        venue_pid = int(found[1])
                    if _PLACED.search(line):
                        break
                else:
                    raise RuntimeError(f"{tree.name}: mmbot quote placed nothing: {said[-3:]}")
                took_ns = time.perf_counter_ns() - started_ns
                time.sleep(SETTLED_S)
                resident_mb = _resident_mb(process.pid)
                process.terminate()
                process.wait(STOP_DEADLINE_S)
            finally:
                process.kill()
                if venue_pid:  # it would wait a minute for somebody else
                    with suppress(ProcessLookupError):
                        os.kill(venue_pid, signal.SIGTERM)
    return Begun(took_ns, resident_mb)


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(kib) / 1024
