"""A desk: one strategy with its pricer and rules on some instruments of one venue."""

from dataclasses import dataclass, field

from mmbot.core.ports import Hedger, Pricer, RiskRule, Signal, Strategy
from mmbot.core.types import Nanos
from mmbot.pricing.mark import Mark


@dataclass(frozen=True, slots=True)
class Desk:
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
