"""Everything that can happen: a closed union.

Venues, the clock, the store and people (commands.py) speak to the bot only through these. All are
plain data; moments ending in `_ns` are desk time, those ending in `_ms` are the venue's own stamps.
"""

from decimal import Decimal
from enum import Enum

from msgspec import Struct

from mmbot.core.capabilities import Capabilities
from mmbot.core.chains import Fitted
from mmbot.core.commands import (
    Pause,
    SizeScaled,
    Stop,
    Switched,
    Trip,
    Unpause,
    VolShifted,
    WindDown,
)
from mmbot.core.contracts import Instrument
from mmbot.core.error_scope import ErrorScope
from mmbot.core.order_life import OrderState, Request
from mmbot.core.protection import ProtectionTold
from mmbot.core.statements import Equity, Fill, Flow, HeldPosition, OpenOrder
from mmbot.core.types import InstrumentId, Label, Level, Nanos, Side
from mmbot.core.watchlist import InstrumentsWatched
from mmbot.core.why import Why

# --- the market -------------------------------------------------------------------------------


class InstrumentsListed(Struct, frozen=True, gc=False):
    """A desk trades these that the venue lists; known ones are replaced (their grid may differ)."""

    instruments: tuple[Instrument, ...]
    desk: str = ""


class BookChanged(Struct, frozen=True, gc=False):
    """The newest whole view of a book: the best levels of each side, best first."""

    instrument: InstrumentId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    venue_ms: int
    received_ns: Nanos


class BookLost(Struct, frozen=True, gc=False):
    """The book can no longer be trusted (gap, unsubscribed, reconnect) until it changes again."""

    instrument: InstrumentId
    why: Why


class TickerChanged(Struct, frozen=True, gc=False):
    """Reference values. `forward` is the price options are priced on. What the venue does not say,
    or says in a form nobody can read, is None."""

    instrument: InstrumentId
    mark: float | None
    index: float | None
    forward: float | None
    mark_iv: float | None
    """Fraction per year: 0.62 is 62 %."""
    delta: float | None
    min_price: float | None
    max_price: float | None
    received_ns: Nanos
    state: str | None = None
    """Of the instrument, in the venue's word."""
    best_bid: float | None = None
    """Best prices with our own orders in them, and their volatilities as fractions per year."""
    best_ask: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    current_funding: float | None = None
    """What longs pay of the notional in 8 hours, at the rate of this moment and of the last 8."""
    funding_8h: float | None = None


class InstrumentState(Struct, frozen=True, gc=False):
    """News of an instrument that closed, opened, or ended; `state` is the venue's word."""

    instrument: InstrumentId
    state: str


class PlatformState(Struct, frozen=True, gc=False):
    """The venue locks or unlocks trading in what `currency` names (a settlement currency or a coin;
    None: everywhere)."""

    venue: str
    currency: str | None
    locked: bool
    detail: str


class TradePrinted(Struct, frozen=True, gc=False):
    """A public trade; `side` is the taker's."""

    instrument: InstrumentId
    price: float
    amount: float
    side: Side
    venue_ms: int


class ReferenceChanged(Struct, frozen=True, gc=False):
    """What a source that is no venue of ours says an asset is worth in USD (core.references)."""

    source: str
    asset: str
    price: float
    source_ms: int | None
    received_ns: Nanos


# --- the link to a venue ----------------------------------------------------------------------


class Link(Enum):
    """The two connections a venue has."""

    MARKET = "market data"
    TRADING = "trading"

    __hash__ = object.__hash__  # as Side's


class LinkChanged(Struct, frozen=True, gc=False):
    """A connection came up (subscribed, logged in) or went down."""

    venue: str
    link: Link
    up: bool
    detail: str = ""


class LinkAlive(Struct, frozen=True, gc=False):
    """Proof of life: a round trip on this connection, begun at `asked_ns`, just completed.

    Whatever the venue sent on it before the question has been received by now.
    """

    venue: str
    link: Link
    asked_ns: Nanos
    received_ns: Nanos
    venue_ns: Nanos | None = None
    """The venue's own clock when it answered, where it says."""


class VenueDescribed(Struct, frozen=True, gc=False):
    """What the venue can do, and how: said before anything else of it."""

    venue: str
    capabilities: Capabilities


class LimitsRead(Struct, frozen=True, gc=False):
    """The account's own request budget: matching-engine requests per second and burst."""

    venue: str
    rate_per_s: float
    burst: float


# --- our orders -------------------------------------------------------------------------------


class OrderSeen(Struct, frozen=True, gc=False):
    """The venue's statement about one order; `answers` names the request it replies to. What it
    does not say is None."""

    venue: str
    label: Label | None
    order_id: str
    instrument: InstrumentId | None
    side: Side | None
    price: Decimal | None
    amount: Decimal | None
    filled: Decimal | None
    state: OrderState
    venue_ms: int
    answers: Request | None = None
    created_ms: int | None = None


