"""The thread that compresses and writes tape blocks, so that the trading loop does neither.

Theory of operation
-------------------
`put` never waits: what it takes joins a queue, and `pending` is how much of it is not on the disk
yet. Whoever calls `put` looks at `pending` and stops in time. Each block becomes one zstd frame,
written whole: where the disk refuses in the middle of one, the file is cut back to the last whole
frame and the block is tried again every second, until it is taken or the writer is told to give up.
`trouble` says why the disk refuses.
"""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import zstandard

from mmbot.tape.folder import lock, make_room

LEVEL = 3
AGAIN_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Block:
    """Bytes for the file in hand, or for a new one if `begin` names it."""

    data: bytes
    begin: Path | None = None


class TapeWriter:
    """Writes the files of one run into one folder, `folder_bytes` of tapes at most."""

    def __init__(self, file_bytes: int, folder_bytes: int, again_s: float = AGAIN_S) -> None:
        self.pending = 0
        """Bytes taken and not written yet, before compression."""
        self.written = 0
        """Bytes of the file in hand, compressed."""
        self.trouble = ""
        """Why the disk takes nothing; empty while it does."""
        self._file_bytes = file_bytes
        self._folder_bytes = folder_bytes
        self._again_s = again_s
        self._queue: SimpleQueue[_Block | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._descriptor = -1
        self._give_up = threading.Event()
        self._compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=True)
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def put(self, data: bytes, begin: Path | None = None) -> None:
        """Write a block, as the first of a new file if one is named."""
        with self._lock:
            self.pending += len(data)
        self._queue.put(_Block(data, begin))

    def close(self, deadline_s: float) -> bool:
        """Write what is left and end; False where the disk did not take everything in time."""
        self._queue.put(None)
        self._thread.join(deadline_s)
        self._give_up.set()
        self._thread.join()
        return self.pending == 0

    # --- in the thread ---

    def _run(self) -> None:
        while (block := self._queue.get()) is not None:
            while not self._try(block):
                if self._give_up.wait(self._again_s):
                    break
            if self._give_up.is_set():
                break
            with self._lock:
                self.pending -= len(block.data)
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _try(self, block: _Block) -> bool:
        try:
            if block.begin is not None:
                self._begin(block.begin)
            self._write(self._compressor.compress(block.data))
        except OSError as error:
            self.trouble = f"{error.strerror or error}"
            return False
        self.trouble = ""
        return True

    def _begin(self, path: Path) -> None:
        """A new file, after room was made for it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        for deleted in make_room(path.parent, self._folder_bytes - self._file_bytes):
            _log.debug("tape: deleted %s", deleted)
        # Nobody else needs to see what we trade.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        lock(self._descriptor)
        self.written = 0

    def _write(self, frame: bytes) -> None:
        done = 0
        try:
            while done < len(frame):
                done += os.write(self._descriptor, frame[done:])
        except OSError:
            os.ftruncate(self._descriptor, self.written)
            os.lseek(self._descriptor, self.written, os.SEEK_SET)
            raise
        self.written += len(frame)
