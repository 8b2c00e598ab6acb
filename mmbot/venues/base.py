"""What every venue is to the engine: instruments, events into a sink, intents carried out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mmbot.core.contracts import Instrument
from mmbot.core.events import Event
from mmbot.core.intents import VenueIntent
from mmbot.core.statements import OpenOrder

Sink = Callable[[Event], None]
"""Where a venue puts what happened, synchronously, in the order it happened."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do."""

    amend: bool
    cancel_on_disconnect: bool
    label_max_chars: int


class Venue(Protocol):
    """One account on one venue. Refusals and failures come back as events, never as exceptions,
    except from the awaited calls, which raise VenueUnreachable or Refused."""

    name: str
    caps: Capabilities

    async def open(self) -> list[Instrument]:
        """Ask the venue what it lists. Makes no private call."""
        ...

    async def account(self) -> str:
        """The account our credentials open, by the venue's own name for it."""
        ...

    async def connect(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Log in and subscribe; from now on everything that happens goes into `sink`, and the
        links come back by themselves. Raises Refused when the venue will not cancel our orders
        if the connection breaks."""
        ...

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Carry these out. The frames are written before this returns; answers come as events."""
        ...

    async def cancel_ours(self) -> list[OpenOrder]:
        """The second path, for when the first one fails: cancel every order of ours over a fresh
        connection and return what is still open after asking the venue again."""
        ...

    async def close(self) -> None:
        """Close every connection; nothing is left running."""
        ...
