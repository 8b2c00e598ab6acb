"""A desk: one strategy with its pricer and rules on some instruments of one venue."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmbot.core.ports import Hedger, Pricer, RiskRule, Signal, Strategy
from mmbot.core.reads import Reads, read_by_all
from mmbot.core.types import Kind, Nanos
from mmbot.pricing.mark import Mark


class _Derived:
    """Room for what follows from a desk's plug-ins: no field, so no part of equality."""

    __slots__ = ("_reads",)
    if TYPE_CHECKING:  # at run time it would pass for a field
        _reads: dict[Kind, Reads | None]


@dataclass(frozen=True, slots=True)
class Desk(_Derived):
    """What quotes an instrument, and what judges the quotes.

    `refresh_ns`: an order that merely lags behind the market is moved at most this often; one that
    has become more aggressive than it may be is moved at once.
    """

    name: str
    venue: str
    strategy: Strategy
    rules: tuple[RiskRule, ...]
    refresh_ns: Nanos = 0
    pricer: Pricer = field(default_factory=Mark)
    pricer_name: str = "mark"
    signals: tuple[tuple[str, Signal], ...] = ()
    """By name, in the order in which they hear what happens."""
    hedger: Hedger | None = None
    hedger_name: str = ""

    def reads(self, kind: Kind) -> Reads | None:
        """What the strategy and the rules read of an instrument's moment and book (core.reads);
        None where one of them has to be asked every time."""
        try:
            return self._reads[kind]
        except AttributeError:  # asked for the first time
            plugins = (self.strategy, *self.rules)
            object.__setattr__(self, "_reads", {one: read_by_all(plugins, one) for one in Kind})
            return self._reads[kind]
