"""Why: the closed list of reasons. Every quote, refusal, cancel and trip carries one.

The value is what a person reads in the table, so it is written for a trader.
"""

from enum import Enum


class Why(Enum):
    """A reason, with the words that stand on the screen."""

    # Quoting
    QUOTED = "quoting"
    IMPROVING = "improving the top"
    JOINING = "joining the top"
    FALLBACK_WIDTH = "one side missing: fallback width"
    LEANING = "leaning against position"
    REFRESH = "refresh"
    MOVED = "market moved"
    # Clamps on a quote
    EDGE_CLAMP = "held at fair less edge"
    CROSS_CLAMP = "held from crossing the book"
    MIN_SPREAD_CLAMP = "widened to the minimum spread"
    COST_FLOOR_CLAMP = "widened to the cost floor"
    TIGHT_MARKET = "market too tight to improve: joining"
    # No quote
    SIDE_OFF = "side switched off"
    NO_BOOK = "no book yet"
    BOOK_EMPTY = "book empty"
    BOOK_CROSSED = "book crossed"
    BOOK_GAPPED = "book gap: resubscribing"
    BOOK_STALE = "book stale"
    BOOK_IMPLAUSIBLE = "book far from mark"
    NO_MARK = "no mark price"
    NO_FAIR = "no fair value"
    BELOW_TICK = "price below one tick"
    BELOW_MIN_SIZE = "size below the venue's minimum"
    OWN_ORDERS_UNCLEAR = "own orders blur the book"
    NO_QUOTE = "strategy stands aside"
    # Risk
    MAX_POSITION = "position limit"
    MAX_EXPOSURE = "exposure limit"
    MAX_ORDER = "order size limit"
    MIN_SPREAD = "below minimum spread"
    COST_FLOOR = "below cost floor"
    PRICE_BAND = "outside the price band"
    SELF_CROSS = "would meet our own order"
    LATE_FILL = "fill not yet booked"
    # Orders
    NOT_WANTED = "no longer wanted"
    REPLACED = "replaced by a new price"
    CROSSED_BOOK = "would have crossed: not placed"
    REFUSED = "refused by the venue"
    RATE_LIMITED = "request budget short"
    NO_LABEL = "no reserved label left"
    DEADLINE = "no answer in time"
    LINK_LOST = "connection lost"
    REPLY_LOST = "answer lost"
    ADOPTED = "found at the venue: ours"
    STRAY = "stray order of ours"
    ABSENT = "not found at the venue"
    OWED_FILL = "fill reported but not seen"
    # Desk and engine
    STARTING = "starting: reconciling"
    RECONCILING = "reconciling with the venue"
    LINK_DOWN = "venue link down"
    PAUSED = "paused"
    STOPPING = "stopping"
    TRIPPED = "kill switch tripped"
    GAP_IN_TURNS = "engine was not running"
    INTERNAL_ERROR = "internal error"
    HALTED = "position does not match fills"
    EXPIRED = "expired"
    USER = "asked by the user"
