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

from msgspec import Struct

SILENT_S = 2.0
LASTING_S = 10.0
"""A book that its tickers contradict is doubtful after so long: while its own channel says nothing
meanwhile, and in any case. A stall of ours, or of the venue, sets the two apart for a while, and
they come together again as what was written meanwhile is read."""

TICKERS_MIN = 3
"""So many tickers in a row, with none that agrees, it takes at least: one from before a stall and
the first one from behind it are both ahead of a book whose messages are yet to be read."""

EMPTY = 0.0
"""The best price of a side where nobody is."""


class Best(Struct, frozen=True, gc=False):
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
class _Span:
    """Tickers that do not agree, since when and how many."""

    since_s: float
    tickers: int

    def makes_doubtful(self, after_s: float, now_s: float) -> bool:
        return self.tickers >= TICKERS_MIN and now_s - self.since_s >= after_s


class Contradiction:
    """A book that does not agree with its ticker, from the first ticker that says so."""

    __slots__ = ("_all", "_in_silence", "_said")

    def __init__(self, said: Best, now_s: float) -> None:
        self._said = said
        self._all = _Span(now_s, 1)
        self._in_silence = _Span(now_s, 1)
        """Those since the book's own channel spoke."""

    def again(self, said: Best, now_s: float) -> bool:
        """One more ticker does not agree; whether that makes the book doubtful."""
        self._said = said
        self._all.tickers += 1
        self._in_silence.tickers += 1
        return self._in_silence.makes_doubtful(SILENT_S, now_s) or self._all.makes_doubtful(
            LASTING_S, now_s
        )

    def settled(
        self, bid: float | None, ask: float | None, timestamp_ms: int, now_s: float
    ) -> bool:
        """The book has changed: whether it has come to where the last ticker was."""
        self._in_silence = _Span(now_s, 0)
        return timestamp_ms >= self._said.timestamp_ms and self._said.agrees(bid, ask)


def _side(ticker: Mapping[str, Any], key: str) -> float | None:
    price = ticker.get(key, ...)
    if price is None:
        return EMPTY
    if price.__class__ is float or price.__class__ is int:
        return float(price) if 0.0 <= price < inf else None
    return None
