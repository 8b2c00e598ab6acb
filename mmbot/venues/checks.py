"""What a check before trading comes to, on this machine or at a venue."""

from dataclasses import dataclass
from enum import Enum

SAID_MAX_CHARS = 300
"""Of what a venue or a store said, so much is told."""


class Result(Enum):
    """What came of one check."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do about it where something is to be done."""

    check: str
    result: Result
    found: str
    do: str = ""
