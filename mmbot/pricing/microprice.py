"""The middle of a book, weighted by what stands on each side of it."""

from collections.abc import Sequence

from mmbot.core.types import Level
from mmbot.pricing.fair import size_weighted


def microprice(bids: Sequence[Level], asks: Sequence[Level], mark: float) -> float:
    """What a perpetual or future is worth by its own book: the best prices, each weighted by the
    amount on the other side. The mark where a side is missing.

    The mark itself follows an index that is late, by more than such a market is wide.
    """
    if not bids or not asks:
        return mark
    (bid, bid_amount), (ask, ask_amount) = bids[0], asks[0]
    middle = size_weighted(bid, bid_amount, ask, ask_amount)
    return mark if middle is None else middle
