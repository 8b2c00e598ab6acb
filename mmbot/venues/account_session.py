"""One account at a venue for the engine: frames become events, and intents frames.

What anybody may see is `public_session.py`'s. Here are the account's orders (`account.py` reads
what is said of them), the venue's word on everything (`looks.py`), the way round a trading link
that does not work (`rescue.py`), and the watch over the private channel.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mmbot.core.capabilities import REQUEST_DEADLINE_NS
from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    Event,
    FallbackTried,
    Link,
    OrderSeen,
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
from mmbot.core.order_life import AMEND, CANCEL, PLACE, REPLACE, OrderState, Request
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, Nanos, instrument_name
from mmbot.core.why import Why
from mmbot.errors import VenueUnreachable
from mmbot.venues.account import UNREAD, Account
from mmbot.venues.answers import AnswerError, Trouble
from mmbot.venues.asking import in_brief
from mmbot.venues.book import MalformedBook
from mmbot.venues.canceller import ListUnreadableError
from mmbot.venues.effects import Effect
from mmbot.venues.looks import Looks
from mmbot.venues.public_session import PublicSession
from mmbot.venues.rates import Rate
from mmbot.venues.reading import Unreadable
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Done, Outcome, Reply
from mmbot.venues.rescue import Call, Rescue

TERMS_AFTER_S: Final = 0.1
"""Orders leave in pairs. Terms that came between two refusals would be followed by one about terms
that are not held any more."""

LOCKS: Final = ("user.lock",)
"""Locks of the platform, of currencies, and of the account: no instrument's channel tells them."""

USER_CHANGES: Final = "user.changes.any.any.raw"

PRIVATE_SILENCE_S: Final = 5.0
"""The private channel tells of every order placed or moved. If it says nothing at all for that long
after one was, we would not hear of fills either."""

REQUEST_TIMEOUT_S: Final = 2 * REQUEST_DEADLINE_NS / SECOND
"""The core gives up waiting after one deadline; an answer within two is still heard."""

REJECTED: Final = OrderState.REJECTED

OrderIntent = Place | Amend | Replace | Cancel

_TRADING: Final = Link.TRADING  # a class's look-up is a Python call


