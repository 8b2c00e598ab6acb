"""ccxt's exchange on two supervised connections: `connection.py` and `shell.py` in ccxt's words."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ccxt.base.errors import AuthenticationError, BaseError, ExchangeClosedByUser

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.ops.limit import about
from mmbot.venues.answers import LinkDown, Trouble
from mmbot.venues.book import MalformedBook
from mmbot.venues.calls import call
from mmbot.venues.deribit.book import Book
from mmbot.venues.deribit.connection import Connection
from mmbot.venues.deribit.limits import Limits
from mmbot.venues.deribit.unified import Unified
from mmbot.venues.exchange import REAL_MIN_S, REST_S
from mmbot.venues.hooks import Hooks
from mmbot.venues.in_ccxt import in_ccxt
from mmbot.venues.lives import DEADLINE_S
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Done
from mmbot.venues.shell import Shell
from mmbot.venues.timing import USUAL, Timing
from mmbot.venues.wire import Wire

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Linked(Hooks, Unified):
    """Unified, with the two links.

    `config` is ccxt's. `clock` gives the venue's time and the pace of every wait. The hooks
    (`on_book` and so on) are told as things happen; without `on_fault` faults are logged.
    """

    deadline_s: float = DEADLINE_S

    account_name: str = ""
    """What log lines call this one, where there are several."""

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        clock: Clock | None = None,
        timing: Timing = USUAL,
    ) -> None:
        self.timing = timing
        self._clock = clock or Clock()
        self._connection = Connection("deribit", None, timing, self._clock.now_ns())
        self._shell = Shell("deribit", self._connection, self, self._clock)
        self._starting: dict[Link, asyncio.Future[None]] = {}
        self._closing = False
        super().__init__(dict(config or {}))  # it reads every property once
        self.clients: dict[str, Wire] = {}
        self.timeout_on_exit /= self._clock.scale
        self.timeout = 1000 * max(REST_S / self._clock.scale, REAL_MIN_S)
        self._hear()

    def _hear(self) -> None:
        """Pass on what the connection tells, to whoever listens by then."""
        connection, tell = self._connection, self._tell
        connection.on_book = self._on_book
        connection.on_started = self._on_started
        connection.on_fault = self._on_fault
        connection.on_ticker = lambda *args: tell(self.on_ticker, *args)
        connection.on_trades = lambda *args: tell(self.on_trades, *args)
        connection.on_index = lambda *args: tell(self.on_index, *args)
        connection.on_user = lambda *args: tell(self.on_user, *args)
        connection.on_channel = lambda *args: tell(self.on_channel, *args)
        connection.on_link = lambda *args: tell(self.on_link, *args)
        connection.on_late_reply = lambda *args: tell(self.on_late_reply, *args)
        connection.on_unreadable = lambda *args: tell(self.on_unreadable, *args)
        self._shell.on_over = lambda _, wire, error: wire.fail_watchers(error)

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
        return self._connection.cod_enabled

    @property
    def rate_limits(self) -> Limits:
        """The account's rate limits as read at sign-in; the lowest tier before that."""
        return self._connection.rate_limits

    def up(self, link: Link) -> bool:
        """Whether the connection is established, signed in and subscribed."""
        return self._connection.up(link)

    def silent_for(self, link: Link) -> float:
        """Seconds since the last frame; infinite before the first connection."""
        self._connection.at(self._clock.now_ns())
        return self._connection.silent_s(link)

    def milliseconds(self) -> int:
        """Venue time; ccxt stamps and signs with it."""
        return self._clock.now_ms()

    def request_id(self) -> int:
        """ccxt's counter and ours are one."""
        return self._connection.next_id()

    def cut(self, link: Link, why: str) -> None:
        """Give up a connection that is up in name only; it comes back by itself."""
        self._do(lambda connection: connection.cut(link, why))

    # -- Coming and going ------------------------------------------------------------------------

    async def start(
        self,
        links: Iterable[Link] = (Link.MARKET,),
        channels: Mapping[Link, Iterable[str]] | None = None,
    ) -> None:
        """Bring the links up, signed in if there are credentials, and subscribe.

        Raises ccxt's errors if the first attempt fails (AuthenticationError, NetworkError) or the
        venue leaves out a channel (ExchangeError). Afterwards the links come back by themselves.
        """
        wanted = channels or {}
        await asyncio.gather(*(self.subscribe(link, wanted.get(link, ())) for link in links))

    async def subscribe(self, link: Link, channels: Iterable[str]) -> None:
        """Add channels and keep them over reconnects; brings the link up if it never was.

        Raises ExchangeError naming those the venue left out, or NetworkError while the link is
        down (they are then subscribed when it comes back).
        """
        if link is Link.TRADING and not self.has_credentials:
            raise AuthenticationError(
                f"{self.id} trading needs an API key and secret: set both, or use public data"
            )
        wanted = list(dict.fromkeys(channels))
        self._do(lambda connection: connection.want(link, wanted))
        await self._started(link)
        await self._run(self._connection.subscribed(link, wanted))

    async def unsubscribe(self, link: Link, channels: Iterable[str]) -> None:
        """Drop channels; their books become invalid at once."""
        await self._run(self._connection.unsubscribing(link, channels))

    async def _started(self, link: Link) -> None:
        """Until the first attempt to bring the link up has succeeded; raises if it fails."""
        if self._closing:
            raise ExchangeClosedByUser(f"{self.id} is closing")
        connection = self._connection
        if not connection.links[link].wanted:
            connection.keys = (self.apiKey, self.secret) if self.has_credentials else None
            self._starting[link] = asyncio.get_running_loop().create_future()
            self._shell.carry_out(connection.start([link], {}, self._clock.now_ns()))
        if (first := self._starting.get(link)) is not None:
            await asyncio.shield(first)

    def _on_started(self, link: Link, error: Exception | None) -> None:
        first = self._starting.pop(link, None)
        if first is None or first.done():
            return
        if error is None:
            first.set_result(None)
            return
        undialed = self._shell.failures.get(link) if isinstance(error, LinkDown) else None
        failure = undialed or in_ccxt(error, self.exceptions)
        first.set_exception(failure)
        first.exception()  # whoever started us may have gone
        if (wire := self._shell.wires.get(link)) is not None:
            wire.fail_watchers(failure)

    async def close(self, clean_instance_data: bool = False) -> None:
        """End every connection. What is in flight ends as UNKNOWN."""
        self._closing = True
        self._shell.carry_out(self._connection.stop(self._clock.now_ns()))
        await self._shell.close()
        self.clients.clear()
        await super().close(clean_instance_data)
        self._closing = False

    # -- Requests --------------------------------------------------------------------------------

    def send(
        self,
        link: Link,
        method: str,
        params: Mapping[str, Any],
        done: Done | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Put a request on the wire before returning; its id.

        `done` is called with the Reply, later (never from within this call), exactly once. While
        the link is not up nothing is sent, and the reply says UNKNOWN with `sent` false.
        """
        connection = self._connection
        connection.at(self._clock.now_ns())
        id_ = connection.send(link, method, params, done, timeout_s or self.deadline_s)
        self._shell.carry_out(connection.drain())
        return id_

    async def rpc(
        self,
        link: Link,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """A request's result, once there is room for it in its pool.

        Raises the ccxt error of the venue's code, RequestTimeout when nobody answered in time, or
        NetworkError when the link is down or broke: after those two it may have been carried out.
        """
        return await self._run(call(link, method, params or {}, timeout_s or self.deadline_s))

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
        name = f"{scope}/{path}"
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        closed = ExchangeClosedByUser(f"{self.id} was closed")
        turn = self._do(
            lambda connection: connection.pace(
                name, lambda: place.set_result(None), lambda: place.set_exception(closed)
            )
        )
        try:
            await place
            return await super().fetch2(path, api, method, params or {}, config or {})
        finally:
            turn.canceled = True
            if place.done() and not place.cancelled() and place.exception() is None:
                self._do(lambda connection: connection.paced(name))

    def _do(self, what: Callable[[Connection], T]) -> T:
        """Something on the connection, whose effects are carried out before this returns."""
        self._connection.at(self._clock.now_ns())
        came = what(self._connection)
        self._shell.carry_out(self._connection.drain())
        return came

    async def _run(self, recipe: Recipe[T]) -> T:
        try:
            return await self._shell.run(self._connection, recipe)
        except Trouble as error:
            raise in_ccxt(error, self.exceptions) from error

    async def _pause(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    # -- What is heard ---------------------------------------------------------------------------

    def _tell(self, handler: Callable[..., None] | None, *args: Any) -> None:
        if handler is not None:
            handler(*args)

    def _on_fault(self, error: Exception, frame: Any) -> None:
        """To whoever listens, else to the log."""
        known = isinstance(error, Trouble | MalformedBook | BaseError)
        error = in_ccxt(error, self.exceptions)
        if self.on_fault is not None:
            try:
                self.on_fault(error, frame)
            except Exception:  # noqa: BLE001  # anybody's handler
                _log.exception("deribit: the fault handler itself failed on %r", error)
            return
        said = str(error) if known else f"deribit: {type(error).__name__}: {error}"
        if self.account_name not in ("", self.id):
            said = f"{self.account_name}: {said}"
        _log.warning("%s", said, extra=about(self.account_name))

    def _on_book(self, book: Book) -> None:
        self._tell(self.on_book, book)
