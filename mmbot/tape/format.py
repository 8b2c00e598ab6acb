"""What stands in a tape file, and in which order.

    file    =  blocks, each one zstd frame with its checksum     (`zstd -dc FILE` joins them)
    joined  =  records, each behind its length (4 bytes, big-endian)
    records =  Header, Checkpoint, Turn, Turn ..., End

A file stands alone: header and checkpoint hold all a replay needs. A block is written whole or not
at all, so a crash costs the last half second. A file without an End was cut short by one.
"""

from dataclasses import dataclass
from enum import Enum

import msgspec

from mmbot.core.types import Nanos
from mmbot.tape.plan import Plan

FORMAT = 3
"""Goes up when files of before cannot be read any more."""

LENGTH_BYTES = 4

RECORD_MAX_BYTES = 1 << 28
"""No record is larger; a length beyond it is damage."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which run a tape is of. `run` in base 36."""

    run: str
    mode: str
    venue: str
    account: str
    settings: tuple[tuple[str, str, str], ...] = ()
    """(key, value, where it was given) of everything configured, for people."""


class Header(msgspec.Struct, frozen=True, tag="mmbot tape"):
    """The first record."""

    format: int
    mmbot: str
    """The version that recorded it."""
    types: str
    """The fingerprint of what it is made of."""
    file: int
    """Counted from 1 within the run."""
    at_ns: Nanos
    """Wall time at which the file was begun."""
    origin: Origin
    plan: Plan


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, tag="state"):
    """The second record: the state between the last turn of the file before and the first here."""

    state: msgspec.Raw


class Turn(msgspec.Struct, frozen=True, array_like=True, tag="turn"):
    """One turn. `number` is how many turns the run had made when it was done."""

    number: int
    now_ns: Nanos
    events: list[tuple[str, msgspec.Raw]]
    """In the order in which they were applied."""
    intents: msgspec.Raw
    failure: str
    """The exception that ended it, if one did; then there are no intents."""


class EndReason(Enum):
    """Why a file ends where it does."""

    CLOSED = "closed"
    """The run was over."""
    FULL = "full"
    """The next file goes on with the next turn."""
    GAP = "gap"
    """Turns after it are missing: the disk did not keep up."""


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The last record."""

    why: EndReason


Record = Checkpoint | Turn | End
