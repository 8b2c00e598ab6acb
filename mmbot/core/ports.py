"""The shapes of plug-ins. A plug-in is a frozen dataclass: its fields are its settings, its
docstring is its manual, its behavior is one or two methods."""

from collections.abc import Iterable
from typing import Protocol

from mmbot.core.types import Nanos, Quote
from mmbot.core.views import (
    GuardVerdict,
    MarketView,
    Proposal,
    RiskSnapshot,
    Valuation,
    Verdict,
    View,
)
from mmbot.core.why import Why


class Strategy(Protocol):
    """Looks at one instrument and says what it would like to quote there. A strategy remembers
    nothing."""

    def quotes(self, view: View) -> Iterable[Quote] | Why:
        """The quotes wanted now (any number of levels a side), or why none."""
        ...


class Pricer(Protocol):
    """Says what one instrument is worth. A pricer remembers nothing."""

    def fair(self, market: MarketView, now_ns: Nanos) -> Valuation | Why:
        """The value every quote of the desk is built around, or why there is none."""
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
