"""Between the runner and the store: what the core wants kept, and what comes back as events."""

import logging
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from msgspec import structs

from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.intents import (
    CheckLease,
    Intent,
    Place,
    Replace,
    ReserveLabels,
    SaveLatch,
    StoreIntent,
)
from mmbot.core.inventory import Booked, Claimed, Entry, Flowed, Opened
from mmbot.core.labels import base36
from mmbot.core.orders import Order
from mmbot.core.profit import Baseline, one_book
from mmbot.core.recovery import (
    take_budget,
    take_end,
    take_order,
    take_positions,
    take_provisional,
)
from mmbot.core.resync import FLOWS_EVERY_NS
from mmbot.core.state import State
from mmbot.core.statements import Flow, booking_key, order_key
from mmbot.core.types import MS, SECOND, ZERO, InstrumentId, Nanos, to_decimal
from mmbot.core.why import Why
from mmbot.engine.commands import event_of
from mmbot.engine.sinks import Sinks
from mmbot.ops.limit import ALWAYS
from mmbot.store.baselines import BaselineRow
from mmbot.store.latch import Kept
from mmbot.store.queries import OrderRow, Reader
from mmbot.store.records import (
    AccountKey,
    Audited,
    BaselineKept,
    Command,
    CommandKind,
    FillBooked,
    FillClaimed,
    FlowBooked,
    IdLearned,
    LabelsGranted,
    LatchTripped,
    LeaseLate,
    LeaseLost,
    News,
    OrderNoted,
    PositionOpened,
    Record,
    Standing,
    StatusPublished,
    StoreFailing,
    StoreWorking,
)
from mmbot.store.writer import Writer
from mmbot.venues.base import Sink

BASELINE_EVERY_NS: Nanos = 1 * SECOND

_log = logging.getLogger(__name__)


