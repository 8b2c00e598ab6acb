"""A wire tap: a TCP relay in front of a venue that keeps every byte a client sends.

Requests are read back from those bytes, HTTP and WebSocket alike, by rules of its own: what it
says does not depend on any client or server code.
"""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

_UPGRADE = re.compile(rb"^upgrade: *websocket", re.IGNORECASE | re.MULTILINE)


class WireTap:
    """Listens on a free port of 127.0.0.1 and relays to the venue at `url`.

    with WireTap("http://127.0.0.1:8800") as tap:
        ... # talk to tap.url
    assert "private/buy" not in tap.methods()
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._sent: list[bytearray] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "WireTap":
        self._thread.start()
        listening = asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = bytearray()
        self._sent.append(sent)
        there, here = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            await asyncio.gather(_pump(reader, here, sent), _pump(there, writer, None))
        finally:
            for end in (writer, here):
                end.close()

    def raw(self) -> bytes:
        """Every byte sent, connection after connection; WebSocket frames unmasked."""
        return b"\n".join(part for sent in self._sent for side in _parts(sent) for part in side)

    def methods(self) -> list[str]:
        """What was asked for, such as "public/ticker", over REST and WebSocket."""
        asked: list[str] = []
        for sent in self._sent:
            heads, frames = _parts(sent)
            paths = [head.split(b" ")[1].decode().partition("?")[0] for head in heads]
            asked += [p.removeprefix("/api/v2/") for p in paths if p.startswith("/api/v2/")]
            asked += [json.loads(text)["method"] for text in frames]
        return asked


async def _pump(
    source: asyncio.StreamReader, to: asyncio.StreamWriter, kept: bytearray | None
) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            if kept is not None:
                kept += data
            to.write(data)
            await to.drain()
        to.write_eof()


def _parts(sent: bytes | bytearray) -> tuple[list[bytes], list[bytes]]:
    """The HTTP requests on a connection, and the WebSocket frames after one that upgraded it."""
    heads: list[bytes] = []
    rest = bytes(sent)
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        assert b"content-length" not in head.lower(), "a body cannot be read here"
        heads.append(head)
        if _UPGRADE.search(head):
            return heads, list(_texts(rest))
    return heads, []


def _texts(data: bytes) -> Iterator[bytes]:
    """The text frames of a WebSocket client (RFC 6455, section 5.2; a client always masks)."""
    while len(data) >= 2:
        opcode, length, at = data[0] & 0x0F, data[1] & 0x7F, 2
        assert data[1] & 0x80, "a client's frame without a mask"
        assert not data[0] & 0x40, "a compressed frame cannot be read here"
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        mask, payload = data[at : at + 4], data[at + 4 : at + 4 + length]
        if len(payload) < length:
            return  # cut off in the middle
        if opcode == 1:
            yield bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        data = data[at + 4 + length :]
