"""One Deribit account for the engine: frames become events, and intents frames.

What anybody may see is `public.py`'s. Here are the account's orders (`account.py` reads what is
said of them), the venue's word on everything (`looks.py`), the way round a trading link that does
not work (`rescue.py`), and the watch over the private channel.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mmbot.core.capabilities import REQUEST_DEADLINE_NS
from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    FallbackTried,
    LimitsRead,
    Link,
    OutcomeUnknown,
    SnapshotFailed,
)
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    FallbackCancel,
    Place,
    Replace,
    Resync,
    VenueIntent,
)
from mmbot.core.order_life import Request
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, Nanos, instrument_name
from mmbot.core.why import Why
from mmbot.errors import VenueUnreachable
from mmbot.venues.account import Account
from mmbot.venues.answers import AnswerError, Trouble
from mmbot.venues.asking import UnreadableError, get, in_brief
from mmbot.venues.book import MalformedBook
from mmbot.venues.canceller import ListUnreadableError
from mmbot.venues.deribit import orders, parse, rescue
from mmbot.venues.deribit.dialect import DERIBIT
from mmbot.venues.deribit.looks import Looks
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.signin import Keys
from mmbot.venues.effects import Effect
from mmbot.venues.reading import Unreadable, fields_of
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Outcome, Reply
from mmbot.venues.timing import USUAL, Timing

TERMS_CODES: Final = frozenset({10002, 10026, 10043})
"""Refusals that say that the tick or the least size is not what we know: it is asked for again."""

TERMS_AFTER_S: Final = 0.1
"""Orders leave in pairs. Terms that came between two refusals would be followed by one about terms
that are not held any more."""

LOCKS: Final = ("user.lock",)
"""Locks of the platform, of currencies, and of the account: no instrument's channel tells them."""

USER_CHANGES: Final = "user.changes.any.any.raw"

PRIVATE_SILENCE_S: Final = 5.0
"""The private channel tells of every order placed or moved. If it says nothing at all for that long
after one was, we would not hear of fills either."""

_REQUEST_TIMEOUT_S: Final = 2 * REQUEST_DEADLINE_NS / SECOND
"""The core gives up waiting after one deadline; an answer within two is still heard."""


