"""The store in virtual time: what is durable, and when; and what a restart makes of it.

Records wait in a queue until the writer's next cycle (100 ms); a crash loses the queue and nothing
else. Labels are set aside within milliseconds, the kill switch is kept before `keep_latch` returns.
Of an order that is amended again and again, the newest state is written once a second.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from mmbot.core.inventory import Booked, Entry, Flowed, Inventory, Opened
from mmbot.core.orders import CLOCK_SKEW_NS, Order, Status
from mmbot.core.profit import Baseline
from mmbot.core.state import VALID_FOR_NS, State
from mmbot.core.types import MS, SECOND, ZERO, Fill, Instrument, InstrumentId, Label, Nanos
from mmbot.core.why import Why
from mmbot.sim.virtual.words import VENUE

CYCLE_NS: Nanos = 100 * MS
LABELS_NS: Nanos = 5 * MS
LABELS_BLOCK: Final = 512
ORDER_EVERY_NS: Nanos = 1 * SECOND
SIGN_EVERY_NS: Nanos = 1 * SECOND
"""How often a running engine gives a sign of life ..."""
UNHEARD_NS: Nanos = 1 * SECOND
"""... and how long it may have lived on after the last one."""
BASELINE_EVERY_NS: Nanos = 1 * SECOND
KNOWN_BEFORE_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Note:
    """An order as last written."""

    order: Order
    noted_ns: Nanos


@dataclass(slots=True)
class VirtualStore:
    """What is on the disk, and what is on its way there."""

    latch: tuple[Why, str] | None = None
    labels_upto: int = 0
    """Of the present run."""
    inventory: Inventory = field(default_factory=Inventory)
    """Positions with their accounting, rebuilt from what is durable."""
    fills: dict[str, Fill] = field(default_factory=dict)
    """By trade id."""
    flows: dict[str, None] = field(default_factory=dict)
    notes: dict[Label, Note] = field(default_factory=dict)
    """Orders whose end has not been written."""
    baseline: Baseline | None = None
    sign_ns: Nanos = 0
    """The last sign of life; 0 before the first."""
    _entries: list[Entry] = field(default_factory=list)
    _orders: dict[Label, Order] = field(default_factory=dict)
    _baseline: Baseline | None = None
    _baseline_ns: Nanos = 0

    # --- while the bot runs ---

    def keep(self, state: State) -> None:
        """Queue what was booked and which orders changed."""
        self._entries += state.journal
        state.journal.clear()
        for order in state.orders.changed.values():
            self._orders[order.label] = replace(order)
        state.orders.changed.clear()
        state.notes.clear()
        now_ns = state.watch.watched_ns
        if now_ns >= self._baseline_ns + BASELINE_EVERY_NS and state.latch.tripped is None:
            self._baseline_ns = now_ns
            self._baseline = state.watch.profit.baseline(state.inventory)

    def cycle(self, now_ns: Nanos) -> None:
        """What waits becomes durable."""
        for entry in self._entries:
            self._book(entry)
        self._entries.clear()
        self.baseline = self._baseline
        if now_ns >= self.sign_ns + SIGN_EVERY_NS:
            self.sign_ns = now_ns
        for label in list(self._orders):
            order, known = self._orders[label], self.notes.get(label)
            if order.status is Status.DONE:
                self.notes.pop(label, None)
            elif known is None or now_ns >= known.noted_ns + ORDER_EVERY_NS:
                self.notes[label] = Note(order, now_ns)
            else:
                continue
            del self._orders[label]

    def keep_latch(self, latch: tuple[Why, str]) -> None:
        """Durable at once; the first reason stays."""
        self.latch = self.latch or latch

    def reserve(self) -> int:
        """The next block of labels; returns where it ends."""
        self.labels_upto += LABELS_BLOCK
        return self.labels_upto

    def _book(self, entry: Entry) -> None:
        inventory = self.inventory
        match entry:
            case Booked():
                if entry.fill.trade_id not in self.fills:
                    self.fills[entry.fill.trade_id] = entry.fill
                    inventory.book(entry.fill, entry.instrument, entry.mark)
            case Opened():
                position = inventory.of(entry.instrument)
                position.open_with(entry.amount, entry.mark)
                position.opened_ms = entry.at_ms
            case Flowed():
                key = f"{entry.flow.kind.value} {entry.flow.ref}"
                if key not in self.flows:
                    self.flows[key] = None
                    if entry.instrument is not None:
                        inventory.of(entry.instrument).flow(entry.flow)

    # --- after a crash ---

    def lose_queue(self) -> None:
        """The process died: what waited was never written."""
        self._entries.clear()
        self._orders.clear()
        self._baseline = self.baseline
        self.labels_upto = 0

    def restore(self, state: State, instruments: dict[InstrumentId, Instrument]) -> None:
        """Put what is durable into a fresh state, as the engine does when it starts."""
        state.inventory.booked |= self.flows
        known_ms: list[int] = []
        for held in self.inventory.positions.values():
            if held.instrument.id not in instruments:
                continue
            state.inventory.take_over(replace(held))
            if held.opened:
                known_ms.append(max(held.opened_ms, held.last_fill_ms))
        state.resume_ms = min(known_ms, default=0)
        since_ms = state.resume_ms - KNOWN_BEFORE_MS
        for trade_id in sorted(self.fills):
            if self.fills[trade_id].venue_ms >= since_ms:
                state.inventory.know(trade_id)
        now_ns = state.started_ns
        for note in self.notes.values():
            age_ns = max(0, now_ns - note.noted_ns)
            settle_ns = now_ns + max(0, VALID_FOR_NS + CLOCK_SKEW_NS - age_ns)
            state.orders.add(self._unknown(note.order, now_ns, settle_ns))
        if self.baseline is not None:
            state.watch.profit.resume(self.baseline)
        if self.sign_ns:
            state.account(VENUE).budget.inherit(now_ns - self.sign_ns - UNHEARD_NS, now_ns)

    def _unknown(self, noted: Order, now_ns: Nanos, settle_ns: Nanos) -> Order:
        booked = sum((f.amount for f in self.fills.values() if f.label == noted.label), ZERO)
        return Order(
            label=noted.label,
            instrument=noted.instrument,
            side=noted.side,
            level=noted.level,
            price=noted.price,
            amount=noted.amount,
            filled=noted.filled,
            booked=booked,
            why=Why.ADOPTED,
            status=Status.UNKNOWN,
            order_id=noted.order_id,
            venue_ms=noted.venue_ms,
            sent_ns=now_ns,
            settle_ns=settle_ns,
            unknown_ns=now_ns,
        )
