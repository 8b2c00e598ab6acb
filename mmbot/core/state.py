"""State, and the only two ways it changes: an event is applied, an intent is promised.

State is plain data. Every venue fact enters through `apply`; every request that is about to leave
enters through `promise`, so that what we believe of our orders is never behind what we sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import assert_never

from mmbot.core import events as ev
from mmbot.core.books import Market
from mmbot.core.budget import Budget
from mmbot.core.closures import (
    BLOCKED_FIRST_NS,
    BLOCKED_MAX_NS,
    BUSY_FIRST_NS,
    BUSY_MAX_NS,
    Backoff,
    doubled,
)
from mmbot.core.controls import Controls
from mmbot.core.elsewhere import Elsewhere, Held, look_elsewhere
from mmbot.core.error_scope import ErrorScope
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    Place,
    Resync,
    TakeBack,
    VenueIntent,
    venue_of,
)
from mmbot.core.inventory import Booked, Entry, Flowed, Inventory, Opened, Position
from mmbot.core.latch import Latch
from mmbot.core.order_to_volume import OrderToVolume
from mmbot.core.orders import CLOCK_SKEW_NS, REQUEST_DEADLINE_NS, STRAY_LEVEL, Order, Orders, Status
from mmbot.core.slots import SlotMemory
from mmbot.core.types import (
    MS,
    SECOND,
    ZERO,
    Equity,
    Fill,
    Flow,
    InstrumentId,
    Label,
    Liquidity,
    Nanos,
    OpenOrder,
    Side,
    to_decimal,
)
from mmbot.core.watch import Watch
from mmbot.core.why import Why

VALID_FOR_NS: Nanos = 2 * REQUEST_DEADLINE_NS
"""How long the venue may still execute a place or an amend of ours."""

RESYNC_DELAY_NS: Nanos = 250 * MS
"""Something is unclear: wait this long for the venue's own message before asking."""

RESYNC_RETRY_NS: Nanos = 1 * SECOND
"""Between two attempts to get a snapshot."""

RESYNC_RETRY_MAX_NS: Nanos = 30 * SECOND
"""The same where answers come that nobody can read."""

UNSEEN_NS: Nanos = 90 * SECOND
"""With a last snapshot older than this, no new risk is taken."""

RESYNC_EVERY_NS: Nanos = 30 * SECOND
"""A look at the venue even when nothing is unclear (fills and strays nobody told us about)."""

TAKE_BACK_DEADLINE_NS: Nanos = 10 * SECOND
"""An attempt over the second path that is not back by then never comes."""

TAKE_BACK_EVERY_NS: Nanos = 10 * SECOND
"""Between two attempts over the second path while the trading link is down and nobody leaves."""

SEQUENCES_MAX = 1 << 24
"""Labels of one run: 24 bits beside the run's 28, so that the pair fits a 53-bit integer."""

TICK_MARKETS = 8
"""Markets a Tick has looked at though nothing happened there; the next Tick takes the next ones."""

