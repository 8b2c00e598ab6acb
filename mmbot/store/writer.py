"""The thread that writes: everything the engine wants kept, off the path of its orders.

Theory of operation
-------------------
1. `put` appends to a queue and wakes nobody: the thread looks every 100 ms and writes all it finds
   in one transaction. A record therefore costs the event loop an append, and the disk one sync
   for a whole batch. What must not wait (labels, `flush`, `close`) wakes the thread.
2. A cycle is one transaction: records, labels asked for, the lease's renewal, commands and latch
   if somebody wrote to the database. The news it makes goes to the event loop after the commit,
   so that nothing is told that is not true after a crash.
3. When the transaction fails, nothing of the cycle has happened. All of it is kept, the reason
   stands in `problem`, the connection is made anew and the cycle tried again. (Not where the file
   itself is gone or replaced: then the same connection waits for it.) The queue is bounded:
   `full` says when quoting must stop, and the rest of it is left for the fills of orders that are
   still out there.
4. A new or finished order is written in the next cycle, changes in between once a second: of an
   order amended ten times, the last state matters.
5. The lease is renewed here, so that a hung engine keeps its account: it may wake up and send. The
   engine's own heartbeat is the stamp on the status it publishes.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from mmbot.core.order_life import Status
from mmbot.core.types import SECOND, Label, Nanos
from mmbot.core.why import Why
from mmbot.errors import StoreError
from mmbot.store import (
    baselines,
    booking,
    commands,
    housekeeping,
    latch,
    lease,
    order_ids,
    runs,
)
from mmbot.store.database import Database, StoreVanished
from mmbot.store.owners import Owners
from mmbot.store.records import (
    AccountKey,
    Audited,
    BaselineKept,
    EquitySampled,
    FillBooked,
    FillClaimed,
    FlowBooked,
    IdLearned,
    LabelsGranted,
    LatchTripped,
    LeaseLate,
    LeaseLost,
    MarkSampled,
    Money,
    News,
    OfAccount,
    OrderNoted,
    PnlSampled,
    PositionOpened,
    Record,
    RunStarted,
    Sample,
    Standing,
    StatusPublished,
    StoreFailing,
    StoreWorking,
    Whose,
)

CYCLE_S = 0.1
ORDER_EVERY_NS: Nanos = 1 * SECOND

BATCH_RECORDS = 500
"""Records in one transaction: others get their turn at the lock, and the lease is renewed."""

CAPACITY_RECORDS = 20_000
RESERVE_FRACTION = 0.2
"""The part of the queue that is left for fills when quoting stops."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a writer is with a store that takes nothing."""

    retry_s: float = 0.5
    gone_s: float = 1.0
    """How long leaving waits for a store that has vanished to come back."""


USUAL = Timing()


