"""What the fills came to: one tally per group (an instrument, a day, a run), and their totals.

Theory of operation
-------------------
Each instrument's history is replayed from its first fill on (research.history), so that a tally of
one day begins with the position and the cost of the day before. What a step changes belongs to the
group of that step; steps that are not asked for are replayed and not counted. Between two steps
the mark moved: that profit belongs to the later one, and sampled marks are steps too. A fill that
was taken back is no fill: it and its reversal only add up, to nothing.

A *markout* is what a fill is worth some time later: value(dq, mark at t + h) - value(dq, price), in
settlement currency, before fees; positive is good for us. A markout needs a sample of the mark at t
+ h or at most MARK_LATE_MS after, so fills just before the bot stopped have none.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Pnl, Position
from mmbot.core.profit import DOLLARS
from mmbot.core.statements import Finality, FlowKind
from mmbot.core.types import ZERO
from mmbot.research.history import Past, Step, steps, take

if TYPE_CHECKING:
    from mmbot.store.queries import FillRow, MarkRow

HORIZONS_S = (1, 10, 60)
MARK_LATE_MS = 1000


@dataclass(slots=True)
class Markout:
    """What `fills` fills were worth at one horizon, together."""

    money: Decimal = ZERO
    fills: int = 0

    def add(self, other: "Markout") -> None:
        """Both together."""
        self.money += other.money
        self.fills += other.fills


@dataclass(slots=True)
class Tally:
    """One group. Money in `currency`, volume and inventory in the instrument's amount unit."""

    currency: str
    fills: int = 0
    not_ours: int = 0
    """Of the fills: made by orders that were not placed by mmbot."""
    orders: int = 0
    """Orders of ours that reached the venue."""
    volume: Decimal = ZERO
    volume_usd: Decimal = ZERO
    pnl: Pnl = field(default_factory=Pnl)
    closings: int = 0
    """Fills and deliveries that made a position smaller, and ..."""
    wins: int = 0
    """... of these, the ones that realized more than their own fee."""
    held_ms: dict[Decimal, int] = field(default_factory=dict)
    """Absolute position -> how long it was held."""
    markouts: dict[int, Markout] = field(
        default_factory=lambda: {horizon_s: Markout() for horizon_s in HORIZONS_S}
    )
    index: Decimal | None = None
    """USD per unit of `currency`, the last that is known."""

    @property
    def max_inventory(self) -> Decimal:
        """The largest absolute position."""
        return max(self.held_ms, default=ZERO)

    @property
    def at_max_s(self) -> float:
        """How long it was held."""
        return self.held_ms.get(self.max_inventory, 0) / 1000

    @property
    def at_max_share(self) -> float | None:
        """... of the time that is known of."""
        known_ms = sum(self.held_ms.values())
        return self.at_max_s * 1000 / known_ms if known_ms else None

    def usd(self, money: Decimal) -> float | None:
        """Money in USD at the last index."""
        if not money:
            return 0.0
        return None if self.index is None else float(money * self.index)

    def add(self, other: "Tally") -> None:
        """Both together. Positions of different instruments do not add up: they stay what the
        larger one is."""
        assert other.currency == self.currency, (self.currency, other.currency)
        self.fills += other.fills
        self.not_ours += other.not_ours
        self.orders += other.orders
        self.volume += other.volume
        self.volume_usd += other.volume_usd
        self.pnl += other.pnl
        self.closings += other.closings
        self.wins += other.wins
        for amount, held_ms in other.held_ms.items():
            self.held_ms[amount] = self.held_ms.get(amount, 0) + held_ms
        for horizon_s, markout in other.markouts.items():
            self.markouts[horizon_s].add(markout)
        self.index = other.index or self.index


Group = Callable[[int, int], str | None]
"""(venue time in ms, run) -> the group something belongs to; None: it is not asked for."""