SILENCE_NS: Nanos = 1500 * MS
"""With no round trip for this long, a Tick looks at every market: books may be stale."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """Base 36, lower case."""
    digits = ""
    while True:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
        if not number:
            return digits


def is_ours(label: Label | None) -> bool:
    """Whether a label has our form: mm<run>-<sequence>, whichever store or run it came from."""
    if not label or not label.startswith("mm"):
        return False
    run, dash, sequence = label[2:].partition("-")
    return bool(run and dash and sequence) and all(c in _DIGITS for c in run + sequence)


@dataclass(slots=True)
class Account:
    """One venue's links, request budget and what it last told us about the account."""

    venue: str
    market_up: bool = False
    trading_up: bool = False
    trading_ns: Nanos = 0
    """When the trading link last came up or went down."""
    alive_ns: Nanos = 0
    """When the market link last completed a round trip ..."""
    proven_ns: Nanos = 0
    """... and when that round trip began."""
    skew_ns: Nanos = 0
    """How far desk time and the venue's clock are apart at least, by the last round trip."""
    budget: Budget = field(default_factory=Budget)
    shed: dict[InstrumentId, None] = field(default_factory=dict)
    """Markets that want more than the budget allows: decided about again once there is some."""
    order_to_volume: OrderToVolume = field(default_factory=OrderToVolume)
    reconciled: bool = False
    """A snapshot asked after `doubted_ns` has been absorbed."""
    doubted_ns: Nanos = 0
    """Since when nothing we believed may be relied upon: link up again, or the bot was away."""
    asked_ns: Nanos = 0
    """When the snapshot in flight was asked for; 0 when none is."""
    resync_ns: Nanos = 0
    """When the next snapshot is due."""
    unreadable_looks: int = 0
    """Snapshots in a row that nobody could read."""
    missed_ns: Nanos = 0
    """When a message about our orders or trades last came that could not be read."""
    foreign: dict[str, OpenOrder] = field(default_factory=dict)
    """Open orders that are not ours, by order id."""
    ours_open: int = 0
    """Orders of ours in the last snapshot."""
    last_snapshot_ns: Nanos = 0
    flows_asked_ns: Nanos = 0
    """When funding, deliveries and transfers were last asked for ..."""
    flows_ns: Nanos = 0
    """... and the moment of the last answer's question."""
    second_path_ns: Nanos = 0
    """When the second path may be tried (again)."""
    equity: dict[str, Equity] = field(default_factory=dict)
    opening_equity: dict[str, Equity] = field(default_factory=dict)
    """Per currency, the first statement of this run."""
    doubtful: dict[InstrumentId, Decimal] = field(default_factory=dict)
    """Positions that disagreed with our fills in the last snapshot, and by how much."""
    elsewhere: dict[str, Elsewhere] = field(default_factory=dict)
    """Per underlying, what the last snapshot shows on instruments that no desk trades ..."""
    held: dict[InstrumentId, Held] | None = None
    """... and what each of those positions is and earned; None before the first snapshot."""
    detail: str = ""
    locks: dict[str, str] = field(default_factory=dict)
    """What the venue has locked (core.closures), and in which words it said so."""
    refused: Backoff = field(default_factory=Backoff)
    """The venue takes no orders at all, or none of this account."""
    earlier_run_ns: Nanos = 0
    """From then on the venue executes nothing any more that an earlier run may have sent."""
    unread: dict[str, int] = field(default_factory=dict)
    """Elements of the venue's messages that could not be read, by kind of message."""

    def no_new_risk(self, now_ns: Nanos) -> Why | None:
        """Why only what reduces a position may be sent: the venue has not shown us the account for
        too long, or what an earlier run sent may still reach it."""
        if self.reconciled and now_ns - self.last_snapshot_ns > UNSEEN_NS:
            return Why.ACCOUNT_UNSEEN
        return Why.EARLIER_RUN if now_ns < self.earlier_run_ns else None


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person may ask about later; kept in the audit trail."""

    kind: str
    body: dict[str, object]


@dataclass(slots=True)
class Exit:
    """How everything of ours goes, from the moment it must."""

    orders: int
    """How many of ours might rest then."""
    last_end_ms: int = 0
    """When the last of them ended, by the venue's stamp; 0 while none has."""


@dataclass(slots=True)
class State:
    """Everything the bot knows."""

    run: str
    """The run's number in base 36."""
    markets: dict[InstrumentId, Market] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    orders: Orders = field(default_factory=Orders)
    inventory: Inventory = field(default_factory=Inventory)
    latch: Latch = field(default_factory=Latch)
    slots: dict[tuple[InstrumentId, Side, int], SlotMemory] = field(default_factory=dict)
    dirty: dict[InstrumentId, None] = field(default_factory=dict)
    """Markets to decide about, as an ordered set."""
    next_sequence: int = 0
    reserved_upto: int = 0
    paused: Why | None = None
    stopping: Why | None = None
    withdraw_ns: Nanos = 0
    """Since when everything of ours must go (stopping or tripped); 0 while quoting is allowed."""
    exit: Exit | None = None
    """How that goes; None while quoting is allowed."""
    flat_verified: bool = False
    """Withdrawn, and a snapshot asked afterwards shows nothing of ours."""
    opening_index: dict[str, float] = field(default_factory=dict)
    """Per coin, its first index of this run, in USD."""
    next_market: int = 0
    """Where the next Tick begins to look at markets in which nothing happened."""
    worst_coin: dict[str, Decimal] = field(default_factory=dict)
    """Per underlying, the sum of all markets' worst-case exposure, in coin."""
    journal: list[Entry] = field(default_factory=list)
    """What was booked and is not kept by the store yet."""
    notes: list[Note] = field(default_factory=list)
    """What belongs in the audit trail and is not kept by the store yet."""
    watch: Watch = field(default_factory=Watch)
    controls: Controls = field(default_factory=Controls)
    store_trouble: str = ""
    """Why the store cannot take what happens; empty when it can."""
    tape_trouble: str = ""
    """Why the tape cannot; empty when it can, or when there is none."""
    lease_lost: str = ""
    """The run that holds our lease now."""
    labels_asked: int = 0
    """The last block of labels asked for ends here."""
    away_ns: Nanos = 0
    """When the bot last noticed that it had been away ..."""
    authority_ns: Nanos = 0
    """... when lease and latch were last read from the store ..."""
    authority_asked_ns: Nanos = 0
    """... and when that was last asked for."""
    last_turn_ns: Nanos = 0
    started_ns: Nanos = 0
    resume_ms: int = 0
    """Fills since this moment (venue time) may be unknown to us."""
    turns: int = 0
    foreign_fills: int = 0

    def account(self, venue: str) -> Account:
        """One venue's account."""
        account = self.accounts.get(venue)
        if account is None:
            account = self.accounts[venue] = Account(venue)
        return account

    def account_of(self, instrument: InstrumentId) -> Account:
        """The account an instrument is traded on."""
        return self.account(instrument.partition(":")[0])

    def take_label(self) -> Label | None:
        """The next label of a durably reserved block; None when there is none left."""
        if self.next_sequence >= self.reserved_upto:
            return None
        self.next_sequence += 1
        return Label(f"mm{self.run}-{base36(self.next_sequence - 1)}")

    def slot(self, instrument: InstrumentId, side: Side, level: int) -> SlotMemory:
        """What happened lately in one slot."""
        key = (instrument, side, level)
        memory = self.slots.get(key)
        if memory is None:
            memory = self.slots[key] = SlotMemory()
        return memory

    def touch(self, instrument: InstrumentId) -> None:
        """This market needs a decision."""
        self.dirty[instrument] = None

    def forget_kept(self) -> None:
        """The store has taken everything that waited for it."""
        self.journal.clear()
        self.notes.clear()
        self.orders.changed.clear()


