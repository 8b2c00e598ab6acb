"""Everything we can want done: a closed union, carried out by a venue, the store or a fitter.

Every place and amend carries `valid_until_ns` (desk time): a request delayed beyond it must die
at the venue instead of resting, where the venue can be told so.
"""

from decimal import Decimal

from msgspec import Struct

from mmbot.core.chains import FitSurface
from mmbot.core.types import InstrumentId, Label, Nanos, Side, TimeInForce, venue_name
from mmbot.core.why import Why


class Place(Struct, frozen=True, gc=False):
    """Send a new limit order."""

    instrument: InstrumentId
    label: Label
    side: Side
    price: Decimal
    amount: Decimal
    post_only: bool
    reduce_only: bool
    valid_until_ns: Nanos
    why: Why
    time_in_force: TimeInForce = TimeInForce.GTC


class Amend(Struct, frozen=True, gc=False):
    """Change a resting order. `amount` is the total, including what is already filled."""

    instrument: InstrumentId
    label: Label
    order_id: str
    price: Decimal
    amount: Decimal
    post_only: bool
    valid_until_ns: Nanos
    why: Why


class Replace(Struct, frozen=True, gc=False):
    """End a resting order (`old`, `order_id`) and create another in its place, by one request.
    `amount` is the new order's own: what is filled of the old one is not in it."""

    instrument: InstrumentId
    old: Label
    order_id: str
    label: Label
    side: Side
    price: Decimal
    amount: Decimal
    post_only: bool
    reduce_only: bool
    valid_until_ns: Nanos
    why: Why


class Cancel(Struct, frozen=True, gc=False):
    """Take one order away."""

    instrument: InstrumentId
    label: Label
    order_id: str
    why: Why


class CancelAll(Struct, frozen=True, gc=False):
    """Take every order away: on the venue, or on one instrument."""

    venue: str
    instrument: InstrumentId | None
    labels: tuple[Label, ...]
    why: Why


class Resync(Struct, frozen=True, gc=False):
    """Ask the venue for its word on everything, on trades since `fills_since_ms` (its own time),
    on funding, deliveries and transfers since `flows_since_ms` (None: not now), and on these labels
    by name, or by their `order_ids` where it knows no labels."""

    venue: str
    fills_since_ms: int
    flows_since_ms: int | None
    labels: tuple[tuple[InstrumentId, Label], ...]
    why: Why
    order_ids: tuple[str, ...] = ()


class FallbackCancel(Struct, frozen=True, gc=False):
    """Take back every order of ours over the second path: the first one is down, or does not
    answer. `order_ids` names them where the venue knows no labels."""

    venue: str
    why: Why
    order_ids: tuple[str, ...] = ()


class ReserveLabels(Struct, frozen=True, gc=False):
    """Have the store set aside the next block of label sequences, durably."""

    upto: int


class SaveLatch(Struct, frozen=True, gc=False):
    """Have the store keep the tripped latch, before any cancel is sent."""

    why: Why
    detail: str


class CheckLease(Struct, frozen=True, gc=False):
    """Have the store say whether the lease is still ours and the latch still armed."""


VenueIntent = Place | Amend | Replace | Cancel | CancelAll | Resync | FallbackCancel
StoreIntent = ReserveLabels | SaveLatch | CheckLease
Intent = VenueIntent | StoreIntent | FitSurface


def venue_of(intent: VenueIntent) -> str:
    """The venue that carries an intent out."""
    match intent:
        case Amend() | Place() | Replace() | Cancel():
            return venue_name(intent.instrument)
        case CancelAll() | Resync() | FallbackCancel():
            return intent.venue
