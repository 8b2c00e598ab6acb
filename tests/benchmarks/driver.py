"""A process that measures one mmbot when it is told to: turns and simulated seeds.

It runs these files on the mmbot of any checkout, whose own `tests` supply the bot that is driven
event by event (`tests.core.bot`); so what is imported from there must exist in older commits too.
A request is a line of JSON, and so is its answer:

    {"turns": 50, "instruments": 4, "paced": false, "manner": "plain"} -> {"amend": [ns, ...], ...}
    {"seed": 7} -> {"seed": [ns]}
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.checkout import Checkout

HERE = Path(__file__).parent
_START = (
    "import sys, tests.benchmarks as bench; bench.__path__[:] = sys.argv[1:]; "
    "from tests.benchmarks.driver import serve; serve()"
)

Durations = dict[str, list[int]]
"""Kind -> nanoseconds."""


class Driven:
    """The other end: asks a driver, and waits for its answer."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **request: object) -> Durations:
        """One block. Raises RuntimeError if the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words are on stderr; the missing answer says the rest
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the driver ended with {self._process.wait()}, see above")
        found: Durations = json.loads(answer)
        return found


@contextmanager
def driven(tree: Checkout) -> Iterator[Driven]:
    """A driver on the mmbot of a tree. Raises RuntimeError if it found another one."""
    command = [sys.executable, "-c", _START, str(HERE)]
    with subprocess.Popen(
        command,
        cwd=tree.root,
        env=tree.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = Path(process.stdout.readline().strip() or "nowhere")
            if not found.is_relative_to(tree.root.resolve()):
                raise RuntimeError(f"{tree.name}: mmbot was found in {found}, not in {tree.root}")
            yield Driven(process)
        finally:
            process.kill()


def serve() -> None:
    """Say where mmbot is, then answer requests until stdin ends."""
    import mmbot

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a command prints must not pass for an answer
    print(Path(mmbot.__file__ or "").resolve(), file=answers)

    from tests.benchmarks.seeds import seed_cpu_ns
    from tests.benchmarks.turns import Manner, Subject, take_turns

    subjects: dict[tuple[int, Manner], Subject] = {}
    for line in sys.stdin:
        asked: Mapping[str, Any] = json.loads(line)
        if "seed" in asked:
            found = {"seed": [seed_cpu_ns(asked["seed"])]}
        else:
            key = asked["instruments"], Manner(asked["manner"])
            subject = subjects.get(key) or subjects.setdefault(key, Subject(*key))
            found = take_turns(subject, asked["turns"], paced=asked["paced"])
        print(json.dumps(found), file=answers)