def due(account: Account, at_ns: Nanos) -> None:
    """A snapshot is wanted at `at_ns` at the latest."""
    account.resync_ns = min(account.resync_ns, at_ns) if account.resync_ns else at_ns


def doubt(state: State, account: Account, now_ns: Nanos) -> None:
    """The line broke or the bot was away: every order is UNKNOWN until the venue is asked anew."""
    account.reconciled, account.doubted_ns = False, now_ns
    account.asked_ns, account.resync_ns = 0, now_ns
    for order in list(state.orders.all()):
        if state.account_of(order.instrument) is account:
            state.orders.lost(order, now_ns)


def be_away(state: State, now_ns: Nanos) -> None:
    """Nobody was at the wheel: believe nothing, and do not send before lease and latch are read."""
    state.away_ns = now_ns
    for account in state.accounts.values():
        doubt(state, account, now_ns)


# --- events applied ---------------------------------------------------------------------------


def apply(state: State, event: ev.Event, now_ns: Nanos) -> None:
    """Let one event change the state. Nothing is decided here."""
    match event:
        case ev.BookChanged():
            market = state.markets.get(event.instrument)
            if market is not None:
                market.take_book(event)
                state.touch(event.instrument)
        case ev.TickerChanged():
            market = state.markets.get(event.instrument)
            if market is not None:
                unmarked, unindexed = market.mark is None, market.index is None
                market.take_ticker(event)
                if event.state is not None:
                    market.closure.hear_ticker(event.state, now_ns)
                if unmarked and market.mark is not None:
                    carried = state.inventory.carried.get(event.instrument)
                    if carried is not None:
                        carried.revalue(to_decimal(market.mark))
                if market.index is not None:
                    if unindexed:
                        touch_all(state)  # exposure in coin can be reckoned from now on
                    underlying = market.instrument.underlying
                    state.opening_index.setdefault(underlying, market.index)
                _value_opening(state, market)
                state.touch(event.instrument)
        case ev.OrderSeen():
            _order_seen(state, event, now_ns)
        case ev.Filled():
            if event.fill.instrument not in state.markets:  # what is held elsewhere has changed
                due(state.account_of(event.fill.instrument), now_ns + RESYNC_DELAY_NS)
            _filled(state, event.fill)
        case ev.InstrumentState():
            market = state.markets.get(event.instrument)
            if market is not None:
                market.closure.hear_news(event.state, now_ns)
                state.touch(event.instrument)
        case ev.PlatformState():
            _platform(state, event)
        case ev.ElementsUnread():
            unread = state.account(event.venue).unread
            unread[event.kind] = unread.get(event.kind, 0) + event.count
        case ev.Tick():
            _tick(state, now_ns)
        case ev.LinkAlive():
            account = state.account(event.venue)
            if event.link is ev.Link.MARKET:
                account.alive_ns, account.proven_ns = event.received_ns, event.asked_ns
            account.skew_ns = _skew_ns(event)
        case ev.TradePrinted():
            state.touch(event.instrument)
        case ev.BookLost():
            market = state.markets.get(event.instrument)
            if market is not None:
                market.lose_book(event.why)
                state.touch(event.instrument)
        case ev.RequestRefused():
            _request_refused(state, event, now_ns)
        case ev.OutcomeUnknown():
            _outcome_unknown(state, event, now_ns)
        case ev.SnapshotTaken():
            _snapshot_taken(state, event, now_ns)
        case ev.SnapshotFailed():
            account = state.account(event.venue)
            account.asked_ns, account.detail = 0, event.detail
            account.unreadable_looks = account.unreadable_looks + 1 if event.unreadable else 0
            times = max(1, account.unreadable_looks)
            account.resync_ns = now_ns + doubled(RESYNC_RETRY_NS, times, RESYNC_RETRY_MAX_NS)
        case ev.MessageLost():
            account = state.account(event.venue)
            account.missed_ns = now_ns
            due(account, now_ns + RESYNC_RETRY_NS)
        case ev.LinkChanged():
            _link_changed(state, event, now_ns)
        case ev.TakenBack():
            _taken_back(state, event, now_ns)
        case ev.LimitsRead():
            state.account(event.venue).budget.resize(event.rate_per_s, event.burst)
        case ev.InstrumentsListed():
            _listed(state, event)
        case ev.LabelsReserved():
            state.reserved_upto = max(state.reserved_upto, min(event.upto, SEQUENCES_MAX))
        case ev.StoreChanged():
            state.store_trouble = event.trouble
            touch_all(state)
        case ev.TapeChanged():
            state.tape_trouble = event.trouble
            touch_all(state)
        case ev.LatchSaved():
            state.latch.saved = True
            touch_all(state)
        case ev.AuthorityRead():
            state.authority_ns = event.asked_ns
        case ev.AuthorityLate():
            be_away(state, now_ns)
        case ev.LeaseLost():
            state.lease_lost = event.holder
        case ev.Pause():
            state.paused = event.why
            touch_all(state)
        case ev.Unpause():
            state.paused = None
            touch_all(state)
        case ev.WindDown() | ev.Switched() | ev.SizeScaled() | ev.VolShifted():
            _controlled(state, event)
        case ev.Stop():
            state.stopping = state.stopping or event.why
            _withdraw(state, now_ns)
        case ev.Trip():
            trip(state, event.why, event.detail, now_ns)
        case _:
            assert_never(event)


