"""How long `mmbot --help` takes, beside a process that only imports what any such command needs.

Typer loads more of rich to draw a help screen than `import rich` does; an empty application's
`--help` shows how much of the difference that is.
"""

import subprocess
import sys
import time

HELP = (sys.executable, "-m", "mmbot", "--help")
FLOOR = (sys.executable, "-c", "import typer, rich")
EMPTY_APP = (sys.executable, "-c", "import typer; typer.run(lambda: None)", "--help")


def startup_ns(runs: int) -> dict[tuple[str, ...], list[int]]:
    """Durations (ns) of that many runs of each command, in turns."""
    taken: dict[tuple[str, ...], list[int]] = {HELP: [], FLOOR: [], EMPTY_APP: []}
    for command in taken:
        _duration_ns(command)  # the first run reads from disk
    for _ in range(runs):
        for command, durations in taken.items():
            durations.append(_duration_ns(command))
    return taken


def _duration_ns(command: tuple[str, ...]) -> int:
    started_ns = time.perf_counter_ns()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter_ns() - started_ns
