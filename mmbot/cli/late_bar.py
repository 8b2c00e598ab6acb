"""A progress bar for what turns out to take a while."""

import sys
from collections.abc import Callable
from typing import Any

_AFTER_S = 2.0
_EVERY_S = 0.1


class LateBar:
    """A bar on stderr for what takes more than two seconds, on a terminal."""

    def __init__(self, what: str, now_s: Callable[[], float]) -> None:
        self._what, self._now_s = what, now_s
        self._next_s = now_s() + _AFTER_S
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "LateBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, share: float) -> None:
        """So much is done, 0 to 1."""
        now_s = self._now_s()
        if now_s < self._next_s or not sys.stderr.isatty():
            return
        self._next_s = now_s + _EVERY_S
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=1.0)
        self._bar.update(self._task, completed=share)
