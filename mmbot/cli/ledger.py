"""`mmbot ledger export`: everything that moved money, for the books."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.export import EPOCH, Columns, Format, Row, write
from mmbot.cli.wanted import (
    DeskFile,
    InstrumentName,
    ModeName,
    RunName,
    Since,
    StoreUrl,
    Until,
    one_of,
    wanted,
)

if TYPE_CHECKING:
    from mmbot.cli.past import AccountPast
    from mmbot.cli.wanted import Wanted
    from mmbot.research.history import Past

app = typer.Typer(no_args_is_help=True, add_completion=False)

COLUMNS: Columns = {
    "time": (datetime, "the venue's time, UTC"),
    "mode": (str, "live, testnet, paper or sim"),
    "venue": (str, "the exchange"),
    "account": (str, "the account there"),
    "kind": (str, "trade, fee, settlement, funding, delivery or transfer"),
    "instrument": (str, "the venue's name of it; none for transfers"),
    "side": (str, "of a trade: buy or sell"),
    "price": (Decimal, "of a trade or a delivery, in the instrument's quote unit"),
    "amount": (Decimal, "traded or delivered, signed, in the venue's amount unit"),
    "money": (Decimal, "what it brought (negative: took), in the currency; see above"),
    "currency": (str, "of the money"),
    "index": (Decimal, "USD per unit of the currency at that moment, where known"),
    "usd": (Decimal, "money x index, to the cent's hundredth"),
    "realized": (Decimal, "of a perpetual's or future's trade or delivery: its profit, see above"),
    "ref": (str, "the venue's id of the trade or the log entry"),
    "run": (str, "the run that booked it"),
}

_CENTS = Decimal("0.0001")

_MANUAL = "\n".join(
    [
        "Write every trade, fee, settlement, funding, delivery and transfer as a table, oldest "
        "first.",
        "",
        "Money is what the venue moved at that moment, so that the lines of a currency add up to "
        "the change of the balance there. An option's trade moves its premium and its delivery the "
        "payoff. A perpetual's or a future's trade moves nothing but its fee: what it realized is "
        "told beside it, and is paid by the next settlement (08:00 UTC) or the delivery. Fees are "
        "lines of their own, as charged. USD is at the index of that moment. The columns:",
        "",
        "\b",  # keeps the lines below as they are
        *(f"{name:<11} {doc}" for name, (_, doc) in COLUMNS.items()),
    ]
)


@app.callback()
def ledger() -> None:
    """Everything that moved money."""


@app.command(help=_MANUAL)
def export(
    format_: Annotated[
        str, typer.Option("--format", metavar="F", help="csv, json or parquet.")
    ] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Instead of stdout.")
    ] = None,
    since: Since = None,
    until: Until = None,
    instrument: InstrumentName = None,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
) -> None:
    """The manual above is what people see."""
    from mmbot.cli.past import accounts

    chosen = one_of(Format, format_, "format", "--format")
    asked = wanted(since, until, instrument, run, mode, config, store)
    rows = (
        _row(account, line)
        for account in accounts(asked)
        for line in sorted(_lines(account, asked), key=lambda line: line.ms)
        if _is_asked(line, asked)
    )
    try:
        count = write(rows, chosen, out, COLUMNS)
    except BrokenPipeError:
        return  # whoever read our output has had enough of it
    asked.refuse_nothing(count)
    print(f"{count} line{'' if count == 1 else 's'} from {asked.names}", file=sys.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One row but for what the account says."""

    ms: int
    kind: str
    instrument: str | None = None
    side: str | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    money: Decimal
    currency: str
    index: Decimal | None
    realized: Decimal | None = None
    ref: str
    run: int


