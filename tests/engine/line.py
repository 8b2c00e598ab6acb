"""A line between engine and venue that can be cut or made deaf, and over which REST still works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_UPGRADE = b"GET /ws/"
"""How a request for a WebSocket begins; it may come on a connection that served REST before."""


class Line:
    """`async with line(url) as own:` own is the URL to use instead."""

    def __init__(self) -> None:
        self._port = 0
        self._sockets: list[asyncio.StreamWriter] = []
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
        with suppress(OSError):
            from_venue, to_venue = await asyncio.open_connection("127.0.0.1", self._port)
            both = [writer, to_venue]
            await asyncio.gather(
                self._pass(reader, to_venue, both), self._pass(from_venue, writer, both)
            )

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: list[asyncio.StreamWriter],
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if data.startswith(_UPGRADE):
                    if not self._open:
                        break
                    self._sockets += both
                if writer in self._sockets:
                    await self._speaks.wait()
                writer.write(data)
        for end in both:
            end.close()
