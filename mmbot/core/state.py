"""State: everything the bot knows, as plain data.

State is written by the files that tests/house/test_who_writes_state.py names, and by no other: an
event is applied, a request is promised, a decision is recorded. Reports only read.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from mmbot.core.books import Market
from mmbot.core.budget import Budget
from mmbot.core.capabilities import Capabilities
from mmbot.core.chains import Chain
from mmbot.core.closures import Backoff
from mmbot.core.controls import Controls
from mmbot.core.guard_memory import GuardMemory
from mmbot.core.inventory import Entry, Inventory
from mmbot.core.latch import Latch
from mmbot.core.memory import Memory
from mmbot.core.off_desk import Held, OffDesk
from mmbot.core.order_to_volume import OrderToVolume
from mmbot.core.orders import Orders
from mmbot.core.references import References
from mmbot.core.slots import SlotMemory
from mmbot.core.statements import Equity, OpenOrder
from mmbot.core.timing import Timing
from mmbot.core.totals import Retired
from mmbot.core.types import MS, SECOND, InstrumentId, Nanos, Owner, Quote, Side, venue_name
from mmbot.core.unclaimed import Unclaimed
from mmbot.core.why import Why

RESYNC_DELAY_NS: Nanos = 250 * MS
"""Something is unclear: wait this long for the venue's own message before asking."""

UNSEEN_NS: Nanos = 90 * SECOND
"""With a last snapshot older than this, no new risk is taken."""


@dataclass(slots=True)
class Exit:
    """How everything of ours on one account goes, from the moment it must."""

    orders: int
    """How many of ours might rest then."""
    last_end_ms: int = 0
    """When the last of them ended, by the venue's stamp; 0 while none has."""


