"""Coming to a venue: what is asked first is asked again while that may help."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import TypeVar

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.errors import VenueUnreachable
from mmbot.venues.base import MarketData, Sink
from mmbot.venues.patience import patiently

START_S = 30.0
"""How long a start goes on asking."""

LOOK_S = 5.0
"""How long a command that only looks does, for which a person waits."""

PRICE_S = 2.0
"""How long the price of a coin is waited for."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Arrival:
    """A venue's first answers. Each raises VenueUnreachable after `limit_s`, or at once where
    asking again cannot help. With `tell`, a wait of some length is said in the log."""

    def __init__(
        self, venue: MarketData, clock: Clock, limit_s: float, *, tell: bool = False
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._limit_s = limit_s
        self._tell = self._say if tell else None

    async def listed(self) -> list[Instrument]:
        """Everything listed, which is not nothing."""
        return await self.asked(self._venue.open)

    async def venue_ms(self) -> int:
        """The venue's clock."""
        return await self.asked(self._venue.venue_ms)

    async def prices(self, instruments: Sequence[Instrument]) -> dict[str, float]:
        """Coin -> USD, of what these are on. Each is asked for once: a coin whose price does not
        come is left out."""
        found = {}
        for coin, instrument in {one.underlying: one for one in instruments}.items():
            with suppress(VenueUnreachable, TimeoutError):
                async with asyncio.timeout(PRICE_S):
                    price = await self._venue.index_price(instrument)
                if 0 < price < inf:
                    found[coin] = price
        return found

    async def connected(
        self, sink: Sink, instruments: Sequence[Instrument], watched: Sequence[Instrument] = ()
    ) -> None:
        """Signed in where there is an account, and subscribed."""
        await self.asked(lambda: self._venue.connect(sink, instruments, watched))

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to any question of the venue's that is asked at first."""
        return await patiently(
            ask,
            may_pass=lambda error: isinstance(error, VenueUnreachable) and error.may_pass,
            clock=self._clock,
            limit_s=self._limit_s,
            tell=self._tell,
        )

    def _say(self, error: BaseException) -> None:
        _log.warning("%s: asking again for up to %.0f s", error, self._limit_s)