def trip(state: State, why: Why, detail: str, now_ns: Nanos) -> None:
    """The kill switch: everything of ours must go."""
    state.latch.trip(why, detail, now_ns)
    _withdraw(state, now_ns)


def _controlled(
    state: State, event: ev.WindDown | ev.Switched | ev.SizeScaled | ev.VolShifted
) -> None:
    controls = state.controls
    match event:
        case ev.WindDown():
            controls.wind_down = event.on
        case ev.Switched():
            controls.switch(event.scope, event.on)
            for market in state.markets.values():
                market.off = controls.sides_off(market.instrument)
        case ev.SizeScaled():
            controls.size_factor = event.factor
        case ev.VolShifted():
            controls.vol_points, controls.vol_until_ns = event.points, event.until_ns
    touch_all(state)


def _skew_ns(alive: ev.LinkAlive) -> Nanos:
    """The venue answered at some moment between question and answer; what is beyond that is the
    clocks."""
    if alive.venue_ns is None:
        return 0
    return max(0, alive.asked_ns - alive.venue_ns, alive.venue_ns - alive.received_ns)


def _listed(state: State, event: ev.InstrumentsListed) -> None:
    for instrument in event.instruments:
        market = state.markets.get(instrument.id)
        if market is None:
            market = state.markets[instrument.id] = Market(instrument)
            market.off = state.controls.sides_off(instrument)
            state.inventory.of(instrument)  # before any reader asks, so that their order is ours
        elif market.instrument != instrument:
            market.instrument = instrument
            market.closure.accept()  # what was refused may have been so for the old terms
        state.touch(instrument.id)


def _value_opening(state: State, market: Market) -> None:
    """What was taken over before any mark was known is so at the first one there is."""
    position = state.inventory.positions.get(market.instrument.id)
    if position is None or position.mark is not None or not position.amount:
        return
    if market.mark is not None:
        position.revalue(to_decimal(market.mark))


def _platform(state: State, event: ev.PlatformState) -> None:
    """The venue locks or unlocks; unlocking everything ends every lock."""
    account = state.account(event.venue)
    name = (event.currency or "").lower()
    if event.locked:
        account.locks[name] = event.detail
    elif name:
        account.locks.pop(name, None)
    else:
        account.locks.clear()
        account.refused.over()
    touch_all(state)


def _link_changed(state: State, event: ev.LinkChanged, now_ns: Nanos) -> None:
    account = state.account(event.venue)
    account.detail = event.detail
    if event.link is ev.Link.MARKET:
        account.market_up = event.up
        if not event.up:
            for market in state.markets.values():
                if market.instrument.venue == event.venue:
                    market.lose_book(Why.LINK_DOWN)
    else:
        account.trading_up, account.trading_ns = event.up, now_ns
        account.second_path_ns = 0
        doubt(state, account, now_ns)
    for market in state.markets.values():
        if market.instrument.venue == event.venue:
            state.touch(market.instrument.id)


