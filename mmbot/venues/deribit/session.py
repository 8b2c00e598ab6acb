"""One Deribit account for the engine (`venues/account_session.py`): its keys, limits and locks."""

from collections.abc import Mapping
from typing import Any, Final

from mmbot.core.events import LimitsRead, Link
from mmbot.core.intents import CancelAll
from mmbot.core.types import Nanos
from mmbot.venues.account import Account
from mmbot.venues.account_session import AccountSession, OrderIntent
from mmbot.venues.asking import UnreadableError, get
from mmbot.venues.deribit import orders, parse
from mmbot.venues.deribit.dialect import DERIBIT
from mmbot.venues.deribit.looks import Looks
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.rescue import DeribitRescue
from mmbot.venues.deribit.signin import Keys
from mmbot.venues.rates import Rate
from mmbot.venues.reading import Unreadable, fields_of
from mmbot.venues.recipe import Recipe
from mmbot.venues.rescue import Call
from mmbot.venues.timing import USUAL, Timing

LOCKS: Final = ("user.lock",)
"""Locks of the platform, of currencies, and of the account: no instrument's channel tells them."""

USER_CHANGES: Final = "user.changes.any.any.raw"


class DeribitSession(AccountSession, PublicSession):
    """One Deribit account. `name` is ours for it, `keys` open it; `start_ns` is desk time now."""

    terms_codes = frozenset({10002, 10026, 10043})

    def __init__(self, name: str, keys: Keys, start_ns: Nanos, timing: Timing = USUAL) -> None:
        PublicSession.__init__(self, name, start_ns, timing, keys)
        self._keys = keys
        self._account = Account(
            name, DERIBIT, parse, "order_state", self._unread, self._tell_of_account
        )
        self._looks = Looks(name, parse, self._traded, self._terms, self._now_ms, self._unread)
        self._rescue = DeribitRescue(name)
        self.connection.on_user = self._on_user
        self.connection.on_late_reply = self._answered_late

    @property
    def cod_enabled(self) -> bool:
        """Whether the venue has confirmed that it cancels our orders when TRADING breaks."""
        return self.connection.cod_enabled

    def reads_left(self) -> dict[str, float]:
        """What is left of the limits that only reads draw from, by the names of their gates."""
        return self.connection.reads_left()

    def account(self) -> Recipe[str]:
        """The account our credentials open, by the venue's name for it. Raises AnswerError, and
        UnreadableError."""
        result = yield from get("private/get_account_summaries", {"extended": "true"})
        name = account_name(result) if isinstance(result, Mapping) else None
        if name is None and not (
            isinstance(result, Mapping) and isinstance(result.get("summaries"), list)
        ):
            raise UnreadableError(f"to get_account_summaries: {result!r:.80}")
        return name or f"key {self._keys[0]}"

    @property
    def private_channels(self) -> list[str]:
        """One tells all."""
        return [USER_CHANGES]

    @property
    def _cancel_rate(self) -> Rate:
        return self.connection.rate_limits.matching

    def _tell_limits(self) -> None:
        limit = self.connection.rate_limits.matching
        self._emit(LimitsRead(self.name, limit.rate, limit.burst))

    def _call_of(self, intent: OrderIntent | CancelAll) -> Call:
        return orders.call_of(intent)

    def _news(self, link: Link) -> Recipe[None]:
        if link is Link.TRADING:
            yield from self._subscribed(link, "private/subscribe", LOCKS)
        else:
            yield from super()._news(link)

    def _on_user(self, channel: str, data: Any) -> None:
        if channel in LOCKS:
            self._platform_news(channel, data)
        if channel.startswith("user.changes."):
            self._heard_privately()
            try:
                changes = fields_of(data, channel)
            except Unreadable as error:
                self._account.untold(channel, error)
                return
            trades, rows = changes.get("trades") or [], changes.get("orders") or []
            self._account.told(channel, trades, rows)


SESSION: Final = DeribitSession
"""What virtual time drives of this kind of venue."""


def account_name(result: Mapping[str, Any]) -> str | None:
    """The account by the venue's own name for it; None where it does not tell."""
    for field in ("system_name", "username", "id"):
        said = result.get(field)
        if isinstance(said, str | int) and said:
            return str(said)
    return None
