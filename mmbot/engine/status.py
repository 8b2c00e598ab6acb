"""What `mmbot quote` shows: one status frame at a time, and the summary at the end. Plain data.

The composition root fills them from the engine; the screen and the summary draw them. The same
frames, kept in the store once a second, are what `mmbot status` reads. Prices are in the
instrument's quote unit, amounts in its amount unit (core.types), money in USD.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from mmbot.core.types import ZERO
from mmbot.core.why import Why
from mmbot.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRow:
    """One quote as the strategy wants it, before the limits, and what it is built from."""

    side: str
    level: int
    price: float
    """The model's price, and ..."""
    grid: Decimal | None
    """... the same on the venue's grid; None where nothing of it is left."""
    size: float
    fair: float
    why: Why
    clamp: Why | None
    """The bound that had the last word on the price, if any."""
    terms: tuple[tuple[str, float], ...]
    """Names and addends, in price units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """What a source that is no venue of ours says the underlying is worth, in USD."""

    source: str
    price: float
    age_s: float
    """Since it was received ..."""
    source_age_s: float | None
    """... and since the moment it was stamped with; None where the source stamps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FairInput:
    """One thing a fair value follows from."""

    name: str
    value: float | None
    """None: more than one number, as a book is."""
    unit: str
    age_s: float | None
    """Since it was heard or reckoned; None where that has no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FairRow:
    """What an instrument is worth by its desk's pricer, and by what."""

    value: float
    model: str
    """Such as svi, mark or microprice; empty where the pricer does not say."""
    why: str
    """Why by nothing better, where better was wanted."""
    inputs: tuple[FairInput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRow:
    """One line of the table. None: there is none, or it is not known."""

    instrument: str
    """The venue's own name, without the venue, unless two venues have one of that name."""
    market_bid: Decimal | None
    market_ask: Decimal | None
    """Best prices of the others, our own orders left out."""
    our_bid: Decimal | None
    our_bid_size: Decimal | None
    our_ask: Decimal | None
    our_ask_size: Decimal | None
    fair: float | None
    position: Decimal
    delta_coin: float | None
    """Delta of the position, in coin of the underlying."""
    pnl_usd: float | None
    age_s: float | None
    """Since the market data last gave a sign of life."""
    why: Why
    symbol: str = ""
    """ccxt's name of it."""
    open_orders: int = 0
    """Of ours, in flight and unknown ones included."""
    last_fill_s: float | None = None
    """Since the newest fill."""
    book: str = ""
    """What is wrong with the book, in a word or two; empty while it may be trusted."""
    mark: float | None = None
    index: float | None = None
    """The venue's mark price, and USD per coin of the underlying."""
    quotes: tuple[QuoteRow, ...] = ()
    """What `mmbot explain` shows ..."""
    pricer: str = ""
    """... which pricer said what the instrument is worth, empty while none has ..."""
    fair_by: FairRow | None = None
    """... and by what; None while nothing is said."""
    quoted_share: dict[str, float] = field(default_factory=dict)
    """By side: time in the market since the first quote of this run, 0 to 1."""
    reasons: dict[str, Why] = field(default_factory=dict)
    """By side: why it is quoted as it is, or why not at all."""
    worth_saying: dict[str, Why] = field(default_factory=dict)
    """By side, for the table: what keeps it away, else the bound that decided, else the same."""
    held_back: dict[str, str] = field(default_factory=dict)
    """By side, where what rests is not what is wanted: what the move waits for."""
    quoted: bool = True
    """Whether a desk of this engine trades it; what is only held is a row too."""
    average: Decimal | None = None
    """The average price of a position that nobody quotes, as the venue states it."""
    unit: str = ""
    """What amounts are counted in: a coin, or USD ..."""
    unit_usd: float | None = None
    """... and what one of it is worth."""
    min_amount: Decimal | None = None
    amount_step: Decimal | None = None
    """The venue's smallest order, and its steps."""
    venue: str = ""
    desk: str = ""
    """Where it is traded, and by which desk; no desk where it is only held."""
    references: tuple[ReferenceRow, ...] = ()
    """The underlying's price elsewhere."""
    settlement: str = ""
    """What it is settled in, and prices are in where it is not inverse."""
    maker_fee: float | None = None
    """Of one unit of amount at the fair value, in price units: the floor under a quote ..."""
    base_fee: Decimal = ZERO
    """... and what an order that takes costs besides, whatever its size."""
    signals: dict[str, float | None] = field(default_factory=dict)
    """What the desk's signals say, by name; None: not known ..."""
    signal_units: dict[str, str] = field(default_factory=dict)
    """... and what that is counted in, where it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRow:
    """Instruments of one kind that have come to their end and are shown no more, together."""

    venue: str
    desk: str
    settlement: str
    underlying: str
    instruments: int
    fills: int
    pnl_usd: float | None
    """None: nobody knows."""

    @property
    def name(self) -> str:
        """What they are called, together."""
        what = f"{self.underlying} in {self.settlement}, {self.desk} at {self.venue}"
        return f"{self.instruments} settled: {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Delta of all positions on one underlying, in coin: added up with their signs, and without."""

    net: float
    gross: float
    complete: bool = True
    """Whether the delta of every position is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrder:
    """An open order on the account that is not ours. `price` and `amount` (what is open of it) are
    None where the venue does not say: a stop order has no price."""

    instrument: str
    side: str
    price: Decimal | None
    amount: Decimal | None
    label: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderToVolume:
    """Changes to the order book for what was traded as maker, over the last hour. None: nothing
    was traded."""

    messages: int
    trades: int
    volume_usd: float
    per_trade: float | None
    per_1000_usd: float | None
    slowed: bool = False
    """The bound is reached: orders that merely lag are not moved."""


class Doing(Enum):
    """What an engine is about."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    KILLED = "killed"
    """The kill switch is tripped: nothing is quoted, everything of ours is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pnl:
    """Trading profit and its parts: total = spread + inventory + funding - fees. The total is the
    sum of the rows' profits, with those of what is settled; what nobody quotes is part of the
    inventory."""

    total_usd: float
    spread_usd: float
    inventory_usd: float
    fees_usd: float
    """Fees paid; negative for rebates earned."""
    funding_usd: float = 0.0
    """Funding received; negative when paid."""
    open_usd: float = 0.0
    """Of the total, what is not realized: open positions at the mark."""
    revaluation_usd: float = 0.0
    """What the account's coins earned by their own price: no trading profit, and not in the total.
    Total and this together are the change of equity in USD since the run began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a venue allows, and what is left of it."""

    name: str
    scope: str
    """What it is counted for: "account", or "instrument" (of those the one with least left)."""
    left: float
    full: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFrame:
    """How an account is connected: `text` in a word or two, for instance "up"."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MmpFrame:
    """Market-maker protection of an account: whether it is set, and what it does."""

    configured: bool
    frozen: bool
    until: int | None
    """Desk time, in ns; None: not frozen, or until it is reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFrame:
    """One account at one moment."""

    name: str
    kind: str
    account: str
    link: LinkFrame
    limits: tuple[Limit, ...]
    equity: dict[str, Decimal]
    """By currency, as the venue last stated it; currencies without any left out."""
    open_orders: int
    """Of ours, in flight and unknown ones included."""
    dead_man: str = ""
    """What cancels our orders when this engine is gone, in a word (core.capabilities.DeadMan)."""
    mmp: MmpFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskFrame:
    """One desk at one moment."""

    name: str
    instruments: int
    open_orders: int
    fills: int
    quoted_share: float | None
    """Time in the market since the first quote, 0 to 1, over all its sides; None before that."""
    watched: int = 0
    """Markets it looks at besides, which no desk trades and no other one named before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFrame:
    """The engine at one moment: sums over all accounts, and the worst of what is no number."""

    mode: str
    """"sim", "live" ...; always the first thing shown."""
    venue: str
    run_id: str
    uptime_s: float
    link: str
    """State of the venue links in a word or two, for instance "up"."""
    link_ok: bool
    budget: float
    budget_full: float
    """Requests that can be sent at once now, and when the bucket is full."""
    fills: int
    pnl: Pnl
    rows: tuple[InstrumentRow, ...]
    """What is quoted, and ..."""
    held: tuple[InstrumentRow, ...] = ()
    """... what the account holds besides, and what it held since the run began."""
    in_flight: int = 0
    """Requests not answered yet."""
    deferred: int = 0
    """How often in this run a request had to wait for budget."""
    order_to_volume: OrderToVolume | None = None
    doing: Doing = Doing.RUNNING
    market_up: bool = False
    trading_up: bool = False
    """The two connections: public data, and orders."""
    equity: dict[str, Decimal] = field(default_factory=dict)
    """Account value by currency, as the venue last stated it; currencies without any left out."""
    equity_usd: float | None = None
    """Their sum at the present index; None while one of them has none."""
    foreign: tuple[ForeignOrder, ...] = ()
    controls: tuple[str, ...] = ()
    """What a person has changed while it runs, and what a guard pauses for."""
    off_desk: dict[str, float] = field(default_factory=dict)
    """Per underlying that is quoted, what the account holds of it on instruments that are not, in
    coin: it counts in the exposure."""
    locks: tuple[str, ...] = ()
    """What the venue has locked or closed or takes no orders for, in words."""
    unread: dict[str, int] = field(default_factory=dict)
    """Elements of the venue's messages that could not be read and were left out, by kind."""
    ended: str = ""
    """Why the run is over; empty while it is not."""
    at_ns: int = 0
    """Desk time, which is the simulated world's in sim mode; 0 where it was not said."""
    delta: dict[str, Exposure] = field(default_factory=dict)
    """By underlying."""
    margin_use: dict[str, float] = field(default_factory=dict)
    """By currency: maintenance margin over margin balance; with cross margin, of the portfolio."""
    trip: str = ""
    """Why the kill switch was tripped, in full; empty while it is not."""
    venues: tuple[VenueFrame, ...] = ()
    desks: tuple[DeskFrame, ...] = ()
    settled: tuple[SettledRow, ...] = ()

    @property
    def every_row(self) -> tuple[InstrumentRow, ...]:
        """What is quoted, then what is only held."""
        return self.rows + self.held

    @property
    def open_orders(self) -> int:
        """Of ours, in flight and unknown ones included."""
        return sum(row.open_orders for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCounts:
    """What was sent to the venue in this run, and how it answered."""

    placed: int
    amended: int
    cancelled: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSummary:
    """One account at the end of a run. `open_orders_after_stop`: None if it could not be asked."""

    kind: str
    account: str
    orders: OrderCounts
    fills: int
    open_orders_after_stop: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSummary:
    """One desk at the end of a run; `quoted_share` as in its frame."""

    orders: OrderCounts
    fills: int
    quoted_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """One instrument at the end of a run; profit None: nobody knows."""

    name: str
    """The venue's."""
    position: Decimal
    pnl_usd: float | None
    quoted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The run in one object.

    `open_orders_after_stop`: how many of our orders the venues still list; None if one of them
    could not be asked.
    """

    mode: str
    venue: str
    run_id: str
    instruments: tuple[str, ...]
    orders: OrderCounts
    fills: int
    positions: dict[str, Decimal]
    """The venue's name -> signed amount, those that nobody quotes included; flat instruments are
    left out. A name that two venues have is told apart by the venue's, as in `hedge:NAME`."""
    rows: tuple[Earned, ...]
    """What came of every instrument that is held or earned something; their sum is the total."""
    delta_coin: dict[str, Exposure]
    """By underlying."""
    pnl: Pnl
    open_orders_after_stop: int | None
    duration_s: float
    ended: str
    """Why it ended."""
    tripped: str | None = None
    """Why the kill switch was tripped; None when it was not."""
    unwritten: str = ""
    """What the store did not take in the end, and why; empty when it took everything."""
    venues: dict[str, VenueSummary] = field(default_factory=dict)
    desks: dict[str, DeskSummary] = field(default_factory=dict)
    """Both by name."""

    @property
    def exit_code(self) -> ExitCode:
        """What the run ends with."""
        if self.open_orders_after_stop != 0:
            return ExitCode.ORDERS_MAY_REMAIN
        return ExitCode.OK if self.tripped is None else ExitCode.REFUSED
