"""Two supervised connections to Deribit: kept up, signed in, subscribed, and honest.

Theory of operation
-------------------
Two *links*, each one physical connection kept alive by one task: MARKET for public data, TRADING
for orders and everything private. A link's task dials, signs in, subscribes, announces the link,
looks after it until it is lost, waits, and begins again. House rules:

1. Frames are handled in the receive callback, synchronously, and nothing a frame or a handler does
   can end the reading: what goes wrong is contained and told to `on_fault`. A fault concerns the
   channel it came over; a frame of which even that cannot be read concerns every book of its link.
2. A request ends exactly once (`calls.py`). A lost link ends everything in flight on it as
   UNKNOWN; nothing is ever sent again by itself.
3. A book is right or invalid (`book.py`, `subscriptions.py`). Nothing of it survives a lost link,
   and messages of an old connection are never heard.
4. No order leaves on a TRADING link before cancel-on-disconnect has been asked for and read back
   there (`cod_enabled` tells the answer).
5. Too many requests (10028) is a disconnect: the venue ends the session, so we do, and we wait
   before coming back. A private request that is refused for want of a session (13009 and its like)
   is one too: the connection is signed in in name only.
6. After a failure of the line we are back within 2 s of its end, however often it fails. A venue
   that does not want us (sign-ins refused, sessions ended) is left alone for longer each time.

Every wait goes through `_pause` or is multiplied with the time scale; every reading of a clock
through the two callables the client was made with.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from ccxt.base.errors import (
    AuthenticationError,
    BadResponse,
    BaseError,
    ExchangeClosedByUser,
    ExchangeError,
    NetworkError,
    RequestTimeout,
)

from mmbot.ops.limit import about
from mmbot.venues.deribit.book import Book, MalformedBook
from mmbot.venues.deribit.calls import Calls
from mmbot.venues.deribit.errors import TOO_MANY_REQUESTS
from mmbot.venues.deribit.limits import Limits
from mmbot.venues.deribit.link import Link, Socket
from mmbot.venues.deribit.requests import Done, Pending, Refusal, Reply, refusal_of
from mmbot.venues.deribit.signin import SignIn, signs_out
from mmbot.venues.deribit.subscriptions import Subscriptions, is_private
from mmbot.venues.deribit.tickers import TickerWatch, instrument_of
from mmbot.venues.deribit.unified import Unified
from mmbot.venues.deribit.wire import Wire
from mmbot.venues.timing import USUAL, Timing

HEARTBEAT_S = 10
"""Deribit's shortest heartbeat. Silence of two of them is a dead connection."""
DEADLINE_S = 2.0
HELLO_S = 1.5
"""The first request is easy to answer: a connection that leads nowhere is given up soon."""
DIAL_S = 10.0
REDIAL_S = 2.0
"""Dialing again takes no longer than this, or three times what it has taken before."""
REST_S = 10.0
REAL_MIN_S = 2.0
"""Dialing and REST get that much of the wall's time, however fast ours runs: they are real work."""
GOODBYE_S = 1.0
CARE_S = 0.5
BACKOFF_FIRST_S = 0.25
UNWANTED_MAX_S = 30.0
"""The longest wait of one who is refused."""
STEADY_S = 10.0
"""A link that stood this long is forgiven its earlier failures."""
COOL_DOWN_S = 5.0
"""After 10028 the venue refuses an immediate return."""

__all__ = ["Session", "Socket"]

_log = logging.getLogger(__name__)


