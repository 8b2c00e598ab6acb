"""Two supervised connections to Deribit: kept up, signed in, subscribed, and honest.

Theory of operation
-------------------
Two *links*, each one physical connection kept alive by one task: MARKET for public data, TRADING
for orders and everything private. A link's task dials, signs in, subscribes, announces the link,
looks after it until it is lost, waits, and begins again. House rules:

1. Frames are handled in the receive callback, synchronously, and nothing a frame or a handler does
   can end the reading: what goes wrong is contained and told to `on_fault`.
2. A request ends exactly once (`requests.py`). A lost link ends everything in flight on it as
   UNKNOWN; nothing is ever sent again by itself.
3. A book is right or invalid (`book.py`). Nothing of it survives a lost link, and messages of an
   old connection are never heard.
4. No order leaves on a TRADING link before cancel-on-disconnect has been asked for and read back
   there (`cod_enabled` tells the answer).
5. Too many requests (10028) is a disconnect: the venue ends the session, so we do, and we wait
   before coming back.

Every wait goes through `_pause` or is multiplied with the time scale; every reading of a clock
through the two callables the client was made with.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import orjson
from ccxt.base.errors import (
    AuthenticationError,
    BadResponse,
    ExchangeClosedByUser,
    ExchangeError,
    NetworkError,
    RequestTimeout,
)

from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.limits import Bucket, Limits, Rate
from mmbot.venues.deribit.requests import Done, Outcome, Refusal, Reply, Requests, reply_of
from mmbot.venues.deribit.unified import Unified
from mmbot.venues.deribit.wire import Wire

HEARTBEAT_S = 10
"""Deribit's shortest heartbeat. Silence of two of them is a dead connection."""
DEADLINE_S = 2.0
LOGIN_DEADLINE_S = 5.0
DIAL_S = 10.0
REST_S = 10.0
REAL_MIN_S = 2.0
"""Dialing and REST get that much of the wall's time, however fast ours runs: they are real work."""
GOODBYE_S = 1.0
CARE_S = 1.0
SWEEP_S = 0.1
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
STEADY_S = 10.0
"""A link that stood this long is forgiven its earlier failures."""
COOL_DOWN_S = 5.0
"""After 10028 the venue refuses an immediate return."""
SNAPSHOT_S = 5.0
REFRESH_AT = 0.8
"""The part of a token's life after which it is renewed."""
CHANNELS_PER_REQUEST = 200
"""Keeps a subscription well under the venue's 32 kB a frame and 500 channels a request."""
RATE_MARGIN = 0.95
"""Requests bunch up on the way: evenly spent here is not evenly spent there."""
TOO_MANY_REQUESTS = 10028

_log = logging.getLogger(__name__)


class Socket(Enum):
    """The physical connections. The value marks ccxt's key for it and never goes on the wire."""

    MARKET = ""
    TRADING = "#trading"


@dataclass(slots=True, eq=False)
class Link:
    """One connection's lasting side: what should be true whenever it is up."""

    socket: Socket
    channels: dict[str, None] = field(default_factory=dict)
    """Wanted, in the order asked for."""
    asked: set[str] = field(default_factory=set)
    """Requested on the present connection."""
    refused: dict[str, ExchangeError] = field(default_factory=dict)
    """Left out by the venue, and therefore no longer wanted."""
    books: dict[str, Book] = field(default_factory=dict)
    awaiting_s: dict[str, float] = field(default_factory=dict)
    """Books whose snapshot has been asked for, and when."""
    gapped: dict[str, None] = field(default_factory=dict)
    resubscribe: asyncio.TimerHandle | None = None
    resubscribed_s: float = float("-inf")
    wire: Wire | None = None
    up: bool = False
    task: asyncio.Task[None] | None = None
    first: asyncio.Future[None] | None = None
    """Settled by the first attempt after `start`."""
    failures: int = 0
    cool_down_s: float = 0.0
    heard_s: float = float("-inf")
    refresh_token: str | None = None
    refresh_s: float = float("inf")


