"""A line between engine and venue that can be cut or made deaf, and over which REST still works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_HEAD_END = b"\r\n\r\n"


class Line:
    """`async with line(url) as own:` own is the URL to use instead."""

    def __init__(self) -> None:
        self._port = 0
        self._sockets: set[asyncio.StreamWriter] = set()
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._open = True

    @asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[str]:
        """Listen; `url` is the venue's."""
        self._port = urlsplit(url).port or 0
        server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            self._speaks.set()
            self.cut()
            server.close()

    def cut(self) -> None:
        """Every WebSocket ends, and none can be opened any more."""
        self._open = False
        for writer in self._sockets:
            writer.transport.abort()

    def deafen(self) -> None:
        """WebSockets stay up, and nothing passes through them."""
        self._speaks.clear()

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(_HEAD_END)
            on_socket = b"/ws/" in head.partition(b"\r\n")[0]
            if on_socket and not self._open:
                writer.close()
                return
            to_venue, from_venue = await self._connect(head)
            if on_socket:
                self._sockets |= {writer, from_venue}
            await asyncio.gather(
                self._pass(reader, from_venue, on_socket), self._pass(to_venue, writer, on_socket)
            )

    async def _connect(self, head: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(head)
        return reader, writer

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_socket: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if on_socket:
                    await self._speaks.wait()
                writer.write(data)
        with suppress(OSError):
            writer.close()
