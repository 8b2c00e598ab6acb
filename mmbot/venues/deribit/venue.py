"""Deribit for the engine: the client's frames become events, intents become the client's frames.

Nothing is decided here, and nothing is read here: `parse.py` is the border. What the venue says
about an order is passed on as it is; what it does not say (no answer, a broken line, an answer that
nobody can read) becomes OutcomeUnknown. A request that certainly never left this process is the one
failure that is known: it is reported as refused.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ccxt.base.errors import AuthenticationError, BaseError

from mmbot.clock import Clock
from mmbot.core.contracts import Instrument
from mmbot.core.events import (
    BookChanged,
    BookLost,
    ElementsUnread,
    FallbackTried,
    Filled,
    InstrumentState,
    LimitsRead,
    Link,
    LinkAlive,
    LinkChanged,
    MessageLost,
    OrderSeen,
    OutcomeUnknown,
    PlatformState,
    RequestRefused,
    SnapshotFailed,
)
from mmbot.core.intents import Amend, Cancel, CancelAll, FallbackCancel, Place, Resync, VenueIntent
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request
from mmbot.core.orders import REQUEST_DEADLINE_NS
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Nanos, TimeInForce
from mmbot.core.why import Why
from mmbot.errors import Refused, VenueUnreachable
from mmbot.venues.base import Capabilities, Sink
from mmbot.venues.deribit import orders, parse, rescue
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.failures import UnreadableError, said
from mmbot.venues.deribit.looks import Looks
from mmbot.venues.deribit.parse import NAME, Unread, Unreadable, name_of
from mmbot.venues.deribit.requests import Outcome, Reply
from mmbot.venues.deribit.session import Socket

BOOK_LEVELS = 10
LISTINGS = ("instrument.state.any.any",)
LISTINGS_BY_KIND = ("instrument.state.future.any", "instrument.state.option.any")
"""News of listings; where the venue takes no `any` kind, by those we trade."""

PLATFORM = ("platform_state", "platform_state.public_methods_state")
TERMS_CODES = frozenset({10002, 10026, 10043})
"""Refusals that say that the tick or the least size is not what we know: it is asked for again."""

LOCKS = ("user.lock",)
"""Locks of the platform, of currencies, and of the account: no instrument's channel tells them."""

PROBE_EVERY_S = 1.0
"""A round trip on each link this often: proof that it is alive, and how far it has caught up."""

DEAF_FOR_S = 0.2
"""Before a link is cut, what has arrived may be read: perhaps it was this process that slept."""

PRIVATE_SILENCE_S = 5.0
"""The private channel tells of every order placed or moved. If it says nothing at all for that long
after one was, we would not hear of fills either."""

SNAPSHOT_TIMEOUT_S = 5.0
PLACED_MAX = 1000
SAY_AGAIN_S = 10.0
"""Between two log lines about elements of one kind that cannot be read."""

_TIME_IN_FORCE = {
    TimeInForce.GTC: "good_til_cancelled",
    TimeInForce.IOC: "immediate_or_cancel",
}

_REQUEST_TIMEOUT_S = 2 * REQUEST_DEADLINE_NS / SECOND
"""The core gives up waiting after one deadline; an answer within two is still heard."""

_log = logging.getLogger(__name__)

_LINKS = {Socket.MARKET: Link.MARKET, Socket.TRADING: Link.TRADING}


