"""One Deribit account for the engine: the client's frames become events, intents its frames.

Nothing is decided here, and nothing is read here: `parse.py` is the border. What the venue says
about an order is passed on as it is; what it does not say (no answer, a broken line, an answer that
nobody can read) becomes OutcomeUnknown. A request that certainly never left this process is the one
failure that is known: it is reported as refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ccxt.base.errors import BaseError

from mmbot.clock import Clock
from mmbot.core.capabilities import REQUEST_DEADLINE_NS
from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    FallbackTried,
    Filled,
    LimitsRead,
    Link,
    MessageLost,
    OrderSeen,
    OutcomeUnknown,
    RequestRefused,
    SnapshotFailed,
)
from mmbot.core.intents import Amend, Cancel, CancelAll, FallbackCancel, Place, Resync, VenueIntent
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Nanos, TimeInForce, instrument_name
from mmbot.core.why import Why
from mmbot.errors import Refused, VenueUnreachable
from mmbot.venues.base import Sink
from mmbot.venues.canceller import ListUnreadableError
from mmbot.venues.deribit import orders, parse, rescue
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.failures import UnreadableError, in_words, said
from mmbot.venues.deribit.looks import Looks
from mmbot.venues.deribit.market import PROBE_EVERY_S, SNAPSHOT_TIMEOUT_S, DeribitMarket
from mmbot.venues.deribit.parse import Unreadable
from mmbot.venues.deribit.requests import Outcome, Reply

TERMS_CODES = frozenset({10002, 10026, 10043})
"""Refusals that say that the tick or the least size is not what we know: it is asked for again."""

LOCKS = ("user.lock",)
"""Locks of the platform, of currencies, and of the account: no instrument's channel tells them."""

PRIVATE_SILENCE_S = 5.0
"""The private channel tells of every order placed or moved. If it says nothing at all for that long
after one was, we would not hear of fills either."""

PLACED_MAX = 1000

_TIME_IN_FORCE = {
    TimeInForce.GTC: "good_til_cancelled",
    TimeInForce.IOC: "immediate_or_cancel",
}

_REQUEST_TIMEOUT_S = 2 * REQUEST_DEADLINE_NS / SECOND
"""The core gives up waiting after one deadline; an answer within two is still heard."""