class StoreBridge:
    """Hands the store what the core wants kept, and the core what the store has to say.

    `writer` is set before the first event, because it in turn needs `tell`.
    """

    writer: Writer

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self.sinks = Sinks()
        self._sink = sink
        self._clock = clock
        self._asked: deque[Nanos] = deque()
        self._was_full = False
        self._was_late = False
        self._baseline: Baseline | None = None
        self._baseline_ns: Nanos = 0
        self.reset_protection: Callable[[str], bool] = lambda _venue: False
        """Has a venue take quotes again that it froze; whether there is such a venue."""

    # --- the core's wishes ---

    def carry_out(self, intent: StoreIntent) -> None:
        """Begin it; the answer comes as an event."""
        match intent:
            case ReserveLabels():
                self.writer.reserve()
            case CheckLease():
                self._asked.append(self._clock.now_ns())
                self.writer.recheck()
            case SaveLatch():
                kept = self.writer.trip(intent.why, intent.detail, "mmbot")
                if kept is Kept.NOWHERE:
                    _log.error("the kill switch could not be written anywhere", extra=ALWAYS)
                self._sink(ev.LatchSaved())

    def keep(self, state: State) -> None:
        """Queue what was booked and which orders changed; what finds no room waits here."""
        entries, changed = state.entries, state.orders.changed
        taken = 0
        while taken < len(entries) and self._take(_record_of(entries[taken], state)):
            taken += 1
        del entries[:taken]
        self.sinks.hand_on()
        for label in list(changed):
            if not self.writer.put(OrderNoted.of(changed[label])):
                break
            del changed[label]
        self._keep_ids(state)
        while state.notes and self._audit(state.notes[0].kind, state.notes[0].body):
            del state.notes[0]
        self._keep_baseline(state)
        late = self._clock.wall_ns() > self.writer.lease_until_ns
        if late and not self._was_late:
            self._sink(ev.LeaseLate())
        self._was_late = late
        if self.writer.full != self._was_full:
            self._was_full = self.writer.full
            self._sink(ev.StoreChanged("the queue to the store is full" if self._was_full else ""))

    def _keep_ids(self, state: State) -> None:
        learned = state.orders.learned
        for label in list(learned):
            venue, order_id = learned[label]
            if not self.writer.put(IdLearned(label, order_id, venue)):
                break
            del learned[label]

    def may_leave(self, state: State, intents: Sequence[Intent]) -> Sequence[Intent]:
        """What may be sent: a place to a venue that names no labels only once it is written, for
        its terms must tell it after a crash. One that is not sent is found to be absent."""
        for account in state.accounts.values():
            if not account.capabilities.label_echoed:
                break
        else:
            return intents
        unnamed = [
            state.orders.by_label[intent.label]
            for intent in intents
            if isinstance(intent, Place | Replace)
            and not state.account_of(intent.instrument).capabilities.label_echoed
        ]
        if not unnamed:
            return intents
        if self.writer.write_terms([(OrderNoted.of(o), o.placed_ns) for o in unnamed]):
            return intents
        _log.error("%d orders were not sent: the store does not take their terms", len(unnamed))
        kept_back = {order.label for order in unnamed}
        return [i for i in intents if not (isinstance(i, Place | Replace) and i.label in kept_back)]

    def _take(self, record: Record) -> bool:
        """Whether the store has taken it; a fill goes on to the other sinks then."""
        if not self.writer.put(record):
            return False
        if isinstance(record, FillBooked) and not record.again:
            self.sinks.put(record)
        return True

    def _keep_baseline(self, state: State) -> None:
        """Once a second, if it changed. Not once tripped: only a person lets the next run begin."""
        now_ns = state.watch.watched_ns
        if now_ns < self._baseline_ns + BASELINE_EVERY_NS or state.latch.tripped is not None:
            return
        self._baseline_ns = now_ns
        baseline = state.watch.profit.baseline(state.inventory)
        if baseline != self._baseline:
            record = BaselineKept(baseline, self._clock.wall_ns())
            self._baseline = baseline if self.writer.put(record) else None

    def _audit(self, kind: str, body: Mapping[str, object]) -> bool:
        return self.writer.put(Audited(kind, body, self._clock.wall_ns()))

    def publish(self, body: object) -> None:
        """The engine's state for other processes, and its heartbeat."""
        self.writer.put(StatusPublished(body, self._clock.wall_ns()))

    # --- the store's news ---

    def tell(self, news: News) -> None:
        """The store's word as an event."""
        match news:
            case LabelsGranted():
                self._sink(ev.LabelsReserved(news.upto))
            case StoreFailing():
                _log.error("store: %s", news.reason)
                self._sink(ev.StoreChanged(news.reason))
            case StoreWorking():
                _log.info("store: everything that waited is written")
                self._sink(ev.StoreChanged(""))
            case LatchTripped():
                self._sink(ev.Trip(news.latch.why, news.latch.detail))
                self._sink(ev.LatchSaved())
            case LeaseLate():
                self._sink(ev.LeaseLate())
            case LeaseLost():
                self._sink(ev.LeaseLost(_run_name(news.holder), news.account_key.venue))
            case Standing():
                self._standing(news)
            case Command():
                self._command(news)

    def _standing(self, standing: Standing) -> None:
        asked_ns = self._asked.popleft()
        if not standing.lease_ours:
            self._sink(ev.LeaseLost("?"))
            return
        if standing.latch is not None and standing.latch.tripped:
            self._sink(ev.Trip(standing.latch.why, standing.latch.detail))
            self._sink(ev.LatchSaved())
        self._sink(ev.LeaseChecked(asked_ns))

    def _command(self, command: Command) -> None:
        said = " ".join(f"{key}={value}" for key, value in command.arguments.items())
        _log.info("%s asks: %s %s", command.who, command.kind.value, said, extra=ALWAYS)
        body = {"who": command.who, "what": command.kind.value, **command.arguments}
        if command.kind is CommandKind.UNPAUSE and "venue" in command.arguments:
            done = self.reset_protection(command.arguments["venue"])
            self._audit("command" if done else "command refused", body)
            return
        try:
            event = event_of(command, self._clock.now_ns())
        except (ValueError, KeyError, ArithmeticError) as error:
            _log.error("that cannot be done: %s: %s", type(error).__name__, error)
            self._audit("command refused", body)
            return
        self._audit("command", body)
        self._sink(event)


