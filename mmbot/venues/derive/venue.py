"""Derive for the engine, over real sockets: what anybody may see, and one account."""

import logging

from ccxt.base.errors import BaseError

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.types import SECOND
from mmbot.errors import ConfigError, Refused
from mmbot.venues.account_venue import AccountVenue
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import get
from mmbot.venues.derive.dialect import DERIVE
from mmbot.venues.derive.errors import REFUSES_KEY
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.keys import trouble_with
from mmbot.venues.derive.protection import Terms
from mmbot.venues.derive.public import PublicSession
from mmbot.venues.derive.session import DeriveSession
from mmbot.venues.derive.signin import NoSubaccount
from mmbot.venues.derive.signing import Signer
from mmbot.venues.derive.sites import part_of_process, protection_of
from mmbot.venues.failures import said
from mmbot.venues.market import SocketMarket
from mmbot.venues.reading import Unread, Unreadable
from mmbot.venues.requests import Refusal, refusal_of
from mmbot.venues.site import Site
from mmbot.venues.timing import USUAL, Timing

_log = logging.getLogger(__name__)


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
        mmp: Terms | None = None,
    ) -> None:
        session = DeriveSession(name, signer, part, clock.now_ns(), timing, mmp)
        session.named_by_label = named_by_label
        super().__init__("derive", exchange, clock, session)
        self._signer = signer
        self._derive = session

    def reset_protection(self) -> None:
        """A person has the venue take quotes again that market-maker protection froze."""
        self._shell.carry_out(self._derive.reset_protection(self._clock.now_ns()))

    async def account(self) -> str:
        """The subaccount, by its number. Raises VenueUnreachable, Refused where the key may not
        trade for the wallet, and ConfigError where the wallet has no such subaccount."""
        name = await super().account()
        if not self._signer.is_owner:
            await self._check_key()
        return name

    async def _check_key(self) -> None:
        """Raises Refused where the session key may not do what is asked of it here. A list that
        cannot be had or read says nothing: then the venue's own refusals tell."""
        wallet, unread = {"wallet": self._signer.owner}, Unread()
        try:
            listed = await self._answer(get("private/session_keys", wallet))
            now_s = self._clock.now_ns() // SECOND
            trouble = trouble_with(self._signer, listed, now_s, unread)
        except (BaseError, Unreadable) as error:
            _log.warning("%s: whether the key may trade is not known: %s", self.name, said(error))
            return
        if trouble is not None:
            raise Refused(f"{self.name}: {trouble}")

    def _in_ccxt(self, error: Exception) -> Exception:
        """What the venue says of our key and our subaccount, said so that it can be put right."""
        if isinstance(error, NoSubaccount):
            return ConfigError(f"{self.name}: {error.brief}")
        refusal = _refusal_in(error)
        if refusal is not None and refusal.code in REFUSES_KEY:
            signer = self._signer
            return Refused(
                f"{self.name} refuses the key {signer.address} for the wallet {signer.owner}: "
                f"{refusal.code} {refusal.message}"
            )
        return super()._in_ccxt(error)


def _refusal_in(error: Exception) -> Refusal | None:
    """The venue's own error in a failure: as an answer, or as ccxt has it."""
    if isinstance(error, AnswerError):
        return error.reply.error
    _, body = getattr(error, "http", (None, None))
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
        mmp=protection_of(site),
    )
