"""What the bot is told of the market and of its requests must be so: books, marks, refusals."""

from collections.abc import Iterable
from typing import Final

from mmbot.core import events as ev
from mmbot.core.error_scope import ErrorScope
from mmbot.core.types import InstrumentId, instrument_name
from mmbot.sim.exchange.effects import BookDelta
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.virtual.kinds import VenueKind
from mmbot.sim.virtual.true_book import TrueBook
from mmbot.sim.virtual.violation import Violated

MARK_TIMES: Final = 3.0
MARK_TICKS: Final = 20
"""A mark on its way is old; so far the venue's own may have moved meanwhile."""


class BorderChecks:
    """The judge of what the border makes of the venue's messages, by the exchange's own books."""

    def __init__(self, exchange: Exchange, instruments: Iterable[InstrumentId]) -> None:
        self._exchange = exchange
        names = dict.fromkeys(map(instrument_name, instruments))
        self._truth = {name: TrueBook(exchange.book(name)) for name in names}

    def moved(self, delta: BookDelta) -> None:
        """The venue's book has changed."""
        truth = self._truth.get(delta.name)
        if truth is not None:
            truth.move(delta)

    def shown(self, book: ev.BookChanged) -> None:
        """The bot is shown a book: it must have been that a moment ago."""
        bids, asks = book.bids, book.asks
        best = (bids[0][0] if bids else None, asks[0][0] if asks else None)
        if best not in self._truth[instrument_name(book.instrument)].lately:
            raise Violated("book", f"{book.instrument} never had {best} at its top")

    def marked(self, instrument: InstrumentId, mark: float) -> None:
        """The bot is told a mark."""
        book = self._exchange.book(instrument_name(instrument))
        slack = MARK_TICKS * float(book.listing.tick)
        truth = float(book.mark)
        if not truth:
            return  # looked at and not traded: the market marks what has a crowd
        if not truth / MARK_TIMES - slack <= mark <= truth * MARK_TIMES + slack:
            raise Violated("mark", f"{instrument} is told to be worth {mark}, and is {truth}")


def check_blame(refused: ev.RequestRefused, kind: VenueKind) -> None:
    """A refusal must be told with the reach that it has."""
    code = refused.detail.partition(" ")[0]
    reach = kind.reach.get(code)
    if kind.closed_words in refused.detail:
        reach = ErrorScope.INSTRUMENT
    if reach is not None and refused.scope is not reach:
        said = f"{refused.detail} is told as if it were about {refused.scope.value}"
        raise Violated("blame", said)
