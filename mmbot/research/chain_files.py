"""Option chains from files, whoever wrote them: what a layout looks like, and what it says.

    parquet     scaled integers, many moments: `snap_ts_ms`, `bid_e8`, ... (docs/data.md)
    JSON        a book summary as the venue answers it, with or without the envelope; or a chain by
                expiry, `expiries: {NAME: {options: [...]}}`
    CSV         a book summary, one row an option; or trades of options, whose volatility stands for
                the venue's
    a tape      of `mmbot quote`: what its markets were at a moment, our own orders left out

JSON and CSV may be compressed with gzip. A file is told by what is in it, not by its name.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from mmbot.errors import ConfigError
from mmbot.pricing.chain_quotes import ChainQuotes
from mmbot.research import chain_tape
from mmbot.research.chain_rows import Row, number, parsed, quotes

Said = Callable[[float], None]
"""Called with the share of the file that was read, 0 to 1."""

_MS = 1_000_000
_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_SYNTHETIC = "SYN."
_PERCENT = 0.01


@dataclass(frozen=True, slots=True)
class Found:
    """A chain, and what else is in its file."""

    chain: ChainQuotes
    underlyings: tuple[str, ...]
    moments: int = 1
    unreadable: int = 0
    """Rows that name no option."""


def read(
    path: Path, underlying: str | None, at_ns: int | None, said: Said = lambda _: None
) -> Found:
    """One underlying's chain: the latest that is not after the moment, or the latest of all.

    Without an underlying, the first by name. Raises ConfigError for a file that holds none.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin == _PARQUET:
            return _parquet(path, underlying, at_ns)
        if begin == _ZSTD:
            rows, when_ns = chain_tape.rows(path, at_ns, said)
            return _chosen(path, rows, 0, underlying, when_ns)
        text = _text(path, begin[:2] == _GZIP)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    said(0.5)
    if not text.strip():
        raise ConfigError(f"{path}: it is empty")
    if text.lstrip()[:1] in "{[":
        return _json(path, text, underlying, at_ns)
    return _csv(path, text, underlying, at_ns)


def _text(path: Path, packed: bool) -> str:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if packed else data).decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: neither a table, nor JSON, nor a tape") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{path}: truncated or damaged: {error}") from error


def _chosen(
    path: Path, rows: Iterable[Row], unreadable: int, underlying: str | None, at_ns: int
) -> Found:
    """The chain of one underlying. Raises ConfigError where there is none."""
    rows = list(rows)
    there = tuple(sorted({row.name.underlying for row in rows}))
    if not there:
        raise ConfigError(f"{path}: holds no option at that moment")
    chain = quotes(rows, _one_of(path, underlying, there), at_ns)
    return Found(chain, there, unreadable=unreadable)


def _one_of(path: Path, underlying: str | None, there: tuple[str, ...]) -> str:
    if underlying is None:
        return there[0]
    wanted = underlying.upper()
    if wanted not in there:
        raise ConfigError(f"--underlying: {path} holds {', '.join(there)}, and no {wanted}")
    return wanted


def _not_before(path: Path, at_ns: int | None, first_ns: int) -> None:
    if at_ns is not None and at_ns < first_ns:
        raise ConfigError(f"--at: the first moment of {path} is {moment_text(first_ns)}")


def moment_text(at_ns: int) -> str:
    """A moment as JSON and people have it: 2026-02-07T18:39:23.889Z."""
    at = datetime.fromtimestamp(at_ns // _MS / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns // _MS % 1000:03}Z"


# --- JSON -------------------------------------------------------------------------------------


def _json(path: Path, text: str, underlying: str | None, at_ns: int | None) -> Found:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}: truncated or no JSON: {error}") from error
    if isinstance(said, dict) and isinstance(said.get("expiries"), dict):
        when_ns = _captured_ns(path, said.get("captured_at_utc"))
        listed = [option for one in said["expiries"].values() for option in _options(one)]
        percent = 1.0
    else:
        summary = said.get("result") if isinstance(said, dict) else said
        if not isinstance(summary, list):
            raise ConfigError(f"{path}: no chain of options: neither `expiries` nor `result` in it")
        listed, when_ns = summary, _created_ns(path, summary)
        percent = _PERCENT
    _not_before(path, at_ns, when_ns)
    return _of_objects(path, listed, percent, underlying, when_ns)


def _of_objects(
    path: Path,
    listed: Iterable[object],
    percent: float,
    underlying: str | None,
    when_ns: int,
) -> Found:
    unreadable, rows = 0, []
    for one in listed:
        row = _row(one, percent) if isinstance(one, Mapping) else None
        if row is None:
            unreadable += 1
        else:
            rows.append(row)
    if not rows:
        raise ConfigError(f"{path}: no chain of options: no row of it names one")
    return _chosen(path, rows, unreadable, underlying, when_ns)


def _row(said: Mapping[str, Any], percent: float) -> Row | None:
    """Of a book summary or of a chain by expiry: their fields have the same names."""
    name = parsed(said.get("instrument_name"))
    if name is None:
        return None
    bid, ask = (
        said.get(f"{side}_price", said.get(f"best_{side}_price")) for side in ("bid", "ask")
    )
    source = said.get("underlying_index")
    return Row(
        name,
        bid=number(bid),
        ask=number(ask),
        mark=number(said.get("mark_price")),
        mark_vol=number(said.get("mark_iv")) * percent,
        forward=number(said.get("underlying_price")),
        synthetic=isinstance(source, str) and source.startswith(_SYNTHETIC),
    )


def _options(expiry: object) -> list[Any]:
    found = expiry.get("options") if isinstance(expiry, dict) else None
    return found if isinstance(found, list) else []


