"""What venues differ in, as plain values: said by a venue before anything else of it
(VenueDescribed), kept in its account and obeyed by the core.

The defaults are those of a venue on which an order keeps its id when it moves, requests expire, and
a broken connection cancels what was sent over it. What the core cannot do yet is named by
`unsupported`, so that such a venue is refused before anything is sent to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mmbot.core.types import SECOND, Nanos

REQUEST_DEADLINE_NS: Nanos = 2 * SECOND
"""How long a request may stay unanswered before its order is UNKNOWN, unless the venue differs."""

VALID_FOR_NS: Nanos = 2 * REQUEST_DEADLINE_NS
"""How long a venue may still execute a place or an amend of ours, unless it says otherwise."""

ABSENT_AFTER_NS: Nanos = 60 * SECOND
"""The same where a venue knows no such limit: no request is delayed for longer."""


LIFE_MIN = 4
"""Orders that expire live at least so many request deadlines: the last quarter of its life must be
enough to move one."""


class Move(Enum):
    """How a resting order gets another price or size."""

    SAME_ID = "amended"
    REPLACE = "replaced"
    """By a new order, under another id and label."""
    NONE = "cancelled and placed again"


class CancelScope(Enum):
    """What one request may cancel all of."""

    VENUE = "everything of the account"
    WALLET = "everything of the wallet"
    """Orders of other accounts too."""
    INSTRUMENT = "an instrument"
    LABELS = "a list of labels"


class DeadMan(Enum):
    """What cancels our orders when we no longer can."""

    CONNECTION = "connection"
    """The end of the connection they were sent over."""
    WALLET = "wallet"
    """The end of any connection of the wallet."""
    HEARTBEAT = "heartbeat"
    """A heartbeat that does not come."""
    ORDER_EXPIRY = "order expiry"
    """Every order ends by itself after a while."""
    NONE = "none"


class Draws(Enum):
    """Requests, as far as venues count them differently."""

    PLACE = "place"
    MOVE = "move"
    CANCEL = "cancel"
    """Of one order, or of all on one instrument."""
    MASS_CANCEL = "mass cancel"
    """Of everything."""
    LABEL_CANCEL = "cancel by label"
    """Of one order by its label alone, at a venue that counts that apart."""
    READ = "read"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python call


class GateKind(Enum):
    """How a limit comes back."""

    TOKEN_BUCKET = "token bucket"  # no password
    """Steadily."""
    FIXED_WINDOW = "fixed window"
    """All at once, when the next window begins."""


class GateScope(Enum):
    """What a limit is counted for."""

    ACCOUNT = "account"
    INSTRUMENT = "instrument"


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit of requests: `burst` at once (or in a window), `rate_per_s` on the long run."""

    name: str
    rate_per_s: float
    burst: float
    kind: GateKind = GateKind.TOKEN_BUCKET
    scope: GateScope = GateScope.ACCOUNT
    weights: tuple[tuple[Draws, float], ...] = tuple(
        (draws, 1.0) for draws in Draws if draws is not Draws.LABEL_CANCEL
    )
    """What a request takes of it; kinds that are not named pass beside it."""
    cancel_reserve: float = 0.25
    """The share of the burst that is kept for cancels."""
    session_share: float = 0.0
    """Where orders and reads both draw from it: the share of it that is the session's, for what it
    asks by itself. The core leaves that alone and spends the rest, looks included."""
    quote_share: float = 1.0
    """What a place or a move costs where it is a quote, which only rests, as a share of its weight.
    """
    name_ends: tuple[str, ...] = ()
    """Of a limit per instrument: how the names end of those that it is for; empty: of all."""

    @property
    def for_orders(self) -> bool:
        """Whether orders draw from it."""
        return any(draws in ORDER_REQUESTS for draws, _ in self.weights)

    @property
    def is_shared(self) -> bool:
        """Whether the session's own requests draw from what orders draw from."""
        return self.for_orders and self.scope is GateScope.ACCOUNT and self.weight(Draws.READ) > 0

    @property
    def of_session(self) -> tuple[float, float]:
        """What the session may spend on its own requests, by rate and burst: all of a gate that no
        orders draw from."""
        share = self.session_share if self.for_orders else 1.0
        return self.rate_per_s * share, self.burst * share

    @property
    def of_core(self) -> tuple[float, float]:
        """What is left for the core. Two buckets of together the same rate and burst never take
        more than the one, nor do two windows."""
        share = 1.0 - self.session_share
        return self.rate_per_s * share, self.burst * share

    def weight(self, draws: Draws) -> float:
        """What a request of that kind takes of it; 0 where it passes beside."""
        for kind, weight in self.weights:
            if kind is draws:
                return weight
        return 0.0


ORDER_REQUESTS = (Draws.PLACE, Draws.MOVE, Draws.CANCEL)

_ORDERS = tuple((draws, 1.0) for draws in (*ORDER_REQUESTS, Draws.MASS_CANCEL))


