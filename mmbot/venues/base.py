"""What every venue is to the engine: instruments, events into a sink, intents carried out.

The awaited calls raise VenueUnreachable in the venue's own words, with whether that may pass.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mmbot.core.contracts import Instrument
from mmbot.core.events import Event
from mmbot.core.intents import VenueIntent
from mmbot.core.statements import OpenOrder
from mmbot.core.types import InstrumentId

Sink = Callable[[Event], None]
"""Where a venue puts what happened, synchronously, in the order it happened."""


class MarketData(Protocol):
    """A venue as anybody may see it: what is listed, books and tickers. Makes no private call."""

    on_listed: Callable[[list[Instrument]], None] | None
    """Called with everything listed when the venue lists something new, or on new terms."""

    @property
    def name(self) -> str:
        """Our name for the venue, with which the ids of its instruments begin."""
        ...

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        ...

    @property
    def unread_listings(self) -> Mapping[str, str]:
        """Instruments whose terms could not be read, by the venue's name, and why."""
        ...

    async def open(self) -> list[Instrument]:
        """Ask the venue what it lists, which is not nothing."""
        ...

    async def venue_ms(self) -> int:
        """The venue's clock."""
        ...

    async def index_price(self, instrument: Instrument) -> float:
        """USD per coin of what an instrument is on."""
        ...

    async def connect(
        self, sink: Sink, instruments: Sequence[Instrument], watched: Sequence[Instrument] = ()
    ) -> None:
        """Connect and subscribe; from now on everything that happens goes into `sink`, and the
        links come back by themselves. Asked again after a failure, it goes on. `watched`: see
        `look_at`."""
        ...

    def follow(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to further instruments; their events follow."""
        ...

    def look_at(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to instruments that are looked at and not traded: options by their tickers
        alone. What cannot be had of it stops nothing."""
        ...

    def unfollow(self, instruments: Sequence[InstrumentId]) -> None:
        """Instruments that have come to their end: forget them, and hear of them no more."""
        ...

    async def close(self) -> None:
        """Close every connection; nothing is left running."""
        ...


class Venue(MarketData, Protocol):
    """One account on one venue. Refusals and failures of orders come back as events, never as
    exceptions. `connect` also signs in, and raises Refused when the venue will not cancel our
    orders if the connection breaks."""

    async def account(self) -> str:
        """The account our credentials open, by the venue's own name for it."""
        ...

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Carry these out. The frames are written before this returns; answers come as events."""
        ...

    def reads_left(self) -> Mapping[str, float]:
        """What is left of the limits that only reads draw from, by the names that they have among
        the capabilities."""
        ...

    def reset_protection(self) -> None:
        """A person has the venue take quotes again that market-maker protection froze; asked only
        where the capabilities name such a protection."""
        ...

    async def cancel_ours(self, order_ids: Sequence[str] = ()) -> list[OpenOrder]:
        """The second path, for when the first one fails: cancel every order of ours over a fresh
        connection and return what is still open after asking the venue again. `order_ids`: ours,
        where the venue names no labels."""
        ...
