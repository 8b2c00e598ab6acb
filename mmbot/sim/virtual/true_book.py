"""What a book at the venue has been lately: what is shown of it must be one of these moments."""

from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.listing import Side

KEPT: Final = 500

Best = tuple[float | None, float | None]
"""Best bid and best ask; None where nobody is."""


class TrueBook:
    """One book, followed change by change from how it is now."""

    def __init__(self, book: Book) -> None:
        self._bids = dict(book.depth(Side.BUY))
        self._asks = dict(book.depth(Side.SELL))
        self.lately: dict[Best, None] = {self._best(): None}
        """The last of its tops, the newest last."""

    def move(self, delta: BookDelta) -> None:
        """It has changed."""
        for side, changes in ((self._bids, delta.bids), (self._asks, delta.asks)):
            for action, price, amount in changes:
                if action == "delete":
                    side.pop(price, None)
                else:
                    side[price] = amount
        best = self._best()
        self.lately.pop(best, None)
        self.lately[best] = None
        if len(self.lately) > KEPT:
            del self.lately[next(iter(self.lately))]

    def _best(self) -> Best:
        bid: Decimal | None = max(self._bids, default=None)
        ask: Decimal | None = min(self._asks, default=None)
        return (None if bid is None else float(bid), None if ask is None else float(ask))