def _order_seen(state: State, event: ev.OrderSeen, now_ns: Nanos) -> None:
    if not is_ours(event.label):
        _foreign_seen(state, event)
        return
    assert event.label is not None
    order = state.orders.by_label.get(event.label)
    if order is None:
        if event.state is not ev.OrderState.OPEN:
            return
        if event.venue_ms <= state.orders.forgotten.get(event.label, -1):
            return  # old news about a finished order
        order = _adopt(state, _stated(event), event.venue, now_ns)
    market = state.markets.get(order.instrument)
    if market is not None:
        market.own_ms[order.side] = max(market.own_ms[order.side], event.venue_ms)
    state.orders.seen(event, order, asked_ns=0)
    memory = state.slot(order.instrument, order.side, order.level)
    account = state.account_of(order.instrument)
    if event.state is ev.OrderState.OPEN:
        memory.refusals = 0
        if event.answers in (ev.Request.PLACE, ev.Request.AMEND):
            memory.accept()
            account.refused.over()
            if market is not None:
                market.closure.accept()
    elif event.state is ev.OrderState.REJECTED:
        memory.refuse(now_ns)
        state.watch.requests.refused(now_ns)
    _note_end(state, event)
    if order.owed > 0:
        due(account, now_ns + RESYNC_DELAY_NS)
    state.touch(order.instrument)


def _note_end(state: State, seen: ev.OrderSeen) -> None:
    """How fast everything goes when it must is told by the venue's stamps."""
    if state.exit is not None and seen.state is not ev.OrderState.OPEN:
        state.exit.last_end_ms = max(state.exit.last_end_ms, seen.venue_ms)


def _stated(seen: ev.OrderSeen) -> OpenOrder:
    return OpenOrder(
        seen.order_id,
        seen.label,
        seen.instrument,
        seen.side,
        seen.price,
        seen.amount,
        seen.filled,
        seen.venue_ms,
    )


def _foreign_seen(state: State, seen: ev.OrderSeen) -> None:
    """Somebody else's order on the account: remembered, so that no sweep takes it along."""
    foreign = state.account(seen.venue).foreign
    if seen.state is ev.OrderState.OPEN:
        foreign[seen.order_id] = _stated(seen)
    else:
        foreign.pop(seen.order_id, None)


def _request_refused(state: State, event: ev.RequestRefused, now_ns: Nanos) -> None:
    order = state.orders.by_label.get(event.label)
    if order is None:
        return
    state.orders.refused(order, event.request, event.stands, now_ns)
    news = _heed_scope(state, order, event, now_ns)
    if news and event.request is not ev.Request.CANCEL:
        state.watch.requests.refused(now_ns)
    market = state.markets.get(order.instrument)
    if market is not None:
        market.why[order.side] = event.why
    if order.status is Status.UNKNOWN:
        due(state.account_of(order.instrument), now_ns + RESYNC_DELAY_NS)
    state.touch(order.instrument)


def _heed_scope(state: State, order: Order, event: ev.RequestRefused, now_ns: Nanos) -> bool:
    """Let a refusal stop what it reaches, and no more; whether it counts as a refusal of ours."""
    memory = state.slot(order.instrument, order.side, order.level)
    account, market = state.account_of(order.instrument), state.markets.get(order.instrument)
    match event.scope:
        case ErrorScope.SIDE:
            return memory.lack_funds(now_ns)
        case ErrorScope.INSTRUMENT if market is not None:
            market.closure.refuse(event.detail, now_ns)
        case ErrorScope.PLATFORM:
            account.refused.refused(BUSY_FIRST_NS, BUSY_MAX_NS, event.why, event.detail, now_ns)
            touch_all(state)
        case ErrorScope.ACCOUNT:
            first_ns, most_ns = BLOCKED_FIRST_NS, BLOCKED_MAX_NS
            account.refused.refused(first_ns, most_ns, event.why, event.detail, now_ns)
            touch_all(state)
        case _:
            memory.refuse(now_ns)
    return event.why is Why.REFUSED


def _outcome_unknown(state: State, event: ev.OutcomeUnknown, now_ns: Nanos) -> None:
    order = state.orders.by_label.get(event.label)
    if order is None or order.request is not event.request:
        return  # answered otherwise meanwhile
    state.orders.lost(order, now_ns)
    due(state.account_of(order.instrument), now_ns + RESYNC_DELAY_NS)
    state.touch(order.instrument)


