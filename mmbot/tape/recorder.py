"""What the runner hands its turns to: they become records, records become blocks, blocks go to the
writer's thread.

Theory of operation
-------------------
1. Encoding happens here, on the loop, after the turn's orders have left. Encoding must: a
   checkpoint is the state between two turns, and nobody else may look at the state at such a
   moment.
2. A block goes to the thread when it is large or half a second old, so a crash loses no more.
3. A file that has grown to its limit is ended, and the next one begins with a checkpoint.
4. The queue to the thread is bounded. If the disk does not keep up, recording stops (the file ends
   with GAP) and so does quoting, until the queue has drained; then a new file begins.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mmbot import __version__
from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.bot import Turn
from mmbot.core.desk import Desk
from mmbot.core.state import State
from mmbot.core.types import MS, InstrumentId, Nanos
from mmbot.tape.codec import encode_into, encode_state, fingerprint, named
from mmbot.tape.folder import file_name
from mmbot.tape.format import (
    FORMAT,
    LENGTH_BYTES,
    Checkpoint,
    End,
    EndReason,
    Header,
    Origin,
)
from mmbot.tape.plan import Plan
from mmbot.tape.writer import AGAIN_S, TapeWriter

BLOCK_BYTES = 256 * 1024
BLOCK_NS: Nanos = 500 * MS
QUEUE_BYTES = 32 * 1024 * 1024
"""So much may wait for the disk: some minutes of a lively market."""

DRAINED_SHARE = 4
"""After a gap, recording begins again when no more than this part of the queue waits."""

CLOSE_DEADLINE_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a tape may take, and how often the disk is given some of it."""

    file_bytes: int
    folder_bytes: int
    queue_bytes: int = QUEUE_BYTES
    block_ns: Nanos = BLOCK_NS
    """A block is handed over when it is so old; sooner when it is large."""
    again_s: float = AGAIN_S
    """Between two attempts at a disk that takes nothing."""


class Recorder:
    """Records every turn of one run. Made before its first turn; `desks` is the runner's own map,
    which grows when something is listed."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        origin: Origin,
        plan: Plan,
        desks: Mapping[InstrumentId, Desk],
        state: State,
        sink: Callable[[ev.Event], None],
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._origin = origin
        self._plan = plan
        self._desks = desks
        self._state = state
        self._sink = sink
        self._clock = clock
        self._writer = TapeWriter(limits.file_bytes, limits.folder_bytes, limits.again_s)
        self._block = bytearray()
        self._block_ns: Nanos = 0
        self._file = 0
        self._gap = False
        self._said = ""
        self._begin()

    def keep(self, turns: Sequence[Turn]) -> None:
        """Record turns that have been made; the state is as the last of them left it."""
        number = self._state.turns - len(turns)
        if not self._gap:
            for one in turns:
                number += 1
                happened, decided = named(one.events), named(one.intents)
                self._put(("turn", number, one.now_ns, happened, decided, one.failure))
        self._tend()

    def close(self) -> bool:
        """Write what is left; False where the disk did not take everything."""
        if not self._gap:
            self._end(EndReason.CLOSED)
        return self._writer.close(CLOSE_DEADLINE_S)

    # --- files and blocks ---

    def _tend(self) -> None:
        writer, now_ns = self._writer, self._clock.wall_ns()
        if self._gap:
            if writer.pending <= self._limits.queue_bytes // DRAINED_SHARE:
                self._gap = False
                self._begin()
                self._sink(ev.TapeChanged(""))
        elif writer.pending + len(self._block) > self._limits.queue_bytes:
            self._end(EndReason.GAP)
            self._gap = True
            why = writer.trouble or "the disk is too slow"
            self._sink(ev.TapeChanged(f"the queue to the tape is full: {why}"))
        elif writer.written >= self._limits.file_bytes:
            self._end(EndReason.FULL)
            self._begin()
        elif (
            len(self._block) >= BLOCK_BYTES or abs(now_ns - self._block_ns) >= self._limits.block_ns
        ):
            self._hand_over()
        self._say()

    def _begin(self) -> None:
        """A new file: header and checkpoint are its first block."""
        self._file += 1
        at_ns = self._clock.wall_ns()
        self._put(
            Header(
                format=FORMAT,
                mmbot=__version__,
                types=fingerprint(),
                file=self._file,
                at_ns=at_ns,
                origin=self._origin,
                plan=self._plan_now(),
            )
        )
        self._put(Checkpoint(msgspec.Raw(encode_state(self._state))))
        self._hand_over(self._folder / file_name(at_ns, self._origin.run, self._file))

    def _plan_now(self) -> Plan:
        """The plan with what the desks trade by now."""
        traded: dict[str, list[InstrumentId]] = {}
        for instrument, desk in self._desks.items():
            traded.setdefault(desk.name, []).append(instrument)
        return replace(
            self._plan,
            desks=tuple(
                replace(plan, instruments=tuple(traded.get(plan.name, ())))
                for plan in self._plan.desks
            ),
        )

    def _end(self, why: EndReason) -> None:
        self._put(End(why))
        self._hand_over()

    def _put(self, record: object) -> None:
        """Append a record behind its length."""
        block = self._block
        start = len(block)
        block += bytes(LENGTH_BYTES)
        encode_into(record, block, -1)
        block[start : start + LENGTH_BYTES] = (len(block) - start - LENGTH_BYTES).to_bytes(
            LENGTH_BYTES
        )

    def _hand_over(self, begin: Path | None = None) -> None:
        self._block_ns = self._clock.wall_ns()
        if self._block:
            self._writer.put(bytes(self._block), begin)
            self._block.clear()

    def _say(self) -> None:
        """A disk in trouble, and its end, are worth one line each."""
        trouble = self._writer.trouble
        if trouble != self._said:
            self._said = trouble
            if trouble:
                _log.error("tape: cannot be written: %s", trouble)
            else:
                _log.info("tape: everything that waited is written")
