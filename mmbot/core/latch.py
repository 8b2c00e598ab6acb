"""The kill switch: ARMED -> TRIPPED(why). Only a person re-arms."""

from dataclasses import dataclass

from mmbot.core.types import Nanos
from mmbot.core.why import Why


@dataclass(slots=True)
class Latch:
    """The first reason stays; later ones change nothing."""

    tripped: Why | None = None
    detail: str = ""
    at_ns: Nanos = 0

    def trip(self, why: Why, detail: str, now_ns: Nanos) -> None:
        """Stop quoting until a person re-arms."""
        if self.tripped is None:
            self.tripped, self.detail, self.at_ns = why, detail, now_ns
