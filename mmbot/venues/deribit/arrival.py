"""Coming to Deribit: what is asked first is asked again while that may help, and an answer that is
none is called so."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import TypeVar

from ccxt.base.errors import BaseError

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.errors import MmbotError
from mmbot.venues.base import Sink
from mmbot.venues.deribit.failures import UnreadableError, in_words, may_pass, unreachable
from mmbot.venues.deribit.parse import NAME
from mmbot.venues.deribit.venue import DeribitVenue
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
        self, venue: DeribitVenue, clock: Clock, limit_s: float, *, tell: bool = False
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._limit_s = limit_s
        self._tell = self._say if tell else None

    async def listed(self) -> list[Instrument]:
        """Everything listed, which is not nothing."""

        async def ask() -> list[Instrument]:
            found = await self._venue.open()
            if not found:
                raise UnreadableError("to get_instruments: nothing is listed")
            return found

        return await self._asked(ask, "to get_instruments")

    async def venue_ms(self) -> int:
        """The venue's clock."""
        return await self._asked(self._venue.venue_ms, "to get_time")

    async def prices(self, instruments: Sequence[Instrument]) -> dict[str, float]:
        """Coin -> USD, of what these are on. Each is asked for once: a coin whose price does not
        come is left out."""
        indices = {
            one.underlying: f"{one.underlying}_{'usd' if one.inverse else one.settlement}".lower()
            for one in instruments
        }
        found = {}
        for coin, index in indices.items():
            with suppress(BaseError, OSError, LookupError, TypeError, ValueError):
                async with asyncio.timeout(PRICE_S):
                    price = await self._venue.index_price(index)
                if 0 < price < inf:
                    found[coin] = price
        return found

    async def account(self) -> str:
        """The account our credentials open."""
        return await self._asked(self._venue.account, "to get_account_summaries")

    async def connected(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Logged in and subscribed."""
        await self._asked(lambda: self._venue.connect(sink, instruments), "to signing in")

    async def _asked(self, ask: Callable[[], Awaitable[T]], what: str) -> T:
        async def readably() -> T:
            try:
                return await ask()
            except (BaseError, MmbotError, OSError):
                raise
            except Exception as error:  # it was answered, and not in the shape we know
                raise UnreadableError(what) from error

        with in_words(NAME):
            return await patiently(
                readably,
                may_pass=may_pass,
                clock=self._clock,
                limit_s=self._limit_s,
                tell=self._tell,
            )

    def _say(self, error: BaseException) -> None:
        _log.warning("%s: asking again for up to %.0f s", unreachable(NAME, error), self._limit_s)
