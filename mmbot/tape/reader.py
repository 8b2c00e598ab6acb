"""A tape file, turn by turn, as far as it is sound.

Theory of operation
-------------------
A file is read block by block; a block is taken whole, checksum and all, or not at all. So a tape
ends in one of three ways, told apart because they mean different things to a person: it says
itself why it ends; it was cut short (the process or the machine died: everything read is good); or
what comes next is damaged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zstandard

from mmbot.errors import ConfigError
from mmbot.tape.codec import decode
from mmbot.tape.folder import in_use
from mmbot.tape.format import (
    FORMAT,
    LENGTH_BYTES,
    RECORD_MAX_BYTES,
    Checkpoint,
    End,
    EndReason,
    Header,
    Record,
    Turn,
)

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ending:
    """How a file ends. `why` None: it does not say; it was cut short, is damaged, or growing."""

    why: EndReason | None
    damage: str = ""
    """What is wrong after the last good turn; empty where nothing is."""
    growing: bool = False
    """The file is being written just now, so it has no end yet."""

    @property
    def word(self) -> str:
        """In one word, for programs: closed, full, gap, cut, growing or damaged."""
        if self.damage:
            return "damaged"
        if self.why is not None:
            return self.why.value
        return "growing" if self.growing else "cut"

    @property
    def text(self) -> str:
        """In words."""
        if self.damage:
            return f"damaged: {self.damage}"
        if self.growing:
            return "it is still being written"
        match self.why:
            case None:
                return "cut short at its end, as a crash leaves it"
            case EndReason.CLOSED:
                return "the run ended"
            case EndReason.FULL:
                return "goes on in the next file"
            case EndReason.GAP:
                return "turns after it are missing: the disk did not keep up"


class TapeFile:
    """One file. `turns` may be asked once; afterwards `ending` says how it ended."""

    def __init__(self, path: Path) -> None:
        """Reads header and checkpoint. Raises ConfigError for what is no tape of ours."""
        self.path = path
        self.ending = Ending(None)
        self._blocks = _Blocks(path)
        self._records = self._read()
        try:
            raw = next(self._records, None)
            head = next(self._records, None)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
        if raw is None:
            said = self.ending.damage or "it is empty"
            raise ConfigError(f"{path}: not a tape of mmbot: {said}")
        self.header = _header(path, raw)
        if head is None:
            said = self.ending.damage or "cut short"
            raise ConfigError(f"{path}: no turn of it can be read: {said} before the first one")
        try:
            checkpoint = _record(head)
        except ValueError as error:
            raise ConfigError(f"{path}: not a tape of mmbot: {error}") from error
        if not isinstance(checkpoint, Checkpoint):
            raise ConfigError(f"{path}: not a tape of mmbot: no checkpoint at its beginning")
        self.state: msgspec.Raw = checkpoint.state

    @property
    def share_read(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return self._blocks.read_bytes / max(1, self._blocks.size_bytes)

    def turns(self) -> Iterator[Turn]:
        """Every sound turn."""
        for raw in self._records:
            try:
                record = _record(raw)
            except ValueError as error:
                self.ending = Ending(None, f"a record that cannot be read: {error}")
                return
            match record:
                case Turn():
                    yield record
                case End():
                    self.ending = Ending(record.why)
                    return
                case Checkpoint():
                    self.ending = Ending(None, "a second checkpoint")
                    return

    def _read(self) -> Iterator[bytes]:
        """Records, undecoded, of every sound block."""
        for block in self._blocks.sound():
            at = 0
            while at < len(block):
                length = int.from_bytes(block[at : at + LENGTH_BYTES])
                at += LENGTH_BYTES
                if length > RECORD_MAX_BYTES or at + length > len(block):
                    self.ending = Ending(None, "a record reaches beyond its block")
                    return
                yield block[at : at + length]
                at += length
        self.ending = Ending(None, self._blocks.damage, growing=in_use(self.path))


class _Blocks:
    """The blocks of a file, decompressed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size_bytes = 0
        self.read_bytes = 0
        self.damage = ""

    def sound(self) -> Iterator[bytes]:
        """Every block up to the end or the first damage. Raises OSError where there is no file."""
        with self._path.open("rb") as file:
            self.size_bytes = self._path.stat().st_size
            rest = b""
            block: list[bytes] = []
            frame = zstandard.ZstdDecompressor().decompressobj()
            while data := rest or file.read(_CHUNK_BYTES):
                if not rest:
                    self.read_bytes += len(data)
                try:
                    block.append(frame.decompress(data))
                except zstandard.ZstdError as error:
                    self.damage = f"{error}, near byte {self.read_bytes}"
                    return
                rest = frame.unused_data
                if frame.eof:
                    yield b"".join(block)
                    block = []
                    frame = zstandard.ZstdDecompressor().decompressobj()


def _header(path: Path, raw: bytes) -> Header:
    try:
        version = decode(_AnyHeader, raw)
    except ValueError:
        raise ConfigError(f"{path}: not a tape of mmbot") from None
    if version.format != FORMAT:
        raise ConfigError(
            f"{path}: recorded in format {version.format} by mmbot {version.mmbot}; this one reads "
            f"format {FORMAT}: use that version"
        )
    try:
        return decode(Header, raw)
    except ValueError as error:
        raise ConfigError(f"{path}: its header cannot be read: {error}") from error


class _AnyHeader(msgspec.Struct, tag="mmbot tape"):
    """What every format's header has."""

    format: int
    mmbot: str


_records: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def _record(raw: bytes) -> Record:
    return _records.decode(raw)
