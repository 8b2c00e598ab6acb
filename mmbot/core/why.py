"""Why: the closed list of reasons. Every quote, refusal, cancel and trip carries one.

The value is what a person reads in the table: a trader's words, at most 20 characters.
"""

from enum import Enum


class Why(Enum):
    """A reason, with the words that stand on the screen."""

    # Quoting
    QUOTED = "quoting"
    IMPROVING = "improving"
    JOINING = "joining"
    FALLBACK_WIDTH = "fallback width"
    LEANING = "leaning"
    REFRESH = "refresh"
    MOVED = "market moved"
    # Clamps on a quote
    EDGE_CLAMP = "held at edge"
    CROSS_CLAMP = "held from crossing"
    MIN_SPREAD_CLAMP = "at minimum spread"
    COST_FLOOR_CLAMP = "at cost floor"
    TIGHT_MARKET = "tight: joining"
    # No quote
    SIDE_OFF = "side switched off"
    NO_BOOK = "no book yet"
    BOOK_EMPTY = "book empty"
    BOOK_CROSSED = "book crossed"
    BOOK_GAPPED = "book gap"
    BOOK_STALE = "book stale"
    BOOK_IMPLAUSIBLE = "book far from mark"
    NO_MARK = "no mark price"
    NO_FAIR = "no fair value"
    BELOW_TICK = "price below one tick"
    BELOW_MIN_SIZE = "below minimum size"
    OWN_ORDERS_UNCLEAR = "own order in flight"
    NO_QUOTE = "standing aside"
    # Risk
    MAX_POSITION = "position limit"
    MAX_EXPOSURE = "exposure limit"
    MAX_ORDER = "order size limit"
    MIN_SPREAD = "below minimum spread"
    COST_FLOOR = "below cost floor"
    PRICE_BAND = "outside the price band"
    SELF_CROSS = "own order in the way"
    LATE_FILL = "fill not yet booked"
    # Orders
    NOT_WANTED = "no longer wanted"
    REPLACED = "replaced by a new price"
    CROSSED_BOOK = "would have crossed"
    REFUSED = "refused by the venue"
    RATE_LIMITED = "budget short"
    NO_LABEL = "no label left"
    DEADLINE = "no answer in time"
    LINK_LOST = "connection lost"
    REPLY_LOST = "answer lost"
    ADOPTED = "adopted"
    STRAY = "stray order of ours"
    ABSENT = "not found at the venue"
    OWED_FILL = "fill owed"
    # Desk and engine
    STARTING = "starting"
    RECONCILING = "reconciling"
    LINK_DOWN = "venue link down"
    STORE = "store in trouble"
    LEASE_LOST = "another engine runs"
    PAUSED = "paused"
    STOPPING = "stopping"
    TRIPPED = "KILL SWITCH"
    GAP_IN_TURNS = "engine was not running"
    INTERNAL_ERROR = "internal error"
    HALTED = "halted: mismatch"
    EXPIRED = "expired"
    USER = "asked by the user"