class DeribitSession(PublicSession):
    """One Deribit account. `name` is ours for it, `keys` open it; `start_ns` is desk time now."""

    def __init__(self, name: str, keys: Keys, start_ns: Nanos, timing: Timing = USUAL) -> None:
        super().__init__(name, start_ns, timing, keys)
        self._keys = keys
        self._account = Account(name, DERIBIT, parse, "order_state", self._unread, self._emit)
        self._looks = Looks(name, self._instruments, self._terms, self._now_ms, self._unread)
        self._told_ns: Nanos = 0
        """When the private channel last said something ..."""
        self._untold_ns: Nanos = 0
        """... and when the first request was sent of which it has not told; 0: there is none."""
        self.connection.on_user = self._on_user
        self.connection.on_late_reply = self._account.answered_late

    # --- coming and going ---

    def watch(
        self,
        started: Callable[[Link, Exception | None], None],
        unexpected: Callable[[Exception], None],
    ) -> None:
        """Have it told how the first attempt of a link ended, and what was raised in here that is
        no trouble with the venue."""

        def at_fault(error: Exception, _frame: object) -> None:
            if not isinstance(error, Trouble | MalformedBook):
                unexpected(error)

        self.connection.on_started = started
        self.connection.on_fault = at_fault

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

    def wanted(self, instruments: Sequence[Instrument]) -> dict[Link, list[str]]:
        """The links to keep up, with their channels."""
        return super().wanted(instruments) | {Link.TRADING: [USER_CHANGES]}

    def _links(self) -> tuple[Link, ...]:
        return (Link.MARKET, Link.TRADING)

    def _each_second(self) -> None:
        super()._each_second()
        since_s = (self.connection.now_ns - self._untold_ns) / SECOND
        if self._untold_ns and since_s > PRIVATE_SILENCE_S:
            self.connection.cut(Link.TRADING, "the private channel does not tell of our orders")

    def _on_link(self, link: Link, up: bool, why: str) -> None:
        if link is Link.TRADING:
            self._untold_ns = 0
            if up:
                limit = self.connection.rate_limits.matching
                self._emit(LimitsRead(self.name, limit.rate, limit.burst))
        super()._on_link(link, up, why)

    def _news(self, link: Link) -> Recipe[None]:
        if link is Link.TRADING:
            yield from self._subscribed(link, "private/subscribe", LOCKS)
        else:
            yield from super()._news(link)

    def _on_user(self, channel: str, data: Any) -> None:
        if channel in LOCKS:
            self._platform_news(channel, data)
        if channel.startswith("user.changes."):
            self._told_ns, self._untold_ns = self.connection.now_ns, 0
            try:
                changes = fields_of(data, channel)
            except Unreadable as error:
                self._account.untold(channel, error)
                return
            trades, orders = changes.get("trades") or [], changes.get("orders") or []
            self._account.told(channel, trades, orders)

    def _now_ms(self) -> int:
        return self.connection.now_ns // MS

    def _now_s(self) -> float:
        return self.connection.now_ns / SECOND

    # --- intents to frames ---

    def submit(self, intents: Sequence[VenueIntent], now_ns: Nanos) -> Sequence[Effect]:
        """Carry these out: the frames that go now. Answers come as events."""
        self.connection.at(now_ns)
        for intent in intents:
            match intent:
                case Place():
                    self._account.may_rest(intent.label)
                    self._request(intent, Request.PLACE)
                case Amend():
                    self._request(intent, Request.AMEND)
                case Replace():
                    self._account.may_rest(intent.label)
                    self._request(intent, Request.REPLACE)
                case Cancel():
                    self._request(intent, Request.CANCEL)
                case CancelAll():
                    self._cancel_all(intent)
                case Resync():
                    if self.connection.up(Link.MARKET):
                        self._ask_alive(Link.MARKET)
                    self._carry_out(self._snapshot(intent))
                case FallbackCancel():
                    self._carry_out(self._take_back(intent.order_ids))
        return self.connection.settle()

    def _request(self, intent: Place | Amend | Replace | Cancel, request: Request) -> None:
        sent_ns = self.connection.now_ns

        def done(reply: Reply) -> None:
            if isinstance(intent, Replace):
                self._account.replaced(reply, intent.old, intent.label)
            else:
                self._account.answered(reply, intent.label, request)
            if reply.error is not None and reply.error.code in TERMS_CODES:
                self._ask_terms(instrument_name(intent.instrument), TERMS_AFTER_S)
            if reply.outcome is Outcome.OK and self._told_ns <= sent_ns:
                self._untold_ns = self._untold_ns or sent_ns

        method, params = orders.call_of(intent)
        self.connection.send(Link.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    def _cancel_all(self, intent: CancelAll) -> None:
        def done(reply: Reply) -> None:
            # The orders' own messages say what became of them; without an answer, nobody has.
            if reply.outcome is not Outcome.OK:
                for label in intent.labels:
                    self._emit(OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST))

        method, params = orders.call_of(intent)
        self.connection.send(Link.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    # --- asking the venue for its word ---

    def _snapshot(self, intent: Resync) -> Recipe[None]:
        asked_ns = self.connection.now_ns
        try:
            self._emit((yield from self._looks.take(intent, asked_ns)))
        except AnswerError as error:
            self._emit(SnapshotFailed(self.name, in_brief(error)))
        except Unreadable as error:
            self._unread.note("look", error)
            self._emit(SnapshotFailed(self.name, in_brief(error), unreadable=True))
        self._tell_unread()

    def cancel_ours(self, order_ids: Sequence[str] = ()) -> Recipe[list[OpenOrder]]:
        """Cancel every order of ours over REST, whatever its list looks like; what the venue still
        lists of ours then. `order_ids`: ours, where labels do not tell. Raises VenueUnreachable,
        also where a list cannot be read in full: then nothing is proved."""
        limit = self.connection.rate_limits.matching
        try:
            look = yield from rescue.cancel_ours(
                self.name, self._account.placed, limit, self._now_s, order_ids
            )
        except (AnswerError, ListUnreadableError) as error:
            raise VenueUnreachable(f"{self.name} does not answer: {in_brief(error)}") from error
        if look.unread:
            raise VenueUnreachable(f"{self.name}: {look.unread} rows of its list could not be read")
        return list(look.ours)

    def _take_back(self, order_ids: Sequence[str]) -> Recipe[None]:
        asked_ns = self.connection.now_ns
        try:
            left = yield from self.cancel_ours(order_ids)
        except VenueUnreachable as error:
            self._note("warning", "%s", error)
            self._emit(FallbackTried(self.name, asked_ns, None))
        else:
            self._emit(FallbackTried(self.name, asked_ns, tuple(left)))


SESSION: Final = DeribitSession
"""What virtual time drives of this kind of venue."""


def account_name(result: Mapping[str, Any]) -> str | None:
    """The account by the venue's own name for it; None where it does not tell."""
    for field in ("system_name", "username", "id"):
        said = result.get(field)
        if isinstance(said, str | int) and said:
            return str(said)
    return None