def tallies(past: Past, group: Group) -> dict[str, Tally]:
    """Replay one instrument on one account; a tally per group in which something happened."""
    found: dict[str, Tally] = {}
    position, before = Position(past.instrument), Pnl()
    marks = sorted(past.marks, key=lambda row: row.desk_ms)
    marks_ms = [row.desk_ms for row in marks]
    last_ms, last_group, rate = 0, None, _known_rate(past)
    for step in steps(past):
        name = group(step.ms, step.run)
        held = position.amount
        realized = position.realized
        take(position, step)
        after = position.pnl(position.mark)
        change, before = after - before, after
        rate = _rate(past.instrument, step) or rate
        if name is not None:
            tally = found.get(name)
            if tally is None:
                tally = found[name] = Tally(past.instrument.settlement)
                tally.held_ms[abs(held)] = 0
            tally.pnl += change
            tally.index = rate or tally.index
            if name == last_group:
                level = abs(held)
                tally.held_ms[level] = tally.held_ms.get(level, 0) + step.ms - last_ms
            tally.held_ms.setdefault(abs(position.amount), 0)
            stands = step.fill is None or step.fill.fill.finality is not Finality.VOIDED
            if stands and _closed(step, held):
                tally.closings += 1
                tally.wins += position.realized - realized > _fee(step)
            if stands and step.fill is not None:
                _count(tally, past.instrument, step.fill, rate)
                for horizon_s in HORIZONS_S:
                    place = bisect_left(marks_ms, step.ms + horizon_s * 1000)
                    later = marks[place] if place < len(marks) else None
                    _mark_out(tally.markouts[horizon_s], past.instrument, step, horizon_s, later)
        last_ms, last_group = step.ms, name
    return found


def _count(tally: Tally, instrument: Instrument, row: "FillRow", rate: Decimal | None) -> None:
    fill = row.fill
    tally.fills += 1
    tally.not_ours += not row.ours
    tally.volume += fill.amount
    if instrument.counted_in_shares:
        tally.volume_usd += fill.amount * fill.price
        return
    index = fill.index or (rate if instrument.settlement not in DOLLARS else None)
    if index is not None:
        tally.volume_usd += instrument.coin(fill.amount, index) * index
    elif not instrument.inverse:
        tally.volume_usd += fill.amount * fill.price


def _mark_out(
    markout: Markout,
    instrument: Instrument,
    step: Step,
    horizon_s: int,
    later: "MarkRow | None",
) -> None:
    assert step.fill is not None
    if later is None or later.desk_ms > step.ms + horizon_s * 1000 + MARK_LATE_MS:
        return
    fill = step.fill.fill
    change = fill.amount * fill.side.sign
    markout.money += instrument.value(change, later.mark) - instrument.value(change, fill.price)
    markout.fills += 1


def _closed(step: Step, held: Decimal) -> bool:
    if step.fill is not None:
        return held * step.fill.fill.side.sign < 0
    return step.entry is not None and step.entry.kind == FlowKind.DELIVERY.value and held != 0


def _fee(step: Step) -> Decimal:
    if step.fill is not None:
        return step.fill.fill.fee
    return step.entry.fee if step.entry is not None else ZERO


def _rate(instrument: Instrument, step: Step) -> Decimal | None:
    """USD per unit of settlement currency at a step, where it is known."""
    if instrument.settlement in DOLLARS:
        return Decimal(1)
    if step.fill is not None:
        return step.fill.fill.index
    return step.mark.index if step.mark is not None else step.entry.index if step.entry else None


def _known_rate(past: Past) -> Decimal | None:
    """The first rate there is, for what happened before anybody said one."""
    return next(filter(None, (_rate(past.instrument, step) for step in steps(past))), None)


def together(found: Iterable[Tally]) -> dict[str, Tally]:
    """Sums by currency."""
    sums: dict[str, Tally] = {}
    for tally in found:
        if tally.currency not in sums:
            sums[tally.currency] = Tally(tally.currency)
        sums[tally.currency].add(tally)
    return sums


def in_usd(sums: Mapping[str, Tally], of: Callable[[Tally], Decimal]) -> float | None:
    """One number of several currencies, in USD at the last index of each; None where one has
    none."""
    parts: Sequence[float | None] = [tally.usd(of(tally)) for tally in sums.values()]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
