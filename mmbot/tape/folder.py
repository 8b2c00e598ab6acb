"""The folder of tapes: how files are named, which there are, and which must make room.

    $MMBOT_HOME/tapes/MODE/2025-06-02T120000Z-RUN-0001.tape.zst

Names sort by age. A file that is being written is locked, and never deleted by another engine.
"""

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mmbot.core.types import SECOND, Nanos

SUFFIX = ".tape.zst"

FILES_MAX = 2000
"""Every run leaves one at least, however short it was."""


def file_name(at_ns: Nanos, run: str, file: int) -> str:
    """The name of a run's nth file, begun at a moment of wall time."""
    at = datetime.fromtimestamp(at_ns // SECOND, UTC)
    return f"{at:%Y-%m-%dT%H%M%SZ}-{run}-{file:04}{SUFFIX}"


def tapes_in(path: Path) -> list[Path]:
    """Every tape of a folder, oldest first; none where there is no such folder."""
    return sorted(file for file in path.glob(f"*{SUFFIX}") if file.is_file())


def make_room(path: Path, most_bytes: int) -> list[Path]:
    """Delete the oldest tapes until the folder holds at most that much, and room for one file, but
    none that is being written. Returns what was deleted. Raises OSError."""
    sizes = {file: file.stat().st_size for file in tapes_in(path)}
    total = sum(sizes.values())
    deleted: list[Path] = []
    for file, size in sizes.items():
        if total <= most_bytes and len(sizes) - len(deleted) < FILES_MAX:
            break
        if not in_use(file):
            file.unlink(missing_ok=True)
            deleted.append(file)
            total -= size
    return deleted


def lock(descriptor: int) -> None:
    """Say that this file is being written, until it is closed."""
    with suppress(OSError):  # a file system without locks: then nobody else deletes there either
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # whoever looks has let go in an instant


def in_use(file: Path) -> bool:
    """Whether a tape is being written. One that is gone is not."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