class Writer:
    """The store of one running engine with one or more accounts. Made and used in the event loop's
    thread.

    `tell` receives the store's news in the event loop. `wall_ns` gives wall time and is called
    from the thread.
    """

    def __init__(
        self,
        database: Database,
        account_keys: Sequence[AccountKey],
        started: RunStarted,
        *,
        wall_ns: Callable[[], Nanos],
        tell: Callable[[News], None],
        capacity: int = CAPACITY_RECORDS,
        timing: Timing = USUAL,
    ) -> None:
        self.problem: str | None = None
        """Why nothing can be written at the moment, in one line; None while all is well."""
        self.lease_until_ns = started.lease_until_ns
        """Wall time until which all accounts are surely ours; 0 once one is lost."""
        self.vanished = False
        """Whether that is because the store's file is not there any more."""
        self._database = database
        self._account_keys = tuple(account_keys)
        self._held = self._account_keys
        """Those that are ours still: of others too when one is lost, for as long as we live."""
        self._owners = Owners(self._account_keys)
        self._run = started.run
        self._wall_ns = wall_ns
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._capacity = capacity
        self._timing = timing
        self._stop_quoting_at = int(capacity * (1 - RESERVE_FRACTION))
        self._queue: deque[Record] = deque()
        self._asks: deque[_Ask] = deque()
        self._kept = _Kept()
        self._accepted = self._taken = 0
        self._wake = threading.Event()
        self._closing: int | None = None
        self._given_up = False
        self._renewed_ns: Nanos = 0
        self._tidied_ns: Nanos = 0
        self._seen: object = None
        self._trip_told = False
        self._database.pin()
        self._thread = threading.Thread(target=self._live, name="mmbot-store", daemon=True)
        self._thread.start()

    # --- the engine's side: none of these waits for the disk, except trip, flush and close ---

    def put(self, record: Record) -> bool:
        """Take a record to be written; False, and not taken, when the queue has no room. Raises
        KeyError for one that belongs to none of several accounts."""
        if self.unwritten >= self._capacity:
            return False
        if isinstance(record, OfAccount):
            self._owners.of(record)
        self._accepted += 1
        self._queue.append(record)
        return True

    @property
    def unwritten(self) -> int:
        """Records that are not on the disk yet."""
        return len(self._queue) + len(self._kept)

    @property
    def full(self) -> bool:
        """Whether quoting must stop: what room is left belongs to fills."""
        return self.unwritten >= self._stop_quoting_at

    def reserve(self, count: int = runs.LABEL_BLOCK) -> None:
        """Ask for further labels; LabelsGranted follows when they are durably ours."""
        self._ask(_Ask(labels=count))

    def recheck(self) -> None:
        """Ask whether we may still trade; Standing follows, read after this moment."""
        self._ask(_Ask(standing=True))

    def trip(self, why: Why, detail: str, who: str) -> latch.Kept:
        """Persist the kill switch of every account. Blocks for 200 ms at most; call it before
        cancels are sent."""
        self._trip_told = True
        return latch.trip(
            self._database.location, self._account_keys, why, detail, who, self._wall_ns()
        )

    def write_terms(self, orders: Sequence[tuple[OrderNoted, Nanos]]) -> bool:
        """Write orders that are about to be sent (desk time) to a venue that names no labels;
        whether that is done. Blocks for 200 ms at most."""
        by_account: dict[AccountKey, list[tuple[OrderNoted, Nanos]]] = {}
        for note, sent_ns in orders:
            by_account.setdefault(self._owners.of(note), []).append((note, sent_ns))
        return order_ids.write_terms(
            self._database.location, self._run, by_account, self._wall_ns()
        )

    def flush(self, deadline_s: float) -> bool:
        """Wait until all that was put before is on the disk; False when time ran out first."""
        done = threading.Event()
        self._ask(_Ask(written=done, accepted=self._accepted))
        return done.wait(deadline_s)

    def close(self, exit_code: int, deadline_s: float) -> bool:
        """Write what is left, end the run, give up the accounts; False when time ran out first,
        with `unwritten` and `problem` telling what is lost."""
        self._closing = exit_code
        self._wake.set()
        self._thread.join(min(deadline_s, self._timing.gone_s) if self.vanished else deadline_s)
        self._given_up = True
        self._wake.set()
        return not self._thread.is_alive()

    def _ask(self, ask: "_Ask") -> None:
        self._asks.append(ask)
        self._wake.set()

    # --- the thread's side ---

    def _live(self) -> None:
        connection: Connection | None = None
        while not self._given_up:
            closing = self._closing is not None
            try:
                if connection is None:
                    connection, self._seen = self._database.connect(), None
                self._cycle(connection, closing)
                if self._queue:
                    continue
                if closing:
                    break
                self._pause(CYCLE_S)
            except Exception as error:  # noqa: BLE001  # no record is lost with the thread
                self._failed(error)
                if connection is not None and not isinstance(error, StoreVanished):
                    connection.invalidate()
                    connection.close()
                    connection = None
                self._pause(self._timing.retry_s)
        if connection is not None and not self.vanished:
            connection.close()

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _cycle(self, connection: Connection, closing: bool) -> None:
        """Do what is due, in one transaction: records up to a batch, and everything else."""
        kept = self._kept
        while self._asks:
            kept.asks.append(self._asks.popleft())
        for _ in range(min(len(self._queue), BATCH_RECORDS - kept.rows)):
            kept.add(self._queue.popleft())
            self._taken += 1
        now_ns = self._wall_ns()
        look = (seen := self._database.changes(connection)) != self._seen
        # The wall clock may be set back; that must stop neither renewals nor tidying.
        renew = abs(now_ns - self._renewed_ns) >= lease.RENEW_EVERY_NS and bool(self._held)
        tidy = abs(now_ns - self._tidied_ns) >= housekeeping.TIDY_EVERY_NS
        orders = kept.due_orders(now_ns, closing or any(ask.written for ask in kept.asks))
        if not (look or renew or tidy or closing or orders or kept.asks or kept.others):
            return
        news: list[News] = []
        held, trip_told, more_to_tidy = None, self._trip_told, False
        with self._database.transaction(connection):
            self._write(connection, orders, now_ns)
            if renew:
                held = self._renew(connection, now_ns, news)
            self._answer(connection, news)
            if look or renew:
                trip_told = self._look(connection, now_ns, news)
            if tidy:
                more_to_tidy = housekeeping.forget(connection, now_ns)
                order_ids.forget(connection, now_ns)
            if closing and not self._queue:
                self._end(connection, now_ns)
        # Committed: from here on all of it is true.
        self._seen, self._trip_told = seen, trip_told
        self._note_leases(held, now_ns)
        self._tidied_ns = now_ns if tidy and not more_to_tidy else self._tidied_ns
        kept.written(orders, now_ns)
        self.vanished = False
        if self.problem is not None:
            self.problem = None
            news.append(StoreWorking())
        for item in news:
            self._report(item)
        kept.answered(self._taken)

    def _write(self, connection: Connection, orders: list[OrderNoted], now_ns: Nanos) -> None:
        kept, run = self._kept, self._run
        for account_key, money in self._owners.sorted(kept.money).items():
            booking.book(connection, account_key, run, money, now_ns)
        for account_key, notes in self._owners.sorted(orders).items():
            booking.note_orders(connection, account_key, run, notes, now_ns)
        for account_key, samples in self._owners.sorted(kept.samples).items():
            booking.sample(connection, account_key, run, samples)
        for account_key, whose in self._owners.sorted(kept.whose).items():
            claimed = [one for one in whose if isinstance(one, FillClaimed)]
            booking.claim(connection, account_key, claimed)
            learned = [one for one in whose if isinstance(one, IdLearned)]
            order_ids.learn(connection, account_key, learned, now_ns)
        if kept.audits:
            booking.audit(connection, run, kept.audits)
        if kept.status is not None:
            booking.publish(connection, run, kept.status)
        if kept.baseline is not None:
            baselines.keep(connection, self._account_keys, kept.baseline)

    @property
    def _all_held(self) -> bool:
        return self._held == self._account_keys

    def _renew(
        self, connection: Connection, now_ns: Nanos, news: list[News]
    ) -> tuple[AccountKey, ...]:
        """Keep what is ours; which accounts that still is. A lost one stays lost."""
        held = tuple(k for k in self._held if lease.renew(connection, k, self._run, now_ns))
        for lost in self._held:
            if lost not in held:
                news.append(LeaseLost(lease.holder(connection, lost), lost))
        if self._all_held and held == self._held and now_ns > self.lease_until_ns:
            news.append(LeaseLate(now_ns - self.lease_until_ns))
        return held

    def _note_leases(self, held: tuple[AccountKey, ...] | None, now_ns: Nanos) -> None:
        if held is None:  # it was not time yet
            return
        self._held, self._renewed_ns = held, now_ns
        self.lease_until_ns = now_ns + lease.EXPIRES_AFTER_NS if self._all_held else 0

    def _end(self, connection: Connection, now_ns: Nanos) -> None:
        assert self._closing is not None
        runs.stop_run(connection, self._run, self._closing, now_ns)
        for account_key in self._account_keys:
            lease.release(connection, account_key, self._run)

    def _answer(self, connection: Connection, news: list[News]) -> None:
        for ask in self._kept.asks:
            if ask.labels:
                news.append(LabelsGranted(runs.grant_labels(connection, self._run, ask.labels)))
            if ask.standing:
                holders = {lease.holder(connection, k) for k in self._account_keys}
                state = latch.worst(connection, self._database.location, self._account_keys)
                news.append(Standing(holders == {self._run}, state))

    def _look(self, connection: Connection, now_ns: Nanos, news: list[News]) -> bool:
        """Commands and latches; whether the kill switch of an account is tripped."""
        news += commands.take(connection, self._run, now_ns)
        tripped = latch.tripped_of(connection, self._database.location, self._account_keys)
        if tripped is not None and not self._trip_told:
            news.append(LatchTripped(tripped[1], tripped[0]))
        return tripped is not None

    def _failed(self, error: Exception) -> None:
        self.vanished = isinstance(error, StoreVanished)
        reason = str(error) if isinstance(error, StoreError) else f"bug: {error!r}"
        if reason != self.problem:
            self.problem = reason
            self._report(StoreFailing(reason))

    def _report(self, news: News) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(self._tell, news)


