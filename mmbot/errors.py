"""What can go wrong for the person at the keyboard, and the exit code each case ends with.

    MmbotError
    ├── NothingFound       1   filters that fit nothing: the message names the nearest
    ├── ConfigError        2   a flag, a file or a value in it is wrong: change it and start again
    ├── StoreError         2   the database cannot be used as it is: corrupt, locked, not ours, full
    ├── OrdersMayRemain    3   we stopped, but could not prove that no order of ours is left
    ├── Refused            4   starting is not safe now (latch, lease, no cancel-on-disconnect)
    ├── VenueUnreachable   5   the venue does not answer, or does not let us in
    └── Interrupted        130 Ctrl+C before there was anything to take back

A message is one line that says what happened and what to do about it. Mistakes of the program
itself are assertions and other exceptions; they end with BUG.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the `mmbot` process returns to the shell."""

    OK = 0
    CHECK_FAILED = 1
    BAD_INPUT = 2
    ORDERS_MAY_REMAIN = 3
    REFUSED = 4
    VENUE_UNREACHABLE = 5
    BUG = 70
    INTERRUPTED = 130


class MmbotError(Exception):
    """Base of every error a person can cause or cure; `str()` of it is one line."""

    exit_code: ClassVar[ExitCode]

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class NothingFound(MmbotError):
    """What was asked for is well written, and is not there."""

    exit_code = ExitCode.CHECK_FAILED


class ConfigError(MmbotError):
    """A flag, a configuration file or a value in it cannot be used."""

    exit_code = ExitCode.BAD_INPUT


class StoreError(MmbotError):
    """The database cannot be used as it is; it has not been changed."""

    exit_code = ExitCode.BAD_INPUT


class OrdersMayRemain(MmbotError):
    """The stop ended without proof that every order of ours is gone; the message lists them."""

    exit_code = ExitCode.ORDERS_MAY_REMAIN


class Refused(MmbotError):
    """The bot will not start, because something that makes it safe is missing."""

    exit_code = ExitCode.REFUSED


class VenueUnreachable(MmbotError):
    """The venue does not answer, or refuses our credentials. `may_pass`: asking again soon may
    help."""

    exit_code = ExitCode.VENUE_UNREACHABLE

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class Interrupted(MmbotError):
    """Asked to stop before anything had been sent."""

    exit_code = ExitCode.INTERRUPTED
