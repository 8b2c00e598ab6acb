"""What happened to one instrument on one account, told again in the order of the venue's time.

The very accounting of the engine (core.inventory) is fed with what is on file: openings, fills,
funding and deliveries, and the marks that were sampled. Whoever reads along sees the position
before and after each step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Pnl, Position
from mmbot.core.statements import Flow, FlowKind

if TYPE_CHECKING:
    from mmbot.store.queries import EntryRow, FillRow, MarkRow

OPENING = "opening"


@dataclass(frozen=True, slots=True)
class Past:
    """One instrument on one account. Rows in any order."""

    instrument: Instrument
    fills: list["FillRow"]
    entries: list["EntryRow"] = field(default_factory=list)
    marks: list["MarkRow"] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """Something that happened at `ms` (venue time) in a run; one of the three is not None."""

    ms: int
    run: int
    fill: "FillRow | None" = None
    entry: "EntryRow | None" = None
    mark: "MarkRow | None" = None


def steps(past: Past) -> list[Step]:
    """Everything that happened, oldest first; what is of one moment: openings, trades, flows,
    marks."""
    told = [Step(row.fill.venue_ms, row.run, fill=row) for row in past.fills]
    told += [Step(row.at_ms, row.run, entry=row) for row in past.entries]
    told += [Step(row.desk_ms, row.run, mark=row) for row in past.marks]
    return sorted(told, key=lambda step: (step.ms, _rank(step)))


def _rank(step: Step) -> int:
    if step.entry is not None:
        return 0 if step.entry.kind == OPENING else 2
    return 1 if step.fill is not None else 3


def take(position: Position, step: Step) -> None:
    """Let one step change the position."""
    if step.fill is not None:
        assert step.fill.fill.mark is not None, f"trade {step.fill.fill.trade_id} without a mark"
        position.book(step.fill.fill, step.fill.fill.mark)
    elif step.entry is not None and step.entry.kind == OPENING:
        position.open_with(step.entry.amount, step.entry.price)
    elif step.entry is not None:
        position.flow(_flow(step.entry))
        if step.entry.kind == FlowKind.FUNDING.value:
            position.accrued *= 0  # what had accrued is what was settled
    else:
        assert step.mark is not None
        position.accrued = step.mark.accrued
        position.revalue(step.mark.mark)


def replayed(past: Past) -> Position:
    """The position as it is at the end."""
    position = Position(past.instrument)
    for step in steps(past):
        take(position, step)
    return position


def profits(past: Past, at_ms: Iterable[int]) -> Iterator[tuple[Pnl, Position, bool]]:
    """For each of some moments, in rising order: the profit until then, the position (valid until
    the next is asked for), and whether it is valued at a mark of that very moment, or flat."""
    position, told, place, marked_ms = Position(past.instrument), steps(past), 0, -1
    for moment_ms in at_ms:
        while place < len(told) and told[place].ms <= moment_ms:
            take(position, told[place])
            if told[place].mark is not None:
                marked_ms = told[place].ms
            place += 1
        sure = marked_ms == moment_ms or not (position.amount or position.accrued)
        yield position.pnl(position.mark), position, sure


def _flow(row: "EntryRow") -> Flow:
    return Flow(
        ref=row.ref,
        kind=FlowKind(row.kind),
        instrument=row.instrument,
        currency=row.currency,
        money=row.money,
        venue_ms=row.at_ms,
        price=row.price,
        fee=row.fee,
        index=row.index,
    )