class DeribitVenue:
    """One Deribit account. `client` is ours to start and close."""

    name = NAME
    caps = Capabilities(amend=True, cancel_on_disconnect=True, label_max_chars=64)

    def __init__(self, client: Deribit, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._sink: Sink = _nowhere
        self._instruments: dict[str, Instrument] = {}
        """Followed, by the venue's name."""
        self._terms: dict[str, Instrument] = {}
        """Of everything listed that could be read, followed or not."""
        self.unread_listings: dict[str, str] = {}
        """Instruments whose terms could not be read, and why."""
        self._asked_terms: set[str] = set()
        """Instruments whose terms are being asked for."""
        self._unread = Unread()
        self._said_s: dict[str, float] = {}
        """When elements of a kind that could not be read were last talked about."""
        self._looks = Looks(
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
        self._probe_with = "public/test"
        self._told_ns: Nanos = 0
        """When the private channel last said something ..."""
        self._untold_ns: Nanos = 0
        """... and when the first request was sent of which it has not told; 0: there is none."""
        self.on_listed: Callable[[list[Instrument]], None] | None = None
        """Called with everything listed when the venue lists something new, or on new terms."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return str(self._client.urls["api"]["rest"])

    # --- coming and going ---

    async def open(self) -> list[Instrument]:
        """Everything listed of what mmbot trades. Raises VenueUnreachable, and UnreadableError for
        an answer that is no list."""
        try:
            answer = await self._client.publicGetGetInstruments({"currency": "any"})
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {said(error)}") from error
        rows = answer.get("result") if isinstance(answer, Mapping) else None
        if not isinstance(rows, list):
            raise UnreadableError(f"to get_instruments: {answer!r:.80}")
        for row in rows:
            self._list(row)
        return list(self._terms.values())

    def _list(self, row: object) -> Instrument | None:
        """One listing's terms, noted; None for one that mmbot does not trade or cannot read."""
        try:
            listed = parse.instrument_of(row, self._unread)
        except Unreadable as error:
            self._unread.note("listing", error)
            if isinstance(row, Mapping) and isinstance(row.get("instrument_name"), str):
                self.unread_listings[row["instrument_name"]] = str(error)
            return None
        if listed is not None:
            self._terms[listed.name] = listed
            self.unread_listings.pop(listed.name, None)
        return listed

    async def venue_ms(self) -> int:
        """The venue's clock. Raises VenueUnreachable."""
        try:
            return int(await self._client.fetch_time())
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {said(error)}") from error

    async def index_price(self, name: str) -> float:
        """USD per coin by an index such as "eth_usd". Raises ccxt's errors, and LookupError,
        TypeError or ValueError for an answer that is no price."""
        answer = await self._client.publicGetGetIndexPrice({"index_name": name})
        return float(answer["result"]["index_price"])

    async def account(self) -> str:
        """The account our credentials open, by the venue's name for it.

        Raises VenueUnreachable, and UnreadableError for an answer that is no account.
        """
        try:
            answer = await self._client.privateGetGetAccountSummaries({"extended": "true"})
        except AuthenticationError as error:
            raise VenueUnreachable(_refused_credentials(error)) from error
        except BaseError as error:
            raise VenueUnreachable(f"{NAME} does not answer: {said(error)}") from error
        result = answer.get("result") if isinstance(answer, Mapping) else None
        if not isinstance(result, Mapping):
            raise UnreadableError(f"to get_account_summaries: {answer!r:.80}")
        name = account_name(result)
        if name is None:
            if not isinstance(result.get("summaries"), list):
                raise UnreadableError(f"to get_account_summaries: {answer!r:.80}")
            name = f"key {self._client.apiKey}"
        return name

    async def connect(self, sink: Sink, instruments: Sequence[Instrument]) -> None:
        """Log in, subscribe, and let events flow."""
        client = self._client
        self._sink = sink
        self._follow(instruments)
        client.on_book = self._on_book
        client.on_ticker = self._on_ticker
        client.on_user = self._on_user
        client.on_link = self._on_link
        client.on_late_reply = self._on_late_reply
        client.on_channel = self._on_channel
        client.on_unreadable = self._on_unreadable
        market = self._channels(instruments)
        try:
            await client.start(
                (Socket.MARKET, Socket.TRADING),
                {Socket.MARKET: market, Socket.TRADING: ["user.changes.any.any.raw"]},
            )
        except AuthenticationError as error:
            raise VenueUnreachable(_refused_credentials(error)) from error
        except BaseError as error:
            raise VenueUnreachable(f"{NAME}: cannot connect: {said(error)}") from error
        if not client.cod_enabled:
            raise Refused(f"{NAME} did not confirm cancel-on-disconnect: not safe to quote")
        self._start(self._probe())

    def follow(self, instruments: Sequence[Instrument]) -> None:
        """Subscribe to further instruments; their events follow."""
        self._follow(instruments)
        self._start(self._subscribe(self._channels(instruments)))

    async def _subscribe(self, channels: list[str]) -> None:
        try:
            await self._client.subscribe(Socket.MARKET, channels)
        except BaseError as error:
            _log.warning("%s: %s", NAME, said(error))

    def _follow(self, instruments: Sequence[Instrument]) -> None:
        self._instruments |= {i.name: i for i in instruments}

    def _channels(self, instruments: Sequence[Instrument]) -> list[str]:
        interval = self._client.interval
        return [
            f"{kind}.{instrument.name}.{interval}"
            for kind in ("book", "ticker")
            for instrument in instruments
        ]

    async def close(self) -> None:
        """Close every connection. What happens from here on is nobody's news."""
        self._sink = _nowhere
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _probe(self) -> None:
        while True:
            for socket in Socket:
                if self._client.up(socket):
                    self._ask_alive(socket)
            self._tell_unread()
            if self._untold_ns and self._since_s(self._untold_ns) > PRIVATE_SILENCE_S:
                self._client.cut(Socket.TRADING, "the private channel does not tell of our orders")
            await self._clock.sleep(PROBE_EVERY_S)

    def _ask_alive(self, socket: Socket) -> None:
        asked_ns = self._clock.now_ns()

        def done(reply: Reply) -> None:
            if reply.outcome is not Outcome.UNKNOWN:
                venue_ns = self._venue_ns(reply)
                now_ns = self._clock.now_ns()
                self._sink(LinkAlive(NAME, _LINKS[socket], asked_ns, now_ns, venue_ns))
            elif self._client.up(socket):
                self._start(self._cut_if_silent(socket))

        timeout_s = self._client.timing.probe_timeout_s
        self._client.send(socket, self._probe_with, {}, done, timeout_s)

    def _venue_ns(self, reply: Reply) -> Nanos | None:
        """The venue's clock as it answered; where it does not stamp its answers, it is asked."""
        if reply.out_us is not None:
            return reply.out_us * 1000
        self._probe_with = "public/get_time"
        told = isinstance(reply.result, int) and not isinstance(reply.result, bool)
        return reply.result * MS if told else None

    def _since_s(self, moment_ns: Nanos) -> float:
        return (self._clock.now_ns() - moment_ns) / SECOND

    async def _cut_if_silent(self, socket: Socket) -> None:
        await self._clock.sleep(DEAF_FOR_S)
        silent_s = self._client.silent_for(socket)
        if silent_s > self._client.timing.probe_timeout_s:
            self._client.cut(socket, f"nothing heard for {silent_s:.1f} s")

    # --- frames to events ---

    def _on_link(self, socket: Socket, up: bool, why: str) -> None:
        if socket is Socket.TRADING:
            self._untold_ns = 0
        if up and socket is Socket.TRADING:
            limit = self._client.rate_limits.matching
            self._sink(LimitsRead(NAME, limit.rate, limit.burst))
        self._sink(LinkChanged(NAME, _LINKS[socket], up, why))
        if up:
            self._ask_alive(socket)
            self._start(self._hear_news(socket))

    def _on_book(self, book: Book) -> None:
        instrument = self._instruments.get(book.name)
        if instrument is None:
            return
        if not book.valid:
            self._sink(BookLost(instrument.id, Why.BOOK_GAPPED))
            return
        bids, asks = book.top(BOOK_LEVELS)
        self._sink(BookChanged(instrument.id, bids, asks, book.timestamp_ms, self._clock.now_ns()))

    def _on_ticker(self, name: str, data: Any) -> None:
        instrument = self._instruments.get(name)
        if instrument is not None:
            now_ns = self._clock.now_ns()
            self._sink(parse.ticker_changed(instrument, data, self._unread, now_ns))

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
            self._sink(MessageLost(NAME))
            return
        for fill in trades:
            self._sink(Filled(fill))
        for row in stated:
            lost += not self._order_told(row)
        if lost:
            self._sink(MessageLost(NAME))

    def _fill(self, row: object) -> Any:
        return parse.fill_of(row, self._unread)

    def _order_told(self, row: object) -> bool:
        """Pass on what a push says of one order; False where that leaves one of ours in the dark.

        A foreign order that cannot be read is taken for open, so that no mass cancel takes it
        along.
        """
        try:
            self._tell_seen(parse.seen_of(row, None, self._unread))
            return True
        except Unreadable as error:
            self._unread.note("order", error)
        try:
            order = parse.open_order_of(row, self._unread)
        except Unreadable:
            return False
        if is_ours(order.label) or not order.order_id:
            return False
        self._sink(
            OrderSeen(
                NAME,
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

    def _tell_unread(self) -> None:
        """Say what could not be read: to the core each time, to the log now and then."""
        now_s = self._clock.monotonic_s()
        for kind, count, detail in self._unread.take():
            self._sink(ElementsUnread(NAME, kind, count, detail))
            if now_s - self._said_s.get(kind, float("-inf")) >= SAY_AGAIN_S:
                self._said_s[kind] = now_s
                _log.warning("%s: %d x %s not understood: %s", NAME, count, kind, detail)

    def _on_unreadable(self, socket: Socket) -> None:
        """On MARKET a book has a gap now, and says so itself."""
        if socket is Socket.TRADING:
            self._sink(MessageLost(NAME))

    async def _hear_news(self, socket: Socket) -> None:
        """Subscribe to what a desk can do without, and ask what was missed meanwhile."""
        if socket is Socket.TRADING:
            await self._subscribe_if_possible(socket, "private/subscribe", LOCKS)
            return
        heard = await self._subscribe_if_possible(socket, "public/subscribe", LISTINGS + PLATFORM)
        if not heard.intersection(LISTINGS):
            await self._subscribe_if_possible(socket, "public/subscribe", LISTINGS_BY_KIND)
        try:
            answer = await self._client.rpc(socket, "public/status", {}, SNAPSHOT_TIMEOUT_S)
            locks = parse.locks_of(answer, self._unread)
        except (BaseError, Unreadable) as error:
            _log.info("%s does not tell what is locked: %s", NAME, said(error))
            return
        self._sink(PlatformState(NAME, None, locked=False, detail=""))
        for name in locks:
            self._sink(PlatformState(NAME, name or None, locked=True, detail="public/status"))

    async def _subscribe_if_possible(
        self, socket: Socket, method: str, channels: Sequence[str]
    ) -> set[str]:
        """Which of them the venue took. Not kept by the client: asked for on every connection."""
        try:
            params = {"channels": list(channels)}
            accepted = await self._client.rpc(socket, method, params, SNAPSHOT_TIMEOUT_S)
        except BaseError as error:
            _log.info("%s: no %s: %s", NAME, ", ".join(channels), said(error))
            return set()
        return set(accepted) if isinstance(accepted, list) else set()

    def _on_channel(self, channel: str, data: Any) -> None:
        """News of listings and of the platform."""
        if channel in PLATFORM:
            self._platform_news(channel, data)
        if not channel.startswith("instrument.state."):
            return
        try:
            news = parse.news_of(data, self._unread)
        except Unreadable as error:
            self._unread.note("listing news", error)
            return
        name = news.instrument_name
        followed = self._instruments.get(name)
        if followed is not None:
            self._sink(InstrumentState(followed.id, news.state))
        elif news.state in ("created", "started") and self._concerns_us(name):
            self.ask_terms(name)

    def _concerns_us(self, name: str) -> bool:
        """Whether a desk of ours might trade a new instrument: neither a combo, nor known, nor on
        a coin we have nothing to do with."""
        if name in self._terms or name in self._asked_terms:
            return False
        chains = {instrument.name.partition("-")[0] for instrument in self._instruments.values()}
        chain, _, rest = name.partition("-")
        return chain in chains and _is_single(rest)

    def ask_terms(self, name: str) -> None:
        """Ask for the terms of one instrument, and tell whoever listens."""
        if name not in self._asked_terms:
            self._asked_terms.add(name)
            self._start(self._read_terms(name))

    async def _read_terms(self, name: str) -> None:
        params = {"instrument_name": name}
        try:
            answer = await self._client.rpc(
                Socket.MARKET, "public/get_instrument", params, SNAPSHOT_TIMEOUT_S
            )
        except BaseError as error:
            _log.warning("%s: the terms of %s: %s", NAME, name, said(error))
            return
        finally:
            self._asked_terms.discard(name)
        if self._list(answer) is not None and self.on_listed is not None:
            self.on_listed(list(self._terms.values()))

    def _platform_news(self, channel: str, data: Any) -> None:
        try:
            if channel == PLATFORM[1]:
                _log.warning("%s: %s: %s", NAME, channel, data)
                return  # of requests without a key: every one of ours has one
            name, locked = parse.lock_of(data, self._unread)
        except Unreadable as error:
            self._unread.note("platform news", error)
            return
        self._sink(PlatformState(NAME, name or None, locked, channel))

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
                    if self._client.up(Socket.MARKET):
                        self._ask_alive(Socket.MARKET)
                    self._start(self._snapshot(intent))
                case FallbackCancel():
                    self._start(self._take_back())

    def _place(self, intent: Place) -> None:
        self._placed[intent.label] = None
        if len(self._placed) > PLACED_MAX:
            del self._placed[next(iter(self._placed))]
        call = orders.place(
            intent.side,
            name_of(intent.instrument),
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
                self.ask_terms(name_of(instrument))
            if reply.outcome is Outcome.OK and self._told_ns < sent_ns:
                self._untold_ns = self._untold_ns or sent_ns

        method, params = call
        self._client.send(Socket.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

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
            seen = parse.seen_of(fields.get("order", fields), request, self._unread)
            if seen.label not in (label, None):
                raise Unreadable(f"an answer about {seen.label} instead of {label}")
        except Unreadable as error:
            self._unread.note("answer", error)
            self._sink(OutcomeUnknown(label, request, Why.REPLY_LOST))
            return
        for fill in trades:
            self._sink(Filled(fill if fill.label else replace(fill, label=label)))
        if lost:
            self._sink(MessageLost(NAME))
        self._tell_seen(replace(seen, label=label))

    def _tell_seen(self, seen: OrderSeen) -> None:
        if seen.label is not None and seen.state is not OrderState.OPEN:
            self._placed.pop(seen.label, None)
        self._sink(seen)

    def _cancel_all(self, intent: CancelAll) -> None:
        method, params = "private/cancel_all", dict[str, Any]()
        if intent.instrument is not None:
            method = "private/cancel_all_by_instrument"
            params = {"instrument_name": name_of(intent.instrument)}

        def done(reply: Reply) -> None:
            # The orders' own messages say what became of them; without an answer, nobody has.
            if reply.outcome is not Outcome.OK:
                for label in intent.labels:
                    self._sink(OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST))

        self._client.send(Socket.TRADING, method, params, done, _REQUEST_TIMEOUT_S)

    # --- asking the venue for its word ---

    async def _snapshot(self, intent: Resync) -> None:
        asked_ns = self._clock.now_ns()
        try:
            self._sink(await self._looks.take(intent, asked_ns))
        except BaseError as error:
            self._sink(SnapshotFailed(NAME, said(error)))
        except Unreadable as error:
            self._unread.note("look", error)
            self._sink(SnapshotFailed(NAME, said(error), unreadable=True))
        self._tell_unread()

    async def _rpc(self, method: str, params: dict[str, Any]) -> Any:
        return await self._client.rpc(Socket.TRADING, method, params, SNAPSHOT_TIMEOUT_S)

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
            look = await rescue.cancel_ours(self._client, self._clock, self._placed)
        except (BaseError, rescue.ListUnreadableError) as error:
            raise VenueUnreachable(f"{NAME} does not answer: {said(error)}") from error
        if look.unread:
            raise VenueUnreachable(f"{NAME}: {look.unread} rows of its list could not be read")
        return list(look.ours)

    async def _take_back(self) -> None:
        asked_ns = self._clock.now_ns()
        try:
            left = tuple(await self.cancel_ours())
        except VenueUnreachable as error:
            _log.warning("%s", error)
            self._sink(FallbackTried(NAME, asked_ns, None))
        else:
            self._sink(FallbackTried(NAME, asked_ns, left))


def account_name(result: Mapping[str, Any]) -> str | None:
    """The account by the venue's own name for it; None where it does not tell."""
    for field in ("system_name", "username", "id"):
        said = result.get(field)
        if isinstance(said, str | int) and said:
            return str(said)
    return None


def _is_single(rest: str) -> bool:
    """Whether the end of a name is that of a perpetual, a future or an option: no combo."""
    parts = rest.split("-")
    return len(parts) in (1, 3) and "_" not in rest


def _refused_credentials(error: BaseException) -> str:
    return f"{NAME} refuses the credentials ({said(error)}): check key and secret"


def _nowhere(event: object) -> None:
    """Before connect nobody listens."""
