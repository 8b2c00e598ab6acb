"""Prices out of a file of recorded data: csv, gzipped or not, or parquet.

What is in it is told by its columns (LAYOUTS): bars with open, high, low and close, or prices, with
a column of times in front of them, which are ISO moments or seconds, milli-, micro- or nanoseconds
since 1970. Rows may come in any order; a row without a price is left out; of several rows of one
moment the last one counts. A file of several underlyings is read for one of them.
"""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbot.errors import ConfigError

Array = NDArray[np.float64]

TIMES = ("timestamp", "time", "unix", "t", "ts", "date", "datetime")
COINS = ("symbol", "coin", "ccy", "currency", "underlying")


class Layout(NamedTuple):
    """Columns that tell prices: one of them, or open, high, low and close."""

    times: Sequence[str]
    """The first that is there counts."""
    prices: Sequence[str]
    scale: float = 1.0


LAYOUTS = (
    Layout(TIMES, ("open", "high", "low", "close")),
    Layout(("candle_price_timestamp_ms",), ("candle_price_used",)),
    Layout(("snap_ts_ms",), ("index_e2",), 0.01),
    Layout(TIMES, ("index_price",)),
    Layout(TIMES, ("btc_close",)),
    Layout(TIMES, ("price",)),
)

_UNITS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (0.0, 1.0))
"""(from, seconds): how a time is counted, by its size; 1e11 ms are of 1973, and so are the rest."""


class Prices(NamedTuple):
    """What a file tells: moments in seconds, ascending, and by column the prices of each."""

    times_s: Array
    columns: Array
    """One line, or those of open, high, low and close."""

    @property
    def are_bars(self) -> bool:
        """Whether each moment is a bar."""
        return len(self.columns) > 1


Row = tuple[float, str, tuple[float, ...]]
"""Time in seconds, underlying, prices."""


def read_prices(path: Path, underlying: str | None) -> Prices:
    """The prices in a file. Raises ConfigError where it cannot be read or tells none."""
    try:
        rows = list(_rows(path))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ConfigError(f"{path}: a gzip file that is cut off or damaged") from None
    except (UnicodeDecodeError, csv.Error):
        raise ConfigError(f"{path}: neither csv nor parquet") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    kept = _of_one(path, rows, underlying)
    found = {time: prices for time, _, prices in sorted(kept, key=lambda row: row[0])}
    if not found:
        raise ConfigError(f"{path}: no row with a price")
    return Prices(np.array(list(found)), np.array(list(found.values())).T)


def _rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == b"PAR1":
            yield from _parquet_rows(path)
            return
        if not magic:
            raise ConfigError(f"{path}: the file is empty")
        zipped = magic[:2] == b"\x1f\x8b"
        whole = io.BufferedReader(gzip.GzipFile(fileobj=file)) if zipped else file
        with io.TextIOWrapper(whole, encoding="utf-8", newline="") as text:
            yield from _csv_rows(path, csv.reader(text))


def _csv_rows(path: Path, lines: Iterable[list[str]]) -> Iterator[Row]:
    reader = iter(lines)
    head = next(reader, [])
    pick = _picker(path, head)
    for number, line in enumerate(reader, start=2):
        if len(line) != len(head):
            raise ConfigError(f"{path}: line {number} has {len(line)} of {len(head)} columns")
        try:
            row = pick(line)
        except ValueError as error:
            raise ConfigError(f"{path}: line {number}: {error}") from None
        if row is not None:
            yield row


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        parquet = import_module("pyarrow.parquet")
        arrow = import_module("pyarrow")
    except ImportError:
        raise ConfigError(
            f"{path}: parquet needs pyarrow, which is not installed: "
            "run pip install 'mmbot[parquet]'"
        ) from None
    try:
        head = parquet.read_schema(path).names
        layout, coin = _layout(path, head)
        wanted = [_time_of(layout, head), *layout.prices, *([coin] if coin else [])]
        columns = parquet.read_table(path, columns=wanted).to_pydict()
    except arrow.ArrowException:
        raise ConfigError(f"{path}: a parquet file that is cut off or damaged") from None
    pick = _picker(path, wanted)
    for number, line in enumerate(zip(*columns.values(), strict=True), start=1):
        try:
            row = pick(["" if cell is None else str(cell) for cell in line])
        except ValueError as error:
            raise ConfigError(f"{path}: row {number}: {error}") from None
        if row is not None:
            yield row


# --- columns ---


def _layout(path: Path, head: Sequence[str]) -> tuple[Layout, str | None]:
    """The layout that fits the columns, and the column that names an underlying."""
    for layout in LAYOUTS:
        if set(layout.prices) <= set(head) and set(layout.times) & set(head):
            return layout, next((name for name in COINS if name in head), None)
    shown = ", ".join(head[:6]) + (" ..." if len(head) > 6 else "")
    raise ConfigError(
        f"{path}: no prices known by its columns ({shown[:80]}): needed are a time "
        f"({', '.join(TIMES)}) and open, high, low, close, or price"
    )


def _time_of(layout: Layout, head: Sequence[str]) -> str:
    return next(name for name in layout.times if name in head)


def _picker(path: Path, head: Sequence[str]) -> Callable[[Sequence[str]], Row | None]:
    """What takes the row out of a line of cells; None where there is no price in it. Raises
    ValueError."""
    layout, coin = _layout(path, head)
    places: Mapping[str, int] = {name: place for place, name in enumerate(head)}
    time = places[_time_of(layout, head)]
    coin_place = None if coin is None else places[coin]
    columns = [places[name] for name in layout.prices]

    def pick(line: Sequence[str]) -> Row | None:
        cells = [line[place] for place in columns]
        if "" in cells:
            return None
        prices = tuple(_price(cell) * layout.scale for cell in cells)
        if len(prices) > 1:
            _refuse_odd_bar(*prices)
        return _seconds(line[time]), "" if coin_place is None else line[coin_place], prices

    return pick


def _price(text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0.0 < price < math.inf:
        raise ValueError(f"{text!r} is no price")
    return price


def _refuse_odd_bar(opened: float, high: float, low: float, close: float) -> None:
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise ValueError("a bar whose high or low is within its open and close")


def _seconds(text: str) -> float:
    """A moment in seconds since 1970. Raises ValueError."""
    try:
        count = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no time") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0.0 <= count < math.inf:
        raise ValueError(f"{text!r} is no time")
    return count * next(unit for least, unit in _UNITS if count >= least)


def _of_one(path: Path, rows: Sequence[Row], underlying: str | None) -> Sequence[Row]:
    """The rows of the underlying that is wanted, or of the only one."""
    there = sorted({name for _, name, _ in rows})
    if underlying is None:
        if len(there) > 1:
            shown = ", ".join(there[:8])
            raise ConfigError(f"{path}: prices of {shown}: say which by --underlying")
        return rows
    kept = [row for row in rows if row[1].upper() == underlying.upper()]
    if not kept:
        shown = ", ".join(filter(None, there[:8])) or "none that has a name"
        raise ConfigError(f"--underlying {underlying}: not in {path}: there is {shown}")
    return kept