def _captured_ns(path: Path, text: object) -> int:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ConfigError(f"{path}: no chain of options: `captured_at_utc` is no moment")
    return int(at.timestamp() * 1000) * _MS


def _created_ns(path: Path, listed: Iterable[object]) -> int:
    """The newest stamp of a book summary's rows."""
    stamps = [
        stamp
        for one in listed
        if isinstance(one, Mapping) and (stamp := number(one.get("creation_timestamp"))) > 0.0
    ]
    if not stamps:
        raise ConfigError(f"{path}: no chain of options: no row has a `creation_timestamp`")
    return int(max(stamps)) * _MS


# --- CSV --------------------------------------------------------------------------------------

_SUMMARY = {"instrument_name", "creation_timestamp", "bid_price", "ask_price", "underlying_price"}
_TRADES = {"instrument_name", "t", "iv", "index_price"}


def _csv(path: Path, text: str, underlying: str | None, at_ns: int | None) -> Found:
    table = csv.DictReader(io.StringIO(text))
    columns = set(table.fieldnames or ())
    if columns >= _SUMMARY:
        listed = list(table)
        when_ns = _created_ns(path, listed)
        _not_before(path, at_ns, when_ns)
        return _of_objects(path, listed, _PERCENT, underlying, when_ns)
    if columns >= _TRADES:
        return _trades(path, table, underlying, at_ns)
    shown = ", ".join(sorted(columns)[:6])
    raise ConfigError(f"{path}: no chain of options: its columns are {shown}, ...")


def _trades(
    path: Path, table: Iterable[Mapping[str, Any]], underlying: str | None, at_ns: int | None
) -> Found:
    """The last trade of each option stands for the venue's volatility; nothing was quoted."""
    unreadable, dated = 0, []
    for said in table:
        name, at_ms = parsed(said.get("instrument_name")), number(said.get("t"))
        if name is None or not at_ms > 0.0:
            unreadable += 1
            continue
        traded = Row(
            name,
            mark_vol=number(said.get("iv")) * _PERCENT,
            forward=number(said.get("index_price")),
            synthetic=True,
        )
        dated.append((int(at_ms) * _MS, traded))
    if not dated:
        raise ConfigError(f"{path}: no trade of an option in it")
    dated.sort(key=lambda one: one[0])
    _not_before(path, at_ns, dated[0][0])
    until_ns = dated[-1][0] if at_ns is None else at_ns
    rows = [row for when_ns, row in dated if when_ns <= until_ns]
    return _chosen(path, rows, unreadable, underlying, min(until_ns, dated[-1][0]))


# --- parquet ----------------------------------------------------------------------------------

_SCALES = {
    "bid_e8": 1e8,
    "ask_e8": 1e8,
    "mark_e8": 1e8,
    "mark_iv_e4": 1e4,
    "underlying_e4": 1e4,
}
_NEEDED = ("snap_ts_ms", "instrument", *_SCALES, "underlying_name")


def _parquet(path: Path, underlying: str | None, at_ns: int | None) -> Found:
    pyarrow, file = _opened(path)
    try:
        stamps = file.read(columns=["snap_ts_ms"])["snap_ts_ms"].to_numpy()
        if not len(stamps):
            raise ConfigError(f"{path}: it is empty")
        moments = np.unique(stamps)
        _not_before(path, at_ns, int(moments[0]) * _MS)
        until_ms = moments[-1] if at_ns is None else at_ns // _MS
        at_ms = int(moments[np.searchsorted(moments, until_ms, side="right") - 1])
        table = file.read(columns=list(_NEEDED)).filter(pyarrow.array(stamps == at_ms))
    except (pyarrow.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: truncated or damaged: {error}") from error
    rows, unreadable = _scaled_rows(table)
    found = _chosen(path, rows, unreadable, underlying, at_ms * _MS)
    return Found(found.chain, found.underlyings, len(moments), unreadable)


def _scaled(said: Mapping[str, Any]) -> Row | None:
    name = parsed(said["instrument"])
    if name is None:
        return None
    bid, ask, mark, mark_vol, forward = (
        number(said[column]) / scale for column, scale in _SCALES.items()
    )
    source = said["underlying_name"]
    return Row(
        name,
        bid=bid,
        ask=ask,
        mark=mark,
        mark_vol=mark_vol,
        forward=forward,
        synthetic=isinstance(source, str) and source.startswith(_SYNTHETIC),
    )


def every_chain(path: Path, nth: int = 1) -> Iterator[ChainQuotes]:
    """Every chain of every nth moment of a parquet file. Raises ConfigError."""
    tables, file = _opened(path)
    table = file.read(columns=list(_NEEDED))
    stamps = table["snap_ts_ms"].to_numpy()
    for at_ms in np.unique(stamps)[::nth].tolist():
        rows, unreadable = _scaled_rows(table.filter(tables.array(stamps == at_ms)))
        for underlying in sorted({row.name.underlying for row in rows}):
            yield _chosen(path, rows, unreadable, underlying, at_ms * _MS).chain


def _opened(path: Path) -> tuple[Any, Any]:
    """pyarrow, and a file that has the columns. Raises ConfigError."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            f"{path} is parquet, which needs pyarrow: run pip install 'mmbot[parquet]'"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: truncated or damaged: {error}") from error
    missing = [name for name in _NEEDED if name not in file.schema_arrow.names]
    if missing:
        raise ConfigError(f"{path}: no chain of options: it has no column {missing[0]}")
    return pyarrow, file


def _scaled_rows(table: Any) -> tuple[list[Row], int]:
    """The options, and how many rows name none."""
    found = [_scaled(said) for said in table.to_pylist()]
    rows = [row for row in found if row is not None]
    return rows, len(found) - len(rows)