class DeribitVenue(DeribitMarket):
    """One Deribit account. `name` is ours for it, `client` is ours to start and close."""

    def __init__(self, name: str, client: Deribit, clock: Clock) -> None:
        super().__init__(name, client, clock)
        self._looks = Looks(
            name,
            self._rpc,
            self._ask_rest,
            self._instruments,
            self._terms,
            client.milliseconds,
            self._unread,
        )
        self._placed: dict[Label, None] = {}
        """Orders that may rest by our own account, the oldest first: what there is to go by where
        the venue's list cannot be read."""
        self._told_ns: Nanos = 0
        """When the private channel last said something ..."""
        self._untold_ns: Nanos = 0
        """... and when the first request was sent of which it has not told; 0: there is none."""

    # --- coming and going ---

    async def account(self) -> str:
        """The account our credentials open, by the venue's name for it. Raises VenueUnreachable."""
        with in_words(self.name, "to get_account_summaries"):
            answer = await self._client.privateGetGetAccountSummaries({"extended": "true"})
            result = answer.get("result") if isinstance(answer, Mapping) else None
            if not isinstance(result, Mapping):
                raise UnreadableError(f"to get_account_summaries: {answer!r:.80}")
            name = account_name(result)
            if name is None and not isinstance(result.get("summaries"), list):
                raise UnreadableError(f"to get_account_summaries: {answer!r:.80}")
        return name or f"key {self._client.apiKey}"

    async def connect(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Log in, subscribe, and let events flow. Raises VenueUnreachable, and Refused."""
        client = self._client
        self._hear(sink, instruments)
        client.on_user = self._on_user
        client.on_late_reply = self._on_late_reply
        channels = {
            Link.MARKET: self._channels(instruments),
            Link.TRADING: ["user.changes.any.any.raw"],
        }
        with in_words(self.name, "to signing in"):
            await client.start((Link.MARKET, Link.TRADING), channels)
        if not client.cod_enabled:
            raise Refused(f"{self.name} did not confirm cancel-on-disconnect: not safe to quote")
        self._start(self._probe())
        self._start(self._listen_for_silence())

    async def _listen_for_silence(self) -> None:
        while True:
            if self._untold_ns and self._since_s(self._untold_ns) > PRIVATE_SILENCE_S:
                self._client.cut(Link.TRADING, "the private channel does not tell of our orders")
            await self._clock.sleep(PROBE_EVERY_S)

    def _since_s(self, moment_ns: Nanos) -> float:
        return (self._clock.now_ns() - moment_ns) / SECOND

    # --- frames to events ---

    def _on_link(self, link: Link, up: bool, why: str) -> None:
        if link is Link.TRADING:
            self._untold_ns = 0
            if up:
                limit = self._client.rate_limits.matching
                self._sink(LimitsRead(self.name, limit.rate, limit.burst))
        super()._on_link(link, up, why)

    async def _hear_news(self, link: Link) -> None:
        if link is Link.TRADING:
            await self._subscribe_if_possible(link, "private/subscribe", LOCKS)
        else:
            await super()._hear_news(link)

    def _on_user(self, channel: str, data: Any) -> None:
        if channel in LOCKS:
            self._platform_news(channel, data)
        if not channel.startswith("user.changes."):
            return
        self._told_ns, self._untold_ns = self._clock.now_ns(), 0
        try:
            changes = parse.fields_of(data, channel)
            trades, lost = parse.each(
                changes.get("trades") or [], self._fill, self._unread, "trade"
            )
            stated = changes.get("orders") or []
            if not isinstance(stated, list):
                raise Unreadable(f"{channel}: orders is no list")
        except Unreadable as error:
            self._unread.note(channel, error)
            self._sink(MessageLost(self.name))
            return
        for fill in trades:
            self._sink(Filled(fill))
        for row in stated:
            lost += not self._order_told(row)
        if lost:
            self._sink(MessageLost(self.name))

    def _fill(self, row: object) -> Any:
        return parse.fill_of(self.name, row, self._unread)

    def _order_told(self, row: object) -> bool:
        """Pass on what a push says of one order; False where that leaves one of ours in the dark.

        A foreign order that cannot be read is taken for open, so that no mass cancel takes it
        along.
        """
        try:
            self._tell_seen(parse.seen_of(self.name, row, None, self._unread))
            return True
        except Unreadable as error:
            self._unread.note("order", error)
        try:
            order = parse.open_order_of(self.name, row, self._unread)
        except Unreadable:
            return False
        if is_ours(order.label) or not order.order_id:
            return False
        self._sink(
            OrderSeen(
                self.name,
                order.label,
                order.order_id,
                order.instrument,
                order.side,
                order.price,
                order.amount,
                order.filled,
                OrderState.OPEN,
                order.venue_ms,
            )
        )
        return True

    def _on_late_reply(self, reply: Reply) -> None:
        """The answer came after we stopped waiting: still the venue's word about the order."""
        result = reply.result
        order = result.get("order", result) if isinstance(result, Mapping) else None
        if isinstance(order, Mapping) and "order_state" in order:
            self._order_told(order)

    # --- intents to frames ---

    def submit(self, intents: Sequence[VenueIntent]) -> None:
        """Write every frame now; nothing is awaited."""
        for intent in intents:
            match intent:
                case Place():
                    self._place(intent)
                case Amend():
                    self._amend(intent)
                case Cancel():
                    call = orders.cancel(intent.order_id, intent.label)
                    self._request(call, intent.label, Request.CANCEL, intent.instrument)
                case CancelAll():
                    self._cancel_all(intent)
                case Resync():
                    if self._client.up(Link.MARKET):
                        self._ask_alive(Link.MARKET)
                    self._start(self._snapshot(intent))
                case FallbackCancel():
                    self._start(self._take_back())

    def _place(self, intent: Place) -> None:
        self._placed[intent.label] = None
        if len(self._placed) > PLACED_MAX:
            del self._placed[next(iter(self._placed))]
        call = orders.place(
            intent.side,
            instrument_name(intent.instrument),
            intent.amount,
            intent.price,
            label=intent.label,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            valid_until_ms=intent.valid_until_ns // MS,
            time_in_force=_TIME_IN_FORCE[intent.time_in_force],
        )
        self._request(call, intent.label, Request.PLACE, intent.instrument)

    def _amend(self, intent: Amend) -> None:
        call = orders.amend(
            intent.order_id,
            intent.amount,
            intent.price,
            post_only=intent.post_only,
            valid_until_ms=intent.valid_until_ns // MS,
        )
        self._request(call, intent.label, Request.AMEND, intent.instrument)

    def _request(
        self, call: orders.Call, label: Label, request: Request, instrument: InstrumentId
    ) -> None:
        sent_ns = self._clock.now_ns()

        def done(reply: Reply) -> None:
            self._answered(reply, label, request)
            if reply.error is not None and reply.error.code in TERMS_CODES:
                self.ask_terms(instrument_name(instrument))
            if reply.outcome is Outcome.OK and self._told_ns < sent_ns:
                self._untold_ns = self._untold_ns or sent_ns

        method, params = call
        self._client.send(Link.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    def _answered(self, reply: Reply, label: Label, request: Request) -> None:
        if reply.outcome is Outcome.OK:
            self._done(reply.result, label, request)
        elif reply.outcome is Outcome.REFUSED:
            assert reply.error is not None
            error = reply.error
            refused = parse.refusal_of(error.code, error.data, str(error), label, request)
            self._sink(refused)
        elif not reply.sent:
            stands = request is not Request.PLACE
            self._sink(RequestRefused(label, request, Why.LINK_DOWN, reply.why, stands))
        else:
            self._sink(OutcomeUnknown(label, request, Why.REPLY_LOST))

    def _done(self, result: object, label: Label, request: Request) -> None:
        """The answer to a request that was carried out. What cannot be read of it is unknown."""
        try:
            fields = parse.fields_of(result, "answer")
            trades, lost = parse.each(fields.get("trades") or [], self._fill, self._unread, "trade")
            seen = parse.seen_of(self.name, fields.get("order", fields), request, self._unread)
            if seen.label not in (label, None):
                raise Unreadable(f"an answer about {seen.label} instead of {label}")
        except Unreadable as error:
            self._unread.note("answer", error)
            self._sink(OutcomeUnknown(label, request, Why.REPLY_LOST))
            return
        for fill in trades:
            self._sink(Filled(fill if fill.label else replace(fill, label=label)))
        if lost:
            self._sink(MessageLost(self.name))
        self._tell_seen(replace(seen, label=label))

    def _tell_seen(self, seen: OrderSeen) -> None:
        if seen.label is not None and seen.state is not OrderState.OPEN:
            self._placed.pop(seen.label, None)
        self._sink(seen)

    def _cancel_all(self, intent: CancelAll) -> None:
        method, params = "private/cancel_all", dict[str, Any]()
        if intent.instrument is not None:
            method = "private/cancel_all_by_instrument"
            params = {"instrument_name": instrument_name(intent.instrument)}

        def done(reply: Reply) -> None:
            # The orders' own messages say what became of them; without an answer, nobody has.
            if reply.outcome is not Outcome.OK:
                for label in intent.labels:
                    self._sink(OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST))

        self._client.send(Link.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    # --- asking the venue for its word ---

    async def _snapshot(self, intent: Resync) -> None:
        asked_ns = self._clock.now_ns()
        try:
            self._sink(await self._looks.take(intent, asked_ns))
        except BaseError as error:
            self._sink(SnapshotFailed(self.name, said(error)))
        except Unreadable as error:
            self._unread.note("look", error)
            self._sink(SnapshotFailed(self.name, said(error), unreadable=True))
        self._tell_unread()

    async def _rpc(self, method: str, params: dict[str, Any]) -> Any:
        return await self._client.rpc(Link.TRADING, method, params, SNAPSHOT_TIMEOUT_S)

    async def _ask_rest(self, method: str, params: dict[str, Any]) -> Any:
        """A private method over REST, by the venue's name for it: long lists do not hold up the
        trading connection."""
        camel = "".join(part.capitalize() for part in method.split("_"))
        answer = await getattr(self._client, f"privateGet{camel}")(params)
        return answer.get("result") if isinstance(answer, Mapping) else None

    async def cancel_ours(self) -> list[OpenOrder]:
        """Cancel every order of ours over REST, whatever its list looks like; what the venue still
        lists of ours then. Raises VenueUnreachable, also where a list cannot be read in full: then
        nothing is proved."""
        try:
            look = await rescue.cancel_ours(self.name, self._client, self._clock, self._placed)
        except (BaseError, ListUnreadableError) as error:
            raise VenueUnreachable(f"{self.name} does not answer: {said(error)}") from error
        if look.unread:
            raise VenueUnreachable(f"{self.name}: {look.unread} rows of its list could not be read")
        return list(look.ours)

    async def _take_back(self) -> None:
        asked_ns = self._clock.now_ns()
        try:
            left = tuple(await self.cancel_ours())
        except VenueUnreachable as error:
            self._says.warning("%s", error)
            self._sink(FallbackTried(self.name, asked_ns, None))
        else:
            self._sink(FallbackTried(self.name, asked_ns, left))


def account_name(result: Mapping[str, Any]) -> str | None:
    """The account by the venue's own name for it; None where it does not tell."""
    for field in ("system_name", "username", "id"):
        said = result.get(field)
        if isinstance(said, str | int) and said:
            return str(said)
    return None