@dataclass(slots=True)
class Account:
    """One venue's links, request budget and what it last told us about the account."""

    venue: str
    capabilities: Capabilities = field(default_factory=Capabilities)
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
    """What is left of the first limit for orders ..."""
    gates: dict[str, Budget] = field(default_factory=dict)
    """... and of the others, by name (core.gates)."""
    idle_since_ns: Nanos = 0
    """Until then another run may have used the same limits; 0: none did."""
    deferred: dict[InstrumentId, None] = field(default_factory=dict)
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
    fallback_ns: Nanos = 0
    """When the second path may be tried (again)."""
    equity: dict[str, Equity] = field(default_factory=dict)
    opening_equity: dict[str, Equity] = field(default_factory=dict)
    """Per currency, the first statement of this run."""
    doubtful: dict[InstrumentId, Decimal] = field(default_factory=dict)
    """Positions that disagreed with our fills in the last snapshot, and by how much."""
    off_desk: dict[str, OffDesk] = field(default_factory=dict)
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
    exit: Exit | None = None
    """How everything of ours goes; None while quoting is allowed."""
    flat_verified: bool = False
    """Leaving, and a look at the venue that was asked for afterwards shows nothing of ours."""
    lease_lost: str = ""
    """The run that holds our lease now: nothing is sent here any more."""
    unclaimed: dict[str, Unclaimed] = field(default_factory=dict)
    """What was told of orders that are not known to be ours, by order id, where no labels are."""
    resume_ms: int = 0
    """Fills since this moment (venue time) may be unknown to us."""
    protected: dict[str, Nanos] = field(default_factory=dict)
    """By coin, until when the venue takes no quotes of ours (core.protection); 0: it takes them."""

    def no_new_risk(self, now_ns: Nanos) -> Why | None:
        """Why only what reduces a position may be sent: the venue has not shown us the account for
        too long, or what an earlier run sent may still reach it."""
        if self.reconciled and now_ns - self.last_snapshot_ns > UNSEEN_NS:
            return Why.ACCOUNT_UNSEEN
        return Why.EARLIER_RUN if now_ns < self.earlier_run_ns else None

    def look_by(self, at_ns: Nanos) -> None:
        """A snapshot is wanted at `at_ns` at the latest."""
        self.resync_ns = min(self.resync_ns, at_ns) if self.resync_ns else at_ns


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person may ask about later; kept in the audit trail."""

    kind: str
    body: dict[str, object]


@dataclass(slots=True)
class State:
    """Everything the bot knows."""

    run: str
    """The run's number in base 36."""
    markets: dict[InstrumentId, Market] = field(default_factory=dict)
    watched: dict[InstrumentId, Market] = field(default_factory=dict)
    """Markets that are looked at and not traded (core.watched), and ..."""
    watch_ends_ns: Nanos = 0
    """... when the next of them expires; 0: none does."""
    chains: dict[str, Chain] = field(default_factory=dict)
    """Options that are valued together (core.chain_upkeep), by `ChainKey.text`; those whose pricer
    reads them ..."""
    chains_due: bool = True
    """... and whether their instruments have changed."""
    accounts: dict[str, Account] = field(default_factory=dict)
    orders: Orders = field(default_factory=Orders)
    inventory: Inventory = field(default_factory=Inventory)
    latch: Latch = field(default_factory=Latch)
    slots: dict[tuple[InstrumentId, Side, Owner, int], SlotMemory] = field(default_factory=dict)
    signals: dict[InstrumentId, dict[str, Memory]] = field(default_factory=dict)
    """What signals remember of an instrument, by their names."""
    hedges: dict[str, dict[InstrumentId, tuple[Quote, ...]]] = field(default_factory=dict)
    """By desk, what its hedger wants, on any market."""
    dirty: dict[InstrumentId, None] = field(default_factory=dict)
    """Markets to decide about, as an ordered set."""
    next_sequence: int = 0
    reserved_upto: int = 0
    paused: Why | None = None
    stopping: Why | None = None
    exit_ns: Nanos = 0
    """Since when everything of ours must go (stopping or tripped); 0 while quoting is allowed."""
    references: References = field(default_factory=References)
    opening_index: dict[str, float] = field(default_factory=dict)
    """Per coin, its first index of this run, in USD."""
    next_market: int = 0
    """Where the next Tick begins to look at markets in which nothing happened."""
    worst_coin: dict[str, Decimal] = field(default_factory=dict)
    """Per underlying, the sum of all markets' worst-case exposure, in coin."""
    entries: list[Entry] = field(default_factory=list)
    """What was booked and is not kept by the store yet."""
    notes: list[Note] = field(default_factory=list)
    """What belongs in the audit trail and is not kept by the store yet."""
    timing: Timing = field(default_factory=Timing)
    watch: GuardMemory = field(default_factory=GuardMemory)
    controls: Controls = field(default_factory=Controls)
    retired: Retired = field(default_factory=Retired)
    """Instruments that have come to their end."""
    store_trouble: str = ""
    """Why the store cannot take what happens; empty when it can."""
    tape_trouble: str = ""
    """Why the tape cannot; empty when it can, or when there is none."""
    labels_asked: int = 0
    """The last block of labels asked for ends here."""
    away_ns: Nanos = 0
    """When the bot last noticed that it had been away ..."""
    lease_checked_ns: Nanos = 0
    """... when lease and latch were last read from the store ..."""
    lease_check_asked_ns: Nanos = 0
    """... and when that was last asked for."""
    last_turn_ns: Nanos = 0
    started_ns: Nanos = 0
    turns: int = 0

    @property
    def flat_verified(self) -> bool:
        """Leaving, and every account is proved flat."""
        accounts = self.accounts.values()
        return bool(accounts) and all(account.flat_verified for account in accounts)

    @property
    def lease_lost(self) -> str:
        """The run that holds the lease of one of our accounts now; empty while all are ours."""
        return next((a.lease_lost for a in self.accounts.values() if a.lease_lost), "")

    def account(self, venue: str) -> Account:
        """The account at a venue that is traded."""
        return self.accounts[venue]

    def account_of(self, instrument: InstrumentId) -> Account:
        """The account an instrument is traded on."""
        return self.accounts[venue_name(instrument)]

    def add_account(self, venue: str) -> Account:
        """The account at a venue, which is traded from now on."""
        account = self.accounts.get(venue)
        if account is None:
            leaving = Exit(orders=0) if self.exit_ns else None
            account = self.accounts[venue] = Account(venue, exit=leaving)
        return account

    def slot(
        self, instrument: InstrumentId, side: Side, level: int, owner: Owner = Owner.DESK
    ) -> SlotMemory:
        """What happened lately in one slot, kept from now on."""
        key = (instrument, side, owner, level)
        memory = self.slots.get(key)
        if memory is None:
            memory = self.slots[key] = SlotMemory()
        return memory

    def touch(self, instrument: InstrumentId) -> None:
        """This market needs a decision."""
        self.dirty[instrument] = None

    def touch_all(self) -> None:
        """Every market needs a decision, and whatever else has orders of ours."""
        for instrument in (*self.markets, *self.orders.by_instrument):
            self.dirty[instrument] = None

    def forget_kept(self) -> None:
        """The store has taken everything that waited for it."""
        self.entries.clear()
        self.notes.clear()
        self.orders.changed.clear()
        self.orders.learned.clear()
