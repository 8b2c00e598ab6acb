"""A decision that stands: made once, and not again while nothing it was made from has changed.

What it was made from is found in core.basis, before the strategy and the rules are asked. A market
keeps its last decision beside what is on the tape: without it the same would be decided again.
"""

from decimal import Decimal

from msgspec import Struct

from mmbot.core.reads import Reads
from mmbot.core.types import InstrumentId, Level, Owner, Quote, Side
from mmbot.core.why import Why

SlotKey = tuple[InstrumentId, Side, Owner, int]


class Standing(Struct, frozen=True):
    """A decision that asked for nothing, and what it was made from."""

    reads: Reads
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    """The levels that were looked at ..."""
    sound: bool
    """... and whether all there were are numbers."""
    basis: tuple[object, ...]
    """Everything else."""
    slots: tuple[SlotKey, ...]
    """Where something was wanted; none of them had to wait."""
    quotes: tuple[Quote, ...]
    why: dict[Side, Why]
    worst_coin: Decimal | None