class _Derived:
    """Room for what follows from the gates: no field, so no part of equality, text or tape."""

    __slots__ = ("_order_gate", "_takes")
    _order_gate: Gate | None
    _takes: Mapping[Draws, tuple[tuple[Gate, float], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities(_Derived):
    """What a venue can do, and how."""

    move: Move = Move.SAME_ID
    request_deadline_ns: Nanos = REQUEST_DEADLINE_NS
    valid_for_ns: Nanos | None = VALID_FOR_NS
    """How long after it was sent a place or a move may still take effect; None: the venue takes no
    such limit."""
    cancels_all_of: tuple[CancelScope, ...] = (CancelScope.VENUE, CancelScope.INSTRUMENT)
    label_echoed: bool = True
    """Whether the venue names our label in what it says of an order."""
    end_tells_filled: bool = False
    """Whether nothing is missing once an order's end is told: all its fills have been, or it says
    how much they are. Where not, an end that does not say that is asked about."""
    dead_man: DeadMan = DeadMan.CONNECTION
    orders_expire_ns: Nanos | None = None
    """An order ends by itself so long after its place or its last move was sent, and neither takes
    effect after that; None: it stays."""
    heartbeat_ns: Nanos | None = None
    """So long without a heartbeat of ours, and the venue cancels our orders; None: it expects
    none."""
    stamps_ms: int = 1
    """How finely the venue stamps what it says: 1, or 1000 where it counts whole seconds."""
    fills_final: bool = True
    """Whether a fill, once told, stands."""
    protects_quotes: bool = False
    """Whether the venue can be told to take our quotes on a coin back once too much of them has
    traded: market-maker protection."""
    gates: tuple[Gate, ...] = (Gate("orders", rate_per_s=5.0, burst=20.0, weights=_ORDERS),)
    """The limits, before the account's own are read."""

    @property
    def takes_effect_within_ns(self) -> Nanos:
        """How long after it was sent a request may still take effect, told to the venue or not."""
        return ABSENT_AFTER_NS if self.valid_for_ns is None else self.valid_for_ns

    @property
    def order_gate(self) -> Gate | None:
        """The first limit of the whole account that orders draw from; None where there is none."""
        try:
            return self._order_gate
        except AttributeError:  # asked for the first time
            of_account = (one for one in self.gates if one.scope is GateScope.ACCOUNT)
            found = next((gate for gate in of_account if gate.for_orders), None)
            object.__setattr__(self, "_order_gate", found)
            return found

    def takes(self, draws: Draws) -> tuple[tuple[Gate, float], ...]:
        """The gates that a request of a kind draws from, and what it takes of each."""
        try:
            return self._takes[draws]
        except AttributeError:
            weights = {kind: [(gate, gate.weight(kind)) for gate in self.gates] for kind in Draws}
            found = {kind: tuple(one for one in all_ if one[1]) for kind, all_ in weights.items()}
            object.__setattr__(self, "_takes", found)
            return found[draws]


def unsupported(capabilities: Capabilities) -> str | None:
    """What the core cannot do yet of what a venue is like, in words; None where it can do all."""
    if capabilities.stamps_ms != 1:
        return f"stamps of {capabilities.stamps_ms} ms"
    for gate in capabilities.gates:
        if gate.is_shared and not gate.session_share:
            return f"a limit of orders and reads ({gate.name}) of which the session has no share"
    life_ns = capabilities.orders_expire_ns
    if life_ns is not None and life_ns < LIFE_MIN * capabilities.request_deadline_ns:
        return f"orders that expire after {life_ns / SECOND:g} s: too soon to be renewed"
    if capabilities.dead_man is DeadMan.ORDER_EXPIRY and life_ns is None:
        return "a dead-man by order expiry where orders do not expire"
    if capabilities.dead_man is DeadMan.HEARTBEAT and capabilities.heartbeat_ns is None:
        return "a dead-man by heartbeat that is not said to expect one"
    return None


def without_dead_man(capabilities: Capabilities, *, require_dead_man: bool) -> str | None:
    """Why a start is refused: nothing at the venue would cancel our orders if we were gone; None
    where something does, or the setting `require_dead_man` says that it need not."""
    if capabilities.dead_man is not DeadMan.NONE or not require_dead_man:
        return None
    return (
        "the venue cancels nothing when this engine is gone, so orders would stay: "
        "require_dead_man = false in its [venues.NAME] trades there all the same"
    )


def dead_man_warning(capabilities: Capabilities) -> str:
    """What people must know at a start of what cancels when this engine is gone; empty where it is
    as they expect."""
    if capabilities.dead_man is DeadMan.WALLET:
        return (
            "when a connection ends, the venue cancels every order of the wallet: those of others "
            "go along with ours"
        )
    if capabilities.dead_man is DeadMan.NONE:
        return "nothing cancels our orders there when this engine is gone"
    stay_ns = None
    if capabilities.dead_man is DeadMan.HEARTBEAT:
        stay_ns = capabilities.heartbeat_ns
    elif capabilities.dead_man is DeadMan.ORDER_EXPIRY:
        stay_ns = capabilities.orders_expire_ns
    if stay_ns is not None:
        return (
            f"when this engine is gone, its orders rest for up to {stay_ns / SECOND:g} s before "
            f"the venue ends them ({capabilities.dead_man.value})"
        )
    return ""
