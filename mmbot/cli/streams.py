"""Printing for somebody who may be gone: a closed window, a lost connection, `| head`.

A terminal that was closed answers every write with EIO, a pipe without a reader with EPIPE. Neither
may keep a command from what it has left to do.
"""

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_NOBODY_READS = frozenset({errno.EIO, errno.EPIPE})


def nobody_reads(error: BaseException) -> bool:
    """Whether an error only says that what was printed has no reader any more."""
    return isinstance(error, OSError) and error.errno in _NOBODY_READS


def in_red(text: str, stream: TextIO) -> str:
    """Red where the stream is a terminal that may show colors, else as it is."""
    colored = stream.isatty() and "NO_COLOR" not in os.environ
    return f"\x1b[1;31m{text}\x1b[0m" if colored else text


@contextmanager
def read_or_not() -> Iterator[None]:
    """What is printed in here may get lost, and with it the rest of the block."""
    try:
        yield
    except OSError as error:
        if not nobody_reads(error):
            raise


def let_go(stream: TextIO) -> OSError | None:
    """Flush; where that fails, drop what is unwritten, so that the interpreter does not try again
    at its end. Returns what was wrong."""
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def has_no_reader(stream: TextIO) -> bool:
    """Whether what is written there goes nowhere any more; nothing unwritten is left in it then."""
    if let_go(stream) is not None:
        return True
    poll = select.poll()
    poll.register(stream.fileno(), 0)  # what has happened to it is told whatever is asked for
    return bool(poll.poll(0))


def open_missing() -> None:
    """Give a process that was started without stdin, stdout or stderr empty ones: the next file or
    socket would get their numbers, and what is printed would go there."""
    while (lowest := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(lowest, True)
    os.close(lowest)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
