"""One account at a venue, looked at and emptied of what is ours (cancel_all.py tells the rest).

Look, cancel, look again, over the way that works, until a look that can be read in full shows
nothing of ours. Whose account it is, is asked at the same time and weighed only afterwards.
"""

import asyncio
from contextlib import suppress

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.engine.accounts import Account, GoneError
from mmbot.engine.outcome import AccountResult
from mmbot.engine.timing import Timing
from mmbot.errors import MmbotError, VenueUnreachable
from mmbot.venues.canceller import (
    Canceller,
    CredentialsRefusedError,
    ListUnreadableError,
    Look,
    Way,
    WayFailedError,
)

HEARD_AFTER_S = 1.5
"""A running engine reads the latch within this: once a second at the latest, and 0.1 s to act."""

LOOK_AGAIN_S = 0.1
RETRY_S = 0.5
SAYS_WHO_S = 0.5
"""How long a simulated venue gets to say that it is another world, once it has shown its orders."""
WHOSE_S = 2.0
"""How long anybody gets to say whose account it was, once it is empty."""


class Emptying:
    """What is being done to one account; `result` tells how far it has come."""

    def __init__(
        self,
        account: Account,
        canceller: Canceller,
        clock: Clock,
        result: AccountResult,
        timing: Timing,
        *,
        foreign: bool,
    ) -> None:
        self._account = account
        self._canceller = canceller
        self._clock = clock
        self._result = result
        self._timing = timing
        self._foreign = foreign
        self._started_s = clock.monotonic_s()
        self._heard_s = self._started_s + (HEARD_AFTER_S if account.running else 0.0)
        self._ours: dict[str, None] = dict.fromkeys(account.known)
        """Every order of ours seen or known of: by label, or by id where it has none."""
        self._failed: dict[Way, Exception] = {}
        """Ways that showed no list when they were last tried, and why."""
        self._unread_s: float | None = None
        """Since when all that is left is what cannot be read."""
        self._rounds = 0
        """How often what the store knows of was canceled by its label."""

    async def run(self) -> None:
        """Look, cancel and look again until the account is proved empty or time is up.

        Raises VenueUnreachable when no way lets us in or the account is another one, and GoneError
        when a simulated world is another one.
        """
        whose = asyncio.ensure_future(self._ask_whose())
        try:
            await self._take_back(whose)
            if self._result.remaining is not None:
                await self._weigh(whose)
        finally:
            whose.cancel()
            await asyncio.gather(whose, return_exceptions=True)

    async def _take_back(self, whose: "asyncio.Future[str | None]") -> None:
        way = Way.WEBSOCKET
        while self._goes_on():
            asked_s = self._clock.monotonic_s()
            try:
                look = await self._canceller.look(way)
                look = look.with_known(self._account.order_ids)
                if self._account.account_key.mode is Mode.SIM and self._result.remaining is None:
                    await self._leave_another_world(whose)
                if await self._act_on(look, way, asked_s):
                    return
                if look.unread:
                    way = way.other
                await self._clock.sleep(LOOK_AGAIN_S)
            except (MmbotError, GoneError):
                raise
            except Exception as error:  # noqa: BLE001  # whatever it was, one way failed
                self._failed[way] = error
                known = isinstance(error, WayFailedError | ListUnreadableError)
                venue = self._account.account_key.venue
                where = "" if known else f"{venue} over {way.value}: {type(error).__name__}: "
                self._result.problem = f"{where}{error}"
                if len(self._failed) == len(Way):
                    await self._without_a_list()
                way = way.other
                await self._clock.sleep(RETRY_S if way is Way.WEBSOCKET else 0.0)
        self._result.problem = self._result.problem or "they did not go in time"

    def _goes_on(self) -> bool:
        now_s, timing = self._clock.monotonic_s(), self._timing
        within_s = timing.bound_s + timing.order_s * len(self._ours)
        given_up = self._unread_s is not None and (
            now_s >= max(self._unread_s, self._heard_s) + timing.unread_s
        )
        return not given_up and now_s < self._started_s + within_s

    async def _act_on(self, look: Look, way: Way, asked_s: float) -> bool:
        """Cancel what a look shows; whether it proves that nothing is left."""
        wanted = (*look.ours, *look.others) if self._foreign else look.ours
        kept = () if self._foreign else look.others
        self._ours |= dict.fromkeys(o.label or o.order_id for o in wanted)
        result, result.unlisted = self._result, False
        result.remaining, result.foreign, result.unread = list(wanted), len(kept), look.unread
        result.cancelled, result.problem = len(self._ours) - len(wanted), ""
        self._failed.clear()
        if look.unread:
            rows = "1 row" if look.unread == 1 else f"{look.unread} rows"
            result.problem = f"{rows} of the venue's list could not be read"
        if not look.unread or wanted:
            self._unread_s = None
        elif self._unread_s is None:
            self._unread_s = self._clock.monotonic_s()
        if wanted or (self._foreign and look.unread):
            unread = 0 if self._foreign else look.unread
            await self._canceller.cancel(way, wanted, kept, unread)
        elif not look.unread and asked_s >= self._heard_s:
            result.verified_by = way.value
            return True
        return False

    async def _without_a_list(self) -> None:
        """Neither way shows one. Where the venue answers at all, what the store knows of goes by
        its label, and once more when an engine that runs has heard of the latch.

        Raises VenueUnreachable when neither way lets us in.
        """
        if all(isinstance(e, CredentialsRefusedError) for e in self._failed.values()):
            raise VenueUnreachable(str(self._failed[Way.REST])) from self._failed[Way.REST]
        answering = [w for w, e in self._failed.items() if isinstance(e, ListUnreadableError)]
        if not answering:
            return
        now_s = self._clock.monotonic_s()
        labels = sorted(self._account.labels)
        self._result.unlisted = True
        known = (
            "1 order that the store knows of was"
            if len(labels) == 1
            else (f"{len(labels)} orders that the store knows of were")
        )
        self._result.problem = f"{self._failed[answering[0]]}; {known} cancelled by label"
        if self._unread_s is None:
            self._unread_s = now_s
        if self._rounds == 0 or (self._rounds == 1 and now_s >= self._heard_s > self._started_s):
            self._rounds += 1
            with suppress(WayFailedError):
                await self._canceller.cancel_labels(answering[0], labels)

    # -- Whose account it is ---------------------------------------------------------------------

    async def _ask_whose(self) -> str | None:
        """The account our credentials open, by the venue's name for it; None: nobody says."""
        for way in (Way.WEBSOCKET, Way.REST, Way.WEBSOCKET, Way.REST):
            with suppress(WayFailedError):
                return await self._canceller.account(way)
            await self._clock.sleep(RETRY_S)
        return None

    async def _said(self, whose: "asyncio.Future[str | None]", within_s: float) -> str | None:
        """The name of another account than it should be, if it has been said by then."""
        await asyncio.wait({whose}, timeout=within_s / self._clock.scale)
        name = whose.result() if whose.done() else None
        return None if self._account.account_key.account in ("", name) else name

    async def _leave_another_world(self, whose: "asyncio.Future[str | None]") -> None:
        if await self._said(whose, SAYS_WHO_S) is not None:
            raise GoneError

    async def _weigh(self, whose: "asyncio.Future[str | None]") -> None:
        """What was found empty is not what should be, if it is another account."""
        other = await self._said(whose, WHOSE_S)
        if other is None:
            return
        if self._account.account_key.mode is Mode.SIM:
            raise GoneError
        self._result.verified_by = None
        account_key, folder = self._account.account_key, self._account.env_folder
        raise VenueUnreachable(
            f"the credentials open the account {other}, not {account_key.account}: set those "
            f"of {account_key} in the environment or in {folder / '.env'}"
        )
