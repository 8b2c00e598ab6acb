"""The store in virtual time: what is durable, and when; and what a restart makes of it.

Records wait in a queue until the writer's next cycle (100 ms); a crash loses the queue and nothing
else. Labels are set aside within milliseconds, the kill switch is kept before `keep_latch` returns.
Of an order that is amended again and again, the newest state is written once a second. A run has
one or more accounts: each has its own kill switch, and what was left there is taken over by itself.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from msgspec import structs

from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Booked, Claimed, Entry, Flowed, Inventory, Opened
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.profit import Baseline
from mmbot.core.recovery import (
    take_budget,
    take_end,
    take_order,
    take_positions,
    take_provisional,
)
from mmbot.core.state import State
from mmbot.core.statements import Fill, Finality, booking_key
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Label, Nanos, venue_name
from mmbot.core.why import Why

CYCLE_NS: Nanos = 100 * MS
LABELS_NS: Nanos = 5 * MS
LABELS_BLOCK: Final = 512
ORDER_EVERY_NS: Nanos = 1 * SECOND
SIGN_EVERY_NS: Nanos = 1 * SECOND
"""How often a running engine gives a sign of life."""
BASELINE_EVERY_NS: Nanos = 1 * SECOND


@dataclass(frozen=True, slots=True)
class Note:
    """An order as last written."""

    order: Order
    noted_ns: Nanos


@dataclass(slots=True)
class VirtualStore:
    """What is on the disk, and what is on its way there."""

    latches: dict[str, tuple[Why, str]] = field(default_factory=dict)
    """By venue, the kill switches that are tripped."""
    labels_upto: int = 0
    """Of the present run."""
    inventory: Inventory = field(default_factory=Inventory)
    """Positions with their accounting, rebuilt from what is durable."""
    fills: dict[str, Fill] = field(default_factory=dict)
    """By key."""
    flows: dict[str, None] = field(default_factory=dict)
    notes: dict[Label, Note] = field(default_factory=dict)
    """Orders whose end has not been written."""
    ids: dict[str, Label] = field(default_factory=dict)
    """Our orders by the venue's ids, where it names no labels."""
    baseline: Baseline | None = None
    sign_ns: Nanos = 0
    """The last sign of life; 0 before the first."""
    unproved_ns: Nanos = 0
    """The same of the last run that did not prove that nothing of ours is left; 0: all did."""
    _entries: list[Entry] = field(default_factory=list)
    _orders: dict[Label, Order] = field(default_factory=dict)
    _ids: dict[str, Label] = field(default_factory=dict)
    _baseline: Baseline | None = None
    _baseline_ns: Nanos = 0

    @property
    def latch(self) -> tuple[Why, str] | None:
        """The kill switch of the first account that has it tripped: no engine starts then."""
        return next(iter(self.latches.values()), None)

    # --- while the bot runs ---

    def keep(self, state: State) -> None:
        """Queue what was booked and which orders changed."""
        self._entries += state.entries
        for order in state.orders.changed.values():
            self._orders[order.label] = replace(order)
        self._ids |= {order_id: label for order_id, (_, label) in state.orders.learned.items()}
        state.forget_kept()
        now_ns = state.watch.watched_ns
        if now_ns >= self._baseline_ns + BASELINE_EVERY_NS and state.latch.tripped is None:
            self._baseline_ns = now_ns
            self._baseline = state.watch.profit.baseline(state.inventory)

    def cycle(self, now_ns: Nanos) -> None:
        """What waits becomes durable."""
        for entry in self._entries:
            self._book(entry)
        self._entries.clear()
        self.ids |= self._ids
        self._ids.clear()
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

    def keep_terms(self, order: Order, now_ns: Nanos) -> None:
        """Durable before its place is sent: without its label it is told by these alone."""
        self.notes[order.label] = Note(replace(order), now_ns)

    def keep_latch(self, venues: Iterable[str], latch: tuple[Why, str]) -> None:
        """Durable at once, on each of these accounts; the first reason stays."""
        for venue in venues:
            self.latches.setdefault(venue, latch)

    def reserve(self) -> int:
        """The next block of labels; returns where it ends."""
        self.labels_upto += LABELS_BLOCK
        return self.labels_upto

    def _book(self, entry: Entry) -> None:
        inventory = self.inventory
        match entry:
            case Booked():
                self._book_fill(entry)
            case Claimed():
                self._claim(entry.fill.key, entry.fill.label)
            case Opened():
                position = inventory.add(entry.instrument)
                position.open_with(entry.amount, entry.mark)
                position.opened_ms = entry.at_ms
            case Flowed():
                key = booking_key(entry.venue, entry.flow.name)
                if key not in self.flows:
                    self.flows[key] = None
                    if entry.instrument is not None:
                        inventory.add(entry.instrument).flow(entry.flow)

    def _book_fill(self, entry: Booked) -> None:
        fill, known = entry.fill, self.fills
        if fill.key not in known:
            known[fill.key] = fill
            self.inventory.book(fill, entry.instrument, entry.mark)
            if fill.finality is Finality.PROVISIONAL:
                self.inventory.provisional[fill.key] = structs.replace(fill, mark=entry.mark)
            elif fill.reverses:
                taken = structs.replace(fill, trade_id=fill.reverses, side=fill.side.opposite).key
                if taken in known:
                    known[taken] = structs.replace(known[taken], finality=Finality.VOIDED)
                self.inventory.provisional.pop(taken, None)
        elif entry.again:
            known[fill.key] = structs.replace(known[fill.key], finality=Finality.FINAL)
            self.inventory.provisional.pop(fill.key, None)

    def _claim(self, key: str, label: Label | None) -> None:
        """Whose a fill is; everything else of it stays as it is."""
        self.fills[key] = structs.replace(self.fills[key], label=label)
        pending = self.inventory.provisional.get(key)
        if pending is not None:
            self.inventory.provisional[key] = structs.replace(pending, label=label)

    # --- after a run ---

    def lose_queue(self) -> None:
        """The process died: what waited was never written."""
        self._entries.clear()
        self._orders.clear()
        self._ids.clear()
        self._baseline = self.baseline
        self.labels_upto = 0
        self.unproved_ns = self.sign_ns

    def end(self, state: State, now_ns: Nanos, *, proved: bool) -> None:
        """The process ends in good order, and writes everything first. `proved`: that nothing of
        ours is left on any account."""
        self.keep(state)
        self.cycle(now_ns)
        for label in list(self._orders):
            self.notes[label] = Note(self._orders.pop(label), now_ns)
        self.labels_upto = 0
        self.sign_ns = now_ns
        if not proved:
            self.unproved_ns = now_ns

    def restore(
        self, state: State, venues: Collection[str], instruments: dict[InstrumentId, Instrument]
    ) -> None:
        """Put what is durable into a fresh state, as the engine does when it starts."""
        now_ns = state.started_ns
        state.orders.ids |= self.ids
        for venue in venues:
            self._restore_account(state, venue, instruments)
        if self.baseline is not None:
            state.watch.profit.resume(self.baseline)
        for venue in venues:
            if self.sign_ns:
                take_budget(state, venue, now_ns - self.sign_ns, now_ns)
            if self.unproved_ns:
                take_end(state, venue, now_ns - self.unproved_ns, now_ns)

    def _restore_account(
        self, state: State, venue: str, instruments: dict[InstrumentId, Instrument]
    ) -> None:
        here = f"{venue} "
        state.inventory.booked |= {key: None for key in self.flows if key.startswith(here)}
        held = self.inventory.positions.values()
        since_ms = take_positions(
            state,
            venue,
            (
                replace(one)
                for one in held
                if one.instrument.venue == venue and one.instrument.id in instruments
            ),
        )
        provisional = [
            fill
            for fill in self.inventory.provisional.values()
            if venue_name(fill.instrument) == venue
        ]
        take_provisional(state, provisional)
        since_ms = min((since_ms, *(fill.venue_ms for fill in provisional)))
        for key in sorted(self.fills):
            if key.startswith(here) and self.fills[key].venue_ms >= since_ms:
                state.inventory.know(key)
        now_ns = state.started_ns
        for note in self.notes.values():
            if venue_name(note.order.instrument) == venue:
                booked = self._booked_of(note.order.label)
                noted = replace(note.order, booked=booked)
                take_order(state, noted, now_ns - note.noted_ns, now_ns)

    def _booked_of(self, label: Label) -> Decimal:
        return sum(
            (
                fill.amount
                for fill in self.fills.values()
                if fill.label == label and fill.finality is not Finality.VOIDED
            ),
            ZERO,
        )
