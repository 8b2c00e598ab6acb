"""What goes over the line in virtual time: sessions, order requests and their answers, messages."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mmbot.core import events as ev
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace
from mmbot.core.statements import Fill
from mmbot.core.types import Level, Nanos

OrderRequest = Place | Amend | Replace | Cancel | CancelAll


@dataclass(frozen=True, slots=True)
class BookMessage:
    """A book as it is after change `change_id`; it stands on `previous` (None: on nothing)."""

    name: str
    previous: int | None
    change_id: int
    venue_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class TickerMessage:
    """A ticker, not yet received."""

    name: str
    mark: float
    index: float
    forward: float | None
    mark_iv: float | None
    delta: float | None
    min_price: float | None
    max_price: float | None


@dataclass(frozen=True, slots=True)
class AccountMessage:
    """What one request did to the account in one instrument."""

    fills: tuple[Fill, ...]
    orders: tuple[ev.OrderSeen, ...]


Message = BookMessage | TickerMessage | AccountMessage


@dataclass(slots=True, eq=False)
class Session:
    """One connection, as both ends see it. `tell` sends a message down to the other end."""

    link: ev.Link
    tell: Callable[[Message], None]
    hang_up: Callable[[], None]
    """Ends it from the venue's side."""
    number: int = 0
    entered: bool = False
    """Signed in and subscribed."""
    closed: bool = False
    """At the venue's end ..."""
    lost: bool = False
    """... and at ours."""
    up_ns: Nanos = 0
    """When the last message to the venue arrives: the next one does not overtake it."""
    down_ns: Nanos = 0
    """The same of those to us."""
    deaf_until_ns: Nanos = 0
    """Until then everything on it is swallowed."""
    orders: dict[str, None] = field(default_factory=dict)
    """Ids of the orders placed on it, as an ordered set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The venue's answer to an order request: what the adapter makes of it.

    `fills` come before `said`; nothing is said about a mass cancel that was carried out.
    """

    fills: tuple[Fill, ...] = ()
    said: tuple[ev.OrderSeen | ev.RequestRefused | ev.OutcomeUnknown, ...] = ()
    too_many: bool = False