class Session(Unified):
    """ccxt's exchange on two supervised sockets.

    `config` is ccxt's. `now_ms` is venue time in milliseconds (default: the wall clock),
    `monotonic` a clock in seconds, `time_scale` what every wait is multiplied with before asyncio
    gets to see it (a monotonic clock given with it runs faster by the same factor).
    """

    deadline_s: float = DEADLINE_S

    on_book: Callable[[Book], None] | None = None
    on_ticker: Callable[[str, dict[str, Any]], None] | None = None
    on_trades: Callable[[str, list[dict[str, Any]]], None] | None = None
    on_index: Callable[[str, dict[str, Any]], None] | None = None
    on_user: Callable[[str, Any], None] | None = None
    on_channel: Callable[[str, Any], None] | None = None
    """Any other channel."""
    on_link: Callable[[Socket, bool, str], None] | None = None
    on_late_reply: Callable[[Reply], None] | None = None
    """A reply to a request that had already ended, as UNKNOWN or by an earlier copy."""
    on_unreadable: Callable[[Socket], None] | None = None
    """A frame could not be taken in; what it said is not known. `on_fault` tells why."""
    on_fault: Callable[[Exception, Any], None] | None = None
    """(what went wrong, the frame it went wrong with). Without it faults are logged."""

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        now_ms: Callable[[], int] | None = None,
        monotonic: Callable[[], float] | None = None,
        time_scale: float = 1.0,
    ) -> None:
        self._now_ms = now_ms or super().milliseconds
        self._time_scale = time_scale
        self._monotonic = monotonic or self._loop_time_s
        self._links = {socket: Link(socket) for socket in Socket}
        self._requests = Requests()
        self._sweeping: asyncio.TimerHandle | None = None
        self._limits: Limits | None = None
        self._bucket: Bucket | None = None
        self._cod_enabled = False
        self._closing = False
        super().__init__(dict(config or {}))  # last: it reads every property once
        self.clients: dict[str, Wire] = {}
        self.timeout_on_exit *= time_scale
        self.timeout = 1000 * max(REST_S * time_scale, REAL_MIN_S)

    def describe(self) -> Any:
        return self.deep_extend(
            super().describe(),
            {"enableRateLimit": False},  # ccxt's throttler knows neither the tier nor cancels
        )

    # -- What is so ------------------------------------------------------------------------------

    @property
    def has_credentials(self) -> bool:
        """Whether private calls are possible at all."""
        return bool(self.apiKey and self.secret)

    @property
    def interval(self) -> str:
        """The fastest interval this client may subscribe to: raw needs signing in."""
        return "raw" if self.has_credentials else "100ms"

    @property
    def cod_enabled(self) -> bool:
        """Whether the venue has confirmed that it cancels our orders when TRADING breaks."""
        return self._cod_enabled

    @property
    def rate_limits(self) -> Limits:
        """The account's rate limits as read at sign-in; the lowest tier before that."""
        return self._limits or Limits()

    def up(self, socket: Socket) -> bool:
        """Whether the connection is established, signed in and subscribed."""
        return self._links[socket].up

    def silent_for(self, socket: Socket) -> float:
        """Seconds since the last frame; infinite before the first connection."""
        return self._monotonic() - self._links[socket].heard_s

    def milliseconds(self) -> int:
        """Venue time; ccxt stamps and signs with it."""
        return self._now_ms()

    def cut(self, socket: Socket, why: str) -> None:
        """Give up a connection that is up in name only; it comes back by itself."""
        wire = self._links[socket].wire
        if wire is not None and self.up(socket):
            wire.lose(why)

    # -- Coming and going ------------------------------------------------------------------------

    async def start(
        self,
        sockets: Iterable[Socket] = (Socket.MARKET,),
        channels: Mapping[Socket, Iterable[str]] | None = None,
    ) -> None:
        """Bring the sockets up, signed in if there are credentials, and subscribe.

        Raises ccxt's errors if the first attempt fails (AuthenticationError, NetworkError) or the
        venue leaves out a channel (ExchangeError). Afterwards the links come back by themselves.
        """
        wanted = channels or {}
        await asyncio.gather(*(self.subscribe(name, wanted.get(name, ())) for name in sockets))

    async def subscribe(self, socket: Socket, channels: Iterable[str]) -> None:
        """Add channels and keep them over reconnects; brings the socket up if it never was.

        Raises ExchangeError naming those the venue left out, or NetworkError while the link is
        down (they are then subscribed when it comes back).
        """
        if socket is Socket.TRADING and not self.has_credentials:
            raise AuthenticationError(
                f"{self.id} trading needs an API key and secret: set both, or use public data"
            )
        link = self._links[socket]
        wanted = list(dict.fromkeys(channels))
        link.channels.update(dict.fromkeys(wanted))
        for channel in wanted:
            link.refused.pop(channel, None)
        await self._started(link)
        if not link.up and wanted:
            raise NetworkError(f"{self.id} is reconnecting: the channels follow when it is back")
        await self._ask(link, [channel for channel in wanted if channel in link.channels])
        refusals = [link.refused[channel] for channel in wanted if channel in link.refused]
        if refusals:
            raise refusals[0]

    async def unsubscribe(self, socket: Socket, channels: Iterable[str]) -> None:
        """Drop channels; their books become invalid at once."""
        link = self._links[socket]
        dropped = [channel for channel in channels if channel in link.channels]
        for channel in dropped:
            del link.channels[channel]
            link.asked.discard(channel)
            link.awaiting_s.pop(channel, None)
            book = link.books.pop(channel, None)
            if book is not None and book.invalidate("unsubscribed"):
                self._publish(book)
        if link.up:
            for private, part in _requests_for(dropped):
                method = "private/unsubscribe" if private else "public/unsubscribe"
                await self._call(link, method, {"channels": part}, LOGIN_DEADLINE_S)

    async def aclose(self) -> None:
        """Close everything. What is in flight ends as UNKNOWN; nothing is left running."""
        await self.close()

    async def close(self, clean_instance_data: bool = False) -> None:
        self._closing = True
        tasks = [link.task for link in self._links.values() if link.task]
        for link in self._links.values():
            if link.wire is not None:
                link.wire.lose("closed by us", cut=False)
            if link.resubscribe is not None:
                link.resubscribe.cancel()
                link.resubscribe = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self.clients.clear()
        await super().close(clean_instance_data)
        self._closing = False

    async def _started(self, link: Link) -> None:
        """Until the first attempt to bring the link up has succeeded; raises if it fails."""
        if self._closing:
            raise ExchangeClosedByUser(f"{self.id} is closing")
        if link.task is None:
            link.first = asyncio.get_running_loop().create_future()
            link.task = asyncio.ensure_future(self._keep(link))
        assert link.first is not None
        await asyncio.shield(link.first)

    # -- A link's life ---------------------------------------------------------------------------

    async def _keep(self, link: Link) -> None:
        """The link's task: connect, look after the connection, and again, until cancelled."""
        first = link.first
        assert first is not None
        try:
            # A cancellation can be lost on its way (wait_for in Python 3.11), so look as well.
            while not self._closing:
                await self._pause(self._backoff_s(link))
                failure = await self._live(link, first)
                if not first.done():
                    first.set_exception(failure)
                    return
        finally:
            if not first.done():
                first.set_exception(ExchangeClosedByUser(f"{self.id} was closed"))
            first.exception()  # whoever started us may have gone
            link.task = None

    async def _live(self, link: Link, first: asyncio.Future[None]) -> Exception:
        """One connection from dialing to its end; returns what ended it."""
        self.open()
        wire = self.client(self._url(link))
        up_s: float | None = None
        try:
            await self._dial(wire)
            link.heard_s = self._monotonic()
            await self._enter(link)
            link.up, up_s = True, self._monotonic()
            if not first.done():
                first.set_result(None)
            self._tell(self.on_link, link.socket, True, "connected")
            await self._look_after(link, wire)
            failure: Exception = NetworkError(f"{self.id} {link.socket.name}: {wire.why}")
        except Exception as error:
            failure = error
            wire.fail_watchers(error)
        finally:
            wire.lose("given up")  # ignored if it is lost already
            await wire.shut()
        if up_s is None and first.done():
            self._fault(failure, None)  # the loss of a link that was up is told by on_link
        steady = up_s is not None and self._monotonic() - up_s > STEADY_S
        link.failures = 1 if steady else link.failures + 1
        return failure

    async def _dial(self, wire: Wire) -> None:
        try:
            async with asyncio.timeout(max(DIAL_S * self._time_scale, REAL_MIN_S)):
                await wire.dial(self.session)
        except TimeoutError as error:
            raise RequestTimeout(f"{self.id} lets nobody in within {DIAL_S:.0f} s") from error

    def _backoff_s(self, link: Link) -> float:
        grown = BACKOFF_FIRST_S * 2.0 ** min(link.failures - 1, 20) if link.failures else 0.0
        wait_s = max(link.cool_down_s, min(grown, BACKOFF_MAX_S))
        link.cool_down_s = 0.0
        return wait_s

    async def _enter(self, link: Link) -> None:
        """Sign in and subscribe on a fresh connection."""
        # Easy to answer: a connection that leads nowhere is given up soon.
        await self._call(link, "public/set_heartbeat", {"interval": HEARTBEAT_S}, self.deadline_s)
        if self.has_credentials:
            await self._sign_in(link)
        if link.socket is Socket.TRADING:
            await self._arm(link)
            await self._read_limits(link)
        while todo := [channel for channel in link.channels if channel not in link.asked]:
            await self._ask(link, todo)
            blind = [channel for channel in todo if channel in link.refused and _private(channel)]
            if blind:  # up without them, it would not tell of our own orders: try again later
                link.channels.update(dict.fromkeys(blind))
                error = link.refused[blind[0]]
                for channel in blind:
                    del link.refused[channel]
                raise error
            for error in {id(e): e for c in todo if (e := link.refused.get(c))}.values():
                self._fault(error, None)

    async def _look_after(self, link: Link, wire: Wire) -> None:
        """Until the connection is lost: notice silence, renew the token, chase snapshots."""
        probed_s = float("-inf")
        while not wire.lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(wire.lost.wait(), CARE_S * self._time_scale)
            now_s = self._monotonic()
            silent_s = now_s - link.heard_s
            if silent_s > 2 * HEARTBEAT_S:
                wire.lose(f"nothing heard for {silent_s:.0f} s")
            elif silent_s > HEARTBEAT_S and probed_s <= link.heard_s:
                probed_s = now_s
                self._send(link, "public/test", {}, None, self.deadline_s)
            if now_s >= link.refresh_s and not wire.lost.is_set():
                await self._renew(link)
            for channel, since_s in link.awaiting_s.items():
                if now_s - since_s > SNAPSHOT_S:
                    self._resubscribe_soon(link, channel)

    def _lost(self, link: Link, wire: Wire, why: str) -> None:
        """Called once by a connection that is over."""
        if link.wire is not wire:
            return
        was_up, link.up, link.wire = link.up, False, None
        self.clients.pop(wire.url, None)
        link.asked.clear()
        link.awaiting_s.clear()
        link.gapped.clear()
        link.refresh_s = float("inf")
        if link.socket is Socket.TRADING:
            self._cod_enabled = False
        if was_up:
            self._tell(self.on_link, link.socket, False, why)
        for id_, done in self._requests.take_all(link.socket):
            self._tell(done, Reply(id_, Outcome.UNKNOWN, why=why))
        for book in link.books.values():
            if book.invalidate(why):
                self._publish(book)
        wire.fail_watchers(NetworkError(f"{self.id} {link.socket.name}: {why}"))

    def client(self, url: str) -> Wire:
        """The connection ccxt's methods use for `url`: the present one, or one not yet dialed."""
        self.open()
        link = self._link_of(url)
        if link.wire is None:
            http_proxy, https_proxy, _ = self.check_ws_proxy_settings()
            settings = {
                "asyncio_loop": self.asyncio_loop,
                "keepAlive": 0,  # silence is watched here, with Deribit's own heartbeat
                "compress": 0,  # so that a frame can be written in one step
                "connectionTimeout": 2000 * DIAL_S,  # ours comes first: ccxt counts in seconds
                "goodbye_s": GOODBYE_S * self._time_scale,
                "proxy": http_proxy or https_proxy,
            }
            link.wire = self.clients[url] = Wire(
                url, partial(self._heard, link), partial(self._lost, link), settings
            )
        return link.wire

    def _link_of(self, url: str) -> Link:
        trading = url.endswith(Socket.TRADING.value)
        return self._links[Socket.TRADING if trading else Socket.MARKET]

    def _url(self, link: Link) -> str:
        return f"{self.urls['api']['ws']}{link.socket.value}"

    # -- Signing in ------------------------------------------------------------------------------

    async def _sign_in(self, link: Link) -> None:
        stamp = str(self.milliseconds())
        signature = self.hmac(
            self.encode(f"{stamp}\n{stamp}\n"), self.encode(self.secret), hashlib.sha256
        )
        request = {
            "grant_type": "client_signature",
            "client_id": self.apiKey,
            "timestamp": int(stamp),
            "nonce": stamp,
            "data": "",
            "signature": signature,
        }
        self._signed_in(link, await self._call(link, "public/auth", request, LOGIN_DEADLINE_S))

    def _signed_in(self, link: Link, token: Any) -> None:
        link.refresh_token = token.get("refresh_token")
        life_s = float(token.get("expires_in") or "inf")
        link.refresh_s = self._monotonic() + REFRESH_AT * life_s

    async def _renew(self, link: Link) -> None:
        """Renew the token; if the venue does not take the old one, sign in anew."""
        request = {"grant_type": "refresh_token", "refresh_token": link.refresh_token}
        try:
            token = await self._call(link, "public/auth", request, LOGIN_DEADLINE_S)
        except NetworkError:
            raise
        except ExchangeError as error:
            self._fault(error, None)
            await self._sign_in(link)
        else:
            self._signed_in(link, token)

    async def _arm(self, link: Link) -> None:
        """Switch cancel-on-disconnect on, and believe only what is read back."""
        scope = {"scope": "connection"}
        enable, read_back = (
            "private/enable_cancel_on_disconnect",
            "private/get_cancel_on_disconnect",
        )
        state: dict[str, Any] = {}
        try:
            await self._call(link, enable, scope, LOGIN_DEADLINE_S)
            state = await self._call(link, read_back, scope, LOGIN_DEADLINE_S)
        except ExchangeError as error:
            self._fault(error, None)
        self._cod_enabled = state.get("enabled") is True
        if not self._cod_enabled:
            self._fault(ExchangeError(f"{self.id} does not confirm cancel-on-disconnect"), state)

    async def _read_limits(self, link: Link) -> None:
        """Size the rate limit from the account; where it does not say, the lowest tier stays."""
        try:
            account = await self._call(
                link, "private/get_account_summaries", {"extended": True}, LOGIN_DEADLINE_S
            )
        except ExchangeError as error:
            self._fault(error, None)
            account = {}
        for summary in account.get("summaries", ()):
            if summary.get("limits"):
                self._limits = Limits.from_venue(summary["limits"])
                break
        stated = self.rate_limits.matching
        spendable = Rate(RATE_MARGIN * stated.rate, max(1.0, stated.burst - 1.0))
        if self._bucket is None:
            self._bucket = Bucket(spendable, self._monotonic())
        self._bucket.limit = spendable

    # -- Requests --------------------------------------------------------------------------------

    def send(
        self,
        socket: Socket,
        method: str,
        params: dict[str, Any],
        done: Done | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Put a request on the wire before returning; its id.

        `done` is called with the Reply, later (never from within this call), exactly once. While
        the link is not up nothing is sent, and the reply says UNKNOWN with `sent` false.
        """
        link = self._links[socket]
        if not link.up:
            return self._refuse_to_send(f"{socket.name} is not connected", done)
        return self._send(link, method, params, done, timeout_s or self.deadline_s)

    async def rpc(
        self,
        socket: Socket,
        method: str,
        params: dict[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """A request's result.

        Raises the ccxt error of the venue's code, RequestTimeout when nobody answered in time, or
        NetworkError when the link is down or broke: after those two it may have been carried out.
        """
        reply = await self._answer(
            lambda done: self.send(socket, method, params or {}, done, timeout_s)
        )
        return self._result(method, reply)

    async def _call(self, link: Link, method: str, params: dict[str, Any], timeout_s: float) -> Any:
        """`rpc` for the link's own affairs, which begin before it is up."""
        reply = await self._answer(lambda done: self._send(link, method, params, done, timeout_s))
        return self._result(method, reply)

    async def _answer(self, ask: Callable[[Done], int]) -> Reply:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        ask(lambda reply: None if future.done() else future.set_result(reply))
        return await future

    def _result(self, method: str, reply: Reply) -> Any:
        if reply.outcome is Outcome.OK:
            return reply.result
        if reply.error is not None:
            raise self._error_of(method, reply.error)
        kind = RequestTimeout if reply.why == _NO_REPLY else NetworkError
        raise kind(f"{self.id} {method}: {reply.why}")

    def _error_of(self, method: str, refusal: Refusal) -> Exception:
        kind = self.exceptions.get(str(refusal.code), ExchangeError)
        error: Exception = kind(f"{self.id} {method}: {refusal}")
        return error

    def _send(
        self,
        link: Link,
        method: str,
        params: dict[str, Any],
        done: Done | None,
        timeout_s: float,
    ) -> int:
        id_ = self._requests.next_id()
        frame = orjson.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        try:
            if link.wire is None:
                raise ConnectionError(f"{link.socket.name} is not connected")
            link.wire.write(frame)
        except ConnectionError as error:
            return self._refuse_to_send(str(error), done, id_)
        self._requests.add(id_, link.socket, done, self._monotonic() + timeout_s)
        if self._sweeping is None:
            self._sweep_later()
        return id_

    def _refuse_to_send(self, why: str, done: Done | None, id_: int | None = None) -> int:
        if id_ is None:
            id_ = self._requests.next_id()
        if done is not None:
            reply = Reply(id_, Outcome.UNKNOWN, why=why, sent=False)
            asyncio.get_running_loop().call_soon(self._tell, done, reply)
        return id_

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(
            SWEEP_S * self._time_scale, self._sweep
        )

    def _sweep(self) -> None:
        self._sweeping = None
        for id_, done in self._requests.take_expired(self._monotonic()):
            self._tell(done, Reply(id_, Outcome.UNKNOWN, why=_NO_REPLY))
        if len(self._requests):
            self._sweep_later()

    def request_id(self) -> int:
        """ccxt's counter and ours are one."""
        return self._requests.next_id()

    # -- Frames ----------------------------------------------------------------------------------

    def _heard(self, link: Link, wire: Wire, data: str | bytes) -> None:
        """Every text frame, in the receive callback. Never raises."""
        if link.wire is not wire:
            return
        link.heard_s = self._monotonic()
        frame: Any = data
        try:
            frame = orjson.loads(data)
            if not isinstance(frame, dict):
                raise BadResponse(f"{self.id} sent JSON that is not a message")
            method = frame.get("method")
            if method == "subscription":
                params = frame["params"]
                self._pushed(link, params["channel"], params["data"], frame)
            elif method == "heartbeat":
                if frame["params"]["type"] == "test_request":
                    self._send(link, "public/test", {}, None, self.deadline_s)
            elif method is None and ("result" in frame or "error" in frame):
                self._replied(link, frame)
            else:
                raise BadResponse(f"{self.id} sent a frame of no known kind")
        except Exception as error:
            self._fault(error, frame)
            self._tell(self.on_unreadable, link.socket)

    def _pushed(self, link: Link, channel: str, data: Any, frame: Any) -> None:
        """One subscription message, by channel, to whoever wants it."""
        if channel.startswith("book."):
            self._book_message(link, channel, data)
            return
        if channel.startswith("ticker."):
            if self.on_ticker is not None:
                self.on_ticker(data["instrument_name"], data)
        elif channel.startswith("user."):
            if self.on_user is not None:
                self.on_user(channel, data)
        elif channel.startswith("trades."):
            if self.on_trades is not None:
                for name, trades in _by_instrument(data):
                    self.on_trades(name, trades)
        elif channel.startswith("deribit_price_index."):
            if self.on_index is not None:
                self.on_index(data["index_name"], data)
        elif self.on_channel is not None:
            self.on_channel(channel, data)

    def _replied(self, link: Link, frame: dict[str, Any]) -> None:
        if frame.get("id") is None:
            error = frame.get("error") or {}
            self._heed(link, error.get("code"))
            raise ExchangeError(f"{self.id} answers no request in particular: {error}")
        reply = reply_of(frame)
        expected, done = self._requests.take(reply.id)
        if not expected:
            if not 0 < reply.id <= self._requests.last_id:
                raise BadResponse(f"{self.id} answers a request that was never made")
            done = self.on_late_reply
        self._tell(done, reply)
        if reply.error is not None:
            self._heed(link, reply.error.code)

    def _heed(self, link: Link, code: object) -> None:
        if code == TOO_MANY_REQUESTS and link.wire is not None:
            link.cool_down_s = COOL_DOWN_S
            link.wire.lose("10028 too_many_requests: the venue has ended the session")

    def _tell(self, handler: Callable[..., None] | None, *args: Any) -> None:
        """Call somebody's handler; what it raises is a fault and nothing worse."""
        if handler is None:
            return
        try:
            handler(*args)
        except Exception as error:
            self._fault(error, args)

    def _fault(self, error: Exception, frame: Any) -> None:
        if self.on_fault is None:
            _log.warning("deribit: %s: %s", type(error).__name__, error)
            return
        try:
            self.on_fault(error, frame)
        except Exception:
            _log.exception("deribit: the fault handler itself failed on %r", error)

    # -- Books -----------------------------------------------------------------------------------

    def _book_message(self, link: Link, channel: str, data: dict[str, Any]) -> None:
        book = link.books.get(channel)
        if book is None:
            return  # unsubscribed while this was on its way
        was_valid = book.valid
        try:
            applied = book.apply(data)
        finally:
            if was_valid and not book.valid:
                self._resubscribe_soon(link, channel)
                self._publish(book)
        if applied:
            link.awaiting_s.pop(channel, None)
            self._publish(book)

    def _publish(self, book: Book) -> None:
        """A book has changed, for better or worse."""
        self._tell(self.on_book, book)

    def _resubscribe_soon(self, link: Link, channel: str) -> None:
        """Ask for a new snapshot: at once, but not more than one batch a second."""
        link.awaiting_s[channel] = self._monotonic()
        link.gapped[channel] = None
        if link.resubscribe is None:
            wait_s = max(0.0, link.resubscribed_s + 1.0 - self._monotonic())
            link.resubscribe = asyncio.get_running_loop().call_later(
                wait_s * self._time_scale, self._resubscribe, link
            )

    def _resubscribe(self, link: Link) -> None:
        link.resubscribe = None
        channels = [channel for channel in link.gapped if channel in link.channels]
        link.gapped.clear()
        if link.wire is None or not channels:
            return
        link.resubscribed_s = self._monotonic()
        for private, part in _requests_for(channels):
            assert not private, "books are public"
            params = {"channels": part}
            self._send(link, "public/unsubscribe", params, None, LOGIN_DEADLINE_S)
            self._send(link, "public/subscribe", params, self._acknowledged(part), LOGIN_DEADLINE_S)

    def _acknowledged(self, asked: Sequence[str]) -> Done:
        def done(reply: Reply) -> None:
            missing = sorted(set(asked) - set(reply.result or ()))
            if missing:
                raise ExchangeError(f"{self.id} did not resubscribe {', '.join(missing)}")

        return done

    # -- Subscriptions ---------------------------------------------------------------------------

    async def _ask(self, link: Link, channels: Iterable[str]) -> None:
        """Subscribe what is not yet on this connection.

        What the venue refuses or leaves out is noted in `link.refused` and wanted no more. Raises
        NetworkError if the venue does not answer.
        """
        todo = [channel for channel in channels if channel not in link.asked]
        link.asked.update(todo)
        now_s = self._monotonic()
        for channel in todo:
            if channel.startswith("book."):
                link.books.setdefault(channel, Book(channel, channel.split(".")[1]))
                link.awaiting_s[channel] = now_s
        for private, part in _requests_for(todo):
            method = "private/subscribe" if private else "public/subscribe"
            try:
                accepted = await self._call(link, method, {"channels": part}, LOGIN_DEADLINE_S)
            except ExchangeError as error:
                self._forget(link, part, type(error), f" ({error})")
            except NetworkError:
                link.asked.difference_update(todo)  # unanswered, so ask again next time
                raise
            else:
                self._forget(link, [c for c in part if c not in accepted], ExchangeError, "")

    def _forget(
        self, link: Link, channels: Sequence[str], kind: type[ExchangeError], detail: str
    ) -> None:
        error = kind(f"{self.id} did not subscribe {', '.join(channels)}{detail}: check the names")
        for channel in channels:
            link.refused[channel] = error
            link.channels.pop(channel, None)
            link.asked.discard(channel)
            link.books.pop(channel, None)
            link.awaiting_s.pop(channel, None)

    # -- Small tools -----------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        if seconds > 0.0:
            await asyncio.sleep(seconds * self._time_scale)

    def _loop_time_s(self) -> float:
        return asyncio.get_running_loop().time() / self._time_scale


_NO_REPLY = "no reply in time"


def _private(channel: str) -> bool:
    return channel.startswith("user.")


def _requests_for(channels: Sequence[str]) -> list[tuple[bool, list[str]]]:
    """Channels as (private, part) requests that fit the venue's frame size."""
    requests = []
    for private in (False, True):
        chosen = [channel for channel in channels if _private(channel) is private]
        for start in range(0, len(chosen), CHANNELS_PER_REQUEST):
            requests.append((private, chosen[start : start + CHANNELS_PER_REQUEST]))
    return requests


def _by_instrument(trades: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """A trades message by instrument; a channel of a whole kind may mix several."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for trade in trades:
        grouped.setdefault(trade["instrument_name"], []).append(trade)
    return list(grouped.items())
