"""Whether a ticker and a book of the same instrument can both be true. Pure: times are passed in.

A channel can fall silent while its connection lives: its book then looks well and is old. The
ticker of the instrument comes over another channel and names the best bid and ask, so it tells. It
does so only with care: a ticker that is older than the book says nothing about it, and one that was
ahead of the book is right as soon as the book has come to where the ticker was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

DOUBTFUL_AFTER_S = 2.0
TICKERS_MIN = 2
"""So many tickers in a row, over so long, with none that agrees, make a book doubtful."""

EMPTY = 0.0
"""The best price of a side where nobody is."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best bid and ask as a ticker states them; EMPTY: there is none, None: not stated."""

    timestamp_ms: int
    bid: float | None
    ask: float | None

    @classmethod
    def stated(cls, ticker: Mapping[str, Any]) -> "Best | None":
        """What a ticker's data says; None where it says nothing that could be compared."""
        timestamp_ms = ticker.get("timestamp")
        if timestamp_ms.__class__ is not int:
            return None
        bid, ask = _side(ticker, "best_bid_price"), _side(ticker, "best_ask_price")
        return None if bid is None and ask is None else cls(timestamp_ms, bid, ask)

    def agrees(self, bid: float | None, ask: float | None) -> bool:
        """Whether a book with these best prices (None: nobody) is what the ticker saw."""
        return (self.bid is None or self.bid == (bid or EMPTY)) and (
            self.ask is None or self.ask == (ask or EMPTY)
        )


@dataclass(slots=True)
class Contradiction:
    """A book that does not agree with its ticker, from the first ticker that says so."""

    said: Best
    since_s: float
    tickers: int = 1

    def again(self, said: Best, now_s: float) -> bool:
        """One more ticker does not agree; whether that makes the book doubtful."""
        self.said = said
        self.tickers += 1
        return self.tickers >= TICKERS_MIN and now_s - self.since_s >= DOUBTFUL_AFTER_S

    def settled(self, bid: float | None, ask: float | None, timestamp_ms: int) -> bool:
        """Whether the book, which has changed, has come to where the last ticker was."""
        return timestamp_ms >= self.said.timestamp_ms and self.said.agrees(bid, ask)


def _side(ticker: Mapping[str, Any], key: str) -> float | None:
    price = ticker.get(key, ...)
    if price is None:
        return EMPTY
    if price.__class__ is float or price.__class__ is int:
        return float(price) if 0.0 <= price < inf else None
    return None
