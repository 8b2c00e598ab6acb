"""The trading process's end of the live table: frames go down a pipe, and nothing waits for it.

Drawing a table takes milliseconds, so a child process does it (cli.screen). The child has a session
of its own: Ctrl+C reaches the bot alone, and the last table stays on the terminal. The pipe is
non-blocking; while the child is busy, older frames give way to the newest one.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence

import orjson

from mmbot.engine.status import StatusFrame

_MIN_INTERVAL_S = 0.5
_MAX_UNSENT_BYTES = 65_536
_SCREEN = (sys.executable, "-m", "mmbot.cli.screen")


class ScreenFeed:
    """Starts the screen and feeds it. Close it to leave the last table on the terminal. `only`:
    the rows that are shown (cli.paging)."""

    def __init__(self, command: Sequence[str] = _SCREEN, only: str | None = None) -> None:
        self._command = [*command, *([only] if only is not None else [])]
        self._unsent = b""
        self._waiting: StatusFrame | None = None
        self._next_s = 0.0
        self._open = False
        self.open()

    def open(self) -> None:
        """Start the screen, again after it was closed."""
        child = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)
        assert child.stdin is not None
        self._child, self._stdin, self._pipe = child, child.stdin, child.stdin.fileno()
        os.set_blocking(self._pipe, False)
        self._unsent, self._open = b"", True

    def show(self, frame: StatusFrame) -> None:
        """Draw a frame, at most two a second by the frames' own time; the last one always."""
        self._waiting = frame
        if frame.uptime_s >= self._next_s and self._flush():
            self._next_s = frame.uptime_s + _MIN_INTERVAL_S
            self._unsent = _line(frame)
            self._waiting = None
            self._flush()

    def say(self, text: str) -> None:
        """Print a line above the table. Dropped if the screen does not keep up."""
        if len(self._unsent) < _MAX_UNSENT_BYTES:
            self._unsent += _line(text)
        self._flush()

    def close(self, deadline_s: float = 5.0) -> None:
        """Draw the last frame and end the screen; one that hangs is ended by force."""
        if not self._open:
            return
        self._open = False
        if self._waiting is not None:
            self._unsent += _line(self._waiting)
        try:
            self._child.communicate(self._unsent, timeout=deadline_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            self._stdin.close()

    def _flush(self) -> bool:
        """Write what is due. True if nothing is left to write."""
        while self._open and self._unsent:
            try:
                self._unsent = self._unsent[os.write(self._pipe, self._unsent) :]
            except BlockingIOError:
                return False
            except BrokenPipeError:
                # The screen is gone, for instance with its terminal; quoting goes on without.
                self._unsent = b""
        return True


def _line(what: StatusFrame | str) -> bytes:
    return orjson.dumps(what, default=str) + b"\n"


class ScreenLog(logging.Handler):
    """Log records of some weight, printed above the live table."""

    def __init__(self, feed: ScreenFeed) -> None:
        super().__init__(logging.WARNING)
        self._feed = feed

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        self._feed.say(self.format(record))
