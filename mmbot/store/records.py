"""What crosses the border between the engine and the store. Plain data, no SQLAlchemy.

The engine hands records to `Writer.put`; the store answers with news, put into the event loop.
A record that is accepted is written, or kept until it can be. Moments ending in `_ns` are wall
time, those ending in `_ms` the venue's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.inventory import Pnl
from mmbot.core.order_life import Status
from mmbot.core.orders import Order
from mmbot.core.profit import Baseline
from mmbot.core.statements import Equity, Fill, Flow
from mmbot.core.types import InstrumentId, Label, Side, venue_name
from mmbot.core.why import Why


@dataclass(frozen=True, slots=True)
class AccountKey:
    """What one engine at a time may trade: an account on a venue in a mode.

    Positions and fills are kept per (venue, account); an account that exists only for us (paper,
    sim) therefore needs a name of its own.
    """

    mode: Mode
    venue: str
    account: str

    def __str__(self) -> str:
        return f"{self.account} on {self.venue} ({self.mode.value})"


@dataclass(frozen=True, slots=True)
class AccountDraft:
    """One account that a run is about to trade, and where it is reached."""

    account_key: AccountKey
    endpoint: str
    kind: str = ""
    """Of the venue; empty: its name is its kind."""


@dataclass(frozen=True, slots=True)
class RunDraft:
    """A run about to start. Paths only: what is secret stays where it is."""

    accounts: tuple[AccountDraft, ...]
    config_path: str | None = None
    env_path: str | None = None


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run of our own: its number, and label sequences below `labels_upto` to begin with."""

    run: int
    labels_upto: int
    lease_until_ns: int


# --- records: engine -> store -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FillBooked:
    """One execution, valued against `mark`. Its row and its effect on the position are one."""

    fill: Fill
    instrument: Instrument
    mark: Decimal
    ours: bool
    again: bool = False
    """Booked before, as provisional: it is final now."""

    @property
    def venue(self) -> str:
        """The venue of the account that this belongs to."""
        return venue_name(self.fill.instrument)


@dataclass(frozen=True, slots=True)
class PositionOpened:
    """What the account held of an instrument before us, taken over at `mark` (None: at the first
    mark seen). Booked once per instrument. Trades up to `at_ms` (venue time) are part of it."""

    instrument: Instrument
    amount: Decimal
    mark: Decimal | None
    at_ms: int

    @property
    def venue(self) -> str:
        """The venue of the account that this belongs to."""
        return self.instrument.venue


@dataclass(frozen=True, slots=True)
class FlowBooked:
    """Money that moved without a trade. Its entry and its effect on the position are one; transfers
    have no instrument."""

    flow: Flow
    instrument: Instrument | None
    venue: str = ""
    """The venue of the account that this belongs to; may be empty where the run has one account."""


@dataclass(frozen=True, slots=True)
class OrderNoted:
    """Where an order of ours stands. Only the newest per label is kept."""

    label: Label
    instrument: InstrumentId
    side: Side
    level: int
    price: Decimal
    amount: Decimal
    filled: Decimal
    status: Status
    order_id: str
    venue_ms: int
    why: Why

    @property
    def venue(self) -> str:
        """The venue of the account that this belongs to."""
        return venue_name(self.instrument)

    @classmethod
    def of(cls, order: Order) -> "OrderNoted":
        """The order as it stands now."""
        return cls(
            order.label,
            order.instrument,
            order.side,
            order.level,
            order.price,
            order.amount,
            order.filled,
            order.status,
            order.order_id,
            order.venue_ms,
            order.why,
        )


@dataclass(frozen=True, slots=True)
class IdLearned:
    """The venue's id of an order of ours, where it names no labels."""

    label: Label
    order_id: str
    venue: str


@dataclass(frozen=True, slots=True)
class FillClaimed:
    """An execution that is booked already is ours, by the label it has now."""

    fill: Fill

    @property
    def venue(self) -> str:
        """The venue of the account that this belongs to."""
        return venue_name(self.fill.instrument)


@dataclass(frozen=True, slots=True)
class EquitySampled:
    """The account value of one currency, as the venue states it; `desk_ms` is desk time."""

    equity: Equity
    at_ns: int
    desk_ms: int | None = None
    venue: str = ""
    """As in FlowBooked."""