def _filled(state: State, fill: Fill) -> None:
    if fill.label is None:  # the venue need not repeat it: its order tells whose it is
        fill = replace(fill, label=state.orders.ids.get(fill.order_id))
    market = state.markets.get(fill.instrument)
    if market is None:
        _filled_elsewhere(state, fill)
        return
    position = state.inventory.of(market.instrument)
    # What an earlier run traded without living to write it down is booked all the same.
    ours_unwritten = is_ours(fill.label) and not position.opened
    if not ours_unwritten and _in_opening(state, position, fill.venue_ms):
        state.inventory.know(fill.key)
        return
    mark = fill.mark
    if mark is None or not market.instrument.is_price(mark):
        mark = to_decimal(market.mark) if market.mark is not None else fill.price
    if not state.inventory.book(fill, market.instrument, mark):
        return
    state.watch.due = True
    _funds_changed(state, market.instrument.venue)
    ours = is_ours(fill.label)
    state.journal.append(Booked(fill, market.instrument, mark, ours))
    if ours:
        assert fill.label is not None
        market.own_ms[fill.side] = max(market.own_ms[fill.side], fill.venue_ms)
        if fill.liquidity is not Liquidity.TAKER:  # what is not told is what our orders are for
            account = state.account(market.instrument.venue)
            account.order_to_volume.traded(market.notional_usd(fill), fill.venue_ms * MS)
        order = state.orders.by_label.get(fill.label)
        if order is not None:
            state.orders.book(order, fill)
    else:
        state.foreign_fills += 1
    state.touch(fill.instrument)


def _in_opening(state: State, position: Position, venue_ms: int) -> bool:
    """Whether what the venue stamped so is part of the opening position.

    Once that stands, only the venue's own stamps can tell: its clock is not ours, and what happened
    just after the opening may be stamped before it by ours.
    """
    if position.opened:
        return venue_ms < position.opened_ms
    if venue_ms >= state.started_ns // MS:
        return False
    position.opened_ms = max(position.opened_ms, venue_ms + 1)
    return True


def _filled_elsewhere(state: State, fill: Fill) -> None:
    """A fill on an instrument we do not trade: not ours to value, but no longer owed."""
    if fill.key in state.inventory.booked:
        return
    state.inventory.know(fill.key)
    held = state.account_of(fill.instrument).held or {}
    if fill.instrument in held:
        held[fill.instrument].trade(fill)
    order = state.orders.by_label.get(fill.label) if fill.label else None
    if order is not None:
        state.orders.book(order, fill)


def _flowed(state: State, flow: Flow) -> None:
    """Money that moved without a trade, booked once; nothing from before a position was opened."""
    key = f"{flow.kind.value} {flow.ref}"
    market = state.markets.get(flow.instrument) if flow.instrument is not None else None
    if key in state.inventory.booked or (flow.instrument is not None and market is None):
        return
    before_us = flow.venue_ms < state.started_ns // MS
    if market is None:
        if not before_us or state.resume_ms:
            state.inventory.know(key)
            state.journal.append(Flowed(flow, None))
        return
    state.inventory.know(key)
    position = state.inventory.of(market.instrument)
    if not _in_opening(state, position, flow.venue_ms):
        position.flow(flow)
        state.journal.append(Flowed(flow, market.instrument))


def _snapshot_taken(state: State, event: ev.SnapshotTaken, now_ns: Nanos) -> None:
    account = state.account(event.venue)
    if not account.asked_ns or event.asked_ns < account.asked_ns:
        return  # superseded: the link changed since it was asked
    account.asked_ns, account.last_snapshot_ns = 0, event.asked_ns
    account.unreadable_looks = 0
    if event.flows_complete:
        account.flows_ns = max(account.flows_ns, account.flows_asked_ns)
    answers_missed = event.asked_ns > account.missed_ns
    account.resync_ns = now_ns + (RESYNC_EVERY_NS if answers_missed else RESYNC_RETRY_NS)
    for fill in event.fills:
        _filled(state, fill)
    for flow in event.flows:
        _flowed(state, flow)
    _absorb_orders(state, account, event, now_ns)
    _absorb_positions(state, account, event, now_ns)
    stated = {equity.currency: equity for equity in event.equity}
    for currency, equity in stated.items():
        before = account.equity.get(currency)
        if before is not None and before.balance != equity.balance:
            _funds_changed(state, event.venue)
    account.equity |= stated  # what is not told just now is what it was
    for equity in event.equity:
        account.opening_equity.setdefault(equity.currency, equity)
    if event.asked_ns >= account.doubted_ns and account.trading_up:
        account.reconciled = True
    state.watch.due = True
    if state.withdraw_ns and event.asked_ns > state.withdraw_ns:
        if account.ours_open == 0 and not state.orders.working(event.venue):
            _flat(state, now_ns, "first path")
        else:
            state.flat_verified = False
    for market in state.markets.values():
        if market.instrument.venue == event.venue:
            state.touch(market.instrument.id)


def _funds_changed(state: State, venue: str) -> None:
    """A position or a balance is not what it was: sides that lacked funds may have them now."""
    prefix = f"{venue}:"
    for (instrument, _, _), memory in state.slots.items():
        if memory.short and instrument.startswith(prefix):
            memory.funds_changed()


