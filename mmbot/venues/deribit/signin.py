"""Being let in: signing in and staying so, cancel-on-disconnect, and the account's own limits.

A token is renewed at four fifths of its life. Whatever goes wrong with that, the connection is not
to be trusted any more: the one that looks after the link ends it, and the next one signs in anew.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from ccxt.base.errors import AuthenticationError, BadResponse, ExchangeError

from mmbot.core.error_scope import ErrorScope
from mmbot.venues.deribit.calls import Calls
from mmbot.venues.deribit.errors import meaning_of
from mmbot.venues.deribit.limits import Bucket, Limits, Rate
from mmbot.venues.deribit.link import Link
from mmbot.venues.deribit.requests import Refusal

LOGIN_DEADLINE_S = 5.0
REFRESH_AT = 0.8
"""The part of a token's life after which it is renewed."""
RATE_MARGIN = 0.95
"""Requests bunch up on the way: evenly spent here is not evenly spent there."""
SCOPE_EXCEEDED = 13403
"""While signing in it tells what the key may not do; later, that we are not signed in."""


class SignedOut(AuthenticationError):  # type: ignore[misc]  # ccxt ships no types
    """The connection is not signed in, although the venue let us in."""


class SignIn:
    """What both links do to be let in. `keys` are (key, secret), `now_ms` the venue's time."""

    def __init__(
        self, calls: Calls, keys: Callable[[], tuple[str, str]], now_ms: Callable[[], int]
    ) -> None:
        self._calls = calls
        self._keys = keys
        self._now_ms = now_ms
        self.cod_enabled = False
        """The venue has confirmed that it cancels our orders when TRADING breaks."""
        self._was_armed = False
        self.limits: Limits | None = None
        """As last read."""
        self.bucket: Bucket | None = None
        """Of requests to the matching engine made by hand (`client.py`)."""

    async def sign_in(self, link: Link) -> None:
        """Raises ccxt's AuthenticationError when the venue refuses."""
        key, secret = self._keys()
        stamp = str(self._now_ms())
        message = f"{stamp}\n{stamp}\n"
        request = {
            "grant_type": "client_signature",
            "client_id": key,
            "timestamp": int(stamp),
            "nonce": stamp,
            "data": "",
            "signature": hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest(),
        }
        await self._authenticate(link, request)

    async def renew(self, link: Link) -> None:
        """Renew the token of a link that is up. Raises ccxt's error if that fails."""
        if link.refresh_token is None:
            await self.sign_in(link)
            return
        request = {"grant_type": "refresh_token", "refresh_token": link.refresh_token}
        await self._authenticate(link, request)

    async def _authenticate(self, link: Link, request: dict[str, Any]) -> None:
        token = await self._calls.call(link, "public/auth", request, LOGIN_DEADLINE_S)
        if not isinstance(token, dict):
            raise BadResponse(f"deribit public/auth: the answer is no token: {token}")
        refresh_token, life_s = token.get("refresh_token"), token.get("expires_in")
        link.refresh_token = refresh_token if isinstance(refresh_token, str) else None
        # A life that is not stated ends when the venue says so, and then the link is ended.
        known_s = life_s if isinstance(life_s, int | float) and life_s > 0 else float("inf")
        link.refresh_s = self._calls.now_s() + REFRESH_AT * known_s

    async def arm(self, link: Link) -> None:
        """Switch cancel-on-disconnect on, and believe what is read back before what was answered.

        Raises SignedOut, and ExchangeError where a connection before this one was armed: whoever
        has begun to trade under that protection does not go on without it.
        """
        scope: dict[str, Any] = {"scope": "connection"}
        done = state = None
        try:
            done = await self._private(link, "enable_cancel_on_disconnect", scope)
            state = await self._private(link, "get_cancel_on_disconnect", scope)
        except SignedOut:
            raise
        except ExchangeError as error:
            self._calls.fault(error, None)
            state = None
        # The venue need not repeat the state; but whoever does, is believed.
        stated = state.get("enabled", done == "ok") if isinstance(state, dict) else None
        self.cod_enabled = stated is True
        if not self.cod_enabled:
            unarmed = ExchangeError("deribit does not confirm cancel-on-disconnect")
            self._calls.fault(unarmed, state)
            if self._was_armed:
                raise unarmed
        self._was_armed = self._was_armed or self.cod_enabled

    async def read_limits(self, link: Link) -> None:
        """Size the rate limit from the account; where it does not say, the lowest tier stays.

        Raises SignedOut.
        """
        account: Any = None
        try:
            account = await self._private(link, "get_account_summaries", {"extended": True})
        except SignedOut:
            raise
        except ExchangeError as error:
            self._calls.fault(error, None)
        summaries = account.get("summaries") if isinstance(account, dict) else None
        for summary in summaries if isinstance(summaries, list) else ():
            if isinstance(summary, dict) and summary.get("limits"):
                self.limits = Limits.from_venue(summary["limits"])
                self._calls.pools.obey(self.limits)
                break
        stated = (self.limits or Limits()).matching
        spendable = Rate(RATE_MARGIN * stated.rate, max(1.0, stated.burst - 1.0))
        if self.bucket is None:
            self.bucket = Bucket(spendable, self._calls.now_s())
        self.bucket.limit = spendable

    async def _private(self, link: Link, method: str, params: dict[str, Any]) -> Any:
        """One private call on a connection just signed in.

        Raises ccxt's ExchangeError for what this key may not do or the venue does not offer, and
        SignedOut if we are not signed in after all.
        """
        method = f"private/{method}"
        reply = await self._calls.ask(link, method, params, LOGIN_DEADLINE_S)
        refusal = reply.error
        if refusal is not None and refusal.code != SCOPE_EXCEEDED and signs_out(refusal):
            raise SignedOut(f"deribit {method}: {refusal}")
        return self._calls.result(method, reply)


def signs_out(error: Refusal) -> bool:
    """Whether the refusal of a private request says that the connection is not signed in."""
    return meaning_of(error.code, error.data).scope is ErrorScope.SESSION
