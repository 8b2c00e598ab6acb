"""The keys of a terminal that a table is drawn on, without their echo.

Ctrl+C, Ctrl+Z and their like stay what they are: signals for whoever is in the foreground. Keys are
read only while that is us, or the bot that started us: stopped or in the background, its terminal
belongs to the shell.
"""

import os
import select
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mmbot.cli.paging import Key, keys_in

_LOOK_EVERY_S = 0.3
"""How often it is looked whether the terminal is ours again."""

_AT_ONCE = 1024
_COOKED = termios.ECHO | termios.ICANON


class Keyboard:
    """`wait` for keys or for something to read. Without a terminal there are no keys."""

    def __init__(self, terminal: int | None) -> None:
        self._terminal = terminal
        self._before = None if terminal is None else termios.tcgetattr(terminal)
        self._quiet = False

    def wait(self, timeout_s: float | None, others: Sequence[int] = ()) -> tuple[list[Key], bool]:
        """Until keys are pressed, one of `others` can be read, or time is up: the keys, and whether
        one can."""
        if self._terminal is None:
            return [], bool(select.select(others, (), (), timeout_s)[0])
        if not self._is_ours():
            within_s = _LOOK_EVERY_S if timeout_s is None else min(timeout_s, _LOOK_EVERY_S)
            return [], bool(select.select(others, (), (), within_s)[0])
        self.quiet()
        ready = select.select([self._terminal, *others], (), (), timeout_s)[0]
        readable = any(one in ready for one in others)
        if self._terminal not in ready or not self._is_ours():
            return [], readable
        try:
            typed = os.read(self._terminal, _AT_ONCE)
        except OSError:
            typed = b""
        if not typed:  # the window was closed
            self._terminal = None
        return keys_in(typed), readable

    def quiet(self) -> None:
        """No echo, and every key at once; again, where the shell has had the terminal meanwhile."""
        if self._terminal is None or self._before is None:
            return
        with suppress(termios.error):  # the terminal may be gone
            now = termios.tcgetattr(self._terminal)
            if now[3] & _COOKED:
                now[3] &= ~_COOKED
                now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._terminal, termios.TCSANOW, now)
            self._quiet = True

    def restore(self) -> None:
        """As it was."""
        if self._terminal is not None and self._before is not None and self._quiet:
            with suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)

    def _is_ours(self) -> bool:
        assert self._terminal is not None
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:  # a session of our own: what counts is whether the bot has the terminal
            return _in_foreground(os.getppid())


def _in_foreground(process: int) -> bool:
    """Whether a process has its terminal; where the system does not say, it does."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    state, _, group, _, _, foreground = fields[:6]
    return state not in "Tt" and group == foreground


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """The keyboard of the terminal that stdout is. The one who reads it undoes what was done to it,
    even if the bot is killed."""
    terminal = None
    with suppress(OSError):
        if os.isatty(sys.stdout.fileno()):
            name = os.ttyname(sys.stdout.fileno())
            terminal = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    keys = Keyboard(terminal)
    try:
        yield keys
    finally:
        keys.restore()
        if terminal is not None:
            os.close(terminal)
