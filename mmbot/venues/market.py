"""A venue as anybody may see it: its session without I/O, carried out over real sockets.

Needs no key: the exchange may have none. What `account_venue.py` adds is one account.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.core.events import Event, Link
from mmbot.core.types import InstrumentId
from mmbot.ops.limit import about
from mmbot.venues.answers import AnswerError, LinkDown, Trouble
from mmbot.venues.base import Sink
from mmbot.venues.book import MalformedBook
from mmbot.venues.exchange import Exchange
from mmbot.venues.failures import in_words
from mmbot.venues.in_ccxt import in_ccxt
from mmbot.venues.public_session import PublicSession
from mmbot.venues.recipe import Recipe
from mmbot.venues.shell import Shell

T = TypeVar("T")

_log = logging.getLogger(__name__)

_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING}


class SocketMarket:
    """One venue, looked at. `exchange` is ours to close: its REST and its addresses are used;
    `kind` is how the venue is called in what is said of it."""

    asks_for_listings = "get_instruments"
    asks_for_index = "get_index_price"
    """What answers that cannot be read were answers to."""

    def __init__(self, kind: str, exchange: Exchange, clock: Clock, session: PublicSession) -> None:
        self.name = session.name
        self.on_listed: Callable[[list[Instrument]], None] | None = None
        """Called with everything listed when the venue lists something new, or on new terms."""
        self._kind = kind
        self._session = session
        self._exchange = exchange
        self._clock = clock
        self._says = logging.LoggerAdapter(_log, about(self.name))
        self._sink: Sink = _nowhere
        self._shell = Shell(kind, session, exchange, clock, self._hear)
        self._first: dict[Link, asyncio.Future[None]] = {}
        self._session.on_note = self._note
        self._session.on_listed = self._tell_listed
        self._session.connection.on_started = self._started
        self._session.connection.on_fault = self._fault

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return self._exchange.rest_url

    @property
    def unread_listings(self) -> Mapping[str, str]:
        """Instruments whose terms could not be read, and why."""
        return self._session.unread_listings

    # --- questions ---

    async def open(self) -> list[Instrument]:
        """Everything listed of what mmbot trades. Raises VenueUnreachable."""
        with in_words(self.name, f"to {self.asks_for_listings}"):
            return await self._answer(self._session.listed())

    async def venue_ms(self) -> int:
        """The venue's clock. Raises VenueUnreachable."""
        with in_words(self.name, "to get_time"):
            return await self._answer(self._session.venue_ms())

    async def index_price(self, instrument: Instrument) -> float:
        """USD per coin of what an instrument is on. Raises VenueUnreachable."""
        with in_words(self.name, f"to {self.asks_for_index}"):
            return await self._answer(self._session.index_price(instrument))

    async def _answer(self, recipe: Recipe[T]) -> T:
        """What comes of a recipe. Raises ccxt's errors, and what the recipe raises of its own."""
        try:
            return await self._shell.run(self._session.connection, recipe)
        except Trouble as error:
            failure = self._in_ccxt(error)
        raise failure  # which has a cause of its own

    def _in_ccxt(self, error: Exception) -> Exception:
        """What the line itself said, where there is such a thing; else ccxt's word for it."""
        if isinstance(error, AnswerError) and error.reply.cause is not None:
            return error.reply.cause
        return in_ccxt(error, self._exchange.error_kinds)

    # --- coming and going ---

    async def connect(
        self, sink: Sink, instruments: Sequence[Instrument], watched: Sequence[Instrument] = ()
    ) -> None:
        """Subscribe, sign in where there is an account, and let events flow. Raises
        VenueUnreachable."""
        self._sink = sink
        with in_words(self.name, "to signing in"):
            await self._connect(instruments, watched)

    async def _connect(
        self, instruments: Sequence[Instrument], watched: Sequence[Instrument]
    ) -> None:
        loop, connection = asyncio.get_running_loop(), self._session.connection
        wanted = self._session.wanted(instruments)
        firsts = [self._first.setdefault(link, loop.create_future()) for link in wanted]
        now_ns = self._clock.now_ns()
        self._shell.carry_out(self._session.start(instruments, now_ns, watched))
        for link in wanted:
            if not connection.links[link].first:
                self._started(link, None)  # an earlier attempt has succeeded
        await asyncio.gather(*(asyncio.shield(first) for first in firsts))
        for link, channels in wanted.items():
            await self._answer(connection.subscribed(link, channels))

    def _started(self, link: Link, error: Exception | None) -> None:
        first = self._first.pop(link, None)
        if first is None or first.done():
            return
        if error is None:
            first.set_result(None)
        else:
            undialed = self._shell.failures.get(link) if isinstance(error, LinkDown) else None
            first.set_exception(undialed or self._in_ccxt(error))
            first.exception()  # whoever started us may have gone

    def follow(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to further instruments; their events follow."""
        self._shell.carry_out(self._session.follow(instruments, self._clock.now_ns()))

    def look_at(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to instruments that are looked at and not traded."""
        self._shell.carry_out(self._session.look_at(instruments, self._clock.now_ns()))

    def unfollow(self, instruments: Sequence[InstrumentId]) -> None:
        """Forget instruments that have come to their end, and their channels."""
        self._shell.carry_out(self._session.unfollow(instruments, self._clock.now_ns()))

    async def close(self) -> None:
        """Close every connection. What happens from here on is nobody's news."""
        self._sink, self.on_listed = _nowhere, None
        self._shell.carry_out(self._session.stop(self._clock.now_ns()))
        await self._shell.close()
        await self._exchange.aclose()

    # --- what the session says ---

    def _hear(self, event: Event) -> None:
        self._sink(event)

    def _tell_listed(self, listed: list[Instrument]) -> None:
        """Afterwards: whoever hears of it may follow what is new."""
        asyncio.get_running_loop().call_soon(self._pass_on, listed)

    def _pass_on(self, listed: list[Instrument]) -> None:
        if self.on_listed is not None:
            self.on_listed(listed)

    def _note(self, level: str, template: str, *values: object) -> None:
        self._says.log(_LEVELS[level], template, *values)

    def _fault(self, error: Exception, _frame: Any) -> None:
        known = isinstance(error, Trouble | MalformedBook)
        said = str(error) if known else f"{self._kind}: {type(error).__name__}: {error}"
        if self.name != self._kind:
            said = f"{self.name}: {said}"
        _log.warning("%s", said, extra=about(self.name))


def _nowhere(event: object) -> None:
    """Before connect nobody listens."""
