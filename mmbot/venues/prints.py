"""Public trades: each once, however often it is told.

A channel may repeat a message (a line that doubles frames, a subscription that begins with what was
last traded), and whoever adds trades up must not count one twice.
"""

from typing import Final

from msgspec import Struct

from mmbot.core.events import TradePrinted

KEPT: Final = 2_000
"""Trades that are recognized when they come again."""


class PublicTrade(Struct, frozen=True):
    """A trade of anybody's, and the venue's name for it, which no other of the instrument has."""

    trade_id: str
    printed: TradePrinted


class Prints:
    """Which trades have been told."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], None] = {}

    def is_news(self, trade: PublicTrade) -> bool:
        """Whether a trade has not been told before; from now on it has."""
        key = (trade.printed.instrument, trade.trade_id)
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
        return True
