"""A venue whose clock is not the run's: one of several simulated worlds.

Desk time is that of the first world. Another world may have begun earlier or later, so its venue
keeps a clock of its own; every moment is translated where it crosses: events into desk time,
intents into the venue's. At real venues there is nothing to translate.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import fields, replace

from mmbot.core.contracts import Instrument
from mmbot.core.events import Event
from mmbot.core.intents import VenueIntent
from mmbot.core.protection import FOREVER
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, InstrumentId, Nanos
from mmbot.venues.base import Sink, Venue

T = TypeVar("T")


class OwnClock:
    """A venue, as the run sees it. `ahead_ns`: its clock less desk time."""

    def __init__(self, venue: Venue, ahead_ns: Nanos) -> None:
        self._venue = venue
        self._ahead_ns = ahead_ns

    @property
    def name(self) -> str:
        """Our name for the venue."""
        return self._venue.name

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return self._venue.endpoint

    @property
    def unread_listings(self) -> Mapping[str, str]:
        """Instruments whose terms could not be read, and why."""
        return self._venue.unread_listings

    @property
    def on_listed(self) -> Callable[[list[Instrument]], None] | None:
        """Called with everything listed when that changes."""
        return self._venue.on_listed

    @on_listed.setter
    def on_listed(self, call: Callable[[list[Instrument]], None] | None) -> None:
        self._venue.on_listed = call

    def reads_left(self) -> Mapping[str, float]:
        """What is left of the limits that only reads draw from."""
        return self._venue.reads_left()

    async def open(self) -> list[Instrument]:
        """Ask the venue what it lists."""
        return await self._venue.open()

    async def venue_ms(self) -> int:
        """The venue's clock, in desk time."""
        return await self._venue.venue_ms() - self._ahead_ns // MS

    async def index_price(self, instrument: Instrument) -> float:
        """USD per coin of what an instrument is on."""
        return await self._venue.index_price(instrument)

    async def account(self) -> str:
        """The account our credentials open."""
        return await self._venue.account()

    async def connect(
        self, sink: Sink, instruments: Sequence[Instrument], watched: Sequence[Instrument] = ()
    ) -> None:
        """Connect and subscribe."""

        def translated(event: Event) -> None:
            sink(moved(event, -self._ahead_ns))

        await self._venue.connect(translated, instruments, watched)

    def follow(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to further instruments."""
        self._venue.follow(instruments)

    def look_at(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to instruments that are looked at and not traded."""
        self._venue.look_at(instruments)

    def unfollow(self, instruments: Sequence[InstrumentId]) -> None:
        """Forget instruments that have come to their end."""
        self._venue.unfollow(instruments)

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Carry these out."""
        self._venue.submit([moved(intent, self._ahead_ns) for intent in intents])

    def reset_protection(self) -> None:
        """Have the venue take quotes again that it froze."""
        self._venue.reset_protection()

    async def cancel_ours(self, order_ids: Sequence[str] = ()) -> list[OpenOrder]:
        """Cancel every order of ours over the second path."""
        left = await self._venue.cancel_ours(order_ids)
        return [moved(order, -self._ahead_ns) for order in left]

    async def close(self) -> None:
        """Close every connection."""
        await self._venue.close()


def moved(one: T, by_ns: Nanos) -> T:
    """The same with every moment in it moved: fields that end in `_ns` and, in milliseconds, those
    that end in `_ms`; 0, None and FOREVER say that there is no moment. What an instrument or
    a venue is like stands: an expiry is a date in every world, a deadline the same length."""
    if isinstance(one, tuple):
        return cast(T, tuple(moved(part, by_ns) for part in one))
    if not isinstance(one, Struct):
        return one
    changed: dict[str, Any] = {}
    for name, unit in _moments(type(one)):
        value = getattr(one, name)
        if unit and value:
            if value == FOREVER:
                continue
            changed[name] = value + by_ns // unit
        elif not unit and value and isinstance(value, tuple | Struct):
            changed[name] = moved(value, by_ns)
    return cast(T, replace(one, **changed)) if changed else one


@cache
def _moments(cls: type[Struct]) -> tuple[tuple[str, int], ...]:
    """The fields of a class that are moments or may hold some, with the unit of a moment in ns."""
    units = {"_ns": 1, "_ms": MS}
    plain = ("int", "str", "bool", "float", "Decimal", "Levels")
    return tuple(
        (field.name, units.get(field.name[-3:], 0))
        for field in fields(cls)
        if field.name[-3:] in units or getattr(field.type, "__name__", "") not in plain
    )
