"""Derive for the engine, over real sockets: what anybody may see, and one account."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.errors import ConfigError, Refused, VenueUnreachable
from mmbot.venues.account_venue import AccountVenue
from mmbot.venues.answers import AnswerError
from mmbot.venues.base import Sink
from mmbot.venues.derive.dialect import DERIVE
from mmbot.venues.derive.errors import REFUSES_KEY
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.public import PublicSession
from mmbot.venues.derive.session import DeriveSession
from mmbot.venues.derive.signin import NoSubaccount
from mmbot.venues.derive.signing import Signer
from mmbot.venues.derive.sites import part_of_process
from mmbot.venues.market import SocketMarket
from mmbot.venues.requests import Refusal, refusal_of
from mmbot.venues.site import Site
from mmbot.venues.timing import USUAL, Timing


class DeriveMarket(SocketMarket):
    """One Derive, looked at. `exchange` is ours to close."""

    asks_for_listings = "get_all_instruments"
    asks_for_index = "get_ticker"

    def __init__(self, name: str, exchange: DeriveExchange, clock: Clock) -> None:
        super().__init__("derive", exchange, clock, PublicSession(name, clock.now_ns()))


class DeriveVenue(AccountVenue):
    """One Derive account. `name` is ours for it, `signer` opens it, `part` sets its nonces apart
    from those of other processes; `exchange` is ours to close. `named_by_label`: the account is
    called as its owner called it, which simulated worlds do."""

    asks_for_listings = "get_all_instruments"
    asks_for_index = "get_ticker"
    asks_for_account = "get_subaccounts"

    def __init__(
        self,
        name: str,
        exchange: DeriveExchange,
        signer: Signer,
        part: int,
        clock: Clock,
        timing: Timing = USUAL,
        *,
        named_by_label: bool = False,
    ) -> None:
        session = DeriveSession(name, signer, part, clock.now_ns(), timing)
        session.named_by_label = named_by_label
        super().__init__("derive", exchange, clock, session)
        self._signer = signer

    async def account(self) -> str:
        """The subaccount, by its number. Raises VenueUnreachable, Refused where the key is not one
        of the wallet's, and ConfigError where the wallet has no such subaccount."""
        with self._of_us():
            return await super().account()

    async def connect(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Log in, subscribe, and let events flow. Raises as `account` does, and Refused without
        cancel-on-disconnect."""
        with self._of_us():
            await super().connect(sink, instruments)

    @contextmanager
    def _of_us(self) -> Iterator[None]:
        """What the venue says of our key and our subaccount, said so that it can be put right."""
        try:
            yield
        except VenueUnreachable as error:
            for layer in _layers(error):
                if isinstance(layer, NoSubaccount):
                    raise ConfigError(f"{self.name}: {layer.brief}") from error
                refusal = _refusal_in(layer)
                if refusal is not None and refusal.code in REFUSES_KEY:
                    signer = self._signer
                    raise Refused(
                        f"{self.name} refuses the key {signer.address} for the wallet "
                        f"{signer.owner}: {refusal.code} {refusal.message}"
                    ) from error
            raise


def _refusal_in(layer: BaseException) -> Refusal | None:
    """The venue's own error in one of a failure's layers: as an answer, or as ccxt has it."""
    if isinstance(layer, AnswerError):
        return layer.reply.error
    _, body = getattr(layer, "http", (None, None))
    return refusal_of(DERIVE, body.get("error")) if isinstance(body, dict) else None


def venue_at(
    site: Site, exchange: DeriveExchange, signer: Signer, clock: Clock, timing: Timing = USUAL
) -> DeriveVenue:
    """The account there."""
    return DeriveVenue(
        site.name,
        exchange,
        signer,
        part_of_process(clock),
        clock,
        timing,
        named_by_label=site.mode is Mode.SIM,
    )


def _layers(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