@dataclass(frozen=True, slots=True)
class _Ask:
    """Something that must not wait for the next cycle."""

    labels: int = 0
    standing: bool = False
    written: threading.Event | None = None
    """Set when as many records as were `accepted` when it was asked are on the disk."""
    accepted: int = 0


@dataclass(slots=True)
class _Kept:
    """What the thread has taken from the queue and not yet committed."""

    money: list[Money] = field(default_factory=list)
    whose: list[Whose] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    audits: list[Audited] = field(default_factory=list)
    status: StatusPublished | None = None
    baseline: BaselineKept | None = None
    orders: dict[Label, OrderNoted] = field(default_factory=dict)
    asks: list[_Ask] = field(default_factory=list)
    noted_ns: dict[Label, Nanos] = field(default_factory=dict)
    """When each unfinished order was last written."""

    def __len__(self) -> int:
        return self.rows + len(self.orders)

    @property
    def rows(self) -> int:
        """Rows that must be written in any case: all but orders, which wait for their time."""
        return len(self.money) + len(self.whose) + len(self.samples) + len(self.audits)

    @property
    def others(self) -> bool:
        """Whether anything but orders waits."""
        return self.rows > 0 or self.status is not None or self.baseline is not None

    def add(self, record: Record) -> None:
        """Sort a record in; of orders, the status and the baseline the newest replaces what was
        there."""
        match record:
            case FillBooked() | PositionOpened() | FlowBooked():
                self.money.append(record)
            case IdLearned() | FillClaimed():
                self.whose.append(record)
            case OrderNoted():
                self.orders[record.label] = record
            case EquitySampled() | PnlSampled() | MarkSampled():
                self.samples.append(record)
            case Audited():
                self.audits.append(record)
            case StatusPublished():
                self.status = record
            case BaselineKept():
                self.baseline = record

    def due_orders(self, now_ns: Nanos, everything: bool) -> list[OrderNoted]:
        """Orders to write now."""
        return [
            note
            for note in self.orders.values()
            if everything
            or note.status is Status.DONE
            or abs(now_ns - self.noted_ns.get(note.label, 0)) >= ORDER_EVERY_NS
        ]

    def written(self, orders: list[OrderNoted], now_ns: Nanos) -> None:
        """Everything but the orders that were not due is on the disk."""
        self.money, self.whose, self.samples, self.audits = [], [], [], []
        self.status = self.baseline = None
        for note in orders:
            del self.orders[note.label]
            if note.status is Status.DONE:
                self.noted_ns.pop(note.label, None)
            else:
                self.noted_ns[note.label] = now_ns

    def answered(self, taken: int) -> None:
        """What was asked is done, but for flushes that wait for records not yet `taken`."""
        waiting: list[_Ask] = []
        for ask in self.asks:
            if ask.written is not None and ask.accepted > taken:
                waiting.append(ask)
            elif ask.written is not None:
                ask.written.set()
        self.asks = waiting
