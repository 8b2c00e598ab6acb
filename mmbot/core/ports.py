"""The shapes of plug-ins. A plug-in is a frozen dataclass: its fields are its settings, its
docstring is its manual, its behavior is one or two methods."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from mmbot.core.chains import Chain
from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost, Filled, TickerChanged, TradePrinted
from mmbot.core.memory import Memory
from mmbot.core.types import InstrumentId, Nanos, Quote
from mmbot.core.views import (
    GuardVerdict,
    HedgeView,
    MarketView,
    Proposal,
    RiskSnapshot,
    Valuation,
    Verdict,
    View,
)
from mmbot.core.why import Why

Heard = BookChanged | BookLost | TickerChanged | TradePrinted | Filled
"""What a signal hears of its instrument, in the order in which it happened.

Books have our own orders in them, and come conflated like tickers: the newest of those between two
turns. Every public trade comes. `Filled` is an execution of an order of ours, heard when it is
booked and so once, whatever the venue repeats; where the venue takes it back, its reversal comes
(`fill.reverses` names it).
"""


class Strategy(Protocol):
    """Looks at one instrument and says what it would like to quote there. A strategy remembers
    nothing."""

    def quotes(self, view: View) -> Iterable[Quote] | Why:
        """The quotes wanted now (any number of levels a side), or why none."""
        ...


class Selector(Protocol):
    """Says which of the listed instruments a desk trades. Asked at the start and whenever the
    venue lists something new; what it leaves out then is not traded, what it chose before stays."""

    def select(
        self, listed: Sequence[Instrument], prices: Mapping[str, float], now_ns: Nanos
    ) -> Iterable[InstrumentId]:
        """The instruments, most important first. `prices`: coin -> USD, where known."""
        ...


class Pricer(Protocol):
    """Says what one instrument is worth. A pricer remembers nothing."""

    def fair(self, market: MarketView, chain: Chain | None, now_ns: Nanos) -> Valuation | Why:
        """The value every quote of the desk is built around, or why there is none. `chain` is the
        option's, where the pricer's class says `reads_chain = True`; a pricer only reads it."""
        ...


class Signal(Protocol):
    """Remembers something of one instrument's market, the only plug-in that does. What it
    remembers is a Memory, so that it goes onto the tape and comes back from it. Where a number has
    a direction, positive means that the price is expected to rise. Moments are those of the events;
    a signal reads no clock.

    A signal may have two things more. `values(memory, now_ns)` returns further numbers by name,
    each None while it cannot be told: strategies read them as `view.signals["NAME.part"]`. The
    names are always the same. `units` says what the numbers are counted in, for people: a mapping
    from a part to a word or two, with "" for the signal's own value.
    """

    def start(self, instrument: Instrument) -> Memory:
        """What is remembered before anything has happened."""
        ...

    def observe(self, memory: Memory, event: Heard) -> None:
        """Put what happened on the instrument into its memory."""
        ...

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:
        """What strategies read as `view.signals[NAME]`; None while it cannot be told."""
        ...


class Hedger(Protocol):
    """Looks at a whole desk, at every turn in which something is decided, and says what to trade
    against its risk. A hedger remembers nothing."""

    def hedges(self, desk: HedgeView) -> Iterable[tuple[InstrumentId, Quote]]:
        """What is wanted now, each on an instrument that some desk trades. It goes the way of any
        quote, except that it ends as it arrives: only what can be had at once is traded."""
        ...


class RiskRule(Protocol):
    """Judges one target at a time; the first Block ends the judgement, Shrinks add up."""

    def check(self, view: View, proposal: Proposal) -> Verdict:
        """Allow, shrink or block this target."""
        ...


class Guard(Protocol):
    """Looks at the whole account, at every Tick and after every fill. A guard remembers nothing."""

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        """All is well, slow down, pause, or trip the kill switch."""
        ...
