"""A real terminal for a command: pexpect drives it, pyte shows what a person would see."""

import os
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import pexpect
import pyte

MMBOT = str(Path(sys.executable).parent / "mmbot")


class Terminal:
    """A command in a pseudo-terminal of 30 lines.

    with Terminal(MMBOT, "sim", "serve") as terminal:
        terminal.wait_for("Ctrl+C")
        terminal.interrupt()
        assert terminal.exit_code() == 0
    """

    def __init__(
        self,
        command: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        columns: int = 100,
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, 30, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        # What the tests run under may have opinions on the width and color of a terminal.
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self._child = pexpect.spawn(
            command,
            list(arguments),
            dimensions=(30, columns),
            env={**inherited, "TERM": "xterm-256color", **(env or {})},
            timeout=1,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.close(force=True)

    def text(self) -> str:
        """Everything written so far, scrolled-off lines first, as it stands on the screen."""
        scrolled = [
            "".join(line[column].data for column in range(self._screen.columns))
            for line in self._screen.history.top
        ]
        return "\n".join(line.rstrip() for line in (*scrolled, *self._screen.display)).rstrip()

    def display(self) -> str:
        """What stands on the screen just now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, wanted: str, deadline_s: float = 30) -> str:
        """Wait until a text stands in the terminal, and return all of it."""
        end = time.monotonic() + deadline_s
        while wanted not in self.text():
            if time.monotonic() > end or not self._read():
                raise AssertionError(f"no {wanted!r} in the terminal:\n{self.text()}")
        return self.text()

    def until(self, holds: Callable[[], bool], what: str, deadline_s: float = 30) -> None:
        """Wait until something holds, reading on meanwhile."""
        end = time.monotonic() + deadline_s
        while not holds():
            self._read()
            assert time.monotonic() < end, f"still not: {what}\n{self.text()}"

    def echoes(self) -> bool:
        """Whether keys that are pressed show up by themselves."""
        return bool(termios.tcgetattr(self._child.child_fd)[3] & termios.ECHO)

    def cursor_hidden(self) -> bool:
        """Whether the command has switched the cursor off."""
        return bool(self._screen.cursor.hidden)

    def background_of(self, wanted: str) -> str:
        """The color behind a text on the screen."""
        row = next(i for i, line in enumerate(self._screen.display) if wanted in line)
        column = self._screen.display[row].index(wanted)
        return str(self._screen.buffer[row][column].bg)

    def type(self, text: str) -> None:
        """Send keys."""
        self._child.send(text)

    def interrupt(self) -> None:
        """Press Ctrl+C."""
        self._child.sendintr()

    def quit(self) -> None:
        """Press Ctrl+backslash."""
        self._child.send("\x1c")

    def hang_up(self, deadline_s: float = 30) -> int:
        """Close the window, as a mouse or a lost ssh does: the exit code of the command, or minus
        the signal that ended it. Nothing it writes from now on is read by anybody."""
        self._child.ptyproc.fileobj.close()
        self._child.closed = self._child.ptyproc.closed = True
        end = time.monotonic() + deadline_s
        while True:
            ended, status = os.waitpid(self._child.pid, os.WNOHANG)
            if ended:
                self._child.terminated = self._child.ptyproc.terminated = True
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, f"still running:\n{self.text()}"
            time.sleep(0.02)

    def exit_code(self, deadline_s: float = 30) -> int:
        """Wait for the end of the command."""
        end = time.monotonic() + deadline_s
        while self._read():
            if time.monotonic() > end:
                raise AssertionError(f"still running:\n{self.text()}")
        self._child.close()
        code: int | None = self._child.exitstatus
        assert code is not None, f"ended by signal {self._child.signalstatus}"
        return code

    def _read(self) -> bool:
        """Take in what the command has written. False once it has ended."""
        try:
            self._stream.feed(self._child.read_nonblocking(65_536, timeout=0.1))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True
