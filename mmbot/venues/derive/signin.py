"""Being let in: the login, cancel-on-disconnect, and the limits of the account and of its windows.

Market data is asked for without a login: the end of any connection that is logged in takes every
order of the wallet along, so there is one of those alone. Cancel-on-disconnect is the wallet's and
stays on; it is switched on at every login all the same, and what is read back is believed.
"""

from collections.abc import Mapping
from typing import Any, Final

from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import Link
from mmbot.core.types import MS
from mmbot.venues.answers import (
    Declined,
    OddAnswer,
    SignedOut,
    Trouble,
    Unarmed,
    refuses,
    result_of,
)
from mmbot.venues.asking import REST_S
from mmbot.venues.calls import Calls
from mmbot.venues.derive.dialect import DERIVE, Pool, window
from mmbot.venues.derive.limits import Limits, limits_of, tps_of
from mmbot.venues.derive.messages import Account, RateLimits
from mmbot.venues.derive.pings import Pings
from mmbot.venues.derive.signing import Signer
from mmbot.venues.entry import HELLO_S, LOGIN_DEADLINE_S
from mmbot.venues.link import LinkState
from mmbot.venues.lives import DEADLINE_S
from mmbot.venues.reading import Unread, Unreadable, read
from mmbot.venues.recipe import Ask, Get, Recipe
from mmbot.venues.requests import Refusal

LIMITS: Final = "public/getRateLimits"


class NoSubaccount(Trouble):
    """The wallet has no such subaccount, or the key may not act on it."""