def _taken_back(state: State, event: ev.TakenBack, now_ns: Nanos) -> None:
    """The second path has been tried. What it could not list may still arrive over the first one
    while a request of ours is valid."""
    account = state.account(event.venue)
    again_ns = RESYNC_RETRY_NS if state.withdraw_ns else TAKE_BACK_EVERY_NS
    account.second_path_ns = now_ns + again_ns
    if event.left is None or event.left or not state.withdraw_ns:
        return
    prefix = f"{event.venue}:"
    if all(
        order.settle_ns < event.asked_ns
        for order in state.orders.all()
        if order.working and order.instrument.startswith(prefix)
    ):
        _flat(state, now_ns, "second path")


def _flat(state: State, now_ns: Nanos, path: str) -> None:
    """Nothing of ours is left: proved, and how long it took goes into the trail."""
    leaving = state.exit
    assert leaving is not None, "flat is what one becomes by withdrawing"
    if state.flat_verified:
        return
    state.flat_verified = True
    if state.latch.tripped is None:
        return
    began_ms, ended_ms = state.latch.at_ns // MS, leaving.last_end_ms
    state.notes.append(
        Note(
            "tripped",
            {
                "why": state.latch.tripped.value,
                "detail": state.latch.detail,
                "orders": leaving.orders,
                "last_order_ended_after_ms": max(0, ended_ms - began_ms) if ended_ms else None,
                "proved_after_ms": (now_ns - state.latch.at_ns) // MS,
                "proved_over": path,
            },
        )
    )


def _absorb_orders(state: State, account: Account, event: ev.SnapshotTaken, now_ns: Nanos) -> None:
    listed: dict[Label, None] = {}
    foreign: dict[str, OpenOrder] = {}
    for stated in event.orders:
        if not is_ours(stated.label):
            foreign[stated.order_id] = stated
            continue
        assert stated.label is not None
        listed[stated.label] = None
        order = state.orders.by_label.get(stated.label)
        if order is None:
            if stated.venue_ms <= state.orders.forgotten.get(stated.label, -1):
                continue
            order = _adopt(state, stated, account.venue, now_ns)
        state.orders.in_snapshot(order, stated, event.asked_ns)
    account.foreign, account.ours_open = foreign, len(listed)
    looked_up = dict(event.lookups)
    for order in list(state.orders.all()):
        if state.account_of(order.instrument) is not account:
            continue
        statement = looked_up.get(order.label)
        if statement is not None:
            _note_end(state, statement)
            state.orders.seen(statement, order, event.asked_ns)
        elif order.label not in listed:
            if order.label in looked_up or order.instrument not in state.markets:
                # Where nobody trades, that it is not open is all there is to know.
                if event.orders_complete:
                    state.orders.not_found(order, event.asked_ns)
            elif event.orders_complete:
                state.orders.not_in_snapshot(order, event.asked_ns)
        if order.status is Status.UNKNOWN or order.owed > 0:
            due(account, max(now_ns + RESYNC_RETRY_NS, order.settle_ns + 1))


def _absorb_positions(
    state: State, account: Account, event: ev.SnapshotTaken, now_ns: Nanos
) -> None:
    held = {position.instrument: position for position in event.positions}
    doubtful: dict[InstrumentId, Decimal] = {}
    for market in state.markets.values():
        instrument = market.instrument
        if instrument.venue != account.venue:
            continue
        stated = held.get(instrument.id)
        amount = stated.amount if stated is not None else ZERO
        if amount is None:
            continue  # nobody knows what is held there: what we believe stands
        position = state.inventory.of(instrument)
        position.accrued = stated.funding if stated is not None else ZERO
        gap = amount - position.amount
        if not position.opened:
            mark = stated.mark if stated is not None else None
            if mark is not None and not instrument.is_price(mark):
                mark = None
            position.open_with(gap, mark)
            _value_opening(state, market)
            earliest_ms = (state.started_ns - CLOCK_SKEW_NS) // MS
            at_ms = position.opened_ms = max(position.opened_ms, earliest_ms)
            state.journal.append(Opened(instrument, gap, position.mark, at_ms))
            continue
        if not gap:
            market.halted = ""
        elif account.doubtful.get(instrument.id) == gap:
            market.halted = f"venue says {amount}, fills say {position.amount}"
        else:
            doubtful[instrument.id] = gap  # perhaps a fill still on its way: look again
            due(account, now_ns + RESYNC_RETRY_NS)
        if gap and market.halted:
            doubtful[instrument.id] = gap
    account.doubtful = doubtful
    first, account.held = account.held is None, account.held or {}
    account.elsewhere = look_elsewhere(account.held, event.positions, state.markets, first=first)


