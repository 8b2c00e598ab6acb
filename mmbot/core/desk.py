"""A desk: one strategy with its rules on some instruments of one venue."""

from dataclasses import dataclass

from mmbot.core.ports import RiskRule, Strategy
from mmbot.core.types import Nanos


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
