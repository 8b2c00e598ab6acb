"""Being let in: signing in and staying so, cancel-on-disconnect, and the account's own limits.

A token is renewed at four fifths of its life. Whatever goes wrong with that, the connection is not
to be trusted any more: `lives.py` ends it, and the next one signs in anew.
"""

import hashlib
import hmac
from typing import Any

from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import Link
from mmbot.core.types import MS
from mmbot.venues.answers import (
    OddAnswer,
    SignedOut,
    Trouble,
    Unarmed,
    refuses,
    result_of,
)
from mmbot.venues.calls import Calls, call
from mmbot.venues.deribit.errors import meaning_of
from mmbot.venues.deribit.limits import Limits
from mmbot.venues.deribit.pools import Pools
from mmbot.venues.entry import HELLO_S, LOGIN_DEADLINE_S
from mmbot.venues.link import LinkState
from mmbot.venues.lives import DEADLINE_S, HEARTBEAT_S
from mmbot.venues.rates import Bucket, Rate
from mmbot.venues.recipe import Ask, Recipe
from mmbot.venues.requests import Refusal

REFRESH_AT = 0.8
"""The part of a token's life after which it is renewed."""
RATE_MARGIN = 0.95
"""Requests bunch up on the way: evenly spent here is not evenly spent there."""
SCOPE_EXCEEDED = 13403
"""While signing in it tells what the key may not do; later, that we are not signed in."""


Keys = tuple[str, str]
"""(key, secret)."""


class SignIn:
    """What both links do to be let in, as recipes."""

    def __init__(self, calls: Calls, keys: Keys | None) -> None:
        self.keys = keys
        self._calls = calls
        self.cod_enabled = False
        """The venue has confirmed that it cancels our orders when TRADING breaks."""
        self._was_armed = False
        self.limits: Limits | None = None
        """As last read."""
        self.bucket: Bucket | None = None
        """Of requests to the matching engine made by hand (`client.py`)."""

    def greet(self, link: LinkState) -> Recipe[None]:
        """Ask for heartbeats."""
        yield from call(link.link, "public/set_heartbeat", {"interval": HEARTBEAT_S}, HELLO_S)

    def enter(self, link: LinkState) -> Recipe[None]:
        """Sign in where there are keys; for orders, cancel-on-disconnect and the limits too."""
        if self.keys is not None:
            yield from self.sign_in(link)
        if link.link is Link.TRADING:
            yield from self.arm(link)
            yield from self.read_limits(link)

    def prove_alive(self, link: LinkState) -> None:
        """Answer the venue's question, or ask it ours."""
        self._calls.send(link, "public/test", {}, None, DEADLINE_S)

    def left(self, link: LinkState) -> None:
        """What was armed on a connection is over with it."""
        if link.link is Link.TRADING:
            self.cod_enabled = False

    def sign_in(self, link: LinkState) -> Recipe[None]:
        """Raises Declined when the venue refuses."""
        key, secret = self.keys or ("", "")
        stamp = str(self._calls.timers.now_ns // MS)
        message = f"{stamp}\n{stamp}\n"
        request = {
            "grant_type": "client_signature",
            "client_id": key,
            "timestamp": int(stamp),
            "nonce": stamp,
            "data": "",
            "signature": hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest(),
        }
        yield from self._authenticate(link, request)

    def renew(self, link: LinkState) -> Recipe[None]:
        """Renew the token of a link that is up. Raises AnswerError if that fails."""
        if link.refresh_token is None:
            yield from self.sign_in(link)
            return
        request = {"grant_type": "refresh_token", "refresh_token": link.refresh_token}
        yield from self._authenticate(link, request)

    def _authenticate(self, link: LinkState, request: dict[str, Any]) -> Recipe[None]:
        method = "public/auth"
        reply = yield Ask(link.link, method, request, LOGIN_DEADLINE_S)
        token = result_of(method, reply)
        if not isinstance(token, dict):
            raise OddAnswer(method, reply, f"{method}: the answer is no token: {token}")
        refresh_token, life_s = token.get("refresh_token"), token.get("expires_in")
        link.refresh_token = refresh_token if isinstance(refresh_token, str) else None
        # A life that is not stated ends when the venue says so, and then the link is ended.
        known_s = life_s if isinstance(life_s, int | float) and life_s > 0 else float("inf")
        link.refresh_s = self._calls.now_s + REFRESH_AT * known_s

    def arm(self, link: LinkState) -> Recipe[None]:
        """Switch cancel-on-disconnect on, and believe what is read back before what was answered.

        Raises SignedOut, and Unarmed where a connection before this one was armed: whoever
        has begun to trade under that protection does not go on without it.
        """
        scope: dict[str, Any] = {"scope": "connection"}
        done = state = None
        try:
            done = yield from self._private(link, "enable_cancel_on_disconnect", scope)
            state = yield from self._private(link, "get_cancel_on_disconnect", scope)
        except Trouble as error:
            self._bear(error)
            state = None
        # The venue need not repeat the state; but whoever does, is believed.
        stated = state.get("enabled", done == "ok") if isinstance(state, dict) else None
        self.cod_enabled = stated is True
        if not self.cod_enabled:
            unarmed = Unarmed("does not confirm cancel-on-disconnect", "deribit")
            self._calls.fault(unarmed, state)
            if self._was_armed:
                raise unarmed
        self._was_armed = self._was_armed or self.cod_enabled

    def read_limits(self, link: LinkState) -> Recipe[None]:
        """Size the rate limit from the account; where it does not say, the lowest tier stays.

        Raises SignedOut.
        """
        account: Any = None
        try:
            account = yield from self._private(link, "get_account_summaries", {"extended": True})
        except Trouble as error:
            self._bear(error)
        summaries = account.get("summaries") if isinstance(account, dict) else None
        for summary in summaries if isinstance(summaries, list) else ():
            if isinstance(summary, dict) and summary.get("limits"):
                self.limits = Limits.from_venue(summary["limits"])
                pools = self._calls.pools
                assert isinstance(pools, Pools)
                pools.obey(self.limits)
                break
        stated = (self.limits or Limits()).matching
        spendable = Rate(RATE_MARGIN * stated.rate, max(1.0, stated.burst - 1.0))
        if self.bucket is None:
            self.bucket = Bucket(spendable, self._calls.now_s)
        self.bucket.limit = spendable

    def _private(self, link: LinkState, method: str, params: dict[str, Any]) -> Recipe[Any]:
        """One private call on a connection just signed in.

        Raises Declined for what this key may not do or the venue does not offer, and SignedOut if
        we are not signed in after all.
        """
        method = f"private/{method}"
        reply = yield Ask(link.link, method, params, LOGIN_DEADLINE_S)
        refusal = reply.error
        if refusal is not None and refusal.code != SCOPE_EXCEEDED and signs_out(refusal):
            raise SignedOut(method, reply, refusal)
        return result_of(method, reply)

    def _bear(self, error: Trouble) -> None:
        """Live with what the venue does not want to do; raises whatever else it was."""
        if isinstance(error, SignedOut) or not refuses(error):
            raise error
        self._calls.fault(error, None)


def signs_out(error: Refusal) -> bool:
    """Whether the refusal of a private request says that the connection is not signed in."""
    return meaning_of(error.code, error.data).scope is ErrorScope.SESSION
