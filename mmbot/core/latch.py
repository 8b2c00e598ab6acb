"""The kill switch: ARMED -> TRIPPED(why). Only a person re-arms."""

from dataclasses import dataclass

from mmbot.core.types import MS, Nanos
from mmbot.core.why import Why

SAVE_LIMIT_NS: Nanos = 200 * MS
"""How long cancels wait for the tripped latch to be on disk."""


@dataclass(slots=True)
class Latch:
    """The first reason stays; later ones change nothing."""

    tripped: Why | None = None
    detail: str = ""
    at_ns: Nanos = 0
    asked: bool = False
    """The store has been asked to keep it."""
    saved: bool = False

    def holds_back(self, now_ns: Nanos) -> bool:
        """Whether cancels still wait for the tripped latch to be on disk."""
        return self.tripped is not None and not self.saved and now_ns < self.at_ns + SAVE_LIMIT_NS

    def trip(self, why: Why, detail: str, now_ns: Nanos) -> None:
        """Stop quoting until a person re-arms."""
        if self.tripped is None:
            self.tripped, self.detail, self.at_ns = why, detail, now_ns
