"""One account for the engine: its session without I/O, carried out over real sockets."""

from collections.abc import Mapping, Sequence

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.core.intents import VenueIntent
from mmbot.core.statements import OpenOrder
from mmbot.errors import Refused
from mmbot.venues.account_session import AccountSession
from mmbot.venues.base import Sink
from mmbot.venues.exchange import Exchange
from mmbot.venues.failures import in_words
from mmbot.venues.market import SocketMarket


class AccountVenue(SocketMarket):
    """One account. `exchange` is ours to close."""

    _session: AccountSession

    asks_for_account: str
    """What an answer that cannot be read was an answer to."""

    def __init__(
        self, kind: str, exchange: Exchange, clock: Clock, session: AccountSession
    ) -> None:
        super().__init__(kind, exchange, clock, session)

    async def account(self) -> str:
        """The account our credentials open, by the venue's name for it. Raises VenueUnreachable."""
        with in_words(self.name, f"to {self.asks_for_account}"):
            return await self._answer(self._session.account())

    async def connect(
        self, sink: Sink, instruments: Sequence[Instrument], watched: Sequence[Instrument] = ()
    ) -> None:
        """Log in, subscribe, and let events flow. Raises VenueUnreachable, and Refused."""
        await super().connect(sink, instruments, watched)
        if not self._session.cod_enabled:
            raise Refused(f"{self.name} did not confirm cancel-on-disconnect: not safe to quote")

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Write every frame now; nothing is awaited."""
        self._shell.carry_out(self._session.submit(intents, self._clock.now_ns()))

    def reads_left(self) -> Mapping[str, float]:
        """What is left of the limits that only reads draw from."""
        return self._session.reads_left()

    def reset_protection(self) -> None:
        """A person has the venue take quotes again that market-maker protection froze."""
        raise AssertionError(f"{self.name} has no such protection")

    async def cancel_ours(self, order_ids: Sequence[str] = ()) -> list[OpenOrder]:
        """Cancel every order of ours over REST, whatever its list looks like; what the venue still
        lists of ours then. Raises VenueUnreachable, also where a list cannot be read in full: then
        nothing is proved."""
        return await self._answer(self._session.cancel_ours(order_ids))
