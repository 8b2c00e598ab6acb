"""Requests on the links: paced, written at once, and each ended exactly once.

`send` never waits: it is for orders, whose pace is the core's business, and for proof of life.
`call` and `ask` wait for their place in the pool of their method (pools.py), first come, first
served, also over REST (`rest`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from ccxt.base.errors import BadResponse, NetworkError, RequestTimeout

from mmbot.venues.deribit.link import Link
from mmbot.venues.deribit.pools import Pool, Pools, pool_of
from mmbot.venues.deribit.requests import Done, Outcome, Pending, Refusal, Reply, Requests, reply_of

CLEAN_S = 0.1
"""How often deadlines are looked at while anything is in flight."""

_NO_REPLY = "no reply in time"


class Calls:
    """What every part of a session asks the venue with.

    `now_s` is its monotonic clock, `pause` waits seconds of that clock, `error_of` makes ccxt's
    error of a refusal, and `on_fault` is told what a handler raised.
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
        time_scale: float,
        error_of: Callable[[str, Refusal], Exception],
        on_fault: Callable[[Exception, Any], None],
    ) -> None:
        self.now_s = now_s
        self.fault = on_fault
        self.requests = Requests()
        self._pause = pause
        self._time_scale = time_scale
        self._error_of = error_of
        self._cleaning: asyncio.TimerHandle | None = None
        self._pools: Pools | None = None
        self._queues = {pool: asyncio.Lock() for pool in Pool}

    @property
    def pools(self) -> Pools:
        """The account's pools, from the first request on."""
        if self._pools is None:
            self._pools = Pools(self.now_s())
        return self._pools

    # -- Asking ----------------------------------------------------------------------------------

    def send(
        self,
        link: Link,
        method: str,
        params: dict[str, Any],
        done: Done | None,
        timeout_s: float,
        *,
        paid: bool = False,
    ) -> int:
        """Put a request on the wire before returning; its id.

        `done` is called with the Reply, later (never from within this call), exactly once. `paid`:
        its place in the pool has been waited for.
        """
        id_ = self.requests.next_id()
        frame = orjson.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        pool = pool_of(method)
        if pool is not None and not paid:
            self.pools.spend(pool, self.now_s())
        try:
            if link.wire is None:
                raise ConnectionError(f"{link.socket.name} is not connected")
            link.wire.write(frame)
        except ConnectionError as error:
            return self.refuse(str(error), done, id_)
        if pool is not None:
            self.pools.sent(pool)
        self.requests.add(id_, link.socket, method, done, self.now_s() + timeout_s)
        if self._cleaning is None:
            self._clean_later()
        return id_

    def refuse(self, why: str, done: Done | None, id_: int | None = None) -> int:
        """A request that certainly never left: its id, and `done` is told."""
        if id_ is None:
            id_ = self.requests.next_id()
        if done is not None:
            reply = Reply(id_, Outcome.UNKNOWN, why=why, sent=False)
            asyncio.get_running_loop().call_soon(self.tell, done, reply)
        return id_

    async def ask(
        self,
        link: Link,
        method: str,
        params: dict[str, Any],
        timeout_s: float,
        *,
        entered: bool = False,
    ) -> Reply:
        """The reply to a request that waits for its place; the deadline counts from then on.

        `entered`: only on a link that is up, else it is not sent.
        """
        if link.up or not entered:
            await self.afford(method)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(reply: Reply) -> None:
            if not future.done():
                future.set_result(reply)

        if link.up or not entered:
            self.send(link, method, params, done, timeout_s, paid=True)
        else:
            self.refuse(f"{link.socket.name} is not connected", done)
        return await future

    async def call(self, link: Link, method: str, params: dict[str, Any], timeout_s: float) -> Any:
        """A request's result. Raises as `result` does."""
        return self.result(method, await self.ask(link, method, params, timeout_s))

    def result(self, method: str, reply: Reply) -> Any:
        """What a reply says.

        Raises the ccxt error of the venue's code, RequestTimeout when nobody answered in time, or
        NetworkError when the link is down or broke: after those two it may have been carried out.
        """
        if reply.outcome is Outcome.OK:
            return reply.result
        if reply.error is not None:
            raise self._error_of(method, reply.error)
        kind = RequestTimeout if reply.why == _NO_REPLY else NetworkError
        raise kind(f"deribit {method}: {reply.why}")

    # -- Pace ------------------------------------------------------------------------------------

    async def afford(self, method: str) -> None:
        """Wait until the method's pool has room for one more, and take it."""
        pool = pool_of(method)
        if pool is None:
            return
        async with self._queues[pool]:
            while wait_s := self.pools.take(pool, self.now_s()):
                await self._pause(wait_s)

    @asynccontextmanager
    async def rest(self, method: str) -> AsyncIterator[None]:
        """Around one REST request."""
        await self.afford(method)
        pool = pool_of(method)
        if pool is None:
            yield
            return
        self.pools.sent(pool)
        try:
            yield
        finally:
            self.pools.ended(pool, self.now_s())

    # -- Ending ----------------------------------------------------------------------------------

    def replied(self, frame: dict[str, Any]) -> tuple[Reply, Pending | None]:
        """End the request a frame answers; None: it had ended before, or was never made."""
        pending = self.requests.take(frame["id"])
        if pending is None and not self._was_made(frame["id"]):
            raise BadResponse("deribit answers a request that was never made")
        if pending is not None:
            self._ended(pending)
        return reply_of(frame), pending

    def _was_made(self, id_: object) -> bool:
        return isinstance(id_, int) and 0 < id_ <= self.requests.last_id

    def lost(self, link: Link, why: str) -> None:
        """Everything in flight on a link ends with it, its outcome unknown."""
        for id_, pending in self.requests.take_all(link.socket):
            self._ended(pending)
            self.tell(pending.done, Reply(id_, Outcome.UNKNOWN, why=why))

    def close(self) -> None:
        """Stop looking at deadlines; everything in flight has ended by now."""
        if self._cleaning is not None:
            self._cleaning.cancel()
            self._cleaning = None

    def _ended(self, pending: Pending) -> None:
        pool = pool_of(pending.method)
        if pool is not None:
            self.pools.ended(pool, self.now_s())

    def _clean_later(self) -> None:
        self._cleaning = asyncio.get_running_loop().call_later(
            CLEAN_S * self._time_scale, self._clean
        )

    def _clean(self) -> None:
        self._cleaning = None
        for id_, pending in self.requests.take_expired(self.now_s()):
            self._ended(pending)
            self.tell(pending.done, Reply(id_, Outcome.UNKNOWN, why=_NO_REPLY))
        if len(self.requests):
            self._clean_later()

    def tell(self, handler: Callable[..., None] | None, *args: Any) -> None:
        """Call somebody's handler; what it raises is a fault and nothing worse."""
        if handler is None:
            return
        try:
            handler(*args)
        except Exception as error:  # noqa: BLE001  # a handler may raise anything
            self.fault(error, args)