class RequestRefused(Struct, frozen=True, gc=False):
    """The venue said no. `stands`: True = the order is untouched, False = there is no order,
    None = the refusal does not tell (it may have been filled or cancelled meanwhile). `scope`: how
    far it reaches. A refused REPLACE (`label` is the old order's) has created nothing."""

    label: Label
    request: Request
    why: Why
    detail: str
    stands: bool | None
    scope: ErrorScope = ErrorScope.ORDER


class OutcomeUnknown(Struct, frozen=True, gc=False):
    """No answer will come for this request: time-out, lost reply, closed socket. Never "gone"."""

    label: Label
    request: Request
    why: Why


class Filled(Struct, frozen=True, gc=False):
    """An execution of ours or of somebody else on the account."""

    fill: Fill


class SnapshotTaken(Struct, frozen=True, gc=False):
    """The venue's word on everything, stamped with the moment it was asked for.

    `lookups` answers the labels that were asked about by name: the venue's last statement, or
    None where it knows no such order. `orders_complete` is false where an order in the list could
    not even be named: then no order is missing for certain. With `flows_complete` false the log
    could not be read to its end, and is asked for again.
    """

    venue: str
    asked_ns: Nanos
    orders: tuple[OpenOrder, ...]
    positions: tuple[HeldPosition, ...]
    fills: tuple[Fill, ...]
    flows: tuple[Flow, ...] = ()
    lookups: tuple[tuple[Label, OrderSeen | None], ...] = ()
    equity: tuple[Equity, ...] = ()
    orders_complete: bool = True
    flows_complete: bool = True


class SnapshotFailed(Struct, frozen=True, gc=False):
    """The venue could not be asked, or (`unreadable`) answered in a form nobody can read."""

    venue: str
    detail: str
    unreadable: bool = False


class ElementsUnread(Struct, frozen=True, gc=False):
    """So many elements of one kind of message could not be read and were left out since this was
    last said; `detail` is about the last of them."""

    venue: str
    kind: str
    count: int
    detail: str


class MessageLost(Struct, frozen=True, gc=False):
    """The venue told us something about our orders or trades that could not be read: ask for it."""

    venue: str


class FallbackTried(Struct, frozen=True, gc=False):
    """The second path has been tried. `left`: orders of ours the venue listed afterwards; None
    when it could not be asked."""

    venue: str
    asked_ns: Nanos
    left: tuple[OpenOrder, ...] | None


# --- the store ---------------------------------------------------------------------------------


class LabelsReserved(Struct, frozen=True, gc=False):
    """Label sequences below `upto` are durably ours to use."""

    upto: int


class StoreChanged(Struct, frozen=True, gc=False):
    """The store can (or cannot) take what happens; `trouble` is empty when it can."""

    trouble: str


class TapeChanged(Struct, frozen=True, gc=False):
    """The tape can (or cannot) take what happens; `trouble` is empty when it can."""

    trouble: str


class LatchSaved(Struct, frozen=True, gc=False):
    """The tripped latch is on disk (or has been tried: cancels need not wait any longer)."""


class LeaseChecked(Struct, frozen=True, gc=False):
    """Read from the store at `asked_ns`: the lease is ours, and the latch is not tripped there."""

    asked_ns: Nanos


class LeaseLate(Struct, frozen=True, gc=False):
    """The lease ran out for a while, though nobody took it."""


class LeaseLost(Struct, frozen=True, gc=False):
    """Another engine runs an account of ours now: nothing may be sent there any more."""

    holder: str
    venue: str = ""
    """Which account; empty: all of them."""


# --- time -------------------------------------------------------------------------------------


class Tick(Struct, frozen=True, gc=False):
    """Time passes: every 100 ms. Deadlines fire only from these."""


ListEvent = InstrumentsListed | InstrumentsWatched
MarketEvent = ListEvent | BookChanged | BookLost | TickerChanged | InstrumentState | TradePrinted
LinkEvent = (
    LinkChanged
    | LinkAlive
    | LimitsRead
    | PlatformState
    | ProtectionTold
    | ElementsUnread
    | VenueDescribed
)
OrderEvent = (
    OrderSeen
    | RequestRefused
    | OutcomeUnknown
    | Filled
    | SnapshotTaken
    | SnapshotFailed
    | MessageLost
    | FallbackTried
)
StoreEvent = (
    LabelsReserved | StoreChanged | TapeChanged | LatchSaved | LeaseChecked | LeaseLate | LeaseLost
)
Control = Pause | Unpause | WindDown | Switched | SizeScaled | VolShifted
Command = Tick | Control | Stop | Trip
Event = MarketEvent | Fitted | ReferenceChanged | LinkEvent | OrderEvent | StoreEvent | Command