@dataclass(frozen=True, slots=True)
class PnlSampled:
    """Profit in one settlement currency."""

    currency: str
    pnl: Pnl
    at_ns: int
    venue: str = ""
    """As in FlowBooked."""


@dataclass(frozen=True, slots=True)
class MarkSampled:
    """The mark of an instrument at a moment of desk time, for reports: what became of a fill, and
    what a position was worth when the venue stated the account's value."""

    instrument: InstrumentId
    desk_ms: int
    mark: Decimal
    index: Decimal | None
    """USD per coin of the underlying."""
    accrued: Decimal
    """Funding of the session that is not settled yet, in settlement currency."""
    at_ns: int

    @property
    def venue(self) -> str:
        """The venue of the account that this belongs to."""
        return venue_name(self.instrument)


@dataclass(frozen=True, slots=True)
class StatusPublished:
    """The engine's state for people, stamped by the engine's own loop: its heartbeat.

    `body` is encoded as JSON later, in another thread: hand over something nobody changes.
    """

    body: object
    at_ns: int


@dataclass(frozen=True, slots=True)
class BaselineKept:
    """Where the loss limits of a run's risk book count from. Only the newest of an account is
    kept."""

    baseline: Baseline
    at_ns: int


EMPTIED = "account emptied"
"""The kind of an entry that says: proved from outside, nothing of ours is open there."""


@dataclass(frozen=True, slots=True)
class Audited:
    """Something a person may ask about later: a command taken, a setting changed, a trip."""

    kind: str
    body: Mapping[str, object]
    at_ns: int


Money = FillBooked | PositionOpened | FlowBooked
"""What changes positions, booked in the order given."""

Sample = EquitySampled | PnlSampled | MarkSampled
"""What is appended and never looked up again by the engine."""

Whose = IdLearned | FillClaimed
"""What tells whose an order or a fill is, once that is known."""

OfAccount = Money | OrderNoted | Whose | Sample
"""What belongs to one account of the run; everything else is the run's own."""

Record = OfAccount | StatusPublished | BaselineKept | Audited


# --- news: store -> engine --------------------------------------------------------------------


class CommandKind(Enum):
    """What a person can ask of a running engine."""

    PAUSE = "pause"
    UNPAUSE = "unpause"
    STOP = "stop"
    KILL = "kill"
    WIND_DOWN = "wind-down"
    SWITCH = "switch"
    SIZE = "size"
    VOL = "vol"


@dataclass(frozen=True, slots=True)
class Command:
    """A person's wish, told to its engine exactly once."""

    id: int
    at_ns: int
    who: str
    kind: CommandKind
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelsGranted:
    """Label sequences below `upto` are durably ours."""

    upto: int


@dataclass(frozen=True, slots=True)
class LatchState:
    """The kill switch of one account, with the newest reason it has."""

    tripped: bool
    why: Why
    detail: str
    who: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class LatchTripped:
    """The kill switch of an account of ours is tripped, by us or by somebody else."""

    latch: LatchState
    account_key: AccountKey


@dataclass(frozen=True, slots=True)
class LeaseLate:
    """The lease was renewed after it had run out; nobody had taken it meanwhile."""

    late_ns: int


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another engine holds the lease of an account of ours now (or a person took it away): nothing
    may be sent."""

    holder: int | None
    account_key: AccountKey


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to `Writer.recheck`: read after it was asked."""

    lease_ours: bool
    """The leases of all accounts are ours."""
    latch: LatchState | None
    """Of an account where it is tripped, if there is one; None: armed, and never tripped."""

    @property
    def may_trade(self) -> bool:
        """Whether anything may be sent."""
        return self.lease_ours and not (self.latch is not None and self.latch.tripped)


@dataclass(frozen=True, slots=True)
class StoreFailing:
    """Nothing can be written; records are kept and tried again."""

    reason: str


@dataclass(frozen=True, slots=True)
class StoreWorking:
    """Records are being written again."""


News = (
    Command
    | LabelsGranted
    | LatchTripped
    | LeaseLate
    | LeaseLost
    | Standing
    | StoreFailing
    | StoreWorking
)