class AccountSession(PublicSession):
    """One account. What a venue adds is how intents are spelled, and what sets up `_account`,
    `_looks` and `_rescue`."""

    terms_codes: frozenset[int]
    """Refusals that say that the tick or the least size is not what we know: it is asked for again.
    """

    tells_of_mass_cancels = False
    """Whether the private channel must tell of a mass cancel that is answered well."""

    _account: Account
    _looks: Looks
    _rescue: Rescue
    _told_ns: Nanos = 0
    """When the private channel last said something."""
    _untold_ns: Nanos = 0
    """When the first request was sent that was carried out, and of which the private channel has
    not told, nor of anything since we know; 0: there is none."""

    # --- what is each venue's own ---

    @property
    @abstractmethod
    def cod_enabled(self) -> bool:
        """Whether the venue has confirmed that it cancels our orders when TRADING breaks."""
        ...

    @abstractmethod
    def reads_left(self) -> dict[str, float]:
        """What is left of the limits that only reads draw from, by the names of their gates."""
        ...

    @abstractmethod
    def account(self) -> Recipe[str]:
        """The account our credentials open, by the venue's name for it. Raises AnswerError, and
        UnreadableError."""
        ...

    @property
    @abstractmethod
    def private_channels(self) -> list[str]:
        """What tells of our orders and trades."""
        ...

    @abstractmethod
    def _call_of(self, intent: OrderIntent | CancelAll) -> Call | None:
        """What carries an intent out; None where nothing can, which has been told."""
        ...

    @property
    @abstractmethod
    def _cancel_rate(self) -> Rate:
        """How fast cancels may follow each other over the second path."""
        ...

    @abstractmethod
    def _tell_limits(self) -> None:
        """Tell the limits that have been read while TRADING was let in."""
        ...

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

    def wanted(self, instruments: Sequence[Instrument]) -> dict[Link, list[str]]:
        """The links to keep up, with their channels."""
        return super().wanted(instruments) | {Link.TRADING: self.private_channels}

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
                self._tell_limits()
        super()._on_link(link, up, why)

    def _heard_privately(self) -> None:
        """The private channel has said something."""
        self._told_ns, self._untold_ns = self.connection.now_ns, 0

    def _now_ms(self) -> int:
        return self.connection.now_ns // MS

    def _now_s(self) -> float:
        return self.connection.now_ns / SECOND

    def _tell_of_account(self, event: Event) -> None:
        """News of orders and trades. What rested, or rests now, is in a book."""
        if isinstance(event, OrderSeen) and event.instrument and event.state is not REJECTED:
            self.connection.order_changed(instrument_name(event.instrument), event.venue_ms)
        self._emit(event)

    # --- intents to frames ---

    def submit(self, intents: Sequence[VenueIntent], now_ns: Nanos) -> Sequence[Effect]:
        """Carry these out: the frames that go now. Answers come as events."""
        self.connection.at(now_ns)
        for intent in intents:
            match intent:
                case Amend():  # the most frequent first
                    self._request(intent, AMEND)
                case Place():
                    self._account.may_rest(intent.label)
                    self._request(intent, PLACE)
                case Replace():
                    self._account.may_rest(intent.label)
                    self._request(intent, REPLACE)
                case Cancel():
                    self._request(intent, CANCEL)
                case CancelAll():
                    self._cancel_all(intent)
                case Resync():
                    if self.connection.up(Link.MARKET):
                        self._ask_alive(Link.MARKET)
                    self._carry_out(self._snapshot(intent))
                case FallbackCancel():
                    self._carry_out(self._take_back(intent.order_ids))
        return self.connection.settle()

    def _request(self, intent: OrderIntent, request: Request) -> None:
        sent_ns = self.connection.now_ns
        about, ends = orders_of(intent), isinstance(intent, Cancel | Replace)
        self._account.forget_told(*about)

        def done(reply: Reply) -> None:
            self._answered(intent, reply, request)
            if reply.error is not None and reply.error.code in self.terms_codes:
                self._ask_terms(instrument_name(intent.instrument), TERMS_AFTER_S)
            if reply.outcome is Outcome.OK:
                told = self._account.has_told(*about, id_in(reply), ended=ends)
                self._untold_ns = self._untold_ns or (0 if told else sent_ns)

        self._send(intent, done)

    def _answered_late(self, reply: Reply) -> None:
        """The answer to a request whose outcome was given up for unknown."""
        self._account.answered_late(reply)
        order_id = id_in(reply)
        if reply.outcome is not Outcome.OK or order_id == UNREAD:
            return
        if not self._account.has_told(order_id, ended=False):
            self._untold_ns = self._untold_ns or self.connection.now_ns

    def _cancel_all(self, intent: CancelAll) -> None:
        sent_ns = self.connection.now_ns

        def done(reply: Reply) -> None:
            # The orders' own messages say what became of them; without an answer, nobody has.
            if reply.outcome is not Outcome.OK:
                for label in intent.labels:
                    self._emit(OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST))
            elif self.tells_of_mass_cancels and intent.labels and self._told_ns <= sent_ns:
                self._untold_ns = self._untold_ns or sent_ns

        self._send(intent, done)

    def _answered(self, intent: OrderIntent, reply: Reply, request: Request) -> None:
        """The end of a request about one order."""
        if isinstance(intent, Replace):
            self._account.replaced(reply, intent.old, intent.label)
        else:
            self._account.answered(reply, intent.label, request)

    def _send(self, intent: OrderIntent | CancelAll, done: Done) -> None:
        call = self._call_of(intent)
        if call is not None:
            method, params = call
            self.connection.send(_TRADING, method, params, done, REQUEST_TIMEOUT_S)

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
        try:
            look = yield from self._rescue.cancel_ours(
                self._account.placed, self._cancel_rate, self._now_s, order_ids
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


def orders_of(intent: OrderIntent) -> tuple[str, ...]:
    """The orders that an intent is about, by label and by the venue's id."""
    match intent:
        case Place():
            return (intent.label,)
        case Replace():
            return (intent.old, intent.order_id)
        case Amend() | Cancel():
            return (intent.label, intent.order_id)


def id_in(reply: Reply) -> str:
    """The venue's id of the order that an answer is about; UNREAD where nobody can tell."""
    result = reply.result
    order = result.get("order", result) if isinstance(result, Mapping) else None
    order_id = order.get("order_id") if isinstance(order, Mapping) else None
    return order_id if isinstance(order_id, str) else UNREAD
