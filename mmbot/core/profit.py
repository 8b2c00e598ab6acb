"""Trading profit in USD, as loss limits count it: without what the coins themselves gained or lost.

Every change of a position's profit is converted at the index of its own moment and added up, so a
profit that lies in the account as coin does not turn into a loss when the coin falls. Each
instrument is followed by itself: an expired one or one that is traded no more changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

from mmbot.core.books import Market
from mmbot.core.inventory import Inventory
from mmbot.core.scope import DAY_NS
from mmbot.core.types import ZERO, InstrumentId, Nanos, to_decimal

DOLLARS = ("USD", "USDC", "USDT")
"""Currencies that are worth a dollar."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a later run must know of this one. Money in USD but for `counted`.

    `counted`: per instrument, its profit since the account was opened, in settlement currency, as
    far as it is in `total_usd`.
    """

    day: int
    """Days since 1970, UTC, by desk time."""
    day_start_usd: float
    peak_usd: float
    total_usd: float
    counted: dict[InstrumentId, Decimal]
    books: tuple[str, ...] = ()
    """The runs that began what is counted here: copies of one book are known by them, whatever has
    become of its instruments."""


def one_book(kept: Iterable[Baseline]) -> Baseline | None:
    """The risk book of a run out of what is kept for each of its accounts, newest first; None
    where nothing is.

    A run keeps one book for all its accounts, so an older one that was begun by the same run, or
    counts an instrument of a newer one, is the same book as it was before. Others are of accounts
    that were traded by themselves: they are added up, each drawdown for itself, and a day that is
    over is over.
    """
    book: Baseline | None = None
    for one in kept:
        if book is None:
            book = one
        elif one != book and _are_two(book, one):
            day_start_usd = one.day_start_usd if one.day == book.day else one.total_usd
            book = Baseline(
                book.day,
                book.day_start_usd + day_start_usd,
                book.peak_usd + one.peak_usd,
                book.total_usd + one.total_usd,
                book.counted | one.counted,
                tuple(dict.fromkeys((*book.books, *one.books))),
            )
    return book


def _are_two(one: Baseline, other: Baseline) -> bool:
    begun = (name for name in one.books if name in other.books)
    return one.counted.keys().isdisjoint(other.counted) and not any(begun)


@dataclass(slots=True)
class Profit:
    """Profit of this session, of the day, and below its peak, all in USD."""

    total_usd: float = 0.0
    """Since the account was first traded."""
    session_usd: float = 0.0
    peak_usd: float = 0.0
    """The largest `total_usd` so far ..."""
    day_start_usd: float = 0.0
    """... and what it was when the day began."""
    day: int = 0
    counted: dict[InstrumentId, Decimal] = field(default_factory=dict)
    """Profit of this session that is in the figures, in settlement currency."""
    earlier: dict[InstrumentId, Decimal] = field(default_factory=dict)
    """Profit of earlier runs that was in the figures when they ended, until it is caught up with:
    what happened in between belongs to the day and the drawdown, not to this session."""
    books: tuple[str, ...] = ()
    """As in the baseline."""

    @property
    def day_usd(self) -> float:
        """Since the day began (UTC)."""
        return self.total_usd - self.day_start_usd

    @property
    def drawdown_usd(self) -> float:
        """Below the peak; never negative."""
        return self.peak_usd - self.total_usd

    def resume(self, baseline: Baseline) -> None:
        """Go on where an earlier run left off."""
        self.total_usd, self.peak_usd = baseline.total_usd, baseline.peak_usd
        self.day, self.day_start_usd = baseline.day, baseline.day_start_usd
        self.earlier, self.books = dict(baseline.counted), baseline.books

    def begin(self, run: str) -> None:
        """This run goes on with no book that has a name: the book is its own."""
        self.books = self.books or (run,)

    def baseline(self, inventory: Inventory) -> Baseline:
        """What the next run must know."""
        counted = dict(self.earlier)
        for instrument, session in self.counted.items():
            counted[instrument] = session + _carried(inventory, instrument)
        usd = (self.day_start_usd, self.peak_usd, self.total_usd)
        return Baseline(self.day, *usd, counted, self.books)

    def forget(self, instrument: InstrumentId) -> None:
        """Follow an instrument no more; what it earned stays in the figures."""
        self.counted.pop(instrument, None)
        self.earlier.pop(instrument, None)

    def update(self, markets: Iterable[Market], inventory: Inventory, now_ns: Nanos) -> bool:
        """Take in what changed; False, and nothing changes, where a figure is not a number."""
        day = now_ns // DAY_NS
        if day != self.day:
            self.day, self.day_start_usd = day, self.total_usd
        session_usd = between_usd = 0.0
        counted: dict[InstrumentId, Decimal] = {}
        for market in markets:
            instrument = market.instrument
            position = inventory.positions.get(instrument.id)
            if position is None:
                continue
            moved = position.amount or position.cash or position.accrued
            if not moved and instrument.id not in self.counted:
                continue
            rate = 1.0 if instrument.settlement in DOLLARS else market.index
            if market.mark is None or rate is None:
                continue  # nothing was heard of this market yet
            carried = _carried(inventory, instrument.id)
            session = position.total(to_decimal(market.mark)) - carried
            session_usd += float(session - self.counted.get(instrument.id, ZERO)) * rate
            counted[instrument.id] = session
            if instrument.id in self.earlier:
                between_usd += float(carried - self.earlier[instrument.id]) * rate
        if not isfinite(session_usd + between_usd):
            return False
        for known in counted:
            self.earlier.pop(known, None)
        self.counted |= counted
        self.session_usd += session_usd
        self.total_usd += session_usd + between_usd
        self.peak_usd = max(self.peak_usd, self.total_usd)
        return True


def _carried(inventory: Inventory, instrument: InstrumentId) -> Decimal:
    """What earlier runs had earned on an instrument when this one began."""
    carried = inventory.carried.get(instrument)
    if carried is None:
        return ZERO
    return carried.cash if carried.mark is None else carried.total(carried.mark)
