"""Tables for other programs: the columns of the fills, and the formats any table is written in.

Numbers are exact in every format: csv and json carry their digits as text, parquet has decimals.
"""

import csv
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from importlib import import_module
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from mmbot.core.types import instrument_name
from mmbot.errors import ConfigError

if TYPE_CHECKING:
    from mmbot.config import Mode
    from mmbot.store.queries import FillRow

Columns = Mapping[str, tuple[type, str]]
"""Name -> type of the cells that are not None, and what they are."""

COLUMNS: Columns = {
    "time": (datetime, "the venue's time of the trade, UTC"),
    "mode": (str, "live, testnet, paper or sim"),
    "venue": (str, "the exchange"),
    "account": (str, "the account there"),
    "instrument": (str, "the venue's name of it"),
    "side": (str, "ours: buy or sell"),
    "price": (Decimal, "in the instrument's quote unit (coin for inverse options)"),
    "amount": (Decimal, "in the venue's amount unit (USD for inverse perpetuals)"),
    "fee": (Decimal, "as charged; negative for a rebate"),
    "fee_currency": (str, "what the fee was paid in"),
    "liquidity": (str, "maker or taker"),
    "mark": (Decimal, "the mark price it was valued against"),
    "index": (Decimal, "USD per coin at that moment, where the venue said so"),
    "trade_id": (str, "the venue's; unique for a venue and account"),
    "order_id": (str, "the venue's"),
    "label": (str, "the order's label"),
    "run": (str, "the run that booked it"),
    "ours": (bool, "false: the order was not placed by mmbot"),
    "finality": (str, "final, provisional (it may be taken back) or voided (it was)"),
    "reverses": (str, "of the entry that takes a voided fill back: its trade_id"),
}
"""Of the fills."""

Cell = str | bool | Decimal | datetime | None
Row = tuple[Cell, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Format(Enum):
    """What the table can be written as."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def cells(row: "FillRow", mode: "Mode") -> Row:
    """One fill in the order of COLUMNS."""
    from mmbot.core.labels import base36

    fill = row.fill
    return (
        EPOCH + timedelta(milliseconds=fill.venue_ms),
        mode.value,
        row.venue,
        row.account,
        instrument_name(fill.instrument),
        fill.side.value,
        fill.price,
        fill.amount,
        fill.fee,
        fill.fee_currency,
        fill.liquidity.value if fill.liquidity is not None else None,
        fill.mark,
        fill.index,
        fill.trade_id,
        fill.order_id,
        fill.label,
        base36(row.run),
        row.ours,
        fill.finality.value,
        fill.reverses or None,
    )


def as_object(row: Row, columns: Columns = COLUMNS) -> dict[str, str | bool | None]:
    """A row as JSON has it: numbers and moments as text."""
    values = (v if v is None or isinstance(v, bool) else _text(v) for v in row)
    return dict(zip(columns, values, strict=True))


def write(
    rows: Iterable[Row], format_: Format, out: Path | None, columns: Columns = COLUMNS
) -> int:
    """Write the table to a file, or to stdout; how many rows it has.

    A file appears whole or not at all. Raises ConfigError where it cannot be written, and
    BrokenPipeError when nobody reads stdout any more.
    """
    if format_ is Format.PARQUET:
        _require_pyarrow()
        if out is None and sys.stdout.isatty():
            raise ConfigError("--format parquet is not for a terminal: add --out FILE")
    rows = iter(rows)
    with suppress(StopIteration):
        # What cannot be read is told before anything is written.
        first = next(rows)
        rows = chain((first,), rows)
    with _opened(out) as file:
        return _WRITERS[format_](rows, file, columns)


def _csv(rows: Iterable[Row], file: IO[bytes], columns: Columns) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    count = 0
    try:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            table.writerow(map(_text, row))
            count += 1
    finally:
        text.detach()  # else it would close the file with itself
    return count


def _json(rows: Iterable[Row], file: IO[bytes], columns: Columns) -> int:
    import orjson

    count = 0
    for row in rows:
        file.write(b",\n " if count else b"[\n ")
        file.write(orjson.dumps(as_object(row, columns)))
        count += 1
    file.write(b"\n]\n" if count else b"[]\n")
    return count


def _parquet(rows: Iterable[Row], file: IO[bytes], columns: Columns) -> int:
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    table = list(rows)
    types = {
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        datetime: pyarrow.timestamp("ms", tz="UTC"),
    }
    arrays = {}
    for place, (name, (kind, _)) in enumerate(columns.items()):
        column = [row[place] for row in table]
        type_ = types.get(kind)
        if type_ is None and all(value is None for value in column):
            type_ = pyarrow.decimal128(38, 18)
        # Without a type, decimals get the precision and scale that hold every one of them.
        arrays[name] = pyarrow.array(column, type_)
    parquet.write_table(pyarrow.table(arrays), file)
    return len(table)


_WRITERS: dict[Format, Callable[[Iterable[Row], IO[bytes], Columns], int]] = {
    Format.CSV: _csv,
    Format.JSON: _json,
    Format.PARQUET: _parquet,
}


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case Decimal():
            return f"{cell:f}"
        case datetime():
            return cell.strftime("%Y-%m-%dT%H:%M:%S.") + f"{cell.microsecond // 1000:03}Z"
    return cell


def _require_pyarrow() -> None:
    try:
        import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            "--format parquet needs pyarrow, which is not installed: "
            "run pip install 'mmbot[parquet]'"
        ) from None


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[bytes]]:
    """stdout, or a file that takes its place only when it is complete."""
    try:
        if out is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        target = out.resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device
            return
        with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            unfinished = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                unfinished.chmod(0o644 if not target.exists() else target.stat().st_mode & 0o777)
                unfinished.replace(target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "stdout" if out is None else f"--out: {out}"
        raise ConfigError(f"{name} cannot be written: {error.strerror}") from error