class Session(Unified):
    """ccxt's exchange on two supervised sockets.

    `config` is ccxt's. `now_ms` is venue time in milliseconds (default: the wall clock),
    `monotonic` a clock in seconds, `time_scale` what every wait is multiplied with before asyncio
    gets to see it (a monotonic clock given with it runs faster by the same factor).
    """

    deadline_s: float = DEADLINE_S

    account_name: str = ""
    """What log lines call this one, where there are several."""

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
        timing: Timing = USUAL,
    ) -> None:
        self.timing = timing
        self._now_ms = now_ms or super().milliseconds
        self._time_scale = time_scale
        self._monotonic = monotonic or self._loop_time_s
        self._links = {socket: Link(socket) for socket in Socket}
        self._calls = Calls(self._monotonic, self._wait, time_scale, self._error_of, self._fault)
        self._entry = SignIn(self._calls, lambda: (self.apiKey, self.secret), self.milliseconds)
        self._subscriptions = Subscriptions(self._calls, self._publish, time_scale)
        self._tickers = TickerWatch(self._calls, self._ticker)
        self._closing = False
        super().__init__(dict(config or {}))  # last: it reads every property once
        self.clients: dict[str, Wire] = {}
        self.timeout_on_exit *= time_scale
        self.timeout = 1000 * max(REST_S * time_scale, REAL_MIN_S)

    def describe(self) -> Any:
        """ccxt's description of the exchange, without its throttler."""
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
        return self._entry.cod_enabled

    @property
    def rate_limits(self) -> Limits:
        """The account's rate limits as read at sign-in; the lowest tier before that."""
        return self._entry.limits or Limits()

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
        await self._subscriptions.ask(link, [c for c in wanted if c in link.channels])
        refusals = [link.refused[channel] for channel in wanted if channel in link.refused]
        if refusals:
            raise refusals[0]

    async def unsubscribe(self, socket: Socket, channels: Iterable[str]) -> None:
        """Drop channels; their books become invalid at once."""
        await self._subscriptions.unsubscribe(self._links[socket], channels)

    async def aclose(self) -> None:
        """Close everything. What is in flight ends as UNKNOWN; nothing is left running."""
        await self.close()

    async def close(self, clean_instance_data: bool = False) -> None:
        """End every connection. What is in flight ends as UNKNOWN."""
        self._closing = True
        tasks = [link.task for link in self._links.values() if link.task]
        for link in self._links.values():
            if link.wire is not None:
                link.wire.lose("closed by us", cut=False)
            self._subscriptions.close(link)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._calls.close()
        self.clients.clear()
        await super().close(clean_instance_data)
        self._closing = False

    async def _started(self, link: Link) -> None:
        """Until the first attempt to bring the link up has succeeded; raises if it fails."""
        if self._closing:
            raise ExchangeClosedByUser(f"{self.id} is closing")
        if link.task is None:
            link.failures = link.refusals = 0  # whoever starts us anew has a pace of their own
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
        was_up = False
        try:
            await self._dial(link, wire)
            link.heard_s = self._monotonic()
            await self._enter(link)
            link.up = was_up = True
            if not first.done():
                first.set_result(None)
            self._tell(self.on_link, link.socket, True, "connected")
            await self._look_after(link, wire)
            failure: Exception = NetworkError(f"{self.id} {link.socket.name}: {wire.why}")
        except Exception as error:  # noqa: BLE001  # whatever it was, the link has ended
            failure = error
            wire.fail_watchers(error)
        finally:
            wire.lose("given up")  # ignored if it is lost already
            await wire.shut()
        if not was_up and first.done():
            self._fault(failure, None)  # the loss of a link that was up is told by on_link
        link.failures += 1
        link.timed_out = not was_up and isinstance(failure, RequestTimeout)
        return failure

    async def _dial(self, link: Link, wire: Wire) -> None:
        began_s, before = self._monotonic(), link.dialing_s
        limit_s = max(REDIAL_S, 3.0 * before) if before else DIAL_S
        try:
            async with asyncio.timeout(max(limit_s * self._time_scale, REAL_MIN_S)):
                await wire.dial(self.session)
        except TimeoutError as error:
            raise RequestTimeout(f"{self.id} lets nobody in within {limit_s:.0f} s") from error
        link.dialing_s = max(before, self._monotonic() - began_s)

    def _backoff_s(self, link: Link) -> float:
        """How long to wait before dialing: for the line's sake, or for the venue's."""
        most_s = BACKOFF_FIRST_S if link.timed_out else self.timing.backoff_max_s
        line_s = _doubled(link.failures, most_s)
        wait_s = max(link.cool_down_s, line_s, _doubled(link.refusals, UNWANTED_MAX_S))
        link.cool_down_s = 0.0
        return wait_s

    async def _enter(self, link: Link) -> None:
        """Sign in and subscribe on a fresh connection."""
        await self._calls.call(link, "public/set_heartbeat", {"interval": HEARTBEAT_S}, HELLO_S)
        try:
            if self.has_credentials:
                await self._entry.sign_in(link)
            if link.socket is Socket.TRADING:
                await self._entry.arm(link)
                await self._entry.read_limits(link)
        except ExchangeError:
            link.refusals += 1
            raise
        while todo := [channel for channel in link.channels if channel not in link.asked]:
            await self._subscriptions.ask(link, todo)
            blind = [channel for channel in todo if channel in link.refused and is_private(channel)]
            if blind:  # up without them, it would not tell of our own orders: try again later
                link.channels.update(dict.fromkeys(blind))
                error = link.refused[blind[0]]
                for channel in blind:
                    del link.refused[channel]
                raise error
            for error in {id(e): e for c in todo if (e := link.refused.get(c))}.values():
                self._fault(error, None)

    async def _look_after(self, link: Link, wire: Wire) -> None:
        """Until the connection is lost: notice silence, renew the token, see to what is missing."""
        up_s, probed_s = self._monotonic(), float("-inf")
        while not wire.lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(wire.lost.wait(), CARE_S * self._time_scale)
            now_s = self._monotonic()
            if now_s - up_s > STEADY_S:
                link.failures = 0
                if not wire.lost.is_set():
                    link.refusals = 0
            silent_s = now_s - link.heard_s
            if silent_s > 2 * HEARTBEAT_S:
                wire.lose(f"nothing heard for {silent_s:.0f} s")
            elif silent_s > HEARTBEAT_S and probed_s <= link.heard_s:
                probed_s = now_s
                self._calls.send(link, "public/test", {}, None, self.deadline_s)
            if now_s >= link.refresh_s and not wire.lost.is_set():
                await self._renew(link, wire)
            if not wire.lost.is_set():
                self._subscriptions.look_after(link)
                self._tickers.look_after(link)

    async def _renew(self, link: Link, wire: Wire) -> None:
        """Renew the token; a connection on which that fails is not signed in for long."""
        try:
            await self._entry.renew(link)
        except ExchangeError as error:
            self._fault(error, None)
            link.refusals += 1
            wire.lose(f"the token could not be renewed: {error}")

    def _lost(self, link: Link, wire: Wire, why: str) -> None:
        """Called once by a connection that is over."""
        if link.wire is not wire:
            return
        was_up = link.up
        link.forget_connection()
        self.clients.pop(wire.url, None)
        if link.socket is Socket.TRADING:
            self._entry.cod_enabled = False
        if was_up:
            self._tell(self.on_link, link.socket, False, why)
        self._calls.lost(link, why)
        self._subscriptions.end(link, why)
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
            return self._calls.refuse(f"{socket.name} is not connected", done)
        return self._calls.send(link, method, params, done, timeout_s or self.deadline_s)

    async def rpc(
        self,
        socket: Socket,
        method: str,
        params: dict[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """A request's result, once there is room for it in its pool.

        Raises the ccxt error of the venue's code, RequestTimeout when nobody answered in time, or
        NetworkError when the link is down or broke: after those two it may have been carried out.
        """
        link, limit_s = self._links[socket], timeout_s or self.deadline_s
        reply = await self._calls.ask(link, method, params or {}, limit_s, entered=True)
        return self._calls.result(method, reply)

    async def fetch2(
        self,
        path: str,
        api: Any = "public",
        method: str = "GET",
        params: Any = None,
        config: Any = None,
    ) -> Any:
        """The one place where ccxt sends REST: it draws on the same pools."""
        scope = api if isinstance(api, str) else api[0]
        async with self._calls.rest(f"{scope}/{path}"):
            return await super().fetch2(path, api, method, params or {}, config or {})

    def _error_of(self, method: str, refusal: Refusal) -> Exception:
        kind = self.exceptions.get(str(refusal.code), ExchangeError)
        error: Exception = kind(f"{self.id} {method}: {refusal}")
        return error

    def request_id(self) -> int:
        """ccxt's counter and ours are one."""
        return self._calls.requests.next_id()

    # -- Frames ----------------------------------------------------------------------------------

    def _heard(self, link: Link, wire: Wire, data: str | bytes) -> None:
        """Every text frame, in the receive callback. Never raises."""
        if link.wire is not wire:
            return
        link.heard_s = self._monotonic()
        frame: Any = data
        try:
            try:
                frame = orjson.loads(data)
            except orjson.JSONDecodeError as error:
                raise _UnreadableFrame(f"{self.id} sent a frame that is no JSON") from error
            if not isinstance(frame, dict):
                raise _UnreadableFrame(f"{self.id} sent JSON that is not a message")
            self._route(link, frame)
        except _UnreadableFrame as error:
            self._fault(error, frame)
            self._tell(self.on_unreadable, link.socket)
            self._subscriptions.doubt_all(link, "a frame could not be read")
        except Exception as error:  # noqa: BLE001  # no frame ends a link by raising
            self._fault(error, frame)
            self._tell(self.on_unreadable, link.socket)

    def _route(self, link: Link, frame: dict[str, Any]) -> None:
        """A message to what it is for. Raises _UnreadableFrame, and what that raises."""
        method = frame.get("method")
        if method == "subscription":
            params = frame.get("params")
            channel = params.get("channel") if isinstance(params, dict) else None
            if params is None or not isinstance(channel, str):
                raise _UnreadableFrame(f"{self.id} does not say which channel a message is of")
            self._pushed(link, channel, params.get("data"), frame)
        elif method == "heartbeat":
            if frame["params"]["type"] == "test_request":
                self._calls.send(link, "public/test", {}, None, self.deadline_s)
        elif method is None and ("result" in frame or "error" in frame):
            self._replied(link, frame)
        else:
            raise _UnreadableFrame(f"{self.id} sent a frame of no known kind")

    def _pushed(
        self,
        link: Link,
        channel: str,
        data: Any,
        frame: Any,  # noqa: ARG002  # the client hands it to ccxt
    ) -> None:
        """One subscription message, by channel, to whoever wants it."""
        if channel.startswith("book."):
            self._subscriptions.take(link, channel, data)
        elif channel.startswith("ticker."):
            self._ticker(link, channel, data)
        elif channel.startswith("user."):
            self._require_data(channel, data, dict, list)
            if self.on_user is not None:
                self.on_user(channel, data)
        elif channel.startswith("trades."):
            if self.on_trades is not None:
                for name, trades in _by_instrument(data):
                    self.on_trades(name, trades)
        else:
            self._rare(channel, data)

    def _rare(self, channel: str, data: Any) -> None:
        """An index, or a channel that only its subscriber knows."""
        if channel.startswith("deribit_price_index."):
            self._require_data(channel, data, dict)
            if self.on_index is not None:
                self.on_index(channel.split(".", 1)[1], data)
        elif self.on_channel is not None:
            self.on_channel(channel, data)

    def _require_data(self, channel: str, data: Any, *kinds: type) -> None:
        if not isinstance(data, kinds):
            raise BadResponse(f"{self.id} {channel}: a message without data")

    def _ticker(self, link: Link, channel: str, data: Any) -> None:
        """What a ticker says, pushed or asked for. The channel names the instrument; data that is
        none, or another one's, is handed on as {}: of this one nothing is known any more."""
        name = instrument_of(channel)
        if isinstance(data, dict) and data.get("instrument_name", name) == name:
            if channel in link.told_s:
                link.told_s[channel] = link.heard_s
            self._subscriptions.compare(link, name, data)
        else:
            self._fault(BadResponse(f"{self.id} {channel}: a ticker that is none"), data)
            data = {}
        if self.on_ticker is not None:
            self.on_ticker(name, data)

    def _replied(self, link: Link, frame: dict[str, Any]) -> None:
        if frame.get("id") is None:
            error = refusal_of(frame.get("error"))
            if error is not None:
                self._heed(link, error, None)
            raise ExchangeError(f"{self.id} answers no request in particular: {frame.get('error')}")
        reply, pending = self._calls.replied(frame)
        self._tell(self.on_late_reply if pending is None else pending.done, reply)
        if reply.error is not None:
            self._heed(link, reply.error, pending)

    def _heed(self, link: Link, error: Refusal, pending: Pending | None) -> None:
        """End the connection where an error says that it has ended. What was asked is `pending`'s;
        None: nobody knows any more."""
        if link.wire is None:
            return
        if error.code == TOO_MANY_REQUESTS:
            link.cool_down_s = COOL_DOWN_S
            link.refusals += 1
            link.wire.lose("10028 too_many_requests: the venue has ended the session")
        elif (
            link.up
            and self.has_credentials
            and signs_out(error)
            and (pending is None or pending.method.startswith("private/"))
        ):
            link.refusals += 1
            link.wire.lose(f"{error}: the connection is not signed in any more")

    def _tell(self, handler: Callable[..., None] | None, *args: Any) -> None:
        self._calls.tell(handler, *args)

    def _fault(self, error: Exception, frame: Any) -> None:
        if self.on_fault is None:
            known = isinstance(error, BaseError | MalformedBook | _UnreadableFrame)
            said = str(error) if known else f"deribit: {type(error).__name__}: {error}"
            name = self.account_name
            if name not in ("", self.id):
                said = f"{name}: {said}"
            _log.warning("%s", said, extra=about(name))
            return
        try:
            self.on_fault(error, frame)
        except Exception:  # noqa: BLE001  # anybody's handler
            _log.exception("deribit: the fault handler itself failed on %r", error)

    def _publish(self, book: Book) -> None:
        """A book has changed, for better or worse."""
        self._calls.tell(self.on_book, book)

    # -- Small tools -----------------------------------------------------------------------------

    async def _wait(self, seconds: float) -> None:
        await self._pause(seconds)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0.0:
            await asyncio.sleep(seconds * self._time_scale)

    def _loop_time_s(self) -> float:
        return asyncio.get_running_loop().time() / self._time_scale


class _UnreadableFrame(Exception):
    """What the message was about cannot be told."""


def _doubled(times: int, at_most_s: float) -> float:
    """A quarter of a second, doubled with every time after the first."""
    return min(BACKOFF_FIRST_S * 2.0 ** min(times - 1, 20), at_most_s) if times else 0.0


def _by_instrument(trades: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    """A trades message by instrument; a channel of a whole kind may mix several."""
    if not isinstance(trades, list):
        raise BadResponse("deribit trades: a message without data")
    grouped: dict[str, list[dict[str, Any]]] = {}
    for trade in trades:
        name = trade.get("instrument_name") if isinstance(trade, dict) else None
        if isinstance(name, str):
            grouped.setdefault(name, []).append(trade)
    return list(grouped.items())
