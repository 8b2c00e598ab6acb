"""A check of a history that failed."""

from dataclasses import dataclass

from mmbot.core.types import Nanos


@dataclass(frozen=True, slots=True)
class Violation:
    """What did not hold, when, and what was just happening. `time_ns` is desk time."""

    check: str
    detail: str
    seed: int
    time_ns: Nanos
    turn: int
    event: str


class Violated(Exception):
    """A check failed; the world makes a `Violation` of it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(f"{check}: {detail}")
        self.check, self.detail = check, detail