def _adopt(state: State, stated: OpenOrder, venue: str, now_ns: Nanos) -> Order:
    """An order of ours that this table does not know: it fills its slot if that is free, and the
    venue has said enough of it. Otherwise it goes, and nothing is quoted beside it meanwhile."""
    assert stated.label is not None
    instrument, side = stated.instrument, stated.side
    if instrument is None:
        instrument = InstrumentId(f"{venue}:")
    price, amount, filled = stated.price, stated.amount, stated.filled
    unsized = side is None or price is None or amount is None or filled is None
    taken = any(o.side is side and o.level == 0 and o.working for o in state.orders.on(instrument))
    order = Order(
        label=stated.label,
        instrument=instrument,
        side=side or Side.BUY,
        level=STRAY_LEVEL if taken or unsized else 0,
        price=price or ZERO,
        amount=amount or ZERO,
        filled=filled or ZERO,
        booked=filled or ZERO,
        unsized=unsized,
        why=Why.ADOPTED,
        status=Status.UNKNOWN,
        order_id=stated.order_id,
        adopted_ms=stated.venue_ms,
        sent_ns=now_ns,
        settle_ns=now_ns,
        unknown_ns=now_ns,
    )
    state.orders.add(order)
    state.touch(order.instrument)
    return order


def _tick(state: State, now_ns: Nanos) -> None:
    state.watch.due = True
    state.watch.ticking_ns = state.watch.ticking_ns or now_ns
    if state.controls.lapse(now_ns):
        state.notes.append(Note("control", {"what": "vol offset", "ended": "its time was up"}))
        touch_all(state)
    for order in state.orders.overdue(now_ns):
        due(state.account_of(order.instrument), now_ns)
        state.touch(order.instrument)
    for order in state.orders.all():
        if order.status is Status.LIVE and not order.remaining:  # and nobody has said that it ended
            due(state.account_of(order.instrument), now_ns + RESYNC_DELAY_NS)
    silent = any(now_ns - a.alive_ns > SILENCE_NS for a in state.accounts.values())
    instruments = list(state.markets)
    count = len(instruments) if silent else min(TICK_MARKETS, len(instruments))
    for step in range(count):
        state.touch(instruments[(state.next_market + step) % len(instruments)])
    state.next_market += count


def _withdraw(state: State, now_ns: Nanos) -> None:
    if not state.withdraw_ns:
        state.withdraw_ns = now_ns
        state.exit = Exit(sum(order.working for order in state.orders.all()))
        for account in state.accounts.values():
            account.second_path_ns = 0  # now it is urgent
    touch_all(state)


def touch_all(state: State) -> None:
    """Every market needs a decision."""
    for instrument in state.markets:
        state.touch(instrument)


# --- intents promised -------------------------------------------------------------------------


def promise(state: State, intent: VenueIntent, level: int, fair: float, now_ns: Nanos) -> None:
    """Believe that `intent` is on its way, before it leaves."""
    if isinstance(intent, Place | Amend | Cancel | CancelAll):
        changes = len(intent.labels) if isinstance(intent, CancelAll) else 1
        state.account(venue_of(intent)).order_to_volume.sent(changes, now_ns)
    match intent:
        case Place():
            state.watch.requests.sent(now_ns)
            state.orders.add(
                Order(
                    label=intent.label,
                    instrument=intent.instrument,
                    side=intent.side,
                    level=level,
                    price=intent.price,
                    amount=intent.amount,
                    why=intent.why,
                    fair=fair,
                    request=ev.Request.PLACE,
                    sent_ns=now_ns,
                    deadline_ns=now_ns + REQUEST_DEADLINE_NS,
                    settle_ns=intent.valid_until_ns + CLOCK_SKEW_NS,
                )
            )
        case Amend():
            state.watch.requests.sent(now_ns)
            order = state.orders.by_label[intent.label]
            state.orders.amend_sent(
                order, intent.price, intent.amount, now_ns, intent.valid_until_ns
            )
            order.why, order.fair = intent.why, fair
        case Cancel():
            state.orders.cancel_sent(state.orders.by_label[intent.label], now_ns)
        case CancelAll():
            for label in intent.labels:
                order = state.orders.by_label[label]
                if order.status in (Status.LIVE, Status.UNKNOWN):
                    state.orders.cancel_sent(order, now_ns)
        case Resync():
            account = state.account(intent.venue)
            account.asked_ns = now_ns
            if intent.flows_since_ms is not None:
                account.flows_asked_ns = now_ns
        case TakeBack():
            state.account(intent.venue).second_path_ns = now_ns + TAKE_BACK_DEADLINE_NS


def unresolved(state: State, account: Account) -> Iterator[Order]:
    """Orders of one account whose fate must be asked about by name, those among them that are
    being cancelled all the same: a cancel that finds nothing need not say so."""
    for order in state.orders.all():
        unsure = order.status is Status.CANCELING and order.unknown_ns > 0
        if (
            (order.status is Status.UNKNOWN or unsure or order.owed > 0)
            and order.instrument in state.markets
            and state.account_of(order.instrument) is account
        ):
            yield order
