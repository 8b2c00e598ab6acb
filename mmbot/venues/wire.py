"""One WebSocket of ccxt's, read without ccxt's receive loop and written without a task.

ccxt dials, holds the futures that `watch_*` awaits, and lets the exchange's handlers resolve them.
Two things are taken over:

* *Reading.* ccxt's loop ends for good, in silence, at the first exception of a handler. Ours hands
  every text to `on_text`, which never raises, and when the connection is over says so once, through
  `on_lost`.
* *Writing.* aiohttp's writer puts an uncompressed frame into the transport in the first step of its
  `send_frame` coroutine. Taking that step by hand sends the frame before `write` returns. The
  writer is aiohttp's private one: its shape is checked at connect, and if it does not fit, frames
  go through `send_str` in a task.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import ClientSession, WSMsgType
from ccxt.async_support.base.ws.client import Client


class Wire(Client):  # type: ignore[misc]  # ccxt ships no types
    """One connection, from dialing to its loss. Never reused. `settings` are ccxt's, and ours.

    `lost` is set, and `on_lost(wire, why)` called, exactly once when the connection ends for
    whatever reason; after that `on_text` is not called again.
    """

    goodbye_s = 1.0
    """How long the venue's own goodbye is waited for."""

    def __init__(
        self,
        url: str,
        on_text: Callable[["Wire", str | bytes], None],
        on_lost: Callable[["Wire", str], None],
        settings: dict[str, Any],
    ) -> None:
        # Nothing comes back through ccxt's own callbacks: dial() reads `error` instead.
        super().__init__(url, None, _ignore, _ignore, _ignore, settings)
        self.lost = asyncio.Event()
        self.why = ""
        self._on_text = on_text
        self._on_lost = on_lost
        self._writer: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._writes: set[asyncio.Task[None]] = set()

    async def dial(self, session: ClientSession) -> None:
        """Connect and start reading. Raises ccxt's NetworkError if that fails."""
        self.connecting = True
        await self.open(session)
        if self.error is not None:
            raise self.error
        writer = getattr(self.connection, "_writer", None)
        fits = (
            inspect.iscoroutinefunction(getattr(writer, "send_frame", None))
            and getattr(writer, "compress", None) == 0
            and hasattr(getattr(writer, "protocol", None), "_paused")
        )
        self._writer = writer if fits else None

    def on_error(self, error: Exception) -> None:
        """Called by ccxt when dialing failed; `dial` raises it."""
        self.error = error

    @property
    def writes_at_once(self) -> bool:
        """Whether `write` has put the frame into the transport when it returns."""
        return self._writer is not None

    def write(self, payload: bytes) -> None:
        """Send one text frame. Raises ConnectionError if it certainly did not leave."""
        if self.lost.is_set() or self.closed():
            raise ConnectionError(self.why or "not connected")
        if self._writer is None:
            self._write_in_task(payload)
            return
        if self._writer.protocol._paused:
            raise ConnectionError("the connection takes no more data")
        self._step(self._writer.send_frame(payload, WSMsgType.TEXT))

    @staticmethod
    def _step(sending: Any) -> None:
        try:
            sending.send(None)
        except StopIteration:
            return
        except Exception as error:
            raise ConnectionError(str(error)) from error
        # Suspended only after the write, to wait for the transport's buffer to drain.
        sending.close()

    def _write_in_task(self, payload: bytes) -> None:
        task = asyncio.ensure_future(self.connection.send_str(payload.decode()))
        self._writes.add(task)

        def finished(task: asyncio.Task[None]) -> None:
            self._writes.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self.lose(f"cannot write: {error}")

        task.add_done_callback(finished)

    def receive_loop(self) -> None:
        """Called by ccxt once connected: read until the connection is over."""
        self._reader = self.asyncio_loop.create_task(self._read())

    async def _read(self) -> None:
        connection = self.connection
        try:
            while not self.lost.is_set():
                message = await connection.receive()
                if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                    self._on_text(self, message.data)
                elif message.type is WSMsgType.PING:
                    await connection.pong(message.data)
                elif message.type is not WSMsgType.PONG:
                    self.lose(f"closed by the venue ({connection.close_code})")
        except Exception as error:  # noqa: BLE001  # whatever it was, the line is lost
            self.lose(f"{type(error).__name__}: {error}")

    def lose(self, why: str, cut: bool = True) -> None:
        """End the connection now. The venue sees it cut; without `cut`, `shut` says goodbye."""
        if self.lost.is_set():
            return
        self.lost.set()
        self.why = why
        transport = getattr(getattr(self.connection, "_writer", None), "transport", None)
        if cut and transport is not None:
            transport.abort()
        self._on_lost(self, why)

    def fail_watchers(self, error: Exception) -> None:
        """Raise `error` in everybody who awaits something from this connection."""
        for future in self.futures.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be awaiting it any more, which is no fault
        self.futures.clear()

    async def shut(self) -> None:
        """Leave nothing behind: say goodbye if there is still somebody to hear it, then cut."""
        tasks = [task for task in (self._reader, self.ping_looper, *self._writes) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        connection = self.connection
        if connection is None:
            return
        if not connection.closed:
            with suppress(Exception):
                await asyncio.wait_for(connection.close(), self.goodbye_s)
        response = getattr(connection, "_response", None)
        if response is not None:
            response.close()


def _ignore(*_: Any) -> None:
    """A callback of ccxt's that nobody needs."""
