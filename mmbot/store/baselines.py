"""Where loss limits count from, so that a restart does not begin a new day.

Loss limits are those of the risk book, which is over all accounts of a run. Its baseline is kept
under each of them, so that a later run finds it, whichever of them it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, delete, insert

from mmbot.core.profit import Baseline
from mmbot.core.types import InstrumentId, Nanos
from mmbot.store import schema
from mmbot.store.records import AccountKey, BaselineKept

_BOOK = "book "
"""Before the name of a book, where instruments stand: no instrument has a space in its venue."""


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """A baseline on file and when it was written (wall time)."""

    baseline: Baseline
    at_ns: Nanos


def keep(connection: Connection, account_keys: Sequence[AccountKey], record: BaselineKept) -> None:
    """The newest baseline of each account takes the place of the one before."""
    table, baseline = schema.baselines, record.baseline
    figures = {
        "day": baseline.day,
        "day_start_usd": baseline.day_start_usd,
        "peak_usd": baseline.peak_usd,
        "total_usd": baseline.total_usd,
        "counted": orjson.dumps(_counted(baseline)).decode(),
        "at_ns": record.at_ns,
    }
    for account_key in account_keys:
        mine: dict[str, Any] = {"venue": account_key.venue, "account": account_key.account}
        connection.execute(delete(table).where(*(table.c[k] == v for k, v in mine.items())))
        connection.execute(insert(table).values(**mine, **figures))


def _counted(baseline: Baseline) -> dict[str, str]:
    """The money by instrument, and the names of its books as instruments that earned nothing."""
    names = {f"{_BOOK}{name}": "0" for name in baseline.books}
    return names | {k: str(v) for k, v in baseline.counted.items()}


def from_row(row: RowMapping) -> BaselineRow:
    """A row of the table."""
    read: dict[str, str] = orjson.loads(row["counted"])
    counted = {InstrumentId(k): Decimal(v) for k, v in read.items() if not k.startswith(_BOOK)}
    baseline = Baseline(
        row["day"],
        row["day_start_usd"],
        row["peak_usd"],
        row["total_usd"],
        counted,
        tuple(k.removeprefix(_BOOK) for k in read if k.startswith(_BOOK)),
    )
    return BaselineRow(baseline, row["at_ns"])