class Forgetful:
    """Keeps nothing and says yes to everything: for runs that leave no trace, such as benchmarks.

    Not for trading: a crash would lose which orders are ours.
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    def carry_out(self, intent: StoreIntent) -> None:
        """Say yes."""
        match intent:
            case ReserveLabels():
                self._sink(ev.LabelsReserved(intent.upto))
            case SaveLatch():
                self._sink(ev.LatchSaved())
            case CheckLease():
                self._sink(ev.LeaseChecked(self._clock.now_ns()))

    def may_leave(self, _state: State, intents: Sequence[Intent]) -> Sequence[Intent]:
        """Everything."""
        return intents

    def keep(self, state: State) -> None:
        """Forget it."""
        state.forget_kept()


# --- taking over from earlier runs ------------------------------------------------------------


def restore(
    state: State,
    reader: Reader,
    account_keys: Sequence[AccountKey],
    clock: Clock,
    translated: Container[str] = (),
) -> None:
    """Put into a fresh state what earlier runs on these accounts left: positions with their
    accounting, which trades are in them, orders whose end nobody has seen, as UNKNOWN, and where
    loss limits count from. `translated`: venues with a clock of their own (venues/own_clock.py)."""
    for account_key in account_keys:
        _restore_account(state, reader, account_key, clock, translated)
    _restore_baseline(state, reader, account_keys)


def _restore_account(
    state: State,
    reader: Reader,
    account_key: AccountKey,
    clock: Clock,
    translated: Container[str],
) -> None:
    venue, account = account_key.venue, account_key.account
    since_ms = take_positions(
        state,
        venue,
        (
            held.restore(state.markets[held.instrument].instrument)
            for held in reader.positions(venue, account, state.markets)
        ),
    )
    provisional = [f for f in reader.provisional(venue, account) if f.instrument in state.markets]
    take_provisional(state, provisional)
    since_ms = min((since_ms, *(fill.venue_ms for fill in provisional)))
    for flow in reader.flow_keys(venue, account, since_ms):
        state.inventory.know(booking_key(venue, flow))
    for execution in sorted(reader.executions(venue, account, since_ms)):
        state.inventory.know(booking_key(venue, execution))
    known = {one.label: one for one in reader.known_ids(account_key)}
    for one in known.values():
        if one.order_id:
            state.orders.ids[order_key(venue, one.order_id)] = one.label
    rows = reader.open_orders(venue, account)
    booked = reader.booked_by(venue, account, [row.label for row in rows])
    for row in rows:
        noted = _noted(row, booked.get(row.label, ZERO))
        if venue in translated:
            # A stamp of another run is milliseconds off: any statement of this one is newer.
            noted.venue_ms = 0
        if row.label in known:
            noted.placed_ns = known[row.label].placed_ns
        take_order(state, noted, clock.wall_ns() - row.noted_ns, clock.now_ns())
    earlier, wall_ns, now_ns = (
        reader.earlier(account_key, int(state.run, 36)),
        clock.wall_ns(),
        clock.now_ns(),
    )
    if earlier.sign_ns is not None:
        take_budget(state, venue, wall_ns - earlier.sign_ns, now_ns)
    if earlier.unproved_ns is not None:
        take_end(state, venue, wall_ns - earlier.unproved_ns, now_ns)


def _restore_baseline(state: State, reader: Reader, account_keys: Sequence[AccountKey]) -> None:
    """Loss limits go on counting, unless a person has re-armed the kill switch since."""
    found: list[BaselineRow] = []
    for account_key in account_keys:
        kept = reader.baseline(account_key.venue, account_key.account)
        latch = reader.latch(account_key)
        if kept is not None and (latch is None or latch.at_ns < kept.at_ns):
            found.append(kept)
    found.sort(key=lambda kept: kept.at_ns, reverse=True)
    book = one_book(kept.baseline for kept in found)
    if book is not None:
        counted = _not_over(state, reader, account_keys, book)
        state.watch.profit.resume(replace(book, counted=counted))
    state.watch.profit.begin(state.run)


def _not_over(
    state: State, reader: Reader, account_keys: Sequence[AccountKey], book: Baseline
) -> dict[InstrumentId, Decimal]:
    """What is counted of instruments that can still earn something. What is neither traded any
    more nor held has earned all there is."""
    left = [one for one in book.counted if one not in state.markets]
    held = {
        row.instrument
        for key in account_keys
        for row in reader.positions(key.venue, key.account, left)
        if row.amount
    }
    return {
        one: money for one, money in book.counted.items() if one in state.markets or one in held
    }


def _noted(row: OrderRow, booked: Decimal) -> Order:
    return Order(
        label=row.label,
        instrument=row.instrument,
        side=row.side,
        level=row.level,
        price=row.price,
        amount=row.amount,
        filled=row.filled,
        booked=booked,
        why=Why.ADOPTED,
        order_id=row.order_id,
        venue_ms=row.venue_ms,
    )


def _record_of(entry: Entry, state: State) -> Record:
    match entry:
        case Booked():
            return FillBooked(entry.fill, entry.instrument, entry.mark, entry.ours, entry.again)
        case Opened():
            return PositionOpened(entry.instrument, entry.amount, entry.mark, entry.at_ms)
        case Claimed():
            return FillClaimed(entry.fill)
        case Flowed():
            return FlowBooked(_with_index(entry.flow, state), entry.instrument, entry.venue)


def _with_index(flow: Flow, state: State) -> Flow:
    """What the venue did not price is priced at the present index, if it has just happened."""
    age_ms = state.last_turn_ns // MS - flow.venue_ms
    if flow.index is None and age_ms < FLOWS_EVERY_NS // MS * 2:
        for market in state.markets.values():
            if market.instrument.underlying == flow.currency and market.index is not None:
                return structs.replace(flow, index=to_decimal(market.index))
    return flow


def _run_name(run: int | None) -> str:
    return base36(run) if run is not None else "?"