def _lines(account: "AccountPast", asked: "Wanted") -> Iterator[_Line]:
    for name in account.unknown:
        print(f"{name}: left out, no contract terms are on file for it", file=sys.stderr)
    for past in account.pasts.values():
        if asked.fills.instrument in (None, past.instrument.name, past.instrument.id):
            yield from _of_instrument(past)
    for entry in account.entries:
        if entry.instrument is None and asked.fills.instrument is None:
            yield _Line(
                ms=entry.at_ms,
                kind=entry.kind,
                money=entry.money,
                currency=entry.currency,
                index=_usd_per(entry.currency, entry.index),
                ref=entry.ref,
                run=entry.run,
            )


def _of_instrument(past: "Past") -> Iterator[_Line]:
    """Replayed, because what a trade realizes depends on what was held."""
    from mmbot.core.inventory import Position
    from mmbot.core.statements import FlowKind
    from mmbot.core.types import ZERO
    from mmbot.research.history import OPENING, steps, take

    instrument, position = past.instrument, Position(past.instrument)
    option = instrument.premium_paid
    for step in steps(past):
        held, realized = position.amount, position.realized
        take(position, step)
        profit = position.realized - realized
        if step.fill is not None:
            fill = step.fill.fill
            change = fill.amount * fill.side.sign
            premium = -instrument.value(change, fill.price)
            trade = _Line(
                ms=step.ms,
                kind="trade",
                instrument=instrument.name,
                side=fill.side.value,
                price=fill.price,
                amount=change,
                money=premium if option else ZERO,
                realized=None if option else profit,
                currency=instrument.settlement,
                index=_usd_per(instrument.settlement, fill.index),
                ref=fill.trade_id,
                run=step.run,
            )
            yield trade
            if fill.fee:
                index = _usd_per(fill.fee_currency, fill.index)
                yield _fee(trade, fill.fee, fill.fee_currency, index)
        elif step.entry is not None and step.entry.kind != OPENING:
            entry = step.entry
            delivered = entry.kind == FlowKind.DELIVERY.value
            money = entry.money + entry.fee
            if delivered and option:
                assert entry.price is not None, f"delivery {entry.ref} without a price"
                money = instrument.value(held, entry.price) if held else ZERO
            flow = _Line(
                ms=step.ms,
                kind=entry.kind,
                instrument=instrument.name,
                price=entry.price if delivered else None,
                amount=-held if delivered else None,
                money=money,
                currency=entry.currency,
                index=_usd_per(entry.currency, entry.index),
                realized=profit if delivered and not option else None,
                ref=entry.ref,
                run=step.run,
            )
            yield flow
            if entry.fee:
                yield _fee(flow, entry.fee, entry.currency, flow.index)


def _fee(of: _Line, fee: Decimal, currency: str, index: Decimal | None) -> _Line:
    return _Line(
        ms=of.ms,
        kind="fee",
        instrument=of.instrument,
        money=-fee,
        currency=currency,
        index=index,
        ref=of.ref,
        run=of.run,
    )


def _usd_per(currency: str, index: Decimal | None) -> Decimal | None:
    from mmbot.core.profit import DOLLARS

    return Decimal(1) if currency in DOLLARS else index


def _is_asked(line: _Line, asked: "Wanted") -> bool:
    fills = asked.fills
    return not (
        (fills.since_ms is not None and line.ms < fills.since_ms)
        or (fills.until_ms is not None and line.ms >= fills.until_ms)
        or (fills.run is not None and line.run != fills.run)
    )


def _row(account: "AccountPast", line: _Line) -> Row:
    """In the order of COLUMNS."""
    from mmbot.core.labels import base36

    usd = None if line.index is None else (line.money * line.index).quantize(_CENTS)
    return (
        EPOCH + timedelta(milliseconds=line.ms),
        account.account_key.mode.value,
        account.account_key.venue,
        account.account_key.account,
        line.kind,
        line.instrument,
        line.side,
        line.price,
        line.amount,
        line.money,
        line.currency,
        line.index,
        usd,
        line.realized,
        line.ref,
        base36(line.run),
    )
