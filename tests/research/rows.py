"""Rows as the store gives them, for the arithmetic of reports."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.statements import Equity
from mmbot.core.types import MS, Side
from mmbot.store.queries import EntryRow, EquityRow, FillRow, MarkRow
from tests.builders import NOW_NS, a_fill, an_option

NOW_MS = NOW_NS // MS
ACCOUNT = {"venue": "deribit", "account": "sim-1"}


def fill(
    at_s: float,
    side: Side,
    price: str,
    amount: str = "1",
    *,
    mark: str | None = None,
    fee: str = "0",
    index: str | None = "2000",
    instrument: Instrument | None = None,
    run: int = 1,
    ours: bool = True,
) -> FillRow:
    """An execution some seconds after NOW; its mark is its price unless given."""
    made = a_fill(
        side,
        price,
        amount,
        instrument=instrument,
        trade_id=f"{at_s} {side.value} {price}",
        fee=fee,
        venue_ms=NOW_MS + round(at_s * 1000),
        mark=mark or price,
    )
    made = replace(made, index=None if index is None else Decimal(index))
    return FillRow(fill=made, run=run, ours=ours, booked_ns=0, **ACCOUNT)


def mark(
    at_s: float,
    price: str,
    *,
    index: str | None = "2000",
    accrued: str = "0",
    instrument: Instrument | None = None,
    run: int = 1,
) -> MarkRow:
    """A sampled mark some seconds after NOW."""
    return MarkRow(
        run=run,
        instrument=(instrument or an_option()).id,
        desk_ms=NOW_MS + round(at_s * 1000),
        mark=Decimal(price),
        index=None if index is None else Decimal(index),
        accrued=Decimal(accrued),
        **ACCOUNT,
    )


def entry(at_s: float, kind: str, **changes: Any) -> EntryRow:
    """Something that is no trade, some seconds after NOW."""
    values: dict[str, Any] = {
        "kind": kind,
        "ref": f"{kind} {at_s}",
        "run": 1,
        "instrument": an_option().id,
        "currency": "ETH",
        "amount": Decimal(0),
        "price": None,
        "money": Decimal(0),
        "fee": Decimal(0),
        "at_ms": NOW_MS + round(at_s * 1000),
        **ACCOUNT,
    }
    return EntryRow(**(values | changes))


def equity(at_s: float, amount: str, currency: str = "ETH", run: int = 1) -> EquityRow:
    """The venue's statement some seconds after NOW."""

    stated = Equity(currency, Decimal(amount), Decimal(amount))
    desk_ms = NOW_MS + round(at_s * 1000)
    return EquityRow(run=run, at_ns=NOW_NS, equity=stated, desk_ms=desk_ms, **ACCOUNT)