class SignIn:
    """What both links do to be let in, as recipes. Without a `signer` nothing private is asked;
    without `arms` the wallet's cancel-on-disconnect is left as it is."""

    def __init__(
        self, calls: Calls, pings: Pings, signer: Signer | None, *, arms: bool = True
    ) -> None:
        self.signer = signer
        self._calls = calls
        self._pings = pings
        self._arms = arms
        self.cod_enabled = False
        """The venue has confirmed that it cancels the wallet's orders when a connection ends."""
        self._was_armed = False
        self.limits = Limits()
        self._account: Account | None = None
        self._windows_last: RateLimits | None = None
        """As last read."""

    def greet(self, link: LinkState) -> Recipe[None]:
        """Ask what we may ask there. A login is the first word of the other link."""
        if link.link is Link.MARKET:
            windows = yield from self._windows(link, HELLO_S)
            if windows is not None:
                obey(self._calls, Pool.PUBLIC, windows)

    def read_public_limits(self) -> Recipe[None]:
        """The same before anything is connected. What goes wrong leaves the least."""
        reply = yield Get(LIMITS, {}, REST_S)
        try:
            windows = read(RateLimits, result_of(LIMITS, reply), Unread(), "limits")
        except (Trouble, Unreadable) as error:
            self._calls.fault(Trouble(f"{LIMITS}: {error}", DERIVE.name), None)
        else:
            obey(self._calls, Pool.PUBLIC, windows)

    def enter(self, link: LinkState) -> Recipe[None]:
        """Log in where orders are; there cancel-on-disconnect and the limits too."""
        if link.link is Link.TRADING:
            yield from self.log_in(link)
            yield from self.read_limits(link)
            if self._arms:
                yield from self.arm(link)

    def renew(self, link: LinkState) -> Recipe[None]:
        """Log in again. Raises Trouble if that fails."""
        yield from self.log_in(link)

    def prove_alive(self, link: LinkState) -> None:
        """Ask whether somebody is there."""
        self._pings.ask(link, None, DEADLINE_S)

    def left(self, link: LinkState) -> None:
        """What was armed on a connection is over with it."""
        if link.link is Link.TRADING:
            self.cod_enabled = False

    def log_in(self, link: LinkState) -> Recipe[None]:
        """Raises Declined when the venue refuses, and NoSubaccount."""
        assert self.signer is not None
        method, params = "public/login", self.signer.login(self._calls.timers.now_ns // MS)
        reply = yield Ask(link.link, method, params, LOGIN_DEADLINE_S)
        subaccounts = result_of(method, reply)
        if not isinstance(subaccounts, list):
            raise OddAnswer(method, reply, f"{method}: the answer is no list: {subaccounts}")
        require(subaccounts, self.signer)

    def arm(self, link: LinkState) -> Recipe[None]:
        """Switch cancel-on-disconnect on, and believe what is read back before what was answered.

        Raises SignedOut, and Unarmed where a connection before this one was armed: whoever
        has begun to trade under that protection does not go on without it.
        """
        done: Any = None
        self._account = None
        try:
            done = yield from self._private(link, "set_cancel_on_disconnect", {"enabled": True})
            self._account = yield from self._read_account(link)
        except Trouble as error:
            self._bear(error)
        self.cod_enabled = self._account is not None and self._account.cancel_on_disconnect
        self._sum_up()
        if not self.cod_enabled:
            unarmed = Unarmed("does not confirm cancel-on-disconnect", DERIVE.name)
            self._calls.fault(unarmed, done)
            if self._was_armed:
                raise unarmed
        self._was_armed = self._was_armed or self.cod_enabled

    def read_limits(self, link: LinkState) -> Recipe[None]:
        """Ask what the wallet's windows hold; where that is refused, the least stays. Raises
        NoAnswer."""
        windows = yield from self._windows(link, LOGIN_DEADLINE_S)
        if windows is not None:
            self._windows_last = windows
            obey(self._calls, Pool.PRIVATE, windows)
        self._sum_up()

    def _sum_up(self) -> None:
        self.limits = limits_of(self._account, self._windows_last)

    def _windows(self, link: LinkState, timeout_s: float) -> Recipe[RateLimits | None]:
        try:
            reply = yield Ask(link.link, LIMITS, {}, timeout_s)
            return read(RateLimits, result_of(LIMITS, reply), Unread(), "limits")
        except Unreadable as error:
            self._calls.fault(Trouble(f"{LIMITS}: {error}", DERIVE.name), None)
        except Declined as error:
            self._calls.fault(error, None)
        return None

    def _read_account(self, link: LinkState) -> Recipe[Account | None]:
        assert self.signer is not None
        told = yield from self._private(link, "get_account", {"wallet": self.signer.owner})
        try:
            return read(Account, told, Unread(), "account")
        except Unreadable as error:
            self._calls.fault(Trouble(f"private/get_account: {error}", DERIVE.name), told)
            return None

    def _private(self, link: LinkState, method: str, params: Mapping[str, Any]) -> Recipe[Any]:
        """One private call on a connection just logged in. Raises Declined for what this key may
        not do, and SignedOut if we are not logged in after all."""
        method = f"private/{method}"
        reply = yield Ask(link.link, method, params, LOGIN_DEADLINE_S)
        if reply.error is not None and signs_out(reply.error):
            raise SignedOut(method, reply, reply.error)
        return result_of(method, reply)

    def _bear(self, error: Trouble) -> None:
        """Live with what the venue does not want to do; raises whatever else it was."""
        if isinstance(error, SignedOut) or not refuses(error):
            raise error
        self._calls.fault(error, None)


def require(subaccounts: list[Any], signer: Signer) -> None:
    """Raises NoSubaccount unless the signer's is among them."""
    if signer.subaccount_id not in subaccounts:
        have = ", ".join(map(str, subaccounts)) or "none"
        raise NoSubaccount(
            f"{signer.owner} has no subaccount {signer.subaccount_id} for {signer.address}: "
            f"it has {have}",
            DERIVE.name,
        )


def obey(calls: Calls, pool: Pool, windows: RateLimits) -> None:
    """A window has been told, with what is used of it."""
    stated = windows.remaining_non_matching
    tps = tps_of(stated)
    if tps > 0:
        calls.pools.resize(pool, window(tps), stated.consumed_points)


def signs_out(error: Refusal) -> bool:
    """Whether the refusal of a private request says that the connection is not logged in."""
    return DERIVE.meaning_of(error.code, error.data).scope is ErrorScope.SESSION
